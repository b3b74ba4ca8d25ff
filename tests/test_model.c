/* SPDX-License-Identifier: BSD-3-Clause */
/* test_model.c — models and checkpoints: what is written is read back bit for bit, and nothing wrong is believed. */
#include "io_helpers.h"

#include <float.h>
#include <math.h>

#include "base/arena.h"
#include "io/hdf5/hdf5.h"
#include "model/model.h"
#include "model_helpers.h"

static const dcnn_optimizer adam = {.learning_rate = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7};

/* --- helpers ---------------------------------------------------------------------------------------------------- */

/* Every layer with weights, with and without those that can be left out. */
static const char *const every_layer =
    "[{'class_name':'InputLayer','config':{'batch_shape':[null,12,10,2],'name':'in'}},"
    "{'class_name':'Conv2D','config':{'name':'first','filters':3,'kernel_size':3,'activation':'relu'}},"
    "{'class_name':'MaxPooling2D','config':{'name':'pool','pool_size':2}},"
    "{'class_name':'BatchNormalization','config':{'name':'norm'}},"
    "{'class_name':'Conv2D','config':{'filters':4,'kernel_size':[2,1],'padding':'same','use_bias':false}},"
    "{'class_name':'BatchNormalization','config':{'scale':false}},"
    "{'class_name':'BatchNormalization','config':{'center':false}},"
    "{'class_name':'Flatten','config':{}},"
    "{'class_name':'Dropout','config':{'rate':0.25}},"
    "{'class_name':'Dense','config':{'name':'last','units':5,'activation':'softmax'}}]";

/* Any bits, but a value that compares as itself: also subnormal, huge and negative ones. */
static float any_float(void) {
    union {
        uint32_t bits;
        float value;
    } u;
    do {
        u.bits = draw_below(1u << 16) << 16 | draw_below(1u << 16);
    } while (!isfinite(u.value));
    return u.value;
}

/* Fills the vector's weights, not the gaps between them. */
static void fill(const dcnn_net *net, bool trainable, float *values) {
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++) {
            const dcnn_param *param = &net->nodes[i].params[j];
            if (param->trainable != trainable) continue;
            for (size_t k = 0; k < param->count; k++) values[param->offset + k] = any_float();
        }
}

static char *class_names[] = {"zero", "e\xcc\x81t\xc3\xa9", "", "three", "a rather long name for one class"};

/* A checkpoint with all that there can be in one. */
static dcnn_checkpoint make_checkpoint(const char *layers) {
    dcnn_checkpoint made = {.net = make_net(layers),
                            .progress = {.seed = UINT64_MAX - 5,
                                         .epoch = 3,
                                         .cursor = 1280,
                                         .step = (int64_t)1 << 40,
                                         .loss_sum = 1.0 / 3.0,
                                         .correct = 77,
                                         .best_loss = INFINITY,
                                         .best_correct = -1,
                                         .best_epoch = 2,
                                         .elapsed_s = DBL_MIN,
                                         .data_checksum = 0xfedcba9876543210u},
                            .normalised = true,
                            .mean = {0.1, -2.5},
                            .std = {1.0 / 7.0, 3.0},
                            .class_count = 5,
                            .class_names = class_names,
                            .data_path = "some/folder/data set.h5"};
    assert_ok(dcnn_block_create(made.net->param_count * sizeof(float), "m", (void **)&made.m));
    assert_ok(dcnn_block_create(made.net->param_count * sizeof(float), "v", (void **)&made.v));
    fill(made.net, true, made.net->params);
    fill(made.net, false, made.net->state);
    fill(made.net, true, made.m);
    fill(made.net, true, made.v);
    made.options = json_pack("{s:f, s:s, s:i}", "learning_rate", 1e-3, "data", "x.h5", "epochs", 15);
    made.history = malloc(100001);
    assert_non_null(made.history);
    for (int i = 0; i < 100000; i++) made.history[i] = (char)(i % 60 == 59 ? '\n' : ' ' + i % 90);
    made.history[100000] = '\0';
    return made;
}

