/* SPDX-License-Identifier: BSD-3-Clause */
/* augment.c — see augment.h. */
#include "run/augment.h"

#include <math.h>

#include "base/random.h"

bool dcnn_augment_is_active(const dcnn_augment *augment) {
    return augment->rotation_range > 0 || augment->zoom_range > 0 || augment->width_shift_range > 0 ||
           augment->height_shift_range > 0;
}

void dcnn_augment_map(const dcnn_augment *augment, uint64_t seed, uint32_t epoch, int64_t sample, int h, int w,
                      float map[6]) {
    const dcnn_random_bits a = dcnn_random(seed, DCNN_RANDOM_AUGMENT, epoch, sample, 0);
    const dcnn_random_bits b = dcnn_random(seed, DCNN_RANDOM_AUGMENT, epoch, sample, 1);
    const double degrees = dcnn_random_between(a.word[0], -augment->rotation_range, augment->rotation_range);
    const double shift_rows =
        h * dcnn_random_between(a.word[1], -augment->height_shift_range, augment->height_shift_range);
    const double shift_columns =
        w * dcnn_random_between(a.word[2], -augment->width_shift_range, augment->width_shift_range);
    const double zoom_rows = dcnn_random_between(a.word[3], 1.0 - augment->zoom_range, 1.0 + augment->zoom_range);
    const double zoom_columns = dcnn_random_between(b.word[0], 1.0 - augment->zoom_range, 1.0 + augment->zoom_range);
    const double angle = degrees * 3.14159265358979323846 / 180.0, cosine = cos(angle), sine = sin(angle);
    const double centre_row = 0.5 * h - 0.5, centre_column = 0.5 * w - 0.5;
    const double m00 = cosine * zoom_rows, m01 = -sine * zoom_columns, m10 = sine * zoom_rows,
                 m11 = cosine * zoom_columns;
    map[0] = (float)m00;
    map[1] = (float)m01;
    map[2] = (float)(cosine * shift_rows - sine * shift_columns + centre_row - m00 * centre_row - m01 * centre_column);
    map[3] = (float)m10;
    map[4] = (float)m11;
    map[5] =
        (float)(sine * shift_rows + cosine * shift_columns + centre_column - m10 * centre_row - m11 * centre_column);
}
