/* SPDX-License-Identifier: BSD-3-Clause */
/** @file test_layers_fusion.h — operations of several layers have the gradients of these one by one; for test_layers.c
 * alone. */
#ifndef DCNN_TESTS_TEST_LAYERS_FUSION_H
#define DCNN_TESTS_TEST_LAYERS_FUSION_H

/* A net of these layers between an input of 12x11x2 and a head of three classes. */
static json_t *describe_some(const char *layers) {
    char text[2048];
    snprintf(text, sizeof text,
             "{\"class_name\": \"Sequential\", \"config\": {\"layers\": ["
             "{\"class_name\": \"InputLayer\", \"config\": {\"batch_shape\": [null, 12, 11, 2]}},%s"
             "{\"class_name\": \"Flatten\", \"config\": {}},"
             "{\"class_name\": \"Dense\", \"config\": {\"units\": 3, \"activation\": \"softmax\"}}]}}",
             layers);
    json_t *description = json_loads(text, 0, NULL);
    assert_non_null(description);
    return description;
}

/* Loss and gradients of a net of so many operations, fused and one by one. */
static void check_fusion(const char *layers, int fused_count, int plain_count) {
    json_t *description = describe_some(layers);
    float *gradients[2];
    double values[2];
    size_t count = 0;
    for (int fuse = 0; fuse < 2; fuse++) {
        dcnn_net *net;
        assert_int_equal(dcnn_net_create(description, (dcnn_shape){0}, &net), DCNN_OK);
        for (size_t i = 0; i < net->param_count; i++) net->params[i] = test_uniform(1, i, -0.6, 0.6);
        dcnn_plan *plan;
        const dcnn_plan_options options = {
            .grain = GRAIN, .slots = GRAINS, .workers = 1, .training = true, .fuse = fuse != 0};
        assert_int_equal(dcnn_plan_create(net, double_kernels(), &options, &plan), DCNN_OK);
        assert_int_equal(dcnn_plan_op_count(plan), fuse ? fused_count : plain_count);
        count = net->param_count;
        gradients[fuse] = calloc(count, sizeof(float));
        values[fuse] = loss_and_gradient(plan, net, gradients[fuse]);
        dcnn_plan_free(plan);
        dcnn_net_free(net);
    }
    assert_true(fabs(values[0] - values[1]) <= 1e-10);
    for (size_t i = 0; i < count; i++) assert_true(fabs(gradients[0][i] - gradients[1][i]) <= 1e-10);
    free(gradients[0]);
    free(gradients[1]);
    json_decref(description);
}

#define SOME_CONV(filters, more)                                                                                       \
    "{\"class_name\": \"Conv2D\", \"config\": {\"filters\": " filters ", \"kernel_size\": 3" more "}},"
#define SOME_POOL(size) "{\"class_name\": \"MaxPooling2D\", \"config\": {\"pool_size\": " size "}},"
#define SOME(name)      "{\"class_name\": \"" name "\", \"config\": {}},"

/* What a net of so many operations answers at inference, fused and one by one. */
static void check_answers(const char *layers, int fused_count, int plain_count) {
    json_t *description = describe_some(layers);
    float answers[2][3 * GRAIN];
    for (int fuse = 0; fuse < 2; fuse++) {
        dcnn_net *net;
        assert_int_equal(dcnn_net_create(description, (dcnn_shape){0}, &net), DCNN_OK);
        for (size_t i = 0; i < net->param_count; i++) net->params[i] = test_uniform(1, i, -0.6, 0.6);
        for (size_t i = 0; i < net->state_count; i++) net->state[i] = test_uniform(4, i, 0.3, 0.9);
        dcnn_plan *plan;
        const dcnn_plan_options options = {.grain = GRAIN, .slots = 1, .workers = 1, .fuse = fuse != 0};
        assert_int_equal(dcnn_plan_create(net, double_kernels(), &options, &plan), DCNN_OK);
        assert_int_equal(dcnn_plan_op_count(plan), fuse ? fused_count : plain_count);
        float *x = dcnn_plan_input(plan, 0);
        double sums[DCNN_LOSS_SUMS];
        for (size_t i = 0; i < (size_t)GRAIN * 12 * 11 * 2; i++) x[i] = test_uniform(2, i, -1.0, 1.0);
        const dcnn_grain grain = {.n = GRAIN, .sums = sums};
        dcnn_plan_prepare(plan, 0);
        dcnn_plan_run(plan, 0, 0, 0, &grain);
        memcpy(answers[fuse], dcnn_plan_output(plan, 0), sizeof answers[fuse]);
        dcnn_plan_free(plan);
        dcnn_net_free(net);
    }
    for (int i = 0; i < 3 * GRAIN; i++) assert_true(fabs(answers[0][i] - answers[1][i]) <= 1e-12);
    json_decref(description);
}

