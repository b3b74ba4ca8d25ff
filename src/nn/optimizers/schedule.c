/* SPDX-License-Identifier: BSD-3-Clause */
/* schedule.c — see schedule.h. */
#include "nn/optimizers/schedule.h"

#include <math.h>
#include <stdlib.h>

static const double pi = 3.14159265358979323846;

/* PyTorch's defaults: pct_start, div_factor, final_div_factor. */
static const double rise_part = 0.3, start_divisor = 25.0, end_divisor = 1e4;

#define NAME(id, name, ...) name,
const char *const dcnn_schedule_names[DCNN_SCHEDULE_COUNT] = {DCNN_SCHEDULES(NAME)};
#undef NAME
#define NAME(id, name) name,
const char *const dcnn_rate_scale_names[DCNN_RATE_SCALE_COUNT] = {DCNN_RATE_SCALES(NAME)};

dcnn_status dcnn_schedule_read_pieces(const char *text, dcnn_schedule *schedule) {
    const char *at = text;
    char *end;
    for (schedule->pieces = 0; schedule->pieces < DCNN_MOST_PIECES; at = end + 1) {
        const int i = schedule->pieces++;
        schedule->piece_epochs[i] = strtod(at, &end);
        const bool named = end != at && *end == '=';
        at = end + 1;
        schedule->piece_factors[i] = named ? strtod(at, &end) : 0.0;
        const bool good = named && end != at && (*end == ',' || *end == '\0') && schedule->piece_factors[i] > 0.0 &&
                          schedule->piece_factors[i] <= 1e6 && schedule->piece_epochs[i] < 1e9 &&
                          schedule->piece_epochs[i] > (i > 0 ? schedule->piece_epochs[i - 1] : 0.0);
        if (!good) break;
        if (*end == '\0') return DCNN_OK;
    }
    return DCNN_FAIL(DCNN_USAGE,
                     "--pieces '%.100s' is not understood: it takes up to %d pairs EPOCH=FACTOR with epochs that rise "
                     "and factors above 0, as 8=0.1,12=0.01",
                     text, DCNN_MOST_PIECES);
}

/* From `from` to `to` along half a cosine. */
static double anneal(double from, double to, double part) {
    return to + (from - to) * 0.5 * (1.0 + cos(pi * part));
}

static double one_cycle(double rate, int64_t step, int64_t steps) {
    const double start = rate / start_divisor, end = start / end_divisor;
    const double top = rise_part * (double)steps - 1.0, last = (double)steps - 1.0, now = (double)step;
    if (now <= top && top > 0.0) return anneal(start, rate, now / top);
    return now < last ? anneal(rate, end, (now - fmax(top, 0.0)) / (last - fmax(top, 0.0))) : end;
}

/* How far the cycle in progress is, from 0 to below 1; `cycles`: lengths of the first that have passed. */
static double cycle_part(double cycles) {
    double length = 1.0;
    if (!(cycles < 1e15)) return 0.0; /* a cycle shorter than any step */
    while (cycles >= length) {
        cycles -= length;
        length *= 2.0;
    }
    return cycles / length;
}

static double piece_factor(const dcnn_schedule *schedule, int64_t step, int64_t epoch_steps) {
    double factor = 1.0;
    for (int i = 0; i < schedule->pieces; i++)
        if (step >= llround(schedule->piece_epochs[i] * (double)epoch_steps)) factor = schedule->piece_factors[i];
    return factor;
}

/* After the warm-up. */
static double scheduled(const dcnn_schedule *schedule, double rate, int64_t step, int64_t steps, int64_t epoch_steps) {
    const double decays = (double)step / ((double)epoch_steps * schedule->decay_epochs);
    switch (schedule->kind) {
    case DCNN_SCHEDULE_COSINE:
        if (step >= steps) return 0.0;
        return rate * 0.5 * (1.0 + cos(pi * (double)step / (double)steps));
    case DCNN_SCHEDULE_STEP:
        return rate * pow(schedule->decay_rate, floor(decays));
    case DCNN_SCHEDULE_EXPONENTIAL:
        return rate * pow(schedule->decay_rate, decays);
    case DCNN_SCHEDULE_ONE_CYCLE:
        return one_cycle(rate, step, steps);
    case DCNN_SCHEDULE_RESTARTS:
        return anneal(rate, 0.0, cycle_part(decays));
    case DCNN_SCHEDULE_POLYNOMIAL:
        if (step >= steps) return 0.0;
        return rate *
               pow(1.0 - (double)step / (double)steps, schedule->decay_power > 0.0 ? schedule->decay_power : 1.0);
    case DCNN_SCHEDULE_PIECEWISE: /* its epochs are the run's, whatever warm-up they had */
        return rate *
               piece_factor(schedule, step + llround(schedule->warmup_epochs * (double)epoch_steps), epoch_steps);
    case DCNN_SCHEDULE_CONSTANT:
    case DCNN_SCHEDULE_PLATEAU:
    case DCNN_SCHEDULE_COUNT:
        break;
    }
    return rate;
}

double dcnn_schedule_rate(const dcnn_schedule *schedule, double rate, int64_t step, int64_t epochs,
                          int64_t epoch_steps) {
    const int64_t warmup = (int64_t)llround(schedule->warmup_epochs * (double)epoch_steps);
    if (step < warmup) return rate * (double)(schedule->keras_warmup ? step : step + 1) / (double)warmup;
    return scheduled(schedule, rate, step - warmup, epochs * epoch_steps - warmup, epoch_steps);
}

double dcnn_rate_factor(dcnn_rate_scale scale, int64_t samples) {
    const double factor = (double)samples / DCNN_RECIPE_BATCH;
    if (scale == DCNN_RATE_SCALE_NONE) return 1.0;
    return scale == DCNN_RATE_SCALE_SQRT ? sqrt(factor) : factor;
}
