/* SPDX-License-Identifier: BSD-3-Clause */
/* folder.c — class folders of images: DIR/CLASS/…/x.png, or DIR/train/CLASS/… with validation and test beside it. */
#include <dirent.h>
#include <stdio.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "io/kind.h"
#include "sources/source_private.h"

/* Links can make of a few folders more ways than anybody could walk; ImageNet has 21,841 of them. */
enum { MOST_DEPTH = 32, MOST_FOLDERS = 1 << 20 };

/* What was met on a walk. */
typedef struct walk {
    const dcnn_opening *opening;
    dcnn_source *source;             /* what is being filled */
    int32_t label;                   /* of the images that are met */
    int64_t room;                    /* of the source's labels */
    int64_t other;                   /* files that are not images */
    char *first_other;               /* the first of them */
    int64_t unread[DCNN_KIND_COUNT]; /* images of kinds that cannot be read */
    char *first_unread[DCNN_KIND_COUNT];
    int depth, folders;        /* how deep; how many so far */
    dev_t devices[MOST_DEPTH]; /* folders above this one: a link back to one of them is a loop */
    ino_t inodes[MOST_DEPTH];
} walk;

/* --- names in a folder -------------------------------------------------------------------------------------------- */

/* What file managers and archivers leave behind. */
static bool is_hidden(const char *name) {
    return name[0] == '.' || strcmp(name, "__MACOSX") == 0 || strcasecmp(name, "Thumbs.db") == 0 ||
           strcasecmp(name, "desktop.ini") == 0;
}

/* The entries of a folder in the order of their bytes, folders apart. */
static dcnn_status list(const char *path, dcnn_names *folders, dcnn_names *files) {
    DIR *folder = opendir(path);
    if (!folder) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: cannot open the folder: %s", path, strerror(errno));
    dcnn_status status = DCNN_OK;
    for (struct dirent *entry; status == DCNN_OK && (entry = readdir(folder));) {
        if (is_hidden(entry->d_name)) continue;
        struct stat about = {0};
        /* a link to nothing is met as a file, and named when it cannot be read */
        const bool known = entry->d_type == DT_DIR || entry->d_type == DT_REG,
                   there = !known && fstatat(dirfd(folder), entry->d_name, &about, 0) == 0;
        const bool is_folder = entry->d_type == DT_DIR || (there && S_ISDIR(about.st_mode));
        if (there && !is_folder && !S_ISREG(about.st_mode)) continue; /* reading from a pipe would wait for ever */
        status = dcnn_names_add(is_folder ? folders : files, entry->d_name, strlen(entry->d_name));
    }
    closedir(folder);
    dcnn_names_sort(folders);
    dcnn_names_sort(files);
    return status;
}

/* --- walking ------------------------------------------------------------------------------------------------------ */

static dcnn_status add_image(walk *w, const char *path) {
    dcnn_source *s = w->source;
    if (s->count == w->room) {
        const int64_t room = 2 * w->room + 256;
        int32_t *labels = realloc(s->labels, (size_t)room * sizeof *labels);
        if (!labels) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for %lld images", s->name, (long long)room);
        s->labels = labels;
        w->room = room;
    }
    DCNN_TRY(dcnn_names_add(&s->files, path, strlen(path)));
    s->labels[s->count++] = w->label;
    return DCNN_OK;
}

/* What ends like an image is one, or a broken one; any other file is looked into. */
static dcnn_status meet_file(walk *w, const char *path, const char *name) {
    const dcnn_kind_id kind = dcnn_name_is_image(name) ? DCNN_KIND_PNG : dcnn_kind_of_file(path);
    if (dcnn_kind_is_image(kind)) return add_image(w, path);
    if (dcnn_kind_is_foreign_image(kind)) {
        if (w->unread[kind]++ == 0) w->first_unread[kind] = strdup(path);
        return DCNN_OK;
    }
    if (w->other++ == 0) w->first_other = strdup(path);
    return DCNN_OK;
}

/* Is this folder one of those above it, met again through a link? Then it is told. */
static bool leads_back(const walk *w, const char *path) {
    struct stat about;
    if (stat(path, &about) != 0) return false;
    for (int i = 0; i < w->depth; i++)
        if (w->devices[i] == about.st_dev && w->inodes[i] == about.st_ino) {
            dcnn_source_tell(w->opening->options, "%s: leads back to a folder above it: not followed", path);
            return true;
        }
    return false;
}

static bool enter(walk *w, const char *path) {
    struct stat about;
    if (w->depth == MOST_DEPTH || stat(path, &about) != 0) return false;
    w->devices[w->depth] = about.st_dev;
    w->inodes[w->depth++] = about.st_ino;
    return true;
}

