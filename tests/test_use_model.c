/* SPDX-License-Identifier: BSD-3-Clause */
/* test_use_model.c — the public header alone: load a model and predict, against the reference kernels in a plan. */
#include "model/model.h"
#include "nn/plan/plan.h"
#include "testing.h"

#include <unistd.h>

enum { COUNT = 37, PIXELS = 28 * 28, CLASSES = 10 };

static char path[64];

static void write_model(bool normalised) {
    json_t *description;
    assert_int_equal(dcnn_description_read(DCNN_SOURCE_DIR "/data/models/digits.json", &description), DCNN_OK);
    dcnn_checkpoint checkpoint = {.normalised = normalised, .mean = {0.13}, .std = {0.31}};
    assert_int_equal(dcnn_net_create(description, (dcnn_shape){0}, &checkpoint.net), DCNN_OK);
    dcnn_net_initialise(checkpoint.net, 9);
    if (dcnn_checkpoint_write(path, &checkpoint, NULL) != DCNN_OK) fail_msg("%s", dcnn_error());
    dcnn_net_free(checkpoint.net);
    json_decref(description);
}

static void predict_by_reference(const uint8_t *images, float *probabilities) {
    dcnn_checkpoint checkpoint;
    dcnn_plan *plan;
    double no_sums[DCNN_LOSS_SUMS];
    assert_int_equal(dcnn_checkpoint_read(path, &checkpoint), DCNN_OK);
    const dcnn_plan_options options = {.grain = COUNT, .slots = 1, .workers = 1};
    assert_int_equal(dcnn_plan_create(checkpoint.net, dcnn_kernels_of(DCNN_ISA_REFERENCE), &options, &plan), DCNN_OK);
    for (int i = 0; i < COUNT * PIXELS; i++) dcnn_plan_input(plan, 0)[i] = (float)((images[i] / 255.0 - 0.13) / 0.31);
    dcnn_plan_prepare(plan, 0);
    dcnn_plan_run(plan, 0, 0, 0, &(dcnn_grain){.n = COUNT, .sums = no_sums});
    memcpy(probabilities, dcnn_plan_output(plan, 0), COUNT * CLASSES * sizeof *probabilities);
    dcnn_plan_free(plan);
    dcnn_checkpoint_free(&checkpoint);
}

static void predictions_are_those_of_the_net(void **state) {
    (void)state;
    static uint8_t images[COUNT * PIXELS];
    static float expected[COUNT * CLASSES], got[COUNT * CLASSES];
    for (size_t i = 0; i < sizeof images; i++) images[i] = (uint8_t)test_uniform(1, i, 0, 256);
    write_model(true);
    predict_by_reference(images, expected);
    dcnn_model *model;
    if (dcnn_model_load(path, &model) != DCNN_OK) fail_msg("%s", dcnn_error());
    int shape[3], classes;
    dcnn_model_shape(model, shape, &classes);
    assert_int_equal(shape[0] * shape[1] * shape[2], PIXELS);
    assert_int_equal(classes, CLASSES);
    assert_int_equal(dcnn_model_predict(model, COUNT, images, got), DCNN_OK);
    for (int i = 0; i < COUNT * CLASSES; i++)
        if (!(fabsf(got[i] - expected[i]) <= 1e-5f))
            fail_msg("value %d: %.8g instead of %.8g", i, (double)got[i], (double)expected[i]);
    dcnn_model_free(model);
    unlink(path);
}

/* A file that does not say which images it wants, as Keras writes it: bytes are refused until that is set. */
static void bytes_need_their_mean_and_deviation(void **state) {
    (void)state;
    static uint8_t images[COUNT * PIXELS];
    static float inputs[COUNT * PIXELS], from_bytes[COUNT * CLASSES], from_floats[COUNT * CLASSES];
    const double mean = 0.13, std = 0.31;
    for (size_t i = 0; i < sizeof images; i++) {
        images[i] = (uint8_t)test_uniform(2, i, 0, 256);
        inputs[i] = (float)((images[i] / 255.0 - mean) / std);
    }
    write_model(false);
    dcnn_model *model;
    if (dcnn_model_load(path, &model) != DCNN_OK) fail_msg("%s", dcnn_error());
    assert_int_equal(dcnn_model_predict(model, COUNT, images, from_bytes), DCNN_USAGE);
    assert_non_null(strstr(dcnn_error(), "dcnn_model_set_inputs()"));
    assert_int_equal(dcnn_model_predict_floats(model, COUNT, inputs, from_floats), DCNN_OK);
    assert_int_equal(dcnn_model_set_inputs(model, &mean, &std), DCNN_OK);
    assert_int_equal(dcnn_model_predict(model, COUNT, images, from_bytes), DCNN_OK);
    for (int i = 0; i < COUNT * CLASSES; i++)
        if (!(fabsf(from_bytes[i] - from_floats[i]) <= 1e-5f))
            fail_msg("value %d: %.8g instead of %.8g", i, (double)from_bytes[i], (double)from_floats[i]);
    dcnn_model_free(model);
    unlink(path);
}

