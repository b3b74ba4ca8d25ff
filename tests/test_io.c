/* SPDX-License-Identifier: BSD-3-Clause */
/* test_io.c — atomic and sealed files, gzip, where outputs go. */
#include "io_helpers.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "io/hdf5/hdf5.h"

/* --- files ------------------------------------------------------------------------------------------------------ */

static void whole_file_is_written_sealed_and_verified(void **state) {
    (void)state;
    const char *path = in_scratch("sealed");
    uint8_t bytes[3000], *read;
    size_t length;
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)draw_below(256);
    dcnn_seal seal;
    assert_ok(dcnn_file_write(path, bytes, sizeof bytes, true));
    assert_ok(dcnn_file_verify(path, &seal));
    assert_int_equal(seal, DCNN_SEAL_GOOD);
    read = get_file(path, &length);
    assert_int_equal(length, sizeof bytes + 32);
    assert_memory_equal(read, bytes, sizeof bytes);
    assert_memory_equal(read + sizeof bytes, "DCNNSEAL\1\0\0\0\0\0\0\0", 16);
    free(read);
    assert_int_equal(files_in(scratch), 1);
    assert_ok(dcnn_file_write(path, bytes, 5, false));
    assert_ok(dcnn_file_verify(path, &seal));
    assert_int_equal(seal, DCNN_SEAL_NONE);
    read = get_file(path, &length);
    assert_int_equal(length, 5);
    free(read);
    assert_fails(dcnn_file_verify(in_scratch("nowhere"), &seal), DCNN_BAD_INPUT, "No such file", "nowhere");
    assert_fails(dcnn_file_verify(scratch, &seal), DCNN_BAD_INPUT, "regular file", scratch);
}

/* A file that was written in pieces is what one written at once is. */
static void pieces_are_written_like_a_whole(void **state) {
    (void)state;
    const char *path = in_scratch("pieces");
    size_t length = (3u << 20) + 17;
    uint8_t *bytes = malloc(length);
    dcnn_output output;
    assert_non_null(bytes);
    for (size_t i = 0; i < length; i++) bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    assert_ok(dcnn_output_open(path, &output));
    assert_non_null(output.temporary);
    char *temporary = strdup(output.temporary);
    assert_ok(dcnn_output_write(&output, bytes, 1000));
    assert_ok(dcnn_output_write(&output, bytes + 1000, length - 1000));
    assert_int_not_equal(access(path, F_OK), 0);
    assert_ok(dcnn_output_close(&output, DCNN_OK));
    assert_ok(dcnn_file_write(in_scratch("written"), bytes, length, false));
    size_t length_a, length_b;
    uint8_t *a = get_file(path, &length_a), *b = get_file(in_scratch("written"), &length_b);
    assert_int_equal(length_a, length_b);
    assert_memory_equal(a, b, length_a);
    assert_int_not_equal(access(temporary, F_OK), 0);
    assert_ok(dcnn_output_open(path, &output));
    assert_int_equal(dcnn_output_close(&output, DCNN_BAD_INPUT), DCNN_BAD_INPUT);
    assert_int_not_equal(access(temporary, F_OK), 0);
    assert_int_equal(access(path, F_OK), 0);
    free(temporary);
    free(a);
    free(b);
    free(bytes);
}

static void assert_holds(const char *path, const char *text) {
    size_t length;
    uint8_t *read = get_file(path, &length);
    assert_int_equal(length, strlen(text));
    assert_memory_equal(read, text, length);
    free(read);
}

