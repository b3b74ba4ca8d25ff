/* SPDX-License-Identifier: BSD-3-Clause */
/* prefetch.c — see prefetch.h. */
#include "run/data/prefetch.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { MOST_BATCHES = 64 };

/* Where a batch begins. */
typedef struct place {
    uint32_t epoch;
    int64_t cursor;
} place;

/* A batch of the ring: this rank's part of it. */
typedef struct batch {
    place at;
    int64_t first, count; /* positions in the epoch */
    uint8_t *bytes;
    dcnn_status status;
    char failure[512];
} batch;

struct dcnn_prefetch {
    dcnn_prefetch_options of;
    int64_t window; /* the number of the one whose successor is expected, -1: none yet; the thread's */
    int64_t told;   /* its successor's chunks that the system has been told of */
    uint8_t *memory;
    pthread_t thread;
    bool has_thread;
    /* guarded by the lock */
    pthread_mutex_t lock;
    pthread_cond_t filled, emptied;
    batch ring[MOST_BATCHES];
    int depth, oldest, used;
    place next;       /* the batch to be read, or being read */
    unsigned restart; /* counts jumps: what was read meanwhile is dropped */
    bool stop;
    double stall_s;
};

/* --- which ------------------------------------------------------------------------------------------------------ */

/* This rank's positions of the batch that begins there. */
static void find_share(const dcnn_prefetch_options *o, place at, int64_t *first, int64_t *count) {
    const int64_t size = dcnn_sampler_batch(o->sampler, at.cursor);
    const dcnn_shares shares = dcnn_comm_shares(o->comm, (size + o->grain - 1) / o->grain);
    const int64_t begin = shares.first * o->grain, end = begin + shares.count * o->grain;
    *first = at.cursor + (begin < size ? begin : size);
    *count = at.cursor + (end < size ? end : size) - *first;
}

static place place_of(const dcnn_sampler *s, uint32_t epoch, int64_t position) {
    return (place){epoch, position / s->batch * s->batch};
}

static place after(const dcnn_sampler *s, place at) {
    at.cursor += s->batch;
    return at.cursor < s->count ? at : (place){at.epoch + 1, 0};
}

static bool is_same(place a, place b) {
    return a.epoch == b.epoch && a.cursor == b.cursor;
}

/* The largest share of any batch. */
static int64_t most_images(const dcnn_prefetch_options *o) {
    int64_t first, whole, last;
    find_share(o, (place){0, 0}, &first, &whole);
    find_share(o, (place){0, (o->sampler->count - 1) / o->sampler->batch * o->sampler->batch}, &first, &last);
    return whole > last ? whole : last;
}

size_t dcnn_prefetch_least_bytes(const dcnn_prefetch_options *options) {
    return 2 * (size_t)most_images(options) * options->image_bytes;
}

/* --- reading ---------------------------------------------------------------------------------------------------- */

