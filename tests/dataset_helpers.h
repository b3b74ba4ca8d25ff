/* SPDX-License-Identifier: BSD-3-Clause */
/* dataset_helpers.h — a whole data set at once, as only tests want it. */
#ifndef DCNN_TESTS_DATASET_HELPERS_H
#define DCNN_TESTS_DATASET_HELPERS_H

#include "io/dataset/dataset.h"
#include "io/dataset/pixels.h"

/* Reads all pixels [count,h,w,c] and labels [count]; checksums are checked. */
static inline dcnn_status read_dataset(const dcnn_dataset *set, uint8_t *pixels, int32_t *labels) {
    dcnn_pixels *reader;
    DCNN_TRY(dcnn_pixels_open(set, 0, &reader));
    dcnn_status status = dcnn_pixels_read(reader, 0, set->count, pixels);
    dcnn_pixels_close(reader);
    return status == DCNN_OK ? dcnn_dataset_read_labels(set, labels) : status;
}

#endif
