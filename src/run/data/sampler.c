/* SPDX-License-Identifier: BSD-3-Clause */
/* sampler.c — see sampler.h. */
#include "run/data/sampler.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"

#define NAME(id, word) word,
const char *const dcnn_shuffle_names[DCNN_SHUFFLE_COUNT] = {DCNN_SHUFFLES(NAME)};

/* Where a set is shuffled in full; the sizes of chunk and window. Part of the arithmetic: changing one changes bits. */
static const int64_t FULL_BYTES = (int64_t)8 << 30, CHUNK_BYTES = (int64_t)256 << 10, WINDOW_BYTES = (int64_t)256 << 20;

void dcnn_sampler_shuffle(dcnn_sampler *sampler, dcnn_shuffle shuffle, size_t image_bytes) {
    const int64_t bytes = (int64_t)image_bytes;
    sampler->chunk_rows = sampler->window_chunks = 0;
    if (shuffle == DCNN_SHUFFLE_FULL || (shuffle == DCNN_SHUFFLE_AUTO && sampler->count <= FULL_BYTES / bytes)) return;
    sampler->chunk_rows = 1;
    while (2 * sampler->chunk_rows * bytes <= CHUNK_BYTES) sampler->chunk_rows *= 2;
    while (sampler->chunk_rows > sampler->count) sampler->chunk_rows /= 2;
    sampler->window_chunks = WINDOW_BYTES / (sampler->chunk_rows * bytes);
    const int64_t chunks = sampler->count / sampler->chunk_rows;
    if (sampler->window_chunks > chunks) sampler->window_chunks = chunks;
    if (sampler->window_chunks < 1) sampler->window_chunks = 1;
}

/* The samples are rotated by this much in an epoch, so that chunks begin elsewhere and the rest is another one. */
static int64_t rotation(const dcnn_sampler *s, uint32_t epoch) {
    const dcnn_random_bits bits = dcnn_random(s->seed, DCNN_RANDOM_CHUNKS, epoch, -1, 0);
    return (int64_t)(((uint64_t)bits.word[0] << 32 | bits.word[1]) % (uint64_t)s->count);
}

static int64_t window_count(const dcnn_sampler *s) {
    const int64_t chunks = s->count / s->chunk_rows, windows = chunks / s->window_chunks;
    return windows > 0 ? windows : 1;
}

static int64_t first_chunk_of(const dcnn_sampler *s, int64_t window) {
    return s->count / s->chunk_rows * window / window_count(s);
}

dcnn_sampler_window dcnn_sampler_find_window(const dcnn_sampler *s, int64_t position) {
    const int64_t windows = window_count(s), chunks = s->count / s->chunk_rows, chunk = position / s->chunk_rows;
    int64_t number = chunk < chunks ? chunk * windows / chunks : windows - 1;
    while (number + 1 < windows && first_chunk_of(s, number + 1) <= chunk) number++; /* by at most one */
    dcnn_sampler_window w = {.number = number, .first_chunk = first_chunk_of(s, number)};
    w.chunk_count = first_chunk_of(s, number + 1) - w.first_chunk;
    w.first = w.first_chunk * s->chunk_rows;
    w.count = number + 1 < windows ? w.chunk_count * s->chunk_rows : s->count - w.first;
    return w;
}

void dcnn_sampler_chunk(const dcnn_sampler *s, uint32_t epoch, const dcnn_sampler_window *window, int64_t chunk,
                        int64_t *first, int64_t *count) {
    const int64_t number =
        dcnn_random_permute(s->seed, DCNN_RANDOM_CHUNKS, epoch, s->count / s->chunk_rows, window->first_chunk + chunk);
    *first = (number * s->chunk_rows + rotation(s, epoch)) % s->count;
    *count = s->chunk_rows;
}

