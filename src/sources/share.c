/* SPDX-License-Identifier: BSD-3-Clause */
/* share.c — see share.h. */
#include "sources/share.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What all need to know of a block; count 0: there is none. */
typedef struct header {
    dcnn_image_options image;
    int64_t count;
    uint64_t name_bytes; /* of the files' names, each with its NUL */
} header;

/* What one process makes of its images: every ranks-th, from `rank` on. */
typedef struct part {
    header about;
    int rank, ranks, threads;
    char **files; /* [count] */
    int64_t count;
    size_t size;          /* of an image */
    uint8_t *pixels;      /* [count,size] */
    char **why;           /* [count] */
    atomic_bool is_short; /* of memory: a text is missing in `why` */
} part;

static int64_t part_count(int64_t count, int rank, int ranks) {
    return (count - rank + ranks - 1) / ranks;
}

static void decode(void *argument, int worker) {
    part *p = argument;
    for (int64_t i = worker; i < p->count; i += p->threads) {
        dcnn_image image = {0};
        p->why[i] = NULL;
        const dcnn_status status = dcnn_image_read(p->files[p->rank + i * p->ranks], &p->about.image, NULL, &image);
        if (status == DCNN_OK)
            memcpy(p->pixels + (size_t)i * p->size, image.pixels, p->size);
        else if (!(p->why[i] = strdup(dcnn_error())) || status == DCNN_FAILURE)
            p->is_short = true; /* nothing is wrong with the image */
        dcnn_image_free(&image);
    }
}

static void share(const dcnn_helpers *h, int root, void *bytes, size_t length) {
    h->broadcast(h->context, root, bytes, length);
}

/* Texts of what failed, each with its NUL, "" where nothing did. @return malloc'd, or NULL */
static char *join(char *const *texts, int64_t count, uint64_t *length) {
    char *joined = NULL;
    size_t room;
    FILE *to = open_memstream(&joined, &room);
    for (int64_t i = 0; to && i < count; i++) {
        if (texts[i]) fputs(texts[i], to);
        fputc('\0', to);
    }
    if (to && fclose(to) != 0) {
        free(joined);
        joined = NULL;
    }
    *length = joined ? room : 0;
    return joined;
}

static dcnn_status make_part(const header *about, const dcnn_helpers *h, int threads, part *p) {
    const dcnn_image_options *o = &about->image;
    *p = (part){.about = *about,
                .rank = h->rank,
                .ranks = h->ranks,
                .threads = threads,
                .count = part_count(about->count, h->rank, h->ranks),
                .size = (size_t)o->h * (size_t)o->w * (size_t)o->channels};
    const size_t most = (size_t)part_count(about->count, 0, h->ranks) + 1;
    p->pixels = calloc(most, p->size);
    p->why = calloc(most, sizeof *p->why);
    return p->pixels && p->why ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory for a block of images");
}

static void free_part(part *p) {
    for (int64_t i = 0; p->why && i < p->count; i++) free(p->why[i]);
    free(p->pixels);
    free(p->why);
}

static dcnn_status no_memory(const char *what) {
    return DCNN_FAIL(DCNN_FAILURE, "out of memory for %s", what);
}

/* They go on together, or none does. */
static dcnn_status agree(const dcnn_helpers *h, dcnn_status status) {
    return h->agree(h->context, status);
}

/* One process' images and texts, to all. Rank 0 puts them in their places; where it has no memory for a text, `placed`
 * says so, and the rest goes on. */
static dcnn_status pass(const dcnn_helpers *h, int root, part *own, const dcnn_shared_block *block,
                        dcnn_status *placed) {
    const int64_t count = part_count(own->about.count, root, h->ranks);
    uint64_t length = 0;
    char *texts = h->rank == root ? join(own->why, count, &length) : NULL;
    share(h, root, own->pixels, (size_t)count * own->size);
    share(h, root, &length, sizeof length);
    if (h->rank != root) texts = malloc(length + 1);
    const dcnn_status status = agree(h, texts ? DCNN_OK : no_memory("what is wrong with images"));
    if (status == DCNN_OK) share(h, root, texts, length);
    const char *text = texts;
    for (int64_t i = 0; status == DCNN_OK && block && i < count; i++, text += strlen(text) + 1) {
        const int64_t place = root + i * h->ranks;
        memcpy(block->pixels + (size_t)place * own->size, own->pixels + (size_t)i * own->size, own->size);
        block->why[place] = *text ? strdup(text) : NULL;
        if (*text && !block->why[place]) *placed = no_memory("what is wrong with images");
    }
    free(texts);
    return status;
}

/* The images of rank 0 stand in its block by then; a helper's own are sent before another's take their room. */
static dcnn_status pass_all(const dcnn_helpers *h, part *own, const dcnn_shared_block *block) {
    uint8_t *mine = own->pixels, *theirs = calloc((size_t)part_count(own->about.count, 0, h->ranks) + 1, own->size);
    dcnn_status placed = DCNN_OK, status = agree(h, theirs ? DCNN_OK : no_memory("a block of images"));
    for (int root = 0; root < h->ranks && status == DCNN_OK; root++) {
        own->pixels = root == h->rank ? mine : theirs;
        status = pass(h, root, own, block, &placed);
    }
    own->pixels = mine;
    free(theirs);
    return status == DCNN_OK ? agree(h, placed) : status;
}

static dcnn_status work(const dcnn_helpers *h, dcnn_thread_pool *pool, const header *about, char **files,
                        const dcnn_shared_block *block) {
    part own;
    dcnn_status status = agree(h, make_part(about, h, dcnn_thread_pool_size(pool), &own));
    own.files = files;
    if (status == DCNN_OK) {
        dcnn_thread_pool_run(pool, decode, &own);
        status = agree(h, own.is_short ? no_memory("images") : DCNN_OK);
    }
    if (status == DCNN_OK) status = pass_all(h, &own, block);
    free_part(&own);
    return status;
}

dcnn_status dcnn_share_read(const dcnn_helpers *h, dcnn_thread_pool *pool, const dcnn_shared_block *block) {
    header about = {.image = *block->image, .count = block->count};
    char *names = join(block->files, block->count, &about.name_bytes);
    if (!names) return no_memory("the names of images"); /* the others wait for a block, or the end */
    share(h, 0, &about, sizeof about);
    const dcnn_status status = agree(h, DCNN_OK);
    if (status == DCNN_OK) share(h, 0, names, about.name_bytes);
    free(names);
    DCNN_TRY(status);
    return work(h, pool, &about, (char **)(uintptr_t)block->files, block);
}

void dcnn_share_end(const dcnn_helpers *h) {
    header none;
    memset(&none, 0, sizeof none);
    share(h, 0, &none, sizeof none);
}

dcnn_status dcnn_share_help(const dcnn_helpers *h, dcnn_thread_pool *pool) {
    dcnn_status worst = DCNN_OK;
    for (;;) {
        header about;
        share(h, 0, &about, sizeof about);
        if (about.count == 0) return worst;
        char *names = malloc(about.name_bytes + 1);
        char **files = calloc((size_t)about.count + 1, sizeof *files);
        dcnn_status status = agree(h, names && files ? DCNN_OK : no_memory("the names of images"));
        if (status == DCNN_OK) {
            share(h, 0, names, about.name_bytes);
            char *name = names;
            for (int64_t i = 0; i < about.count; i++, name += strlen(name) + 1) files[i] = name;
            status = work(h, pool, &about, files, NULL);
        }
        if (status != DCNN_OK) worst = status;
        free(files);
        free(names);
    }
}
