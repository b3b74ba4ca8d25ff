/* SPDX-License-Identifier: BSD-3-Clause */
/** @file initializer.h — initial values of weights, by Keras' definitions: pure functions of (seed, tensor, element).
 */
#ifndef DCNN_NN_INITIALIZER_H
#define DCNN_NN_INITIALIZER_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/** Rows of the table of initializers. */
typedef enum dcnn_initializer_kind {
    DCNN_INIT_ZEROS,
    DCNN_INIT_ONES,
    DCNN_INIT_CONSTANT,
    DCNN_INIT_RANDOM_UNIFORM,
    DCNN_INIT_RANDOM_NORMAL,
    DCNN_INIT_TRUNCATED_NORMAL, /**< a normal cut at two deviations */
    DCNN_INIT_VARIANCE_SCALING,
    DCNN_INIT_GLOROT_UNIFORM,
    DCNN_INIT_GLOROT_NORMAL,
    DCNN_INIT_HE_UNIFORM,
    DCNN_INIT_HE_NORMAL,
    DCNN_INIT_LECUN_UNIFORM,
    DCNN_INIT_LECUN_NORMAL,
    DCNN_INIT_ORTHOGONAL,
    DCNN_INIT_IDENTITY,
    DCNN_INIT_COUNT
} dcnn_initializer_kind;

/** What a variance is divided by. */
typedef enum dcnn_fan { DCNN_FAN_IN, DCNN_FAN_OUT, DCNN_FAN_AVERAGE } dcnn_fan;

/** How values are spread. */
typedef enum dcnn_spread { DCNN_SPREAD_UNIFORM, DCNN_SPREAD_TRUNCATED, DCNN_SPREAD_NORMAL } dcnn_spread;

/** An initializer with its settings. */
typedef struct dcnn_initializer {
    dcnn_initializer_kind kind;
    double a, b;  /**< constant: value; uniform: bounds; normals: mean, deviation; scaling: scale; orthogonal: gain */
    dcnn_fan fan; /**< of those that scale a variance */
    dcnn_spread spread; /**< likewise */
} dcnn_initializer;

/** A row with its default settings. *Local.* */
dcnn_initializer dcnn_initializer_of(dcnn_initializer_kind kind);

/** Reads a name or a Keras object. *Local.* @param what  "layer 'conv': \"kernel_initializer\"", for the message
 * @return DCNN_OK, DCNN_BAD_INPUT */
dcnn_status dcnn_initializer_read(const char *what, const json_t *json, dcnn_initializer *initializer);

/** As Keras 3 writes it: {"module":…, "class_name":…, "config":{…}}. New reference. *Local.* */
json_t *dcnn_initializer_describe(const dcnn_initializer *initializer);

/**
 * Fills a tensor. Fans are Keras': of [units in, units out], or of the last two dimensions times the product of those
 * before. *Local.*
 * @param number  of the tensor in its net
 */
void dcnn_initializer_fill(const dcnn_initializer *initializer, uint64_t seed, int64_t number, int rank,
                           const int *dims, float *values);

#endif
