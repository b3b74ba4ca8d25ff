/* SPDX-License-Identifier: BSD-3-Clause */
/* expected_helpers.h — reading the files of tools/make_expected.py. */
#ifndef DCNN_TESTS_EXPECTED_HELPERS_H
#define DCNN_TESTS_EXPECTED_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/hdf5/hdf5.h"
#include "nn/net.h"

#define assert_ok(call)                                                                                                \
    do {                                                                                                               \
        if ((call) != DCNN_OK) fail_msg("%s: %s", #call, dcnn_error());                                                \
    } while (0)

static inline void *allocate(size_t count, size_t bytes) {
    void *memory = calloc(count + 1, bytes);
    assert_non_null(memory);
    return memory;
}

/* The next number in [-1, 1) of Knuth's MMIX generator, as the Python program has it. */
static inline double next_unit(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-52 - 1.0;
}

static inline int64_t read_integer(hid_t file, const char *name) {
    int64_t value;
    assert_ok(dcnn_h5_attribute_read(file, name, DCNN_H5_INT64, -1, &value));
    return value;
}

static inline double *read_doubles(hid_t file, const char *name, int64_t count) {
    int rank;
    int64_t shape[DCNN_H5_MAX_RANK], found = 1;
    assert_ok(dcnn_h5_shape(file, name, &rank, shape));
    for (int i = 0; i < rank; i++) found *= shape[i];
    assert_int_equal(found, count);
    double *values = allocate((size_t)count, sizeof *values);
    assert_ok(dcnn_h5_read(file, name, DCNN_H5_DOUBLE, rank, shape, values));
    return values;
}

static inline dcnn_net *read_described_net(hid_t file) {
    char *text;
    dcnn_net *net;
    assert_ok(dcnn_h5_text_read(file, "model_config", &text));
    json_t *description = json_loads(text, 0, NULL);
    assert_non_null(description);
    assert_ok(dcnn_net_create(description, (dcnn_shape){0}, &net));
    json_decref(description);
    free(text);
    return net;
}

static inline void set_drawn_weights(hid_t file, const dcnn_net *net) {
    int tensors = 0;
    for (int i = 0; i < net->node_count; i++) tensors += net->nodes[i].param_count;
    double *center = read_doubles(file, "center", tensors), *scale = read_doubles(file, "scale", tensors);
    uint64_t state = (uint64_t)read_integer(file, "seed");
    tensors = 0;
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++, tensors++) {
            const dcnn_param *param = &net->nodes[i].params[j];
            float *values = dcnn_net_values(net, param);
            for (size_t k = 0; k < param->count; k++)
                values[k] = (float)(center[tensors] + scale[tensors] * next_unit(&state));
        }
    free(center);
    free(scale);
}

#endif