/* Neighbours of the chunk may belong to other splits: what lies far apart is not read as one. */
static void expect_chunk(const dcnn_prefetch *a, uint32_t epoch, const dcnn_sampler_window *window, int64_t chunk) {
    const dcnn_sampler *s = a->of.sampler;
    int64_t first, count;
    dcnn_sampler_chunk(s, epoch, window, chunk, &first, &count);
    const int64_t begin = dcnn_sampler_find(s, epoch, first),
                  end = dcnn_sampler_find(s, epoch, (first + count - 1) % s->count) + 1;
    if (begin < end && end - begin <= 4 * count) {
        dcnn_pixels_expect(a->of.pixels, begin, end - begin);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        dcnn_pixels_expect(a->of.pixels, dcnn_sampler_find(s, epoch, (first + i) % s->count), 1);
}

/* Tells the system of the next window's chunks, as far as this batch is through its own window; each rank of the node
 * of some. At a beginning, of the present window's too. */
static void expect_window(dcnn_prefetch *a, place at) {
    const dcnn_sampler *s = a->of.sampler;
    const dcnn_sampler_window window = dcnn_sampler_find_window(s, at.cursor);
    const int64_t ranks = dcnn_comm_node_size(a->of.comm), rank = dcnn_comm_node_rank(a->of.comm);
    if (window.number != a->window) {
        for (int64_t chunk = rank; a->window < 0 && chunk < window.chunk_count; chunk += ranks)
            expect_chunk(a, at.epoch, &window, chunk);
        a->window = window.number;
        a->told = 0;
    }
    const bool last = window.first + window.count >= s->count;
    if (last && (int64_t)at.epoch + 1 >= a->of.epochs) return;
    const dcnn_sampler_window next = dcnn_sampler_find_window(s, last ? 0 : window.first + window.count);
    const int64_t done = at.cursor - window.first + s->batch, all = window.count;
    const int64_t due = done >= all ? next.chunk_count : next.chunk_count * done / all;
    for (; a->told < due; a->told++)
        if (a->told % ranks == rank) expect_chunk(a, at.epoch + last, &next, a->told);
}

/* All samples permuted: of the next batch's rows each by itself. */
static void expect_batch(const dcnn_prefetch *a, place at) {
    int64_t first, count;
    if ((int64_t)at.epoch >= a->of.epochs) return;
    find_share(&a->of, at, &first, &count);
    for (int64_t i = 0; i < count; i++)
        dcnn_pixels_expect(a->of.pixels, dcnn_sampler_row(a->of.sampler, at.epoch, first + i), 1);
}

static void read_batch(dcnn_prefetch *a, batch *b) {
    if (a->of.sampler->chunk_rows > 0)
        expect_window(a, b->at);
    else
        expect_batch(a, after(a->of.sampler, b->at));
    find_share(&a->of, b->at, &b->first, &b->count);
    b->status = DCNN_OK;
    for (int64_t i = 0; i < b->count && b->status == DCNN_OK; i++)
        b->status = dcnn_pixels_read(a->of.pixels, dcnn_sampler_row(a->of.sampler, b->at.epoch, b->first + i), 1,
                                     b->bytes + (size_t)i * a->of.image_bytes);
    if (b->status != DCNN_OK) strncpy(b->failure, dcnn_error(), sizeof b->failure - 1);
}

static void *read_ahead(void *argument) {
    dcnn_prefetch *a = argument;
    pthread_mutex_lock(&a->lock);
    while (!a->stop) {
        if (a->used == a->depth || (int64_t)a->next.epoch >= a->of.epochs) {
            pthread_cond_wait(&a->emptied, &a->lock);
            continue;
        }
        batch *b = &a->ring[(a->oldest + a->used) % a->depth];
        const unsigned restart = a->restart;
        b->at = a->next;
        pthread_mutex_unlock(&a->lock);
        read_batch(a, b);
        pthread_mutex_lock(&a->lock);
        if (restart != a->restart) {
            a->window = -1;
            continue;
        }
        a->used++;
        a->next = after(a->of.sampler, a->next);
        pthread_cond_broadcast(&a->filled);
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

/* --- taking ----------------------------------------------------------------------------------------------------- */

/* Gives back what stands before that batch. NULL: it is not there yet; the thread is sent to it if it is elsewhere. */
static const batch *find_batch(dcnn_prefetch *a, place at) {
    while (a->used > 0 && !is_same(a->ring[a->oldest].at, at)) {
        a->oldest = (a->oldest + 1) % a->depth;
        a->used--;
        pthread_cond_signal(&a->emptied);
    }
    if (a->used > 0) return &a->ring[a->oldest];
    if (!is_same(a->next, at)) {
        a->next = at;
        a->restart++;
        pthread_cond_signal(&a->emptied);
    }
    return NULL;
}

dcnn_status dcnn_prefetch_take(dcnn_prefetch *a, uint32_t epoch, int64_t first, int64_t n, const uint8_t **bytes) {
    const place at = place_of(a->of.sampler, epoch, first);
    int64_t share_first, share_count;
    *bytes = NULL;
    find_share(&a->of, at, &share_first, &share_count);
    if (first < share_first || first + n > share_first + share_count || (int64_t)epoch >= a->of.epochs) return DCNN_OK;
    pthread_mutex_lock(&a->lock);
    const batch *found = find_batch(a, at);
    if (!found) {
        const double from_s = dcnn_now_s();
        while (!(found = find_batch(a, at))) pthread_cond_wait(&a->filled, &a->lock);
        a->stall_s += dcnn_now_s() - from_s;
    }
    pthread_mutex_unlock(&a->lock);
    if (found->status != DCNN_OK) dcnn_error_set(found->failure);
    *bytes = found->bytes + (size_t)(first - found->first) * a->of.image_bytes;
    return found->status;
}

double dcnn_prefetch_stall_s(dcnn_prefetch *a) {
    pthread_mutex_lock(&a->lock);
    const double stall_s = a->stall_s;
    a->stall_s = 0;
    pthread_mutex_unlock(&a->lock);
    return stall_s;
}

/* --- starting and ending ---------------------------------------------------------------------------------------- */

/* Signals are the other threads' business. */
static bool start_thread(dcnn_prefetch *a) {
    sigset_t every, before;
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &before);
    a->has_thread = pthread_create(&a->thread, NULL, read_ahead, a) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return a->has_thread;
}

dcnn_status dcnn_prefetch_create(const dcnn_prefetch_options *options, size_t bytes, dcnn_prefetch **prefetch) {
    const size_t batch_bytes = (size_t)most_images(options) * options->image_bytes;
    dcnn_prefetch *a = *prefetch = calloc(1, sizeof *a);
    if (!a) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a reader");
    a->of = *options;
    a->window = -1;
    const size_t fit = batch_bytes > 0 ? bytes / batch_bytes : 2;
    a->depth = fit < 2 ? 2 : fit > MOST_BATCHES ? MOST_BATCHES : (int)fit;
    a->memory = malloc((size_t)a->depth * batch_bytes + 1);
    for (int i = 0; a->memory && i < a->depth; i++) a->ring[i].bytes = a->memory + (size_t)i * batch_bytes;
    a->next.epoch = UINT32_MAX; /* until the first batch is asked for */
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->filled, NULL);
    pthread_cond_init(&a->emptied, NULL);
    if (a->memory && start_thread(a)) return DCNN_OK;
    dcnn_status status = a->memory ? DCNN_FAIL(DCNN_FAILURE, "cannot start the thread that reads images ahead")
                                   : DCNN_FAIL(DCNN_FAILURE, "out of memory: %zu bytes of images read ahead",
                                               (size_t)a->depth * batch_bytes);
    dcnn_prefetch_free(a);
    *prefetch = NULL;
    return status;
}

void dcnn_prefetch_free(dcnn_prefetch *a) {
    if (!a) return;
    pthread_mutex_lock(&a->lock);
    a->stop = true;
    pthread_cond_broadcast(&a->emptied);
    pthread_mutex_unlock(&a->lock);
    if (a->has_thread) pthread_join(a->thread, NULL);
    pthread_mutex_destroy(&a->lock);
    pthread_cond_destroy(&a->filled);
    pthread_cond_destroy(&a->emptied);
    free(a->memory);
    free(a);
}
