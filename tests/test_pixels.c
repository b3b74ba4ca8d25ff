/* SPDX-License-Identifier: BSD-3-Clause */
/* test_pixels.c — data sets written image by image, and pixels read row by row from files of any layout. */
#include "io_helpers.h"

#include <hdf5.h>
#include <sys/syscall.h>
#include <xxhash.h>

#include "io/dataset/dataset_writer.h"
#include "io/dataset/pixels.h"
#include "io/hdf5/hdf5.h"
#include "dataset_helpers.h"

/* LeakSanitizer's own hook: HDF5 leaks where damage ends a call in its middle, which these tests cause at random
 * places. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:libhdf5";
}

enum { H = 3, W = 5, C = 3, IMAGE = H * W * C, ROWS = 200, CLASSES = 3 };

static uint8_t pixels[ROWS * IMAGE];
static int32_t labels[ROWS];

static int set_up_pixels(void **state) {
    if (set_up(state) != 0) return -1;
    for (int i = 0; i < ROWS * IMAGE; i++) pixels[i] = (uint8_t)draw_below(256);
    for (int i = 0; i < ROWS; i++) labels[i] = (int32_t)draw_below(CLASSES);
    return 0;
}

/* --- the golden files: format 1 as dcnn 0.1.0 wrote it, and format 2, of the same images -------------------------- */

enum { GOLDEN_ROWS = 70, GOLDEN_IMAGE = 5 * 4 * 3 };

static void read_golden(const char *path, dcnn_dataset *set, uint8_t *read, int32_t *read_labels) {
    assert_ok(dcnn_dataset_open(path, set));
    assert_true(set->count == GOLDEN_ROWS && set->h == 5 && set->w == 4 && set->c == 3 && set->class_count == 3);
    assert_true(set->sealed && set->seed == 9 && set->has_labels && !set->has_ids && set->target_width == 0);
    assert_string_equal(set->source, "golden.csv");
    assert_ok(read_dataset(set, read, read_labels));
    assert_ok(dcnn_dataset_verify(set));
    for (int row = 0; row < GOLDEN_ROWS; row++) {
        assert_int_equal(read_labels[row], (row * 5 + row / 7) % 3);
        for (int i = 0; i < GOLDEN_IMAGE; i++) {
            const int at = row * GOLDEN_IMAGE + i;
            assert_int_equal(read[at], at * at / 97 % 256);
        }
    }
}