/* Two that begin while no file is there: who ends first has the name, the other is told, and leaves nothing behind. */
static void file_that_appears_is_not_replaced(void **state) {
    (void)state;
    assert_ok(dcnn_folder_create(in_scratch("new")));
    const char *path = in_scratch("new/file");
    dcnn_output early, late;
    assert_ok(dcnn_output_open(path, &late));
    late.only_new = true;
    assert_ok(dcnn_output_write(&late, "late", 4));
    put_text(path, "early");
    assert_fails(dcnn_output_close(&late, DCNN_OK), DCNN_USAGE, "already exists", path);
    assert_holds(path, "early");
    assert_int_equal(files_in(in_scratch("new")), 1);
    assert_fails(dcnn_file_put(path, "late", 4, true, true), DCNN_USAGE, "already exists", path);
    assert_holds(path, "early");
    assert_ok(dcnn_output_open(in_scratch("new/other"), &early));
    early.only_new = true;
    assert_ok(dcnn_output_write(&early, "first", 5));
    assert_ok(dcnn_output_close(&early, DCNN_OK));
    assert_holds(in_scratch("new/other"), "first");
    assert_int_equal(symlink("other", in_scratch("new/link")), 0);
    assert_fails(dcnn_file_put(in_scratch("new/link"), "second", 6, false, true), DCNN_USAGE, "already exists", "link");
    assert_holds(in_scratch("new/other"), "first");
    assert_ok(dcnn_file_put(path, "forced", 6, false, false));
    assert_holds(path, "forced");
    assert_int_equal(files_in(in_scratch("new")), 3);
}

/* --- where outputs go -------------------------------------------------------------------------------------------- */

static void output_goes_where_links_lead(void **state) {
    (void)state;
    struct stat about;
    assert_ok(dcnn_folder_create(in_scratch("links/deep")));
    put_text(in_scratch("links/deep/real"), "old");
    assert_int_equal(symlink("deep/real", in_scratch("links/first")), 0);
    assert_int_equal(symlink("first", in_scratch("links/second")), 0);
    assert_int_equal(symlink("deep/new", in_scratch("links/dangling")), 0);
    assert_int_equal(symlink("round", in_scratch("links/round")), 0);
    assert_ok(dcnn_file_write(in_scratch("links/second"), "text", 4, false));
    assert_ok(dcnn_output_check(in_scratch("links/second")));
    assert_holds(in_scratch("links/deep/real"), "text");
    assert_fails(dcnn_file_write(in_scratch("links/dangling"), "new", 3, false), DCNN_FAILURE, "is a link to ",
                 "links/deep/new, where no file is");
    assert_fails(dcnn_output_check(in_scratch("links/dangling")), DCNN_FAILURE, "is a link to ", "links/dangling: ");
    assert_fails(dcnn_output_check(in_scratch("links/none/file")), DCNN_FAILURE, "check that its folder exists",
                 "none/file");
    assert_fails(dcnn_folder_create(in_scratch("links/dangling/more")), DCNN_FAILURE,
                 "a link that leads nowhere is in the way", "links/dangling: ");
    assert_fails(dcnn_output_check(in_scratch("links/second/file")), DCNN_FAILURE, "Not a directory", "second/file");
    assert_int_equal(lstat(in_scratch("links/second"), &about), 0);
    assert_true(S_ISLNK(about.st_mode));
    assert_int_equal(files_in(in_scratch("links/deep")), 1);
    assert_fails(dcnn_file_write(in_scratch("links/round"), "x", 1, false), DCNN_FAILURE,
                 "link that leads back to itself", "round");
    assert_fails(dcnn_file_write(in_scratch("links/deep"), "x", 1, false), DCNN_FAILURE, "is a folder", "deep");
    assert_int_equal(files_in(in_scratch("links")), 5);
}

