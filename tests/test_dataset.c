/* SPDX-License-Identifier: BSD-3-Clause */
/* test_dataset.c — preparing, opening and reading the HDF5 data set. */
#include "io_helpers.h"

#include <math.h>

#include "base/clock.h"
#include "io/dataset/dataset.h"
#include "io/hdf5/hdf5.h"
#include "sources/prepare.h"
#include "dataset_helpers.h"

enum { TRAIN = 130, OFFICIAL = 20, SIDE = 5, AREA = SIDE * SIDE, CLASSES = 4, CSV_ROWS = 30 };

static uint8_t train_pixels[TRAIN * AREA], official_pixels[OFFICIAL * AREA];
static uint8_t train_labels[TRAIN], official_labels[OFFICIAL];

static const dcnn_prepare_options usual = {.split = {.test_fraction = 0.1, .validation_fraction = 0.2, .seed = 7}};

static void put_idx(const char *path, bool images, int count, const uint8_t *values) {
    uint8_t bytes[16 + TRAIN * AREA] = {0, 0, 8, images ? 3 : 1, 0, 0, 0, (uint8_t)count, 0, 0, 0, SIDE, 0, 0, 0, SIDE};
    size_t header = images ? 16 : 8, length = (size_t)count * (images ? AREA : 1);
    memcpy(bytes + header, values, length);
    if (strstr(path, ".gz"))
        put_gzip(path, bytes, header + length, "wb");
    else
        put_file(path, bytes, header + length);
}

/* SCRATCH/idx: as the MNIST database's, of random images, 50 in equal shares first; SCRATCH/empty: for outputs. */
static int set_up_sources(void **state) {
    if (set_up(state) != 0) return -1;
    for (int i = 0; i < TRAIN * AREA; i++) train_pixels[i] = (uint8_t)draw_below(256);
    for (int i = 0; i < OFFICIAL * AREA; i++) official_pixels[i] = (uint8_t)draw_below(256);
    for (int i = 0; i < TRAIN; i++) train_labels[i] = (uint8_t)(i < 50 ? i % CLASSES : (int)draw_below(CLASSES));
    for (int i = 0; i < OFFICIAL; i++) official_labels[i] = (uint8_t)draw_below(CLASSES);
    if (dcnn_folder_create(in_scratch("idx")) != DCNN_OK || dcnn_folder_create(in_scratch("empty")) != DCNN_OK)
        return -1;
    put_idx(in_scratch("idx/train-images-idx3-ubyte.gz"), true, TRAIN, train_pixels);
    put_idx(in_scratch("idx/train-labels-idx1-ubyte"), false, TRAIN, train_labels);
    put_idx(in_scratch("idx/t10k-images.idx3-ubyte"), true, OFFICIAL, official_pixels);
    put_idx(in_scratch("idx/t10k-labels-idx1-ubyte.gz"), false, OFFICIAL, official_labels);
    return 0;
}

static dcnn_status prepare(const char *source, const char *second, const dcnn_prepare_options *options,
                           const char *output) {
    char *sources[] = {(char *)(uintptr_t)source, (char *)(uintptr_t)second};
    return dcnn_dataset_prepare(second ? 2 : 1, sources, options, output, NULL);
}

/* Opens and reads; what it gives back is freed by close_set(). */
static uint8_t *pixels_read;
static int32_t *labels_read;

static dcnn_status open_set(const char *path, dcnn_dataset *set) {
    dcnn_status status = dcnn_dataset_open(path, set);
    if (status != DCNN_OK) return status;
    pixels_read = malloc((size_t)set->count * (size_t)(set->h * set->w * set->c));
    labels_read = malloc((size_t)set->count * sizeof *labels_read);
    assert_true(pixels_read && labels_read);
    return read_dataset(set, pixels_read, labels_read);
}

static void close_set(dcnn_dataset *set) {
    dcnn_dataset_free(set);
    free(pixels_read);
    free(labels_read);
    pixels_read = NULL;
    labels_read = NULL;
}

