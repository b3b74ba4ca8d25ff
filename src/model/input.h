/* SPDX-License-Identifier: BSD-3-Clause */
/** @file input.h — which images a model expects: how bytes become its input. One decision for commands and library.
 */
#ifndef DCNN_MODEL_INPUT_H
#define DCNN_MODEL_INPUT_H

#include "model/model.h"

/** What a user says of a model's input: (byte * scale - mean) / std. */
typedef struct dcnn_input_given {
    const char *mean, *std; /**< one number, or one a channel with commas between; NULL: not given (0 and 1) */
    double scale;           /**< 0: not given (1 / 255) */
    const char *order;      /**< "rgb", "bgr"; NULL, "auto": not given */
} dcnn_input_given;

/** The input of a model: (byte / 255 - mean) / std of each channel of an image, then their order, and one line that
 * says where it comes from. */
typedef struct dcnn_input {
    double mean[DCNN_MAX_CHANNELS], std[DCNN_MAX_CHANNELS];
    bool blue_first; /**< the channels of an image, red, green and blue, are turned round */
    bool from_model; /**< the file itself says so: there is nothing to tell */
    char told[400];
} dcnn_input;

/** What that is of each byte: byte * scale + shift. A deviation of 0 (constant images) counts as 1. *Local.*
 * @param scale, shift  out [channels] */
void dcnn_input_scale(int channels, const double *mean, const double *std, float *scale, float *shift);

/** Is any of it given? *Local.* */
bool dcnn_input_is_given(const dcnn_input_given *given);

/** Turns the three channels of pixels round: red, green, blue are blue, green, red. *Local.* @param x  [pixels,3] */
void dcnn_input_turn(size_t pixels, float *x);

/** Does a net scale its own input, by a Rescaling or Normalization in front? Then it takes bytes, 0 to 255. *Local.* */
bool dcnn_net_takes_bytes(const dcnn_net *net);

/**
 * Decides. In this order: what is given; a Rescaling or Normalization in front of the net; mean and std that the model
 * file carries; what keras.applications has for networks of its name; those of the data set. *Local.*
 * @param model      of the file; its net, mean and std are read
 * @param given      or NULL
 * @param data_mean  [channels] of the data set, with data_std; NULL: there is none
 * @return DCNN_OK; DCNN_USAGE (given, but no good); DCNN_BAD_INPUT: nothing says it
 */
dcnn_status dcnn_input_choose(const dcnn_checkpoint *model, const dcnn_input_given *given, const double *data_mean,
                              const double *data_std, dcnn_input *input);

/**
 * Makes a model take images as bytes, 0 to 255: puts a Normalization layer in front (a Rescaling, where images have
 * no axis of channels), by its mean and std, which it must have (dcnn_checkpoint.normalised), and a convolution that
 * turns the channels round where it wants blue first. One that takes bytes already stays as it is. *Local.*
 * @return DCNN_OK; DCNN_FAILURE (memory)
 */
dcnn_status dcnn_input_take_bytes(dcnn_checkpoint *model);

#endif
