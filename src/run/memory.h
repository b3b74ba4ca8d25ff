/* SPDX-License-Identifier: BSD-3-Clause */
/** @file memory.h — refuses a training that memory cannot hold, before any of it is taken. */
#ifndef DCNN_RUN_MEMORY_H
#define DCNN_RUN_MEMORY_H

#include "engine/engine.h"
#include "guard/free_memory.h"

/** What a rank's training takes, by what it is for. */
typedef struct dcnn_need {
    uint64_t node;    /**< bytes of all ranks of this node */
    uint64_t process; /**< bytes of address space of this rank, its domain's memory and OpenBLAS's buffers included */
    uint64_t images;  /**< of `node`: activations of the images at work */
    uint64_t weights; /**< of `node`: weights, moments, gradients */
} dcnn_need;

/** Adds up an engine, the evaluator beside it, and rank 0's checkpoints. *Local.*
 * @param param_bytes  of the weights */
dcnn_need dcnn_need_of(const dcnn_comm *comm, const dcnn_engine_bytes *engine, size_t param_bytes);

/** Is there so much? *Local.*
 * @return DCNN_OK; DCNN_BAD_INPUT, with what is needed, what bounds it and what would help */
dcnn_status dcnn_need_check(const dcnn_need *need, dcnn_free_memory node, dcnn_free_memory process);

#endif
