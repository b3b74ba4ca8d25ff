/* SPDX-License-Identifier: BSD-3-Clause */
/* merge.c — layers of several inputs: Add, Subtract, Multiply, Average, Maximum, Minimum, element by element;
 * Concatenate; CustomScaleLayer of Keras' InceptionResNetV2, a + scale b.
 *
 * An axis of length 1 goes with any, as in Keras: (1, 1, C) beside (H, W, C) of squeeze and excitation, (H, W, 1) of an
 * attention to places. Where all shapes are one, the plain loops run. */
#include <string.h>

#include "nn/config.h"

typedef struct merge {
    int axis;     /* of Concatenate, as the file has it */
    double scale; /* of CustomScaleLayer */
} merge;

static dcnn_status parse(dcnn_node *node, const json_t *config) {
    (void)node;
    (void)config;
    return DCNN_OK;
}

static void describe(const dcnn_node *node, json_t *config) {
    (void)node;
    (void)config;
}

static dcnn_status fail_shapes(const dcnn_node *node, dcnn_shape one, dcnn_shape other) {
    char text[2][48];
    return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (%s): its inputs have shapes %s and %s, which do not fit together",
                     node->name, node->layer->class_name, dcnn_shape_text(one, text[0]),
                     dcnn_shape_text(other, text[1]));
}

static bool is_same(dcnn_shape one, dcnn_shape other) {
    return one.rank == other.rank && one.h == other.h && one.w == other.w && one.c == other.c;
}

static bool is_common(int one, int other, int *both) {
    *both = one > other ? one : other;
    return one == other || one == 1 || other == 1;
}

static dcnn_status build(dcnn_node *node, const dcnn_shape *inputs) {
    dcnn_shape all = inputs[0];
    for (int i = 1; i < node->input_count; i++) {
        const dcnn_shape one = inputs[i], before = all;
        if (one.rank != before.rank || !is_common(before.h, one.h, &all.h) || !is_common(before.w, one.w, &all.w) ||
            !is_common(before.c, one.c, &all.c))
            return fail_shapes(node, before, one);
    }
    node->shape = all;
    return DCNN_OK;
}

/* Where value i of the output finds its own in an input. */
static size_t place_of(const dcnn_op *op, int j, size_t i) {
    const dcnn_shape in = op->in_of[j], out = op->node->shape;
    if (is_same(in, out)) return i;
    if (in.h * in.w == 1 && in.c == out.c) return i / dcnn_shape_count(out) * (size_t)in.c + i % (size_t)in.c;
    const size_t c = i % (size_t)out.c, w = i / (size_t)out.c % (size_t)out.w,
                 h = i / (size_t)out.c / (size_t)out.w % (size_t)out.h, n = i / dcnn_shape_count(out);
    const size_t row = n * (size_t)in.h + (in.h == 1 ? 0 : h), column = in.w == 1 ? 0 : w;
    return (row * (size_t)in.w + column) * (size_t)in.c + (in.c == 1 ? 0 : c);
}

static bool all_same(const dcnn_pass *pass) {
    bool same = true;
    for (int j = 0; j < pass->op->input_count; j++) same = same && is_same(pass->op->in_of[j], pass->op->node->shape);
    return same;
}

static dcnn_status build_subtract(dcnn_node *node, const dcnn_shape *inputs) {
    if (node->input_count != 2)
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (Subtract) takes two inputs, not %d", node->name,
                         node->input_count);
    return build(node, inputs);
}

static size_t count_of(const dcnn_pass *pass) {
    return (size_t)pass->n * dcnn_shape_count(pass->op->node->shape);
}

/* --- Add, Average, Subtract --------------------------------------------------------------------------------------- */

/* The sum of the inputs, each times its scale; NULL: as they are. */
static void weigh_all(const dcnn_pass *pass, const float *scales) {
    const size_t count = count_of(pass);
    for (size_t i = 0; i < count; i++) {
        float sum = 0.0f;
        for (int j = 0; j < pass->op->input_count; j++) {
            const float x = pass->x[j][place_of(pass->op, j, i)];
            sum += scales ? scales[j] * x : x;
        }
        pass->y[i] = sum;
    }
}

static void forward_add(const dcnn_pass *pass) {
    const size_t count = count_of(pass);
    if (!all_same(pass)) {
        weigh_all(pass, NULL);
        return;
    }
    pass->kernels->add(count, pass->x[0], pass->x[1], pass->y);
    for (int j = 2; j < pass->op->input_count; j++) pass->kernels->add(count, pass->y, pass->x[j], pass->y);
}