/* The splits of the first `count` rows are as large as they should be, ascending, and share nothing. */
static void check_splits(const dcnn_dataset *set, int64_t count, int64_t train, int64_t validation, int64_t test) {
    const char *names[] = {"train", "validation", "test"};
    int64_t sizes[] = {train, validation, test};
    uint8_t *seen = calloc((size_t)count, 1);
    assert_non_null(seen);
    for (int i = 0; i < 3; i++) {
        const dcnn_split *split = dcnn_dataset_split(set, names[i]);
        assert_non_null(split);
        assert_ptr_equal(split, &set->splits[i]);
        assert_int_equal(split->count, sizes[i]);
        for (int64_t j = 0; j < split->count; j++) {
            assert_true(split->rows[j] >= 0 && split->rows[j] < count);
            assert_true(j == 0 || split->rows[j] > split->rows[j - 1]);
            assert_int_equal(seen[split->rows[j]]++, 0);
        }
    }
    for (int64_t i = 0; i < count; i++) assert_int_equal(seen[i], 1);
    free(seen);
}

/* Mean and deviation by the textbook's two passes, in long double, whose own sums over the digits are good to 1e-13. */
static void check_moments(const dcnn_dataset *set) {
    const dcnn_split *train = dcnn_dataset_split(set, "train");
    int64_t area = (int64_t)set->h * set->w;
    for (int channel = 0; channel < set->c; channel++) {
        long double sum = 0, spread = 0, n = (long double)(train->count * area);
        for (int64_t i = 0; i < train->count * area; i++)
            sum += pixels_read[(train->rows[i / area] * area + i % area) * set->c + channel] / 255.0L;
        for (int64_t i = 0; i < train->count * area; i++) {
            long double value = pixels_read[(train->rows[i / area] * area + i % area) * set->c + channel] / 255.0L;
            spread += (value - sum / n) * (value - sum / n);
        }
        assert_true(fabs(set->mean[channel] - (double)(sum / n)) <= 1e-12);
        assert_true(fabs(set->std[channel] - (double)sqrtl(spread / n)) <= 1e-12);
    }
}

/* The test samples of one stratum (`label`, or -1: all samples as stream 0) are those that the contract names. */
static void check_drawn(const dcnn_dataset *set, int label, int64_t test_count) {
    int64_t members[TRAIN], count = 0;
    const dcnn_split *test = dcnn_dataset_split(set, "test");
    for (int i = 0; i < TRAIN; i++)
        if (label < 0 || train_labels[i] == label) members[count++] = i;
    for (int64_t position = 0; position < test_count; position++) {
        int64_t row = members[dcnn_random_permute(set->seed, DCNN_RANDOM_SPLIT, label < 0 ? 0 : (uint32_t)label, count,
                                                  position)];
        int64_t at = 0;
        while (at < test->count && test->rows[at] != row) at++;
        assert_true(at < test->count);
    }
}

static void idx_folder_becomes_a_data_set(void **state) {
    (void)state;
    const char *output = in_scratch("set.h5");
    dcnn_dataset set;
    char *sources[] = {(char *)(uintptr_t)in_scratch("idx")}, *summary;
    assert_ok(dcnn_dataset_prepare(1, sources, &usual, output, &summary));
    assert_non_null(strstr(summary, "set.h5: 150 images of 5x5x1 in 4 classes: train 94, validation 23, test 13, "
                                    "official-test 20"));
    free(summary);
    assert_ok(open_set(output, &set));
    assert_true(set.count == TRAIN + OFFICIAL && set.h == SIDE && set.w == SIDE && set.c == 1);
    assert_memory_equal(pixels_read, train_pixels, sizeof train_pixels);
    assert_memory_equal(pixels_read + sizeof train_pixels, official_pixels, sizeof official_pixels);
    for (int i = 0; i < TRAIN; i++) assert_int_equal(labels_read[i], train_labels[i]);
    for (int i = 0; i < OFFICIAL; i++) assert_int_equal(labels_read[TRAIN + i], official_labels[i]);
    check_drawn(&set, -1, 13);
    check_splits(&set, TRAIN, 94, 23, 13); /* 13 of 130, floor(23.4 + 0.5) of 117 */
    check_moments(&set);
    const dcnn_split *official = dcnn_dataset_split(&set, "official-test");
    assert_non_null(official);
    assert_int_equal(official->count, OFFICIAL);
    for (int i = 0; i < OFFICIAL; i++) assert_int_equal(official->rows[i], TRAIN + i);
    assert_null(dcnn_dataset_split(&set, "none"));
    assert_int_equal(set.class_count, CLASSES);
    assert_string_equal(set.class_names[3], "3");
    assert_true(set.seed == 7 && set.checksum != 0);
    assert_string_equal(set.source, "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte, t10k-images.idx3-ubyte, "
                                    "t10k-labels-idx1-ubyte.gz");
    assert_int_equal(strlen(set.source_checksum), 16);
    close_set(&set);
}

