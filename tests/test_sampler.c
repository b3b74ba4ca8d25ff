/* SPDX-License-Identifier: BSD-3-Clause */
/* test_sampler.c — shuffling by chunks and windows: every sample once, by arithmetic alone, and how well mixed. */
#include "testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/data/sampler.h"

static int64_t *numbers(int64_t count) {
    int64_t *rows = calloc((size_t)count, sizeof *rows);
    assert_non_null(rows);
    for (int64_t i = 0; i < count; i++) rows[i] = i;
    return rows;
}

static void chunks_are_for_large_sets_alone(void **state) {
    (void)state;
    dcnn_sampler s = {.count = 54000};
    dcnn_sampler_shuffle(&s, DCNN_SHUFFLE_AUTO, 784);
    assert_true(s.chunk_rows == 0);
    s.count = ((int64_t)8 << 30) / 12288; /* 8 GiB of 64x64x3 exactly */
    dcnn_sampler_shuffle(&s, DCNN_SHUFFLE_AUTO, 12288);
    assert_true(s.chunk_rows == 0);
    s.count++;
    dcnn_sampler_shuffle(&s, DCNN_SHUFFLE_AUTO, 12288);
    assert_true(s.chunk_rows == 16 && s.window_chunks == 1365);
    dcnn_sampler_shuffle(&s, DCNN_SHUFFLE_FULL, 12288);
    assert_true(s.chunk_rows == 0);
    dcnn_sampler_shuffle(&s, DCNN_SHUFFLE_CHUNKS, (size_t)1 << 29);
    assert_true(s.chunk_rows == 1 && s.window_chunks == 1);
    s.count = 5;
    dcnn_sampler_shuffle(&s, DCNN_SHUFFLE_CHUNKS, 784);
    assert_true(s.chunk_rows == 4 && s.window_chunks == 1);
}

/* Each sample once an epoch, whatever the sizes; what a window says of its chunks is what its positions hold. */
static void an_epoch_by_chunks_is_a_permutation(void **state) {
    (void)state;
    const int64_t sizes[][3] = {{1003, 16, 8}, {1003, 16, 1}, {1024, 16, 64}, {50, 7, 3},
                                {5, 4, 9},     {1, 1, 1},     {97, 1, 10}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const int64_t count = sizes[i][0];
        int64_t *rows = numbers(count);
        uint8_t *seen = calloc((size_t)count, 2);
        assert_non_null(seen);
        const dcnn_sampler s = {.seed = 3,
                                .rows = rows,
                                .count = count,
                                .batch = 10,
                                .accumulate = 1,
                                .chunk_rows = sizes[i][1],
                                .window_chunks = sizes[i][2]};
        int64_t windows = 0, same = 0;
        for (uint32_t epoch = 0; epoch < 3; epoch++) {
            memset(seen, 0, 2 * (size_t)count);
            for (int64_t at = 0; at < count; windows++) {
                const dcnn_sampler_window w = dcnn_sampler_find_window(&s, at);
                assert_int_equal(w.first, at);
                assert_true(w.count >= w.chunk_count * s.chunk_rows);
                for (int64_t chunk = 0; chunk < w.chunk_count; chunk++) {
                    int64_t first, n;
                    dcnn_sampler_chunk(&s, epoch, &w, chunk, &first, &n);
                    assert_int_equal(n, s.chunk_rows);
                    for (int64_t j = 0; j < n; j++) assert_int_equal(seen[count + (first + j) % count]++, 0);
                }
                int64_t of_chunks = 0;
                for (; at < w.first + w.count; at++) {
                    const int64_t row = dcnn_sampler_row(&s, epoch, at);
                    assert_int_equal(dcnn_sampler_find_window(&s, at).number, w.number);
                    assert_int_equal(seen[row]++, 0);
                    of_chunks += seen[count + row];
                    same += row == dcnn_sampler_row(&s, epoch + 1, at);
                }
                assert_int_equal(of_chunks, w.chunk_count * s.chunk_rows);
            }
            for (int64_t row = 0; row < count; row++) assert_int_equal(seen[row], 1);
        }
        assert_true(windows >= 3 && (count < 90 || same < 30));
        free(rows);
        free(seen);
    }
}

/*
 * How well it mixes a file that is sorted by class, as a walk over folders gives it: how much more the number of a
 * batch's samples of one class varies than under a full permutation (1 is as good as that), and how often two
 * neighbours in the file meet in a batch, against a full permutation. docs/streaming.md states what this prints.
 */
static void sorted_files_are_mixed(void **state) {
    (void)state;
    enum { BATCH = 128, CLASSES = 100 };
    const int64_t count = 200000;
    int64_t *rows = numbers(count);
    double spread[2], meetings[2];
    for (int by_chunks = 0; by_chunks < 2; by_chunks++) {
        dcnn_sampler s = {.seed = 5, .rows = rows, .count = count, .batch = BATCH, .accumulate = 1};
        dcnn_sampler_shuffle(&s, by_chunks ? DCNN_SHUFFLE_CHUNKS : DCNN_SHUFFLE_FULL, 12288);
        double squares = 0;
        int64_t met = 0, batches = 0;
        int64_t *batch_of = calloc((size_t)count, sizeof *batch_of);
        assert_non_null(batch_of);
        for (int64_t at = 0; at + BATCH <= count; at += BATCH, batches++) {
            int64_t in_class[CLASSES] = {0};
            for (int64_t i = at; i < at + BATCH; i++) {
                const int64_t row = dcnn_sampler_row(&s, 0, i);
                in_class[row * CLASSES / count]++;
                batch_of[row] = at + 1;
            }
            for (int i = 0; i < CLASSES; i++) squares += pow((double)in_class[i] - (double)BATCH / CLASSES, 2);
        }
        for (int64_t row = 0; row + 1 < count; row++) met += batch_of[row] == batch_of[row + 1];
        spread[by_chunks] = squares / (double)(batches * CLASSES);
        meetings[by_chunks] = (double)met / (double)(count - 1) * (double)count / BATCH;
        free(batch_of);
    }
    print_message("by chunks the numbers of a class in a batch vary %.2f times as much; neighbours meet %.1f times as "
                  "often (full: %.1f)\n",
                  spread[1] / spread[0], meetings[1], meetings[0]);
    assert_true(fabs(spread[0] / (BATCH * 0.01 * 0.99) - 1) < 0.05);
    assert_true(spread[1] / spread[0] < 1.2 && meetings[1] < 15);
    free(rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_are_for_large_sets_alone),
        cmocka_unit_test(an_epoch_by_chunks_is_a_permutation),
        cmocka_unit_test(sorted_files_are_mixed),
    };
    return cmocka_run_group_tests_name("sampler", tests, NULL, NULL);
}
