/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file layer.h — the table of layers, and the operations they run as.
 *
 * A *layer* is what a model file says (parse, shapes, parameters, description). An *operation* is what a plan executes
 * on one grain; most layers have one, some pairs share a fused one (layers/conv2d.c), some need none (Flatten, Dropout
 * at inference). Adding a layer: one file in layers/, one row in layer.c, one case in test_layers.c.
 */
#ifndef DCNN_NN_LAYER_H
#define DCNN_NN_LAYER_H

#include "kernels/kernels.h"
#include "nn/activation.h"
#include "nn/net.h"

typedef struct dcnn_op dcnn_op;
typedef struct dcnn_pass dcnn_pass;

/** What runs on one grain. Every function sees only its pass (law 7) and allocates nothing (law 8). */
typedef struct dcnn_op_kind {
    const char *name;
    bool backward_reads_x, backward_reads_y; /**< tensors that must live until the backward pass */
    /** Can it read an input, and write an output, of bf16 numbers? NULL: it can't. */
    bool (*may_be_half)(const dcnn_op *op);
    /** Fills op->saved_bytes, scratch_floats, packed_floats, shared_floats for grains of `grain` samples. */
    void (*measure)(dcnn_op *op, const dcnn_kernels *kernels, int grain);
    /** Once a step, before the first stage: part `part` of `parts` of op->packed (all its ranks' workers pack one copy)
     * or, for operations that pack nothing, of op->shared. May be NULL. */
    void (*prepare)(const dcnn_op *op, const dcnn_kernels *kernels, const dcnn_net *net, int part, int parts);
    void (*forward)(const dcnn_pass *pass);
    void (*backward)(const dcnn_pass *pass);
    /* Synchronised operations only: sums over a grain (2 a channel), and what is made of the agreed totals, once. */
    void (*forward_sums)(const dcnn_pass *pass);
    void (*forward_agreed)(const dcnn_op *op, dcnn_net *net, const double *totals, int64_t samples);
    /* Likewise, of the totals of all training samples: what inference uses from now on. */
    void (*forward_settled)(const dcnn_op *op, dcnn_net *net, const double *totals, int64_t samples);
    void (*backward_sums)(const dcnn_pass *pass);
    void (*backward_agreed)(const dcnn_op *op, const dcnn_net *net, const double *totals, int64_t samples);
} dcnn_op_kind;

/** A planned operation: a kind, its node(s), and its memory needs. */
struct dcnn_op {
    const dcnn_op_kind *kind;
    const dcnn_node *node;       /**< the layer; for a fused operation, its last layer */
    const dcnn_kernels *kernels; /**< in the node's precision */
    const dcnn_node *head;       /**< the first layer of a fused operation, else == node */
    const dcnn_node *conv; /**< a convolution that is fused with the BatchNormalization behind it, `head`; or NULL */
    const dcnn_node *norm; /**< a BatchNormalization that is in the convolution's weights, at inference; or NULL */
    dcnn_activation activation; /**< of the node; linear if the loss takes the softmax over */
    bool training;              /**< with gradients; a frozen BatchNormalization is as at inference all the same */
    bool free_bits;        /**< at inference, and nothing of it may be kept (plan->frozen_end): its last bits may be
                                others than in training */
    const dcnn_op *affine; /**< BatchNormalization folded into this operation's reading of its input, or NULL */
    dcnn_shape in;         /**< of input 0 */
    bool x_half, y_half;   /**< input 0 and its gradient, output and its gradient are bf16 numbers */
    dcnn_shape in_of[DCNN_MAX_INPUTS];                /**< of each */
    int input_count, inputs[DCNN_MAX_INPUTS], output; /**< tensors of the plan */
    size_t saved_bytes;                               /**< a grain's memory between forward and backward */
    size_t scratch_floats;                            /**< a worker's memory during one call */
    size_t packed_floats;                             /**< packed weights: one copy for all ranks that share memory */
    float *packed;
    size_t shared_floats; /**< a rank's memory common to all grains: what was agreed over the batch */
    float *shared;
    size_t saved_offset; /**< in a slot; the plan's own */
    int sum_count;       /**< doubles that a synchronised operation sums over the batch, twice */
};

