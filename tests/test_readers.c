/* SPDX-License-Identifier: BSD-3-Clause */
/* test_readers.c — text tables, IDX and MATLAB files, good and bad, as `dcnn prepare` opens them. */
#include "io_helpers.h"

#include <hdf5.h>
#include <limits.h>
#include <sys/wait.h>

#include "sources/readers/array.h"
#include "sources/source.h"

static const dcnn_source_options as_it_is;

static dcnn_status open_paths(int count, const char *first, const char *second, const dcnn_source_options *options,
                              dcnn_sources *sources) {
    char *paths[2] = {(char *)(uintptr_t)first, (char *)(uintptr_t)second};
    *sources = (dcnn_sources){0};
    return dcnn_sources_open(count, paths, DCNN_ROLE_POOL, options, sources);
}

/* --- IDX -------------------------------------------------------------------------------------------------------- */

static const uint8_t idx_images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0,   0,
                                     0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 255, 9};
static const uint8_t idx_labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 7, 255};

static void idx_is_read(void **state) {
    (void)state;
    const char *images_path = in_scratch("some-images"), *labels_path = in_scratch("some-labels.gz");
    dcnn_sources sources;
    put_file(images_path, idx_images, sizeof idx_images);
    put_gzip(labels_path, idx_labels, sizeof idx_labels, "wb");
    assert_ok(open_paths(2, images_path, labels_path, &as_it_is, &sources));
    assert_int_equal(sources.count, 1);
    const dcnn_source *s = &sources.items[0];
    assert_true(s->count == 2 && s->h == 2 && s->w == 3 && s->c == 1);
    assert_memory_equal(s->pixels, idx_images + 16, 12);
    assert_true(s->labels[0] == 7 && s->labels[1] == 255);
    dcnn_sources_free(&sources);

    static const uint8_t colour[] = {0, 0, 8, 4, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6};
    const dcnn_source_options unlabelled = {.unlabelled = true};
    put_gzip(images_path, colour, sizeof colour, "wb");
    assert_ok(open_paths(1, images_path, NULL, &unlabelled, &sources));
    s = &sources.items[0];
    assert_true(s->count == 1 && s->h == 1 && s->w == 2 && s->c == 3 && s->labels == NULL);
    assert_memory_equal(s->pixels, colour + 20, 6);
    dcnn_sources_free(&sources);
}

static void bad_idx(const uint8_t *bytes, size_t length, bool labels, const char *fragment) {
    const char *images_path = in_scratch("bad-images"), *labels_path = in_scratch("bad-labels");
    dcnn_sources sources;
    put_file(images_path, labels ? idx_images : bytes, labels ? sizeof idx_images : length);
    put_file(labels_path, labels ? bytes : idx_labels, labels ? length : sizeof idx_labels);
    assert_fails(open_paths(2, images_path, labels_path, &as_it_is, &sources), DCNN_BAD_INPUT, fragment,
                 labels ? labels_path : images_path);
    dcnn_sources_free(&sources);
}

static void bad_idx_is_refused(void **state) {
    (void)state;
    uint8_t bytes[sizeof idx_images + 1];
    memcpy(bytes, idx_images, sizeof idx_images);
    bytes[sizeof idx_images] = 0;
    bad_idx(bytes, 0, false, "empty");
    bad_idx(bytes, 15, false, "header needs 16");
    bad_idx(bytes, sizeof idx_images - 1, false, "cut");
    bad_idx(bytes, sizeof idx_images + 1, false, "too long");
    bad_idx((const uint8_t *)"\0\0\x07\3\0\0\0\1", 8, false, "");
    bad_idx(idx_labels, 7, true, "header needs 8");
    /* a file that has become another one since its kind was looked at */
    static const struct {
        uint8_t bytes[8];
        size_t length;
    } others[] = {{{0, 0, 8}, 3},    {{1, 0, 8, 1, 0, 0, 0, 1}, 8}, {{0, 1, 8, 1}, 4}, {{0, 0, 10, 1, 0, 0, 0, 1}, 8},
                  {{0, 0, 8, 0}, 4}, {{0, 0, 8, 9, 0, 0, 0, 1}, 8}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        dcnn_array_list arrays = {0};
        put_file(in_scratch("other.idx"), others[i].bytes, others[i].length);
        assert_fails(dcnn_idx_read(in_scratch("other.idx"), &arrays), DCNN_BAD_INPUT, "other.idx", "not an IDX file");
        dcnn_array_list_free(&arrays);
    }
    bad_idx(idx_labels, 9, true, "cut");
    static const uint8_t none[] = {0, 0, 8, 1, 0, 0, 0, 0};
    bad_idx(none, sizeof none, true, "holds no labels");
    for (int at = 4; at < 16; at += 4) {
        memcpy(bytes, idx_images, sizeof idx_images);
        bytes[at + 3] = 0;
        bad_idx(bytes, sizeof idx_images, false, "is 0");
        bytes[at] = 0x80; /* 2^31 */
        bad_idx(bytes, sizeof idx_images, false, "too large");
    }
    memcpy(bytes, idx_images, sizeof idx_images);
    for (int at = 4; at < 16; at++) bytes[at] = at % 4 ? 0xff : 0x7f; /* each dimension fits, their product does not */
    bad_idx(bytes, sizeof idx_images, false, "too large");
}

