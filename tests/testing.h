/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file testing.h — what tests of arithmetic share: seeded data, buffers with canaries, closeness that fails on NaN.
 *
 * Data come from one seed, printed once by test_seed(); `DCNN_TEST_SEED` in the environment sets another. Buffers
 * belong to a list that test_release() checks and frees at the end of a test.
 */
#ifndef DCNN_TESTS_TESTING_H
#define DCNN_TESTS_TESTING_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

enum { TEST_CANARY_BYTES = 72, TEST_CANARY = 0xA5, TEST_UNWRITTEN = 0xFF, TEST_BUFFERS = 1024 };

/* 72 bytes before an output: its values are aligned for a double, not for any vector. */
typedef struct test_buffer {
    unsigned char *block;
    size_t bytes;
    int has_canaries;
} test_buffer;

static test_buffer test_buffers[TEST_BUFFERS];
static int test_buffer_count;

/** The seed of all data of this program, printed when first asked for. */
static inline uint64_t test_seed(void) {
    static uint64_t seed;
    if (seed == 0) {
        const char *wish = getenv("DCNN_TEST_SEED");
        seed = wish ? strtoull(wish, NULL, 0) : 20240229;
        printf("DCNN_TEST_SEED=%llu\n", (unsigned long long)seed);
    }
    return seed;
}

/** A double uniform in [low, high): number `index` of stream `stream`. */
static inline double test_uniform(uint32_t stream, size_t index, double low, double high) {
    const dcnn_random_bits bits = dcnn_random(test_seed(), DCNN_RANDOM_INIT, stream, (int64_t)(index / 4), 0);
    return dcnn_random_between(bits.word[index % 4], low, high);
}

static inline unsigned char *test_allocate(size_t bytes, size_t before, size_t after) {
    assert_true(test_buffer_count < TEST_BUFFERS);
    unsigned char *block = malloc(before + bytes + after);
    assert_non_null(block);
    test_buffers[test_buffer_count++] = (test_buffer){block, bytes, after > 0};
    return block;
}

/** An input of exactly `bytes`, at an address divisible by 4 but not by 8. Freed by test_release(). */
static inline void *test_input(size_t bytes) {
    return test_allocate(bytes, 4, 0) + 4;
}

/** An output full of NaNs (bytes 0xFF) between canaries. Checked and freed by test_release(). */
static inline void *test_output(size_t bytes) {
    unsigned char *block = test_allocate(bytes, TEST_CANARY_BYTES, TEST_CANARY_BYTES);
    memset(block, TEST_CANARY, TEST_CANARY_BYTES);
    memset(block + TEST_CANARY_BYTES, TEST_UNWRITTEN, bytes);
    memset(block + TEST_CANARY_BYTES + bytes, TEST_CANARY, TEST_CANARY_BYTES);
    return block + TEST_CANARY_BYTES;
}

/** Checks the canaries of all outputs, then frees all buffers. */
static inline void test_release(void) {
    size_t damaged = 0;
    for (int i = 0; i < test_buffer_count; i++) {
        const test_buffer *buffer = &test_buffers[i];
        for (size_t j = 0; buffer->has_canaries && j < TEST_CANARY_BYTES; j++) {
            damaged += buffer->block[j] != TEST_CANARY;
            damaged += buffer->block[TEST_CANARY_BYTES + buffer->bytes + j] != TEST_CANARY;
        }
        free(buffer->block);
    }
    test_buffer_count = 0;
    if (damaged > 0) fail_msg("%zu bytes written outside an output", damaged);
}

/** An output of `count` floats. */
static inline float *test_floats(size_t count) {
    return test_output(count * sizeof(float));
}

/** `count` floats uniform in [low, high). */
static inline float *test_random_between(size_t count, uint32_t stream, double low, double high) {
    float *values = test_input(count * sizeof(float));
    for (size_t i = 0; i < count; i++) values[i] = (float)test_uniform(stream, i, low, high);
    return values;
}

/** `count` floats uniform in [-1, 1). */
static inline float *test_random(size_t count, uint32_t stream) {
    return test_random_between(count, stream, -1.0, 1.0);
}

/** A copy between canaries, for kernels that work in place. */
static inline float *test_copy(size_t count, const float *values) {
    float *copy = test_floats(count);
    memcpy(copy, values, count * sizeof(float));
    return copy;
}

/** Fails unless |actual - expected| <= absolute + relative |expected|; a NaN on either side fails. */
static inline void test_close_one(const char *what, size_t index, double actual, double expected, double absolute,
                                  double relative) {
    const double error = fabs(actual - expected);
    if (!(error <= absolute + relative * fabs(expected)))
        fail_msg("%s[%zu] is %.9g, expected %.9g (error %.3g, allowed %.3g; DCNN_TEST_SEED=%llu)", what, index, actual,
                 expected, error, absolute + relative * fabs(expected), (unsigned long long)test_seed());
}

static inline void test_close(const char *what, size_t count, const float *actual, const float *expected,
                              double absolute, double relative) {
    for (size_t i = 0; i < count; i++) test_close_one(what, i, actual[i], expected[i], absolute, relative);
}

static inline void test_close_double(const char *what, size_t count, const double *actual, const double *expected,
                                     double absolute, double relative) {
    for (size_t i = 0; i < count; i++) test_close_one(what, i, actual[i], expected[i], absolute, relative);
}

#endif
