/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * random.c — Keras' layers that change images at random: RandomFlip, RandomRotation, RandomZoom, RandomTranslation,
 * RandomContrast, RandomBrightness, RandomCrop. In training only, pure functions of (seed, epoch, sample); with f a
 * factor drawn uniformly from its range, and pixels counted from the middle of the image:
 * - RandomRotation     turned counterclockwise by 360 f degrees
 * - RandomZoom         read at (1 + f) times the place: above 0 the image gets smaller
 * - RandomTranslation  moved down and right by f times its height and width
 * - RandomContrast     (x - mean of the channel) (1 + f) + mean, within value_range
 * - RandomBrightness   x + f times the width of value_range, within it
 * - RandomCrop         a part of the image, of each sample another one; at inference the largest part of the output's
 *                      ratio of sides, around the middle, resized: as Keras documents it, and 3.0 to 3.6 do
 * Keras' others are known as what they are at inference: nothing.
 */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "nn/config.h"
#include "nn/layers/resample.h"

/* Ranges of two factors; of a flip 0 or 1: whether it is done along that axis. */
typedef struct random_change {
    double low[2], high[2];
    bool together; /* both axes by the same factor */
    dcnn_fill fill;
    double value;
    bool nearest;
    double range[2]; /* of values */
} random_change;

/* --- reading ------------------------------------------------------------------------------------------------------ */

static const char *const kept[] = {"mode",          "factor",     "height_factor", "width_factor", "fill_mode",
                                   "interpolation", "fill_value", "value_range",   "seed",         "data_format"};

/* A number means both ways, [low, high] a range; as far as `least` to `most` at the outside. */
static dcnn_status read_factor(const dcnn_node *node, const json_t *config, const char *key, int axis, double most) {
    random_change *r = node->config;
    const json_t *factor = json_object_get(config, key);
    const bool pair = json_is_array(factor) && json_array_size(factor) == 2;
    const json_t *ends[2] = {pair ? json_array_get(factor, 0) : factor, pair ? json_array_get(factor, 1) : factor};
    if (!json_is_number(ends[0]) || !json_is_number(ends[1]))
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s': \"%s\" must be a number or a pair of them", node->name, key);
    r->low[axis] = pair ? json_number_value(ends[0]) : -fabs(json_number_value(factor));
    r->high[axis] = pair ? json_number_value(ends[1]) : fabs(json_number_value(factor));
    if (!(r->low[axis] <= r->high[axis] && r->low[axis] >= -most && r->high[axis] <= most))
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s': \"%s\" must lie between %g and %g", node->name, key, -most, most);
    return DCNN_OK;
}

/* Of the values that come in, which those that go out do not leave; bytes where nothing is said. */
static dcnn_status read_range(const dcnn_node *node, const json_t *range) {
    random_change *r = node->config;
    r->range[1] = 255.0;
    if (range == NULL) return DCNN_OK;
    const json_t *low = json_array_get(range, 0), *high = json_array_get(range, 1);
    if (json_array_size(range) != 2 || !json_is_number(low) || !json_is_number(high) ||
        json_number_value(low) >= json_number_value(high))
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s': \"value_range\" must be two numbers, the lower one first",
                         node->name);
    r->range[0] = json_number_value(low);
    r->range[1] = json_number_value(high);
    return DCNN_OK;
}

static dcnn_status parse_common(dcnn_node *node, const json_t *config) {
    static const dcnn_config_only only[] = {{"data_format", "\"channels_last\""}};
    static const char *const modes[] = {"reflect", "wrap", "constant", "nearest"};
    random_change *r = node->config;
    const char *mode = json_string_value(json_object_get(config, "fill_mode"));
    int fill = 0;
    while (mode && fill < 4 && strcmp(modes[fill], mode) != 0) fill++;
    if (fill == 4)
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s': \"fill_mode\" must be reflect, wrap, constant or nearest",
                         node->name);
    r->fill = (dcnn_fill)fill;
    DCNN_TRY(read_range(node, json_object_get(config, "value_range")));
    DCNN_TRY(dcnn_config_real(node, config, "fill_value", 0.0, -1e9, 1e9, &r->value));
    DCNN_TRY(dcnn_config_interpolation(node, config, "bilinear", &r->nearest));
    dcnn_config_keep(node, config, kept, sizeof kept / sizeof kept[0]);
    return dcnn_config_refuse(node, config, only, 1);
}

