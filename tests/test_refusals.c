/* SPDX-License-Identifier: BSD-3-Clause */
/* test_refusals.c — what `dcnn prepare` does not take, besides what test_readers.c has: each with one sentence. */
#include "io_helpers.h"

#include <math.h>
#include <zip.h>

#include "io/hdf5/hdf5.h"
#include "sources/prepare.h"

static dcnn_prepare_options options;

static void put(const char *name, const char *text) {
    put_text(in_scratch(name), text);
}

static void folder(const char *name) {
    assert_ok(dcnn_folder_create(in_scratch(name)));
}

/* An image of 2x2 points, each of this value. */
static void put_image(const char *name, char value) {
    char bytes[] = "P5 2 2 255\n....";
    memset(bytes + sizeof bytes - 5, value, 4);
    put_file(in_scratch(name), bytes, sizeof bytes - 1);
}

/* Preparing these fails so, with both fragments in its sentence; nothing is left of the output. */
static void refuse(const char *source, const char *second, dcnn_status code, const char *fragment, const char *place) {
    char *sources[2];
    for (int i = 0; i < 2; i++) {
        const char *name = i ? second : source;
        sources[i] = name ? strdup(in_scratch(name)) : NULL;
    }
    const char *output = in_scratch("refused.h5");
    assert_fails(dcnn_dataset_prepare(second ? 2 : 1, sources, &options, output, NULL), code, fragment, place);
    assert_int_not_equal(access(output, F_OK), 0);
    free(sources[0]);
    free(sources[1]);
    options = (dcnn_prepare_options){0};
}

static void refuse_input(const char *source, const char *fragment, const char *place) {
    refuse(source, NULL, DCNN_BAD_INPUT, fragment, place);
}

/* --- images ------------------------------------------------------------------------------------------------------- */

static void words_of_images_are_refused(void **state) {
    (void)state;
    dcnn_fit fit;
    uint8_t color[3];
    static const char *const bad[] = {"", "mauve", "#12345", "#1234567", "#12345g", "0x1234", "##12345"};
    assert_fails(dcnn_fit_parse("fill", &fit), DCNN_USAGE, "'fill' is not a way to fit an image", "crop, pad");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_fails(dcnn_color_parse(bad[i], color), DCNN_USAGE, "is not a colour", bad[i]);
    assert_ok(dcnn_color_parse("#0a10fF", color));
    assert_memory_equal(color, "\x0a\x10\xff", 3);
}

static void channels_that_no_image_has_are_refused(void **state) {
    (void)state;
    static const char image[] = "P5 1 1 255\n.";
    const dcnn_image_options five = {.channels = 5}, less = {.channels = -1}, one = {.channels = 1};
    dcnn_image made;
    assert_fails(dcnn_image_decode("x.pgm", (const uint8_t *)image, sizeof image - 1, &five, NULL, &made),
                 DCNN_BAD_INPUT, "has 1 to 4 channels, not 5", "x.pgm: ");
    assert_fails(dcnn_image_decode("x.pgm", (const uint8_t *)image, sizeof image - 1, &less, NULL, &made),
                 DCNN_BAD_INPUT, "has 1 to 4 channels, not -1", "x.pgm: ");
    uint8_t pixels[5] = {0};
    dcnn_image spectral = {.h = 1, .w = 1, .c = 5, .pixels = pixels};
    assert_fails(dcnn_image_channels("x.h5", &spectral, &one), DCNN_BAD_INPUT, "its 5 channels cannot become 1",
                 "x.h5");
    assert_true(spectral.c == 5 && spectral.pixels == pixels);
}

static void sizes_of_no_images_are_refused(void **state) {
    (void)state;
    int h, w, c;
    put("empty.png", "");
    assert_fails(dcnn_image_size(in_scratch("empty.png"), &h, &w, &c), DCNN_BAD_INPUT, "is empty", "empty.png: ");
    assert_fails(dcnn_image_size(in_scratch("none.png"), &h, &w, &c), DCNN_BAD_INPUT, "cannot open", "none.png: ");
    assert_fails(dcnn_image_size(scratch, &h, &w, &c), DCNN_BAD_INPUT, "cannot read", scratch);
}

