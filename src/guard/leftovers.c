/* SPDX-License-Identifier: BSD-3-Clause */
/* leftovers.c — see leftovers.h. */
#include "guard/leftovers.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

#define SHARED "/dev/shm"

enum { SETTLED_S = 60, MOST_LEFT = 4096 };

/* Files that may be left over; `used` is set for those that a process maps. */
typedef struct leftovers {
    int count;
    char *names[MOST_LEFT];
    bool used[MOST_LEFT];
} leftovers;

/* Open MPI 4 calls them vader_segment.HOST.JOB.RANK, Open MPI 5 sm_segment.HOST.UID.JOB.RANK. */
static bool is_segment(const char *name, const char *host) {
    static const char *const kinds[] = {"vader_segment.", "sm_segment."};
    const size_t length = strlen(host);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const size_t kind = strlen(kinds[i]);
        if (strncmp(name, kinds[i], kind) == 0 && strncmp(name + kind, host, length) == 0 && name[kind + length] == '.')
            return true;
    }
    return false;
}

static bool is_old_and_ours(int folder, const char *name) {
    struct stat about;
    return fstatat(folder, name, &about, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(about.st_mode) &&
           about.st_uid == geteuid() && time(NULL) - about.st_mtim.tv_sec > SETTLED_S;
}

static void list(leftovers *found) {
    char host[256] = "";
    DIR *folder = opendir(SHARED);
    const struct dirent *entry;
    gethostname(host, sizeof host - 1);
    while (folder && found->count < MOST_LEFT && (entry = readdir(folder)) != NULL) {
        if (!is_segment(entry->d_name, host) || !is_old_and_ours(dirfd(folder), entry->d_name)) continue;
        char *name = strdup(entry->d_name);
        if (name) found->names[found->count++] = name;
    }
    if (folder) closedir(folder);
}

/* Marks what one process maps. One whose maps we may not read is not ours, and maps none of our files. */
static void mark_used(leftovers *found, const char *process) {
    char path[64], line[PATH_MAX + 128];
    snprintf(path, sizeof path, "/proc/%.20s/maps", process);
    FILE *maps = fopen(path, "re");
    while (maps && fgets(line, sizeof line, maps)) {
        const char *at = strstr(line, SHARED "/");
        if (!at) continue;
        at += sizeof SHARED "/" - 1;
        for (int i = 0; i < found->count; i++)
            if (strncmp(at, found->names[i], strlen(found->names[i])) == 0) found->used[i] = true;
    }
    if (maps) fclose(maps);
}

void dcnn_leftovers_remove(void) {
    const char *keep = getenv("DCNN_KEEP_LEFTOVERS");
    leftovers *found = keep && atoi(keep) != 0 ? NULL : calloc(1, sizeof *found);
    if (!found) return;
    list(found);
    DIR *processes = found->count > 0 ? opendir("/proc") : NULL;
    const struct dirent *entry;
    while (processes && (entry = readdir(processes)) != NULL)
        if (isdigit((unsigned char)entry->d_name[0])) mark_used(found, entry->d_name);
    int removed = 0;
    for (int i = 0; i < found->count; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, SHARED "/%s", found->names[i]);
        if (processes && !found->used[i] && unlink(path) == 0) removed++;
        free(found->names[i]);
    }
    if (processes) closedir(processes);
    if (removed > 0)
        dcnn_info("removed %d shared-memory file%s that killed processes had left in " SHARED, removed,
                  removed == 1 ? "" : "s");
    free(found);
}