static dcnn_status parse_flip(dcnn_node *node, const json_t *config) {
    random_change *r = node->config;
    const char *mode = json_string_value(json_object_get(config, "mode"));
    const bool both = mode == NULL || strcmp(mode, "horizontal_and_vertical") == 0;
    r->high[0] = both || strcmp(mode, "vertical") == 0;
    r->high[1] = both || strcmp(mode, "horizontal") == 0;
    if (r->high[0] + r->high[1] == 0.0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s': \"mode\" must be horizontal, vertical or horizontal_and_vertical",
                         node->name);
    return parse_common(node, config);
}

static dcnn_status parse_rotation(dcnn_node *node, const json_t *config) {
    DCNN_TRY(read_factor(node, config, "factor", 0, 1.0));
    return parse_common(node, config);
}

static dcnn_status parse_zoom(dcnn_node *node, const json_t *config) {
    random_change *r = node->config;
    const json_t *width = json_object_get(config, "width_factor");
    r->together = width == NULL || json_is_null(width);
    DCNN_TRY(read_factor(node, config, "height_factor", 0, 100.0));
    if (!r->together) DCNN_TRY(read_factor(node, config, "width_factor", 1, 100.0));
    if (r->low[0] <= -1.0 || (!r->together && r->low[1] <= -1.0))
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s': a zoom factor must be above -1", node->name);
    return parse_common(node, config);
}

static dcnn_status parse_translation(dcnn_node *node, const json_t *config) {
    DCNN_TRY(read_factor(node, config, "height_factor", 0, 1.0));
    DCNN_TRY(read_factor(node, config, "width_factor", 1, 1.0));
    return parse_common(node, config);
}

/* Of a pair, both ends are distances from 1. */
static dcnn_status parse_contrast(dcnn_node *node, const json_t *config) {
    random_change *r = node->config;
    const json_t *factor = json_object_get(config, "factor");
    for (size_t i = 0; i < 2; i++) {
        const json_t *end = json_is_array(factor) ? json_array_get(factor, i) : factor;
        if (!json_is_number(end) || json_number_value(end) < 0.0 || json_number_value(end) > 100.0)
            return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s': \"factor\" must be a number or a pair of them from 0",
                             node->name);
        *(i ? &r->high[0] : &r->low[0]) = i ? json_number_value(end) : -json_number_value(end);
    }
    return parse_common(node, config);
}

static dcnn_status keep_shape(dcnn_node *node, const dcnn_shape *inputs) {
    char text[48];
    node->shape = inputs[0];
    if (inputs[0].rank == 3) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (%s) needs images, not an input of shape %s", node->name,
                     node->layer->class_name, dcnn_shape_text(inputs[0], text));
}

/* All that Keras wrote is kept, and written back. */
static void describe(const dcnn_node *node, json_t *config) {
    (void)node;
    (void)config;
}

/* --- what a sample's change is ------------------------------------------------------------------------------------ */

static void draw(const dcnn_pass *pass, int n, double factor[2]) {
    const random_change *r = pass->op->node->config;
    const int64_t layer = pass->op->node - pass->net->nodes;
    const dcnn_random_bits bits =
        dcnn_random(pass->seed, DCNN_RANDOM_DROPOUT, pass->epoch, pass->samples[n] + (layer << 40), 0);
    for (int axis = 0; axis < 2; axis++)
        factor[axis] = dcnn_random_between(bits.word[r->together ? 0 : axis], r->low[r->together ? 0 : axis],
                                           r->high[r->together ? 0 : axis]);
}

/* Reads at the middle plus a matrix times the place from the middle, less a shift. */
static dcnn_resampling around_middle(const dcnn_pass *pass, double a, double b, double c, double d, double down,
                                     double right) {
    const random_change *r = pass->op->node->config;
    const double i = (pass->op->in.h - 1) / 2.0, j = (pass->op->in.w - 1) / 2.0;
    return (dcnn_resampling){.m = {a, b, i - a * i - b * j - down, c, d, j - c * i - d * j - right},
                             .fill = r->fill,
                             .value = r->value,
                             .nearest = r->nearest};
}

static dcnn_resampling flip_of(const dcnn_pass *pass, int n) {
    double factor[2];
    draw(pass, n, factor);
    dcnn_resampling flip =
        around_middle(pass, factor[0] >= 0.5 ? -1.0 : 1.0, 0.0, 0.0, factor[1] >= 0.5 ? -1.0 : 1.0, 0.0, 0.0);
    flip.nearest = true;
    return flip;
}

static dcnn_resampling rotation_of(const dcnn_pass *pass, int n) {
    double factor[2];
    draw(pass, n, factor);
    const double angle = 2.0 * 3.14159265358979323846 * factor[0], s = sin(angle), c = cos(angle);
    return around_middle(pass, c, s, -s, c, 0.0, 0.0);
}

