/* SPDX-License-Identifier: BSD-3-Clause */
/* input.c — see input.h. */
#include "model/input.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/layer.h"

bool dcnn_net_takes_bytes(const dcnn_net *net) {
    for (int i = 1; i < net->node_count; i++)
        if (net->nodes[i].layer->scales_input && dcnn_net_is_input(net, net->nodes[i].inputs[0])) return true;
    return false;
}

static dcnn_status fail_list(const char *option, const char *text, int channels) {
    enum { MOST = 8 }; /* so many are written out */
    char example[8 * MOST] = "0.5";
    if (channels == 1)
        return DCNN_FAIL(DCNN_USAGE, "%s %.80s: it takes one number for the one channel, as in %s 0.5", option, text,
                         option);
    for (int c = 1; c < channels && channels <= MOST; c++) strcat(example, ",0.5");
    return DCNN_FAIL(DCNN_USAGE, "%s %.80s: it takes one number, or one for each of the %d channels, as in %s %s",
                     option, text, channels, option, example);
}

/* "0.5" for every channel, or "0.485,0.456,0.406". */
static dcnn_status read_list(const char *option, const char *text, int channels, double fallback, double *values) {
    int count = 0;
    char *end = NULL;
    for (int c = 0; c < channels; c++) values[c] = fallback;
    if (text == NULL) return DCNN_OK;
    for (const char *at = text; count < channels; at = end + 1) {
        values[count] = strtod(at, &end);
        if (end == at || (*end != ',' && *end != '\0') || !isfinite(values[count])) break;
        count++;
        if (*end == '\0') break;
    }
    if (count == 1 && *end == '\0')
        for (int c = 1; c < channels; c++) values[c] = values[0];
    if (end == NULL || *end != '\0' || (count != 1 && count != channels)) return fail_list(option, text, channels);
    return DCNN_OK;
}

bool dcnn_input_is_given(const dcnn_input_given *given) {
    return given->mean || given->std || given->scale > 0.0 || (given->order && strcmp(given->order, "auto") != 0);
}

static dcnn_status take_given(const dcnn_input_given *given, int channels, dcnn_input *input) {
    const double byte = 255.0 * (given->scale > 0.0 ? given->scale : 1.0 / 255.0);
    DCNN_TRY(read_list("--mean", given->mean, channels, 0.0, input->mean));
    DCNN_TRY(read_list("--std", given->std, channels, 1.0, input->std));
    for (int c = 0; c < channels; c++) {
        if (!(input->std[c] > 0.0)) return DCNN_FAIL(DCNN_USAGE, "--std %s: it must be above 0", given->std);
        input->mean[c] /= byte;
        input->std[c] /= byte;
    }
    snprintf(input->told, sizeof input->told, "as given: (byte * %.6g - %.40s) / %.40s",
             given->scale > 0.0 ? given->scale : 1.0 / 255.0, given->mean ? given->mean : "0",
             given->std ? given->std : "1");
    return DCNN_OK;
}

static const char *list_text(int channels, const double *values, char text[64]) {
    int used = 0;
    for (int c = 0; c < channels && c < 4 && used < 48; c++)
        used += snprintf(text + used, 64 - (size_t)used, "%s%.4g", c ? "," : "", values[c]);
    return text;
}

void dcnn_input_scale(int channels, const double *mean, const double *std, float *scale, float *shift) {
    for (int c = 0; c < channels; c++) {
        const double deviation = std[c] > 0.0 ? std[c] : 1.0;
        scale[c] = (float)(1.0 / (255.0 * deviation));
        shift[c] = (float)(-mean[c] / deviation);
    }
}

void dcnn_input_turn(size_t pixels, float *x) {
    for (size_t i = 0; i < pixels; i++, x += 3) {
        const float red = x[0];
        x[0] = x[2];
        x[2] = red;
    }
}

/* --- networks of keras.applications: preprocess_input() of each --------------------------------------------------- */

typedef struct family {
    const char *name; /* how the names that Keras gives such models begin */
    enum { TO_ONE, IMAGENET, BLUE_FIRST } wants;
} family;

/* The longest first where one begins another. MobileNetV3, EfficientNet and ConvNeXt scale bytes in layers of their
 * own. */
static const family families[] = {
    {"mobilenet_", TO_ONE},          {"mobilenetv2_", TO_ONE}, {"xception", TO_ONE},     {"inception_v3", TO_ONE},
    {"inception_resnet_v2", TO_ONE}, {"nasnet_", TO_ONE},      {"resnet50v2", TO_ONE},   {"resnet101v2", TO_ONE},
    {"resnet152v2", TO_ONE},         {"densenet", IMAGENET},   {"resnet50", BLUE_FIRST}, {"resnet101", BLUE_FIRST},
    {"resnet152", BLUE_FIRST},       {"vgg16", BLUE_FIRST},    {"vgg19", BLUE_FIRST},
};

/* By the network's name, or that of the base that it was built on. @param name  out, may be NULL: which it was */
static const family *family_of(const dcnn_net *net, const char **name) {
    const char *const names[] = {net->name, net->base};
    for (int k = 0; net->nodes[0].shape.c == 3 && k < 2; k++)
        for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
            if (strncmp(names[k], families[i].name, strlen(families[i].name)) != 0) continue;
            if (name) *name = names[k];
            return &families[i];
        }
    return NULL;
}

