/* SPDX-License-Identifier: BSD-3-Clause */
/* test_receptive.c — which pixels a net reads, by what its output does when one of them changes; ensembles; and
 * how many samples a grain may have. */
#include <math.h>

#include "nn/nets/ensemble.h"
#include "nn/plan/plan.h"
#include "nn/nets/receptive.h"
#include "testing.h"

enum { SIDE = 13, CLASSES = 3 };

#define INPUT "{\"class_name\": \"InputLayer\", \"config\": {\"batch_shape\": [null, 13, 13, 1]}},"
#define CONV(filters, size, more)                                                                                      \
    "{\"class_name\": \"Conv2D\", \"config\": {\"filters\": " #filters ", \"kernel_size\": " #size more "}},"
#define POOL(more)  "{\"class_name\": \"AveragePooling2D\", \"config\": {" more "}},"
#define LAYER(name) "{\"class_name\": \"" name "\", \"config\": {}},"
#define DENSE                                                                                                          \
    "{\"class_name\": \"Flatten\", \"config\": {}}, {\"class_name\": \"Dense\", \"config\": {\"units\": 3, "           \
    "\"activation\": \"softmax\"}}"

static dcnn_net *net_of(const char *layers, uint64_t seed) {
    char text[2000];
    dcnn_net *net;
    snprintf(text, sizeof text, "{\"class_name\": \"Sequential\", \"config\": {\"layers\": [%s]}}", layers);
    json_t *description = json_loads(text, 0, NULL);
    assert_non_null(description);
    if (dcnn_net_create(description, (dcnn_shape){0}, &net) != DCNN_OK) fail_msg("%s", dcnn_error());
    json_decref(description);
    dcnn_net_initialise(net, seed);
    return net;
}

/* Probabilities of one image. */
static void predict(dcnn_net *net, const float *image, float probabilities[CLASSES]) {
    const dcnn_plan_options options = {.grain = 1, .slots = 1, .workers = 1};
    const dcnn_grain grain = {.n = 1};
    dcnn_plan *plan;
    assert_int_equal(dcnn_plan_create(net, dcnn_kernels_of(DCNN_ISA_REFERENCE), &options, &plan), DCNN_OK);
    memcpy(dcnn_plan_input(plan, 0), image, SIDE * SIDE * sizeof *image);
    dcnn_plan_prepare(plan, 0);
    dcnn_plan_run(plan, 0, 0, 0, &grain);
    memcpy(probabilities, dcnn_plan_output(plan, 0), CLASSES * sizeof *probabilities);
    dcnn_plan_free(plan);
}

static void fill(float *image) {
    for (size_t i = 0; i < SIDE * SIDE; i++) image[i] = (float)test_uniform(7, i, -1, 1);
}

/* A pixel counts as read if the output is another one when it changes: average pooling hides none. */
static void what_is_read_is_what_changes_the_output(void **state) {
    (void)state;
    static const char *const cases[] = {
        INPUT CONV(2, 3, "") POOL("\"pool_size\": 2") CONV(2, 3, "") POOL("\"pool_size\": 2") DENSE,
        INPUT CONV(2, 3, "") POOL("\"pool_size\": 3, \"strides\": 2") CONV(2, 2, ", \"strides\": 2") DENSE,
        INPUT CONV(2, 3, ", \"padding\": \"same\", \"strides\": 3") DENSE,
        INPUT CONV(2, 1, ", \"strides\": 2") DENSE,
        INPUT CONV(2, 2, ", \"dilation_rate\": 3") POOL("\"pool_size\": [4, 2]") DENSE,
        INPUT LAYER("BatchNormalization") LAYER("ReLU") POOL("\"pool_size\": 5") DENSE,
        INPUT "{\"class_name\": \"Cropping2D\", \"config\": {\"cropping\": [[1, 2], [3, 0]]}}," DENSE,
        INPUT "{\"class_name\": \"ZeroPadding2D\", \"config\": {\"padding\": 1}}," CONV(2, 4, ", \"strides\": 4") DENSE,
        INPUT POOL("\"pool_size\": 6") LAYER("UpSampling2D") DENSE,
        INPUT CONV(2, 5, "") "{\"class_name\": \"GlobalAveragePooling2D\", \"config\": {}}," DENSE,
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        dcnn_net *net = net_of(cases[k], 3);
        dcnn_receptive receptive;
        float image[SIDE * SIDE], before[CLASSES], after[CLASSES];
        int64_t pixels = 0;
        fill(image);
        if (k == 5) /* nothing that the ReLU keeps back */
            for (int i = 0; i < SIDE * SIDE; i++) image[i] = fabsf(image[i]) + 1.0f;
        assert_int_equal(dcnn_net_receptive(net, &receptive), DCNN_OK);
        predict(net, image, before);
        for (int i = 0; i < SIDE * SIDE; i++) {
            const float value = image[i];
            image[i] += 0.5f;
            predict(net, image, after);
            image[i] = value;
            if (memcmp(before, after, sizeof before) == 0) continue;
            pixels++;
            assert_in_range(i / SIDE, receptive.top, receptive.bottom - 1);
            assert_in_range(i % SIDE, receptive.left, receptive.right - 1);
        }
        if (receptive.pixels != pixels) fail_msg("case %zu: %d pixels, not %d", k, (int)receptive.pixels, (int)pixels);
        dcnn_net_free(net);
    }
}

