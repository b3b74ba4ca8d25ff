/* SPDX-License-Identifier: BSD-3-Clause */
/** @file augment.h — random rotation, shift and zoom of a picture, as Keras' ImageDataGenerator defines them. */
#ifndef DCNN_RUN_AUGMENT_H
#define DCNN_RUN_AUGMENT_H

#include <stdbool.h>
#include <stdint.h>

/** Ranges, as ImageDataGenerator names them; all 0: pictures stay as they are. */
typedef struct dcnn_augment {
    double rotation_range;                        /**< degrees: the angle is uniform in +- this */
    double zoom_range;                            /**< each axis uniform in 1 +- this */
    double width_shift_range, height_shift_range; /**< uniform in +- this fraction of the picture */
} dcnn_augment;

/**
 * The map of one sample in one epoch, for the kernel `warp`: a pure function of (seed, epoch, sample). *Local.*
 *
 * Output pixel (i, j) is read at centre + R(angle) (zoom (i, j) - centre) + shift), R a rotation, as in Keras'
 * apply_affine_transform; outside, the nearest edge pixel (fill_mode "nearest"), between pixels bilinear (order 1).
 */
void dcnn_augment_map(const dcnn_augment *augment, uint64_t seed, uint32_t epoch, int64_t sample, int h, int w,
                      float map[6]);

/** Does it change anything? */
bool dcnn_augment_is_active(const dcnn_augment *augment);

#endif
