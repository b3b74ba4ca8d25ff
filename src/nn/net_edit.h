/* SPDX-License-Identifier: BSD-3-Clause */
/** @file net_edit.h — a net made anew from another one, with its weights: layers frozen, or another head. */
#ifndef DCNN_NN_NET_EDIT_H
#define DCNN_NN_NET_EDIT_H

#include "nn/net.h"

/** Shell patterns of layer names; each text may hold several, separated by commas. Borrowed. */
typedef struct dcnn_patterns {
    int count;
    char *const *text;
} dcnn_patterns;

/** What is to be changed. Zeroed: nothing. */
typedef struct dcnn_net_edit {
    dcnn_patterns freeze;     /**< layers whose weights stay as they are */
    dcnn_patterns unfreeze;   /**< layers that are trained, whatever the model says, unless `freeze` names them too */
    const char *freeze_below; /**< so do those of all layers before this one, in the model's order, while it and those
                                          behind it are trained, whatever the model says; NULL: none. Borrowed */
    int train_last;           /**< so do those of all but so many layers with weights at its end, likewise; 0: none */
    int head_units;           /**< of the last Dense, or Conv2D of one position, which gets new weights; 0: it stays */
    bool head_numbers;        /**< it gives numbers (no activation), not classes (softmax where it had a sigmoid) */
    bool head_labels;         /**< it gives labels, each of which a sample may have (a sigmoid where it had softmax) */
    uint64_t seed;            /**< of its weights */
} dcnn_net_edit;

/** Does the last layer with weights classify: a Dense, or a Conv2D on a single position (Keras' MobileNets)? Only such
 * a one can be replaced. *Local.* */
bool dcnn_net_has_head(const dcnn_net *net);

/**
 * Changes a net. *Local.*
 * @param net  in and out: it is freed where another one takes its place
 * @return DCNN_OK; DCNN_BAD_INPUT: a name or pattern that no layer has, nothing left to train, no Dense at the end
 */
dcnn_status dcnn_net_edit_apply(const dcnn_net_edit *edit, dcnn_net **net);

/**
 * Puts behind each RandomCrop that crops the Resizing that it is outside training, unless it stands there: to Keras 3.7
 * and later it is nothing there, and hands on the whole image. In training, and here, such a Resizing changes nothing.
 * Weights lie where they did. *Local.*
 * @param net  in and out: it is freed where another one takes its place
 */
dcnn_status dcnn_net_settle_crops(dcnn_net **net);

/**
 * Gives layers learning rates of their own. *Local.*
 * @param rates  "PATTERN=FACTOR" of layers, or of weights as in "conv2d/bias"; of several that match, the last counts
 * @return DCNN_OK; DCNN_BAD_INPUT: no factor above 0, or nothing that is trained matches
 */
dcnn_status dcnn_net_set_rates(dcnn_net *net, dcnn_patterns rates);

/**
 * Says which weights have no weight decay: those whose names have one of these words in them, as Keras'
 * exclude_from_weight_decay(var_names=...); all others have. *Local.*
 * @param words  none: as optimizer.h says; "none" alone: all weights have
 * @return DCNN_OK; DCNN_BAD_INPUT: a word that no weight has
 */
dcnn_status dcnn_net_set_decay(dcnn_net *net, dcnn_patterns words);

#endif