static void both_formats_are_read_alike(void **state) {
    (void)state;
    static uint8_t read[GOLDEN_ROWS * GOLDEN_IMAGE];
    int32_t read_labels[GOLDEN_ROWS];
    dcnn_dataset one, two;
    read_golden(DCNN_SOURCE_DIR "/tests/expected/dataset-1.h5", &one, read, read_labels);
    read_golden(DCNN_SOURCE_DIR "/tests/expected/dataset-2.h5", &two, read, read_labels);
    assert_true(one.checksum == UINT64_C(0xa2d8e497aa352d8a) && two.checksum == UINT64_C(0x7e9ed13ca0310620));
    assert_true(!one.checksums && two.checksums && two.block_rows == 4096);
    assert_memory_equal(one.mean, two.mean, 3 * sizeof *one.mean);
    assert_memory_equal(one.std, two.std, 3 * sizeof *one.std);
    assert_string_equal(one.source_checksum, two.source_checksum);
    assert_int_equal(one.split_count, two.split_count);
    for (int i = 0; i < one.split_count; i++) {
        assert_string_equal(one.splits[i].name, two.splits[i].name);
        assert_int_equal(one.splits[i].count, two.splits[i].count);
        assert_memory_equal(one.splits[i].rows, two.splits[i].rows, (size_t)one.splits[i].count * sizeof(int64_t));
    }
    dcnn_dataset_free(&one);
    dcnn_dataset_free(&two);
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

static const int64_t train_rows[] = {0, 3, 5, 199}, test_rows[] = {1, 2};
static const dcnn_split two_splits[] = {{.name = "train", .count = 4, .rows = (int64_t *)(uintptr_t)train_rows},
                                        {.name = "test", .count = 2, .rows = (int64_t *)(uintptr_t)test_rows}};
static const dcnn_dataset_about plain = {.class_count = CLASSES, .split_count = 2, .splits = two_splits, .seed = 4};

/* All images, so many a call. */
static void write_set(const char *path, int64_t at_once, const dcnn_dataset_about *about) {
    dcnn_dataset_writer *writer;
    assert_ok(dcnn_dataset_writer_open(path, H, W, C, 0, &writer));
    for (int64_t row = 0; row < ROWS; row += at_once)
        assert_ok(
            dcnn_dataset_writer_append(writer, &(dcnn_samples_in){.count = ROWS - row < at_once ? ROWS - row : at_once,
                                                                  .pixels = pixels + row * IMAGE,
                                                                  .labels = labels + row}));
    assert_int_equal(dcnn_dataset_writer_count(writer), ROWS);
    assert_memory_equal(dcnn_dataset_writer_labels(writer), labels, sizeof labels);
    assert_ok(dcnn_dataset_writer_finish(writer, about));
}

static void pieces_do_not_matter(void **state) {
    (void)state;
    static uint8_t read[ROWS * IMAGE];
    static int32_t read_labels[ROWS];
    size_t length_a, length_b;
    write_set(in_scratch("a.h5"), ROWS, &plain);
    write_set(in_scratch("b.h5"), 7, &plain);
    uint8_t *a = get_file(in_scratch("a.h5"), &length_a), *b = get_file(in_scratch("b.h5"), &length_b);
    assert_int_equal(length_a, length_b);
    assert_memory_equal(a, b, length_a);
    assert_memory_equal(a + DCNN_PIXELS_OFFSET, pixels, sizeof pixels);
    free(a);
    free(b);
    dcnn_dataset set;
    assert_ok(dcnn_dataset_open(in_scratch("b.h5"), &set));
    assert_ok(read_dataset(&set, read, read_labels));
    assert_memory_equal(read, pixels, sizeof pixels);
    assert_memory_equal(read_labels, labels, sizeof labels);
    assert_string_equal(set.class_names[2], "2");
    assert_string_equal(set.image_kind, "");
    double sum = 0;
    for (int i = 0; i < 4; i++)
        for (int at = 1; at < IMAGE; at += C) sum += pixels[train_rows[i] * IMAGE + at];
    assert_true(set.mean[1] == sum / (4 * H * W) / 255.0);
    dcnn_dataset_free(&set);
}

static void ids_and_targets_come_back(void **state) {
    (void)state;
    static float targets[ROWS][2], read[ROWS][2];
    static char text[ROWS][24];
    const char *ids[ROWS];
    const char *const names[] = {"cat", "d\xc3\xb6g", "owl"}, *const target_names[] = {"x", "y"};
    dcnn_dataset_about about = plain;
    about.class_names = names;
    about.target_width = 2;
    about.target_names = target_names;
    about.image_kind = "photo";
    for (int i = 0; i < ROWS; i++) {
        snprintf(text[i], sizeof text[i], "d\xc3\xb6gs/%d.jpg", i * i);
        ids[i] = text[i];
        targets[i][0] = (float)i / 3.0F;
        targets[i][1] = -1;
    }
    dcnn_samples_in in = {ROWS, pixels, labels, targets[0], ids};
    dcnn_dataset_writer *writer;
    dcnn_dataset set;
    char **ids_read;
    assert_ok(dcnn_dataset_writer_open(in_scratch("ids.h5"), H, W, C, 2, &writer));
    in.targets = NULL;
    assert_fails(dcnn_dataset_writer_append(writer, &in), DCNN_BAD_INPUT, "others do not", "ids.h5");
    in.targets = targets[0];
    assert_ok(dcnn_dataset_writer_append(writer, &in));
    assert_ok(dcnn_dataset_writer_finish(writer, &about));
    assert_ok(dcnn_dataset_open(in_scratch("ids.h5"), &set));
    assert_true(set.has_ids && set.has_labels && set.target_width == 2);
    assert_string_equal(set.image_kind, "photo");
    assert_string_equal(set.class_names[1], "d\xc3\xb6g");
    assert_ok(dcnn_dataset_read_targets(&set, read[0]));
    assert_memory_equal(read, targets, sizeof targets);
    assert_ok(dcnn_dataset_read_ids(&set, &ids_read));
    for (int i = 0; i < ROWS; i++) assert_string_equal(ids_read[i], ids[i]);
    dcnn_dataset_free_ids(&set, ids_read);
    dcnn_dataset_free(&set);
}

static void what_cannot_be_a_data_set_leaves_nothing(void **state) {
    (void)state;
    const char *path = in_scratch("empty/x.h5");
    const int32_t negative = -1;
    dcnn_dataset_writer *writer;
    dcnn_dataset_about about = plain;
    assert_ok(dcnn_folder_create(in_scratch("empty")));
    assert_fails(dcnn_dataset_writer_open(path, 0, W, C, 0, &writer), DCNN_BAD_INPUT, "0x5x3", path);
    assert_fails(dcnn_dataset_writer_open(path, 50000, 50000, C, 0, &writer), DCNN_BAD_INPUT, "2 GiB", path);
    assert_fails(dcnn_dataset_writer_open(in_scratch("none/x.h5"), H, W, C, 0, &writer), DCNN_FAILURE,
                 "its folder exists", "x.h5");
    assert_null(writer);
    assert_ok(dcnn_dataset_writer_open(path, H, W, C, 0, &writer));
    assert_fails(dcnn_dataset_writer_finish(writer, &plain), DCNN_BAD_INPUT, "no images", path);
    assert_ok(dcnn_dataset_writer_open(path, H, W, C, 0, &writer));
    assert_fails(dcnn_dataset_writer_append(writer, &(dcnn_samples_in){1, pixels, &negative, NULL, NULL}),
                 DCNN_BAD_INPUT, "label -1", path);
    dcnn_dataset_writer_abandon(writer);
    const dcnn_samples_in all = {ROWS, pixels, labels, NULL, NULL}, few = {100, pixels, labels, NULL, NULL};
    assert_ok(dcnn_dataset_writer_open(path, H, W, C, 0, &writer));
    assert_ok(dcnn_dataset_writer_append(writer, &all));
    about.class_count = 2;
    assert_fails(dcnn_dataset_writer_finish(writer, &about), DCNN_BAD_INPUT, "label 2, but there are 2 classes", path);
    assert_ok(dcnn_dataset_writer_open(path, H, W, C, 0, &writer));
    assert_ok(dcnn_dataset_writer_append(writer, &few));
    assert_fails(dcnn_dataset_writer_finish(writer, &plain), DCNN_BAD_INPUT, "row 199, but there are 100", path);
    about = plain;
    about.split_count = 1;
    about.splits = two_splits + 1;
    assert_ok(dcnn_dataset_writer_open(path, H, W, C, 0, &writer));
    assert_ok(dcnn_dataset_writer_append(writer, &all));
    assert_fails(dcnn_dataset_writer_finish(writer, &about), DCNN_BAD_INPUT, "no split 'train'", path);
    assert_int_equal(files_in(in_scratch("empty")), 0);
}

/* Of two that are written to one name at the same time the one that ends first stays. */
static void data_set_that_must_be_new_replaces_none(void **state) {
    (void)state;
    const char *path = in_scratch("new/x.h5");
    const dcnn_samples_in all = {ROWS, pixels, labels, NULL, NULL};
    size_t early_length, length;
    dcnn_dataset_writer *late;
    assert_ok(dcnn_folder_create(in_scratch("new")));
    assert_ok(dcnn_dataset_writer_open(path, H, W, C, 0, &late));
    dcnn_dataset_writer_only_new(late);
    assert_ok(dcnn_dataset_writer_append(late, &all));
    put_text(path, "early");
    assert_fails(dcnn_dataset_writer_finish(late, &plain), DCNN_USAGE, "already exists", path);
    uint8_t *read = get_file(path, &early_length);
    assert_int_equal(early_length, 5);
    assert_memory_equal(read, "early", 5);
    free(read);
    assert_int_equal(files_in(in_scratch("new")), 1);
    write_set(path, ROWS, &plain); /* others replace it */
    read = get_file(path, &length);
    assert_true(length > early_length);
    free(read);
}

/* Reads of files without a name find their end at once. */
static bool scratch_is_cut;
ssize_t read(int descriptor, void *bytes, size_t length) {
    struct stat about;
    if (scratch_is_cut && fstat(descriptor, &about) == 0 && S_ISREG(about.st_mode) && about.st_nlink == 0) return 0;
    return syscall(SYS_read, descriptor, bytes, length);
}

static void means_are_of_all_that_was_set_aside(void **state) {
    (void)state;
    dcnn_dataset_writer *writer;
    const dcnn_samples_in all = {ROWS, pixels, labels, NULL, NULL};
    assert_ok(dcnn_dataset_writer_open(in_scratch("empty/x.h5"), H, W, C, 0, &writer));
    assert_ok(dcnn_dataset_writer_append(writer, &all));
    scratch_is_cut = true;
    const dcnn_status status = dcnn_dataset_writer_finish(writer, &plain);
    scratch_is_cut = false;
    assert_fails(status, DCNN_FAILURE, "has become shorter", "x.h5");
    assert_int_equal(files_in(in_scratch("empty")), 0);
}

/* --- reading files of any layout ---------------------------------------------------------------------------------- */

typedef struct layout {
    const char *name;
    hsize_t chunk[4]; /* 0: contiguous */
    int deflate;
    bool shuffle, fletcher, newest;
    hsize_t user_block;
    bool by_row;
} layout;

static const layout layouts[] = {
    {"contiguous", {0}, 0, false, false, false, 0, true},
    {"behind a user block", {0}, 0, false, false, false, 1024, true},
    {"chunks of one row", {1, H, W, C}, 0, false, false, false, 0, true},
    {"chunks that do not divide", {7, H, W, C}, 0, false, false, false, 0, true},
    {"chunks behind a user block", {7, H, W, C}, 0, false, false, false, 512, true},
    {"chunks of the newest format", {16, H, W, C}, 0, false, false, true, 0, true},
    {"gzip", {7, H, W, C}, 6, false, false, false, 0, true},
    {"gzip, shuffled, checksummed", {32, H, W, C}, 9, true, true, true, 0, true},
    {"checksummed only", {32, H, W, C}, 0, false, true, false, 512, true},
    {"one chunk", {ROWS, H, W, C}, 1, false, false, false, 0, true},
    {"pieces of images", {50, 2, 3, C}, 4, true, false, false, 0, false},
};

static void put_text_attribute(hid_t file, const char *name, const char *text) {
    const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, strlen(text) + 1);
    const hid_t attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Awrite(attribute, type, text) >= 0);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
}

