/* SPDX-License-Identifier: BSD-3-Clause */
/* loader.c — see loader.h. */
#include "run/data/loader.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/text.h"
#include "io/dataset/pixels.h"
#include "run/data/prefetch.h"
#include "guard/free_memory.h"
#include "model/input.h"
#include "sources/images/image.h"

/* Held: what takes at most this part of memory (packed chunks are slow to stream), and of /dev/shm, which the weights
 * need too. */
enum { MEMORY_PART = 4, PACKED_PART = 2, SHARED_PART = 2, READ_BYTES = 4 << 20 };
static const uint64_t STREAM_BYTES = (uint64_t)256 << 20;

/* Memory for some images, lent to one thread at a time. */
typedef struct buffer {
    struct buffer *next;
    size_t bytes;
    uint8_t images[];
} buffer;

struct dcnn_stream {
    const char *path;
    dcnn_pixels *pixels;
    dcnn_prefetch *prefetch; /* or NULL */
    size_t cache_bytes;      /* of this rank, for the ring */
    bool bytes_are_given;    /* by the user */
    pthread_mutex_t lock;
    buffer *buffers; /* those that nobody has */
};

static size_t image_bytes(const dcnn_loader *l) {
    return (size_t)l->h * (size_t)l->w * (size_t)l->c;
}

/* --- what is wanted, and whether memory holds it ------------------------------------------------------------------ */

/* Marks the rows that a split names. @return how many */
static int64_t mark_rows(const dcnn_dataset *d, const dcnn_split *only, uint8_t *wanted) {
    int64_t count = 0;
    for (int i = 0; i < d->split_count; i++)
        for (int64_t j = 0; (!only || only == &d->splits[i]) && j < d->splits[i].count; j++)
            wanted[d->splits[i].rows[j]] = 1;
    for (int64_t row = 0; row < d->count; row++) count += wanted[row];
    return count;
}

/* How a node is to come by its images. */
typedef struct choice {
    uint64_t need; /* bytes of all that are wanted */
    uint64_t cache_bytes;
    bool held;
    dcnn_free_memory room;
} choice;

/* Can HDF5 alone read them? Then all at once or not at all. */
static dcnn_status check_held(const dcnn_dataset *d, const choice *c) {
    char need[32], left[32];
    if (c->need <= c->room.bytes / 10 * 9) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "%s: its images need %s of memory and %s leaves %s; they cannot be streamed as they are stored "
                     "(in pieces of images, or by a filter other than gzip): h5repack -f images:NONE -l images:CONTI "
                     "writes a file that can",
                     d->path, dcnn_bytes_text(c->need, need), c->room.bound_by, dcnn_bytes_text(c->room.bytes, left));
}

/* Every rank says what it sees; images are held if all agree. *Collective.* */
static dcnn_status choose(dcnn_comm *comm, const dcnn_dataset *d, const dcnn_pixels *pixels, uint64_t need,
                          int64_t cache_bytes, choice *c) {
    const uint64_t copies = dcnn_comm_is_elastic(comm) ? (uint64_t)dcnn_comm_node_size(comm) : 1;
    const bool shares = dcnn_comm_node_size(comm) > 1 && copies == 1;
    *c = (choice){.need = need * copies, .room = dcnn_free_memory_of_process("")};
    const uint64_t part = dcnn_pixels_chunk_bytes(pixels) > 0 ? PACKED_PART : MEMORY_PART;
    const uint64_t most = cache_bytes > 0 ? (uint64_t)cache_bytes : c->room.bytes / part;
    int64_t against =
        c->need > most || c->need > c->room.bytes || (shares && need > dcnn_free_shared_memory().bytes / SHARED_PART);
    dcnn_comm_add_integers(comm, &against, 1);
    c->held = against == 0 || !dcnn_pixels_are_rows(pixels);
    c->cache_bytes = cache_bytes > 0                              ? (uint64_t)cache_bytes
                     : STREAM_BYTES < c->room.bytes / MEMORY_PART ? STREAM_BYTES
                                                                  : c->room.bytes / MEMORY_PART;
    const dcnn_status status = c->held && against > 0 ? check_held(d, c) : DCNN_OK;
    return dcnn_comm_agree(comm, status);
}