static int64_t sample_by_chunks(const dcnn_sampler *s, uint32_t epoch, int64_t position) {
    const dcnn_sampler_window window = dcnn_sampler_find_window(s, position);
    const uint32_t stream = dcnn_random(s->seed, DCNN_RANDOM_CHUNKS, epoch, -2 - window.number, 0).word[0];
    const int64_t mixed =
        dcnn_random_permute(s->seed, DCNN_RANDOM_WINDOW, stream, window.count, position - window.first);
    const int64_t chunk = mixed / s->chunk_rows, inside = mixed % s->chunk_rows;
    if (chunk >= window.chunk_count) /* the rest, behind the last whole chunk */
        return (window.first + mixed + rotation(s, epoch)) % s->count;
    int64_t first, count;
    dcnn_sampler_chunk(s, epoch, &window, chunk, &first, &count);
    return (first + inside) % s->count;
}

/* Where each class is drawn equally often: its samples in their order, again and again, the last round in part. */
static int64_t number_of(const dcnn_sampler *s, uint32_t epoch, int64_t index) {
    if (!s->class_first) return s->rows[index];
    const int64_t *first = s->class_first + index / s->class_draws;
    const int64_t draw = index % s->class_draws, n = first[1] - first[0], again = draw / n;
    int64_t inside = draw % n;
    if ((again + 1) * n > s->class_draws) inside = dcnn_random_permute(s->seed, DCNN_RANDOM_AGAIN, epoch, n, inside);
    return s->rows[first[0] + inside] + again * s->total;
}

static int64_t number_at(const dcnn_sampler *s, uint32_t epoch, int64_t position) {
    if (s->chunk_rows > 0) return number_of(s, epoch, sample_by_chunks(s, epoch, position));
    return number_of(s, epoch, dcnn_random_permute(s->seed, DCNN_RANDOM_SHUFFLE, epoch, s->count, position));
}

static int64_t row_of(const dcnn_sampler *s, int64_t number) {
    return s->class_first ? number % s->total : number;
}

int64_t dcnn_sampler_row(const dcnn_sampler *s, uint32_t epoch, int64_t position) {
    return row_of(s, number_at(s, epoch, position));
}

int64_t dcnn_sampler_find(const dcnn_sampler *s, uint32_t epoch, int64_t index) {
    return row_of(s, number_of(s, epoch, index));
}

void dcnn_sampler_numbers(const dcnn_sampler *sampler, uint32_t epoch, int64_t first, int64_t n, int64_t *numbers) {
    for (int64_t i = 0; i < n; i++) numbers[i] = number_at(sampler, epoch, first + i);
}

/* --- oversampling ------------------------------------------------------------------------------------------------- */

static int compare_numbers(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

dcnn_status dcnn_sampler_even(dcnn_sampler *s, int64_t *rows, const int32_t *labels, int classes, int64_t total,
                              int64_t *class_first) {
    int64_t *sorted = malloc((size_t)s->count * sizeof *sorted), *next = calloc((size_t)classes + 1, sizeof *next);
    dcnn_status status = DCNN_OK;
    int kept = 0;
    if (!sorted || !next)
        DCNN_TRY_DONE(DCNN_FAIL(DCNN_FAILURE, "out of memory: the order of %lld samples", (long long)s->count));
    qsort(rows, (size_t)s->count, sizeof *rows, compare_numbers);
    for (int64_t i = 0; i < s->count; i++) next[labels[rows[i]] + 1]++;
    s->class_draws = 0;
    for (int c = 0; c < classes; c++) {
        if (next[c + 1] > s->class_draws) s->class_draws = next[c + 1];
        if (next[c + 1] > 0) class_first[kept++] = next[c];
        next[c + 1] += next[c];
    }
    class_first[kept] = s->count;
    for (int64_t i = 0; i < s->count; i++) sorted[next[labels[rows[i]]]++] = rows[i];
    memcpy(rows, sorted, (size_t)s->count * sizeof *rows);
    s->class_first = class_first;
    s->total = total;
    s->count = kept * s->class_draws;
done:
    free(sorted);
    free(next);
    return status;
}