static void odd_webp_is_refused(void **state) {
    (void)state;
    /* an extended header of 1x1: its flags, and nothing behind it */
    uint8_t bytes[] = "RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\0\0\0\0\0";
    const size_t length = 30;
    dcnn_image made;
    dcnn_status status = dcnn_image_decode("x.webp", bytes, length, NULL, NULL, &made);
    if (status != DCNN_OK && strstr(dcnn_error(), "built without libwebp")) skip();
    assert_fails(status, DCNN_BAD_INPUT, "an animated WebP; save one of its images as PNG", "x.webp: ");
    memset(bytes + 12, 'x', 4);
    assert_fails(dcnn_image_decode("x.webp", bytes, length, NULL, NULL, &made), DCNN_BAD_INPUT, "a damaged WebP image",
                 "x.webp: ");
    static const uint8_t dot[] = "RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\0\0\0\x10\x07\x10\x11\x11\x88\x88\xfe\x07";
    assert_ok(dcnn_image_decode("x.webp", dot, sizeof dot, NULL, NULL, &made));
    dcnn_image_free(&made);
    assert_fails(dcnn_image_decode("x.webp", dot, sizeof dot - 6, NULL, NULL, &made), DCNN_BAD_INPUT,
                 "a damaged WebP image: it ends too early, or is broken", "x.webp: ");
}

/* --- folders and lists -------------------------------------------------------------------------------------------- */

static void folders_that_hold_no_set_are_refused(void **state) {
    (void)state;
    folder("words"), folder("words/cat"), folder("words/dog");
    put("words/cat/a.txt", "meow"), put("words/dog/b.txt", "wuff");
    refuse_input("words", "none of its folders holds an image", "words: ");

    char deep[400] = "deep";
    folder(deep), folder("deep/cat"), folder("deep/dog");
    put_image("deep/dog/a.pgm", 1);
    strcpy(deep, "deep/cat");
    for (int i = 0; i < 40; i++) strcat(deep, "/in"), folder(deep);
    refuse_input("deep", "folders; move it up", "deep/cat/in");

    folder("split"), folder("split/train"), folder("split/test");
    for (int i = 0; i < 2; i++) {
        char name[64];
        snprintf(name, sizeof name, "split/%s/cat", i ? "test" : "train"), folder(name);
        strcat(name, "/a.pgm"), put_image(name, 1);
        snprintf(name, sizeof name, "split/%s/%s", i ? "test" : "train", i ? "owl" : "dog"), folder(name);
        strcat(name, "/b.pgm"), put_image(name, 2);
    }
    refuse_input("split", "has the class 'owl', which the training images do not have", "split/test");
    char *validation[] = {strdup(in_scratch("split"))};
    options.validation_count = 1, options.validation = validation;
    refuse_input("split", "has splits, but none for this purpose", "split: ");
    free(validation[0]);
}

static void lists_of_images_are_refused(void **state) {
    (void)state;
    put_image("a.pgm", 1), put_image("b.pgm", 2);
    put("lone.csv", "path,label\na.pgm,cat\n"), put("same.csv", "path,label\na.pgm,cat\nb.pgm,cat\n");
    refuse_input("lone.csv", "there is one image alone, of class 'cat'", "lone.csv: ");
    refuse_input("same.csv", "all 2 images are of one class, 'cat'", "same.csv: ");
    put("web.csv", "path,label\nhttps://example.org/a.png,1\n");
    refuse_input("web.csv", "is an address: fetch the images", "web.csv:2:1: ");
    put("bare.csv", "path,width,height\na.pgm,2,2\nb.pgm,2,2\n");
    refuse_input("bare.csv", "is a list of images without a column of labels", "bare.csv: ");
    put("broken.pgm", "P5 2 2 255\n.");
    put("broken.csv", "path,label\na.pgm,cat\nbroken.pgm,dog\n");
    refuse_input("broken.csv", "--skip-broken leaves such images out", "broken.pgm");
    put("both.csv", "path,label\nbroken.pgm,cat\nbroken.pgm,dog\n");
    options.read.skip_broken = true;
    folder("ruins"), folder("ruins/cat"), folder("ruins/dog");
    put("ruins/cat/a.pgm", "P5 2 x"), put("ruins/dog/b.pgm", "P5");
    refuse_input("ruins", "none of its images can be read", "ruins: ");
    options.read.skip_broken = true;
    refuse_input("both.csv", "none of its images can be read", "both.csv: ");
}

