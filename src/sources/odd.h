/* SPDX-License-Identifier: BSD-3-Clause */
/** @file odd.h — images that are there more than once, and images of nothing. */
#ifndef DCNN_SOURCES_ODD_H
#define DCNN_SOURCES_ODD_H

#include "io/dataset/dataset.h"
#include "sources/source.h"

/** What is noted of each image as it passes. All zero at first. */
typedef struct dcnn_oddities {
    int64_t count, room;
    struct dcnn_print {
        uint64_t hash;
        int64_t row;
    } * prints;              /**< [count] */
    int64_t constant, blank; /**< of one colour; nearly so */
} dcnn_oddities;

/** Notes images [count,h,w,c], the rows behind those before. *Local.* */
dcnn_status dcnn_oddities_note(dcnn_oddities *odd, int64_t count, int h, int w, int c, const uint8_t *pixels);

/** One checksum of all images in their order. */
uint64_t dcnn_oddities_checksum(const dcnn_oddities *odd);

/** Tells what was found: how many are there twice, in another split, under another label. Sorts the prints. *Local.* */
dcnn_status dcnn_oddities_tell(dcnn_oddities *odd, const int32_t *labels, int split_count, const dcnn_split *splits,
                               const dcnn_source_options *options);

void dcnn_oddities_free(dcnn_oddities *odd);

#endif