/* The digits' networks, as the issue of the last pooling has it. */
static void the_recipe_reads_the_upper_left(void **state) {
    (void)state;
    dcnn_net *net = net_of(INPUT CONV(2, 3, "") LAYER("MaxPooling2D") CONV(2, 3, "") LAYER("MaxPooling2D") DENSE, 1);
    dcnn_receptive r;
    assert_int_equal(dcnn_net_receptive(net, &r), DCNN_OK);
    assert_int_equal(r.bottom, 10);
    assert_int_equal(r.pixels, 100);
    assert_true(fabs(dcnn_receptive_part(&r) - 100.0 / 169.0) < 1e-12);
    dcnn_net_free(net);
}

/* Joined: the mean of the members' probabilities, through the file format too; cut: the members again. */
static void an_ensemble_is_the_mean_of_its_members(void **state) {
    (void)state;
    enum { MEMBERS = 3 };
    dcnn_net *members[MEMBERS], *net;
    float image[SIDE * SIDE], single[MEMBERS][CLASSES], together[CLASSES];
    fill(image);
    for (int k = 0; k < MEMBERS; k++) {
        members[k] = net_of(INPUT CONV(4, 3, ", \"activation\": \"relu\"") LAYER("BatchNormalization")
                                LAYER("MaxPooling2D") DENSE,
                            (uint64_t)k + 1);
        predict(members[k], image, single[k]);
    }
    if (dcnn_ensemble_create(MEMBERS, (const dcnn_net *const *)members, &net) != DCNN_OK) fail_msg("%s", dcnn_error());
    assert_int_equal(dcnn_ensemble_count(net), MEMBERS);
    assert_int_equal(dcnn_ensemble_count(members[0]), 1);
    assert_int_equal(net->class_count, CLASSES);
    assert_non_null(strstr(net->untrainable, "ensemble"));
    predict(net, image, together);
    for (int j = 0; j < CLASSES; j++)
        assert_float_equal(together[j], (single[0][j] + single[1][j] + single[2][j]) / 3, 1e-6);
    json_t *description = dcnn_net_describe(net);
    dcnn_net *again;
    assert_int_equal(dcnn_net_create(description, (dcnn_shape){0}, &again), DCNN_OK);
    assert_int_equal(dcnn_ensemble_count(again), MEMBERS);
    dcnn_net_free(again);
    json_decref(description);
    for (int k = 0; k < MEMBERS; k++) {
        dcnn_net *member;
        float alone[CLASSES];
        assert_int_equal(dcnn_ensemble_member(net, k, &member), DCNN_OK);
        predict(member, image, alone);
        assert_memory_equal(alone, single[k], sizeof alone);
        dcnn_net_free(member);
    }
    dcnn_net *other = net_of(INPUT DENSE, 1), *odd[2] = {members[0], NULL};
    odd[1] = net_of(
        INPUT "{\"class_name\": \"Flatten\", \"config\": {}}, {\"class_name\": \"Dense\", \"config\": {\"units\": 3}}",
        1);
    dcnn_net *joined;
    assert_int_equal(dcnn_ensemble_create(2, (const dcnn_net *const *)odd, &joined), DCNN_BAD_INPUT);
    assert_non_null(strstr(dcnn_error(), "must end in softmax"));
    assert_int_equal(dcnn_ensemble_create(1, (const dcnn_net *const *)odd, &joined), DCNN_USAGE);
    dcnn_net_free(other);
    dcnn_net_free(odd[1]);
    dcnn_net_free(net);
    for (int k = 0; k < MEMBERS; k++) dcnn_net_free(members[k]);
}