static void fifo_stays_a_fifo(void **state) {
    (void)state;
    const char *path = in_scratch("fifo");
    char text[8] = "";
    struct stat about;
    assert_int_equal(mkfifo(path, 0600), 0);
    const int reader = open(path, O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    assert_true(dcnn_output_is_straight(path));
    assert_ok(dcnn_file_write(path, "through", 7, false));
    assert_int_equal(read(reader, text, sizeof text), 7);
    assert_string_equal(text, "through");
    close(reader);
    assert_int_equal(lstat(path, &about), 0);
    assert_true(S_ISFIFO(about.st_mode));
}

/* What lies at a temporary file's name is not written through; what killed processes left is removed. */
static void temporary_files_are_new_and_own(void **state) {
    (void)state;
    dcnn_output output;
    assert_ok(dcnn_folder_create(in_scratch("own")));
    const char *path = in_scratch("own/file");
    put_text(in_scratch("own/victim"), "victim");
    assert_ok(dcnn_output_open(path, &output));
    char *temporary = strdup(output.temporary), *mark = strrchr(temporary, '-');
    assert_int_equal(dcnn_output_close(&output, DCNN_FAILURE), DCNN_FAILURE);
    assert_int_equal(symlink("victim", temporary), 0);
    assert_ok(dcnn_file_write(path, "mine", 4, false));
    assert_holds(in_scratch("own/victim"), "victim");
    assert_holds(path, "mine");
    assert_int_equal(files_in(in_scratch("own")), 2);
    const pid_t gone = fork();
    if (gone == 0) _exit(0);
    assert_int_equal(waitpid(gone, NULL, 0), gone);
    char name[512];
    snprintf(name, sizeof name, "%.*s-%ld.tmp", (int)(mark - temporary), temporary, (long)gone);
    put_text(name, "left over");
    snprintf(name, sizeof name, "%.*s-%ld.tmp", (int)(mark - temporary), temporary, (long)getppid());
    put_text(name, "of a living process");
    assert_ok(dcnn_file_write(path, "mine", 4, false));
    assert_int_equal(access(name, F_OK), 0);
    assert_int_equal(files_in(in_scratch("own")), 3);
    free(temporary);
}

/* A device made for this, in a file system of its own: as root, a rename would replace the whole machine's. */
static void devices_are_not_replaced(void **state) {
    (void)state;
    struct stat about;
    char text[512], twice[512];
    const char *folder = in_scratch("devices");
    assert_ok(dcnn_folder_create(folder));
    snprintf(text, sizeof text, "%s/null", folder);
    snprintf(twice, sizeof twice, "%s/link", folder);
    if (mknod(text, S_IFCHR | 0666, makedev(1, 3)) != 0) skip(); /* only root makes devices */
    const int usable = open(text, O_WRONLY);
    if (usable < 0) skip(); /* a file system without devices */
    close(usable);
    assert_int_equal(symlink("null", twice), 0);
    assert_ok(dcnn_file_write(text, "gone", 4, true));
    assert_ok(dcnn_file_write(twice, "gone", 4, true));
    assert_int_equal(lstat(text, &about), 0);
    assert_true(S_ISCHR(about.st_mode));
    assert_int_equal(lstat(twice, &about), 0);
    assert_true(S_ISLNK(about.st_mode));
    assert_int_equal(files_in(folder), 2);
}

static void failed_write_leaves_the_old_file(void **state) {
    (void)state;
    const char *folder = in_scratch("old"), *path = in_scratch("old/file");
    uint8_t bytes[50000] = {0};
    assert_ok(dcnn_folder_create(folder));
    put_text(path, "old");
    limit_files(20000);
    dcnn_status full = dcnn_file_write(path, bytes, sizeof bytes, true);
    dcnn_status full_at_seal = dcnn_file_write(path, bytes, 20000 - 16, true);
    limit_files(SIZE_MAX);
    assert_int_equal(full, DCNN_FAILURE);
    assert_fails(full_at_seal, DCNN_FAILURE, "check free space", path);
    size_t length;
    uint8_t *old = get_file(path, &length);
    assert_int_equal(length, 3);
    assert_memory_equal(old, "old", 3);
    free(old);
    assert_int_equal(files_in(folder), 1);
    assert_fails(dcnn_file_write(in_scratch("old/file/below"), bytes, 1, true), DCNN_FAILURE, "Not a directory",
                 "below");
    assert_fails(dcnn_file_write(in_scratch("none/below"), bytes, 1, true), DCNN_FAILURE, "its folder exists", "below");
    assert_int_equal(files_in(folder), 1);
}

static void folders_are_made(void **state) {
    (void)state;
    struct stat about;
    assert_ok(dcnn_folder_create(in_scratch("a/b//c/")));
    assert_int_equal(stat(in_scratch("a/b/c"), &about), 0);
    assert_true(S_ISDIR(about.st_mode));
    assert_ok(dcnn_folder_create(in_scratch("a/b")));
    put_text(in_scratch("a/file"), "x");
    assert_fails(dcnn_folder_create(in_scratch("a/file")), DCNN_FAILURE, "in the way", "a/file");
    assert_fails(dcnn_folder_create(in_scratch("a/file/d")), DCNN_FAILURE, "a/file", "cannot make");
}

/* Every change of one bit anywhere, and every cut that leaves the seal's mark in sight, is seen. */
static void seal_sees_every_flip(void **state) {
    (void)state;
    const char *path = in_scratch("flip");
    uint8_t bytes[500];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)draw_below(256);
    assert_ok(dcnn_file_write(path, bytes, sizeof bytes, true));
    size_t length;
    dcnn_seal seal;
    uint8_t *sealed = get_file(path, &length);
    for (size_t i = 0; i < length; i++) {
        sealed[i] ^= (uint8_t)(1u << draw_below(8));
        put_file(path, sealed, length);
        assert_fails(dcnn_file_verify(path, &seal), DCNN_BAD_INPUT, "damaged", path);
        assert_ok(dcnn_file_write(path, bytes, sizeof bytes, true));
        free(sealed);
        sealed = get_file(path, &length);
    }
    for (size_t cut = 1; cut <= 24; cut++) {
        put_file(path, sealed, length - cut);
        assert_fails(dcnn_file_verify(path, &seal), DCNN_BAD_INPUT, "damaged", path);
    }
    sealed = realloc(sealed, length + 1);
    assert_non_null(sealed);
    sealed[length] = 0;
    put_file(path, sealed, length + 1);
    assert_fails(dcnn_file_verify(path, &seal), DCNN_BAD_INPUT, "damaged", path);
    put_file(path, sealed, 7);
    assert_ok(dcnn_file_verify(path, &seal));
    assert_int_equal(seal, DCNN_SEAL_NONE);
    free(sealed);
}