/* Numbers are learnt from float targets: y = 3 mean(x), to an error far below that of the mean; evaluated alone and by
 * the training alike. Labels are refused, and a loss that the last layer cannot have. */
static void numbers_are_learnt(void **state) {
    (void)state;
    enum { SAMPLES = 64, SIDE = 5, VALUES = SIDE * SIDE, OUTPUTS = 2 };
    static float inputs[SAMPLES * VALUES], targets[SAMPLES * OUTPUTS], predicted[SAMPLES * OUTPUTS];
    static const char net[] = "{\"class_name\":\"Sequential\",\"config\":{\"layers\":["
                              "{\"class_name\":\"Flatten\"},"
                              "{\"class_name\":\"Dense\",\"config\":{\"units\":2}}]}}";
    const int shape[3] = {SIDE, SIDE, 1};
    for (int i = 0; i < SAMPLES; i++)
        for (int j = 0; j < VALUES; j++) {
            inputs[i * VALUES + j] = (float)test_uniform(3, (uint64_t)(i * VALUES + j), -1, 1);
            targets[i * OUTPUTS] += 3.0f * inputs[i * VALUES + j] / VALUES;
            targets[i * OUTPUTS + 1] = -targets[i * OUTPUTS];
        }
    dcnn_model *model;
    dcnn_training *training;
    dcnn_score first, score, again;
    const dcnn_batch batch = {.count = SAMPLES, .inputs = inputs, .targets = targets};
    const int32_t labels[SAMPLES] = {0};
    assert_int_equal(dcnn_model_create(net, shape, 4, &model), DCNN_OK);
    assert_int_equal(dcnn_model_set_loss(model, "adaptive"), DCNN_USAGE);
    assert_int_equal(dcnn_model_evaluate(model, &batch, &score), DCNN_USAGE); /* logits of classes so far */
    assert_int_equal(dcnn_model_set_loss(model, "huber"), DCNN_OK);
    assert_int_equal(dcnn_model_outputs(model), OUTPUTS);
    assert_int_equal(dcnn_training_create(model, &(dcnn_training_options){.threads = 1}, &training), DCNN_OK);
    for (int step = 0; step < 300; step++)
        assert_int_equal(dcnn_training_step(training, &batch, 0.01, step == 0 ? &first : NULL), DCNN_OK);
    assert_int_equal(dcnn_training_evaluate(training, &batch, &score), DCNN_OK);
    assert_int_equal(
        dcnn_training_step(training, &(dcnn_batch){.count = SAMPLES, .inputs = inputs, .labels = labels}, 0.01, NULL),
        DCNN_USAGE);
    assert_int_equal(dcnn_training_free(training), DCNN_OK);
    assert_int_equal(dcnn_model_evaluate(model, &batch, &again), DCNN_OK);
    assert_int_equal(dcnn_model_predict_floats(model, SAMPLES, inputs, predicted), DCNN_OK);
    double absolute = 0.0, loss = 0.0;
    for (int i = 0; i < SAMPLES * OUTPUTS; i++) {
        const double error = (double)predicted[i] - (double)targets[i];
        absolute += fabs(error) / (SAMPLES * OUTPUTS);
        loss += 0.5 * error * error / (SAMPLES * OUTPUTS);
    }
    assert_true(score.loss < 1e-4 * first.loss && score.count == SAMPLES && score.correct == 0);
    assert_true(fabs(score.absolute - absolute) <= 1e-6 && fabs(score.loss - loss) <= 1e-9);
    assert_true(fabs(again.absolute - absolute) <= 1e-6 && fabs(again.loss - score.loss) <= 1e-12);
    dcnn_model_free(model);
}