static void same_sources_give_the_same_bytes(void **state) {
    (void)state;
    dcnn_prepare_options other = usual;
    size_t length_a, length_b;
    assert_ok(prepare(in_scratch("idx"), NULL, &usual, in_scratch("a.h5")));
    assert_ok(prepare(in_scratch("idx"), NULL, &usual, in_scratch("b.h5")));
    uint8_t *a = get_file(in_scratch("a.h5"), &length_a), *b = get_file(in_scratch("b.h5"), &length_b);
    assert_int_equal(length_a, length_b);
    assert_memory_equal(a, b, length_a);
    free(b);
    other.split.seed = 8;
    assert_ok(prepare(in_scratch("idx"), NULL, &other, in_scratch("b.h5")));
    b = get_file(in_scratch("b.h5"), &length_b);
    assert_int_equal(length_a, length_b);
    assert_int_not_equal(memcmp(a, b, length_a), 0);
    free(a);
    free(b);
}

static void idx_files_may_come_in_either_order(void **state) {
    (void)state;
    dcnn_dataset set;
    for (int swap = 0; swap < 2; swap++) {
        const char *images = in_scratch("idx/train-images-idx3-ubyte.gz"),
                   *labels = in_scratch("idx/train-labels-idx1-ubyte");
        assert_ok(prepare(swap ? labels : images, swap ? images : labels, &usual, in_scratch("pair.h5")));
        assert_ok(open_set(in_scratch("pair.h5"), &set));
        assert_int_equal(set.count, TRAIN);
        assert_int_equal(set.split_count, 3);
        assert_memory_equal(pixels_read, train_pixels, sizeof train_pixels);
        close_set(&set);
    }
}

static void limit_takes_the_first_and_keeps_the_official_test(void **state) {
    (void)state;
    dcnn_dataset set;
    dcnn_prepare_options options = usual;
    options.limit = 50;
    assert_ok(prepare(in_scratch("idx"), NULL, &options, in_scratch("limit.h5")));
    assert_ok(open_set(in_scratch("limit.h5"), &set));
    assert_int_equal(set.count, 50 + OFFICIAL);
    check_splits(&set, 50, 36, 9, 5);
    assert_memory_equal(pixels_read, train_pixels, 50 * AREA);
    assert_memory_equal(pixels_read + 50 * AREA, official_pixels, sizeof official_pixels);
    close_set(&set);
    options.limit = 1000;
    assert_ok(prepare(in_scratch("idx"), NULL, &options, in_scratch("limit.h5")));
    assert_ok(open_set(in_scratch("limit.h5"), &set));
    assert_int_equal(set.count, TRAIN + OFFICIAL);
    close_set(&set);
}

static void stratified_splits_keep_proportions(void **state) {
    (void)state;
    dcnn_dataset set;
    dcnn_prepare_options options = usual;
    options.stratify_always = true;
    assert_ok(prepare(in_scratch("idx"), NULL, &options, in_scratch("strata.h5")));
    assert_ok(open_set(in_scratch("strata.h5"), &set));
    int64_t totals[4] = {0}, of_class[CLASSES] = {0}, drawn[3][CLASSES] = {{0}};
    for (int i = 0; i < TRAIN; i++) of_class[train_labels[i]]++;
    for (int part = 0; part < 3; part++)
        for (int64_t i = 0; i < set.splits[part].count; i++) drawn[part][labels_read[set.splits[part].rows[i]]]++;
    for (int k = 0; k < CLASSES; k++) {
        int64_t test = (int64_t)floor(0.1 * (double)of_class[k] + 0.5);
        int64_t validation = (int64_t)floor(0.2 * (double)(of_class[k] - test) + 0.5);
        assert_int_equal(drawn[2][k], test);
        assert_int_equal(drawn[1][k], validation);
        check_drawn(&set, k, test);
        totals[0] += of_class[k] - test - validation;
        totals[1] += validation;
        totals[2] += test;
    }
    check_splits(&set, TRAIN, totals[0], totals[1], totals[2]);
    check_moments(&set);
    close_set(&set);
}