/* --- gzip ------------------------------------------------------------------------------------------------------- */

static void assert_reads(const char *path, const uint8_t *expected, size_t expected_length) {
    uint8_t *bytes;
    size_t length;
    assert_ok(dcnn_file_read(path, &bytes, &length));
    assert_int_equal(length, expected_length);
    assert_memory_equal(bytes, expected, length);
    assert_int_equal(bytes[length], 0);
    free(bytes);
}

static void files_are_unpacked(void **state) {
    (void)state;
    const char *path = in_scratch("packed");
    size_t length = 300000, packed_length;
    uint8_t *bytes = malloc(2 * length), *nothing;
    assert_non_null(bytes);
    for (size_t i = 0; i < 2 * length; i++) bytes[i] = (uint8_t)(draw_below(16) * (i % 7));
    put_file(path, bytes, length);
    assert_reads(path, bytes, length);
    put_gzip(path, bytes, length, "wb");
    assert_reads(path, bytes, length);
    put_gzip(path, bytes + length, length, "ab"); /* two members: as cat a.gz b.gz makes */
    assert_reads(path, bytes, 2 * length);
    uint8_t *packed = get_file(path, &packed_length);
    packed[packed_length] = 7;
    put_file(path, packed, packed_length + 1);
    assert_fails(dcnn_file_read(path, &nothing, &length), DCNN_BAD_INPUT, "extra bytes at its end", path);
    assert_null(nothing);
    put_gzip(path, bytes, 0, "wb");
    assert_fails(dcnn_file_read(path, &nothing, &length), DCNN_BAD_INPUT, "empty", path);
    put_text(path, "");
    assert_fails(dcnn_file_read(path, &nothing, &length), DCNN_BAD_INPUT, "empty", path);
    assert_fails(dcnn_file_read(in_scratch("nowhere"), &nothing, &length), DCNN_BAD_INPUT, "No such file", "nowhere");
    assert_fails(dcnn_file_read(scratch, &nothing, &length), DCNN_BAD_INPUT, "is a folder", scratch);
    free(packed);
    free(bytes);
}

