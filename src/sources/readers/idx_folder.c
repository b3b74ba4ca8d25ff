/* SPDX-License-Identifier: BSD-3-Clause */
/* idx_folder.c — the IDX files of a folder, or one level below it, under any stem: MNIST's, EMNIST's, torchvision's raw
 * folder, Kaggle's folders that are called like the files in them. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/kind.h"
#include "io/spill.h"
#include "sources/readers/array.h"

enum { LOOKED_INTO = 200 }; /* a folder with more files is one of images */

/* A file's name without what tells part, role and format: the set that it belongs to. */
static void set_of(const char *path, char set[64], bool *labels) {
    static const char *const words[] = {
        "images", "image",      "imgs", "labels", "label", "train", "training", "test",  "testing", "t10k", "val",
        "valid",  "validation", "idx",  "idx1",   "idx2",  "idx3",  "idx4",     "ubyte", "gz",      "int",  NULL};
    const char *slash = strrchr(path, '/'), *at = slash ? slash + 1 : path;
    size_t used = 0;
    *labels = strstr(at, "label") != NULL;
    while (*at) {
        size_t length = 0;
        while (isalnum((unsigned char)at[length])) length++;
        bool known = length == 0;
        for (int i = 0; words[i] && !known; i++)
            known = strlen(words[i]) == length && strncmp(at, words[i], length) == 0;
        if (!known && used + length + 2 < 64) {
            if (used > 0) set[used++] = '-';
            memcpy(set + used, at, length);
            used += length;
        }
        at += length + (at[length] != '\0');
    }
    set[used] = '\0';
}

static int visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

/* Adds the IDX files of one folder, and its others; below it, files in folders once more. */
static dcnn_status gather(const char *path, bool below, dcnn_names *files, dcnn_names *others) {
    struct dirent **entries;
    const int count = scandir(path, &entries, visible, alphasort);
    if (count < 0) return DCNN_OK;
    dcnn_status status = DCNN_OK;
    for (int pass = 0; pass < 2; pass++) /* what lies nearer comes first */
        for (int i = 0; i < count && status == DCNN_OK && count <= LOOKED_INTO; i++) {
            char *name;
            struct stat about;
            if (asprintf(&name, "%s/%s", path, entries[i]->d_name) < 0) {
                status = DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for its files' names", path);
                break;
            }
            const bool there = stat(name, &about) == 0, is_folder = there && S_ISDIR(about.st_mode);
            if (pass == 0 && there && !is_folder)
                status = dcnn_names_add(dcnn_kind_of_file(name) == DCNN_KIND_IDX ? files : others, name, strlen(name));
            if (pass == 1 && is_folder && below) status = gather(name, false, files, others);
            free(name);
        }
    for (int i = 0; i < count; i++) free(entries[i]);
    free(entries);
    return status;
}

static dcnn_status is_same(const char *one, const char *other, bool *same) {
    void *bytes[2] = {NULL, NULL};
    size_t lengths[2] = {0, 0}, mapped[2] = {0, 0};
    dcnn_status status = dcnn_spill_read(NULL, one, &bytes[0], &lengths[0], &mapped[0]);
    if (status == DCNN_OK) status = dcnn_spill_read(NULL, other, &bytes[1], &lengths[1], &mapped[1]);
    *same = status == DCNN_OK && lengths[0] == lengths[1] && memcmp(bytes[0], bytes[1], lengths[0]) == 0;
    for (int i = 0; i < 2; i++) dcnn_spill_release(bytes[i], mapped[i]);
    return status;
}

/* The file of the same part, role and set that was met before; NULL: none. */
static const char *find_double(const dcnn_names *kept, const char *path) {
    char set[64], other_set[64];
    bool labels, other_labels;
    dcnn_role role = DCNN_ROLE_POOL, other_role = DCNN_ROLE_POOL;
    const char *slash = strrchr(path, '/');
    set_of(path, set, &labels);
    const bool named = dcnn_role_in(slash ? slash + 1 : path, &role);
    for (int64_t i = 0; i < kept->count; i++) {
        const char *other = strrchr(kept->text[i], '/') + 1;
        set_of(kept->text[i], other_set, &other_labels);
        other_role = DCNN_ROLE_POOL;
        const bool other_named = dcnn_role_in(other, &other_role);
        if (labels == other_labels && role == other_role && named == other_named && strcmp(set, other_set) == 0)
            return kept->text[i];
    }
    return NULL;
}

/* Of the same content the first one stays: torchvision keeps what it unpacked beside the packed, Kaggle has a file in a
 * folder of its name, and beside it. */
static dcnn_status drop_doubles(const char *path, const dcnn_names *all, dcnn_names *files, dcnn_names *others) {
    for (int64_t i = 0; i < all->count; i++) {
        const char *before = find_double(files, all->text[i]);
        bool same = false;
        if (before) DCNN_TRY(is_same(before, all->text[i], &same));
        if (before && !same)
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s: holds %s and %s, which differ; name the files of one set", path,
                             before, all->text[i]);
        DCNN_TRY(dcnn_names_add(before ? others : files, all->text[i], strlen(all->text[i])));
    }
    return DCNN_OK;
}