/* --- tables and arrays -------------------------------------------------------------------------------------------- */

static void labels_and_targets_that_do_not_fit_are_refused(void **state) {
    (void)state;
    put("labels.csv", "label,pixel0\n0,1\n1,2\n"), put("numbers.csv", "height,pixel0\n0.5,1\n1.5,2\n");
    put("more.csv", "height,width,pixel0\n0.5,1,1\n1.5,2,2\n");
    options.read.target_columns = "height";
    refuse("numbers.csv", "labels.csv", DCNN_USAGE, "height", "labels.csv");
    put("far.csv", "label,pixel0\n0,1\n1000000,2\n");
    refuse_input("far.csv", "its labels go up to 1000000", "far.csv: ");
    options.read.target_columns = ",";
    refuse("labels.csv", NULL, DCNN_USAGE, "--target-columns names no column", "");
    put("scaled.csv", "label,pixel0\n0,0.5\n1,2.5\n");
    options.read.scale = 255;
    refuse_input("scaled.csv", "'2.5' times 255 is not from 0 to 255", "scaled.csv:3:2: ");
    options.limit = -1;
    refuse("labels.csv", NULL, DCNN_USAGE, "the limit cannot be -1 samples", "0 means all");
    char *test[] = {strdup(in_scratch("test.csv"))};
    put("test.csv", "label,pixel0\n0,1\n7,2\n");
    options.test_count = 1, options.test = test;
    refuse_input("labels.csv", "sample 1 has label 7, but the training labels end at 1", "test.csv");
    free(test[0]);
}

/* Arrays x [4,9,9], or of so many channels, and y [4], as h5py would write them. */
static void put_arrays(const char *name, const double labels[4], int channels) {
    static const uint8_t pixels[4 * 9 * 9 * 65];
    const int64_t shape[] = {4, 9, 9, channels}, count[] = {4};
    const void *bytes;
    size_t length;
    hid_t file;
    assert_ok(dcnn_h5_create("arrays", 0, &file));
    assert_ok(dcnn_h5_write(file, "x_train", DCNN_H5_UINT8, channels ? 4 : 3, shape, 0, pixels));
    if (labels) assert_ok(dcnn_h5_write(file, "y_train", DCNN_H5_DOUBLE, 1, count, 0, labels));
    assert_ok(dcnn_h5_image(file, &bytes, &length));
    put_file(in_scratch(name), bytes, length);
    dcnn_h5_close(file);
}