static dcnn_resampling zoom_of(const dcnn_pass *pass, int n) {
    double factor[2];
    draw(pass, n, factor);
    return around_middle(pass, 1.0 + factor[0], 0.0, 0.0, 1.0 + factor[1], 0.0, 0.0);
}

static dcnn_resampling translation_of(const dcnn_pass *pass, int n) {
    double factor[2];
    draw(pass, n, factor);
    return around_middle(pass, 1.0, 0.0, 0.0, 1.0, factor[0] * pass->op->in.h, factor[1] * pass->op->in.w);
}

static void move_all(const dcnn_pass *pass, dcnn_resampling (*change)(const dcnn_pass *, int)) {
    const size_t count = dcnn_shape_count(pass->op->in);
    for (int n = 0; n < pass->n; n++) {
        const dcnn_resampling r = change(pass, n);
        dcnn_resample_forward(&r, pass->op->in, pass->op->in, pass->x[0] + (size_t)n * count,
                              pass->y + (size_t)n * count);
    }
}

static void move_all_back(const dcnn_pass *pass, dcnn_resampling (*change)(const dcnn_pass *, int)) {
    const size_t count = dcnn_shape_count(pass->op->in);
    if (pass->dx[0] == NULL) return;
    memset(pass->dx[0], 0, (size_t)pass->n * count * sizeof(float));
    for (int n = 0; n < pass->n; n++) {
        const dcnn_resampling r = change(pass, n);
        dcnn_resample_backward(&r, pass->op->in, pass->op->in, pass->dy + (size_t)n * count,
                               pass->dx[0] + (size_t)n * count);
    }
}

/* --- contrast and brightness -------------------------------------------------------------------------------------- */

static double clip(const random_change *r, double value) {
    return fmin(fmax(value, r->range[0]), r->range[1]);
}

static bool is_clipped(const random_change *r, double value) {
    return value < r->range[0] || value > r->range[1];
}

static double mean_of(const dcnn_pass *pass, const float *x, int c) {
    const size_t pixels = (size_t)pass->op->in.h * (size_t)pass->op->in.w, channels = (size_t)pass->op->in.c;
    double sum = 0.0;
    for (size_t p = 0; p < pixels; p++) sum += (double)x[p * channels + (size_t)c];
    return sum / (double)pixels;
}

/* y = clip(scale x + shift) of each channel; the gradient passes where nothing is clipped, and through the mean. */
static void adjust_colors(const dcnn_pass *pass, bool contrast, bool back) {
    const random_change *r = pass->op->node->config;
    const size_t channels = (size_t)pass->op->in.c, pixels = (size_t)pass->op->in.h * (size_t)pass->op->in.w;
    for (int n = 0; n < pass->n; n++)
        for (int c = 0; c < pass->op->in.c; c++) {
            const size_t first = (size_t)n * pixels * channels;
            const float *x = pass->x[0] + first;
            double factor[2], through = 0.0;
            draw(pass, n, factor);
            const double scale = contrast ? 1.0 + factor[0] : 1.0;
            const double shift =
                contrast ? (1.0 - scale) * mean_of(pass, x, c) : factor[0] * (r->range[1] - r->range[0]);
            for (size_t p = (size_t)c; p < pixels * channels; p += channels) {
                const double value = scale * (double)x[p] + shift;
                if (!back) pass->y[first + p] = (float)clip(r, value);
                if (back && !is_clipped(r, value)) through += (double)pass->dy[first + p];
            }
            for (size_t p = (size_t)c; back && p < pixels * channels; p += channels) {
                const bool passes = !is_clipped(r, scale * (double)x[p] + shift);
                const double dx = (passes ? scale * (double)pass->dy[first + p] : 0.0) +
                                  (contrast ? (1.0 - scale) * through / (double)pixels : 0.0);
                pass->dx[0][first + p] = (float)dx;
            }
        }
}

/* --- the rows ----------------------------------------------------------------------------------------------------- */

#define MOVE(symbol, keras_name, what)                                                                                 \
    static void forward_##what(const dcnn_pass *pass) {                                                                \
        move_all(pass, what##_of);                                                                                     \
    }                                                                                                                  \
    static void backward_##what(const dcnn_pass *pass) {                                                               \
        move_all_back(pass, what##_of);                                                                                \
    }                                                                                                                  \
    ROW(symbol, keras_name, what, what)