/* BatchNormalization goes into the convolution before it; not where an activation is between. */
static void normalizations_go_into_weights(void **state) {
    (void)state;
    const char *relu = "{\"class_name\": \"Activation\", \"config\": {\"activation\": \"relu\"}},";
    char layers[1024];
    snprintf(layers, sizeof layers, "%s%s%s%s%s", SOME_CONV("3", ", \"use_bias\": false") SOME("BatchNormalization"),
             relu, SOME("MaxPooling2D"),
             SOME_CONV("4", ", \"padding\": \"same\", \"dilation_rate\": 2") SOME("BatchNormalization"), relu);
    check_answers(layers, 3, 8);
    check_answers(SOME_CONV("3", "") SOME("BatchNormalization"), 2, 3);
    check_answers(SOME_CONV("3", "") SOME("BatchNormalization") SOME("ReLU") SOME("AveragePooling2D"), 2, 5);
    check_answers(SOME_CONV("3", ", \"strides\": 2") "{\"class_name\": \"BatchNormalization\", \"config\": {\"scale\": "
                                                     "false}}," SOME("LeakyReLU"),
                  3, 4);
    check_answers(SOME_CONV("3", "") SOME("BatchNormalization") SOME("LeakyReLU") SOME_POOL("3, \"strides\": 2")
                      SOME_CONV("3", "") SOME("BatchNormalization"),
                  4, 7);
    check_answers(SOME_CONV("3", ", \"strides\": 2, \"activation\": \"relu\"") SOME("BatchNormalization"), 3, 3);
}

/* BatchNormalization between a convolution's activation and a pooling, of whose channels some are multiplied by less
 * than 0: there the largest is made of the smallest. */
static void normalizations_before_a_pooling(void **state) {
    (void)state;
    check_answers(SOME_CONV("5", ", \"activation\": \"relu\"") SOME("BatchNormalization") SOME("MaxPooling2D"), 2, 4);
    check_answers(SOME_CONV("5", ", \"use_bias\": false") SOME("LeakyReLU") SOME("BatchNormalization")
                      SOME_POOL("3, \"strides\": 2, \"padding\": \"same\""),
                  2, 5);
    check_answers(SOME_CONV("3", ", \"activation\": \"relu\"") SOME("MaxPooling2D") SOME("BatchNormalization")
                      SOME_CONV("5", ", \"activation\": \"tanh\"") SOME("BatchNormalization") SOME("MaxPooling2D"),
                  4, 7);
    /* not of an activation that falls and then rises, nor where the convolution cannot take the pooling in */
    check_answers(SOME_CONV("3", ", \"activation\": \"silu\"") SOME("BatchNormalization") SOME_POOL("3"), 5, 5);
    check_answers(SOME_CONV("3", ", \"dilation_rate\": 2, \"activation\": \"relu\"") SOME("BatchNormalization")
                      SOME("MaxPooling2D"),
                  3, 4);
}

