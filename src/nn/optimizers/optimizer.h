/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file optimizer.h — the table of optimizers, and one step of the flat parameter vector.
 *
 * With g the gradient of the step's mean loss, w a weight tensor, t the step (1 for the first), |x| the Euclidean norm:
 *
 * - adam: Keras' Adam (Kingma and Ba, Adam, 2015; epsilon outside the root, by Keras' formulation).
 *       m += (1 - beta1) (g - m);  v += (1 - beta2) (g^2 - v)
 *       w -= learning_rate sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon)
 * - adamw: the same with a weight decay of 0.004 unless another is given.
 * - nadam: Keras' Nadam (Dozat, 2016), with u_t = beta1 (1 - 0.96^t / 2) and U_t the product of u_1 to u_t:
 *       m, v as adam;  w -= learning_rate (u_{t+1} m / (1 - U_{t+1}) + (1 - u_t) g / (1 - U_t))
 *                           / (sqrt(v / (1 - beta2^t)) + epsilon)
 * - sgd: Keras' SGD with momentum.
 *       m = momentum m - learning_rate g;  w += m, or with nesterov w += momentum m - learning_rate g
 * - rmsprop: Keras' RMSprop (Hinton, 2012), beta2 being its rho; the squares lie in m, the momentum in v.
 *       m = beta2 m + (1 - beta2) g^2;  v = momentum v + learning_rate g / sqrt(m + epsilon);  w -= v
 * - lion: Chen et al., Symbolic Discovery of Optimization Algorithms, 2023.
 *       w -= learning_rate sign(beta1 m + (1 - beta1) g);  m = beta2 m + (1 - beta2) g
 * - muon: Keras' Muon: matrices by muon.h, all else by Adam with the same weight decay.
 * - lars: You, Gitman and Ginsburg, Large Batch Training of Convolutional Networks, 2017.
 *       ratio = trust_coefficient |w| / (|g| + weight_decay |w|)
 *       m = momentum m - learning_rate ratio (g + weight_decay w);  w += m
 * - lamb: You et al., Large Batch Optimization for Deep Learning: Training BERT in 76 minutes, 2020 (their phi is the
 *   identity). Keras' Lamb differs in that all its weights have a ratio, and weight decay is decoupled.
 *       m, v as Adam;  u = m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon) + weight_decay w
 *       w -= learning_rate |w| / |u| u
 *
 * Biases and BatchNormalization's gamma and beta have neither weight decay (unless dcnn_net_set_decay() gives it) nor a
 * trust ratio, as in the authors' own programs; a ratio with a norm of 0 counts as 1. The weight decay of adam and sgd
 * is decoupled, as Keras has it (Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019): first w -=
 * learning_rate weight_decay w.
 *
 * Law 2: everything is done element by element, but for the norms. Those are sums over chunks of a tensor at fixed
 * places, each in double, added in the chunks' order by everyone who needs them: whoever computes a chunk, its bits are
 * the same.
 */
#ifndef DCNN_NN_OPTIMIZER_H
#define DCNN_NN_OPTIMIZER_H

#include "kernels/kernels.h"
#include "nn/optimizers/muon.h"
#include "nn/net.h"

#define DCNN_CLIPS "clip-norm clip-value "

/* One row an optimizer, all there is to know of it: X(ID, name, Keras' class (NULL: Keras' readers know none); defaults
 * of learning rate, beta 2, momentum and weight decay; the options that it reads besides learning rate and weight
 * decay; vectors that it keeps of each weight without momentum, and with it; its functions: constants, direction, new
 * weights of a range, new weights of a tensor by its norms). */