/* Of an input that goes with many values the gradient is the sum of theirs. NULL: scales of 1. */
static void scale_all(const dcnn_pass *pass, const float *scales) {
    const size_t count = count_of(pass);
    for (int j = 0; j < pass->op->input_count; j++) {
        float *dx = pass->dx[j];
        if (dx == NULL) continue;
        if (is_same(pass->op->in_of[j], pass->op->node->shape)) {
            if (scales == NULL) memcpy(dx, pass->dy, count * sizeof *dx);
            for (size_t i = 0; scales && i < count; i++) dx[i] = scales[j] * pass->dy[i];
            continue;
        }
        memset(dx, 0, (size_t)pass->n * dcnn_shape_count(pass->op->in_of[j]) * sizeof(float));
        for (size_t i = 0; i < count; i++)
            dx[place_of(pass->op, j, i)] += scales ? scales[j] * pass->dy[i] : pass->dy[i];
    }
}

static void backward_add(const dcnn_pass *pass) {
    scale_all(pass, NULL);
}

static void forward_average(const dcnn_pass *pass) {
    const size_t count = count_of(pass);
    const float scale = 1.0f / (float)pass->op->input_count;
    forward_add(pass);
    for (size_t i = 0; i < count; i++) pass->y[i] *= scale;
}

static void backward_average(const dcnn_pass *pass) {
    float scales[DCNN_MAX_INPUTS];
    for (int j = 0; j < pass->op->input_count; j++) scales[j] = 1.0f / (float)pass->op->input_count;
    scale_all(pass, scales);
}

static void forward_subtract(const dcnn_pass *pass) {
    const size_t count = count_of(pass);
    static const float scales[2] = {1.0f, -1.0f};
    if (!all_same(pass)) {
        weigh_all(pass, scales);
        return;
    }
    for (size_t i = 0; i < count; i++) pass->y[i] = pass->x[0][i] - pass->x[1][i];
}

static void backward_subtract(const dcnn_pass *pass) {
    static const float scales[DCNN_MAX_INPUTS] = {1.0f, -1.0f};
    scale_all(pass, scales);
}

/* --- CustomScaleLayer: a + scale b -------------------------------------------------------------------------------- */

static dcnn_status parse_scaled(dcnn_node *node, const json_t *config) {
    return dcnn_config_real(node, config, "scale", 1.0, -1e6, 1e6, &((merge *)node->config)->scale);
}

static dcnn_status build_scaled(dcnn_node *node, const dcnn_shape *inputs) {
    if (node->input_count != 2)
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (CustomScaleLayer) takes two inputs, not %d", node->name,
                         node->input_count);
    if (!is_same(inputs[0], inputs[1])) return fail_shapes(node, inputs[0], inputs[1]);
    return build(node, inputs);
}

static void describe_scaled(const dcnn_node *node, json_t *config) {
    json_object_set_new(config, "scale", json_real(((const merge *)node->config)->scale));
}

static float scale_of(const dcnn_pass *pass) {
    return (float)((const merge *)pass->op->node->config)->scale;
}

static void forward_scaled(const dcnn_pass *pass) {
    const size_t count = count_of(pass);
    for (size_t i = 0; i < count; i++) pass->y[i] = pass->x[0][i] + scale_of(pass) * pass->x[1][i];
}

static void backward_scaled(const dcnn_pass *pass) {
    const float scales[DCNN_MAX_INPUTS] = {1.0f, scale_of(pass)};
    scale_all(pass, scales);
}

/* --- Multiply: each input's gradient is dy times the product of the others ---------------------------------------- */

static void forward_multiply(const dcnn_pass *pass) {
    const size_t count = count_of(pass);
    if (all_same(pass)) {
        const float *first = pass->x[0];
        for (int j = 1; j < pass->op->input_count; j++, first = pass->y)
            for (size_t i = 0; i < count; i++) pass->y[i] = first[i] * pass->x[j][i];
        return;
    }
    for (size_t i = 0; i < count; i++) {
        float product = pass->x[0][place_of(pass->op, 0, i)];
        for (int j = 1; j < pass->op->input_count; j++) product *= pass->x[j][place_of(pass->op, j, i)];
        pass->y[i] = product;
    }
}

static void backward_multiply(const dcnn_pass *pass) {
    const dcnn_op *op = pass->op;
    const size_t count = count_of(pass);
    for (int j = 0; j < op->input_count; j++) {
        if (pass->dx[j] == NULL) continue;
        if (all_same(pass)) {
            const float *product = pass->dy;
            for (int k = 0; k < op->input_count; k++) {
                if (k == j) continue;
                for (size_t i = 0; i < count; i++) pass->dx[j][i] = product[i] * pass->x[k][i];
                product = pass->dx[j];
            }
            continue;
        }
        memset(pass->dx[j], 0, (size_t)pass->n * dcnn_shape_count(op->in_of[j]) * sizeof(float));
        for (size_t i = 0; i < count; i++) {
            float product = pass->dy[i];
            for (int k = 0; k < op->input_count; k++)
                if (k != j) product *= pass->x[k][place_of(op, k, i)];
            pass->dx[j][place_of(op, j, i)] += product;
        }
    }
}