#define TINT(symbol, keras_name, what, reads, contrast)                                                                \
    static void forward_##what(const dcnn_pass *pass) {                                                                \
        adjust_colors(pass, contrast, false);                                                                          \
    }                                                                                                                  \
    static void backward_##what(const dcnn_pass *pass) {                                                               \
        if (pass->dx[0]) adjust_colors(pass, contrast, true);                                                          \
    }                                                                                                                  \
    ROW(symbol, keras_name, what, reads)

#define ROW(symbol, keras_name, what, reads)                                                                           \
    static const dcnn_op_kind what##_op = {                                                                            \
        .name = "random " #what, .backward_reads_x = true, .forward = forward_##what, .backward = backward_##what};    \
    const dcnn_layer symbol = {.class_name = keras_name,                                                               \
                               .config_bytes = sizeof(random_change),                                                  \
                               .parse = parse_##reads,                                                                 \
                               .build = keep_shape,                                                                    \
                               .describe = describe,                                                                   \
                               .op = &what##_op,                                                                       \
                               .only_training = true}

MOVE(dcnn_layer_random_flip, "RandomFlip", flip);
MOVE(dcnn_layer_random_rotation, "RandomRotation", rotation);
MOVE(dcnn_layer_random_zoom, "RandomZoom", zoom);
MOVE(dcnn_layer_random_translation, "RandomTranslation", translation);
TINT(dcnn_layer_random_contrast, "RandomContrast", contrast, contrast, true);
TINT(dcnn_layer_random_brightness, "RandomBrightness", brightness, rotation, false);

/* --- RandomCrop --------------------------------------------------------------------------------------------------- */

typedef struct random_crop {
    int h, w;
    dcnn_resize inference; /* the largest part of the output's ratio of sides, around the middle */
} random_crop;

static dcnn_status parse_crop(dcnn_node *node, const json_t *config) {
    static const dcnn_config_only only[] = {{"data_format", "\"channels_last\""}};
    random_crop *r = node->config;
    DCNN_TRY(dcnn_config_int(node, config, "height", 0, &r->h));
    DCNN_TRY(dcnn_config_int(node, config, "width", 0, &r->w));
    r->inference = (dcnn_resize){.filter = DCNN_FILTER_BILINEAR, .crop = true};
    dcnn_config_keep(node, config, kept, sizeof kept / sizeof kept[0]);
    return dcnn_config_refuse(node, config, only, 1);
}

static dcnn_status build_crop(dcnn_node *node, const dcnn_shape *inputs) {
    const random_crop *r = node->config;
    DCNN_TRY(keep_shape(node, inputs));
    if (r->h > 1 << 16 || r->w > 1 << 16)
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (RandomCrop): %dx%d is too large", node->name, r->h, r->w);
    node->shape.h = r->h;
    node->shape.w = r->w;
    return DCNN_OK;
}

static void describe_crop(const dcnn_node *node, json_t *config) {
    const random_crop *r = node->config;
    json_object_set_new(config, "height", json_integer(r->h));
    json_object_set_new(config, "width", json_integer(r->w));
}

static const dcnn_resize *resize_of(const dcnn_op *op) {
    return &((const random_crop *)op->node->config)->inference;
}

static void measure_crop(dcnn_op *op, const dcnn_kernels *kernels, int grain) {
    (void)kernels;
    (void)grain;
    dcnn_resize_measure(op, resize_of(op));
}

static void prepare_crop(const dcnn_op *op, const dcnn_kernels *kernels, const dcnn_net *net, int part, int parts) {
    (void)kernels;
    (void)net;
    (void)parts;
    if (part == 0) dcnn_resize_prepare(op, resize_of(op));
}

/* Where a part that is not drawn begins: around the middle, of the output's ratio of sides. */
static int first_of(int in, int out, int other_in, int other_out) {
    const int fitted = dcnn_resize_fitted(out, other_in, other_out);
    return fitted < in ? (in - fitted) / 2 : 0;
}

/* Of an image that is larger either way, any part; of another one, as Keras has it, what the output's size reaches from
 * there on, stretched where that is too little. */
