/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file bench_formats.h — what other number formats than fp32 could gain, and what they cost in accuracy.
 *
 * Their speed is that of products alone, operands packed and in L1 and L2; their errors are those of whole
 * convolutions 3x3 by several kinds of tiles, against double. A tile with more outputs needs fewer products and has a
 * larger error: the question is how fast a format is at the accuracy that training has now.
 */
#ifndef DCNN_FORMATS_BENCH_FORMATS_H
#define DCNN_FORMATS_BENCH_FORMATS_H

#include "bench/bench.h"

enum { DCNN_BENCH_DEPTHS = 2, DCNN_BENCH_TILINGS = 4, DCNN_BENCH_FORMATS = 24 };

/** Input channels of the products: the recipe's second and third layer, with twice as many output channels. */
extern const int dcnn_bench_depths[DCNN_BENCH_DEPTHS];

/** Tiles of a convolution 3x3: direct, and Winograd's, each output tile m x m of F(m x m,3x3). */
typedef struct dcnn_bench_tiling {
    const char *name;
    int outputs;  /**< along a tile */
    int products; /**< a pair of channels, for a field of 10x10 outputs */
} dcnn_bench_tiling;

extern const dcnn_bench_tiling dcnn_bench_tilings[DCNN_BENCH_TILINGS];

typedef struct dcnn_bench_format {
    const char *name;
    double flop_per_s[DCNN_BENCH_DEPTHS];  /**< of a core; the products of an operand's parts count once */
    double error[DCNN_BENCH_DEPTHS];       /**< of a product, rms over rms */
    double tile_error[DCNN_BENCH_TILINGS]; /**< of a convolution over 64 channels, rms over rms */
    int tiling;                            /**< with fewest products of those that are accurate enough; -1: none is */
    double gain;                           /**< speed of the products with it, fp32's F(5x5,3x3) being 1; 0: none */
} dcnn_bench_format;

typedef struct dcnn_bench_formats_result {
    int count; /**< 0: this CPU has no other formats */
    dcnn_bench_format formats[DCNN_BENCH_FORMATS];
    double error_allowed; /**< twice that of fp32's F(5x5,3x3) */
    double step_s;        /**< of a training step of the recipe on one thread */
    double
        forward_share; /**< of the step: the convolutions that are products of transformed tiles, all of their time */
    double both_share; /**< likewise with their backward operations */
} dcnn_bench_formats_result;

/**
 * Measures for about so many seconds, one thread a rank, all ranks at once. *Collective*; each rank gets its own
 * result.
 * @return DCNN_OK; as dcnn_bench() otherwise
 */
dcnn_status dcnn_bench_formats(dcnn_comm *comm, const dcnn_bench_options *options, dcnn_bench_formats_result *result);

/** How many times as fast a step is at most if `share` of it is `gain` times as fast (Amdahl). */
double dcnn_bench_step_gain(double share, double gain);

#endif
