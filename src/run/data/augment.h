/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file augment.h — random changes of training images, each a pure function of (seed, epoch, sample).
 *
 * DCNN_AUGMENT_LIST is the one list: the struct of ranges, the command line's options and their help, the defaults for
 * each kind of images, the figure of augmented examples and the tests all follow from it.
 */
#ifndef DCNN_RUN_AUGMENT_H
#define DCNN_RUN_AUGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"

/*
 * One row a change: X(type, field, option, recipe, photos, low, high, ends, function, what).
 * A row's place gives it its random numbers: append only. `recipe` and `photos` are the defaults for grey images
 * (and digits or letters of any colour) and for photographs. 0 leaves images as they are. A function of `with_it`
 * belongs to the row above.
 *
 * The first five are Keras' ImageDataGenerator's; the order of work is: RandAugment's changes of bytes; the place a
 * pixel is read from (Keras' affine map, then crop, flips and RandAugment's, then distortion; edges repeat, bilinear);
 * colours; cutout; at last what takes images in pairs (mix.h).
 */
/* clang-format off */
#define DCNN_AUGMENT_LIST(X)                                                                                           \
    X(double,  rotation_range,     "rotation-range",     "10",  "0",     0, 180, CLOSED,    rotate,     "degrees, either way") \
    X(double,  zoom_range,         "zoom-range",         "0.1", "0",     0, 1,   OPEN_HIGH, zoom,       "fraction, either way") \
    X(double,  width_shift_range,  "width-shift-range",  "0.1", "0",     0, 1,   CLOSED,    shift_width, "fraction of the width") \
    X(double,  height_shift_range, "height-shift-range", "0.1", "0",     0, 1,   CLOSED,    shift_height, "fraction of the height") \
    X(double,  shear_range,        "shear-range",        "0",   "0",     0, 80,  CLOSED,    shear,      "degrees, either way") \
    X(double,  horizontal_flip,    "horizontal-flip",    "0",   "0.5",   0, 1,   CLOSED,    flip_across, "chance to swap left and right") \
    X(double,  vertical_flip,      "vertical-flip",      "0",   "0",     0, 1,   CLOSED,    flip_down,  "chance to swap top and bottom") \
    X(double,  crop_range,         "crop-range",         "0",   "0.125", 0, 1,   CLOSED,    crop,       "whole pixels moved, fraction of a side") \
    X(double,  distortion_range,   "distortion-range",   "0",   "0",     0, 0.5, CLOSED,    distort,    "elastic, fraction of a side") \
    X(double,  brightness_range,   "brightness-range",   "0",   "0",     0, 1,   CLOSED,    brighten,   "times 1 +- this") \
    X(double,  contrast_range,     "contrast-range",     "0",   "0",     0, 1,   CLOSED,    contrast,   "distance from the mean, times 1 +- this") \
    X(double,  saturation_range,   "saturation-range",   "0",   "0",     0, 1,   CLOSED,    saturate,   "distance from grey, times 1 +- this") \
    X(double,  hue_range,          "hue-range",          "0",   "0",     0, 0.5, CLOSED,    turn_hue,   "turns of the colour circle, either way") \
    X(double,  cutout,             "cutout",             "0",   "0",     0, 1,   CLOSED,    cut_out,    "side of an erased square, at most") \
    X(int64_t, rand_augment,       "rand-augment",       "0",   "0",     0, 16,  CLOSED,    rand_augment, "changes from RandAugment's list") \
    X(int64_t, rand_magnitude,     "rand-magnitude",     "9",   "9",     0, 30,  CLOSED,    with_it,    "... of this strength") \
    X(double,  mixup,              "mixup",              "0",   "0",     0, 100, CLOSED,    in_pairs,   "blend two by Beta(X, X); 0.2, say") \
    X(double,  cutmix,             "cutmix",             "0",   "0",     0, 100, CLOSED,    in_pairs,   "a piece of another, Beta(X, X); 1, say")