/* Classes of a few images each: whatever rounding does, training has one of each, and the totals are kept. */
static void small_classes_are_trained_on(void **state) {
    (void)state;
    enum { MANY = 10, IMAGES = 2 * MANY - 1 }; /* one of the first, two of each other */
    int32_t labels[IMAGES];
    for (int i = 0; i < IMAGES; i++) labels[i] = (i + 1) / 2;
    for (uint64_t seed = 0; seed < 20; seed++) {
        const dcnn_split_options options = {
            .test_fraction = 0.1, .validation_fraction = 0.2, .stratify = true, .seed = seed};
        dcnn_split splits[DCNN_PART_COUNT];
        int trained[MANY] = {0};
        assert_ok(dcnn_splits_draw(IMAGES, labels, MANY, &options, splits));
        for (int64_t i = 0; i < splits[DCNN_PART_TRAIN].count; i++) trained[labels[splits[DCNN_PART_TRAIN].rows[i]]]++;
        for (int k = 0; k < MANY; k++) assert_true(trained[k] > 0);
        assert_int_equal(splits[DCNN_PART_TEST].count, 2);
        assert_int_equal(splits[DCNN_PART_VALIDATION].count, 3);
        for (int part = 0; part < DCNN_PART_COUNT; part++) free(splits[part].rows);
    }
}

static void put_csv(const char *path, const char *first_column, int h, int w, int from, int count) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fprintf(file, "%s", first_column);
    for (int i = 0; i < h * w; i++) fprintf(file, "%spixel%d", i || *first_column ? "," : "", i);
    for (int row = from; row < from + count; row++) {
        fprintf(file, "\n");
        if (*first_column) fprintf(file, "%d,", train_labels[row]);
        for (int i = 0; i < h * w; i++) fprintf(file, "%s%d", i ? "," : "", train_pixels[row * h * w + i]);
    }
    fclose(file);
}

static void csv_files_become_a_data_set(void **state) {
    (void)state;
    dcnn_dataset set;
    put_csv(in_scratch("one.csv"), "label", SIDE, SIDE, 0, CSV_ROWS);
    put_csv(in_scratch("two.csv"), "label", SIDE, SIDE, CSV_ROWS, CSV_ROWS);
    assert_ok(prepare(in_scratch("one.csv"), in_scratch("two.csv"), &usual, in_scratch("csv.h5")));
    assert_ok(open_set(in_scratch("csv.h5"), &set));
    assert_int_equal(set.count, 2 * CSV_ROWS);
    assert_memory_equal(pixels_read, train_pixels, 2 * CSV_ROWS * AREA);
    for (int i = 0; i < 2 * CSV_ROWS; i++) assert_int_equal(labels_read[i], train_labels[i]);
    close_set(&set);
    dcnn_prepare_options options = usual;
    options.read.h = 1, options.read.w = 5, options.read.c = 5;
    assert_ok(prepare(in_scratch("one.csv"), NULL, &options, in_scratch("csv.h5")));
    assert_ok(open_set(in_scratch("csv.h5"), &set));
    assert_true(set.h == 1 && set.w == 5 && set.c == 5);
    check_moments(&set);
    close_set(&set);
    put_csv(in_scratch("two.csv"), "label", 2, 2, 0, 3);
    assert_fails(prepare(in_scratch("one.csv"), in_scratch("two.csv"), &usual, in_scratch("empty/x")), DCNN_BAD_INPUT,
                 "its images have 2 sizes: 5x5 (30), 2x2 (3); --size", "one.csv");
    put_csv(in_scratch("two.csv"), "", SIDE, SIDE, 0, 3);
    assert_fails(prepare(in_scratch("two.csv"), NULL, &usual, in_scratch("empty/x")), DCNN_BAD_INPUT,
                 "has no column of labels", "two.csv");
}

static void constant_channel_gets_deviation_one(void **state) {
    (void)state;
    dcnn_dataset set;
    put_text(in_scratch("flat.csv"), "label,pixel0\n0,9\n1,9\n0,9\n1,9\n0,9\n1,9\n0,9\n1,9\n0,9\n1,9\n");
    assert_ok(prepare(in_scratch("flat.csv"), NULL, &usual, in_scratch("flat.h5")));
    assert_ok(open_set(in_scratch("flat.h5"), &set));
    assert_true(set.mean[0] == 9.0 / 255.0 && set.std[0] == 1.0);
    close_set(&set);
}