/* --- tables ----------------------------------------------------------------------------------------------------- */

static void good_table(const char *text, bool labelled, int h, int w, int c) {
    static const uint8_t pixels[] = {0, 10, 255, 7, 1, 2, 3, 4};
    const char *path = in_scratch("good.csv.gz");
    const dcnn_source_options options = {.h = h, .w = w, .c = c};
    dcnn_sources sources;
    put_gzip(path, text, strlen(text), "wb");
    assert_ok(open_paths(1, path, NULL, &options, &sources));
    assert_int_equal(sources.count, 1);
    const dcnn_source *s = &sources.items[0];
    assert_true(s->count == 2);
    if (h)
        assert_true(s->h == h && s->w == w && s->c == c);
    else
        assert_true(s->h == 2 && s->w == 2 && s->c == 1);
    assert_memory_equal(s->pixels, pixels, 8);
    assert_int_equal(s->labels != NULL, labelled);
    if (labelled) assert_true(s->labels[0] == 5 && s->labels[1] == 0);
    dcnn_sources_free(&sources);
}

static void tables_are_read(void **state) {
    (void)state;
    good_table("label,pixel0,pixel1,pixel2,pixel3\n5,0,10,255,7\n0,1,2,3,4\n", true, 0, 0, 0);
    good_table("label,pixel0,pixel1,pixel2,pixel3\r\n5,0,10,255,7\r\n0,1,2,3,4\r\n\r\n", true, 1, 4, 1);
    good_table("\xef\xbb\xbf\"label\",\"1x1\",\"1x2\",\"2x1\",\"2x2\"\n5,000,010,255,7\n0,1,2,3,4", true, 1, 1, 4);
    good_table("pixel0,pixel1,pixel2,pixel3\n0,10,255,7\n1,2,3,4", false, 2, 2, 1);
    good_table("5,0,10,255,7\n0,1,2,3,4\n", true, 0, 0, 0); /* no header */
}

static void bad_table(const char *text, int side, const char *fragment, const char *place) {
    const char *path = in_scratch("bad.csv");
    const dcnn_source_options options = {.h = side, .w = side, .c = side ? 1 : 0};
    dcnn_sources sources;
    char expected[600];
    snprintf(expected, sizeof expected, "%s:%s", path, place);
    put_text(path, text);
    assert_fails(open_paths(1, path, NULL, &options, &sources), DCNN_BAD_INPUT, fragment, expected);
    dcnn_sources_free(&sources);
}

static void bad_tables_are_refused(void **state) {
    (void)state;
#define HEADER "label,pixel0,pixel1,pixel2,pixel3\n"
    bad_table(HEADER "5,0,10,255,7\n0,1,x2,3,4\n", 0, "'x2' is not an integer from 0 to 255", "3:3: ");
    bad_table(HEADER "5,0,10,256,7\n", 0, "'256'", "2:4: ");
    bad_table(HEADER "5,0,10,4294967297,7\n", 0, "'4294967297'", "2:4: ");
    bad_table(HEADER "5,-1,10,25,7\n", 0, "'-1'", "2:2: ");
    bad_table(HEADER "5,,10,25,7\n", 0, "a pixel is missing", "2:2: ");
    bad_table(HEADER "5,1.5,10,25,7\n", 0, "'1.5'", "2:2: ");
    bad_table(HEADER "5,0,10,255,z\n", 0, "'z'", "2:5: ");
    bad_table(HEADER "5,0,10,255,7\n0,1,2,3\n", 0, "has 4 cells, but the header has 5", "3:");
    bad_table(HEADER "5,0,10,255,7\n0,1,2,3,4,5\n", 0, "has more than 5 cells, but the header has 5", "3:");
    bad_table(HEADER ",0,10,255,7\n", 0, "the label is missing", "2:1: ");
    bad_table(HEADER, 0, "has a header but no rows", " ");
    bad_table(HEADER "5,0,10,255,7\n", 3, "4 columns of pixels do not make an image of 3x3x1", " ");
    bad_table("label,pixel0,pixel1\n5,0,10\n", 0, "2 columns of pixels do not make a square image", " ");
    bad_table("label,split,pixel0\n5,train,1\n6,later,2\n", 0, "'later' is not a split", "3:2: ");
    bad_table("emotion,pixels\n5,1 2 3 4\n6,1 2 3\n", 0, "holds 3 pixels, but the first line has 4", "3:2: ");
    bad_table("emotion,pixels\n5,1 2 3 4\n6,1 2 3 4 5\n", 0, "holds 5 pixels, but the first line has 4", "3:2: ");
    bad_table("", 0, "empty", " ");
    bad_table("\n\n", 0, "", " ");
#undef HEADER
    dcnn_sources sources;
    assert_fails(open_paths(1, in_scratch("no.csv"), NULL, &as_it_is, &sources), DCNN_BAD_INPUT, "no such file",
                 "no.csv");
    dcnn_sources_free(&sources);
}