static void tell_others(const dcnn_opening *opening, const char *path, const dcnn_names *others) {
    const char *first = NULL;
    int64_t left = 0;
    dcnn_count_text count;
    for (int64_t i = 0; i < others->count; i++) {
        bool read = false;
        for (int64_t j = 0; j < opening->to->files.count && !read; j++)
            read = strcmp(others->text[i], opening->to->files.text[j]) == 0;
        if (!read && left++ == 0) first = others->text[i];
    }
    if (left > 0)
        dcnn_source_tell(opening->options, "%s: %s file%s left unread: %s%s", path, dcnn_count(left, &count),
                         left > 1 ? "s" : "", first, left > 1 ? ", ..." : "");
}

static dcnn_status check_sets(const char *path, const dcnn_names *files) {
    dcnn_names sets = {0};
    dcnn_status status = DCNN_OK;
    for (int64_t i = 0; i < files->count && status == DCNN_OK; i++) {
        char set[64];
        bool labels;
        set_of(files->text[i], set, &labels);
        status = dcnn_names_add(&sets, set, strlen(set));
    }
    dcnn_names_unite(&sets);
    if (status == DCNN_OK && sets.count > 1)
        status = DCNN_FAIL(DCNN_BAD_INPUT,
                           "%s: holds the IDX files of %lld sets ('%s', '%s'%s); name the files of one of them", path,
                           (long long)sets.count, sets.text[0], sets.text[1], sets.count > 2 ? ", ..." : "");
    dcnn_names_free(&sets);
    return status;
}

/* Images need their labels and labels their images, each by the name that its counterpart has. */
static dcnn_status check_pairs(const char *path, const dcnn_names *files, bool unlabelled) {
    for (int64_t i = 0; i < files->count; i++) {
        char set[64], other_set[64];
        bool labels, other_labels, found = false;
        dcnn_role role = DCNN_ROLE_POOL, other_role;
        set_of(files->text[i], set, &labels);
        (void)dcnn_role_in(strrchr(files->text[i], '/') + 1, &role);
        for (int64_t j = 0; j < files->count && !found; j++) {
            set_of(files->text[j], other_set, &other_labels);
            other_role = DCNN_ROLE_POOL;
            (void)dcnn_role_in(strrchr(files->text[j], '/') + 1, &other_role);
            found = labels != other_labels && role == other_role;
        }
        if (!found && !unlabelled)
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s: has %s, but not the file of its %s; both are needed", path,
                             strrchr(files->text[i], '/') + 1, labels ? "images" : "labels");
    }
    return DCNN_OK;
}

dcnn_status dcnn_idx_folder_open(const dcnn_opening *opening, const char *path, bool *found) {
    dcnn_names all = {0}, files = {0}, others = {0};
    dcnn_array_list arrays = {.aside = opening->options->aside};
    const int before = opening->to->count;
    dcnn_status status = gather(path, true, &all, &others);
    *found = all.count > 0;
    if (status != DCNN_OK || !*found) goto done;
    if (all.count > LOOKED_INTO) /* each is compared with each */
        DCNN_TRY_DONE(DCNN_FAIL(DCNN_BAD_INPUT, "%s: holds %lld IDX files, more than %d; name the files of one set",
                                path, (long long)all.count, LOOKED_INTO));
    DCNN_TRY_DONE(drop_doubles(path, &all, &files, &others));
    DCNN_TRY_DONE(check_sets(path, &files));
    DCNN_TRY_DONE(check_pairs(path, &files, opening->options->unlabelled));
    for (int part = 0; part < 4;
         part++) /* training before test, images before labels, as these files were always read */
        for (int64_t i = 0; i < files.count; i++) {
            char set[64];
            bool labels;
            dcnn_role role = DCNN_ROLE_POOL;
            set_of(files.text[i], set, &labels);
            (void)dcnn_role_in(strrchr(files.text[i], '/') + 1, &role);
            if ((role == DCNN_ROLE_POOL ? 0 : 2) + labels != part) continue;
            DCNN_TRY_DONE(dcnn_source_note(opening, files.text[i]));
            DCNN_TRY_DONE(dcnn_idx_read(files.text[i], &arrays));
        }
    status = dcnn_array_list_pair(opening, path, &arrays, DCNN_ROLE_OFFICIAL_TEST);
    if (status == DCNN_OK) status = dcnn_emnist_look(opening, before);
    if (status == DCNN_OK) tell_others(opening, path, &others);
done:
    dcnn_names_free(&others);
    dcnn_array_list_free(&arrays);
    dcnn_names_free(&all);
    dcnn_names_free(&files);
    return status;
}