/** All that an operation sees of one grain. */
struct dcnn_pass {
    const dcnn_op *op;
    const dcnn_kernels *kernels;
    const dcnn_net *net;
    int n;                           /**< samples in the grain */
    const float *x[DCNN_MAX_INPUTS]; /**< inputs [n, ...] */
    float *y;                        /**< output [n, ...] */
    const float *dy;                 /**< gradient of the output */
    float *dx[DCNN_MAX_INPUTS];      /**< gradients of the inputs, to be written; NULL where not wanted */
    float *dparams;                  /**< the grain's gradient vector, laid out as net->params; to be written */
    void *saved;
    float *scratch;
    double *sums;  /**< the grain's sums of a synchronised operation */
    uint64_t seed; /**< for dropout, with epoch and the sample numbers (law 3) */
    uint32_t epoch;
    const int64_t *samples; /**< [n] */
};

/** A kind of layer: a row of the table. */
struct dcnn_layer {
    const char *class_name; /**< Keras' class name */
    const char *module;     /**< where Keras finds the class; NULL: keras.layers */
    size_t config_bytes;
    /** Reads the Keras `config` object into node->config; unknown keys that change the result are refused. */
    dcnn_status (*parse)(dcnn_node *node, const json_t *config);
    /** Sets node->shape and node->params from the shapes of its node->input_count inputs. */
    dcnn_status (*build)(dcnn_node *node, const dcnn_shape *inputs);
    /** Adds the layer's own keys to a Keras `config` object. */
    void (*describe)(const dcnn_node *node, json_t *config);
    const dcnn_op_kind *op;                 /**< NULL: the output is the input (InputLayer, Identity) */
    bool (*is_view)(const dcnn_node *node); /**< of which nodes the output is the input; NULL: none */
    bool unsaid;         /**< Keras writes training=False for calls where nobody said so (the default of its Dropout) */
    bool only_training;  /**< no operation at inference (Dropout) */
    bool draws;          /**< at random in training, and another operation at inference (RandomCrop) */
    const char *instead; /**< it is known at inference alone, and these options of dcnn train are what comes nearest */
    bool synchronised;   /**< needs sums over the batch (BatchNormalization) */
    bool scales_input;   /**< in front of a net, it takes bytes */
    bool merges;         /**< takes two inputs or more; else it takes one */
    dcnn_activation (*activation)(const dcnn_node *node); /**< NULL: linear */
};

/** The row of that Keras class name, or NULL. *Local.* */
const dcnn_layer *dcnn_layer_find(const char *class_name);

/** All layer kinds, dcnn_layer_<name> each, in the order of the table. */
/* clang-format off */
#define DCNN_LAYERS(X)                                                                                                 \
    X(input) X(conv2d) X(max_pooling2d) X(average_pooling2d) X(global_average_pooling2d)                               \
    X(batch_normalization) X(dense) X(flatten) X(dropout) X(activation) X(relu) X(softmax) X(add) X(subtract)          \
    X(multiply) X(average) X(maximum) X(minimum) X(concatenate) X(rescaling) X(normalization)                          \
    X(zero_padding2d) X(cropping2d) X(upsampling2d) X(leaky_relu) X(elu) X(prelu) X(layer_normalization)               \
    X(group_normalization) X(depthwise_conv2d) X(separable_conv2d) X(conv2d_transpose) X(spatial_dropout2d)            \
    X(gaussian_noise) X(gaussian_dropout) X(global_max_pooling2d) X(reshape) X(permute) X(resizing)                    \
    X(random_flip) X(random_rotation) X(random_zoom) X(random_translation) X(random_contrast)                          \
    X(random_brightness) X(random_crop) X(stochastic_depth) X(layer_scale) X(custom_scale) X(identity)
/* clang-format on */
#define DCNN_LAYER_ROW(name) extern const dcnn_layer dcnn_layer_##name;
DCNN_LAYERS(DCNN_LAYER_ROW)
#undef DCNN_LAYER_ROW
/** What a Softmax becomes when it is built over other axes than the channels. */
extern const dcnn_layer dcnn_layer_softmax_axes;

