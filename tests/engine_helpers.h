/* SPDX-License-Identifier: BSD-3-Clause */
/* engine_helpers.h — small nets on small arrays, trained by all ranks and by one alone: what mpi_engine.c and
 * mpi_late.c share. */
#ifndef DCNN_TESTS_ENGINE_HELPERS_H
#define DCNN_TESTS_ENGINE_HELPERS_H

#include "comm/comm_private.h"
#include "engine/engine.h"
#include "arrays_feed.h"
#include "testing.h"

enum { SIDE = 10, VALUES = SIDE * SIDE, CLASSES = 4, COUNT = 70, BATCH = 24, GRAIN = 8, EPOCHS = 3 };

static dcnn_comm *everyone, *alone;
static float x[COUNT * VALUES];
static int32_t labels[COUNT];

static const char model[] =
    "{\"class_name\": \"Sequential\", \"config\": {\"layers\": ["
    "{\"class_name\": \"InputLayer\", \"config\": {\"batch_shape\": [null, 10, 10, 1]}},"
    "{\"class_name\": \"Conv2D\", \"config\": {\"filters\": 6, \"kernel_size\": 3, \"activation\": \"relu\"}},"
    "{\"class_name\": \"BatchNormalization\", \"config\": {}},"
    "{\"class_name\": \"MaxPooling2D\", \"config\": {}},"
    "{\"class_name\": \"Flatten\", \"config\": {}},"
    "{\"class_name\": \"Dropout\", \"config\": {\"rate\": 0.2}},"
    "{\"class_name\": \"Dense\", \"config\": {\"units\": 4, \"activation\": \"softmax\"}}]}}";

/* A bright quarter says the class; the rest is noise. */
static inline void make_samples(void) {
    for (size_t i = 0; i < COUNT; i++) {
        labels[i] = (int32_t)(i * 7 % CLASSES);
        for (size_t at = 0; at < VALUES; at++) {
            const bool bright =
                at / SIDE / (SIDE / 2) == (size_t)labels[i] / 2 && at % SIDE / (SIDE / 2) == (size_t)labels[i] % 2;
            x[i * VALUES + at] = (float)test_uniform((uint32_t)i, at, -0.5, 0.5) + (bright ? 0.6f : 0.0f);
        }
    }
}

static const char *model_in_use = model;

#define PLAIN_BEGINNING                                                                                                \
    "{\"class_name\": \"Sequential\", \"config\": {\"layers\": ["                                                      \
    "{\"class_name\": \"InputLayer\", \"config\": {\"batch_shape\": [null, 10, 10, 1]}},"                              \
    "{\"class_name\": \"Conv2D\", \"config\": {\"filters\": 4, \"kernel_size\": 3, \"activation\": \"relu\"}},"        \
    "{\"class_name\": \"MaxPooling2D\", \"config\": {}},"                                                              \
    "{\"class_name\": \"Flatten\", \"config\": {}},"                                                                   \
    "{\"class_name\": \"Dense\", \"config\": {\"units\": 400, \"activation\": \"relu\"}},"

/* Without BatchNormalization: 640 KB behind the first layer. */
static const char wide_model[] =
    PLAIN_BEGINNING "{\"class_name\": \"Dropout\", \"config\": {\"rate\": 0.2}},"
                    "{\"class_name\": \"Dense\", \"config\": {\"units\": 400, \"activation\": \"relu\"}},"
                    "{\"class_name\": \"Dense\", \"config\": {\"units\": 4, \"activation\": \"softmax\"}}]}}";

/* 170 KB behind the first layer. */
static const char narrow_model[] =
    PLAIN_BEGINNING "{\"class_name\": \"Dense\", \"config\": {\"units\": 40, \"activation\": \"relu\"}},"
                    "{\"class_name\": \"Dense\", \"config\": {\"units\": 4, \"activation\": \"softmax\"}}]}}";

static inline dcnn_net *net_of(const char *text) {
    dcnn_net *net;
    json_t *description = json_loads(text, 0, NULL);
    if (dcnn_net_create(description, (dcnn_shape){0}, &net) != DCNN_OK) fail_msg("%s", dcnn_error());
    json_decref(description);
    dcnn_net_initialise(net, 3);
    return net;
}

static inline dcnn_net *make_net(void) {
    return net_of(model_in_use);
}

static inline dcnn_engine_options options_for(int threads, int64_t last_batch) {
    return (dcnn_engine_options){.grain = GRAIN,
                                 .threads = threads,
                                 .fuse = true,
                                 .batch_size = BATCH,
                                 .last_batch = last_batch,
                                 .accumulate = 1,
                                 .seed = 9,
                                 .optimizer = {.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7}};
}

static inline dcnn_engine *make_engine(dcnn_comm *comm, const dcnn_engine_options *options) {
    dcnn_engine *engine;
    if (dcnn_engine_create(comm, make_net(), NULL, NULL, options, &engine) != DCNN_OK) fail_msg("%s", dcnn_error());
    return engine;
}

static inline dcnn_arrays arrays_from(int64_t first, int64_t count) {
    return (dcnn_arrays){
        .count = count, .values = VALUES, .x = x + first * VALUES, .labels = labels + first, .first_number = first};
}

static bool goes_on; /* do steps? */

static inline dcnn_status step_on(dcnn_engine *engine, const dcnn_arrays *arrays, int64_t number,
                                  dcnn_step_sums *sums) {
    const dcnn_step step = {.samples = arrays->count,
                            .number = number,
                            .epoch = (uint32_t)(number / 3),
                            .rate = 1e-2,
                            .feed = dcnn_arrays_feed(arrays),
                            .goes_on = goes_on};
    return dcnn_engine_step(engine, &step, sums);
}

/* Epochs of 24, 24 and 22 samples. Returns the last epoch's sums. */
static inline dcnn_step_sums train(dcnn_engine *engine) {
    dcnn_step_sums sums = {0};
    for (int64_t epoch = 0, number = 1; epoch < EPOCHS; epoch++) {
        sums = (dcnn_step_sums){0};
        for (int64_t at = 0; at < COUNT; at += BATCH, number++) {
            const dcnn_arrays batch = arrays_from(at, COUNT - at < BATCH ? COUNT - at : BATCH);
            if (step_on(engine, &batch, number, &sums) != DCNN_OK) fail_msg("%s", dcnn_error());
        }
    }
    return sums;
}

static inline dcnn_status fail_late(void *context, int64_t first, int n, const dcnn_inputs *inputs) {
    if (first + n > BATCH - GRAIN && *(const bool *)context)
        return DCNN_FAIL(DCNN_BAD_INPUT, "sample %d cannot be read", BATCH);
    const dcnn_arrays arrays = arrays_from(0, BATCH);
    return dcnn_arrays_feed(&arrays).fill((void *)(uintptr_t)&arrays, first, n, inputs);
}

/* Starts MPI and makes the samples. */
static inline bool start_ranks(int *argc, char ***argv) {
    if (dcnn_comm_start(argc, argv, &everyone) != DCNN_OK || dcnn_comm_create(MPI_COMM_SELF, &alone) != DCNN_OK) {
        fprintf(stderr, "%s\n", dcnn_error());
        return false;
    }
    make_samples();
    return true;
}

/* @return what main() does: did any rank's tests fail? */
static inline int end_ranks(int failed) {
    MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, everyone->world);
    dcnn_comm_free(alone);
    dcnn_comm_finish(everyone);
    return failed;
}

#endif
