/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file muon.h — the part of Keras' Muon that moves whole matrices (Jordan et al., Muon, 2024; the factor of the rate
 * by Liu et al., Muon is Scalable for LLM Training, 2025).
 *
 * Matrices are the kernels of Dense layers but the last one with weights, which Keras' documentation leaves to AdamW as
 * it does all that is not a matrix. With g the gradient of a matrix W [r, c], and X its direction, transposed if r > c:
 *       m = momentum m + g;  D = g + momentum m with nesterov, else m;  X = D / (|D| + 1e-7)
 *       five times: A = X X^T;  X = 3.4445 X + (-4.7750 A + 2.0315 A A) X
 *       W -= learning_rate 0.2 sqrt(max(r, c)) X
 *
 * A product's row depends on nothing but that row and the right operand, so rows are shared out as one likes (law 2). A
 * step is a number of phases, each complete, and seen by all, before the next one begins.
 */
#ifndef DCNN_NN_MUON_H
#define DCNN_NN_MUON_H

#include "base/arena.h"
#include "kernels/kernels.h"
#include "nn/net.h"

/** A matrix, its direction X [rows, columns] with rows <= columns, and what the products need. */
typedef struct dcnn_muon_matrix {
    dcnn_range place; /**< in net->params */
    int rows, columns;
    bool transposed;        /**< X is the transpose of how the weights lie */
    float *x, *next;        /**< [rows][columns] */
    float *squares, *mixed; /**< [rows][rows]: A; b A + c A A */
    float *packed, *packed_squares;
    double *norms; /**< [rows] squares of the direction's rows */
} dcnn_muon_matrix;

typedef struct dcnn_muon {
    const dcnn_kernels *kernels;
    int count;
    dcnn_muon_matrix *matrices;
} dcnn_muon;

/** Is this weight of a net moved by Muon itself? *Local.* */
bool dcnn_muon_takes(const dcnn_net *net, const dcnn_param *param);

/** The layer whose kernel is a matrix that Muon leaves to AdamW, or NULL. *Local.* */
const dcnn_node *dcnn_muon_head(const dcnn_net *net);

/** Lists a net's matrices. Free with dcnn_muon_free(). *Local.* @return DCNN_OK, DCNN_FAILURE (memory) */
dcnn_status dcnn_muon_create(const dcnn_net *net, const dcnn_kernels *kernels, dcnn_muon *muon);
void dcnn_muon_free(dcnn_muon *muon);

/** Takes their memory from an arena, which may only measure. *Local.* */
void dcnn_muon_place(dcnn_muon *muon, dcnn_arena *arena);

/** A step's directions, and what makes them of gradients. */
typedef struct dcnn_muon_step {
    const float *gradient; /**< [param_count] */
    float *m;              /**< [param_count] moved */
    double gradient_scale, momentum;
    bool nesterov;
} dcnn_muon_step;

/** Phases of a step. *Local.* */
int dcnn_muon_phases(void);

/** Part `part` of `parts` of a phase. *Local.* */
void dcnn_muon_run(const dcnn_muon *muon, const dcnn_muon_step *step, int phase, int part, int parts);

/** Moves weights [range] of a matrix by its direction, once all phases are through. *Local.*
 * @param range   of net->params, within one matrix
 * @param params  net->params */
void dcnn_muon_apply(const dcnn_muon *muon, double rate, dcnn_range range, float *params);

#endif