/* What becomes of pixels 0, 1, … in a column, resized to `out`. */
static void resize_column(int length, int out, float *pixels) {
    char layers[400];
    snprintf(layers, sizeof layers,
             "{\"class_name\": \"InputLayer\", \"config\": {\"batch_shape\": [null, %d, 1, 1]}}, {\"class_name\": "
             "\"Resizing\", \"config\": {\"height\": %d, \"width\": 1, \"interpolation\": \"nearest\"}}, "
             "{\"class_name\": \"Flatten\", \"config\": {}}",
             length, out);
    dcnn_net *net = net_of(layers, 1);
    const dcnn_plan_options options = {.grain = 1, .slots = 1, .workers = 1};
    const dcnn_grain grain = {.n = 1};
    dcnn_plan *plan;
    net->loss.kind = DCNN_LOSS_SQUARED; /* outputs are numbers as they are */
    assert_int_equal(dcnn_plan_create(net, dcnn_kernels_of(DCNN_ISA_REFERENCE), &options, &plan), DCNN_OK);
    for (int i = 0; i < length; i++) dcnn_plan_input(plan, 0)[i] = (float)i;
    dcnn_plan_prepare(plan, 0);
    dcnn_plan_run(plan, 0, 0, 0, &grain);
    memcpy(pixels, dcnn_plan_output(plan, 0), (size_t)out * sizeof *pixels);
    dcnn_plan_free(plan);
    dcnn_net_free(net);
}

/* Keras on JAX has 6 pixels as these 9; and output pixel j of m is pixel floor((2 j + 1) n / 2 m), of all sides: JAX's
 * own float32 has the pixel before it for 6 pairs up to 40. */
static void nearest_is_the_pixel_in_which_the_middle_lies(void **state) {
    (void)state;
    enum { MOST = 40 };
    static const float jax[9] = {0, 1, 1, 2, 3, 3, 4, 5, 5};
    float pixels[MOST];
    resize_column(6, 9, pixels);
    for (int j = 0; j < 9; j++)
        if (pixels[j] != jax[j]) fail_msg("6 pixels as 9: number %d is pixel %g", j, (double)pixels[j]);
    for (int n = 1; n <= MOST; n++)
        for (int m = 1; m <= MOST; m++) {
            resize_column(n, m, pixels);
            for (int j = 0; j < m; j++)
                if (pixels[j] != (float)((2 * j + 1) * n / (2 * m)))
                    fail_msg("%d pixels as %d: number %d is pixel %g", n, m, j, (double)pixels[j]);
        }
}

/* 16 x 16384 x 8192 values are as many as an int holds, and one more. */
static void grains_have_limits(void **state) {
    (void)state;
    dcnn_plan *plan;
    dcnn_net *net;
    json_t *description =
        json_pack("{s:s, s:{s:[{s:s, s:{s:[n,i,i,i]}}, {s:s, s:{s:i, s:i, s:i}}, {s:s, s:{}}]}}", "class_name",
                  "Sequential", "config", "layers", "class_name", "InputLayer", "config", "batch_shape", 1 << 14,
                  1 << 13, 1, "class_name", "Conv2D", "config", "filters", 3, "kernel_size", 1, "strides", 256,
                  "class_name", "GlobalAveragePooling2D", "config");
    assert_non_null(description);
    assert_int_equal(dcnn_net_create(description, (dcnn_shape){0}, &net), DCNN_OK);
    json_decref(description);
    assert_int_equal(dcnn_grain_most(net), 15);
    const dcnn_plan_options options = {.grain = 16, .slots = 1, .workers = 1};
    assert_int_equal(dcnn_plan_create(net, dcnn_kernels_of(DCNN_ISA_REFERENCE), &options, &plan), DCNN_BAD_INPUT);
    assert_non_null(strstr(dcnn_error(), "16 outputs of shape (16384, 8192, 1) are too many values"));
    assert_non_null(strstr(dcnn_error(), "use --grain 15, or smaller images"));
    assert_null(plan);
    dcnn_net_free(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_what_changes_the_output),
        cmocka_unit_test(the_recipe_reads_the_upper_left),
        cmocka_unit_test(an_ensemble_is_the_mean_of_its_members),
        cmocka_unit_test(grains_have_limits),
        cmocka_unit_test(nearest_is_the_pixel_in_which_the_middle_lies),
    };
    return cmocka_run_group_tests_name("receptive", tests, NULL, NULL);
}