/* Arrays x [4,9,9] and y [4], or of so many numbers an image, up from 0; the classes' names, if any. */
static void put_more_arrays(const char *name, dcnn_h5_type type, int numbers, const char *const names[2]) {
    static const uint8_t pixels[4 * 9 * 9];
    static const double values[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    static const int32_t labels[4] = {0, 1, 2, 3};
    const int64_t shape[] = {4, 9, 9}, count[] = {4, numbers};
    const void *bytes;
    size_t length;
    hid_t file;
    assert_ok(dcnn_h5_create("arrays", 0, &file));
    assert_ok(dcnn_h5_write(file, "x_train", DCNN_H5_UINT8, 3, shape, 0, pixels));
    assert_ok(dcnn_h5_write(file, "y_train", type, numbers > 1 ? 2 : 1, count, 0,
                            type == DCNN_H5_INT32 ? (const void *)labels : values));
    if (names) assert_ok(dcnn_h5_strings_write(file, "class_names", 2, names));
    assert_ok(dcnn_h5_image(file, &bytes, &length));
    put_file(in_scratch(name), bytes, length);
    dcnn_h5_close(file);
}

static void arrays_that_do_not_fit_are_refused(void **state) {
    (void)state;
    const double large[] = {0, 1, 5e9, 1}, endless[] = {0, 1, 0, INFINITY}, good[] = {0, 1, 0, 1};
    put_arrays("large.h5", large, 0);
    refuse_input("large.h5", "label 2 is 5000000000, too large for a class: the largest is 2147483647", "large.h5");
    put_arrays("endless.h5", endless, 0);
    options.read.target_columns = "all";
    refuse_input("endless.h5", "target 1 of image 3 is not a number", "endless.h5");
    put_arrays("good.h5", good, 0);
    put_arrays("wide.h5", good, DCNN_MAX_CHANNELS + 1);
    refuse_input("wide.h5", "its images are not of a supported size", "wide.h5: x_train");
    put_arrays("five.h5", good, 5), put_arrays("six.h5", good, 6);
    refuse("five.h5", "six.h5", DCNN_BAD_INPUT, "some images have 5 channels, others 6", "five.h5");
    folder("photos"), folder("photos/cat"), folder("photos/dog");
    put_image("photos/cat/a.pgm", 1), put_image("photos/dog/b.pgm", 2);
    options.read.target_columns = "all";
    refuse("good.h5", "photos", DCNN_BAD_INPUT, "has classes where", "has numbers to predict; prepare them apart");
    options.read.target_columns = "all";
    refuse("photos", NULL, DCNN_USAGE, "--target-columns is for lists of pictures, tables of pixels, arrays", "photos");
    options.read.target_columns = "2";
    refuse("good.h5", NULL, DCNN_USAGE, "has no column '2': --target-columns takes all, or numbers from 1 to 1",
           "y_train");
    put_arrays("bare.h5", NULL, 0);
    options.read.target_columns = "all";
    refuse_input("bare.h5", "has no numbers to predict, which --target-columns asks for: name the file", "bare.h5: ");
    char *test[] = {strdup(in_scratch("bare.h5"))};
    options.test_count = 1, options.test = test;
    refuse_input("good.h5", "has no labels; say --test once more for the file that holds them", "bare.h5: ");
    free(test[0]);
    put_more_arrays("two.h5", DCNN_H5_DOUBLE, 2, NULL), put_more_arrays("one.h5", DCNN_H5_DOUBLE, 1, NULL);
    options.read.target_columns = "all";
    refuse("two.h5", "one.h5", DCNN_BAD_INPUT, "one.h5: x_train: has 1 number to predict for each image, but",
           "two.h5: x_train has 2");
    put_more_arrays("named.h5", DCNN_H5_INT32, 1, (const char *const[]){"cat", "dog"});
    refuse_input("named.h5", "sample 2 has label 2, but there are names for 2 classes", "named.h5: ");
    const void *bytes;
    size_t length;
    hid_t file, group;
    assert_ok(dcnn_h5_create("weights", 0, &file));
    assert_ok(dcnn_h5_group_create(file, "model_weights", &group));
    assert_ok(dcnn_h5_write(group, "kernel", DCNN_H5_FLOAT, 1, (int64_t[]){4}, 0, (float[4]){0}));
    dcnn_h5_group_close(group);
    assert_ok(dcnn_h5_image(file, &bytes, &length));
    put_file(in_scratch("weights.h5"), bytes, length);
    dcnn_h5_close(file);
    refuse_input("weights.h5", "is a model, not a source of images; `dcnn info` describes it", "weights.h5: ");
    assert_ok(dcnn_h5_create("nothing", 0, &file));
    assert_ok(dcnn_h5_group_create(file, "group", &group));
    dcnn_h5_group_close(group);
    assert_ok(dcnn_h5_image(file, &bytes, &length));
    put_file(in_scratch("nothing.h5"), bytes, length);
    dcnn_h5_close(file);
    refuse_input("nothing.h5", "is an HDF5 file without data sets", "nothing.h5: ");
}

/* --- zips --------------------------------------------------------------------------------------------------------- */

static void put_zip(const char *name, int members) {
    int error;
    unlink(in_scratch(name));
    zip_t *zip = zip_open(in_scratch(name), ZIP_CREATE | ZIP_TRUNCATE, &error);
    assert_non_null(zip);
    assert_true(zip_dir_add(zip, "only", 0) >= 0);
    for (int i = 0; i < members; i++) {
        char member[16];
        snprintf(member, sizeof member, "%d.csv", i);
        zip_source_t *text = zip_source_buffer(zip, "label,pixel0\n0,1\n1,2\n", 21, 0);
        assert_true(zip_file_add(zip, member, text, 0) >= 0);
    }
    assert_int_equal(zip_close(zip), 0);
}

static void zips_of_none_or_many_files_are_refused(void **state) {
    (void)state;
    put_zip("none.zip", 0);
    refuse_input("none.zip", "a zip archive without files", "none.zip: ");
    put_zip("many.zip", 3);
    refuse_input("many.zip", "a zip archive of 3 files (0.csv, 1.csv, ...); unpack it and name them", "many.zip: ");
}

/* 280 MiB of zeros in a table, in 280 KB. */
static void zips_out_of_proportion_are_refused(void **state) {
    (void)state;
    enum { PARTS = 70, EACH = 4 << 20 };
    int error;
    zip_buffer_fragment_t parts[PARTS];
    uint8_t *zeros = calloc(EACH, 1);
    assert_non_null(zeros);
    for (int i = 0; i < PARTS; i++) parts[i] = (zip_buffer_fragment_t){zeros, EACH};
    zip_t *zip = zip_open(in_scratch("bomb.zip"), ZIP_CREATE | ZIP_TRUNCATE, &error);
    assert_non_null(zip);
    assert_true(zip_file_add(zip, "a.csv", zip_source_buffer_fragment(zip, parts, PARTS, 0), 0) >= 0);
    assert_int_equal(zip_close(zip), 0);
    free(zeros);
    refuse_input("bomb.zip", "bytes unpack to 280 MiB or more, which is out of proportion", "bomb.zip: ");
}

/* A NumPy archive of a file that is no array. */
static void archives_of_no_arrays_are_refused(void **state) {
    (void)state;
    int error;
    zip_t *zip = zip_open(in_scratch("text.npz"), ZIP_CREATE | ZIP_TRUNCATE, &error);
    assert_non_null(zip);
    assert_true(zip_file_add(zip, "x_train.npy", zip_source_buffer(zip, "not an array at all", 19, 0), 0) >= 0);
    assert_int_equal(zip_close(zip), 0);
    refuse_input("text.npz", "is not a NumPy array", "text.npz: x_train: ");
}

/* --- MATLAB ------------------------------------------------------------------------------------------------------- */

static void damaged_mat_files_are_refused(void **state) {
    (void)state;
    enum { HEADER = 128, VERSION = 124 };
    size_t length;
    uint8_t *bytes = get_file(DCNN_SOURCE_DIR "/tests/cases/mat_svhn_v5.mat", &length);
    put_file(in_scratch("whole.mat"), bytes, length), put_file(in_scratch("cut.mat"), bytes, length - 10);
    put_file(in_scratch("bare.mat"), bytes, HEADER);
    bytes[VERSION] = 0, bytes[VERSION + 1] = 7;
    put_file(in_scratch("version.mat"), bytes, length);
    free(bytes);
    char *source = strdup(in_scratch("whole.mat"));
    dcnn_status status = dcnn_dataset_prepare(1, &source, &options, in_scratch("mat.h5"), NULL);
    free(source);
    if (status != DCNN_OK && strstr(dcnn_error(), "built without libmatio")) skip();
    refuse_input("cut.mat", "a damaged MATLAB file: cut or changed; use another copy", "cut.mat: ");
    refuse_input("bare.mat", "a damaged MATLAB file: no variable can be read", "bare.mat: ");
    refuse_input("version.mat", "a damaged MATLAB file: libmatio cannot open it", "version.mat: ");
}

/* --- data sets of other programs ---------------------------------------------------------------------------------- */

/* A data set of four images of 1x1, one of them otherwise. */
static void put_set(const char *odd, int channels, int64_t count, int rows_of_targets) {
    static const uint8_t pixels[4 * 100];
    static const float targets[8];
    static const double one[100] = {0.5};
    const int64_t images[] = {count, 1, 1, channels}, rows[] = {0, 1}, two[] = {2}, each[] = {rows_of_targets, 2};
    const void *bytes;
    size_t length;
    hid_t file;
    assert_ok(dcnn_h5_create("set", 0, &file));
    assert_ok(dcnn_h5_text_write(file, "format", "dcnn data set"));
    assert_ok(dcnn_h5_attribute_write(file, "format_version", DCNN_H5_INT64, -1, &(int64_t){1}));
    assert_ok(dcnn_h5_attribute_write(file, "mean", DCNN_H5_DOUBLE, 1, one));
    assert_ok(dcnn_h5_attribute_write(file, "std", DCNN_H5_DOUBLE, 1, one));
    assert_ok(dcnn_h5_write(file, "images", DCNN_H5_UINT8, 4, images, 0, count ? pixels : NULL));
    assert_ok(dcnn_h5_write(file, "targets", DCNN_H5_FLOAT, 2, each, 0, targets));
    assert_ok(dcnn_h5_write(file, "splits/train", DCNN_H5_INT64, 1, two, 0, rows));
    if (odd) assert_ok(dcnn_h5_write(file, odd, DCNN_H5_INT64, 1, two, 0, rows));
    assert_ok(dcnn_h5_image(file, &bytes, &length));
    put_file(in_scratch("set.h5"), bytes, length);
    dcnn_h5_close(file);
}

static void refuse_set(const char *fragment) {
    dcnn_dataset set;
    assert_fails(dcnn_dataset_open(in_scratch("set.h5"), &set), DCNN_BAD_INPUT, fragment, "set.h5: ");
    dcnn_dataset_free(&set);
}

static void data_sets_of_odd_shape_are_refused(void **state) {
    (void)state;
    dcnn_dataset set;
    int32_t labels[4];
    put_set(NULL, 1, 4, 4);
    assert_ok(dcnn_dataset_open(in_scratch("set.h5"), &set));
    assert_true(set.count == 4 && set.target_width == 2 && !set.has_labels);
    assert_fails(dcnn_dataset_read_labels(&set, labels), DCNN_BAD_INPUT, "no labels, so it has no classes to learn",
                 "set.h5: ");
    dcnn_dataset_free(&set);
    put_set(NULL, DCNN_MAX_CHANNELS + 1, 4, 4);
    refuse_set("/images has shape [4,1,1,65]; each must be at least 1, and channels at most 64");
    put_set(NULL, 1, 0, 4);
    refuse_set("/images has shape [0,1,1,1]; each must be at least 1");
    put_set(NULL, 1, 4, 3);
    refuse_set("/targets is not [N,K], a row of numbers for each of the 4 images");
    put_set("splits/a_name_of_a_split_that_is_longer_than_31", 1, 4, 4);
    refuse_set("or its name is longer than 31 characters");
    put_set("splits/test", 1, 4, 4);
    refuse_set("2 rows are in two splits (train and test)");
    hid_t file;
    assert_ok(dcnn_h5_create("model", 0, &file));
    const void *bytes;
    size_t length;
    assert_ok(dcnn_h5_text_write(file, "model_config", "{}"));
    assert_fails(dcnn_h5_write(file, "deep", DCNN_H5_UINT8, DCNN_H5_MAX_RANK + 1, (int64_t[16]){0}, 0, NULL),
                 DCNN_USAGE, "dimensions, 0 to", "'deep'");
    assert_ok(dcnn_h5_image(file, &bytes, &length));
    put_file(in_scratch("set.h5"), bytes, length);
    dcnn_h5_close(file);
    refuse_set("a model, not a data set ('dcnn info' says what is in it)");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_of_images_are_refused),
        cmocka_unit_test(channels_that_no_image_has_are_refused),
        cmocka_unit_test(sizes_of_no_images_are_refused),
        cmocka_unit_test(odd_webp_is_refused),
        cmocka_unit_test(folders_that_hold_no_set_are_refused),
        cmocka_unit_test(lists_of_images_are_refused),
        cmocka_unit_test(labels_and_targets_that_do_not_fit_are_refused),
        cmocka_unit_test(arrays_that_do_not_fit_are_refused),
        cmocka_unit_test(data_sets_of_odd_shape_are_refused),
        cmocka_unit_test(zips_of_none_or_many_files_are_refused),
        cmocka_unit_test(zips_out_of_proportion_are_refused),
        cmocka_unit_test(archives_of_no_arrays_are_refused),
        cmocka_unit_test(damaged_mat_files_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