/* --- memory that the ranks of a node share ------------------------------------------------------------------------ */

typedef struct parts {
    uint8_t *pixels;
    int64_t *places, *variant_places;
    int32_t *labels;
    float *targets;
    uint8_t *marks;
} parts;

/* How many of each; 0: none. */
typedef struct part_sizes {
    size_t pixels, marks; /* bytes */
    int64_t places, variant_places, labels, targets;
} part_sizes;

static void carve(dcnn_arena *arena, const part_sizes *sizes, parts *p) {
    p->pixels = dcnn_arena_take(arena, sizes->pixels);
    p->places = dcnn_arena_take(arena, (size_t)sizes->places * sizeof *p->places);
    p->variant_places = dcnn_arena_take(arena, (size_t)sizes->variant_places * sizeof *p->variant_places);
    p->labels = dcnn_arena_take(arena, (size_t)sizes->labels * sizeof *p->labels);
    p->targets = dcnn_arena_take(arena, (size_t)sizes->targets * sizeof *p->targets);
    p->marks = dcnn_arena_take(arena, sizes->marks);
}

static dcnn_status share(dcnn_comm *comm, dcnn_loader *l, const part_sizes *sizes, parts *p, bool *writer) {
    dcnn_arena arena = {0};
    carve(&arena, sizes, p);
    void *block;
    dcnn_status status = dcnn_comm_share(comm, arena.used, &block, writer);
    if (status != DCNN_OK) status = dcnn_comm_share_nothing(comm, arena.used, &block, writer);
    DCNN_TRY(status);
    arena = (dcnn_arena){.base = block};
    carve(&arena, sizes, p);
    l->shared = block;
    l->pixels = sizes->pixels > 0 ? p->pixels : NULL;
    l->places = sizes->places > 0 ? p->places : NULL;
    l->labels = sizes->labels > 0 ? p->labels : NULL;
    l->targets = sizes->targets > 0 ? p->targets : NULL;
    return DCNN_OK;
}

/* What goes with the images of a data set: labels, numbers to predict, or both. */
static part_sizes answer_sizes(const dcnn_dataset *d) {
    return (part_sizes){.labels = d->has_labels ? d->count : 0, .targets = d->count * d->target_width};
}

static dcnn_status read_answers(const dcnn_dataset *d, const parts *p) {
    if (d->has_labels) DCNN_TRY(dcnn_dataset_read_labels(d, p->labels));
    return d->target_width > 0 ? dcnn_dataset_read_targets(d, p->targets) : DCNN_OK;
}

/* --- images of another size --------------------------------------------------------------------------------------- */

static bool is_as_it_is(dcnn_shape shape, int h, int w, int c) {
    return shape.rank == 0 || (shape.h == h && shape.w == w && shape.c == c);
}

dcnn_status dcnn_loader_can_fit(dcnn_shape shape, const char *model, int h, int w, int c, const char *data) {
    if (is_as_it_is(shape, h, w, c) || (shape.rank == 3 && (shape.c == 1 || shape.c == 3) && (c == 1 || c == 3)))
        return DCNN_OK;
    char text[48];
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s takes images of shape %s, but those of %s have shape (%d, %d, %d)", model,
                     dcnn_shape_text(shape, text), data, h, w, c);
}

