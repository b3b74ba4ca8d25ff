/* SPDX-License-Identifier: BSD-3-Clause */
/* report_helpers.h — made-up runs of any number of classes, epochs and channels, for the tests of report/. */
#ifndef DCNN_TESTS_REPORT_HELPERS_H
#define DCNN_TESTS_REPORT_HELPERS_H

#include <math.h>

#include "io_helpers.h"
#include "report/report.h"

/* What a made-up run is like. */
typedef struct fake_run {
    const char *name;
    int classes, epochs, h, w, c, test;
    bool long_names, phases, validation;
    double skill; /* probability that a prediction is right */
} fake_run;

/* A made-up run; all in it is owned. */
typedef struct fake_data {
    dcnn_report_data report;
    dcnn_dataset dataset;
    dcnn_checkpoint model;
    json_t *record;
} fake_data;

enum { FAKE_TRAIN = 30, FAKE_COPIES = 6, FAKE_AUGMENTED = 3 };

static inline double draw_unit(void) {
    return draw_below(1U << 24) / (double)(1U << 24);
}

static inline char *fake_history(const fake_run *run) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    for (int epoch = 1; epoch <= run->epochs; epoch++) {
        const double loss = 0.02 + 2.2 / epoch + 0.03 * draw_unit(), accuracy = 1 - 0.4 * loss / (1 + loss);
        fprintf(out, "{\"epoch\":%d,\"step\":%d,\"loss\":%.17g,\"accuracy\":%.17g,\"seconds\":%.17g", epoch,
                epoch * 237, loss, accuracy, 5 + draw_unit());
        fprintf(out, ",\"wall_time\":%.17g", 1.7e9 + 6 * epoch);
        fprintf(out, ",\"correct\":%d,\"count\":30240,\"images_per_s\":%.17g", (int)(30240 * accuracy),
                6000 + 100 * draw_unit());
        if (run->validation)
            fprintf(out, ",\"val_loss\":%.17g,\"val_accuracy\":%.17g", loss + 0.1 * draw_unit(),
                    accuracy - 0.01 * draw_unit());
        if (run->phases)
            fprintf(out,
                    ",\"phases\":{\"forward\":%.3f,\"backward\":%.3f,\"agreeing on sums\":%.3f,\"validation\":%.3f}",
                    1.5 + draw_unit(), 2.5 + draw_unit(), 0.3 * draw_unit(), 0.5);
        fprintf(out, "}\n");
    }
    assert_int_equal(fclose(out), 0);
    return text;
}

static inline dcnn_net *fake_net(const fake_run *run) {
    json_t *description = json_pack(
        "{s:s, s:{s:s, s:[{s:s, s:{s:s, s:i, s:[i,i], s:s}}, {s:s, s:{s:s}}, {s:s, s:{s:s, s:i, s:s}}]}}", "class_name",
        "Sequential", "config", "name", "fake", "layers", "class_name", "Conv2D", "config", "name", "conv2d", "filters",
        20, "kernel_size", 3, 3, "activation", "relu", "class_name", "Flatten", "config", "name", "flatten",
        "class_name", "Dense", "config", "name", "dense", "units", run->classes, "activation", "softmax");
    assert_non_null(description);
    dcnn_net *net = NULL;
    const dcnn_shape input = {.rank = 3, .h = run->h, .w = run->w, .c = run->c};
    assert_int_equal(dcnn_net_create(description, input, &net), DCNN_OK);
    json_decref(description);
    dcnn_net_initialise(net, scratch_seed);
    return net;
}

/* A blob whose place and colour tell its class, with noise. */
static inline void fake_image(const fake_run *run, int label, uint8_t *pixels) {
    const double angle = 6.28 * label / run->classes, row = run->h * (0.5 + 0.3 * sin(angle)),
                 column = run->w * (0.5 + 0.3 * cos(angle));
    for (int y = 0; y < run->h; y++)
        for (int x = 0; x < run->w; x++) {
            const double down = (y - row) / run->h, across = (x - column) / run->w;
            const double light = exp(-20 * (down * down + across * across));
            for (int c = 0; c < run->c; c++)
                pixels[(y * run->w + x) * run->c + c] =
                    (uint8_t)(220 * light * (c == label % 3 || run->c == 1 ? 1 : 0.5) + 30 * draw_unit());
        }
}

