/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file formats.h — products of matrices in other number formats than fp32, to be measured: dcnn_formats.
 *
 * Training does not use them. They say what it could gain from them, on the CPU at hand: each is a micro-kernel for the
 * products of transformed tiles (conv_pool_wide_simd.c) with the operands already in the format's own form.
 *
 * *Parts*: an operand may be written as a sum of 2 or 3 numbers of a short format, each what the others have left over.
 * Of their products those are made that matter: 3 of 4, or 6 of 9 (Henry, Tang & Heinecke, arXiv 1904.06376).
 */
#ifndef DCNN_FORMATS_H
#define DCNN_FORMATS_H

#include <stddef.h>
#include <stdint.h>

enum {
    DCNN_FORMAT_ROWS = 96,    /**< tiles: whole register tiles of 8, 12 and 32 rows */
    DCNN_FORMAT_COLUMNS = 64, /**< output channels are a multiple of it */
    DCNN_FORMAT_DEPTH = 32,   /**< input channels are a multiple of it */
    DCNN_FORMAT_BYTES = 8,    /**< at most, of an element of a packed operand */
    DCNN_FORMATS_MOST = 24,
};

/** A number format and how its products are summed. */
typedef struct dcnn_format {
    const char *name;
    double error; /**< of a product over up to 256 channels at most, rms over rms; operands are normal deviates */
    /** left [DCNN_FORMAT_ROWS,depth] and right [depth,columns] float, finite, into the format's form. */
    void (*pack)(size_t depth, size_t columns, const float *left, const float *right, void *packed_left,
                 void *packed_right);
    /** out [DCNN_FORMAT_ROWS,columns] float = left right. */
    void (*multiply)(size_t depth, size_t columns, const void *packed_left, const void *packed_right, float *out);
    /** Makes this thread ready for multiply(), and what it was before; NULL if there is nothing to do. */
    void (*begin)(void);
    void (*end)(void);
} dcnn_format;

/**
 * The formats that this CPU, its operating system and this build have; the first is fp32, the others follow. Asks the
 * system to let this process use AMX's tiles where there are any. *Local.*
 * @param formats  out, [DCNN_FORMATS_MOST]; live for ever
 * @return their number; 0 on a CPU without AVX-512, where no format is faster than another
 */
int dcnn_formats_find(const dcnn_format **formats);

#endif
