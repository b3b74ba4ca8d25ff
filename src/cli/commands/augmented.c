/* SPDX-License-Identifier: BSD-3-Clause */
/* augmented.c — see augmented.h. */
#include "cli/commands/augmented.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/options.h"
#include "run/data/mix.h"

enum { TOGETHER = 5, MOST_COPIES = 6 };

/* What one image is changed with. */
typedef struct painter {
    const dcnn_kernels *kernels;
    const dcnn_report_data *data;
    uint64_t seed;
    void *scratch;
    float *floats;
} painter;

static void change(const painter *p, const dcnn_augment *ranges, int64_t sample, int epoch, float *out) {
    const dcnn_dataset *d = p->data->dataset;
    const int64_t values = (int64_t)d->h * d->w * d->c;
    float scale[DCNN_MAX_CHANNELS], shift[DCNN_MAX_CHANNELS] = {0}, blank[DCNN_MAX_CHANNELS];
    for (int c = 0; c < d->c; c++) {
        scale[c] = 1.0F; /* bytes, for people, not standardised floats */
        blank[c] = (float)(255 * d->mean[c]);
    }
    const dcnn_augment_form form = {d->h, d->w, d->c, scale, shift, blank};
    const dcnn_augment_key key = {p->seed, (uint32_t)epoch, sample};
    dcnn_augment_image(ranges, p->kernels, &key, &form, p->data->pixels + sample * values, p->scratch, out);
}

/* What takes pairs gets the sample that stands beside it in the figure: its share, or box, is that of the training,
 * where the partner is another one in each epoch. */
static void paint(const painter *p, const dcnn_augment *ranges, int64_t sample, int64_t beside, int epoch,
                  uint8_t *bytes) {
    const dcnn_dataset *d = p->data->dataset;
    const int64_t values = (int64_t)d->h * d->w * d->c, samples[2] = {sample, beside};
    const int32_t labels[2] = {0};
    int32_t others[2];
    float shares[2];
    const dcnn_mix_grain pair = {p->seed, (uint32_t)epoch, d->h, d->w, d->c, 2, samples, labels};
    change(p, ranges, sample, epoch, p->floats);
    if (dcnn_mix_is_active(ranges)) {
        change(p, ranges, beside, epoch, p->floats + values);
        dcnn_mix(ranges, &pair, p->floats, others, shares);
    }
    for (int64_t i = 0; i < values; i++) bytes[i] = (uint8_t)lroundf(fminf(255.0F, fmaxf(0.0F, p->floats[i])));
}

/* The ranges with one change left in, and its name: "rotation-range 10". */
static char *single_out(const dcnn_augment *all, int row, dcnn_augment *alone) {
    const dcnn_augment_row *about = &dcnn_augment_table[row];
    char *name = NULL;
    *alone = *all;
    for (int other = 0; other < DCNN_AUGMENT_COUNT; other++)
        if (other != row && dcnn_augment_table[other].alone) dcnn_augment_set(alone, other, 0);
    if (asprintf(&name, "%s %g", about->option, dcnn_augment_value(all, row)) < 0) name = NULL;
    return name;
}

static dcnn_status make_rows(const painter *p, const dcnn_augment *ranges, const dcnn_split *train, int copies,
                             dcnn_augmented *out) {
    const dcnn_dataset *d = p->data->dataset;
    const int64_t values = (int64_t)d->h * d->w * d->c;
    const int together = train->count < TOGETHER ? (int)train->count : TOGETHER;
    for (int i = 0; i < together + DCNN_AUGMENT_COUNT; i++) {
        const int row = i - together;
        dcnn_augment alone = *ranges;
        if (row >= 0 && !(dcnn_augment_table[row].alone && dcnn_augment_value(ranges, row) > 0)) continue;
        if (row >= 0 && !dcnn_augment_suits(row, d->c)) continue;
        if (row >= 0 && (out->names[out->rows] = single_out(ranges, row, &alone)) == NULL)
            return DCNN_FAIL(DCNN_FAILURE, "out of memory: augmented samples");
        /* evenly spread: data that are sorted by class show each of them */
        const int shown = row < 0 ? i : row % together;
        const int64_t beside = train->rows[(shown + 1) % together * train->count / together];
        out->samples[out->rows] = train->rows[shown * train->count / together];
        for (int copy = 0; copy < copies; copy++)
            paint(p, &alone, out->samples[out->rows], beside, copy,
                  out->pixels + ((int64_t)out->rows * copies + copy) * values);
        out->rows++;
    }
    return DCNN_OK;
}

dcnn_status dcnn_augmented_make(const dcnn_kernels *kernels, dcnn_report_data *data, dcnn_augmented *out) {
    enum { MOST_ROWS = TOGETHER + DCNN_AUGMENT_COUNT };
    const dcnn_dataset *d = data->dataset;
    const dcnn_split *train = dcnn_dataset_split(d, "train");
    const size_t values = (size_t)d->h * (size_t)d->w * (size_t)d->c;
    dcnn_options trained;
    *out = (dcnn_augmented){0};
    if (train == NULL || train->count == 0 || data->model->options == NULL) return DCNN_OK;
    dcnn_options_default(DCNN_COMMAND_TRAIN, &trained);
    DCNN_TRY(dcnn_options_resume(DCNN_COMMAND_TRAIN, data->model->options, &trained));
    if (!trained.train.augment || !dcnn_augment_is_active(&trained.train.ranges)) return DCNN_OK;
    const int copies = trained.train.epochs < MOST_COPIES ? (int)trained.train.epochs : MOST_COPIES;
    painter p = {.kernels = kernels,
                 .data = data,
                 .seed = trained.train.seed,
                 .scratch = malloc(dcnn_augment_scratch(&trained.train.ranges, d->h, d->w, d->c) + 1),
                 .floats = malloc(2 * values * sizeof(float))};
    out->pixels = malloc((size_t)MOST_ROWS * (size_t)copies * values);
    out->samples = calloc(MOST_ROWS, sizeof *out->samples);
    out->names = calloc(MOST_ROWS, sizeof *out->names);
    dcnn_status status = DCNN_OK;
    if (p.scratch == NULL || p.floats == NULL || out->pixels == NULL || out->samples == NULL || out->names == NULL)
        status = DCNN_FAIL(DCNN_FAILURE, "out of memory: augmented samples");
    if (status == DCNN_OK) status = make_rows(&p, &trained.train.ranges, train, copies, out);
    free(p.scratch);
    free(p.floats);
    if (status != DCNN_OK) return status;
    data->augmented_rows = out->rows;
    data->augmented_copies = copies;
    data->augmented = out->pixels;
    data->augmented_samples = out->samples;
    data->augmented_names = (const char *const *)out->names;
    return DCNN_OK;
}

void dcnn_augmented_free(dcnn_augmented *augmented) {
    for (int row = 0; augmented->names && row < augmented->rows; row++) free(augmented->names[row]);
    free(augmented->pixels);
    free(augmented->samples);
    free(augmented->names);
    *augmented = (dcnn_augmented){0};
}