static void put_array(hid_t file, const char *name, hid_t type, int rank, const hsize_t *sizes, hid_t creation,
                      const void *values) {
    const hid_t space = H5Screate_simple(rank, sizes, NULL), links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    const hid_t data = H5Dcreate2(file, name, type, space, links, creation, H5P_DEFAULT);
    assert_true(H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(data);
    H5Pclose(links);
    H5Sclose(space);
}

/* As another program would write it. */
static void put_foreign(const char *path, const layout *l, const int32_t *its_labels) {
    const hid_t creation = H5Pcreate(H5P_FILE_CREATE), access = H5Pcreate(H5P_FILE_ACCESS),
                images = H5Pcreate(H5P_DATASET_CREATE);
    if (l->user_block) H5Pset_userblock(creation, l->user_block);
    if (l->newest) H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    if (l->chunk[0]) H5Pset_chunk(images, 4, l->chunk);
    if (l->shuffle) H5Pset_shuffle(images);
    if (l->deflate) H5Pset_deflate(images, (unsigned)l->deflate);
    if (l->fletcher) H5Pset_fletcher32(images);
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, creation, access);
    assert_true(file >= 0);
    put_text_attribute(file, "format", "dcnn data set");
    const int64_t version = 1, row_numbers[] = {0, 1, 2};
    const double moments[2][C] = {{0.5, 0.5, 0.5}, {0.25, 0.25, 0.25}};
    const hsize_t shape[] = {ROWS, H, W, C}, three = 3;
    const char *const names[] = {"a", "b", "c"};
    const hid_t text = H5Tcopy(H5T_C_S1), scalar = H5Screate(H5S_SCALAR), vector = H5Screate_simple(1, &three, NULL);
    H5Tset_size(text, H5T_VARIABLE);
    hid_t attribute = H5Acreate2(file, "format_version", H5T_NATIVE_INT64, scalar, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, H5T_NATIVE_INT64, &version);
    H5Aclose(attribute);
    for (int i = 0; i < 2; i++) {
        attribute = H5Acreate2(file, i ? "std" : "mean", H5T_NATIVE_DOUBLE, vector, H5P_DEFAULT, H5P_DEFAULT);
        H5Awrite(attribute, H5T_NATIVE_DOUBLE, moments[i]);
        H5Aclose(attribute);
    }
    put_array(file, "labels", H5T_NATIVE_INT32, 1, shape, H5P_DEFAULT, its_labels);
    put_array(file, "images", H5T_NATIVE_UINT8, 4, shape, images, pixels);
    put_array(file, "class_names", text, 1, &three, H5P_DEFAULT, names);
    put_array(file, "splits/train", H5T_NATIVE_INT64, 1, &three, H5P_DEFAULT, row_numbers);
    H5Sclose(scalar);
    H5Sclose(vector);
    H5Tclose(text);
    H5Pclose(images);
    H5Pclose(access);
    H5Pclose(creation);
    assert_true(H5Fclose(file) >= 0);
}