/* --- NumPy ------------------------------------------------------------------------------------------------------ */

static void bad_npy(const char *header, int cut, const char *fragment) {
    const char *path = in_scratch("bad.npy");
    const size_t length = strlen(header);
    uint8_t bytes[400] = "\x93NUMPY\1";
    dcnn_sources sources;
    bytes[8] = (uint8_t)length;
    memcpy(bytes + 10, header, length);
    put_file(path, bytes, 10 + length + 8 - (size_t)cut); /* 8 bytes of values */
    assert_fails(open_paths(1, path, NULL, &as_it_is, &sources), DCNN_BAD_INPUT, fragment, path);
    dcnn_sources_free(&sources);
}

static void bad_numpy_is_refused(void **state) {
    (void)state;
#define SHAPE(type, shape) "{'descr': " type ", 'fortran_order': False, 'shape': " shape ", }"
    bad_npy(SHAPE("[('x', '<f4')]", "(2, 2, 2)"), 0, "holds records");
    bad_npy("{'fortran_order': False, 'shape': (2, 2, 2), }", 0, "holds records");
    bad_npy(SHAPE("'|O'", "(1,)"), 0, "Python objects");
    bad_npy(SHAPE("'<M8'", "(1,)"), 0, "neither numbers nor strings");
    bad_npy(SHAPE("'<f3'", "(1,)"), 0, "neither numbers nor strings");
    bad_npy(SHAPE("'|u1'", "2"), 0, "no shape");
    bad_npy(SHAPE("'|u1'", "(2, x)"), 0, "its shape cannot be read");
    bad_npy(SHAPE("'|u1'", "(2, -2)"), 0, "its shape cannot be read");
    bad_npy(SHAPE("'|u1'", "(1, 1, 1, 1, 1, 1, 1, 1, 1, 8)"), 0, "its shape cannot be read");
    bad_npy(SHAPE("'|u1'", "(2, 2, 3)"), 0, "has 8 bytes of values, but its header says 12 of 1");
    bad_npy(SHAPE("'<f8'", "(4294967296, 4294967296)"), 0, "its header says");
    bad_npy(SHAPE("'|u1'", "(2, 2, 2)"), 12, "ends too early");
#undef SHAPE
}

/* --- HDF5 by other hands ------------------------------------------------------------------------------------------ */

enum { LARGE_COUNT = 24576, LARGE_SIDE = 64 }; /* 96 MiB */

static void put_large_hdf5(const char *path) {
    const hsize_t shape[3] = {LARGE_COUNT, LARGE_SIDE, LARGE_SIDE}, chunk[3] = {1000, LARGE_SIDE, LARGE_SIDE};
    const size_t size = (size_t)LARGE_SIDE * LARGE_SIDE, part = 1000 * size;
    uint8_t *pixels = calloc(part, 1);
    assert_non_null(pixels);
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT),
                creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(creation, 3, chunk);
    H5Pset_deflate(creation, 1);
    const hid_t all = H5Screate_simple(3, shape, NULL),
                data = H5Dcreate2(file, "x_train", H5T_STD_U8LE, all, H5P_DEFAULT, creation, H5P_DEFAULT);
    for (hsize_t first = 0; first < LARGE_COUNT; first += 1000) {
        const hsize_t start[3] = {first, 0, 0},
                      count[3] = {LARGE_COUNT - first < 1000 ? LARGE_COUNT - first : 1000, LARGE_SIDE, LARGE_SIDE};
        const hid_t some = H5Screate_simple(3, count, NULL);
        for (hsize_t i = 0; i < count[0]; i++) memcpy(pixels + i * size + 5, &(uint32_t){(uint32_t)(first + i)}, 4);
        H5Sselect_hyperslab(all, H5S_SELECT_SET, start, NULL, count, NULL);
        assert_true(H5Dwrite(data, H5T_NATIVE_UINT8, some, all, H5P_DEFAULT, pixels) >= 0);
        H5Sclose(some);
    }
    H5Sclose(all);
    H5Dclose(data);
    H5Pclose(creation);
    assert_true(H5Fclose(file) >= 0);
    free(pixels);
}

