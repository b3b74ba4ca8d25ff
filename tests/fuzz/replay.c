/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * replay.c — every file of the corpus once more, by any compiler: what fuzzing has found stays mended.
 *
 *   fuzz_replay CORPUS     the folder with a folder a target
 *   fuzz_replay --list     the targets' names
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static int replay(const fuzz_target *target, const char *corpus) {
    char folder[1024], path[1400];
    struct dirent *entry;
    int count = 0;
    snprintf(folder, sizeof folder, "%s/%s", corpus, target->name);
    DIR *open_folder = opendir(folder);
    while (open_folder && (entry = readdir(open_folder))) {
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        FILE *file = fopen(path, "rb");
        if (file == NULL) continue;
        fseek(file, 0, SEEK_END);
        const long size = ftell(file);
        rewind(file);
        uint8_t *bytes = malloc(size > 0 ? (size_t)size : 1); /* no byte more: an over-read is seen */
        if (bytes && size >= 0 && fread(bytes, 1, (size_t)size, file) == (size_t)size) {
            fprintf(stderr, "%s\n", path);
            target->run(bytes, (size_t)size);
            count++;
        }
        free(bytes);
        fclose(file);
    }
    if (open_folder) closedir(open_folder);
    return count;
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    for (const fuzz_target *target = fuzz_targets; target->name; target++) {
        if (strcmp(argv[1], "--list") == 0) {
            puts(target->name);
            continue;
        }
        const int count = replay(target, argv[1]);
        printf("%s: %d files\n", target->name, count);
        if (count == 0) return 1;
    }
    return 0;
}
