/* SPDX-License-Identifier: BSD-3-Clause */
/* test_hdf5.c — numbers, texts and names in HDF5 files, and what is refused. */
#include "io_helpers.h"

#include "io/hdf5/hdf5.h"

static const double doubles[3] = {-1.5, 0x1.fffffffffffffp-3, 1e300};
static const float floats[6] = {-1, 2.5f, -0.0f, 1e-40f, 3e38f, 7};
static const int64_t longs[2] = {INT64_MIN, INT64_MAX};
static const int32_t ints[2] = {INT32_MIN, INT32_MAX};
static const uint64_t huge = UINT64_MAX;
static const char *const names[3] = {"conv2d", "", "dense_longest"};

static void write_example(hid_t file, const char *text) {
    hid_t group;
    assert_ok(dcnn_h5_attribute_write(file, "doubles", DCNN_H5_DOUBLE, 3, doubles));
    assert_ok(dcnn_h5_attribute_write(file, "huge", DCNN_H5_UINT64, -1, &(uint64_t){3}));
    assert_ok(dcnn_h5_attribute_write(file, "huge", DCNN_H5_UINT64, -1, &huge));
    assert_ok(dcnn_h5_text_write(file, "text", text));
    assert_ok(dcnn_h5_group_create(file, "outer/inner", &group));
    assert_ok(dcnn_h5_names_write(group, "layer_names", 3, names));
    assert_ok(dcnn_h5_names_write(group, "none", 0, NULL));
    assert_ok(dcnn_h5_attribute_write(group, "no_floats", DCNN_H5_DOUBLE, 0, NULL));
    dcnn_h5_group_close(group);
    assert_ok(dcnn_h5_write(file, "outer/floats", DCNN_H5_FLOAT, 2, (int64_t[]){2, 3}, 0, floats));
    assert_ok(dcnn_h5_write(file, "outer/chunked", DCNN_H5_FLOAT, 2, (int64_t[]){2, 3}, 64, floats));
    assert_ok(dcnn_h5_write(file, "longs", DCNN_H5_INT64, 1, (int64_t[]){2}, 0, longs));
    assert_ok(dcnn_h5_write(file, "ints", DCNN_H5_INT32, 1, (int64_t[]){2}, 0, ints));
    assert_ok(dcnn_h5_write(file, "bytes", DCNN_H5_UINT8, 1, (int64_t[]){3}, 0, "\0\177\377"));
    assert_ok(dcnn_h5_write(file, "scalar", DCNN_H5_INT64, 0, NULL, 0, longs));
    assert_ok(dcnn_h5_write(file, "empty", DCNN_H5_INT64, 1, (int64_t[]){0}, 0, NULL));
    assert_ok(dcnn_h5_strings_write(file, "strings", 3, names));
}

static void check_names(dcnn_status status, int count, char **read) {
    assert_ok(status);
    assert_int_equal(count, 3);
    for (int i = 0; i < 3; i++) assert_string_equal(read[i], names[i]);
    dcnn_h5_names_free(count, read);
}

