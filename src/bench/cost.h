/* SPDX-License-Identifier: BSD-3-Clause */
/** @file cost.h — what training a net costs: multiply-adds, memory, and time on this machine by one grain of it. */
#ifndef DCNN_BENCH_COST_H
#define DCNN_BENCH_COST_H

#include "nn/net.h"

typedef struct dcnn_cost_options {
    int64_t batch;
    int grain, threads; /**< threads: 0: this process' cores */
    bool fuse, recompute;
    int first;     /**< node whose output is kept, so that a step begins behind it (dcnn_net_frozen_end()); 0: none */
    bool measured; /**< run it, for the time */
} dcnn_cost_options;

typedef struct dcnn_cost {
    int64_t forward, backward; /**< multiply-adds of an image */
    int layers, trained;       /**< with weights */
    int first_trained;         /**< node; 0: none */
    int ops, backward_ops;     /**< operations of a step, and those with gradients */
    uint64_t activations;      /**< bytes of a batch on one rank */
    uint64_t weights;          /**< ... of weights, gradient and two moments */
    int threads;
    double image_s; /**< an image's share of a step's forward and backward pass on one core; 0: not measured */
} dcnn_cost;

/**
 * Costs of a step, of images that are there as floats: without reading and augmenting them, and without the optimizer.
 * *Local.*
 * @return DCNN_OK; DCNN_FAILURE (memory)
 */
dcnn_status dcnn_cost_of(dcnn_net *net, const dcnn_cost_options *options, dcnn_cost *cost);

#endif
