/* SPDX-License-Identifier: BSD-3-Clause */
/** @file augment_private.h — a change of one image as it is put together; shared by augment*.c alone. */
#ifndef DCNN_RUN_AUGMENT_PRIVATE_H
#define DCNN_RUN_AUGMENT_PRIVATE_H

#include "run/data/augment.h"

/** A change of bytes from RandAugment's list. */
typedef struct dcnn_byte_change {
    void (*apply)(int h, int w, int c, double strength, uint8_t *pixels, uint8_t *spare); /* in place */
    double strength;
} dcnn_byte_change;

enum { DCNN_MOST_BYTE_CHANGES = 16 };

/** All that happens to one image. */
struct dcnn_change {
    dcnn_augment_key key;
    uint32_t row; /* whose random numbers are drawn */
    int h, w, c;
    const uint8_t *bytes; /* the image */

    int byte_change_count;
    dcnn_byte_change byte_changes[DCNN_MOST_BYTE_CHANGES];

    /* Keras' affine map, and what is behind it */
    double degrees, shear_degrees, shift_rows, shift_columns, zoom_rows, zoom_columns;
    bool is_placed;
    double place[6]; /* output pixel -> where Keras' map would have made it */
    bool is_distorted;

    bool is_coloured;
    bool has_means;
    double means[3];             /* of the image's three channels; else of all its values, in [0] */
    double factor[9], offset[3]; /* of three channels a matrix, else one number for all */

    int cut_top, cut_bottom, cut_left, cut_right; /* erased rows and columns: from, to below */
};

/** Random number `number` (0..255) of the row being applied, uniform in [low, high). */
double dcnn_change_draw(const dcnn_change *change, uint32_t number, double low, double high);

/** The same about the middle of the image: a 2x2 matrix of (row, column), then a shift. */
void dcnn_change_turn(dcnn_change *change, const double matrix[4], double rows, double columns);

/* Colours (augment_colour.c): each adds to `factor` and `offset`. */
void dcnn_change_brightness(dcnn_change *change, double factor);
void dcnn_change_contrast(dcnn_change *change, double factor);
void dcnn_change_saturation(dcnn_change *change, double factor);
void dcnn_change_hue(dcnn_change *change, double turns);

/** RandAugment (augment_random.c). */
void dcnn_change_at_random(dcnn_change *change, int64_t count, double magnitude);

#endif