static void check_example(hid_t file, const char *text) {
    double d[3];
    float f[6];
    int64_t l[2];
    int32_t n[2];
    uint64_t u;
    uint8_t b[3];
    char *read_text, **read;
    int count;
    assert_ok(dcnn_h5_attribute_read(file, "doubles", DCNN_H5_DOUBLE, 3, d));
    assert_memory_equal(d, doubles, sizeof d);
    assert_ok(dcnn_h5_attribute_read(file, "huge", DCNN_H5_UINT64, -1, &u));
    assert_true(u == huge);
    assert_ok(dcnn_h5_text_read(file, "text", &read_text));
    assert_string_equal(read_text, text);
    free(read_text);
    assert_ok(dcnn_h5_read(file, "outer/floats", DCNN_H5_FLOAT, 2, (int64_t[]){2, 3}, f));
    assert_memory_equal(f, floats, sizeof f);
    memset(f, 0, sizeof f);
    assert_ok(dcnn_h5_read(file, "outer/chunked", DCNN_H5_FLOAT, 2, (int64_t[]){2, 3}, f));
    assert_memory_equal(f, floats, sizeof f);
    assert_ok(dcnn_h5_read(file, "longs", DCNN_H5_INT64, 1, (int64_t[]){2}, l));
    assert_memory_equal(l, longs, sizeof l);
    assert_ok(dcnn_h5_read(file, "ints", DCNN_H5_INT32, 1, (int64_t[]){2}, n));
    assert_memory_equal(n, ints, sizeof n);
    assert_ok(dcnn_h5_read(file, "ints", DCNN_H5_INT64, 1, (int64_t[]){2}, l)); /* widened */
    assert_true(l[0] == INT32_MIN && l[1] == INT32_MAX);
    assert_ok(dcnn_h5_read(file, "bytes", DCNN_H5_UINT8, 1, (int64_t[]){3}, b));
    assert_memory_equal(b, "\0\177\377", 3);
    assert_ok(dcnn_h5_read(file, "scalar", DCNN_H5_INT64, 0, NULL, l));
    assert_true(l[0] == INT64_MIN);
    assert_ok(dcnn_h5_read(file, "empty", DCNN_H5_INT64, 1, (int64_t[]){0}, NULL));
    dcnn_status status = dcnn_h5_strings_read(file, "strings", &count, &read);
    check_names(status, count, read);
    hid_t group;
    assert_ok(dcnn_h5_group_open(file, "outer/inner", &group));
    status = dcnn_h5_names_read(group, "layer_names", &count, &read);
    check_names(status, count, read);
    assert_ok(dcnn_h5_names_read(group, "none", &count, &read));
    assert_int_equal(count, 0);
    dcnn_h5_names_free(count, read);
    assert_ok(dcnn_h5_names_read(group, "no_floats", &count, &read));
    assert_int_equal(count, 0);
    dcnn_h5_names_free(count, read);
    dcnn_h5_group_close(group);
    assert_ok(dcnn_h5_list(file, "outer", &count, &read));
    assert_int_equal(count, 3);
    assert_string_equal(read[0], "chunked");
    assert_string_equal(read[2], "inner");
    dcnn_h5_names_free(count, read);
    assert_true(dcnn_h5_has(file, "outer/inner"));
    assert_false(dcnn_h5_has(file, "outer/nothing/below"));
}

static void check_refusals(hid_t file, const char *path) {
    float f[6];
    int32_t n[2];
    int64_t l[6];
    int count, rank;
    char *text, **read;
    hid_t group;
    assert_fails(dcnn_h5_attribute_read(file, "nope", DCNN_H5_INT32, -1, n), DCNN_BAD_INPUT, "attribute 'nope'", path);
    assert_fails(dcnn_h5_attribute_read(file, "doubles", DCNN_H5_DOUBLE, 2, l), DCNN_BAD_INPUT, "has 3 values", path);
    assert_fails(dcnn_h5_attribute_read(file, "huge", DCNN_H5_INT64, -1, l), DCNN_BAD_INPUT, "int64", path);
    assert_fails(dcnn_h5_attribute_read(file, "text", DCNN_H5_INT64, -1, l), DCNN_BAD_INPUT, "int64", path);
    assert_fails(dcnn_h5_text_read(file, "huge", &text), DCNN_BAD_INPUT, "text", path);
    assert_fails(dcnn_h5_read(file, "longs", DCNN_H5_INT32, 1, (int64_t[]){2}, n), DCNN_BAD_INPUT, "int32", path);
    assert_fails(dcnn_h5_read(file, "ints", DCNN_H5_UINT8, 1, (int64_t[]){2}, n), DCNN_BAD_INPUT, "uint8", path);
    assert_fails(dcnn_h5_read(file, "longs", DCNN_H5_FLOAT, 1, (int64_t[]){2}, f), DCNN_BAD_INPUT, "float32", path);
    assert_fails(dcnn_h5_read(file, "outer/floats", DCNN_H5_FLOAT, 2, (int64_t[]){3, 2}, f), DCNN_BAD_INPUT,
                 "shape (2, 3), not (3, 2)", path);
    assert_fails(dcnn_h5_read(file, "none/such", DCNN_H5_FLOAT, 1, l, f), DCNN_BAD_INPUT, "is missing", path);
    assert_fails(dcnn_h5_read(file, "outer", DCNN_H5_FLOAT, 1, l, f), DCNN_BAD_INPUT, "cannot be opened", path);
    assert_fails(dcnn_h5_shape(file, "none", &rank, l), DCNN_BAD_INPUT, "is missing", path);
    assert_fails(dcnn_h5_group_open(file, "none", &group), DCNN_BAD_INPUT, "is missing", path);
    assert_fails(dcnn_h5_group_open(file, "longs", &group), DCNN_BAD_INPUT, "cannot be opened", path);
    assert_fails(dcnn_h5_list(file, "none", &count, &read), DCNN_BAD_INPUT, "is missing", path);
    assert_fails(dcnn_h5_names_read(file, "doubles", &count, &read), DCNN_BAD_INPUT, "text", path);
    assert_fails(dcnn_h5_write(file, "late", DCNN_H5_FLOAT, 0, NULL, 0, f), DCNN_FAILURE, "cannot be written", path);
    assert_fails(dcnn_h5_text_write(file, "late", "x"), DCNN_FAILURE, "cannot be written", path);
}