/* clang-format off */
#define DCNN_OPTIMIZERS(X)                                                                                             \
    X(ADAM, "adam", "Adam", 1e-3, 0.999, 0.9, 0.0, " beta-1 beta-2 epsilon " DCNN_CLIPS, 2, 2,                         \
      NULL, NULL, apply_adam, NULL)                                                                                    \
    X(SGD, "sgd", "SGD", 1e-2, 0.999, 0.9, 0.0, " momentum nesterov " DCNN_CLIPS, 0, 1,                                \
      NULL, NULL, apply_sgd, NULL)                                                                                     \
    X(LARS, "lars", NULL, 1.0, 0.999, 0.9, 0.0, " momentum trust-coefficient " DCNN_CLIPS, 1, 1,                       \
      NULL, NULL, NULL, lars_weight)                                                                                   \
    X(LAMB, "lamb", NULL, 1e-3, 0.999, 0.9, 0.0, " beta-1 beta-2 epsilon " /* no norm yet */, 2, 2,                    \
      lamb_constants, lamb_direction, NULL, lamb_weight)                                                               \
    X(ADAMW, "adamw", "AdamW", 1e-3, 0.999, 0.9, 0.004, " beta-1 beta-2 epsilon " DCNN_CLIPS, 2, 2,                    \
      NULL, NULL, apply_adam, NULL)                                                                                    \
    X(NADAM, "nadam", "Nadam", 1e-3, 0.999, 0.9, 0.0, " beta-1 beta-2 epsilon " DCNN_CLIPS, 2, 2,                      \
      nadam_constants, NULL, apply_nadam, NULL)                                                                        \
    X(RMSPROP, "rmsprop", "RMSprop", 1e-3, 0.9, 0.0, 0.0, " beta-2 momentum epsilon " DCNN_CLIPS, 1, 2,                \
      NULL, NULL, apply_rmsprop, NULL)                                                                                 \
    X(LION, "lion", "Lion", 1e-3, 0.99, 0.9, 0.0, " beta-1 beta-2 " DCNN_CLIPS, 1, 1,                                  \
      NULL, NULL, apply_lion, NULL)                                                                                    \
    X(MUON, "muon", "Muon", 1e-3, 0.999, 0.95, 0.004, " momentum nesterov beta-1 beta-2 epsilon " DCNN_CLIPS, 2, 2,    \
      NULL, NULL, apply_adam, NULL)
/* clang-format on */

#define DCNN_OPTIMIZER_ID(id, ...) DCNN_##id,
typedef enum dcnn_optimizer_kind { DCNN_OPTIMIZERS(DCNN_OPTIMIZER_ID) DCNN_OPTIMIZER_COUNT } dcnn_optimizer_kind;
#undef DCNN_OPTIMIZER_ID

struct dcnn_optimizer;
struct dcnn_update;
struct dcnn_weight;

/** A row of the table, in the list's order. */
typedef struct dcnn_optimizer_row {
    const char *name, *keras_class;
    double learning_rate, beta2, momentum, weight_decay;
    const char *options; /**< " momentum … " */
    int moments, moments_with_momentum;
    /** What a step's constants are besides Adam's. */
    void (*constants)(struct dcnn_update *update, const struct dcnn_optimizer *now, int64_t step, int64_t samples);
    /** What a range's weights would move by, in place of the gradient. */
    void (*direction)(const struct dcnn_update *update, dcnn_range range);
    void (*apply)(const struct dcnn_update *update, dcnn_range range);
    /** Instead of `apply`, of those that need norms: part of one tensor, by `rate`. */
    void (*apply_weight)(const struct dcnn_update *update, const struct dcnn_weight *weight, dcnn_range part,
                         double rate);
} dcnn_optimizer_row;
extern const dcnn_optimizer_row dcnn_optimizer_table[DCNN_OPTIMIZER_COUNT];

/** Settings; those of other kinds are not read. Zeroed: Adam. */
typedef struct dcnn_optimizer {
    dcnn_optimizer_kind kind;
    double learning_rate;
    double beta1, beta2, epsilon; /**< adam and its kin */
    double momentum;              /**< sgd, lars, rmsprop, muon */
    double weight_decay;
    double trust_coefficient; /**< lars */
    bool nesterov;            /**< sgd, muon */
    double clip_norm;         /**< the gradient of all weights together is shortened to this norm; 0: not */
    double clip_value;        /**< each gradient is kept within this, either way; 0: not */
    int64_t ema_overwrite;    /**< every so many steps they take the weights' place (Keras' ema_overwrite_frequency) */
    double ema_momentum;      /**< of the averaged weights that are kept beside (Keras' use_ema); 0: none are */
} dcnn_optimizer;

/** Vectors that it keeps of each weight: none, m, or m and v. *Local.* */
int dcnn_optimizer_moments(const dcnn_optimizer *optimizer);

