/* SPDX-License-Identifier: BSD-3-Clause */
/** @file convert.h — numbers as other programs keep them in files (little-endian, at any address), as floats. */
#ifndef DCNN_MODEL_CONVERT_H
#define DCNN_MODEL_CONVERT_H

#include <stddef.h>
#include <stdint.h>

typedef enum dcnn_number_type {
    DCNN_NUMBER_F32,
    DCNN_NUMBER_F64,
    DCNN_NUMBER_F16,
    DCNN_NUMBER_BF16,
    DCNN_NUMBER_I32,
    DCNN_NUMBER_I64,
    DCNN_NUMBER_COUNT /**< none of these */
} dcnn_number_type;

/** Bytes of one. */
size_t dcnn_number_bytes(dcnn_number_type type);

/** values[i] = number i of `bytes`, rounded to float. *Local.* */
void dcnn_numbers_to_floats(dcnn_number_type type, size_t count, const uint8_t *bytes, float *values);

#endif
