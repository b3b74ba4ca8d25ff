/* SPDX-License-Identifier: BSD-3-Clause */
/* test_golden.c — files of every format version, kept in tests/golden: each is read to the values it was written with,
 * and one of a newer version is refused with who wrote it. */
#include "io_helpers.h"

#include "io/dataset/dataset.h"
#include "io/hdf5/hdf5.h"
#include "model/keras_archive.h"
#include "model/model.h"
#include "model/safetensors.h"

#include "dataset_helpers.h"

#define GOLDEN(name) DCNN_TESTS_DIR "/golden/" name

static const uint64_t golden_hash = 0xd61fd501d6701b14; /* of the weights, as `dcnn info` said when they were written */

static void data_sets_of_every_version(void **state) {
    (void)state;
    static const struct {
        const char *path;
        int64_t count, train;
        int side;
        uint64_t pixels;
    } files[] = {{DCNN_TESTS_DIR "/expected/dataset-1.h5", 70, 50, 5, 524781},
                 {GOLDEN("data-set-2.h5"), 40, 30, 6, 113760}};
    for (int i = 0; i < 2; i++) {
        dcnn_dataset set;
        assert_ok(dcnn_dataset_open(files[i].path, &set));
        assert_true(set.sealed);
        const size_t bytes = (size_t)set.count * (size_t)(set.h * set.w * set.c);
        uint8_t *pixels = malloc(bytes);
        int32_t *labels = malloc((size_t)set.count * sizeof *labels);
        assert_true(pixels && labels);
        assert_ok(read_dataset(&set, pixels, labels));
        uint64_t sum = 0;
        for (size_t k = 0; k < bytes; k++) sum += pixels[k];
        assert_int_equal(set.count, files[i].count);
        assert_int_equal(dcnn_dataset_split(&set, "train")->count, files[i].train);
        assert_int_equal(set.h, files[i].side);
        assert_int_equal(sum, files[i].pixels);
        free(pixels);
        free(labels);
        dcnn_dataset_free(&set);
    }
}

static void models_of_every_format(void **state) {
    (void)state;
    dcnn_checkpoint checkpoint, archive;
    json_t *description;
    dcnn_net *net;
    assert_ok(dcnn_checkpoint_read(GOLDEN("run-1/checkpoints/step-00000006.h5"), &checkpoint));
    assert_int_equal(checkpoint.seal, DCNN_SEAL_GOOD);
    assert_true(checkpoint.resumable);
    assert_int_equal(checkpoint.progress.epoch, 1);
    assert_int_equal(checkpoint.progress.cursor, 16);
    assert_int_equal(checkpoint.progress.step, 6);
    assert_int_equal(checkpoint.progress.seed, 42);
    assert_int_equal(checkpoint.class_count, 3);
    assert_true(dcnn_weights_hash(checkpoint.net) == golden_hash);
    dcnn_checkpoint_free(&checkpoint);
    assert_ok(dcnn_keras_read(GOLDEN("model.keras"), &archive));
    assert_true(dcnn_weights_hash(archive.net) == golden_hash);
    dcnn_checkpoint_free(&archive);
    assert_ok(dcnn_description_read(GOLDEN("net.json"), &description));
    assert_ok(dcnn_net_create(description, (dcnn_shape){0}, &net));
    json_decref(description);
    archive = (dcnn_checkpoint){.net = net};
    assert_ok(dcnn_keras_weights_read(GOLDEN("model.weights.h5"), &archive));
    assert_true(dcnn_weights_hash(net) == golden_hash);
    dcnn_net_initialise(net, 1);
    assert_ok(dcnn_safetensors_read(GOLDEN("model.safetensors"), &archive));
    assert_true(dcnn_weights_hash(net) == golden_hash);
    dcnn_checkpoint_free(&archive);
}

/* The golden file, with another version number and an author, sealed anew by the means of today. */
static const char *put_newer(const char *from, const char *group, size_t seal_bytes, const char *name) {
    const char *path = in_scratch(name);
    const int32_t version = 99;
    size_t length;
    uint8_t *bytes = get_file(from, &length);
    put_file(path, bytes, length - seal_bytes);
    free(bytes);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), object = file >= 0 ? H5Oopen(file, group, H5P_DEFAULT) : -1;
    assert_true(object >= 0);
    assert_ok(dcnn_h5_attribute_write(object, "format_version", DCNN_H5_INT32, -1, &version));
    assert_ok(dcnn_h5_text_write(object, "created_by", "dcnn 7.5.0"));
    H5Oclose(object);
    H5Fclose(file);
    bytes = get_file(path, &length);
    assert_ok(dcnn_file_write(path, bytes, length, true));
    free(bytes);
    return path;
}

static void newer_versions_are_refused_with_who_reads_them(void **state) {
    (void)state;
    dcnn_dataset set;
    dcnn_checkpoint checkpoint;
    const char *path = put_newer(DCNN_TESTS_DIR "/expected/dataset-1.h5", "/", 32, "newer.h5");
    assert_fails(dcnn_dataset_open(path, &set), DCNN_BAD_INPUT, "version 99", "dcnn 7.5.0");
    path = put_newer(GOLDEN("run-1/best.h5"), "/dcnn", 32, "newer_model.h5");
    assert_fails(dcnn_checkpoint_read(path, &checkpoint), DCNN_BAD_INPUT, "version 99", "dcnn 7.5.0");
    /* and a seal that is not known yet */
    size_t length;
    uint8_t *bytes = get_file(GOLDEN("run-1/best.h5"), &length);
    bytes[length - 32 + 8] = 3;
    path = in_scratch("newer_seal.h5");
    put_file(path, bytes, length);
    free(bytes);
    assert_fails(dcnn_checkpoint_read(path, &checkpoint), DCNN_BAD_INPUT, "seal of version 3", "newer dcnn");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_sets_of_every_version),
        cmocka_unit_test(models_of_every_format),
        cmocka_unit_test(newer_versions_are_refused_with_who_reads_them),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
