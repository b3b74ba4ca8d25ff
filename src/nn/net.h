/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file net.h — a network as data: nodes in topological order, each naming its inputs, and its weights.
 *
 * A net comes from a Keras JSON (Sequential or Functional, nested or not, one input and one output) and knows nothing
 * of batches, threads or ranks; plan.h makes it run. A chain is the simple case of the node list: node i may name any
 * earlier nodes as inputs. A layer that is called twice is two nodes, of which the second one owns no weights.
 */
#ifndef DCNN_NN_NET_H
#define DCNN_NN_NET_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "nn/constraint.h"
#include "nn/initializer.h"
#include "nn/loss.h"
#include "nn/regularizer.h"
#include "nn/tensor.h"

typedef struct dcnn_layer dcnn_layer;

/* Layers of a description: time and memory grow with their square. The largest networks of Keras have some 1,400. */
enum { DCNN_MOST_LAYERS = 1 << 13 };

enum { DCNN_MAX_PARAMS = 4, DCNN_MAX_INPUTS = 16, DCNN_NAME_BYTES = 64, DCNN_PATH_BYTES = 256 };

/** One weight tensor of a node. */
typedef struct dcnn_param {
    char name[32]; /**< Keras' name: kernel, bias, gamma, beta, moving_mean, moving_variance */
    int rank, dims[4];
    size_t count;   /**< product of dims */
    bool trainable; /**< moved by the optimizer: neither a moving statistic nor a frozen layer's */
    bool statistic; /**< a moving statistic: Keras lists it behind a layer's weights */
    size_t offset;  /**< first float in net->params (trainable) or net->state (not) */
    dcnn_initializer initializer;
    dcnn_regularizer regularizer;
    dcnn_constraint constraint;
    double rate; /**< its learning rate is the step's times this; 0 counts as 1 */
    int decay;   /**< 1, -1: it has weight decay, or none; 0: as optimizer.h says, by its rank */
} dcnn_param;

/** One layer of the net. Node 0 is the input. */
typedef struct dcnn_node {
    const dcnn_layer *layer; /**< row of the table of layers */
    char name[DCNN_NAME_BYTES];
    int input_count, inputs[DCNN_MAX_INPUTS]; /**< earlier nodes */
    dcnn_shape shape;                         /**< of one output sample */
    void *config;                             /**< the layer kind's own struct; owned */
    int param_count;                          /**< of a node that owns its weights, else 0 */
    dcnn_param params[DCNN_MAX_PARAMS];
    int owner;                  /**< node whose weights it uses: itself, or the first one of its layer */
    char path[DCNN_PATH_BYTES]; /**< where Keras 3 keeps its weights: "layers/conv2d_1" */
    int outer;                  /**< number of the layer of the outermost model that it lies in */
    bool bf16;                  /**< products take bf16 operands (Keras' policy mixed_bfloat16) instead of fp32 */
    bool trainable;     /**< as Keras has it; else its weights stay, and BatchNormalization uses its moving values */
    bool inference;     /**< called with training=False: BatchNormalization and Dropout as at inference */
    bool synchronised;  /**< needs sums over the batch in training */
    bool learns;        /**< it, or a node before it, has weights to train */
    json_t *kept;       /**< what its description says and dcnn only hands on; owned, may be NULL */
    int stage_forward;  /**< number of synchronisations (BatchNormalization) before its output is there */
    bool cut;           /**< a stage of either pass begins with it, for what is complete then to travel */
    int stage_backward; /**< stage in which its gradients are made, counted on from the forward stages */
} dcnn_node;

/** A contiguous range of net->params. */
typedef struct dcnn_range {
    size_t offset, count;
} dcnn_range;

typedef struct dcnn_net {
    char name[DCNN_NAME_BYTES];
    char base[DCNN_NAME_BYTES]; /**< name of the model inside that reads the input first, as a pretrained base does;
                                   empty: none, or it is not known any more, since descriptions are written flat */
    int node_count;
    dcnn_node *nodes;
    int output_count; /**< length of the output vector */
    int class_count;  /**< classes that it tells apart: one sigmoid tells two; 0: it gives numbers */
    dcnn_loss loss; /**< what training lessens; by the last layer's activation, unless dcnn_net_set_loss() was called */
    int stage_count; /**< forward and backward stages of a training step; the loss is made in stage loss_stage */
    int loss_stage;
    dcnn_range *buckets; /**< [stage_count] the gradients that are complete at the end of each stage */
    size_t param_count;  /**< trainable floats; those of later layers come first, so each bucket is contiguous */
    size_t state_count;  /**< other floats: moving means and variances, frozen weights */
    float *params;       /**< the net's own, unless dcnn_net_place_params() put them elsewhere */
    float *state;        /**< owned */
    bool params_elsewhere;
    bool plain_input;      /**< Keras' images have no axis of channels: [n, h, w] */
    bool averages;         /**< its last layer is the Average of softmaxes: an ensemble (ensemble.h) */
    bool functional;       /**< described as a Functional model; else Sequential */
    char untrainable[256]; /**< why it can only be evaluated, a sentence; empty: it can be trained */
} dcnn_net;

/**
 * Builds a net from a Keras description (`model.to_json()`, or the value of `model_config`); defaults may be left out.
 * Weights are zero until dcnn_net_initialise() or a loader fills them. *Local.*
 * @param input  shape to use where the description names none (rank 0: none known); else it must agree
 * @param net    out; free with dcnn_net_free()
 * @return DCNN_OK; DCNN_BAD_INPUT naming the layer (and both shapes where shapes disagree); DCNN_FAILURE (memory)
 */
