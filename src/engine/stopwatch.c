/* SPDX-License-Identifier: BSD-3-Clause */
/* stopwatch.c — see stopwatch.h. */
#include "engine/stopwatch.h"

#include <string.h>

#include "base/clock.h"

#define PHASE_NAME(code, name, meaning)    name,
#define PHASE_MEANING(code, name, meaning) meaning,
const char *const dcnn_phase_names[DCNN_PHASE_COUNT] = {DCNN_PHASES(PHASE_NAME)};
const char *const dcnn_phase_meanings[DCNN_PHASE_COUNT] = {DCNN_PHASES(PHASE_MEANING)};

static void show(const dcnn_spans *spans, int worker, const char *name, int number, int64_t grain, double from_s,
                 double to_s) {
    if (spans && spans->on) spans->add(spans->context, worker, name, number, grain, from_s, to_s);
}

void dcnn_stopwatch_start(dcnn_stopwatch *watch) {
    dcnn_wait before[DCNN_MOST_WAITS];
    (void)dcnn_comm_waits(watch->comm, before); /* of what is not a step: evaluation, saving */
    watch->since_s = dcnn_now_s();
}

void dcnn_stopwatch_book(dcnn_stopwatch *watch, dcnn_phase phase) {
    const double now_s = dcnn_now_s();
    dcnn_wait waits[DCNN_MOST_WAITS];
    const int count = dcnn_comm_waits(watch->comm, waits);
    show(watch->spans, 0, dcnn_phase_names[phase], -1, -1, watch->since_s, now_s);
    for (int i = 0; i < count; i++) {
        const dcnn_phase wait = waits[i].network ? DCNN_PHASE_NETWORK : DCNN_PHASE_IMBALANCE;
        const double waited_s = waits[i].to_s - waits[i].from_s;
        watch->phases_s[wait] += waited_s;
        watch->phases_s[phase] -= waited_s;
        show(watch->spans, 0, dcnn_phase_names[wait], -1, -1, waits[i].from_s, waits[i].to_s);
    }
    watch->phases_s[phase] += now_s - watch->since_s;
    watch->since_s = now_s;
}

void dcnn_stopwatch_join(dcnn_stopwatch *watch, dcnn_lap *const *laps, int count) {
    const double now_s = dcnn_now_s();
    double wait_s = now_s - watch->since_s;
    if (count > 1) show(watch->spans, 0, dcnn_phase_names[DCNN_PHASE_WAIT], -1, -1, laps[0]->since_s, now_s);
    for (int i = 0; i < count; i++) {
        dcnn_lap *lap = laps[i];
        for (int phase = 0; phase < DCNN_PHASE_COUNT; phase++) {
            watch->phases_s[phase] += lap->phases_s[phase] / count;
            wait_s -= lap->phases_s[phase] / count;
        }
        wait_s -= lap->run_s / count;
        memset(lap->phases_s, 0, sizeof lap->phases_s);
        lap->run_s = 0.0;
    }
    watch->phases_s[DCNN_PHASE_WAIT] += wait_s;
    watch->since_s = now_s;
}

void dcnn_lap_start(dcnn_lap *lap) {
    lap->since_s = dcnn_now_s();
}

void dcnn_lap_book(dcnn_lap *lap, dcnn_phase phase) {
    const double now_s = dcnn_now_s();
    show(lap->spans, lap->worker, dcnn_phase_names[phase], -1, -1, lap->since_s, now_s);
    lap->phases_s[phase] += now_s - lap->since_s;
    lap->since_s = now_s;
}

void dcnn_lap_book_run(dcnn_lap *lap, int stage, int64_t grain) {
    const double now_s = dcnn_now_s();
    show(lap->spans, lap->worker, "stage", stage, grain, lap->since_s, now_s);
    lap->run_s += now_s - lap->since_s;
    lap->since_s = now_s;
}