/* All images in a folder and below it. */
static dcnn_status gather(walk *w, const char *path) {
    dcnn_names folders = {0}, files = {0};
    if (leads_back(w, path)) return DCNN_OK;
    if (!enter(w, path))
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: lies in more than %d folders; move it up", path, MOST_DEPTH);
    if (++w->folders > MOST_FOLDERS)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "%s: there are more than %d folders before this one; do links lead in circles?", path,
                         MOST_FOLDERS);
    dcnn_status status = list(path, &folders, &files);
    for (int64_t i = 0; status == DCNN_OK && i < files.count + folders.count; i++) {
        const bool is_file = i < files.count;
        const char *name = is_file ? files.text[i] : folders.text[i - files.count];
        char *below;
        if (asprintf(&below, "%s/%s", path, name) < 0)
            return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for its files' names", path);
        status = is_file ? meet_file(w, below, name) : gather(w, below);
        free(below);
    }
    w->depth--;
    dcnn_names_free(&folders);
    dcnn_names_free(&files);
    return status;
}

/* --- class folders ------------------------------------------------------------------------------------------------ */

static void tell_left(const walk *w, const char *path) {
    dcnn_count_text count;
    for (int kind = 0; kind < DCNN_KIND_COUNT; kind++)
        if (w->unread[kind] > 0)
            dcnn_source_tell(w->opening->options, "%s: %s file%s not read, as %s %s: %s%s; save %s as PNG", path,
                             dcnn_count(w->unread[kind], &count), w->unread[kind] > 1 ? "s" : "",
                             w->unread[kind] > 1 ? "each is" : "it is", dcnn_kind_name((dcnn_kind_id)kind),
                             w->first_unread[kind] ? w->first_unread[kind] : "", w->unread[kind] > 1 ? ", ..." : "",
                             w->unread[kind] > 1 ? "them" : "it");
    if (w->other > 0)
        dcnn_source_tell(w->opening->options, "%s: %s file%s not read, as %s: %s%s", path, dcnn_count(w->other, &count),
                         w->other > 1 ? "s" : "", w->other > 1 ? "they are not images" : "it is not an image",
                         w->first_other ? w->first_other : "", w->other > 1 ? ", ..." : "");
}

static dcnn_status open_class(walk *w, const char *path, const char *name) {
    const int64_t before = w->source->count;
    w->label = (int32_t)w->source->class_names.count;
    DCNN_TRY(gather(w, path));
    if (w->source->count == before)
        dcnn_source_tell(w->opening->options, "%s: holds no images: its class stays empty", path);
    return dcnn_names_add(&w->source->class_names, name, strlen(name));
}

/* The folders in `path` are classes, but for links back to it. */
static dcnn_status open_classes(const dcnn_opening *opening, const char *path, dcnn_role role,
                                const dcnn_names *classes) {
    walk w = {.opening = opening, .source = dcnn_source_add(opening, role, "%s", path)};
    if (!w.source) return DCNN_FAILURE;
    (void)enter(&w, path);
    dcnn_status status = DCNN_OK;
    for (int64_t i = 0; status == DCNN_OK && i < classes->count; i++) {
        char *below;
        if (asprintf(&below, "%s/%s", path, classes->text[i]) < 0)
            return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for its folders' names", path);
        if (!leads_back(&w, below)) status = open_class(&w, below, classes->text[i]);
        free(below);
    }
    dcnn_count_text count, of;
    if (status == DCNN_OK)
        dcnn_source_tell(opening->options, "%s: %s in %s class folder%s%s", path,
                         dcnn_count_images(w.source->count, &count), dcnn_count(w.source->class_names.count, &of),
                         w.source->class_names.count == 1 ? "" : "s", dcnn_role_text(role));
    if (status == DCNN_OK) tell_left(&w, path);
    if (status == DCNN_OK && w.source->count == 0)
        status =
            DCNN_FAIL(DCNN_BAD_INPUT, "%s: none of its folders holds an image (PNG, JPEG, BMP, PGM, PPM, WebP)", path);
    free(w.first_other);
    for (int kind = 0; kind < DCNN_KIND_COUNT; kind++) free(w.first_unread[kind]);
    return status;
}

static dcnn_status open_level(const dcnn_opening *opening, const char *path, dcnn_role role, int depth);

/* Are these folders splits? At least training, and one more, or nothing but splits. */
static bool are_splits(const dcnn_names *folders) {
    int64_t known = 0;
    bool train = false;
    for (int64_t i = 0; i < folders->count; i++) {
        dcnn_role role;
        if (!dcnn_role_of(folders->text[i], &role)) continue;
        known++;
        train = train || role == DCNN_ROLE_POOL;
    }
    return train && (known >= 2 || known == folders->count);
}