static void fused_operations_have_the_same_gradient(void **state) {
    (void)state;
    const char *relu = "{\"class_name\": \"Activation\", \"config\": {\"activation\": \"relu\"}},";
    char layers[1024];
    /* two pairs of convolution and pooling */
    check_fusion(SOME_CONV("3", ", \"activation\": \"relu\"") SOME("MaxPooling2D") SOME("BatchNormalization")
                     SOME_CONV("4", ", \"padding\": \"same\", \"activation\": \"relu\"") SOME("MaxPooling2D")
                         SOME("BatchNormalization"),
                 5, 7);
    /* a mean behind a ReLU, with a BatchNormalization before the convolution; not of other windows */
    check_fusion(SOME_CONV("3", ", \"activation\": \"relu\"") SOME("AveragePooling2D") SOME("BatchNormalization")
                     SOME_CONV("4", ", \"padding\": \"same\"") SOME("ReLU") SOME("AveragePooling2D"),
                 4, 7);
    check_fusion(SOME_CONV("3", ", \"activation\": \"relu\"") "{\"class_name\": \"AveragePooling2D\", \"config\": "
                                                              "{\"pool_size\": 3, \"strides\": 2}}," SOME_CONV("4", "")
                                                                  SOME("AveragePooling2D") SOME("ReLU"),
                 5, 6);
    /* a mean without an activation before it is that of the convolution's input: padded or not, of any windows that do
     * not lie close, and of all where the filter has one tap */
#define SOME_MEAN(more) "{\"class_name\": \"AveragePooling2D\", \"config\": {" more "}},"
    check_fusion(SOME_CONV("3", ", \"padding\": \"same\"") SOME_MEAN("\"pool_size\": 2") SOME("ReLU")
                     SOME_CONV("4", ", \"padding\": \"same\", \"use_bias\": false")
                         SOME_MEAN("\"pool_size\": [3, 2], \"strides\": [2, 3]"),
                 4, 6);
    check_fusion(SOME_CONV("5", "")
                     SOME("ReLU") "{\"class_name\": \"Conv2D\", \"config\": {\"filters\": 3, "
                                  "\"kernel_size\": 1}}," SOME_MEAN(
                                      "\"pool_size\": 3, \"strides\": 2, \"padding\": "
                                      "\"same\"") "{\"class_name\": \"Conv2D\", \"config\": "
                                                  "{\"filters\": 4, \"kernel_size\": [2, 4], "
                                                  "\"padding\": \"same\"}}," SOME_MEAN("\"pool_size\": 2"),
                 5, 7);
    check_fusion(SOME_CONV("3", "") SOME_MEAN("\"pool_size\": 2") SOME_CONV("4", ", \"use_bias\": false")
                     SOME_MEAN("\"pool_size\": [3, 2]"),
                 3, 5); /* one window an image */
    check_fusion(SOME_CONV("3", "") SOME_MEAN("\"pool_size\": 2, \"padding\": \"same\"") SOME_CONV("3", "")
                     SOME_MEAN("\"pool_size\": 2, \"strides\": 1"),
                 5, 5);
    check_fusion(SOME_CONV("3", ", \"dilation_rate\": 2") SOME_MEAN("\"pool_size\": 2"), 3, 3);
    /* BatchNormalization with its activation, with and without pooling; odd maps, of which pooling leaves a row */
    snprintf(layers, sizeof layers, "%s%s%s%s%s%s", SOME_CONV("3", "") SOME("BatchNormalization"), relu,
             SOME("MaxPooling2D") SOME_CONV("4", ", \"padding\": \"same\"") SOME("BatchNormalization"), SOME("ReLU"),
             SOME("BatchNormalization"), relu);
    check_fusion(layers, 5, 10); /* the first convolution too, in front of which nothing learns */
    snprintf(layers, sizeof layers, "%s%s%s", SOME_CONV("3", ", \"padding\": \"same\", \"use_bias\": false"),
             "{\"class_name\": \"BatchNormalization\", \"config\": {\"scale\": false}},", relu);
    check_fusion(layers, 3, 4); /* not without a pooling */
    strncat(layers, SOME("MaxPooling2D"), sizeof layers - strlen(layers) - 1);
    check_fusion(layers, 2, 5);
    /* a pooling before or behind any monotone activation, of any window; without a bias */
    check_fusion(SOME_CONV("3", ", \"activation\": \"relu\"") SOME_POOL("3, \"strides\": 3") SOME("BatchNormalization")
                     SOME_CONV("4", ", \"padding\": \"same\", \"activation\": \"tanh\"")
                         SOME_POOL("[3, 2], \"strides\": [2, 1], \"padding\": \"same\""),
                 4, 6);
    snprintf(layers, sizeof layers, "%s%s", SOME_CONV("3", "") SOME("MaxPooling2D"), relu);
    check_fusion(layers, 2, 4);
    snprintf(layers, sizeof layers, "%s%s%s", SOME_CONV("3", ""), relu, SOME("MaxPooling2D"));
    check_fusion(layers, 2, 4);
    check_fusion(SOME_CONV("3", "") SOME("LeakyReLU") SOME("MaxPooling2D"), 3, 4);
    check_fusion(SOME_CONV("3", ", \"activation\": \"elu\"") SOME("MaxPooling2D"), 3, 4);
    check_fusion(SOME_CONV("3", ", \"activation\": \"relu\", \"use_bias\": false") SOME("MaxPooling2D"), 2, 3);
    /* where the convolution cannot take the pooling in, the activation comes behind all the same */
    check_fusion(SOME_CONV("3", ", \"activation\": \"sigmoid\", \"dilation_rate\": 2") SOME("MaxPooling2D"), 4, 3);
    check_fusion(SOME_CONV("3", ", \"dilation_rate\": 2") SOME("LeakyReLU") SOME("MaxPooling2D"), 4, 4);
    /* one that falls and then rises, before a pooling: the largest and the smallest cell are looked at */
    check_fusion(SOME_CONV("3", ", \"activation\": \"gelu\"") SOME("MaxPooling2D"), 2, 4);
    check_fusion(SOME_CONV("3", ", \"activation\": \"mish\", \"use_bias\": false")
                     SOME_POOL("[3, 2], \"strides\": [2, 2], \"padding\": \"same\"") SOME("BatchNormalization")
                         SOME_CONV("4", ", \"padding\": \"same\", \"activation\": \"silu\"") SOME("MaxPooling2D"),
                 4, 8);
    check_fusion(SOME_CONV("3", ", \"activation\": \"hard_silu\", \"dilation_rate\": 2") SOME("MaxPooling2D"), 4, 4);
    /* one over all channels stays where it is */
    check_fusion(SOME_CONV("3", ", \"activation\": \"softmax\"") SOME("MaxPooling2D"), 3, 3);
    check_fusion(SOME_CONV("3", "") SOME("ReLU") SOME("MaxPooling2D") SOME("MaxPooling2D"), 3, 5);
    /* a pooling behind BatchNormalization, alone and with an activation before it that only rises; not of other
     * windows, nor with one that falls and then rises */
    check_fusion(SOME_CONV("3", ", \"activation\": \"relu\"") SOME("BatchNormalization") SOME("MaxPooling2D"), 3, 4);
    check_fusion(SOME_CONV("3", "") SOME("BatchNormalization") SOME("LeakyReLU") SOME("MaxPooling2D"), 4, 5);
    check_fusion(SOME_CONV("3", "") SOME("BatchNormalization") SOME("LeakyReLU") SOME_POOL("3"), 5, 5);
    snprintf(layers, sizeof layers, "%s%s%s", SOME_CONV("3", "") SOME("BatchNormalization"),
             "{\"class_name\": \"Activation\", \"config\": {\"activation\": \"silu\"}},", SOME("MaxPooling2D"));
    check_fusion(layers, 5, 5);
}

#endif