/**
 * The constants of Adam's step `step` (1 for the first): alpha = learning_rate sqrt(1 - beta2^t) / (1 - beta1^t).
 * *Local.*
 * @param samples  of the step; gradients are sums and are divided by it once (law 1)
 */
dcnn_adam_step dcnn_adam_at(const dcnn_optimizer *optimizer, int64_t step, int64_t samples);

/** Nadam's u_1 u_2 … of so many steps, and of them the last u, if it is asked for. *Local.* */
double dcnn_nadam_product(const dcnn_optimizer *optimizer, int64_t steps, double *last);

/** A weight tensor as the optimizer sees it. */
typedef struct dcnn_weight {
    dcnn_range place;        /**< in net->params */
    const dcnn_param *param; /**< the net's, with its regularizer and constraint */
    bool adapts;             /**< has a trust ratio: is neither a bias nor gamma nor beta */
    bool decays;             /**< has weight decay: such ones unless its net says otherwise (dcnn_net_set_decay()) */
    bool regularized;
    bool matrix;                 /**< Muon moves it as one */
    double rate;                 /**< its learning rate is the step's times this */
    int64_t first_chunk, chunks; /**< of its norms; 0 chunks if nothing measures it */
} dcnn_weight;

/** One optimizer step: vectors laid out as net->params, and its constants. Made by dcnn_update_create(). */
typedef struct dcnn_update {
    const dcnn_kernels *kernels;
    const dcnn_optimizer *optimizer;
    int weight_count;
    dcnn_weight *weights;                    /**< by place */
    bool regularizes, constrains, has_rates; /**< does any weight have such */
    int64_t chunk_count;
    double (*norms)[3]; /**< [chunk_count] sums of squares: of the weights, of what they would move by; penalty of the
                             weights, if regularized; the caller's */
    float *gradient;    /**< the sum over the step's samples; regularizers are added, LAMB writes its direction over it;
                             the caller's */
    float *m, *v, *params; /**< the caller's; v is not touched by sgd and lars */
    dcnn_muon muon;        /**< of muon alone; its memory is the caller's: dcnn_muon_place() */
    double rate;           /**< the rest: of the step in progress */
    dcnn_adam_step adam;
    float gradient_scale;
    double second_scale; /**< 1 / (1 - beta2^t) */
    double nadam[4];     /**< u_t, u_{t+1}, U_t, U_{t+1} */
} dcnn_update;

/** Lists a net's tensors and chunks; the vectors are the caller's to set. The optimizer and kernels are borrowed. Free
 * with dcnn_update_free(). *Local.* @return DCNN_OK, DCNN_FAILURE (memory) */
dcnn_status dcnn_update_create(const dcnn_net *net, const dcnn_kernels *kernels, const dcnn_optimizer *optimizer,
                               dcnn_update *update);
void dcnn_update_free(dcnn_update *update);

/** Does a step need norms (lars, lamb), its gradient clipped, or a regularizer's added? Else only the last of the three
 * functions below has to be called. */
bool dcnn_update_wants_norms(const dcnn_update *update);

/** Sets the step's constants. *Local.* @param rate  learning rate; @param step  1 for the first; @param samples  of it
 */
void dcnn_update_begin(dcnn_update *update, double rate, int64_t step, int64_t samples);

/**
 * The step's three parts, each to be shared out as the caller likes; a part must be complete, and seen by all, before
 * the next begins. Directions of a range of params; norms of some chunks; new weights of a range. Ranges begin on cache
 * lines. *Local.*
 */
void dcnn_update_directions(const dcnn_update *update, dcnn_range range);
void dcnn_update_measure(const dcnn_update *update, int64_t first_chunk, int64_t chunk_count);
void dcnn_update_apply(const dcnn_update *update, dcnn_range range);

/** Before the last part, where there are any: so many phases, each of which must be complete, and seen by all, before
 * the next begins; part `part` of `parts` of one. *Local.* */
int dcnn_update_phases(const dcnn_update *update);
void dcnn_update_phase(const dcnn_update *update, int phase, int part, int parts);

/** What regularizers add to the step's loss, from the weights before it; once all chunks are measured. *Local.* */
double dcnn_update_penalty(const dcnn_update *update);

/** The last part, where update->constrains: constraints of part `part` of `parts`, once all ranges are applied.
 * *Local.* */
void dcnn_update_constrain(const dcnn_update *update, int part, int parts);

#endif