static void bad_sources_are_refused(void **state) {
    (void)state;
    const char *out = in_scratch("empty/x.h5"), *broken = in_scratch("broken"), *images = in_scratch("broken/images");
    dcnn_prepare_options options = usual;
    assert_fails(prepare(in_scratch("nowhere"), NULL, &usual, out), DCNN_BAD_INPUT, "no such file", "nowhere");
    assert_ok(dcnn_folder_create(broken));
    assert_fails(prepare(broken, NULL, &usual, out), DCNN_BAD_INPUT,
                 "holds neither class folders of images nor IDX files", broken);
    put_idx(in_scratch("broken/train-labels-idx1-ubyte"), false, TRAIN, train_labels);
    assert_fails(prepare(broken, NULL, &usual, out), DCNN_BAD_INPUT,
                 "has train-labels-idx1-ubyte, but not the file of its images", broken);
    put_idx(in_scratch("broken/train-images-idx3-ubyte"), true, TRAIN - 1, train_pixels);
    assert_fails(prepare(broken, NULL, &usual, out), DCNN_BAD_INPUT, "130 labels for 129 images", broken);
    put_idx(in_scratch("broken/train-images-idx3-ubyte"), true, TRAIN, train_pixels);
    put_idx(in_scratch("broken/t10k-images-idx3-ubyte"), true, 1, official_pixels);
    assert_fails(prepare(broken, NULL, &usual, out), DCNN_BAD_INPUT,
                 "has t10k-images-idx3-ubyte, but not the file of its labels", broken);
    put_idx(in_scratch("broken/t10k-labels-idx1-ubyte"), false, 1, (const uint8_t[]){CLASSES});
    assert_fails(prepare(broken, NULL, &usual, out), DCNN_BAD_INPUT,
                 "sample 0 has label 4, but the training labels end at 3", "t10k-images");
    put_idx(images, true, TRAIN, train_pixels);
    assert_fails(prepare(images, NULL, &usual, out), DCNN_BAD_INPUT, "has no labels", images);
    assert_fails(prepare(images, images, &usual, out), DCNN_BAD_INPUT, "has no labels", images);
    assert_fails(prepare(images, in_scratch("idx"), &usual, out), DCNN_BAD_INPUT, "has no labels", images);
    assert_fails(dcnn_dataset_prepare(0, NULL, &usual, out, NULL), DCNN_USAGE, "no source was named", "");
    options.limit = 1;
    assert_fails(prepare(in_scratch("idx"), NULL, &options, out), DCNN_BAD_INPUT, "at least two classes are needed",
                 "train-images");
    options.limit = -1;
    assert_fails(prepare(in_scratch("idx"), NULL, &options, out), DCNN_USAGE, "cannot be -1 samples", "");
    options.limit = 4;
    assert_fails(prepare(in_scratch("idx"), NULL, &options, out), DCNN_BAD_INPUT, "'test' would be empty", "4 images");
    options.limit = 5;
    options.split.validation_fraction = 0.05;
    assert_fails(prepare(in_scratch("idx"), NULL, &options, out), DCNN_BAD_INPUT, "'validation' would be empty", "5");
    options.split.test_fraction = 1;
    assert_fails(prepare(in_scratch("idx"), NULL, &options, out), DCNN_BAD_INPUT, "'train' would be empty", "5");
    options = usual;
    options.split.validation_fraction = 0; /* asked for: no such split, and nothing to complain of */
    dcnn_dataset set;
    assert_ok(prepare(in_scratch("idx"), NULL, &options, out));
    assert_ok(open_set(out, &set));
    assert_null(dcnn_dataset_split(&set, "validation"));
    assert_non_null(dcnn_dataset_split(&set, "test"));
    close_set(&set);
    unlink(out);
    options.split.test_fraction = NAN;
    out = in_scratch("empty/x.h5");
    assert_fails(prepare(in_scratch("idx"), NULL, &options, out), DCNN_USAGE, "from 0 to 1", "");
    assert_int_equal(files_in(in_scratch("empty")), 0);
}

