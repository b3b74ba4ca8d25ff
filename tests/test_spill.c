/* SPDX-License-Identifier: BSD-3-Clause */
/* test_spill.c — memory in a file's pages, on file systems that can reserve room and on those that cannot. */
#include "io_helpers.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>

#include "io/spill.h"

enum { LARGE = 64 << 20, PAGE = 4096 };

/* --- a file system ------------------------------------------------------------------------------------------------ */

static int reserving_fails; /* errno, or 0: as the real one */
static uint64_t free_bytes; /* where it cannot reserve */
static int reserved;

int __real_fallocate(int file, int mode, off_t from, off_t length);
int __wrap_fallocate(int file, int mode, off_t from, off_t length);
int __wrap_fstatvfs(int file, struct statvfs *about);

int __wrap_fallocate(int file, int mode, off_t from, off_t length) {
    reserved++;
    if (reserving_fails == 0) return __real_fallocate(file, mode, from, length);
    errno = reserving_fails;
    if (reserving_fails == EINTR) reserving_fails = 0;
    return -1;
}

int __wrap_fstatvfs(int file, struct statvfs *about) {
    (void)file;
    *about = (struct statvfs){.f_frsize = PAGE, .f_bavail = free_bytes / PAGE};
    return 0;
}

static void set_file_system(int fails, uint64_t bytes) {
    reserving_fails = fails;
    free_bytes = bytes;
    reserved = 0;
}

/* --- memory there ------------------------------------------------------------------------------------------------- */

/* Is it in a file? Either way it takes what is written. */
static bool is_in_a_file(void) {
    void *memory;
    size_t mapped;
    assert_ok(dcnn_spill_take(scratch, "a block", LARGE, &memory, &mapped));
    assert_true(mapped == 0 || mapped == LARGE);
    for (size_t at = 0; at < LARGE; at += LARGE / 8) ((uint8_t *)memory)[at] = (uint8_t)(at >> 20);
    dcnn_spill_forget(memory, mapped);
    for (size_t at = 0; at < LARGE; at += LARGE / 8) assert_int_equal(((uint8_t *)memory)[at], at >> 20);
    dcnn_spill_release(memory, mapped);
    assert_int_equal(files_in(scratch), 0);
    return mapped > 0;
}

static void room_is_reserved(void **state) {
    (void)state;
    set_file_system(0, 0);
    assert_true(is_in_a_file());
    assert_int_equal(reserved, 1);
    set_file_system(EINTR, 0); /* a signal came in */
    assert_true(is_in_a_file());
    assert_int_equal(reserved, 2);
}

static void without_room_it_is_plain_memory(void **state) {
    (void)state;
    set_file_system(ENOSPC, UINT64_MAX);
    assert_false(is_in_a_file());
    assert_int_equal(reserved, 1);
}

static void room_that_cannot_be_reserved_must_be_there(void **state) {
    (void)state;
    set_file_system(EOPNOTSUPP, (uint64_t)LARGE + PAGE);
    assert_true(is_in_a_file());
    set_file_system(EOPNOTSUPP, LARGE - PAGE);
    assert_false(is_in_a_file());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(room_is_reserved),
        cmocka_unit_test(without_room_it_is_plain_memory),
        cmocka_unit_test(room_that_cannot_be_reserved_must_be_there),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