/* Brings images of the data set, one behind the other, to the loader's shape. */
static dcnn_status fit_images(const dcnn_dataset *d, const dcnn_loader *l, int64_t n, const uint8_t *from,
                              uint8_t *to) {
    static const uint8_t black[3];
    const size_t bytes = (size_t)d->h * (size_t)d->w * (size_t)d->c;
    dcnn_status status = DCNN_OK;
    for (int64_t i = 0; i < n && status == DCNN_OK; i++, from += bytes, to += image_bytes(l)) {
        dcnn_image image = {.h = d->h, .w = d->w, .c = d->c, .pixels = malloc(bytes)};
        if (image.pixels == NULL) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for an image", d->path);
        memcpy(image.pixels, from, bytes);
        status = dcnn_image_channels(d->path, &image, &(dcnn_image_options){.channels = l->c});
        if (status == DCNN_OK) status = dcnn_image_fit(&image, l->h, l->w, DCNN_FIT_CROP, black);
        if (status == DCNN_OK) memcpy(to, image.pixels, image_bytes(l));
        dcnn_image_free(&image);
    }
    return status;
}

/* Some rows into their place, through `aside` [n images of the data set] if they are of another size. */
static dcnn_status read_run(const dcnn_dataset *d, const dcnn_loader *l, dcnn_pixels *pixels, int64_t row, int64_t n,
                            uint8_t *aside, uint8_t *to) {
    DCNN_TRY(dcnn_pixels_read(pixels, row, n, aside ? aside : to));
    return aside ? fit_images(d, l, n, aside, to) : DCNN_OK;
}