/* Whatever stops the writing, the output folder is as it was. */
static void failed_prepare_leaves_nothing(void **state) {
    (void)state;
    const char *idx = in_scratch("idx"), *out = in_scratch("empty/x.h5");
    assert_fails(prepare(idx, NULL, &usual, in_scratch("idx/train-labels-idx1-ubyte/x.h5")), DCNN_FAILURE,
                 "Not a directory", "x.h5");
    assert_fails(prepare(idx, NULL, &usual, in_scratch("none/x.h5")), DCNN_FAILURE, "its folder exists", "x.h5");
    limit_files(8000);
    dcnn_status full = prepare(idx, NULL, &usual, out);
    limit_files(SIZE_MAX);
    assert_fails(full, DCNN_FAILURE, "check free space", out);
    assert_int_equal(files_in(in_scratch("empty")), 0);
    assert_ok(prepare(idx, NULL, &usual, in_scratch("empty/x.h5")));
    limit_files(8000);
    full = prepare(idx, NULL, &usual, in_scratch("empty/x.h5"));
    limit_files(SIZE_MAX);
    assert_int_equal(full, DCNN_FAILURE);
    dcnn_dataset set; /* the old one is still good */
    assert_ok(open_set(in_scratch("empty/x.h5"), &set));
    close_set(&set);
    assert_int_equal(files_in(in_scratch("empty")), 1);
    unlink(in_scratch("empty/x.h5"));
}

/* At opening, or, where the damage lies in the pixels, at reading. */
static void refuse_damaged(const char *path) {
    dcnn_dataset set;
    assert_fails(open_set(path, &set), DCNN_BAD_INPUT, "", path);
    close_set(&set);
}

static void flips_and_cuts_are_refused(void **state) {
    (void)state;
    const char *path = in_scratch("damaged.h5");
    assert_ok(prepare(in_scratch("idx"), NULL, &usual, path));
    size_t length;
    uint8_t *bytes = get_file(path, &length);
    for (size_t at = 0; at < length; at += at + 64 < length ? length / 250 : 1) { /* each byte of the seal too */
        uint8_t kept = bytes[at];
        bytes[at] ^= (uint8_t)(1u << draw_below(8));
        put_file(path, bytes, length);
        refuse_damaged(path);
        bytes[at] = kept;
    }
    for (size_t cut = 1; cut < length; cut += cut < 70 ? 1 : length / 200) {
        put_file(path, bytes, length - cut);
        refuse_damaged(path);
    }
    bytes[length] = 1; /* get_file() left room for one more */
    put_file(path, bytes, length + 1);
    refuse_damaged(path);
    free(bytes);
}

static void change_between_open_and_read_is_seen(void **state) {
    (void)state;
    const char *path = in_scratch("changed.h5");
    dcnn_dataset set;
    uint8_t *pixels = malloc((TRAIN + OFFICIAL) * AREA);
    int32_t labels[TRAIN + OFFICIAL];
    dcnn_prepare_options other = usual;
    other.split.seed = 9;
    assert_non_null(pixels);
    assert_ok(prepare(in_scratch("idx"), NULL, &usual, path));
    assert_ok(dcnn_dataset_open(path, &set));
    assert_ok(prepare(in_scratch("idx"), NULL, &other, path));
    assert_fails(read_dataset(&set, pixels, labels), DCNN_BAD_INPUT, "changed since it was opened", path);
    free(pixels);
    dcnn_dataset_free(&set);
}

/* --- data sets of other programs -------------------------------------------------------------------------------- */

typedef struct foreign {
    const char *without; /* the object or attribute that is left out */
    const char *format;
    int64_t version, row, label, seed;
    double std;
    dcnn_h5_type image_type;
    int image_rank;
    const char *odd; /* what is wrong besides, NULL: nothing */
} foreign;

static const foreign right = {"", "dcnn data set", 1, 3, 1, 5, 0.5, DCNN_H5_UINT8, 4, NULL};

static void put_odd(hid_t file, const char *odd) {
    static const char *const names[] = {"one", "two", "three", "four", "five"};
    static const float targets[] = {1, 2, 3, 4, 5, 6, NAN, 8};
    const int64_t square[] = {2, 2}, five[] = {5}, each[] = {4, 2}, rows[5] = {0, 1, 2, 3, 3};
#define IF(what, call) assert_ok(strcmp(odd, what) == 0 ? (call) : DCNN_OK)
    IF("square split", dcnn_h5_write(file, "splits/odd", DCNN_H5_INT64, 2, square, 0, rows));
    IF("names of targets", dcnn_h5_strings_write(file, "target_names", 3, names));
    if (strstr(odd, "targets")) assert_ok(dcnn_h5_write(file, "targets", DCNN_H5_FLOAT, 2, each, 0, targets));
    IF("ids", dcnn_h5_strings_write(file, "ids", 5, names));
    IF("one class", dcnn_h5_strings_write(file, "class_names", 1, names));
    IF("checksums", dcnn_h5_attribute_write(file, "image_checksum_rows", DCNN_H5_INT64, -1, &(int64_t){0}));
    IF("checksums", dcnn_h5_write(file, "image_checksums", DCNN_H5_INT64, 1, five, 0, rows));
}