/* 70 members of 4 MiB of zeros, in 290 KB. */
static void gzip_out_of_proportion_is_refused(void **state) {
    (void)state;
    enum { MEMBERS = 70, EACH = 4 << 20 };
    const char *path = in_scratch("bomb.gz");
    uint8_t *zeros = calloc(EACH, 1), *read;
    size_t length, packed_length;
    assert_non_null(zeros);
    put_gzip(path, zeros, EACH, "wb");
    uint8_t *packed = get_file(path, &packed_length), *all = malloc(MEMBERS * packed_length);
    assert_non_null(all);
    for (size_t i = 0; i < MEMBERS; i++) memcpy(all + i * packed_length, packed, packed_length);
    put_file(path, all, MEMBERS / 2 * packed_length);
    assert_ok(dcnn_file_read(path, &read, &length));
    assert_int_equal(length, MEMBERS / 2 * EACH);
    free(read);
    put_file(path, all, MEMBERS * packed_length);
    assert_fails(dcnn_file_read(path, &read, &length), DCNN_BAD_INPUT, "out of proportion", path);
    assert_null(read);
    assert_ok(dcnn_file_check_unpacked(path, 1 << 20, 256 << 20));
    assert_ok(dcnn_file_check_unpacked(path, 10 << 20, 1000 << 20));
    assert_fails(dcnn_file_check_unpacked(path, 9 << 20, 1000 << 20), DCNN_BAD_INPUT,
                 "9437184 bytes unpack to 1000 MiB", path);
    free(all);
    free(packed);
    free(zeros);
}

/* What zcat reads: members without content wherever they stand (bgzip ends with one), a length in the trailer that
 * lies, zeros behind the end. The first of these hung for ever once. */
static void gzip_is_read_as_zcat_reads_it(void **state) {
    (void)state;
    const char *path = in_scratch("odd.gz");
    uint8_t bytes[300], *read;
    size_t length, packed_length;
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)draw_below(256);
    for (int order = 0; order < 3; order++) {
        put_gzip(path, bytes, order == 0 ? 0 : sizeof bytes, "wb");
        put_gzip(path, bytes, order == 1 ? 0 : sizeof bytes, "ab");
        if (order == 2) put_gzip(path, bytes, 0, "ab");
        assert_ok(dcnn_file_read(path, &read, &length));
        assert_int_equal(length, order == 2 ? 2 * sizeof bytes : sizeof bytes);
        assert_memory_equal(read, bytes, sizeof bytes);
        free(read);
    }
    put_gzip(path, bytes, sizeof bytes, "wb");
    uint8_t *packed = get_file(path, &packed_length);
    uint8_t *longer = calloc(packed_length + 512, 1);
    assert_non_null(longer);
    memcpy(longer, packed, packed_length);
    put_file(path, longer, packed_length + 512);
    assert_ok(dcnn_file_read(path, &read, &length));
    assert_int_equal(length, sizeof bytes);
    free(read);
    longer[packed_length + 500] = 7; /* not zeros: a tail that does not belong there */
    put_file(path, longer, packed_length + 512);
    assert_fails(dcnn_file_read(path, &read, &length), DCNN_BAD_INPUT, "extra bytes at its end", path);
    for (int i = 1; i <= 4; i++) packed[packed_length - (size_t)i] = 0xff; /* 4 GB, it says */
    put_file(path, packed, packed_length);
    assert_fails(dcnn_file_read(path, &read, &length), DCNN_BAD_INPUT, "damaged gzip", path);
    free(longer);
    free(packed);
}

/* --- what never ends --------------------------------------------------------------------------------------------- */

static void devices_and_folders_are_no_inputs(void **state) {
    (void)state;
    uint8_t *read;
    size_t length;
    hid_t file;
    dcnn_seal seal;
    assert_fails(dcnn_file_read("/dev/zero", &read, &length), DCNN_BAD_INPUT, "is a device", "/dev/zero");
    assert_fails(dcnn_file_read(scratch, &read, &length), DCNN_BAD_INPUT, "is a folder", scratch);
    assert_fails(dcnn_h5_open("/dev/zero", &file, NULL), DCNN_BAD_INPUT, "is a device", "/dev/zero");
    assert_int_equal(mkfifo(in_scratch("pipe"), 0600), 0);
    assert_fails(dcnn_h5_open(in_scratch("pipe"), &file, NULL), DCNN_BAD_INPUT, "is a pipe", "pipe");
    assert_fails(dcnn_file_verify(in_scratch("pipe"), &seal), DCNN_BAD_INPUT, "is a pipe", "pipe");
}

