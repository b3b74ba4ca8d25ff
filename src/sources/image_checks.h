/* SPDX-License-Identifier: BSD-3-Clause */
/** @file image_checks.h — images that are there more than once, and images of nothing. */
#ifndef DCNN_SOURCES_IMAGE_CHECKS_H
#define DCNN_SOURCES_IMAGE_CHECKS_H

#include "io/dataset/dataset.h"
#include "sources/source.h"

/** What is noted of each image as it passes. All zero at first. */
typedef struct dcnn_image_checks {
    int64_t count, room;
    struct dcnn_print {
        uint64_t hash;
        int64_t row;
    } * prints;              /**< [count] */
    int64_t constant, blank; /**< of one colour; nearly so */
} dcnn_image_checks;

/** Notes images [count,h,w,c], the rows behind those before. *Local.* */
dcnn_status dcnn_image_checks_note(dcnn_image_checks *checks, int64_t count, int h, int w, int c,
                                   const uint8_t *pixels);

/** One checksum of all images in their order. */
uint64_t dcnn_image_checks_checksum(const dcnn_image_checks *checks);

/** Tells what was found: how many are there twice, in another split, under another label. Sorts the prints. *Local.* */
dcnn_status dcnn_image_checks_tell(dcnn_image_checks *checks, const int32_t *labels, int split_count,
                                   const dcnn_split *splits, const dcnn_source_options *options);

void dcnn_image_checks_free(dcnn_image_checks *checks);

#endif