/* A guess, and told; false: no name says anything. */
static bool take_family(const dcnn_net *net, dcnn_input *input) {
    static const struct {
        double mean[3], std[3]; /* of byte / 255 */
        const char *told;
    } wishes[] = {
        [TO_ONE] = {{0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}, "byte / 127.5 - 1"},
        [IMAGENET] = {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}, "(byte / 255 - mean) / std of ImageNet"},
        [BLUE_FIRST] = {{123.68 / 255, 116.779 / 255, 103.939 / 255},
                        {1.0 / 255, 1.0 / 255, 1.0 / 255},
                        "blue, green, red: byte - mean of ImageNet"},
    };
    const char *name;
    const family *f = family_of(net, &name);
    if (f == NULL) return false;
    memcpy(input->mean, wishes[f->wants].mean, sizeof wishes[0].mean);
    memcpy(input->std, wishes[f->wants].std, sizeof wishes[0].std);
    input->blue_first = f->wants == BLUE_FIRST;
    snprintf(input->told, sizeof input->told,
             "%s, as keras.applications has it for networks named '%.40s' (--scale, --mean, --std, --channel-order "
             "decide otherwise)",
             wishes[f->wants].told, name);
    return true;
}

/* What is given of the order of channels holds whatever says the rest. */
static dcnn_status take_order(const dcnn_input_given *given, const dcnn_net *net, dcnn_input *input) {
    if (given == NULL || given->order == NULL || strcmp(given->order, "auto") == 0) return DCNN_OK;
    input->blue_first = strcmp(given->order, "bgr") == 0;
    if (input->blue_first && net->nodes[0].shape.c != 3)
        return DCNN_FAIL(DCNN_USAGE,
                         "--channel-order bgr is for images of three channels, the model takes images of %d",
                         net->nodes[0].shape.c);
    const size_t used = strlen(input->told);
    snprintf(input->told + used, sizeof input->told - used, "%schannels in the order %s, as given", used ? "; " : "",
             given->order);
    input->from_model = false;
    return DCNN_OK;
}

/* Mean and deviation alone say nothing of the order of channels: it stays the model's. */
static void keep_order(const dcnn_checkpoint *model, const dcnn_input_given *given, dcnn_input *input) {
    const family *f = model->normalised ? NULL : family_of(model->net, NULL);
    if (given->order && strcmp(given->order, "auto") != 0) return;
    input->blue_first = f ? f->wants == BLUE_FIRST : model->normalised && model->blue_first;
    if (!input->blue_first) return;
    const size_t used = strlen(input->told);
    snprintf(input->told + used, sizeof input->told - used,
             "; blue, green, red, as %s (--channel-order rgb decides otherwise)",
             f ? "keras.applications has it for networks of this name" : "the model file says");
}

/* Bytes that are made something else before a layer scales them that is made for bytes. */
static void tell_twice(const dcnn_net *net, dcnn_input *input) {
    bool bytes = true;
    for (int c = 0; c < net->nodes[0].shape.c; c++)
        bytes = bytes && input->mean[c] == 0.0 && fabs(255.0 * input->std[c] - 1.0) < 1e-5;
    const size_t used = strlen(input->told);
    if (!bytes && dcnn_net_takes_bytes(net))
        snprintf(input->told + used, sizeof input->told - used,
                 "; the model scales its input itself, once more: one that wants bytes from 0 to 255 takes none of "
                 "--mean, --std and --scale");
}

static dcnn_status choose(const dcnn_checkpoint *model, const dcnn_input_given *given, const double *data_mean,
                          const double *data_std, dcnn_input *input) {
    const int channels = model->net->nodes[0].shape.c;
    char mean[64], std[64];
    if (given && (given->mean || given->std || given->scale > 0.0)) {
        DCNN_TRY(take_given(given, channels, input));
        tell_twice(model->net, input);
        keep_order(model, given, input);
        return DCNN_OK;
    }
    const bool bytes = dcnn_net_takes_bytes(model->net);
    for (int c = 0; c < channels; c++) {
        input->mean[c] = bytes ? 0.0 : model->normalised ? model->mean[c] : data_mean ? data_mean[c] : 0.0;
        input->std[c] = bytes ? 1.0 / 255.0 : model->normalised ? model->std[c] : data_std ? data_std[c] : 1.0;
        if (!(input->std[c] > 0.0)) input->std[c] = 1.0; /* constant images */
    }
    input->from_model = model->normalised;
    input->blue_first = model->normalised && model->blue_first;
    if (bytes) {
        snprintf(input->told, sizeof input->told, "bytes from 0 to 255, which the model scales itself");
        return DCNN_OK;
    }
    if (model->normalised || take_family(model->net, input)) return DCNN_OK;
    if (data_mean == NULL)
        return DCNN_FAIL(
            DCNN_BAD_INPUT,
            "the model file does not say which images it expects (another program wrote it): say how bytes become its "
            "input, with --scale 0.00392157 for x / 255, or with --mean and --std of x / 255");
    snprintf(input->told, sizeof input->told,
             "standardised by the data set's mean %s and deviation %s, for the model file names none; a model of "
             "x / 255 wants --scale 0.00392157",
             list_text(channels, data_mean, mean), list_text(channels, data_std, std));
    return DCNN_OK;
}

dcnn_status dcnn_input_choose(const dcnn_checkpoint *model, const dcnn_input_given *given, const double *data_mean,
                              const double *data_std, dcnn_input *input) {
    const int channels = model->net->nodes[0].shape.c;
    *input = (dcnn_input){0};
    if (channels > DCNN_MAX_CHANNELS)
        return DCNN_FAIL(
            DCNN_BAD_INPUT,
            "the model does not take images: its input has %d channels; in Keras, put an Input of (height, "
            "width, channels) and a Flatten in front of it",
            channels);
    DCNN_TRY(choose(model, given, data_mean, data_std, input));
    return take_order(given, model->net, input);
}