/* Reads the wanted rows one behind the other, in runs that end with a block's checksum. */
static dcnn_status read_wanted(const dcnn_dataset *d, const dcnn_loader *l, dcnn_pixels *pixels, const uint8_t *wanted,
                               const parts *p, bool with_places) {
    const size_t bytes = (size_t)d->h * (size_t)d->w * (size_t)d->c;
    int64_t most = (int64_t)(READ_BYTES / bytes), place = 0;
    if (most < 1) most = 1;
    if (d->block_rows > 0) most = (most + d->block_rows - 1) / d->block_rows * d->block_rows;
    const bool fits = d->h == l->h && d->w == l->w && d->c == l->c;
    if (fits && !dcnn_pixels_are_rows(pixels)) most = d->count; /* nothing is laid aside: each block is unpacked once */
    uint8_t *aside = fits ? NULL : malloc((size_t)most * bytes);
    if (!fits && aside == NULL) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for its images", d->path);
    dcnn_status status = DCNN_OK;
    for (int64_t row = 0, end; row < d->count && status == DCNN_OK; row = end) {
        const int64_t stop = row / most * most + most < d->count ? row / most * most + most : d->count;
        for (end = row + 1; end < stop && wanted[end] == wanted[row];) end++;
        if (with_places)
            for (int64_t i = row; i < end; i++) p->places[i] = wanted[row] ? place + i - row : -1;
        if (!wanted[row]) continue;
        status = read_run(d, l, pixels, row, end - row, aside, p->pixels + (size_t)place * image_bytes(l));
        place += end - row;
    }
    free(aside);
    return status;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

dcnn_status dcnn_dataset_open_together(dcnn_comm *comm, const char *path, dcnn_dataset *dataset) {
    const bool checks = dcnn_comm_node_rank(comm) == 0;
    *dataset = (dcnn_dataset){0};
    DCNN_TRY(dcnn_comm_agree(comm, checks ? dcnn_dataset_open(path, dataset) : DCNN_OK));
    dcnn_status status = checks ? DCNN_OK : dcnn_dataset_reopen(path, dataset);
    if (status == DCNN_OK && dcnn_comm_rank(comm) == 0) status = dcnn_dataset_identify(dataset);
    DCNN_TRY(dcnn_comm_agree(comm, status));
    uint64_t checksum = dataset->checksum;
    dcnn_comm_broadcast(comm, &checksum, sizeof checksum);
    if (dataset->sealed && checksum != dataset->checksum)
        status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: is not the same file on every node", path);
    dataset->checksum = checksum;
    return dcnn_comm_agree(comm, status);
}

static dcnn_status open_held(dcnn_comm *comm, const dcnn_dataset *d, dcnn_pixels *pixels, const uint8_t *wanted,
                             int64_t wanted_count, dcnn_loader *l) {
    const bool with_places = wanted_count < d->count;
    parts p;
    bool writer;
    part_sizes sizes = answer_sizes(d);
    sizes.pixels = (size_t)wanted_count * image_bytes(l);
    sizes.places = with_places ? d->count : 0;
    DCNN_TRY(share(comm, l, &sizes, &p, &writer));
    dcnn_status status = DCNN_OK;
    if (writer) status = read_wanted(d, l, pixels, wanted, &p, with_places);
    if (writer && status == DCNN_OK) status = read_answers(d, &p);
    dcnn_comm_share_done(comm, l->shared);
    return dcnn_comm_agree(comm, status);
}

static dcnn_status open_streamed(dcnn_comm *comm, const dcnn_dataset *d, dcnn_pixels *pixels, dcnn_loader *l) {
    parts p;
    bool writer;
    part_sizes sizes = answer_sizes(d);
    sizes.marks = dcnn_pixels_marks(pixels);
    DCNN_TRY(share(comm, l, &sizes, &p, &writer));
    if (writer) memset(p.marks, 0, dcnn_pixels_marks(pixels));
    dcnn_status status = writer ? read_answers(d, &p) : DCNN_OK;
    dcnn_comm_share_done(comm, l->shared);
    dcnn_pixels_place_marks(pixels, p.marks);
    return dcnn_comm_agree(comm, status);
}

static dcnn_status make_stream(const dcnn_comm *comm, const dcnn_dataset *d, const choice *c, bool given,
                               dcnn_loader *l) {
    l->stream = calloc(1, sizeof *l->stream);
    if (!l->stream) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a stream of images");
    l->stream->path = d->path;
    l->stream->bytes_are_given = given;
    l->stream->cache_bytes = (size_t)c->cache_bytes / (size_t)dcnn_comm_node_size(comm);
    pthread_mutex_init(&l->stream->lock, NULL);
    return DCNN_OK;
}

static void tell_stream(const dcnn_dataset *d, const dcnn_pixels *pixels, const choice *c) {
    char need[32], cache[32], left[32];
    dcnn_info("data  %s of images are streamed from %s through %s of memory a node (%s leaves %s)",
              dcnn_bytes_text(c->need, need), d->path, dcnn_bytes_text(c->cache_bytes, cache), c->room.bound_by,
              dcnn_bytes_text(c->room.bytes, left));
    if (dcnn_pixels_chunk_bytes(pixels) > 0)
        dcnn_warn(
            "%s is compressed: almost every image costs the decompression of a whole chunk; h5repack -f images:NONE "
            "-l images:CONTI writes a file that streams fast",
            d->path);
}

void dcnn_loader_warn_of_changes(const dcnn_loader *loader) {
    if (loader->stream && loader->stream->pixels && dcnn_pixels_have_changed(loader->stream->pixels))
        dcnn_warn("%s was written to while its images are streamed, so not every epoch may have seen the same ones: "
                  "dcnn info checks it; begin again (--overwrite) if it is another file now",
                  loader->stream->path);
}

/* Half of the memory is for unpacked chunks, where chunks are packed. */
static dcnn_status open_pixels(const dcnn_comm *comm, const dcnn_dataset *d, int64_t cache_bytes,
                               dcnn_pixels **pixels) {
    const uint64_t all = cache_bytes > 0 ? (uint64_t)cache_bytes : STREAM_BYTES;
    return dcnn_pixels_open(d, (size_t)all / 2 / (size_t)dcnn_comm_node_size(comm), pixels);
}

/* Only what is held can be of another size. */
static dcnn_status tell_fit(dcnn_comm *comm, const dcnn_dataset *d, const dcnn_loader *l, const choice *c, bool told) {
    char need[32];
    if (!c->held)
        return DCNN_FAIL(
            DCNN_BAD_INPUT,
            "%s has images of %dx%dx%d, and brought to the model's %dx%dx%d they need %s, more than is held "
            "in memory: make a data set of that size, dcnn prepare SOURCE --size %dx%d%s",
            d->path, d->h, d->w, d->c, l->h, l->w, l->c, dcnn_bytes_text(c->need, need), l->h, l->w,
            l->c < d->c ? " --gray" : "");
    if (dcnn_comm_rank(comm) == 0 && !told) dcnn_loader_tell_fit(l, d);
    return DCNN_OK;
}

dcnn_status dcnn_loader_open(dcnn_comm *comm, const dcnn_dataset *dataset, const dcnn_loader_options *options,
                             dcnn_loader *loader) {
    static const dcnn_loader_options usual;
    const dcnn_loader_options *o = options ? options : &usual;
    *loader = (dcnn_loader){.h = dataset->h, .w = dataset->w, .c = dataset->c, .count = dataset->count};
    loader->target_width = dataset->target_width;
    const bool fits = is_as_it_is(o->shape, dataset->h, dataset->w, dataset->c);
    if (!fits) {
        loader->h = o->shape.h;
        loader->w = o->shape.w;
        loader->c = o->shape.c;
    }
    choice c;
    dcnn_pixels *pixels = NULL;
    uint8_t *wanted = calloc((size_t)dataset->count, 1);
    dcnn_status status = wanted ? open_pixels(comm, dataset, o->cache_bytes, &pixels)
                                : DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for its rows", dataset->path);
    DCNN_TRY_DONE(dcnn_comm_agree(comm, status));
    const int64_t wanted_count = mark_rows(dataset, o->split, wanted);
    DCNN_TRY_DONE(choose(comm, dataset, pixels, (uint64_t)wanted_count * image_bytes(loader), o->cache_bytes, &c));
    if (!fits) DCNN_TRY_DONE(tell_fit(comm, dataset, loader, &c, o->told));
    if (c.held) {
        DCNN_TRY_DONE(open_held(comm, dataset, pixels, wanted, wanted_count, loader));
    } else {
        DCNN_TRY_DONE(dcnn_comm_agree(comm, make_stream(comm, dataset, &c, o->cache_bytes > 0, loader)));
        loader->stream->pixels = pixels;
        pixels = NULL;
        DCNN_TRY_DONE(open_streamed(comm, dataset, loader->stream->pixels, loader));
        if (dcnn_comm_rank(comm) == 0) tell_stream(dataset, loader->stream->pixels, &c);
    }
    double mean[DCNN_MAX_CHANNELS], std[DCNN_MAX_CHANNELS];
    dcnn_loader_fit_channels(dataset->c, loader->c, dataset->mean, mean);
    dcnn_loader_fit_channels(dataset->c, loader->c, dataset->std, std);
    dcnn_loader_normalise(loader, mean, std);
done:
    dcnn_pixels_close(pixels);
    free(wanted);
    return status;
}

dcnn_status dcnn_loader_open_images(dcnn_comm *comm, const dcnn_images *images, dcnn_loader *loader) {
    int64_t sizes[5] = {0};
    if (images) {
        const int64_t known[5] = {images->count, images->h, images->w, images->c, images->labels != NULL};
        memcpy(sizes, known, sizeof sizes);
    }
    dcnn_comm_broadcast(comm, sizes, sizeof sizes);
    *loader = (dcnn_loader){.count = sizes[0], .h = (int)sizes[1], .w = (int)sizes[2], .c = (int)sizes[3]};
    const size_t bytes = (size_t)loader->count * image_bytes(loader);
    parts p;
    bool writer;
    const part_sizes parts_of = {.pixels = bytes + 1, .labels = sizes[4] ? loader->count : 0};
    DCNN_TRY(share(comm, loader, &parts_of, &p, &writer));
    if (images) {
        memcpy(p.pixels, images->pixels, bytes);
        if (sizes[4]) memcpy(p.labels, images->labels, (size_t)loader->count * sizeof *p.labels);
    }
    dcnn_comm_share_bytes(comm, loader->shared, p.pixels, bytes);
    if (sizes[4]) dcnn_comm_share_bytes(comm, loader->shared, p.labels, (size_t)loader->count * sizeof *p.labels);
    dcnn_comm_share_done(comm, loader->shared);
    return DCNN_OK;
}

/* The rows that are marked, in order. */
static dcnn_status list_rows(const dcnn_dataset *d, const dcnn_split *only, int64_t **rows, int64_t *count) {
    uint8_t *wanted = calloc((size_t)d->count, 1);
    *rows = calloc((size_t)d->count, sizeof **rows);
    *count = 0;
    if (wanted && *rows) mark_rows(d, only, wanted);
    for (int64_t row = 0; wanted && *rows && row < d->count; row++)
        if (wanted[row]) (*rows)[(*count)++] = row;
    const bool had = wanted && *rows;
    free(wanted);
    return had ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for its rows", d->path);
}

/* What stands beside the features: labels, numbers, and where the features of each row lie. */
static void write_beside(const dcnn_dataset *d, const dcnn_loader *images, const part_sizes *sizes,
                         const dcnn_features *f, const parts *p) {
    if (images->labels) memcpy(p->labels, images->labels, (size_t)sizes->labels * sizeof *p->labels);
    if (images->targets) memcpy(p->targets, images->targets, (size_t)sizes->targets * sizeof *p->targets);
    memset(p->places, 0xff, (size_t)d->count * sizeof *p->places);
    memset(p->variant_places, 0xff, (size_t)sizes->variant_places * sizeof *p->variant_places);
    for (int64_t i = 0; i < f->count; i++) p->places[f->rows[i]] = i;
    for (int64_t i = 0; i < f->train_count; i++) p->variant_places[f->train[i]] = i;
}

dcnn_status dcnn_loader_hold_features(dcnn_comm *comm, const dcnn_dataset *d, const dcnn_loader *images,
                                      dcnn_shape shape, int variants, dcnn_features *f) {
    *f = (dcnn_features){
        .loader = {
            .count = images->count, .h = shape.h, .w = shape.w, .c = shape.c, .target_width = images->target_width}};
    dcnn_status status = list_rows(d, NULL, &f->rows, &f->count);
    if (status == DCNN_OK && variants > 0)
        status = list_rows(d, dcnn_dataset_split(d, "train"), &f->train, &f->train_count);
    DCNN_TRY(dcnn_comm_agree(comm, status));
    parts p;
    bool writer;
    part_sizes sizes = answer_sizes(d);
    sizes.pixels = (size_t)(f->count + variants * f->train_count) * dcnn_shape_count(shape) * sizeof(float);
    sizes.places = d->count;
    sizes.variant_places = variants > 0 ? d->count : 0;
    DCNN_TRY(share(comm, &f->loader, &sizes, &p, &writer));
    f->values = (float *)(void *)p.pixels;
    f->loader.features = f->values;
    f->loader.pixels = NULL;
    f->loader.variants = variants;
    f->loader.variant_first = f->count;
    f->loader.variant_rows = f->train_count;
    f->loader.variant_places = p.variant_places;
    if (writer) write_beside(d, images, &sizes, f, &p);
    return DCNN_OK;
}

void dcnn_loader_features_done(dcnn_comm *comm, dcnn_features *f) {
    dcnn_comm_share_bytes(comm, f->loader.shared, f->values,
                          (size_t)(f->count + f->loader.variants * f->train_count) * image_bytes(&f->loader) *
                              sizeof(float));
    dcnn_comm_share_done(comm, f->loader.shared);
}

void dcnn_loader_close(dcnn_comm *comm, dcnn_loader *loader) {
    dcnn_stream *s = loader->stream;
    if (s) {
        dcnn_prefetch_free(s->prefetch);
        dcnn_pixels_close(s->pixels);
        for (buffer *b = s->buffers, *next; b; b = next) {
            next = b->next;
            free(b);
        }
        pthread_mutex_destroy(&s->lock);
        free(s);
    }
    dcnn_comm_unshare(comm, loader->shared);
    *loader = (dcnn_loader){0};
}

/* --- streaming ---------------------------------------------------------------------------------------------------- */

dcnn_status dcnn_loader_read_ahead(dcnn_comm *comm, dcnn_loader *loader, const dcnn_sampler *sampler, int grain,
                                   int64_t epochs) {
    dcnn_stream *s = loader->stream;
    if (!s) return DCNN_OK;
    const size_t packed = dcnn_pixels_chunk_bytes(s->pixels) ? 2 : 1; /* chunks have the other half */
    const dcnn_prefetch_options options = {comm, s->pixels, sampler, grain, epochs, image_bytes(loader)};
    const size_t least = dcnn_prefetch_least_bytes(&options);
    const uint64_t node_least = (uint64_t)least * packed * (uint64_t)dcnn_comm_node_size(comm);
    const dcnn_free_memory room = dcnn_free_memory_of_process("");
    char text[32], left[32];
    dcnn_status status = DCNN_OK;
    size_t bytes = s->cache_bytes / packed;
    if (bytes < least && s->bytes_are_given)
        status = DCNN_FAIL(DCNN_USAGE,
                           "--cache-memory: two batches of %s need %s on this node: give it that much, or train with "
                           "smaller batches",
                           s->path, dcnn_bytes_text(node_least, text));
    else if (bytes < least && node_least > room.bytes)
        status =
            DCNN_FAIL(DCNN_BAD_INPUT, "%s: two batches need %s and %s leaves %s: train with smaller batches", s->path,
                      dcnn_bytes_text(node_least, text), room.bound_by, dcnn_bytes_text(room.bytes, left));
    if (bytes < least) bytes = least;
    if (status == DCNN_OK) status = dcnn_prefetch_create(&options, bytes, &s->prefetch);
    return dcnn_comm_agree(comm, status);
}

double dcnn_loader_stall_s(const dcnn_loader *loader) {
    return loader->stream && loader->stream->prefetch ? dcnn_prefetch_stall_s(loader->stream->prefetch) : 0.0;
}

/* A buffer that nobody has, or a new one: after a while there is one a thread. */
static buffer *take_buffer(dcnn_stream *s, size_t bytes) {
    pthread_mutex_lock(&s->lock);
    buffer *found = s->buffers;
    if (found) s->buffers = found->next;
    pthread_mutex_unlock(&s->lock);
    if (found && found->bytes >= bytes) return found;
    free(found);
    found = malloc(sizeof *found + bytes);
    if (found) found->bytes = bytes;
    return found;
}

static dcnn_status read_rows(const dcnn_loader *l, const int64_t *numbers, int n, uint8_t *out) {
    for (int i = 0, end; i < n; i = end) {
        const int64_t row = numbers[i] % l->count;
        for (end = i + 1; end < n && numbers[end] % l->count == row + end - i;) end++;
        DCNN_TRY(dcnn_pixels_read(l->stream->pixels, row, end - i, out + (size_t)i * image_bytes(l)));
    }
    return DCNN_OK;
}

/* Streamed images in memory for a moment; `bytes` is NULL where they are held. */
typedef struct loan {
    const uint8_t *bytes; /* [n,h,w,c] */
    buffer *own;
} loan;

/* What was read ahead, else what is read now. */
static dcnn_status borrow(const dcnn_loader *loader, uint32_t epoch, int64_t position, const int64_t *numbers, int n,
                          loan *lent) {
    *lent = (loan){0};
    dcnn_stream *s = loader->stream;
    if (!s) return DCNN_OK;
    if (s->prefetch && position >= 0) DCNN_TRY(dcnn_prefetch_take(s->prefetch, epoch, position, n, &lent->bytes));
    if (lent->bytes) return DCNN_OK;
    lent->own = take_buffer(s, (size_t)n * image_bytes(loader));
    if (!lent->own) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for %d images", s->path, n);
    lent->bytes = lent->own->images;
    return read_rows(loader, numbers, n, lent->own->images);
}

static void give_back(const dcnn_loader *loader, const loan *lent) {
    dcnn_stream *s = loader->stream;
    if (!lent->own) return;
    pthread_mutex_lock(&s->lock);
    lent->own->next = s->buffers;
    s->buffers = lent->own;
    pthread_mutex_unlock(&s->lock);
}

void dcnn_loader_expect(const dcnn_loader *loader, const int64_t *rows, int64_t n) {
    for (int64_t i = 0; loader->stream && i < n; i++) dcnn_pixels_expect(loader->stream->pixels, rows[i], 1);
}

/* --- floats ------------------------------------------------------------------------------------------------------- */

void dcnn_loader_normalise(dcnn_loader *loader, const double *mean, const double *std) {
    dcnn_input_scale(loader->c, mean, std, loader->scale, loader->shift);
}

static const uint8_t *find_image(const dcnn_loader *l, const loan *lent, int64_t row, int i) {
    if (lent->bytes) return lent->bytes + (size_t)i * image_bytes(l);
    return l->pixels + (size_t)(l->places ? l->places[row] : row) * image_bytes(l);
}

/* Where the features of a sample lie: as it is, or as it is changed in this epoch. */
static size_t find_features(const dcnn_loader *l, bool changed, uint32_t epoch, int64_t number) {
    const int64_t row = number % l->count;
    if (!changed || l->variants == 0) return (size_t)l->places[row];
    const int64_t variant = ((int64_t)epoch + number / l->count) % l->variants;
    return (size_t)(l->variant_first + variant * l->variant_rows + l->variant_places[row]);
}

dcnn_status dcnn_loader_fill(const dcnn_loader *loader, const dcnn_kernels *kernels, const dcnn_augment *augment,
                             uint64_t seed, uint32_t epoch, int64_t position, void *scratch, const int64_t *numbers,
                             int n, float *x, int32_t *labels) {
    static const float blank[DCNN_MAX_CHANNELS] = {0}; /* the training images' mean */
    const dcnn_augment_form form = {loader->h, loader->w, loader->c, loader->scale, loader->shift, blank};
    const size_t pixels = (size_t)loader->h * (size_t)loader->w, values = pixels * (size_t)loader->c;
    loan lent;
    if (loader->features) {
        for (int i = 0; i < n; i++) {
            memcpy(x + (size_t)i * values,
                   loader->features + find_features(loader, augment != NULL, epoch, numbers[i]) * values,
                   values * sizeof(float));
            if (labels) labels[i] = loader->labels[numbers[i] % loader->count];
        }
        return DCNN_OK;
    }
    const dcnn_status status = borrow(loader, epoch, position, numbers, n, &lent);
    for (int i = 0; status == DCNN_OK && i < n; i++) {
        const int64_t row = numbers[i] % loader->count;
        const uint8_t *bytes = find_image(loader, &lent, row, i);
        float *out = x + (size_t)i * values;
        if (augment) {
            const dcnn_augment_key key = {seed, epoch, numbers[i]};
            dcnn_augment_image(augment, kernels, &key, &form, bytes, scratch, out);
        } else {
            kernels->normalise(pixels, loader->c, bytes, loader->scale, loader->shift, out);
        }
        if (loader->blue_first) dcnn_input_turn(pixels, out);
        if (labels) labels[i] = loader->labels[row];
    }
    give_back(loader, &lent);
    return status;
}

void dcnn_loader_targets(const dcnn_loader *loader, const int64_t *numbers, int n, float *targets) {
    const int64_t width = loader->target_width;
    for (int i = 0; i < n; i++)
        memcpy(targets + i * width, loader->targets + numbers[i] % loader->count * width,
               (size_t)width * sizeof *targets);
}