/* Writes what h5py would: no seal, no created_by, signed 64-bit integers. */
static void put_foreign(const char *path, const foreign *kind) {
    static const uint8_t pixels[4 * 4 * 8];
    const int64_t shape[] = {4, 2, 2, 1}, labels[] = {0, 1, 0, kind->label}, rows[] = {0, kind->row}, few[] = {2};
    hid_t file;
    const void *bytes;
    size_t length;
#define UNLESS(name, call) assert_ok(strcmp(kind->without, name) != 0 ? (call) : DCNN_OK)
    assert_ok(dcnn_h5_create("foreign", 0, &file));
    UNLESS("format", dcnn_h5_text_write(file, "format", kind->format));
    UNLESS("format_version", dcnn_h5_attribute_write(file, "format_version", DCNN_H5_INT64, -1, &kind->version));
    UNLESS("mean", dcnn_h5_attribute_write(file, "mean", DCNN_H5_DOUBLE, 1, &(double){0.25}));
    UNLESS("std", dcnn_h5_attribute_write(file, "std", DCNN_H5_DOUBLE, 1, &kind->std));
    UNLESS("seed", dcnn_h5_attribute_write(file, "seed", DCNN_H5_INT64, -1, &kind->seed));
    UNLESS("images", dcnn_h5_write(file, "images", kind->image_type, kind->image_rank, shape, 0, pixels));
    UNLESS("labels", dcnn_h5_write(file, "labels", DCNN_H5_INT64, 1, shape, 0, labels));
    UNLESS("class_names", dcnn_h5_strings_write(file, "class_names", 2, (const char *const[]){"cat", "d\xc3\xb6g"}));
    UNLESS("splits", dcnn_h5_write(file, "splits/mine", DCNN_H5_INT64, 1, few, 0, rows));
    UNLESS("splits", dcnn_h5_write(file, "splits/train", DCNN_H5_INT64, 1, few, 0, rows));
#undef UNLESS
    if (kind->odd) put_odd(file, kind->odd);
    assert_ok(dcnn_h5_image(file, &bytes, &length));
    put_file(path, bytes, length);
    dcnn_h5_close(file);
}

static void refuse_foreign(foreign kind, const char *fragment) {
    const char *path = in_scratch("foreign.h5");
    dcnn_dataset set;
    put_foreign(path, &kind);
    dcnn_status status = open_set(path, &set);
    assert_fails(status, DCNN_BAD_INPUT, fragment, path);
    close_set(&set);
}

static void unsealed_data_sets_are_read_if_right(void **state) {
    (void)state;
    const char *path = in_scratch("foreign.h5"),
               *needed[] = {"format", "format_version", "mean", "std", "images", "labels", "class_names", "splits"};
    dcnn_dataset set;
    put_foreign(path, &right);
    assert_ok(open_set(path, &set));
    assert_true(set.count == 4 && set.class_count == 2 && set.seed == 5 && set.checksum == 0);
    assert_string_equal(set.class_names[1], "d\xc3\xb6g");
    assert_string_equal(set.splits[0].name, "train");
    assert_string_equal(set.splits[1].name, "mine");
    assert_true(set.mean[0] == 0.25 && set.std[0] == 0.5);
    assert_string_equal(set.source, "");
    close_set(&set);
    foreign kind = right;
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        char fragment[64];
        snprintf(fragment, sizeof fragment, "'%s' is missing", needed[i]);
        kind.without = needed[i];
        refuse_foreign(kind, fragment);
    }
    kind = right, kind.format = "model", refuse_foreign(kind, "does not say");
    kind = right, kind.version = 3, refuse_foreign(kind, "format version 3");
    kind = right, kind.row = 4, refuse_foreign(kind, "row 4, but there are 4");
    kind = right, kind.row = -1, refuse_foreign(kind, "row -1");
    kind = right, kind.row = 0, refuse_foreign(kind, "row 0 twice");
    kind = right, kind.label = 2, refuse_foreign(kind, "row 3 has label 2, but there are 2 classes");
    kind = right, kind.label = -1, refuse_foreign(kind, "label -1");
    kind = right, kind.label = 1LL << 32, refuse_foreign(kind, "label 4294967296");
    kind = right, kind.seed = -2, refuse_foreign(kind, "seed is -2");
    kind = right, kind.std = 0, refuse_foreign(kind, "std must be above 0");
    kind = right, kind.std = 64, refuse_foreign(kind, "are not those of pixel / 255; divide both by 255");
    kind = right, kind.std = NAN, refuse_foreign(kind, "std must be above 0");
    kind = right, kind.image_type = DCNN_H5_INT32, refuse_foreign(kind, "numbers that fit uint8");
    kind = right, kind.image_rank = 3, refuse_foreign(kind, "has 3 dimensions, not 4");
    kind = right, kind.odd = "square split", refuse_foreign(kind, "split 'odd' is not a list of 1 to 4 rows");
    kind.odd = "names of targets", refuse_foreign(kind, "/target_names has 3 names for 2 targets");
    kind.odd = "checksums", refuse_foreign(kind, "its checksums cannot cover 0 images each");
    kind.odd = "one class", kind.without = "class_names", refuse_foreign(kind, "holds 1, but at least two are needed");
}