static void hdf5_keeps_values_and_names_what_is_wrong(void **state) {
    (void)state;
    const char *path = in_scratch("example.h5");
    size_t long_bytes = 200000, length;
    char *text = malloc(long_bytes + 1); /* longer than an attribute may be: HDF5 keeps such text in its heap */
    assert_non_null(text);
    memset(text, 'x', long_bytes);
    memcpy(text, "\xc3\xa4{", 3);
    text[long_bytes] = '\0';
    hid_t file, again;
    const void *image;
    uint64_t checksum;
    assert_ok(dcnn_h5_create(path, 100, &file));
    write_example(file, text);
    assert_ok(dcnn_h5_image(file, &image, &length));
    assert_ok(dcnn_file_write(path, image, length, true));
    assert_ok(dcnn_h5_open_image("image", image, length, &again));
    check_example(again, text);
    dcnn_h5_close(again);
    const char *longest = text;
    assert_fails(dcnn_h5_names_write(file, "too_long", 1, &longest), DCNN_FAILURE, "too_long", path);
    dcnn_h5_close(file);
    assert_ok(dcnn_h5_open(path, &file, &checksum));
    assert_true(checksum != 0);
    check_example(file, text);
    check_refusals(file, path);
    dcnn_h5_close(file);
    uint8_t *first = get_file(path, &length), *second;
    size_t second_length;
    assert_ok(dcnn_h5_create("elsewhere", 1 << 20, &file)); /* the same content makes the same bytes */
    write_example(file, text);
    assert_ok(dcnn_h5_image(file, &image, &second_length));
    assert_int_equal(second_length + 32, length);
    assert_memory_equal(first, image, second_length);
    dcnn_h5_close(file);
    put_file(path, first, length - 32); /* what h5py would have written */
    assert_ok(dcnn_h5_open(path, &file, &checksum));
    assert_true(checksum == 0);
    dcnn_h5_close(file);
    second = first;
    for (size_t cut = 1; cut < 32; cut++) {
        put_file(path, second, length - cut);
        assert_fails(dcnn_h5_open(path, &file, NULL), DCNN_BAD_INPUT, "damaged", path);
    }
    free(first);
    free(text);
}

static void what_is_no_hdf5_is_refused(void **state) {
    (void)state;
    const char *path = in_scratch("no.h5");
    hid_t file;
    assert_fails(dcnn_h5_open(path, &file, NULL), DCNN_BAD_INPUT, "No such file", path);
    put_text(path, "");
    assert_fails(dcnn_h5_open(path, &file, NULL), DCNN_BAD_INPUT, "empty", path);
    put_text(path, "label,pixel0\n1,2\n");
    assert_fails(dcnn_h5_open(path, &file, NULL), DCNN_BAD_INPUT, "is a text table, not an HDF5 file", path);
    assert_fails(dcnn_h5_open(scratch, &file, NULL), DCNN_BAD_INPUT, "regular file", scratch);
    assert_fails(dcnn_h5_open_image("image", "nothing", 7, &file), DCNN_BAD_INPUT, "is not an HDF5 file", "image");
    assert_true(file < 0);
    dcnn_h5_close(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hdf5_keeps_values_and_names_what_is_wrong),
        cmocka_unit_test(what_is_no_hdf5_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