/* In a process of its own: its largest resident memory in KiB, or -1 if what it reads is not what was written. */
static long peak_of_reading(const char *path) {
    struct rusage used;
    int code = 0;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const dcnn_source_options options = {.unlabelled = true, .aside = scratch};
        dcnn_sources sources;
        bool right = open_paths(1, path, NULL, &options, &sources) == DCNN_OK && sources.items[0].count == LARGE_COUNT;
        for (int64_t i = 0; right && i < LARGE_COUNT; i += LARGE_COUNT - 1)
            right = memcmp(sources.items[0].pixels + i * LARGE_SIDE * LARGE_SIDE + 5, &(uint32_t){(uint32_t)i}, 4) == 0;
        _exit(right ? 0 : 1);
    }
    assert_int_equal(wait4(child, &code, 0, &used), child);
    return WIFEXITED(code) && WEXITSTATUS(code) == 0 ? used.ru_maxrss : -1;
}

static void large_hdf5_does_not_fill_memory(void **state) {
    (void)state;
    const char *path = in_scratch("large.h5");
    put_large_hdf5(path);
    const long peak = peak_of_reading(path);
#ifdef __SANITIZE_ADDRESS__
    const long most = LONG_MAX; /* its shadow and what it keeps back count too: only the values are checked */
#else
    const long most = 64 * 1024;
#endif
    if (peak < 0 || peak > most) fail_msg("96 MiB of images were read with %ld KiB resident", peak);
}

/* --- MATLAB 5 to 7 ---------------------------------------------------------------------------------------------- */

enum { MATRIX = 14, TEXT = 1, DOUBLES = 9 };

/* An element: its type, how many bytes, the bytes, zeros up to the next multiple of 8. */
static void put_element(uint8_t **at, uint32_t type, const void *bytes, uint32_t length) {
    memcpy(*at, &type, 4);
    memcpy(*at + 4, &length, 4);
    memcpy(*at + 8, bytes, length);
    *at += 8 + (length + 7) / 8 * 8;
}

/* A variable of bytes; its name is an element of that type, or missing. */
static void put_variable(uint8_t **at, uint32_t rank, const int32_t *shape, const char *name, uint32_t name_type,
                         const uint8_t *bytes) {
    enum { FLAGS = 6, SHAPE = 5, BYTES = 2, CLASS_BYTES = 9 };
    const uint32_t flags[2] = {CLASS_BYTES};
    uint8_t *begin = *at;
    *at += 8;
    put_element(at, FLAGS, flags, sizeof flags);
    put_element(at, SHAPE, shape, rank * (uint32_t)sizeof *shape);
    if (name) put_element(at, name_type, name, (uint32_t)strlen(name));
    put_element(at, BYTES, bytes, (uint32_t)(shape[0] * shape[1] * (rank > 2 ? shape[2] : 1)));
    const uint32_t matrix = MATRIX, all = (uint32_t)(*at - begin) - 8;
    memcpy(begin, &matrix, 4);
    memcpy(begin + 4, &all, 4);
}