/* What is read later is checked later: targets that are no numbers, names of more files than there are images. */
static void odd_values_are_refused_when_they_are_read(void **state) {
    (void)state;
    const char *path = in_scratch("foreign.h5");
    foreign kind = right;
    dcnn_dataset set;
    float targets[8];
    char **ids;
    kind.odd = "targets", put_foreign(path, &kind);
    assert_ok(open_set(path, &set));
    assert_fails(dcnn_dataset_read_targets(&set, targets), DCNN_BAD_INPUT, "target '0' of row 3 is not a number", path);
    close_set(&set);
    kind.odd = "ids", put_foreign(path, &kind);
    assert_ok(open_set(path, &set));
    assert_fails(dcnn_dataset_read_ids(&set, &ids), DCNN_BAD_INPUT, "/ids has 5 names for 4 images", path);
    close_set(&set);
}

/* --- the embedded digits ---------------------------------------------------------------------------------------- */

static void embedded_digits_are_prepared(void **state) {
    (void)state;
    char *folder = dcnn_embedded_digits();
    if (!folder) skip();
    dcnn_prepare_options options = {.limit = 42000,
                                    .split = {.test_fraction = 0.1, .validation_fraction = 0.2, .seed = 42}};
    dcnn_dataset set;
    double start = dcnn_now_s();
    assert_ok(prepare(folder, NULL, &options, in_scratch("digits.h5")));
    double prepared = dcnn_now_s();
    assert_ok(open_set(in_scratch("digits.h5"), &set));
    printf("digits: prepared in %.3f s, opened and read in %.3f s\n", prepared - start, dcnn_now_s() - prepared);
    assert_true(set.count == 52000 && set.h == 28 && set.w == 28 && set.c == 1 && set.class_count == 10);
    check_splits(&set, 42000, 30240, 7560, 4200);
    check_moments(&set);
    assert_int_equal(labels_read[0], 5);
    assert_int_equal(labels_read[42000], 7);
    close_set(&set);
    free(folder);
    assert_int_equal(setenv("DCNN_DATA", scratch, 1), 0);
    assert_ok(dcnn_folder_create(in_scratch("mnist")));
    folder = dcnn_embedded_digits();
    assert_non_null(folder);
    assert_string_equal(folder, in_scratch("mnist"));
    free(folder);
    unsetenv("DCNN_DATA");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idx_folder_becomes_a_data_set),
        cmocka_unit_test(same_sources_give_the_same_bytes),
        cmocka_unit_test(idx_files_may_come_in_either_order),
        cmocka_unit_test(limit_takes_the_first_and_keeps_the_official_test),
        cmocka_unit_test(stratified_splits_keep_proportions),
        cmocka_unit_test(small_classes_are_trained_on),
        cmocka_unit_test(csv_files_become_a_data_set),
        cmocka_unit_test(constant_channel_gets_deviation_one),
        cmocka_unit_test(bad_sources_are_refused),
        cmocka_unit_test(failed_prepare_leaves_nothing),
        cmocka_unit_test(flips_and_cuts_are_refused),
        cmocka_unit_test(change_between_open_and_read_is_seen),
        cmocka_unit_test(unsealed_data_sets_are_read_if_right),
        cmocka_unit_test(odd_values_are_refused_when_they_are_read),
        cmocka_unit_test(embedded_digits_are_prepared),
    };
    return cmocka_run_group_tests(tests, set_up_sources, tear_down);
}
