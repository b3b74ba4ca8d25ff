/* SPDX-License-Identifier: BSD-3-Clause */
/* augment_colour.c — brightness, contrast, saturation and hue as one affine map of a pixel's channels.
 *
 * What torchvision's ColorJitter does in four passes that each round to bytes is here one matrix, and one rounding into
 * 0..255 at the end. Channels that are not three know no grey and no hue: they are scaled alike.
 */
#include <math.h>
#include <string.h>

#include "run/data/augment_private.h"

static const double pi = 3.14159265358979323846;

/* Grey of red, green and blue: ITU-R BT.601, as PIL and torchvision have it. */
static const double grey_of[3] = {0.299, 0.587, 0.114};

/* The image's means, of sums that are exact. */
static void find_means(dcnn_change *change) {
    const size_t pixels = (size_t)change->h * (size_t)change->w;
    uint64_t sums[3] = {0};
    if (change->has_means) return;
    change->has_means = true;
    if (change->c == 3) {
        for (size_t i = 0; i < pixels; i++)
            for (size_t c = 0; c < 3; c++) sums[c] += change->bytes[3 * i + c];
        for (int c = 0; c < 3; c++) change->means[c] = (double)sums[c] / (double)pixels;
    } else {
        const size_t values = pixels * (size_t)change->c;
        for (size_t i = 0; i < values; i++) sums[0] += change->bytes[i];
        change->means[0] = (double)sums[0] / (double)values;
    }
}

/* value -> factor value + offset, in all channels. */
static void scale_all(dcnn_change *change, double factor, double offset) {
    for (int i = 0; i < 9; i++) change->factor[i] *= factor;
    for (int c = 0; c < 3; c++) change->offset[c] = change->offset[c] * factor + offset;
    change->is_coloured = true;
}

/* pixel -> matrix pixel, of three channels. */
static void mix_channels(dcnn_change *change, const double matrix[9]) {
    double factor[9] = {0}, offset[3] = {0};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++) {
            for (int j = 0; j < 3; j++) factor[3 * i + j] += matrix[3 * i + k] * change->factor[3 * k + j];
            offset[i] += matrix[3 * i + k] * change->offset[k];
        }
    memcpy(change->factor, factor, sizeof factor);
    memcpy(change->offset, offset, sizeof offset);
    change->is_coloured = true;
}

/* The mean grey of the image as coloured so far. */
static double mean_grey(dcnn_change *change) {
    find_means(change);
    if (change->c != 3) return change->factor[0] * change->means[0] + change->offset[0];
    double grey = 0;
    for (int i = 0; i < 3; i++) {
        double mean = change->offset[i];
        for (int j = 0; j < 3; j++) mean += change->factor[3 * i + j] * change->means[j];
        grey += grey_of[i] * mean;
    }
    return grey;
}

void dcnn_change_brightness(dcnn_change *change, double factor) {
    scale_all(change, factor, 0);
}

void dcnn_change_contrast(dcnn_change *change, double factor) {
    scale_all(change, factor, (1 - factor) * mean_grey(change));
}

void dcnn_change_saturation(dcnn_change *change, double factor) {
    double matrix[9];
    if (change->c != 3) return;
    for (int i = 0; i < 9; i++) matrix[i] = (1 - factor) * grey_of[i % 3] + (i % 4 == 0 ? factor : 0);
    mix_channels(change, matrix);
}

/* A turn of the plane of I and Q in YIQ (NTSC, 1953): grey and brightness stay. */
void dcnn_change_hue(dcnn_change *change, double turns) {
    static const double to[9] = {0.299, 0.587, 0.114, 0.595716, -0.274453, -0.321263, 0.211456, -0.522591, 0.311135};
    static const double back[9] = {1, 0.9563, 0.6210, 1, -0.2721, -0.6474, 1, -1.1070, 1.7046};
    const double cosine = cos(2 * pi * turns), sine = sin(2 * pi * turns);
    const double turn[9] = {1, 0, 0, 0, cosine, -sine, 0, sine, cosine};
    if (change->c != 3) return;
    double half[9] = {0}, matrix[9] = {0};
    for (int i = 0; i < 9; i++)
        for (int k = 0; k < 3; k++) half[i] += turn[i / 3 * 3 + k] * to[3 * k + i % 3];
    for (int i = 0; i < 9; i++)
        for (int k = 0; k < 3; k++) matrix[i] += back[i / 3 * 3 + k] * half[3 * k + i % 3];
    mix_channels(change, matrix);
}