/* Competitions give a test folder whose images have no classes: it is for `dcnn predict`. */
static dcnn_status leave_flat(const dcnn_opening *opening, const char *path, bool *flat) {
    dcnn_names folders = {0}, files = {0};
    dcnn_count_text count;
    const dcnn_status status = list(path, &folders, &files);
    *flat = status == DCNN_OK && folders.count == 0 && files.count > 0;
    if (*flat)
        dcnn_source_tell(opening->options,
                         "%s: left unread, for its %s file%s in no class folders; `dcnn predict` labels such images",
                         path, dcnn_count(files.count, &count), files.count == 1 ? " lies" : "s lie");
    dcnn_names_free(&folders);
    dcnn_names_free(&files);
    return status;
}

static dcnn_status open_splits(const dcnn_opening *opening, const char *path, const dcnn_names *folders, int depth) {
    for (int64_t i = 0; i < folders->count; i++) {
        dcnn_role role;
        char *below;
        if (!dcnn_role_of(folders->text[i], &role)) {
            dcnn_source_tell(opening->options, "%s/%s: not read, because it is not a split like the others", path,
                             folders->text[i]);
            continue;
        }
        if (opening->given != DCNN_ROLE_POOL && role != opening->given) continue;
        if (asprintf(&below, "%s/%s", path, folders->text[i]) < 0)
            return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for its folders' names", path);
        bool flat = false;
        dcnn_status status =
            role == DCNN_ROLE_TEST && opening->given == DCNN_ROLE_POOL ? leave_flat(opening, below, &flat) : DCNN_OK;
        if (status == DCNN_OK && !flat) status = open_level(opening, below, role, depth + 1);
        free(below);
        DCNN_TRY(status);
    }
    return DCNN_OK;
}

static dcnn_status refuse_flat(const char *path, const dcnn_names *files) {
    int64_t images = 0;
    for (int64_t i = 0; i < files->count; i++) images += dcnn_name_is_image(files->text[i]);
    if (images == 0)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "%s: holds neither class folders of images nor IDX files (train-images-idx3-ubyte, ...); "
                         "name its files instead, if they are tables or arrays",
                         path);
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "%s: its %lld images are not in class folders, so their classes are not known; move them into one "
                     "folder for each class, or give a list of lines path,label",
                     path, (long long)images);
}

/* Class folders, splits, or one folder that holds these. */
static dcnn_status open_level(const dcnn_opening *opening, const char *path, dcnn_role role, int depth) {
    dcnn_names folders = {0}, files = {0};
    dcnn_status status = list(path, &folders, &files);
    if (status != DCNN_OK) goto done;
    if (folders.count == 0) {
        status = refuse_flat(path, &files);
    } else if (depth < MOST_DEPTH && are_splits(&folders)) {
        status = open_splits(opening, path, &folders, depth);
    } else if (depth < MOST_DEPTH && folders.count == 1 && files.count == 0) {
        char *below;
        if (asprintf(&below, "%s/%s", path, folders.text[0]) < 0) {
            status = DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for its folders' names", path);
            goto done;
        }
        dcnn_names inside = {0}, images = {0};
        status = list(below, &inside, &images);
        if (status == DCNN_OK)
            status = inside.count > 0 ? open_level(opening, below, role, depth + 1)
                                      : open_classes(opening, path, role, &folders);
        dcnn_names_free(&inside);
        dcnn_names_free(&images);
        free(below);
    } else {
        dcnn_count_text count;
        if (files.count > 0)
            dcnn_source_tell(opening->options, "%s: %s file%s beside the class folders not read: %s%s", path,
                             dcnn_count(files.count, &count), files.count > 1 ? "s" : "", files.text[0],
                             files.count > 1 ? ", ..." : "");
        status = open_classes(opening, path, role, &folders);
    }
done:
    dcnn_names_free(&folders);
    dcnn_names_free(&files);
    return status;
}

dcnn_status dcnn_folder_only(const char *path, char **only) {
    dcnn_names folders = {0}, files = {0};
    dcnn_status status = list(path, &folders, &files);
    *only = NULL;
    if (status == DCNN_OK && folders.count == 1 && files.count == 0 &&
        asprintf(only, "%s/%s", path, folders.text[0]) < 0) {
        *only = NULL;
        status = DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for its folders' names", path);
    }
    dcnn_names_free(&folders);
    dcnn_names_free(&files);
    return status;
}

dcnn_status dcnn_folder_open(const dcnn_opening *opening, const char *path) {
    char *plain = strdup(path);
    if (!plain) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", path);
    for (size_t n = strlen(plain); n > 1 && plain[n - 1] == '/'; n--) plain[n - 1] = '\0';
    const int before = opening->to->count;
    dcnn_status status = dcnn_source_note(opening, plain);
    if (status == DCNN_OK) status = open_level(opening, plain, opening->given, 0);
    if (status == DCNN_OK && opening->to->count == before)
        status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: has splits, but none for this purpose", path);
    free(plain);
    return status;
}