static dcnn_resampling crop_of(const dcnn_pass *pass, int n) {
    const dcnn_shape in = pass->op->in, out = pass->op->node->shape;
    const int64_t layer = pass->op->node - pass->net->nodes;
    int top = first_of(in.h, out.h, in.w, out.w), left = first_of(in.w, out.w, in.h, out.h);
    if (in.h > out.h && in.w > out.w) {
        const dcnn_random_bits bits =
            dcnn_random(pass->seed, DCNN_RANDOM_DROPOUT, pass->epoch, pass->samples[n] + (layer << 40), 0);
        top = (int)((uint64_t)bits.word[0] * (uint64_t)(in.h - out.h + 1) >> 32);
        left = (int)((uint64_t)bits.word[1] * (uint64_t)(in.w - out.w + 1) >> 32);
    }
    const double h = in.h - top < out.h ? in.h - top : out.h, w = in.w - left < out.w ? in.w - left : out.w;
    const double down = h / out.h, across = w / out.w;
    return (dcnn_resampling){.m = {down, 0.0, top + 0.5 * down - 0.5, 0.0, across, left + 0.5 * across - 0.5},
                             .least = {top, left},
                             .fill = DCNN_FILL_NEAREST};
}

static bool crops(const dcnn_pass *pass) {
    return pass->op->training && !pass->op->node->inference && pass->samples;
}

static void forward_crop(const dcnn_pass *pass) {
    const dcnn_shape in = pass->op->in, out = pass->op->node->shape;
    if (!crops(pass)) dcnn_resize_forward(pass, resize_of(pass->op));
    for (int n = 0; n < pass->n && crops(pass); n++) {
        const dcnn_resampling r = crop_of(pass, n);
        dcnn_resample_forward(&r, in, out, pass->x[0] + (size_t)n * dcnn_shape_count(in),
                              pass->y + (size_t)n * dcnn_shape_count(out));
    }
}

static void backward_crop(const dcnn_pass *pass) {
    const dcnn_shape in = pass->op->in, out = pass->op->node->shape;
    if (pass->dx[0] == NULL) return;
    if (!crops(pass)) {
        dcnn_resize_backward(pass, resize_of(pass->op));
        return;
    }
    memset(pass->dx[0], 0, (size_t)pass->n * dcnn_shape_count(in) * sizeof(float));
    for (int n = 0; n < pass->n; n++) {
        const dcnn_resampling r = crop_of(pass, n);
        dcnn_resample_backward(&r, in, out, pass->dy + (size_t)n * dcnn_shape_count(out),
                               pass->dx[0] + (size_t)n * dcnn_shape_count(in));
    }
}

static const dcnn_op_kind crop_op = {.name = "random crop",
                                     .measure = measure_crop,
                                     .prepare = prepare_crop,
                                     .forward = forward_crop,
                                     .backward = backward_crop};

const dcnn_layer dcnn_layer_random_crop = {.class_name = "RandomCrop",
                                           .config_bytes = sizeof(random_crop),
                                           .parse = parse_crop,
                                           .build = build_crop,
                                           .describe = describe_crop,
                                           .op = &crop_op,
                                           .draws = true};

/* --- layers that dcnn does not have in training ------------------------------------------------------------------- */

static dcnn_status parse_other(dcnn_node *node, const json_t *config) {
    static const dcnn_config_only only[] = {{"data_format", "\"channels_last\""}};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)config, key, value) {
        const bool own = strcmp(key, "name") && strcmp(key, "trainable") && strcmp(key, "dtype");
        if (own) dcnn_config_keep(node, config, &key, 1);
    }
    return dcnn_config_refuse(node, config, only, 1);
}

#define OTHER(keras_name, like)                                                                                        \
    {                                                                                                                  \
        .class_name = keras_name, .parse = parse_other, .build = keep_shape, .describe = describe,                     \
        .only_training = true, .instead = like                                                                         \
    }

const dcnn_layer dcnn_layer_others[] = {
    OTHER("RandomShear", "--shear-range"),
    OTHER("RandomErasing", "--cutout"),
    OTHER("RandomHue", "--hue-range"),
    OTHER("RandomSaturation", "--saturation-range"),
    OTHER("RandomColorDegeneration", "--saturation-range"),
    OTHER("RandomColorJitter", "--brightness-range, --contrast-range, --saturation-range and --hue-range"),
    OTHER("RandomElasticTransform", "--distortion-range"),
    OTHER("RandomPerspective", "--rand-augment"),
    OTHER("RandomPosterization", "--rand-augment"),
    OTHER("RandomSharpness", "--rand-augment"),
    OTHER("RandomInvert", "--rand-augment"),
    OTHER("RandomGaussianBlur", "--rand-augment"),
    OTHER("RandomGrayscale", "--rand-augment"),
    OTHER("RandAugment", "--rand-augment"),
    OTHER("AugMix", "--rand-augment"),
    OTHER("MixUp", "--mixup"),
    OTHER("CutMix", "--cutmix"),
};
const int dcnn_layer_other_count = (int)(sizeof dcnn_layer_others / sizeof dcnn_layer_others[0]);
