/* SPDX-License-Identifier: BSD-3-Clause */
/* cores.c — see cores.h. */
#include "base/cores.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

int dcnn_cores(void) {
    cpu_set_t mask;
    return sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 1;
}

static int socket_of(const char *root, int core) {
    char path[512];
    int number;
    snprintf(path, sizeof path, "%.400s/sys/devices/system/cpu/cpu%d/topology/physical_package_id", root, core);
    FILE *file = fopen(path, "re");
    if (file == NULL) return -1;
    if (fscanf(file, "%d", &number) != 1) number = -1;
    fclose(file);
    return number;
}

/* Linux puts a link nodeN into the folder of each core. */
static int numa_of(const char *root, int core) {
    char path[512];
    int number = -1;
    snprintf(path, sizeof path, "%.400s/sys/devices/system/cpu/cpu%d", root, core);
    DIR *folder = opendir(path);
    if (folder == NULL) return -1;
    for (const struct dirent *entry = readdir(folder); entry && number < 0; entry = readdir(folder))
        if (sscanf(entry->d_name, "node%d", &number) != 1) number = -1;
    closedir(folder);
    return number;
}

static int near_of(const char *root, dcnn_near near, int core) {
    return near == DCNN_NEAR_NUMA ? numa_of(root, core) : socket_of(root, core);
}

int dcnn_cores_near(const char *root, dcnn_near near) {
    cpu_set_t mask;
    int number = -1;
    bool found = false;
    if (sched_getaffinity(0, sizeof mask, &mask) != 0) return -1;
    for (int core = 0; core < CPU_SETSIZE; core++) {
        if (!CPU_ISSET((size_t)core, &mask)) continue;
        const int of_core = near_of(root, near, core);
        if (of_core < 0 || (found && of_core != number)) return -1;
        number = of_core;
        found = true;
    }
    return number;
}

bool dcnn_cores_have_several(const char *root, dcnn_near near) {
    char path[512];
    int first = -1;
    for (int core = 0; core < CPU_SETSIZE; core++) {
        snprintf(path, sizeof path, "%.400s/sys/devices/system/cpu/cpu%d", root, core);
        if (access(path, F_OK) != 0) return false;    /* they are numbered from 0 on */
        const int number = near_of(root, near, core); /* -1: the core is off */
        if (number >= 0 && first >= 0 && number != first) return true;
        if (number >= 0) first = number;
    }
    return false;
}