/** The table of them. */
extern const dcnn_layer *const dcnn_layer_table[];
extern const int dcnn_layer_table_count;

/** Keras' layers that dcnn knows at inference alone, where they do nothing. */
extern const dcnn_layer dcnn_layer_others[];
extern const int dcnn_layer_other_count;

/** Adds a weight tensor to a node; if it is not a moving statistic and the node is trainable, it is to be trained. */
dcnn_param *dcnn_node_add_param(dcnn_node *node, const char *name, bool statistic, int rank, const int *dims,
                                dcnn_initializer initializer);

/** A parameter's values for a pass, and where its gradient goes; NULL if the node has no such parameter, or it stays as
 * it is. */
const float *dcnn_pass_param(const dcnn_pass *pass, const dcnn_node *node, int param);
float *dcnn_pass_dparam(const dcnn_pass *pass, const dcnn_node *node, int param);

/* The operations that plan.c names. */
extern const dcnn_op_kind dcnn_op_conv_pool, dcnn_op_conv_max, dcnn_op_conv_max_norm, dcnn_op_conv_valley,
    dcnn_op_conv_average, dcnn_op_norm_relu, dcnn_op_conv_norm_pool, dcnn_op_activation, dcnn_op_function;

/** Is a Conv2D node with this pooling node behind it one fused operation on these kernels: with a ReLU and a
 * MaxPooling2D or AveragePooling2D (dcnn_op_conv_pool), or with a MaxPooling2D by itself (dcnn_op_conv_max)? `folded`:
 * a BatchNormalization gives it a bias. */
bool dcnn_conv_pool_matches(const dcnn_kernels *kernels, const dcnn_node *conv, bool folded, dcnn_shape in,
                            const dcnn_node *pool);
bool dcnn_conv_max_matches(const dcnn_kernels *kernels, const dcnn_node *conv, dcnn_shape in, const dcnn_node *pool);

/** Is a Conv2D node without an activation one operation with this AveragePooling2D node behind it? */
bool dcnn_conv_average_matches(const dcnn_node *conv, dcnn_shape in, const dcnn_node *pool);

/** Is a Conv2D node one fused operation with a BatchNormalization, a ReLU and this MaxPooling2D node behind it? */
bool dcnn_conv_norm_pool_matches(const dcnn_kernels *kernels, const dcnn_node *conv, dcnn_shape in,
                                 const dcnn_node *pool);

/** The kernels' view of a Conv2D node on a grain of n samples. */
dcnn_conv dcnn_conv_shape(const dcnn_node *conv, dcnn_shape in, int n);

/** Is a BatchNormalization node followed by this activation one fused operation? */
bool dcnn_norm_relu_matches(const dcnn_node *normalization, const dcnn_node *activation);

/** Is this MaxPooling2D node 2x2 with stride 2 and no padding? */
bool dcnn_pooling_is_2x2(const dcnn_node *pool);

/** The kernels' view of a MaxPooling2D or AveragePooling2D node on a grain of n samples. */
dcnn_pool dcnn_max_pooling_shape(const dcnn_node *pool, dcnn_shape in, int n);

/** Is a node a BatchNormalization along the channels? Along another axis only its own operation can do it. */
bool dcnn_batch_normalization_is_last(const dcnn_node *node);

/** Scale and shift [c] each of a BatchNormalization operation: in training those of the batch, else of the moving
 * values. */
const float *dcnn_batch_normalization_scale(const dcnn_op *op);
const float *dcnn_batch_normalization_shift(const dcnn_op *op);

/** Scale and shift of a Normalization node: [c] each, or [h, w, c] where its axes are others than the channels. */
void dcnn_normalization_fill(const dcnn_net *net, const dcnn_node *node, dcnn_shape in, float *scale, float *shift);

/** Scale and shift of a channel by the moving values. */
void dcnn_batch_normalization_moving(const dcnn_net *net, const dcnn_node *node, int channel, double *scale,
                                     double *shift);

#endif