static void check_rows(dcnn_pixels *reader, const char *what, bool by_row) {
    static uint8_t read[ROWS * IMAGE];
    assert_int_equal(dcnn_pixels_are_rows(reader), by_row);
    for (int i = 0; i < 300; i++) {
        const int64_t row = draw_below(ROWS), count = 1 + draw_below((uint32_t)(ROWS - row));
        memset(read, 0, sizeof read);
        assert_ok(dcnn_pixels_read(reader, row, i % 3 ? 1 : count, read));
        if (memcmp(read, pixels + row * IMAGE, (size_t)(i % 3 ? 1 : count) * IMAGE) != 0)
            fail_msg("%s: rows from %lld differ", what, (long long)row);
        dcnn_pixels_expect(reader, row, 1);
    }
}

static void any_layout_is_read(void **state) {
    (void)state;
    const char *path = in_scratch("foreign.h5");
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        put_foreign(path, &layouts[i], labels);
        for (size_t cache = 0; cache < 2; cache++) {
            dcnn_dataset set;
            dcnn_pixels *reader;
            assert_ok(dcnn_dataset_open(path, &set));
            assert_ok(dcnn_pixels_open(&set, cache * 5000, &reader));
            assert_int_equal(dcnn_pixels_marks(reader), 0);
            assert_true((dcnn_pixels_chunk_bytes(reader) > 0) ==
                        (layouts[i].by_row && (layouts[i].deflate || layouts[i].fletcher)));
            check_rows(reader, layouts[i].name, layouts[i].by_row);
            dcnn_pixels_view view;
            assert_ok(dcnn_pixels_view_open(&set, &view));
            assert_memory_equal(view.pixels, pixels, sizeof pixels);
            if (layouts[i].chunk[0] == 0) assert_true(view.mapped_bytes > 0);
            if (layouts[i].deflate || !layouts[i].by_row) assert_int_equal(view.mapped_bytes, 0);
            dcnn_pixels_view_close(&view);
            dcnn_pixels_close(reader);
            dcnn_dataset_free(&set);
        }
    }
}