dcnn_status dcnn_net_create(const json_t *description, dcnn_shape input, dcnn_net **net);

/** Another net of the same layers and weights, in memory of its own. *Local.* @param copy  out; dcnn_net_free() */
dcnn_status dcnn_net_copy(const dcnn_net *net, dcnn_net **copy);

/** Is the output of this node the net's input, as it is or changed at random or in size? *Local.* */
bool dcnn_net_is_input(const dcnn_net *net, int node);

/** Does the net take such images? *Local.* @param model, data  what the message calls them: their files
 * @return DCNN_OK, DCNN_BAD_INPUT with both shapes */
dcnn_status dcnn_net_check_shape(const dcnn_net *net, const char *model, int h, int w, int c, const char *data);

/** The net's Keras description, complete, as Keras 3 writes `model_config`; nested models are written flat. New
 * reference. *Local.* */
json_t *dcnn_net_describe(const dcnn_net *net);

/** Sets the precision of all layers: products of bf16 operands, or of fp32. For nets without a plan. *Local.* */
void dcnn_net_set_bf16(dcnn_net *net, bool bf16);

/** Has any layer products of bf16 operands? *Local.* */
bool dcnn_net_has_bf16(const dcnn_net *net);

/**
 * Begins a new stage of both passes at a layer with weights wherever so many bytes of gradient are complete before its
 * own: they can travel while the rest is computed, and what it reads first may come while the layers before it run, in
 * nets without BatchNormalization, too. Activations that are
 * read behind a cut are kept for every grain of a rank's share. No bit changes, nor where weights lie. For nets without
 * a plan. *Local.* @return DCNN_OK; DCNN_FAILURE (memory)
 */
dcnn_status dcnn_net_cut(dcnn_net *net, size_t bytes);

/** Sets all weights to their initial values, a pure function of the seed. *Local.* */
void dcnn_net_initialise(dcnn_net *net, uint64_t seed);

/** Parameter `number` of a node, which may be another node's, or NULL if it has none. *Local.* */
const dcnn_param *dcnn_net_param(const dcnn_net *net, const dcnn_node *node, int number);

/** The floats of a parameter in net->params or net->state. */
float *dcnn_net_values(const dcnn_net *net, const dcnn_param *param);

/** The weights lie at `params` [param_count] from now on: the caller's memory, which must outlive the net and holds
 * their values already. *Local.* */
void dcnn_net_place_params(dcnn_net *net, float *params);

/** Momentum of BatchNormalization's moving averages, the largest of all such layers; 0 if there is none. *Local.* */
double dcnn_net_momentum(const dcnn_net *net);

/** Sets it in all of them. *Local.* @param momentum  0 to below 1 */
void dcnn_net_set_momentum(dcnn_net *net, double momentum);

/** Sets the loss, if it fits the last layer: softmax or linear (then logits) for categorical cross-entropy, sigmoid or
 * linear for binary, linear for the others. *Local.* @return DCNN_OK, DCNN_BAD_INPUT */
dcnn_status dcnn_net_set_loss(dcnn_net *net, const dcnn_loss *loss);

/** Name that Keras gives a layer by its class, in snake case, numbered if others of that class come before it; its
 * place in Keras 3's files of weights has it too. `name` has DCNN_NAME_BYTES. *Local.* */
void dcnn_net_place_name(const char *class_name, int before, char *name);

/** Where Keras 3 keeps a node's weights in the files of the flat net that dcnn_net_describe() describes. */
void dcnn_net_written_path(const dcnn_net *net, int node, char path[DCNN_PATH_BYTES]);

/** Numbers that a prediction has: one a class, or one an output where the net gives numbers. *Local.* */
int dcnn_net_prediction_count(const dcnn_net *net);

/** Predictions [rows, dcnn_net_prediction_count()] from outputs [rows, output_count]: probabilities, of which one
 * sigmoid's become those of two classes; or the numbers themselves. *Local.* */
void dcnn_net_probabilities(const dcnn_net *net, size_t rows, const float *outputs, float *probabilities);

/** The node whose activation the net ends in, which the loss takes over: the last one, or one behind which the values
 * only change their shape (Reshape, Flatten) or nothing (a linear Activation). *Local.* */
int dcnn_net_end(const dcnn_net *net);

/** The activation that the net ends in: of dcnn_net_end(). *Local.* */
dcnn_activation_kind dcnn_net_output_activation(const dcnn_net *net);

/** Multiply-adds of one sample's forward pass through a node, and of the whole net for node < 0. *Local.* */
int64_t dcnn_net_multiply_adds(const dcnn_net *net, int node);

void dcnn_net_free(dcnn_net *net);

/** The first convolution with strides and a dilation above 1, which Keras refuses to make; or NULL. *Local.* */
const dcnn_node *dcnn_net_dilated_stride(const dcnn_net *net);

/** Is the node a RandomCrop that crops, with no Resizing behind it that does what it does outside training? Keras 3.7
 * and later hand on the whole image there. *Local.* */
bool dcnn_net_hands_on(const dcnn_net *net, int node);

/** What a user has to know of such a RandomCrop in the net, a sentence of which the net is the subject; false: there is
 * none. *Local.* */
bool dcnn_net_crops(const dcnn_net *net, char text[256]);

/**
 * The last node whose output is the same in every epoch: all before it is frozen and draws nothing at random, and what
 * learns reads nothing of it but this output. *Local.*
 * @return its number; 0: there is none, or no layer with weights before it
 */
int dcnn_net_frozen_end(const dcnn_net *net);

#endif