static inline void fake_samples(const fake_run *run, fake_data *data) {
    dcnn_dataset *d = &data->dataset;
    const int64_t values = (int64_t)run->h * run->w * run->c;
    d->count = FAKE_TRAIN + run->test;
    uint8_t *pixels = calloc((size_t)(d->count * values), 1);
    int32_t *labels = calloc((size_t)d->count, sizeof *labels);
    for (int64_t i = 0; i < d->count; i++) {
        labels[i] = (int32_t)draw_below((uint32_t)run->classes);
        fake_image(run, labels[i], pixels + i * values);
    }
    d->split_count = 2;
    snprintf(d->splits[0].name, sizeof d->splits[0].name, "train");
    snprintf(d->splits[1].name, sizeof d->splits[1].name, "test");
    d->splits[0].count = FAKE_TRAIN;
    d->splits[1].count = run->test;
    for (int s = 0; s < 2; s++) {
        d->splits[s].rows = calloc((size_t)d->splits[s].count + 1, sizeof(int64_t));
        for (int64_t i = 0; i < d->splits[s].count; i++) d->splits[s].rows[i] = s * FAKE_TRAIN + i;
    }
    uint8_t *augmented = calloc((size_t)(FAKE_AUGMENTED * FAKE_COPIES * values), 1);
    for (int i = 0; i < FAKE_AUGMENTED * FAKE_COPIES; i++)
        fake_image(run, labels[i / FAKE_COPIES], augmented + i * values);
    data->report.pixels = pixels;
    data->report.labels = labels;
    data->report.augmented = augmented;
    static int64_t samples[FAKE_AUGMENTED];
    static const char *names[FAKE_AUGMENTED];
    for (int i = 0; i < FAKE_AUGMENTED; i++) samples[i] = i;
    names[FAKE_AUGMENTED - 1] = "horizontal-flip 0.5";
    data->report.augmented_rows = FAKE_AUGMENTED;
    data->report.augmented_samples = samples;
    data->report.augmented_names = names;
    data->report.augmented_copies = FAKE_COPIES;
    data->report.split = &d->splits[1];
}

/* Right with probability `skill`, else often the next class; confidence from 1/classes to 1. */
static inline void fake_predictions(const fake_run *run, fake_data *data) {
    const int n = run->classes;
    float *probabilities = calloc((size_t)(run->test * n) + 1, sizeof *probabilities);
    int64_t *confusion = calloc((size_t)(n * n), sizeof *confusion);
    for (int i = 0; i < run->test; i++) {
        const int label = data->report.labels[FAKE_TRAIN + i];
        const int other = draw_below(2) ? (label + 1) % n : (int)draw_below((uint32_t)n);
        const int said = draw_unit() < run->skill ? label : other;
        const double sure = 1.02 / n + (1 - 1.02 / n) * pow(draw_unit(), 0.15);
        for (int k = 0; k < n; k++) probabilities[i * n + k] = (float)((1 - sure) / (n - 1));
        probabilities[i * n + said] = (float)sure;
        confusion[label * n + said]++;
    }
    data->report.probabilities = probabilities;
    data->report.confusion = confusion;
    data->report.loss = 0.0312;
}

static inline void fake_create(const fake_run *run, fake_data *data) {
    *data = (fake_data){0};
    dcnn_dataset *d = &data->dataset;
    d->path = strdup("data/<made & up>.h5");
    d->source = strdup("made up by the tests");
    d->source_checksum = strdup("0123456789abcdef");
    d->h = run->h;
    d->w = run->w;
    d->c = run->c;
    d->class_count = run->classes;
    d->class_names = calloc((size_t)run->classes, sizeof(char *));
    for (int i = 0; i < run->classes; i++)
        assert_true(asprintf(&d->class_names[i],
                             run->long_names ? "%c%d the Größte Schmetterling <of> the Alps" : "%c%d", 'a' + i % 26,
                             i) > 0);
    fake_samples(run, data);
    fake_predictions(run, data);
    data->model.net = fake_net(run);
    data->model.resumable = true;
    data->model.progress.epoch = run->epochs;
    data->model.progress.best_epoch = run->epochs > 2 ? run->epochs - 2 : run->epochs;
    data->record = json_pack("{s:s, s:i, s:{s:b, s:f, s:n}}", "dcnn", "0.1.0", "ranks", 2, "options", "augment", 1,
                             "learning-rate", 0.001, "model");
    data->report.name = run->name;
    data->report.history = fake_history(run);
    data->report.record = data->record;
    data->report.model_path = "runs/fake/best.h5";
    data->report.model = &data->model;
    data->report.dataset = d;
}

static inline void fake_free(fake_data *data) {
    free((void *)(uintptr_t)data->report.pixels);
    free((void *)(uintptr_t)data->report.labels);
    free((void *)(uintptr_t)data->report.augmented);
    free((void *)(uintptr_t)data->report.probabilities);
    free((void *)(uintptr_t)data->report.confusion);
    free((void *)(uintptr_t)data->report.history);
    dcnn_checkpoint_free(&data->model);
    dcnn_dataset_free(&data->dataset);
    json_decref(data->record);
}

#endif
