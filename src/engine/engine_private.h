/* SPDX-License-Identifier: BSD-3-Clause */
/* engine_private.h — what engine.c (setting up), step.c and update.c share. */
#ifndef DCNN_ENGINE_PRIVATE_H
#define DCNN_ENGINE_PRIVATE_H

#include <stdatomic.h>

#include "comm/tree.h"
#include "engine/engine.h"

/* What one thread needs: the partial gradient sums of its contiguous grains, as a stack of vectors along the tree. */
typedef struct dcnn_worker {
    float **vectors;      /* [depth] each [param_count] */
    dcnn_op_times *times; /* [operations + 1] */
    dcnn_lap lap;
} dcnn_worker;

/* Weights that are made late (late.c); buckets go by the stage that completes them. */
typedef struct dcnn_late {
    bool can;                    /* may there be any? */
    int *readers;                /* [stages] of each bucket, the first stage that reads its weights */
    bool *prepares;              /* [stages] has operations that pack weights before it */
    bool *waits;                 /* [stages] the bucket's weights are still those of the step before */
    int left;                    /* of these */
    bool lags;                   /* the step in progress began with such */
    bool shares;                 /* each domain makes the weights of a part alone, as soon as that is summed */
    bool scattered;              /* and has the moments and the gradient of that part alone */
    int stage;                   /* for which weights are being made */
    double run_began_s, *runs_s; /* of the stage in progress; [stages] how long its operations took in the last step */
} dcnn_late;

struct dcnn_engine {
    dcnn_engine_options options;
    dcnn_comm *comm;
    const dcnn_kernels *kernels;
    dcnn_thread_pool *pool;
    dcnn_net *net;
    dcnn_plan *plan;
    dcnn_update update;
    dcnn_stopwatch watch;
    void *shared; /* the domain's: weights, moments, gradient, packed weights, and each rank's worker vectors */
    void *block;  /* this rank's: sums, samples, labels */
    float *m, *v;
    float *gradient;    /* [param_count] of the global batch, a sum */
    float *accumulated; /* [param_count] of the step's batches before this one; NULL if a step has one */
    float *average;     /* [param_count] or NULL */
    dcnn_worker *workers;
    dcnn_lap **laps;                       /* [workers] */
    double *sums;                          /* [slots + 1][sum_stride] of the stage in progress */
    int sum_stride, slots, threads, depth; /* depth: vectors of a worker */
    double *statistics;                    /* [loss_stage][sum_stride] of a pass for statistics */
    int64_t *samples;                      /* [slots][grain] of the batch in progress */
    int32_t *labels, *others;              /* likewise; others, shares and weights NULL without soft targets */
    float *shares_of_first, *weights;
    float *values; /* [slots][grain][output_count], with values for targets; then labels is NULL */
    /* the step in progress */
    const dcnn_step *step;
    int64_t first, batch; /* the batch's samples: first of the step, and their number */
    dcnn_shares shares;
    int stage, phase; /* phase: of an update (dcnn_update_phases()) */
    int batch_number; /* in the step, from 0 */
    bool batch_is_last;
    bool measures; /* a pass for statistics is in progress, not a step */
    dcnn_late late;
    atomic_int failed; /* a dcnn_status of a feed */
    char failure[1024];
};

/* The parts of a step after a batch's gradient: adds it to the step's; makes new weights (update.c), and says what
 * regularizers add to the loss. *Collective.* @return DCNN_OK, DCNN_DIVERGED */
void dcnn_engine_accumulate(dcnn_engine *engine);
dcnn_status dcnn_engine_update(dcnn_engine *engine, double *penalty);

/* A worker's part of this rank's slice of a bucket. A bucket is whole cache lines. */
dcnn_range dcnn_engine_part(const dcnn_engine *engine, int bucket, int worker);

/* Late weights: which stages read which; whether there may be any, by all ranks; at a batch's begin; before each of its
 * stages; and at the end of a step in place of dcnn_engine_update(). */
dcnn_status dcnn_engine_plan_late(dcnn_engine *engine);
void dcnn_engine_choose_late(dcnn_engine *engine); /* *Collective* */
void dcnn_engine_forget_late(dcnn_engine *engine);
void dcnn_engine_begin_late(dcnn_engine *engine);
void dcnn_engine_catch_up(dcnn_engine *engine, int stage);
void dcnn_engine_be_late(dcnn_engine *engine);

/* Before a bucket of a step that goes on sets out, or of one that does not; and once its loss is known to be good, or
 * the step has failed. Before an update of all weights: brings the domains' parts of the moments to all. */
void dcnn_engine_share_out(dcnn_engine *engine, bool late);
void dcnn_engine_release(dcnn_engine *engine, bool good);
void dcnn_engine_collect_moments(dcnn_engine *engine);

/* A stage's operations begin, and will end when, if they take as long as in the last step; they have ended. */
void dcnn_engine_expect(dcnn_engine *engine, int stage);
void dcnn_engine_expected(dcnn_engine *engine, int stage);

#endif