/* --- Maximum, Minimum: of equal values the first one has the gradient, as in MaxPooling2D ------------------------- */

/* Of two inputs, the second one wins where it is strictly better. */
static void forward_extreme_of_two(const dcnn_pass *pass, bool largest) {
    const size_t count = count_of(pass);
    const float *a = pass->x[0], *b = pass->x[1];
    if (largest)
        for (size_t i = 0; i < count; i++) pass->y[i] = b[i] > a[i] ? b[i] : a[i];
    else
        for (size_t i = 0; i < count; i++) pass->y[i] = b[i] < a[i] ? b[i] : a[i];
}

static void backward_extreme_of_two(const dcnn_pass *pass, bool largest) {
    const size_t count = count_of(pass);
    for (int j = 0; j < 2; j++) {
        float *dx = pass->dx[j];
        const float *a = pass->x[0], *b = pass->x[1];
        for (size_t i = 0; dx && i < count; i++) {
            const bool second = largest ? b[i] > a[i] : b[i] < a[i];
            dx[i] = second == (j == 1) ? pass->dy[i] : 0.0f;
        }
    }
}

static bool is_plain_pair(const dcnn_pass *pass) {
    return pass->op->input_count == 2 && all_same(pass);
}

static int winner(const dcnn_pass *pass, size_t i, bool largest) {
    int best = 0;
    for (int j = 1; j < pass->op->input_count; j++) {
        const float value = pass->x[j][place_of(pass->op, j, i)], so_far = pass->x[best][place_of(pass->op, best, i)];
        if (largest ? value > so_far : value < so_far) best = j;
    }
    return best;
}

static void forward_extreme(const dcnn_pass *pass, bool largest) {
    const size_t count = count_of(pass);
    if (is_plain_pair(pass)) {
        forward_extreme_of_two(pass, largest);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const int best = winner(pass, i, largest);
        pass->y[i] = pass->x[best][place_of(pass->op, best, i)];
    }
}

static void backward_extreme(const dcnn_pass *pass, bool largest) {
    const size_t count = count_of(pass);
    if (is_plain_pair(pass)) {
        backward_extreme_of_two(pass, largest);
        return;
    }
    for (int j = 0; j < pass->op->input_count; j++)
        if (pass->dx[j]) memset(pass->dx[j], 0, (size_t)pass->n * dcnn_shape_count(pass->op->in_of[j]) * sizeof(float));
    for (size_t i = 0; i < count; i++) {
        const int best = winner(pass, i, largest);
        if (pass->dx[best]) pass->dx[best][place_of(pass->op, best, i)] += pass->dy[i];
    }
}

static void forward_maximum(const dcnn_pass *pass) {
    forward_extreme(pass, true);
}

static void backward_maximum(const dcnn_pass *pass) {
    backward_extreme(pass, true);
}

static void forward_minimum(const dcnn_pass *pass) {
    forward_extreme(pass, false);
}

static void backward_minimum(const dcnn_pass *pass) {
    backward_extreme(pass, false);
}

/* --- Concatenate: seen as blocks [outer, inner of each input], joined along inner --------------------------------- */

static dcnn_status parse_concatenate(dcnn_node *node, const json_t *config) {
    const json_t *axis = json_object_get(config, "axis");
    const json_int_t at = axis ? json_integer_value(axis) : -1;
    if (at < -3 || at > 3)
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (Concatenate): its inputs have no axis %lld", node->name,
                         (long long)at);
    ((merge *)node->config)->axis = (int)at; /* 0, the samples, is refused where the inputs are known */
    return DCNN_OK;
}

/* Axis of a sample's shape, from 0; -1: none. */
static int axis_of(const dcnn_node *node, int rank) {
    const int axis = ((const merge *)node->config)->axis, at = axis < 0 ? rank + axis : axis - 1;
    return at >= 0 && at < rank ? at : -1;
}

static void sizes_of(dcnn_shape shape, int sizes[3]) {
    sizes[0] = shape.rank == 3 ? shape.h : shape.c;
    sizes[1] = shape.w;
    sizes[2] = shape.rank == 3 ? shape.c : 1;
}

