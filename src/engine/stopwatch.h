/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file stopwatch.h — where a step's time goes: one list of phases, one clock a rank, one lap a worker.
 *
 * What the workers do one after the other (the caller alone, or all of them at the same thing) is booked whole. What
 * they do each for itself counts as the mean over them; the rest of that time, until the last one is done, is the phase
 * `wait`. So the phases' sum is the time in steps, and a worker without a grain shows.
 */
#ifndef DCNN_ENGINE_STOPWATCH_H
#define DCNN_ENGINE_STOPWATCH_H

#include "comm/comm.h"

/** The phases: X(name in code, name in metrics.jsonl and elsewhere, what it is). */
#define DCNN_PHASES(X)                                                                                                 \
    X(PREPARE, "prepare", "weights into the kernels' form")                                                            \
    X(LOAD, "load", "bytes to floats, augmentation")                                                                   \
    X(FORWARD, "forward", "operations and loss")                                                                       \
    X(BACKWARD, "backward", "operations")                                                                              \
    X(ADD, "add", "gradients of grains")                                                                               \
    X(WAIT, "wait", "for the rank's other threads")                                                                    \
    X(AGREE, "agree", "sums of all ranks")                                                                             \
    X(GRADIENT, "gradient", "gradients of all ranks")                                                                  \
    X(ADAM, "adam", "new weights")                                                                                     \
    X(IMBALANCE, "imbalance", "waits for the node's other ranks")                                                      \
    X(NETWORK, "network", "waits for messages")

#define DCNN_PHASE_ENUM(code, name, meaning) DCNN_PHASE_##code,
typedef enum dcnn_phase { DCNN_PHASES(DCNN_PHASE_ENUM) DCNN_PHASE_COUNT } dcnn_phase;
#undef DCNN_PHASE_ENUM

extern const char *const dcnn_phase_names[DCNN_PHASE_COUNT];
extern const char *const dcnn_phase_meanings[DCNN_PHASE_COUNT];

/** Who wants to see every span of time, while `on`. Workers call it at the same time, each with its own number.
 * `number` is a stage's, or -1; `grain` that of the batch, or -1. */
typedef struct dcnn_spans {
    bool on;
    void (*add)(void *context, int worker, const char *name, int number, int64_t grain, double from_s, double to_s);
    void *context;
} dcnn_spans;

/** A rank's clock. */
typedef struct dcnn_stopwatch {
    dcnn_comm *comm;         /**< whose waits are phases of their own */
    const dcnn_spans *spans; /**< or NULL */
    double since_s;          /**< until when everything is booked */
    double phases_s[DCNN_PHASE_COUNT];
} dcnn_stopwatch;

/** A worker's own clock. */
typedef struct dcnn_lap {
    const dcnn_spans *spans;
    int worker;
    double since_s;
    double phases_s[DCNN_PHASE_COUNT], run_s; /**< run_s: in operations, which have times of their own */
} dcnn_lap;

/** What came before does not count; waits neither. *Local.* */
void dcnn_stopwatch_start(dcnn_stopwatch *watch);

/** The time since the last booking goes to this phase, but for the waits in it. *Local.* */
void dcnn_stopwatch_book(dcnn_stopwatch *watch, dcnn_phase phase);

/** Books what workers did since the last booking, and empties their laps. *Local.* */
void dcnn_stopwatch_join(dcnn_stopwatch *watch, dcnn_lap *const *laps, int count);

/** A worker's turn begins; the time since then, or since the last call, goes to a phase, or to the operations of
 * `stage`. *Local.* */
void dcnn_lap_start(dcnn_lap *lap);
void dcnn_lap_book(dcnn_lap *lap, dcnn_phase phase);
void dcnn_lap_book_run(dcnn_lap *lap, int stage, int64_t grain);

#endif
