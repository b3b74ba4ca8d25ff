/* SPDX-License-Identifier: BSD-3-Clause */
/* test_share.c — blocks of images that processes decode together: what one of them has no memory for fails on all; and
 * the threads that do it. */
#include "io_helpers.h"

#include <errno.h>
#include <pthread.h>

#include "sources/share.h"

/* --- a machine without memory for texts --------------------------------------------------------------------------- */

static bool no_texts;

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);

char *__wrap_strdup(const char *text) {
    return no_texts ? NULL : __real_strdup(text);
}

/* --- one process -------------------------------------------------------------------------------------------------- */

static void broadcast(void *context, int root, void *bytes, size_t length) {
    (void)context, (void)root, (void)bytes, (void)length;
}

/* `context` is how many agreements go well. */
static dcnn_status agree(void *context, dcnn_status status) {
    int *left = context;
    if (status == DCNN_OK && *left == 0) return DCNN_FAIL(DCNN_FAILURE, "another process is out of memory");
    --*left;
    return status;
}

/* A good image and a damaged one. */
static dcnn_status read_block(int agreements, char *why[2], uint8_t pixels[2]) {
    char *files[2] = {__real_strdup(in_scratch("good.pgm")), __real_strdup(in_scratch("bad.pgm"))};
    put_file(files[0], "P5 1 1 255 \x2a", 12);
    put_file(files[1], "P5 1 1 255 ", 11);
    const dcnn_image_options options = {.h = 1, .w = 1, .channels = 1};
    const dcnn_shared_block block = {.image = &options, .count = 2, .files = files, .pixels = pixels, .why = why};
    const dcnn_helpers helpers = {
        .rank = 0, .ranks = 1, .broadcast = broadcast, .agree = agree, .context = &agreements};
    dcnn_thread_pool *pool;
    assert_ok(dcnn_thread_pool_create(2, &pool));
    no_texts = agreements < 0;
    const dcnn_status status = dcnn_share_read(&helpers, pool, &block);
    no_texts = false;
    dcnn_thread_pool_free(pool);
    free(files[0]);
    free(files[1]);
    return status;
}

static void what_is_broken_is_told(void **state) {
    (void)state;
    char *why[2] = {NULL, NULL};
    uint8_t pixels[2] = {0};
    assert_ok(read_block(100, why, pixels));
    assert_true(pixels[0] == 0x2a && why[0] == NULL);
    assert_non_null(why[1]);
    assert_non_null(strstr(why[1], "bad.pgm"));
    free(why[1]);
}

/* A broken image without its text would be taken for a good one. */
static void no_memory_for_a_text_fails_the_block(void **state) {
    (void)state;
    char *why[2] = {NULL, NULL};
    uint8_t pixels[2];
    assert_int_equal(read_block(-1, why, pixels), DCNN_FAILURE);
    assert_non_null(strstr(dcnn_error(), "out of memory for images"));
}

/* Wherever another process fails, this one does not go on. */
static void another_ones_failure_is_everyones(void **state) {
    (void)state;
    int good = 0;
    for (dcnn_status status = DCNN_FAILURE; status != DCNN_OK; good++) {
        char *why[2] = {NULL, NULL};
        uint8_t pixels[2];
        status = read_block(good, why, pixels);
        if (status != DCNN_OK) assert_string_equal(dcnn_error(), "another process is out of memory");
        free(why[1]);
        assert_in_range(good, 0, 20);
    }
    assert_true(good > 3);
}

/* Threads that may still be started. */
static int threads_left = 1000;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *), void *argument) {
    return threads_left-- > 0 ? __real_pthread_create(thread, attributes, work, argument) : EAGAIN;
}

/* The second of two more cannot be started: the first one is ended, and the way out is named. */
static void a_lack_of_threads_is_told(void **state) {
    (void)state;
    dcnn_thread_pool *pool;
    threads_left = 1;
    assert_fails(dcnn_thread_pool_create(3, &pool), DCNN_FAILURE, "cannot start thread 2 of 3", "--threads");
    assert_null(pool);
    threads_left = 1000;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_broken_is_told),
        cmocka_unit_test(no_memory_for_a_text_fails_the_block),
        cmocka_unit_test(another_ones_failure_is_everyones),
        cmocka_unit_test(a_lack_of_threads_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
