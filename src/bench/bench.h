/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file bench.h — where the time of training goes on this machine, measured on the trainer itself.
 */
#ifndef DCNN_BENCH_H
#define DCNN_BENCH_H

#include "nn/net.h"
#include "comm/comm.h"
#include "engine/stopwatch.h"
#include "run/data/augment.h"

/** What to measure. */
typedef struct dcnn_bench_options {
    const char *data;      /**< a data set; NULL: the embedded digits if they fit the model, else random images */
    const char *model;     /**< as in dcnn_train_options */
    const char *precision; /**< likewise */
    int batch_size, grain, threads;
    bool augment, fuse, recompute, plain_sums;
    dcnn_augment ranges; /**< of the augmentation */
    double seconds;      /**< about how long to measure */
} dcnn_bench_options;

/** What an operation is measured by. */
typedef enum dcnn_bench_like {
    DCNN_LIKE_NONE,
    DCNN_LIKE_3X3, /**< 3x3 convolutions of 16 channels or more, which do with fewer products than they are defined by:
                        the fastest of them in this net, and a core's peak at least */
    DCNN_LIKE_PRODUCTS, /**< other convolutions of 16 channels or more, and dense layers: a core's peak */
    DCNN_LIKE_PASS,     /**< what reads and writes: the rate of memory */
} dcnn_bench_like;

/** One operation of the net: medians, for one image on one core. */
typedef struct dcnn_bench_op {
    char name[2 * DCNN_NAME_BYTES + 4]; /**< of its layer, or of the two that are one operation */
    double forward_s, backward_s;
    double forward_flop, backward_flop;   /**< as the layer is defined: a kernel may do with fewer */
    double forward_bytes, backward_bytes; /**< of images read and written */
    int forward_stage, backward_stage;    /**< of a step; a synchronised one's sums are made in the stage before */
    bool synchronised;
    dcnn_bench_like like;
    bool forward_slow, backward_slow; /**< below half of what its like reaches, and a hundredth of a step or more */
    bool tiles;                       /**< a convolution of several input channels: mostly products of matrices */
} dcnn_bench_op;

/** What a stage of a step brings to all ranks. */
typedef struct dcnn_bench_stage {
    int sums;        /**< doubles, of the whole batch */
    size_t gradient; /**< floats that are on their way after it */
} dcnn_bench_stage;

/** What was measured. The machine's limits are the best of some runs, times of training medians of steps; phases and
 * operations those of rank 0, the mean over its threads. */
typedef struct dcnn_bench_result {
    char data[512];            /**< what it was measured on */
    int ranks, nodes, threads; /**< threads of each rank */
    const char *isa, *precision;
    double peak_flop_per_s;       /**< of a core, all cores of the job busy: multiply-adds in registers count 2 */
    double memory_bytes_per_s;    /**< likewise; sum = a + b over long vectors, 12 bytes each */
    double start_s, first_step_s; /**< process start to first step; that step */
    int64_t steps;                /**< measured */
    double step_s, images;        /**< of one step of so many images */
    double train_images_per_s, infer_images_per_s;   /**< of the median step, and of the median evaluation */
    double train_overall_per_s, infer_overall_per_s; /**< images over all the time, disturbances included */
    double phases_s[DCNN_PHASE_COUNT];               /**< of a step */
    double load_s[2];                                /**< of a step without and with augmentation */
    int op_count;                                    /**< the last is the loss */
    dcnn_bench_op *ops;
    int stage_count;
    dcnn_bench_stage *stages;
} dcnn_bench_result;

/**
 * Measures the machine, then training and inference. *Collective*; each rank gets its own result.
 * @param result  out; free with dcnn_bench_free(), after a failure too
 * @return DCNN_OK; as dcnn_train() otherwise
 */
dcnn_status dcnn_bench(dcnn_comm *comm, const dcnn_bench_options *options, dcnn_bench_result *result);

void dcnn_bench_free(dcnn_bench_result *result);

#endif