/* The number that a run keeps of a data set without a seal notices other labels and other images. */
static void unsealed_content_is_identified(void **state) {
    (void)state;
    const char *path = in_scratch("foreign.h5");
    static int32_t others[ROWS];
    uint64_t first = 0;
    memcpy(others, labels, sizeof labels);
    for (int change = 0; change < 4; change++) {
        dcnn_dataset set;
        if (change == 2) others[100] = (others[100] + 1) % CLASSES;
        if (change == 3) pixels[0] ^= 1;
        put_foreign(path, &layouts[change == 1 ? 3 : 6], change == 2 ? others : labels);
        assert_ok(dcnn_dataset_open(path, &set));
        assert_true(!set.sealed && set.checksum == 0);
        assert_ok(dcnn_dataset_identify(&set));
        if (change == 0) first = set.checksum;
        assert_true(set.checksum != 0 && (set.checksum == first) == (change < 2)); /* another layout is the same set */
        dcnn_dataset_free(&set);
    }
    pixels[0] ^= 1;
}

/* Damage is seen where it is read, and nowhere else. */
static void each_block_is_checked_once(void **state) {
    (void)state;
    const char *path = in_scratch("blocks.h5");
    enum { SIDE = 200, COUNT = 40, BYTES = SIDE * SIDE * 3 }; /* two images a block */
    static uint8_t image[BYTES], read[2 * BYTES];
    const int64_t all[] = {0};
    const dcnn_split train = {.name = "train", .count = 1, .rows = (int64_t *)(uintptr_t)all};
    const dcnn_dataset_about about = {.class_count = 2, .split_count = 1, .splits = &train};
    dcnn_dataset_writer *writer;
    dcnn_dataset set;
    dcnn_pixels *reader;
    assert_ok(dcnn_dataset_writer_open(path, SIDE, SIDE, 3, 0, &writer));
    for (int32_t i = 0; i < COUNT; i++) {
        memset(image, i, sizeof image);
        assert_ok(dcnn_dataset_writer_append(writer, &(dcnn_samples_in){1, image, &(int32_t){i % 2}, NULL, NULL}));
    }
    assert_ok(dcnn_dataset_writer_finish(writer, &about));
    FILE *file = fopen(path, "r+b");
    fseek(file, DCNN_PIXELS_OFFSET + 7 * BYTES + 11, SEEK_SET);
    fputc(77, file);
    fclose(file);
    assert_ok(dcnn_dataset_open(path, &set));
    assert_int_equal(set.block_rows, 2);
    assert_ok(dcnn_pixels_open(&set, 0, &reader));
    assert_int_equal(dcnn_pixels_marks(reader), COUNT / 2);
    uint8_t marks[COUNT / 2] = {0};
    dcnn_pixels_place_marks(reader, marks);
    for (int64_t row = COUNT - 2; row >= 0; row--) {
        if (row == 5 || row == 6 || row == 7)
            assert_fails(dcnn_pixels_read(reader, row, 2, read), DCNN_BAD_INPUT, "images from 6 on", path);
        else
            assert_ok(dcnn_pixels_read(reader, row, 2, read));
        if (row < 5 || row > 7) assert_true(read[0] == row && read[2 * BYTES - 1] == row + 1);
    }
    for (int i = 0; i < COUNT / 2; i++) assert_int_equal(marks[i], i != 3);
    dcnn_pixels_close(reader);
    assert_fails(dcnn_dataset_verify(&set), DCNN_BAD_INPUT, "images from 6 on", path);
    dcnn_dataset_free(&set);
}