/* What a program can get wrong in a call is told, and changes nothing. */
static void wrong_calls_are_refused(void **state) {
    (void)state;
    static const char net[] = "{\"class_name\":\"Sequential\",\"config\":{\"layers\":[{\"class_name\":\"Flatten\"},"
                              "{\"class_name\":\"Dense\",\"config\":{\"units\":3,\"activation\":\"softmax\"}}]}}";
    static const char numbers[] = "{\"class_name\":\"Sequential\",\"config\":{\"layers\":[{\"class_name\":\"Flatten\"},"
                                  "{\"class_name\":\"Dense\",\"config\":{\"units\":2}}]}}";
    const uint8_t images[8] = {1, 2, 3, 4};
    const float inputs[8] = {1}, targets[4] = {1, NAN, 2, 3};
    const int32_t labels[2] = {0, 3}, good[2] = {0, 2};
    const double mean[] = {0.5}, zero[] = {0.0};
    float out[6];
    dcnn_model *model;
    dcnn_training *training;
    dcnn_score score;
#define REFUSED(status, call, text)                                                                                    \
    do {                                                                                                               \
        assert_int_equal(call, status);                                                                                \
        if (!strstr(dcnn_error(), text)) fail_msg("%s: %s", text, dcnn_error());                                       \
    } while (0)
    REFUSED(DCNN_BAD_INPUT, dcnn_model_create("{\"class_name\":", (const int[]){2, 2, 1}, 1, &model), "line 1");
    assert_null(model);
    REFUSED(DCNN_BAD_INPUT, dcnn_model_create(net, (const int[]){2, 0, 1}, 1, &model), "inputs of shape (2, 0, 1)");
    REFUSED(DCNN_BAD_INPUT, dcnn_model_create(net, (const int[]){-2, -2, 1}, 1, &model), "inputs of shape (-2, -2, 1)");
    assert_int_equal(dcnn_model_create(net, (const int[]){2, 2, 1}, 1, &model), DCNN_OK);
    REFUSED(DCNN_USAGE, dcnn_model_set_inputs(model, mean, zero), "deviation above 0");
    REFUSED(DCNN_USAGE, dcnn_model_predict(model, -1, images, out), "the number of images cannot be -1");
    REFUSED(DCNN_USAGE, dcnn_model_predict_floats(model, -1, inputs, out), "the number of inputs cannot be -1");
    dcnn_batch batch = {.count = 2, .images = images, .inputs = inputs, .labels = good};
    REFUSED(DCNN_USAGE, dcnn_model_evaluate(model, &batch, &score), "either images or inputs");
    batch.images = NULL, batch.inputs = NULL;
    REFUSED(DCNN_USAGE, dcnn_model_evaluate(model, &batch, &score), "either images or inputs");
    batch.images = images, batch.labels = labels;
    REFUSED(DCNN_BAD_INPUT, dcnn_model_evaluate(model, &batch, &score), "the label of sample 1 is 3, but there are 3");
    batch.labels = NULL;
    REFUSED(DCNN_USAGE, dcnn_model_evaluate(model, &batch, &score), "need labels");
    batch.labels = good, batch.count = -2;
    REFUSED(DCNN_USAGE, dcnn_model_evaluate(model, &batch, &score), "cannot have -2 samples");
    const dcnn_training_options odd = {.threads = 1, .optimizer = "odd"};
    REFUSED(DCNN_USAGE, dcnn_training_create(model, &odd, &training), "no optimizer 'odd'");
    const struct {
        dcnn_training_options options;
        const char *text;
    } wrong[] = {{{.threads = -1}, "-1 threads"},
                 {{.threads = 1, .batch_size = -4}, "-4 samples"},
                 {{.threads = 1, .momentum = NAN}, "momentum of nan"},
                 {{.threads = 1, .momentum = 1.0}, "momentum of 1"},
                 {{.threads = 1, .weight_decay = -0.1}, "weight decay of -0.1"},
                 {{.threads = 1, .weight_decay = NAN}, "weight decay of nan"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        REFUSED(DCNN_USAGE, dcnn_training_create(model, &wrong[i].options, &training), wrong[i].text);
    REFUSED(DCNN_USAGE, dcnn_model_set_classes(model, (const char *const[]){"a", NULL, "c"}), "class 1 of 3");
    dcnn_model_free(model);
    assert_int_equal(dcnn_model_create(numbers, (const int[]){2, 2, 1}, 1, &model), DCNN_OK);
    assert_int_equal(dcnn_model_set_loss(model, "mse"), DCNN_OK);
    batch = (dcnn_batch){.count = 2, .inputs = inputs, .targets = targets};
    REFUSED(DCNN_BAD_INPUT, dcnn_model_evaluate(model, &batch, &score),
            "target 1 of sample 0 is infinite or not a number");
    REFUSED(DCNN_USAGE, dcnn_model_set_classes(model, (const char *const[]){"a", "b"}), "no classes to name");
    dcnn_model_free(model);
}

/* A rate that is none would leave weights that are none, and two trainings of one model free each other's net. */
static void a_training_takes_no_wrong_calls(void **state) {
    (void)state;
    const float inputs[4] = {1};
    const int32_t labels[1] = {2};
    const dcnn_batch batch = {.count = 1, .inputs = inputs, .labels = labels};
    const dcnn_training_options alone = {.threads = 1};
    const double rates[] = {NAN, -0.1, INFINITY};
    float before[3], after[3];
    dcnn_model *model;
    dcnn_training *training, *second;
    assert_int_equal(dcnn_model_create("{\"class_name\":\"Sequential\",\"config\":{\"layers\":[{\"class_name\":"
                                       "\"Flatten\"},{\"class_name\":\"Dense\",\"config\":{\"units\":3}}]}}",
                                       (const int[]){2, 2, 1}, 1, &model),
                     DCNN_OK);
    assert_int_equal(dcnn_training_create(model, &alone, &training), DCNN_OK);
    assert_int_equal(dcnn_model_predict_floats(model, 1, inputs, before), DCNN_OK);
    for (int i = 0; i < 3; i++)
        REFUSED(DCNN_USAGE, dcnn_training_step(training, &batch, rates[i], NULL), "0 or above, and finite");
    REFUSED(DCNN_USAGE, dcnn_training_create(model, &alone, &second), "being trained already");
    assert_null(second);
    REFUSED(DCNN_USAGE, dcnn_model_set_loss(model, "categorical_crossentropy"), "before that");
    assert_int_equal(dcnn_model_predict_floats(model, 1, inputs, after), DCNN_OK);
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(dcnn_training_step(training, &batch, 0.1, NULL), DCNN_OK);
    assert_int_equal(dcnn_training_free(training), DCNN_OK);
    assert_int_equal(dcnn_training_create(model, &alone, &training), DCNN_OK);
    assert_int_equal(dcnn_training_free(training), DCNN_OK);
    dcnn_model_free(model);
}
#undef REFUSED

/* Names that are given may be the model's own, in another order. */
static void classes_are_named_anew(void **state) {
    (void)state;
    dcnn_model *model;
    const char *names[3] = {"ash", "birch", "cedar"};
    assert_int_equal(dcnn_model_create("{\"class_name\":\"Sequential\",\"config\":{\"layers\":[{\"class_name\":"
                                       "\"Flatten\"},{\"class_name\":\"Dense\",\"config\":{\"units\":3}}]}}",
                                       (const int[]){2, 2, 1}, 1, &model),
                     DCNN_OK);
    assert_int_equal(dcnn_model_set_classes(model, names), DCNN_OK);
    for (int i = 0; i < 3; i++) names[i] = dcnn_model_class(model, 2 - i);
    assert_int_equal(dcnn_model_set_classes(model, names), DCNN_OK);
    assert_string_equal(dcnn_model_class(model, 0), "cedar");
    assert_string_equal(dcnn_model_class(model, 1), "birch");
    assert_string_equal(dcnn_model_class(model, 2), "ash");
    dcnn_model_free(model);
}

/* What is saved can be loaded, whatever the outputs are. */
static void models_of_numbers_come_back(void **state) {
    (void)state;
    const uint8_t images[4] = {1, 50, 200, 255};
    float before[2], after[2];
    int shape[3], classes;
    dcnn_model *model, *again;
    assert_int_equal(dcnn_model_create("{\"class_name\":\"Sequential\",\"config\":{\"layers\":[{\"class_name\":"
                                       "\"Flatten\"},{\"class_name\":\"Dense\",\"config\":{\"units\":2}}]}}",
                                       (const int[]){2, 2, 1}, 1, &model),
                     DCNN_OK);
    assert_int_equal(dcnn_model_set_loss(model, "mean_squared_error"), DCNN_OK);
    assert_int_equal(dcnn_model_predict(model, 1, images, before), DCNN_OK);
    assert_int_equal(dcnn_model_save(model, path), DCNN_OK);
    dcnn_model_free(model);
    assert_int_equal(dcnn_model_load(path, &again), DCNN_OK);
    unlink(path);
    dcnn_model_shape(again, shape, &classes);
    assert_int_equal(classes, 0);
    assert_int_equal(dcnn_model_outputs(again), 2);
    assert_int_equal(dcnn_model_predict(again, 1, images, after), DCNN_OK);
    assert_memory_equal(before, after, sizeof before);
    dcnn_model_free(again);
}

/* A file of a loss that dcnn does not have, with a last layer that says what its outputs are, or not. */
static void unknown_losses_ask_what_is_meant(void **state) {
    (void)state;
    static const char net[] = "{\"class_name\":\"Sequential\",\"config\":{\"layers\":[{\"class_name\":\"InputLayer\","
                              "\"config\":{\"batch_shape\":[null,2,2,1]}},{\"class_name\":\"Flatten\"},"
                              "{\"class_name\":\"Dense\",\"config\":{\"units\":3%s}}]}}";
    const float inputs[4] = {1};
    const int32_t labels[1] = {2};
    const dcnn_batch batch = {.count = 1, .inputs = inputs, .labels = labels};
    const dcnn_training_options alone = {.threads = 1};
    for (int shares = 0; shares < 2; shares++) {
        char text[400];
        float out[3];
        dcnn_model *model;
        dcnn_training *training;
        dcnn_score score;
        dcnn_checkpoint checkpoint = {.unknown_loss = "hinge"};
        snprintf(text, sizeof text, net, shares ? ",\"activation\":\"softmax\"" : "");
        json_t *description = json_loads(text, 0, NULL);
        assert_int_equal(dcnn_net_create(description, (dcnn_shape){0}, &checkpoint.net), DCNN_OK);
        json_decref(description);
        dcnn_net_initialise(checkpoint.net, 9);
        assert_int_equal(dcnn_checkpoint_write(path, &checkpoint, NULL), DCNN_OK);
        dcnn_net_free(checkpoint.net);
        assert_int_equal(dcnn_model_load(path, &model), DCNN_OK);
        assert_int_equal(dcnn_model_predict_floats(model, 1, inputs, out), shares ? DCNN_OK : DCNN_USAGE);
        if (!shares) assert_non_null(strstr(dcnn_error(), "the loss hinge"));
        assert_int_equal(dcnn_model_evaluate(model, &batch, &score), DCNN_USAGE);
        assert_non_null(strstr(dcnn_error(), "dcnn_model_set_loss()"));
        assert_int_equal(dcnn_training_create(model, &alone, &training), DCNN_USAGE);
        assert_int_equal(dcnn_model_set_loss(model, "categorical_crossentropy"), DCNN_OK);
        assert_int_equal(dcnn_model_predict_floats(model, 1, inputs, out), DCNN_OK);
        assert_int_equal(dcnn_model_evaluate(model, &batch, &score), DCNN_OK);
        assert_int_equal(dcnn_training_create(model, &alone, &training), DCNN_OK);
        assert_int_equal(dcnn_training_free(training), DCNN_OK);
        dcnn_model_free(model);
        unlink(path);
    }
}

/* A model that can only be evaluated is not trained, in the library neither. */
static void what_cannot_be_trained_is_refused(void **state) {
    (void)state;
    static const char net[] = "{\"class_name\":\"Sequential\",\"config\":{\"layers\":[{\"class_name\":\"RandomHue\","
                              "\"config\":{\"factor\":0.1}},{\"class_name\":\"Flatten\"},"
                              "{\"class_name\":\"Dense\",\"config\":{\"units\":3,\"activation\":\"softmax\"}}]}}";
    dcnn_model *model;
    dcnn_training *training;
    assert_int_equal(dcnn_model_create(net, (const int[]){2, 2, 3}, 1, &model), DCNN_OK);
    assert_int_equal(dcnn_training_create(model, &(dcnn_training_options){.threads = 1}, &training), DCNN_BAD_INPUT);
    assert_non_null(strstr(dcnn_error(), "RandomHue"));
    dcnn_model_free(model);
}

static void what_is_no_model_is_refused(void **state) {
    (void)state;
    dcnn_model *model;
    assert_int_equal(dcnn_model_load("/nowhere/model.h5", &model), DCNN_BAD_INPUT);
    assert_null(model);
    assert_non_null(strstr(dcnn_error(), "/nowhere/model.h5"));
    dcnn_model_free(NULL);
}

int main(void) {
    snprintf(path, sizeof path, "/tmp/dcnn-use-model-%d.h5", (int)getpid());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predictions_are_those_of_the_net),
        cmocka_unit_test(bytes_need_their_mean_and_deviation),
        cmocka_unit_test(numbers_are_learnt),
        cmocka_unit_test(wrong_calls_are_refused),
        cmocka_unit_test(a_training_takes_no_wrong_calls),
        cmocka_unit_test(classes_are_named_anew),
        cmocka_unit_test(models_of_numbers_come_back),
        cmocka_unit_test(unknown_losses_ask_what_is_meant),
        cmocka_unit_test(what_cannot_be_trained_is_refused),
        cmocka_unit_test(what_is_no_model_is_refused),
    };
    return cmocka_run_group_tests_name("public model", tests, NULL, NULL);
}