/* clang-format on */

#define DCNN_AUGMENT_FIELD(type, field, option, recipe, photos, low, high, ends, function, what)  type field;
#define DCNN_AUGMENT_NUMBER(type, field, option, recipe, photos, low, high, ends, function, what) DCNN_AUGMENT_##field,

/** Ranges, a field a row; all 0: images stay as they are. */
typedef struct dcnn_augment {
    DCNN_AUGMENT_LIST(DCNN_AUGMENT_FIELD)
} dcnn_augment;

enum { DCNN_AUGMENT_LIST(DCNN_AUGMENT_NUMBER) DCNN_AUGMENT_COUNT };

/** Which defaults suit the images. */
typedef enum dcnn_augment_kind {
    DCNN_AUGMENT_RECIPE, /**< digits, letters and other grey images: turned, zoomed and shifted, never flipped */
    DCNN_AUGMENT_PHOTOS  /**< colour photographs: flipped and cropped */
} dcnn_augment_kind;

typedef struct dcnn_change dcnn_change; /* augment_private.h */

/** A row of the table. */
typedef struct dcnn_augment_row {
    const char *option, *what;
    const char *suited[2]; /**< default by dcnn_augment_kind, as a user would write it */
    double low, high;
    size_t offset; /**< of its value in dcnn_augment */
    bool whole;    /**< an int64_t, else a double */
    bool alone;    /**< a change by itself; else it says more of the row above */
    bool in_pairs; /**< takes two images: dcnn_mix()'s work, not dcnn_augment_image()'s */
    void (*apply)(dcnn_change *change, const dcnn_augment *ranges);
} dcnn_augment_row;

extern const dcnn_augment_row dcnn_augment_table[DCNN_AUGMENT_COUNT];

/** A row's value. */
double dcnn_augment_value(const dcnn_augment *ranges, int row);
void dcnn_augment_set(dcnn_augment *ranges, int row, double value);

/** Does it change anything? */
bool dcnn_augment_is_active(const dcnn_augment *ranges);

/** Does that row's value change images of so many channels? Saturation and hue need three. */
bool dcnn_augment_suits(int row, int channels);

/** What the defaults should be: colour images are photographs unless all their classes are single letters or numbers.
 * *Local.* */
dcnn_augment_kind dcnn_augment_guess(int channels, int class_count, char *const class_names[]);

/** The images that are changed, and what becomes of their bytes. */
typedef struct dcnn_augment_form {
    int h, w, c;
    const float *scale, *shift; /**< [c] output = byte * scale + shift */
    const float *blank;         /**< [c] output where an image is cut out */
} dcnn_augment_form;

/** Which change: three images of the same numbers are changed alike. */
typedef struct dcnn_augment_key {
    uint64_t seed;
    uint32_t epoch;
    int64_t sample;
} dcnn_augment_key;

/** Bytes that dcnn_augment_image() needs at hand for such images. *Local.* */
size_t dcnn_augment_scratch(const dcnn_augment *ranges, int h, int w, int c);

/**
 * One image, changed, as floats. *Local.*
 *
 * Of the first five rows output pixel (i, j) is read at centre + R(angle) (shift + Sh(shear) zoom ((i, j) - centre)),
 * as in Keras' apply_affine_transform, R a rotation, Sh = [[1, -sin], [0, cos]]; outside, the nearest edge pixel
 * (fill_mode "nearest"), between pixels bilinear (order 1).
 * @param bytes    [h,w,c]
 * @param scratch  dcnn_augment_scratch() bytes, aligned for floats
 * @param y        out [h,w,c]
 */
void dcnn_augment_image(const dcnn_augment *ranges, const dcnn_kernels *kernels, const dcnn_augment_key *key,
                        const dcnn_augment_form *form, const uint8_t *bytes, void *scratch, float *y);

#endif