/* A pipe is read once, to its end: `--model <(...)`. */
static void pipes_with_a_writer_are_read(void **state) {
    (void)state;
    const char *path = in_scratch("written-pipe");
    uint8_t *read;
    size_t length;
    assert_int_equal(mkfifo(path, 0600), 0);
    const pid_t writer = fork();
    if (writer == 0) {
        const int to = open(path, O_WRONLY);
        _exit(write(to, "from the pipe", 13) == 13 ? 0 : 1);
    }
    assert_ok(dcnn_file_read(path, &read, &length));
    assert_int_equal(length, 13);
    assert_memory_equal(read, "from the pipe", 13);
    assert_int_equal(waitpid(writer, NULL, 0), writer);
    free(read);
}

/* A file in memory has nothing to do with one of its name on disk, of whatever size. */
static void file_in_memory_reads_no_old_one(void **state) {
    (void)state;
    const char *path = in_scratch("huge.h5");
    const void *bytes;
    size_t length;
    hid_t file;
    put_text(path, "\x89HDF\r\n\x1a\n");
    if (truncate(path, (off_t)1 << 40) != 0) skip(); /* a file system without holes */
    assert_ok(dcnn_h5_create(path, 0, &file));
    assert_ok(dcnn_h5_text_write(file, "text", "new"));
    assert_ok(dcnn_h5_image(file, &bytes, &length));
    assert_true(length < 1 << 20);
    char *text;
    assert_fails(dcnn_h5_text_read(file, "none", &text), DCNN_BAD_INPUT, "attribute 'none'", path);
    assert_null(strstr(dcnn_error(), "/dev/null"));
    dcnn_h5_close(file);
    assert_int_equal(unlink(path), 0);
}

/* A flip in gzip's own header (time, system) may be harmless; one that changes what is unpacked never passes. */
static void damaged_gzip_never_passes(void **state) {
    (void)state;
    const char *path = in_scratch("bad.gz");
    uint8_t bytes[4000], *read;
    size_t length, packed_length;
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)draw_below(20);
    put_gzip(path, bytes, sizeof bytes, "wb");
    uint8_t *packed = get_file(path, &packed_length);
    int refused = 0;
    for (size_t i = 2; i < packed_length; i += 1 + i / 64) {
        uint8_t kept = packed[i];
        packed[i] ^= (uint8_t)(1u << draw_below(8));
        put_file(path, packed, packed_length);
        if (dcnn_file_read(path, &read, &length) == DCNN_OK) {
            assert_true(i < 10);
            assert_int_equal(length, sizeof bytes);
            assert_memory_equal(read, bytes, length);
        } else {
            refused++;
        }
        free(read);
        packed[i] = kept;
    }
    assert_true(refused > 100);
    for (size_t cut = 1; cut < packed_length - 2; cut += 1 + cut / 16) {
        put_file(path, packed, packed_length - cut);
        assert_fails(dcnn_file_read(path, &read, &length), DCNN_BAD_INPUT, "damaged gzip", path);
    }
    free(packed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_file_is_written_sealed_and_verified),
        cmocka_unit_test(pieces_are_written_like_a_whole),
        cmocka_unit_test(file_that_appears_is_not_replaced),
        cmocka_unit_test(output_goes_where_links_lead),
        cmocka_unit_test(fifo_stays_a_fifo),
        cmocka_unit_test(temporary_files_are_new_and_own),
        cmocka_unit_test(devices_are_not_replaced),
        cmocka_unit_test(failed_write_leaves_the_old_file),
        cmocka_unit_test(folders_are_made),
        cmocka_unit_test(seal_sees_every_flip),
        cmocka_unit_test(files_are_unpacked),
        cmocka_unit_test(gzip_out_of_proportion_is_refused),
        cmocka_unit_test(gzip_is_read_as_zcat_reads_it),
        cmocka_unit_test(devices_and_folders_are_no_inputs),
        cmocka_unit_test(pipes_with_a_writer_are_read),
        cmocka_unit_test(file_in_memory_reads_no_old_one),
        cmocka_unit_test(damaged_gzip_never_passes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
