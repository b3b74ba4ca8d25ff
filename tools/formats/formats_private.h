/* SPDX-License-Identifier: BSD-3-Clause */
/** @file formats_private.h — families of number formats, a file each, compiled for what it needs. */
#ifndef DCNN_FORMATS_PRIVATE_H
#define DCNN_FORMATS_PRIVATE_H

#include <string.h>

#include "formats/formats.h"

/** The formats of a family, NULL if the compiler cannot make them; `count` is their number. Call one only on a CPU that
 * has its instructions. */
typedef const dcnn_format *dcnn_format_family(int *count);
dcnn_format_family dcnn_formats_fp32, dcnn_formats_fp16, dcnn_formats_bf16, dcnn_formats_amx, dcnn_formats_amx_fp16;

/** How a 16-bit format rounds, to the nearest even, and what its bits mean. */
typedef struct dcnn_format_rounding {
    uint16_t (*round)(float value);
    float (*widen)(uint16_t bits);
} dcnn_format_rounding;

/** Left as [part][row][depth], right as [part][columns / 16][depth / 2][16][2]: for products of pairs. */
void dcnn_format_pack_pairs(const dcnn_format_rounding *rounding, size_t parts, size_t depth, size_t columns,
                            const float *left, const float *right, uint16_t *packed_left, uint16_t *packed_right);

/** bf16: the upper half of a float. */
extern const dcnn_format_rounding dcnn_format_bf16;

/** Products of parts that matter, the first for one part, 3 for two, 6 for three: left part, right part. The larger
 * come first; they are to be added last. */
static const unsigned char dcnn_format_terms[6][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}, {0, 2}, {2, 0}};

static inline size_t dcnn_format_term_count(size_t parts) {
    return parts * (parts + 1) / 2;
}

#endif