/* Three images of 2x2, their labels, and a third variable. */
static dcnn_status open_mat(const char *name, uint32_t name_type, bool more, const dcnn_source_options *options,
                            dcnn_sources *sources) {
    enum { HEAD = 128 };
    static const uint8_t images[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, labels[] = {0, 1, 0};
    const int32_t images_shape[] = {2, 2, 3}, labels_shape[] = {3, 1};
    uint8_t file[1024] = "MATLAB 5.0 MAT-file", *end = file + HEAD;
    memcpy(file + HEAD - 4, "\0\1IM", 4);
    put_variable(&end, 3, images_shape, "X", TEXT, images);
    put_variable(&end, 2, labels_shape, "y", TEXT, labels);
    put_variable(&end, 2, labels_shape, name, name_type, labels);
    if (more) put_element(&end, MATRIX, images, 8); /* nothing that libmatio knows */
    const char *path = in_scratch("some.mat");
    put_file(path, file, (size_t)(end - file));
    return open_paths(1, path, NULL, options, sources);
}

static void find_line(void *context, const char *line) {
    if (strstr(line, "only the first 3 of its 4 variables can be read")) *(bool *)context = true;
}

static void matlab_is_read(void **state) {
    (void)state;
    dcnn_sources sources;
    bool told = false;
    const dcnn_source_options options = {.tell = find_line, .context = &told};
    const dcnn_status status = open_mat("z", TEXT, false, &options, &sources);
    const bool without = status != DCNN_OK && strstr(dcnn_error(), "built without libmatio");
    if (!without) {
        assert_ok(status);
        const dcnn_source *s = &sources.items[0];
        assert_true(s->count == 3 && s->h == 2 && s->w == 2 && s->c == 1 && !told);
        assert_memory_equal(s->pixels, ((uint8_t[]){1, 3, 2, 4, 5, 7, 6, 8, 9, 11, 10, 12}), 12);
        assert_true(s->labels[0] == 0 && s->labels[1] == 1 && s->labels[2] == 0);
    }
    dcnn_sources_free(&sources);
    if (without) skip();
    assert_ok(open_mat("z", TEXT, true, &options, &sources));
    assert_true(told);
    dcnn_sources_free(&sources);
    /* a name is missing, or is none */
    assert_fails(open_mat(NULL, TEXT, false, &as_it_is, &sources), DCNN_BAD_INPUT, "variable 3 has no name",
                 "some.mat: ");
    dcnn_sources_free(&sources);
    assert_fails(open_mat("z", DOUBLES, false, &as_it_is, &sources), DCNN_BAD_INPUT, "variable 3 has no name",
                 "some.mat: ");
    dcnn_sources_free(&sources);
}

/* KiB of address space that this process has had at most. */
static long most_asked(void) {
    FILE *status = fopen("/proc/self/status", "re");
    char line[256];
    long kib = -1;
    while (status && kib < 0 && fgets(line, sizeof line, status))
        if (strncmp(line, "VmPeak:", 7) == 0) kib = strtol(line + 7, NULL, 10);
    if (status) fclose(status);
    return kib;
}

/* Cells by the million in a file of 300 bytes: libmatio asks for memory for each. */
static void matlab_takes_no_memory_that_it_cannot_fill(void **state) {
    (void)state;
    enum { HEAD = 128, FLAGS = 6, SHAPE = 5, CELLS = 1, SIDE = 15000 };
    const uint32_t flags[2] = {CELLS}, matrix = MATRIX;
    const int32_t shape[2] = {SIDE, SIDE}, one[2] = {1, 1};
    static const uint8_t byte[] = {7};
    uint8_t file[1024] = "MATLAB 5.0 MAT-file", *begin = file + HEAD, *end = begin + 8;
    dcnn_sources sources;
    memcpy(file + HEAD - 4, "\0\1IM", 4);
    put_element(&end, FLAGS, flags, sizeof flags);
    put_element(&end, SHAPE, shape, sizeof shape);
    put_element(&end, TEXT, "c", 1);
    put_variable(&end, 2, one, "in", TEXT, byte);
    const uint32_t all = (uint32_t)(end - begin) - 8;
    memcpy(begin, &matrix, 4);
    memcpy(begin + 4, &all, 4);
    const char *path = in_scratch("cells.mat");
    put_file(path, file, (size_t)(end - file));
    const long before = most_asked();
    const dcnn_status status = open_paths(1, path, NULL, &as_it_is, &sources);
    const long after = most_asked();
    dcnn_sources_free(&sources);
    assert_int_equal(status, DCNN_BAD_INPUT);
    if (strstr(dcnn_error(), "built without libmatio")) skip();
    printf("%s; %ld KiB more were asked for\n", dcnn_error(), after - before);
    assert_true(before > 0 && after - before < 256 * 1024);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_hdf5_does_not_fill_memory),
        cmocka_unit_test(idx_is_read),
        cmocka_unit_test(bad_idx_is_refused),
        cmocka_unit_test(tables_are_read),
        cmocka_unit_test(bad_tables_are_refused),
        cmocka_unit_test(bad_numpy_is_refused),
        cmocka_unit_test(matlab_takes_no_memory_that_it_cannot_fill),
        cmocka_unit_test(matlab_is_read),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
