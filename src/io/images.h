/* SPDX-License-Identifier: BSD-3-Clause */
/** @file images.h — labelled images in memory. */
#ifndef DCNN_IO_IMAGES_H
#define DCNN_IO_IMAGES_H

#include <stdint.h>

/** Images as bytes, with or without labels. */
typedef struct dcnn_images {
    int64_t count;
    int h, w, c;
    uint8_t *pixels; /**< [count,h,w,c]; owned */
    int32_t *labels; /**< [count] or NULL if there are none; owned */
} dcnn_images;

#endif