/* So many that their bytes are beyond 64 bits, and what is left of that would be room for one image. */
static void blocks_of_more_rows_than_there_are_cover_all(void **state) {
    (void)state;
    const char *path = in_scratch("foreign.h5");
    const int64_t many = (int64_t)(UINT64_MAX / IMAGE + 1), one = 1;
    const uint64_t checksum = XXH3_64bits(pixels, sizeof pixels);
    dcnn_dataset set;
    put_foreign(path, &layouts[0], labels);
    const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_ok(dcnn_h5_attribute_write(file, "image_checksum_rows", DCNN_H5_INT64, -1, &many));
    assert_ok(dcnn_h5_write(file, "image_checksums", DCNN_H5_UINT64, 1, &one, 0, &checksum));
    H5Fclose(file);
    assert_ok(dcnn_dataset_open(path, &set));
    assert_true(set.block_rows == many);
    assert_ok(dcnn_dataset_verify(&set));
    set.checksums[0]++;
    assert_fails(dcnn_dataset_verify(&set), DCNN_BAD_INPUT, "do not match their checksum", path);
    dcnn_dataset_free(&set);
}

static void damaged_chunks_are_refused(void **state) {
    (void)state;
    const char *path = in_scratch("foreign.h5");
    put_foreign(path, &layouts[7], labels);
    size_t length;
    uint8_t *bytes = get_file(path, &length), read[IMAGE];
    int refused = 0;
    for (size_t at = 0; at < length; at += length / 40) {
        dcnn_dataset set;
        dcnn_pixels *reader = NULL;
        bytes[at] ^= 4;
        put_file(path, bytes, length);
        bytes[at] ^= 4;
        if (dcnn_dataset_open(path, &set) != DCNN_OK) continue; /* HDF5's own part */
        dcnn_status status = dcnn_pixels_open(&set, 0, &reader);
        for (int64_t row = 0; status == DCNN_OK && row < ROWS; row++) {
            status = dcnn_pixels_read(reader, row, 1, read);
            if (status == DCNN_OK) assert_memory_equal(read, pixels + row * IMAGE, IMAGE);
        }
        refused += status == DCNN_BAD_INPUT;
        dcnn_pixels_close(reader);
        dcnn_dataset_free(&set);
    }
    free(bytes);
    assert_true(refused > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_formats_are_read_alike),
        cmocka_unit_test(pieces_do_not_matter),
        cmocka_unit_test(ids_and_targets_come_back),
        cmocka_unit_test(what_cannot_be_a_data_set_leaves_nothing),
        cmocka_unit_test(data_set_that_must_be_new_replaces_none),
        cmocka_unit_test(means_are_of_all_that_was_set_aside),
        cmocka_unit_test(any_layout_is_read),
        cmocka_unit_test(unsealed_content_is_identified),
        cmocka_unit_test(each_block_is_checked_once),
        cmocka_unit_test(damaged_chunks_are_refused),
        cmocka_unit_test(blocks_of_more_rows_than_there_are_cover_all),
    };
    return cmocka_run_group_tests_name("pixels", tests, set_up_pixels, tear_down);
}
