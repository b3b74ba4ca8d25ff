/* SPDX-License-Identifier: BSD-3-Clause */
/* free_memory.c — see free_memory.h. */
#include "guard/free_memory.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

static FILE *open_in(const char *root, const char *path) {
    char full[1024];
    snprintf(full, sizeof full, "%s%s", root, path);
    return fopen(full, "re");
}

/* The number behind `key` in a file of lines "KEY NUMBER"; key "": of its first line. False: none, or "max". */
static bool read_number(const char *root, const char *folder, const char *name, const char *key, uint64_t *number) {
    char path[1024], line[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = open_in(root, path);
    bool found = false;
    const size_t length = strlen(key);
    while (file && !found && fgets(line, sizeof line, file))
        found = strncmp(line, key, length) == 0 && sscanf(line + length, "%" SCNu64, number) == 1;
    if (file) fclose(file);
    return found;
}

static void take_least(dcnn_free_memory *left, uint64_t bytes, const char *bound_by) {
    if (bytes < left->bytes) *left = (dcnn_free_memory){bytes, bound_by};
}

/* What one control group leaves: its limit less what it uses, but for pages of files, which are given back. */
static void look_at_group(const char *root, const char *folder, bool second, dcnn_free_memory *left) {
    uint64_t limit, used, files = 0, part;
    if (!read_number(root, folder, second ? "memory.max" : "memory.limit_in_bytes", "", &limit) ||
        !read_number(root, folder, second ? "memory.current" : "memory.usage_in_bytes", "", &used) ||
        limit >= (uint64_t)1 << 60) /* version 1 writes "no limit" so */
        return;
    const char *const keys[2][2] = {{"total_inactive_file ", "total_active_file "}, {"inactive_file ", "active_file "}};
    for (int i = 0; i < 2; i++)
        if (read_number(root, folder, "memory.stat", keys[second][i], &part)) files += part;
    used = files < used ? used - files : 0;
    take_least(left, used < limit ? limit - used : 0, "the memory limit of this job or container");
}

/* How often a process of this group was killed: version 2 counts those of the groups below, too. */
static void look_for_kills(const char *root, const char *folder, bool second, int64_t *kills) {
    uint64_t count;
    const char *const name = second ? "memory.events" : "memory.oom_control";
    if (read_number(root, folder, name, "oom_kill ", &count) && (int64_t)count > *kills) *kills = (int64_t)count;
}

/* What is looked for in a group: left, or kills. */
typedef struct search {
    const char *root;
    dcnn_free_memory *left; /* or NULL */
    int64_t *kills;         /* or NULL */
} search;

static void look_in_group(const search *s, const char *folder, bool second) {
    if (s->left) look_at_group(s->root, folder, second, s->left);
    if (s->kills) look_for_kills(s->root, folder, second, s->kills);
}

/* A group's limit binds those below it: all on the way up count. In a container the way begins at its own root,
 * whatever the path says. */
static void look_upward(const search *s, const char *mount, const char *path, bool second) {
    char folder[1024];
    snprintf(folder, sizeof folder, "%s%s", mount, path);
    while (strlen(folder) > strlen(mount)) {
        look_in_group(s, folder, second);
        *strrchr(folder, '/') = '\0';
    }
    look_in_group(s, mount, second);
}

/* Lines "ID:CONTROLLERS:PATH"; version 2 has ID 0 and no controllers. */
static void look_at_groups(const search *s) {
    char line[1024];
    FILE *file = open_in(s->root, "/proc/self/cgroup");
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path || path[1] != '/') continue;
        *controllers++ = *path++ = '\0';
        if (strcmp(path, "/") == 0) path++; /* the root itself */
        if (strcmp(line, "0") == 0) look_upward(s, "/sys/fs/cgroup", path, true);
        if (strstr(controllers, "memory")) look_upward(s, "/sys/fs/cgroup/memory", path, false);
    }
    if (file) fclose(file);
}

/* /proc/self/statm: pages of address space first. */
static void look_at_address_space(const char *root, dcnn_free_memory *left) {
    struct rlimit limit;
    uint64_t pages;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
    const uint64_t used = read_number(root, "/proc/self", "statm", "", &pages) ? pages * 4096 : 0;
    take_least(left, used < limit.rlim_cur ? limit.rlim_cur - used : 0, "this process's limit (ulimit -v)");
}

dcnn_free_memory dcnn_free_memory_of_node(const char *root) {
    dcnn_free_memory left = {UINT64_MAX, "nothing known"};
    const search s = {.root = root, .left = &left};
    uint64_t kilobytes;
    if (read_number(root, "/proc", "meminfo", "MemAvailable:", &kilobytes))
        take_least(&left, kilobytes * 1024, "the machine's free memory");
    look_at_groups(&s);
    return left;
}

dcnn_free_memory dcnn_free_address_space(const char *root) {
    dcnn_free_memory left = {UINT64_MAX, "nothing known"};
    look_at_address_space(root, &left);
    return left;
}

dcnn_free_memory dcnn_free_memory_of_process(const char *root) {
    dcnn_free_memory left = dcnn_free_memory_of_node(root);
    look_at_address_space(root, &left);
    return left;
}

int64_t dcnn_memory_kills(const char *root) {
    int64_t kills = -1;
    const search s = {.root = root, .kills = &kills};
    look_at_groups(&s);
    return kills;
}

dcnn_free_memory dcnn_free_shared_memory(void) {
    struct statvfs memory;
    if (statvfs("/dev/shm", &memory) != 0) return (dcnn_free_memory){UINT64_MAX, "nothing known"};
    return (dcnn_free_memory){(uint64_t)memory.f_bavail * memory.f_frsize, "/dev/shm (of a container: --shm-size)"};
}