static dcnn_status build_concatenate(dcnn_node *node, const dcnn_shape *inputs) {
    const int rank = inputs[0].rank, axis = axis_of(node, rank);
    int sum[3], sizes[3];
    if (axis < 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (Concatenate): its inputs have no axis %d", node->name,
                         ((const merge *)node->config)->axis);
    sizes_of(inputs[0], sum);
    for (int j = 1; j < node->input_count; j++) {
        sizes_of(inputs[j], sizes);
        if (inputs[j].rank != rank) return fail_shapes(node, inputs[0], inputs[j]);
        for (int i = 0; i < rank; i++)
            if (i != axis && sizes[i] != sum[i]) return fail_shapes(node, inputs[0], inputs[j]);
        if (sizes[axis] > DCNN_SHAPE_MOST - sum[axis])
            return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (Concatenate): all of its inputs are too large", node->name);
        sum[axis] += sizes[axis];
    }
    node->shape = rank == 3 ? (dcnn_shape){3, sum[0], sum[1], sum[2]} : (dcnn_shape){1, 1, 1, sum[0]};
    return DCNN_OK;
}

static void describe_concatenate(const dcnn_node *node, json_t *config) {
    json_object_set_new(config, "axis", json_integer(((const merge *)node->config)->axis));
}

/* Blocks of a grain, and floats of one block of an input. */
static size_t outer_of(const dcnn_pass *pass) {
    const dcnn_node *node = pass->op->node;
    const int axis = axis_of(node, node->shape.rank);
    int sizes[3];
    size_t outer = (size_t)pass->n;
    sizes_of(node->shape, sizes);
    for (int i = 0; i < axis; i++) outer *= (size_t)sizes[i];
    return outer;
}

static void forward_concatenate(const dcnn_pass *pass) {
    const size_t outer = outer_of(pass), row = count_of(pass) / outer;
    size_t at = 0;
    for (int j = 0; j < pass->op->input_count; j++) {
        const size_t inner = (size_t)pass->n * dcnn_shape_count(pass->op->in_of[j]) / outer;
        for (size_t i = 0; i < outer; i++)
            memcpy(pass->y + i * row + at, pass->x[j] + i * inner, inner * sizeof(float));
        at += inner;
    }
}

static void backward_concatenate(const dcnn_pass *pass) {
    const size_t outer = outer_of(pass), row = count_of(pass) / outer;
    size_t at = 0;
    for (int j = 0; j < pass->op->input_count; j++) {
        const size_t inner = (size_t)pass->n * dcnn_shape_count(pass->op->in_of[j]) / outer;
        for (size_t i = 0; pass->dx[j] && i < outer; i++)
            memcpy(pass->dx[j] + i * inner, pass->dy + i * row + at, inner * sizeof(float));
        at += inner;
    }
}

/* --- the rows ----------------------------------------------------------------------------------------------------- */

#define MERGE(symbol, keras_name, what, reads_x, builder)                                                              \
    static const dcnn_op_kind what##_op = {                                                                            \
        .name = #what, .backward_reads_x = reads_x, .forward = forward_##what, .backward = backward_##what};           \
    const dcnn_layer symbol = {.class_name = keras_name,                                                               \
                               .config_bytes = sizeof(merge),                                                          \
                               .parse = parse,                                                                         \
                               .build = builder,                                                                       \
                               .describe = describe,                                                                   \
                               .op = &what##_op,                                                                       \
                               .merges = true}

MERGE(dcnn_layer_add, "Add", add, false, build);
MERGE(dcnn_layer_subtract, "Subtract", subtract, false, build_subtract);
MERGE(dcnn_layer_multiply, "Multiply", multiply, true, build);
MERGE(dcnn_layer_average, "Average", average, false, build);
MERGE(dcnn_layer_maximum, "Maximum", maximum, true, build);
MERGE(dcnn_layer_minimum, "Minimum", minimum, true, build);

static const dcnn_op_kind concatenate_op = {
    .name = "concatenate", .forward = forward_concatenate, .backward = backward_concatenate};

const dcnn_layer dcnn_layer_concatenate = {
    .class_name = "Concatenate",
    .config_bytes = sizeof(merge),
    .parse = parse_concatenate,
    .build = build_concatenate,
    .describe = describe_concatenate,
    .op = &concatenate_op,
    .merges = true,
};

static const dcnn_op_kind scaled_op = {.name = "scaled add", .forward = forward_scaled, .backward = backward_scaled};

const dcnn_layer dcnn_layer_custom_scale = {
    .class_name = "CustomScaleLayer",
    .module = "keras.src.applications.inception_resnet_v2",
    .config_bytes = sizeof(merge),
    .parse = parse_scaled,
    .build = build_scaled,
    .describe = describe_scaled,
    .op = &scaled_op,
    .merges = true,
};