static void release(dcnn_checkpoint *made) {
    made->class_names = NULL; /* not the checkpoint's own here */
    made->data_path = NULL;
    dcnn_checkpoint_free(made);
}

/* Writes a whole checkpoint of `every_layer`. */
static const char *put_checkpoint(const char *name) {
    const char *path = in_scratch(name);
    dcnn_checkpoint made = make_checkpoint(every_layer);
    assert_ok(dcnn_checkpoint_write(path, &made, &adam));
    release(&made);
    return path;
}

static dcnn_status try_read(const char *path) {
    dcnn_checkpoint read;
    dcnn_status status = dcnn_checkpoint_read(path, &read);
    if (status != DCNN_OK) {
        assert_null(read.net); /* nothing is left to free */
        assert_null(read.m);
    }
    dcnn_checkpoint_free(&read);
    return status;
}

/* A file as another program would leave it: changed by `change`, without seal and without /dcnn. */
static const char *put_foreign(const char *name, void (*change)(hid_t file)) {
    const char *path = put_checkpoint(name);
    size_t length;
    uint8_t *bytes = get_file(path, &length);
    put_file(path, bytes, length - 32);
    free(bytes);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(file >= 0);
    assert_true(H5Ldelete(file, "dcnn", H5P_DEFAULT) >= 0);
    if (change) change(file);
    H5Fclose(file);
    return path;
}

/* --- round trips ------------------------------------------------------------------------------------------------ */

static void test_round_trip(void **state) {
    (void)state;
    const char *path = in_scratch("round.h5"), *again = in_scratch("again.h5");
    dcnn_checkpoint made = make_checkpoint(every_layer), read;
    assert_ok(dcnn_checkpoint_write(path, &made, &adam));
    assert_ok(dcnn_checkpoint_read(path, &read));
    assert_int_equal(read.seal, DCNN_SEAL_GOOD);
    assert_true(read.resumable);
    assert_int_equal(read.net->param_count, made.net->param_count);
    assert_int_equal(read.net->state_count, made.net->state_count);
    const size_t bytes = made.net->param_count * sizeof(float);
    assert_memory_equal(read.net->params, made.net->params, bytes);
    assert_memory_equal(read.net->state, made.net->state, made.net->state_count * sizeof(float));
    assert_memory_equal(read.m, made.m, bytes);
    assert_memory_equal(read.v, made.v, bytes);
    assert_memory_equal(&read.progress, &made.progress, sizeof read.progress);
    assert_true(read.normalised);
    assert_memory_equal(read.mean, made.mean, sizeof read.mean);
    assert_memory_equal(read.std, made.std, sizeof read.std);
    assert_int_equal(read.class_count, 5);
    for (int i = 0; i < 5; i++) assert_string_equal(read.class_names[i], class_names[i]);
    assert_string_equal(read.data_path, made.data_path);
    assert_string_equal(read.history, made.history);
    assert_true(json_equal(read.options, made.options));
    assert_true(dcnn_weights_hash(read.net) == dcnn_weights_hash(made.net));
    json_t *was = dcnn_net_describe(made.net), *is = dcnn_net_describe(read.net);
    assert_true(json_equal(was, is));
    json_decref(was);
    json_decref(is);
    assert_ok(dcnn_checkpoint_write(again, &read, &adam)); /* what was read is as good as what was made: same bytes */
    size_t length, length_again;
    uint8_t *first = get_file(path, &length), *second = get_file(again, &length_again);
    assert_int_equal(length, length_again);
    assert_memory_equal(first, second, length);
    free(first);
    free(second);
    dcnn_checkpoint_free(&read);
    release(&made);
}

/* Whose vectors Keras would not keep, the file does not either; they come back as zeros. */
static void test_round_trip_of_every_optimizer(void **state) {
    (void)state;
    static const struct {
        dcnn_optimizer optimizer;
        int moments;
        const char *class_name; /* NULL: Keras has none */
        const char *first;      /* the first moment */
    } cases[] = {
        {{.kind = DCNN_ADAM, .weight_decay = 0.1}, 2, "Adam", "adam/last_kernel_momentum"},
        {{.kind = DCNN_LAMB}, 2, NULL, "lamb/last_kernel_momentum"},
        {{.kind = DCNN_SGD, .momentum = 0.5}, 1, "SGD", "sgd/last_kernel_momentum"},
        {{.kind = DCNN_SGD}, 0, "SGD", NULL},
        {{.kind = DCNN_LARS, .momentum = 0.9}, 1, NULL, "lars/last_kernel_momentum"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *path = in_scratch("optimizer.h5");
        dcnn_checkpoint made = make_checkpoint(every_layer), read;
        assert_ok(dcnn_checkpoint_write(path, &made, &cases[i].optimizer));
        assert_ok(dcnn_checkpoint_read(path, &read));
        assert_true(read.resumable && read.own);
        assert_int_equal(read.has_optimizer, cases[i].class_name != NULL);
        if (read.has_optimizer) assert_memory_equal(&read.optimizer, &cases[i].optimizer, sizeof read.optimizer);
        const size_t bytes = made.net->param_count * sizeof(float);
        float *zeros = calloc(1, bytes);
        assert_memory_equal(read.m, cases[i].moments > 0 ? made.m : zeros, bytes);
        assert_memory_equal(read.v, cases[i].moments > 1 ? made.v : zeros, bytes);
        hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
        char name[100], *training;
        assert_int_equal(dcnn_h5_attribute_has(file, "training_config"), cases[i].class_name != NULL);
        if (cases[i].class_name) {
            assert_ok(dcnn_h5_text_read(file, "training_config", &training));
            snprintf(name, sizeof name, "\"class_name\":\"%s\"", cases[i].class_name);
            assert_non_null(strstr(training, name));
            free(training);
        }
        snprintf(name, sizeof name, "dcnn/optimizer_weights/%s", cases[i].first ? cases[i].first : "sgd/iteration");
        if (!dcnn_h5_has(file, name)) fail_msg("%s is missing", name);
        H5Fclose(file);
        free(zeros);
        dcnn_checkpoint_free(&read);
        release(&made);
    }
}

/* NaN and infinity are weights like others: a diverged run's file can be looked at. */
static void test_bare_model(void **state) {
    (void)state;
    const char *path = in_scratch("bare.h5");
    dcnn_checkpoint made = {.net = make_net(every_layer)}, read;
    fill(made.net, true, made.net->params);
    made.net->params[0] = NAN;
    made.net->params[1] = -INFINITY;
    assert_ok(dcnn_checkpoint_write(path, &made, NULL));
    assert_ok(dcnn_checkpoint_read(path, &read));
    assert_memory_equal(read.net->params, made.net->params, made.net->param_count * sizeof(float));
    assert_false(read.resumable);
    assert_false(read.normalised);
    assert_int_equal(read.class_count, 5);
    assert_null(read.m);
    assert_null(read.v);
    assert_null(read.class_names);
    assert_null(read.data_path);
    assert_null(read.history);
    assert_null(read.options);
    dcnn_checkpoint_free(&read);
    dcnn_checkpoint_free(&made);
}

/* A deep net has more names than one attribute holds. */
static void test_long_name_lists(void **state) {
    (void)state;
    enum { LAYERS = 1100 };
    const char *path = in_scratch("deep.h5");
    char *text = malloc(LAYERS * 140 + 400), *next = text;
    assert_non_null(text);
    next += sprintf(next, "[{'class_name':'InputLayer','config':{'batch_shape':[null,1,1,2]}}");
    for (int i = 0; i < LAYERS; i++)
        next += sprintf(next,
                        ",{'class_name':'BatchNormalization','config':{'name':"
                        "'a_name_of_many_letters_that_stands_for_one_of_many_layers_%d'}}",
                        i);
    sprintf(next, ",{'class_name':'Flatten'},{'class_name':'Dense','config':{'units':2,'activation':'softmax'}}]");
    dcnn_checkpoint made = {.net = make_net(text)}, read;
    assert_ok(dcnn_block_create(made.net->param_count * sizeof(float), "m", (void **)&made.m));
    assert_ok(dcnn_block_create(made.net->param_count * sizeof(float), "v", (void **)&made.v));
    fill(made.net, true, made.net->params);
    fill(made.net, true, made.m);
    fill(made.net, true, made.v);
    assert_ok(dcnn_checkpoint_write(path, &made, &adam));
    hid_t file, group;
    assert_ok(dcnn_h5_open(path, &file, NULL));
    assert_ok(dcnn_h5_group_open(file, "model_weights", &group));
    assert_false(dcnn_h5_attribute_has(group, "layer_names"));
    assert_true(dcnn_h5_attribute_has(group, "layer_names1"));
    dcnn_h5_close(file);
    assert_ok(dcnn_checkpoint_read(path, &read));
    assert_true(read.resumable);
    assert_memory_equal(read.net->params, made.net->params, made.net->param_count * sizeof(float));
    assert_memory_equal(read.v, made.v, made.net->param_count * sizeof(float));
    dcnn_checkpoint_free(&read);
    dcnn_checkpoint_free(&made);
    free(text);
}

static void test_hash(void **state) {
    (void)state;
    dcnn_checkpoint made = make_checkpoint(every_layer);
    const uint64_t hash = dcnn_weights_hash(made.net);
    for (int i = 0; i < made.net->node_count; i++)
        for (int j = 0; j < made.net->nodes[i].param_count; j++) {
            const dcnn_param *param = &made.net->nodes[i].params[j];
            uint8_t *byte = (uint8_t *)dcnn_net_values(made.net, param) + draw_below((uint32_t)param->count * 4);
            const uint8_t bit = (uint8_t)(1u << draw_below(8));
            *byte ^= bit;
            assert_true(dcnn_weights_hash(made.net) != hash);
            *byte ^= bit;
        }
    assert_true(dcnn_weights_hash(made.net) == hash);
    release(&made);
}

/* --- files that are no model ------------------------------------------------------------------------------------ */

static void test_missing_and_wrong_files(void **state) {
    (void)state;
    assert_fails(try_read(in_scratch("none.h5")), DCNN_BAD_INPUT, "No such file", "none.h5");
    put_text(in_scratch("text.h5"), "this is no HDF5 file at all");
    assert_fails(try_read(in_scratch("text.h5")), DCNN_BAD_INPUT, "is a text file, not an HDF5 file", "text.h5");
    put_text(in_scratch("empty.h5"), "");
    assert_fails(try_read(in_scratch("empty.h5")), DCNN_BAD_INPUT, "empty", "empty.h5");
    hid_t file;
    const void *bytes;
    size_t length;
    assert_ok(dcnn_h5_create("other.h5", 0, &file));
    assert_ok(dcnn_h5_image(file, &bytes, &length));
    assert_ok(dcnn_file_write(in_scratch("other.h5"), bytes, length, false));
    dcnn_h5_close(file);
    assert_fails(try_read(in_scratch("other.h5")), DCNN_BAD_INPUT, "model_config", "other.h5");
}

/* Whole by its seal, but of values that no training can have come to. */
static void test_impossible_values(void **state) {
    (void)state;
    const char *path = in_scratch("impossible.h5");
    for (int i = 0; i < 9; i++) {
        dcnn_checkpoint made = make_checkpoint(every_layer);
        const char *fragment = "its progress (epoch";
        switch (i) {
        case 0:
            made.progress.epoch = -1;
            break;
        case 1:
            made.progress.cursor = -1;
            break;
        case 2:
            made.progress.step = -1;
            break;
        case 3:
            made.progress.phase_epoch = made.progress.epoch + 1;
            break;
        case 4:
            made.progress.phase_step = made.progress.step + 1;
            break;
        case 5:
            made.std[1] = 0.0, fragment = "of channel 1 are impossible";
            break;
        case 6:
            made.mean[0] = (double)NAN, fragment = "of channel 0 are impossible";
            break;
        case 7:
            made.class_count = 4, fragment = "names 4 classes, but its model has 5";
            break;
        case 8:
            made.blue_first = true, fragment = "its channel_order must be rgb";
            break;
        default:
            break;
        }
        assert_ok(dcnn_checkpoint_write(path, &made, &adam));
        assert_fails(try_read(path), DCNN_BAD_INPUT, fragment, path);
        made.class_count = 5;
        release(&made);
    }
}

/* Cut anywhere or with any byte changed, it is refused. */
static void test_damage(void **state) {
    (void)state;
    const char *path = put_checkpoint("good.h5"), *bad = in_scratch("bad.h5");
    size_t length;
    uint8_t *bytes = get_file(path, &length);
    for (int i = 0; i < 60; i++) {
        const size_t at = i < 32 ? length - 1 - (size_t)i : draw_below((uint32_t)length);
        const uint8_t bit = (uint8_t)(1u << draw_below(8));
        bytes[at] ^= bit;
        put_file(bad, bytes, length);
        assert_fails(try_read(bad), DCNN_BAD_INPUT, "damaged", "bad.h5");
        bytes[at] ^= bit;
        put_file(bad, bytes, at);
        assert_fails(try_read(bad), DCNN_BAD_INPUT, "", "bad.h5");
    }
    put_file(bad, bytes, length - 32); /* whole, but for the seal */
    assert_fails(try_read(bad), DCNN_BAD_INPUT, "its seal is gone", "bad.h5");
    free(bytes);
    assert_ok(try_read(path));
}

/* A full disk or a folder that is not there leaves the old file as it was. */
static void test_failed_write(void **state) {
    (void)state;
    const char *path = put_checkpoint("kept.h5");
    size_t length, length_after;
    uint8_t *before = get_file(path, &length);
    const int files = files_in(scratch);
    dcnn_checkpoint made = make_checkpoint(every_layer);
    limit_files(4096);
    dcnn_status status = dcnn_checkpoint_write(path, &made, &adam);
    limit_files(SIZE_MAX);
    assert_fails(status, DCNN_FAILURE, "cannot write", "kept.h5");
    assert_fails(dcnn_checkpoint_write(in_scratch("no/folder.h5"), &made, &adam), DCNN_FAILURE, "cannot create",
                 "no/folder.h5");
    uint8_t *after = get_file(path, &length_after);
    assert_int_equal(length, length_after);
    assert_memory_equal(before, after, length);
    assert_int_equal(files_in(scratch), files);
    free(before);
    free(after);
    release(&made);
}

/* --- models that do not fit ------------------------------------------------------------------------------------- */

static void delete_bias(hid_t file) {
    H5Ldelete(file, "model_weights/first/first/bias", H5P_DEFAULT);
}

static void delete_layer(hid_t file) {
    H5Ldelete(file, "model_weights/last", H5P_DEFAULT);
}

static void delete_weights(hid_t file) {
    H5Ldelete(file, "model_weights", H5P_DEFAULT);
}

static void rewrite(hid_t file, const char *group, const char *attribute, int count, const char *const *names) {
    hid_t where;
    assert_ok(dcnn_h5_group_open(file, group, &where));
    assert_ok(dcnn_h5_names_write(where, attribute, count, names));
    dcnn_h5_group_close(where);
}

static void forget_bias(hid_t file) {
    rewrite(file, "model_weights/last", "weight_names", 1, (const char *[]){"last/kernel"});
}

static void forget_layer(hid_t file) {
    rewrite(file, "model_weights", "layer_names", 2, (const char *[]){"first", "norm"});
}

static void add_layer(hid_t file) {
    assert_true(H5Lcreate_hard(file, "model_weights/first", file, "model_weights/more", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    rewrite(
        file, "model_weights", "layer_names", 7,
        (const char *[]){"first", "norm", "conv2d", "batch_normalization", "batch_normalization_1", "last", "more"});
}

static void name_twice(hid_t file) {
    rewrite(file, "model_weights", "layer_names", 2, (const char *[]){"first", "first"});
}

static void swap_layers(hid_t file) {
    rewrite(file, "model_weights", "layer_names", 2, (const char *[]){"last", "first"});
}

static void write_integers(hid_t file) {
    int64_t shape[] = {5};
    int32_t values[5] = {0};
    H5Ldelete(file, "model_weights/last/last/bias", H5P_DEFAULT);
    assert_ok(dcnn_h5_write(file, "model_weights/last/last/bias", DCNN_H5_INT32, 1, shape, 0, values));
}

static void spoil_config(hid_t file) {
    assert_ok(dcnn_h5_text_write(file, "model_config", "{\"class_name\": \"Sequential\""));
}

static void name_unknown_layer(hid_t file) {
    assert_ok(dcnn_h5_text_write(file, "model_config",
                                 "{\"class_name\": \"Sequential\", \"config\": {\"layers\": [{\"class_name\": "
                                 "\"InputLayer\", \"config\": {\"batch_shape\": [null, 3]}}, {\"class_name\": "
                                 "\"LSTM\", \"config\": {\"name\": \"memory\"}}]}}"));
}

static void link_softly(hid_t file) {
    H5Lmove(file, "model_weights/last", file, "elsewhere", H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Lcreate_soft("/elsewhere", file, "model_weights/last", H5P_DEFAULT, H5P_DEFAULT) >= 0);
}

static void link_outside(hid_t file) {
    H5Ldelete(file, "model_weights/last", H5P_DEFAULT);
    assert_true(H5Lcreate_external("other.h5", "/x", file, "model_weights/last", H5P_DEFAULT, H5P_DEFAULT) >= 0);
}

static void replace_bias(hid_t file, hid_t creation) {
    hsize_t size = 5;
    hid_t space = H5Screate_simple(1, &size, NULL);
    H5Ldelete(file, "model_weights/last/last/bias", H5P_DEFAULT);
    hid_t data =
        H5Dcreate2(file, "model_weights/last/last/bias", H5T_IEEE_F32LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    assert_true(data >= 0);
    H5Dclose(data);
    H5Sclose(space);
    H5Pclose(creation);
}

static void store_outside(hid_t file) {
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(creation, "/etc/hostname", 0, 20);
    replace_bias(file, creation);
}

static void store_virtually(hid_t file) {
    hsize_t size = 5;
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, &size, NULL);
    H5Pset_virtual(creation, space, "other.h5", "/x", space);
    H5Sclose(space);
    replace_bias(file, creation);
}

static void test_models_that_do_not_fit(void **state) {
    (void)state;
    static const struct {
        void (*change)(hid_t file);
        const char *fragment, *place;
    } cases[] = {
        {delete_bias, "is missing", "layer 'first': weight 'bias'"},
        {delete_layer, "is missing", "'last'"},
        {delete_weights, "is missing", "'model_weights'"},
        {forget_bias, "has 1 weights, but the model needs 2 (kernel, bias)", "layer 'last'"},
        {forget_layer, "has 0 weights, but the model needs 1 (kernel)", "layer 'conv2d'"},
        {add_layer, "more layers", "'first/kernel'"},
        {name_twice, "name the layer 'first' twice", "foreign.h5"},
        {swap_layers, "weight 'kernel' has shape (80, 5), but the model needs (3, 3, 2, 3)", "layer 'first'"},
        {write_integers, "does not hold numbers", "layer 'last': weight 'bias'"},
        {spoil_config, "not valid JSON", "'model_config'"},
        {name_unknown_layer, "LSTM", "'memory'"},
        {link_softly, "soft or external links", "model_weights/last"},
        {link_outside, "soft or external links", "model_weights/last"},
        {store_outside, "in another file", "model_weights/last/last/bias"},
        {store_virtually, "in another file", "model_weights/last/last/bias"},
    };
    assert_ok(try_read(put_foreign("foreign.h5", NULL)));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_fails(try_read(put_foreign("foreign.h5", cases[i].change)), DCNN_BAD_INPUT, cases[i].fragment,
                     "foreign.h5");
        assert_non_null(strstr(dcnn_error(), cases[i].place));
    }
}

/* As tf.keras (Keras 2) writes it: names with ":0", the input shape in batch_input_shape, doubles, no InputLayer. */
static void make_legacy(hid_t file) {
    static const double kernel[2][3] = {{1, -2, 3}, {-4, 5, -6}}, bias[3] = {0.5, -0.25, 0.125};
    assert_ok(dcnn_h5_text_write(file, "model_config",
                                 "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"old\", \"layers\": "
                                 "[{\"class_name\": \"Dense\", \"config\": {\"name\": \"dense\", \"trainable\": true, "
                                 "\"batch_input_shape\": [null, 2], \"dtype\": \"float32\", \"units\": 3, "
                                 "\"activation\": \"softmax\", \"use_bias\": true, \"kernel_initializer\": "
                                 "{\"class_name\": \"GlorotUniform\", \"config\": {\"seed\": null}}, "
                                 "\"bias_initializer\": {\"class_name\": \"Zeros\", \"config\": {}}}}]}}"));
    H5Ldelete(file, "model_weights", H5P_DEFAULT);
    H5Ldelete(file, "optimizer_weights", H5P_DEFAULT);
    assert_ok(
        dcnn_h5_write(file, "model_weights/dense/dense/kernel:0", DCNN_H5_DOUBLE, 2, (int64_t[]){2, 3}, 0, kernel));
    assert_ok(dcnn_h5_write(file, "model_weights/dense/dense/bias:0", DCNN_H5_DOUBLE, 1, (int64_t[]){3}, 0, bias));
    rewrite(file, "model_weights", "layer_names0", 1, (const char *[]){"dense"});
    rewrite(file, "model_weights/dense", "weight_names0", 1, (const char *[]){"dense/kernel:0"});
    rewrite(file, "model_weights/dense", "weight_names1", 1, (const char *[]){"dense/bias:0"});
}

static void test_legacy_keras(void **state) {
    (void)state;
    dcnn_checkpoint read;
    assert_ok(dcnn_checkpoint_read(put_foreign("legacy.h5", make_legacy), &read));
    assert_int_equal(read.seal, DCNN_SEAL_NONE);
    assert_false(read.resumable);
    const dcnn_node *dense = &read.net->nodes[1];
    const float *kernel = dcnn_net_values(read.net, &dense->params[0]);
    const float *bias = dcnn_net_values(read.net, &dense->params[1]);
    const float expected[9] = {1, -2, 3, -4, 5, -6, 0.5f, -0.25f, 0.125f};
    assert_memory_equal(kernel, expected, 6 * sizeof(float));
    assert_memory_equal(bias, expected + 6, 3 * sizeof(float));
    dcnn_checkpoint_free(&read);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_round_trip_of_every_optimizer),
        cmocka_unit_test(test_bare_model),
        cmocka_unit_test(test_long_name_lists),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_missing_and_wrong_files),
        cmocka_unit_test(test_impossible_values),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_failed_write),
        cmocka_unit_test(test_models_that_do_not_fit),
        cmocka_unit_test(test_legacy_keras),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
