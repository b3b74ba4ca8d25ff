/* SPDX-License-Identifier: BSD-3-Clause */
/* data_settings.c — see data_settings.h. */
#include "cli/settings/data_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "io/dataset/classes.h"
#include "run/starting_net.h"
#include "run/data/task.h"

static bool is_given(int row, const dcnn_options *options) {
    return dcnn_option_given(DCNN_COMMAND_TRAIN, dcnn_augment_table[row].option, options);
}

/* Training images an epoch; trouble with labels is for others to tell. */
static int64_t count_drawn(const dcnn_dataset *d, const dcnn_split *train, bool oversample) {
    int64_t count = train->count;
    int32_t *labels = oversample ? malloc((size_t)d->count * sizeof *labels) : NULL;
    dcnn_class_census census = {0};
    if (labels && dcnn_dataset_read_labels(d, labels) == DCNN_OK &&
        dcnn_class_census_take(d->class_count, train->count, labels, train->rows, &census) == DCNN_OK &&
        census.most >= 0)
        count = census.occurring * census.counts[census.most];
    dcnn_class_census_free(&census);
    free(labels);
    return count;
}

dcnn_data_facts dcnn_data_facts_of(const dcnn_dataset *dataset, const char *loss, bool oversample) {
    dcnn_task task = {0};
    const dcnn_split *train = dcnn_dataset_split(dataset, "train");
    dcnn_data_facts facts = {.channels = dataset->c,
                             .kind = dcnn_augment_guess(dataset->c, dataset->class_count, dataset->class_names),
                             .train_count = train ? count_drawn(dataset, train, oversample) : 0};
    if (dcnn_task_choose(loss, dataset, &task) == DCNN_OK) /* else training says why not */
        facts.numbers = task.values && task.loss != DCNN_LOSS_BINARY;
    return facts;
}

dcnn_data_facts dcnn_data_facts_share(dcnn_comm *comm, const dcnn_dataset *dataset, const char *loss, bool oversample) {
    dcnn_data_facts facts = {0};
    if (dataset) facts = dcnn_data_facts_of(dataset, loss, oversample);
    dcnn_comm_broadcast(comm, &facts, sizeof facts);
    return facts;
}

int64_t dcnn_data_facts_epoch_steps(const dcnn_data_facts *facts, const dcnn_options *options) {
    const int64_t samples = options->train.batch_size * options->train.accumulate;
    return (facts->train_count + samples - 1) / samples;
}

int64_t dcnn_data_facts_steps(const dcnn_data_facts *facts, const dcnn_options *options) {
    return options->train.epochs * dcnn_data_facts_epoch_steps(facts, options);
}

/* The built-in network on own data: what suits a model that was given is its owner's to know. */
static bool suits_itself(const dcnn_data_facts *facts, const dcnn_options *options) {
    return facts->train_count > 0 && options->operand_count > 0 && options->train.model == NULL;
}

/* An epoch of fewer steps is too few for Adam at its usual rate, a batch below these is no work for two cores:
 * docs/accuracy.md, "Few images". */
enum { EPOCH_STEPS = 16, SMALLEST_BATCH = 16 };

bool dcnn_data_settings_shrink(const dcnn_data_facts *facts, dcnn_options *options) {
    static const char *const choices[] = {"batch-size", "accumulate", "grain"};
    const int64_t usual = options->train.batch_size;
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++)
        if (dcnn_option_given(DCNN_COMMAND_TRAIN, choices[i], options)) return false;
    if (!suits_itself(facts, options)) return false;
    while (options->train.batch_size > SMALLEST_BATCH && dcnn_data_facts_epoch_steps(facts, options) < EPOCH_STEPS)
        options->train.batch_size /= 2;
    options->train.grain = dcnn_engine_grain(options->train.batch_size);
    return options->train.batch_size < usual;
}

bool dcnn_data_settings_apply(const dcnn_data_facts *facts, dcnn_options *options) {
    for (int row = 0; facts->channels > 0 && row < DCNN_AUGMENT_COUNT; row++) {
        const dcnn_augment_row *about = &dcnn_augment_table[row];
        if (!is_given(row, options))
            (void)dcnn_option_set(dcnn_option_find(DCNN_COMMAND_TRAIN, about->option),
                                  facts->numbers ? "0" : about->suited[facts->kind], options);
    }
    if (!suits_itself(facts, options) || options->train.exact_statistics || options->ema > 0.0 ||
        dcnn_option_given(DCNN_COMMAND_TRAIN, "bn-momentum", options))
        return false;
    const double momentum = dcnn_momentum_for(dcnn_data_facts_steps(facts, options));
    if (momentum >= 0.99) return false;
    options->train.bn_momentum = momentum;
    return true;
}

/* From here on Adam at its usual rate takes too few steps to learn as much (docs/large-batches.md). */
enum { LARGE_STEP = 512, VERY_LARGE_STEP = 1024 };

bool dcnn_data_settings_grow(const dcnn_data_facts *facts, dcnn_options *options) {
    static const char *const choices[] = {"lr-scale", "learning-rate", "warmup", "optimizer"};
    const int64_t samples = options->train.batch_size * options->train.accumulate;
    const int64_t epochs = samples < VERY_LARGE_STEP ? 1 : 2;
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++)
        if (dcnn_option_given(DCNN_COMMAND_TRAIN, choices[i], options)) return false;
    if (samples < LARGE_STEP || samples > facts->train_count || options->train.epochs <= epochs) return false;
    options->lr_scale = "sqrt";
    if (strcmp(options->schedule, "one-cycle") != 0) options->warmup = (double)epochs; /* that one has its own */
    return true;
}

dcnn_status dcnn_data_settings_check(const dcnn_data_facts *facts, const dcnn_options *options) {
    for (int row = 0; facts->channels > 0 && row < DCNN_AUGMENT_COUNT; row++)
        if (is_given(row, options) && dcnn_augment_value(&options->train.ranges, row) > 0 &&
            !dcnn_augment_suits(row, facts->channels))
            return DCNN_FAIL(DCNN_USAGE, "--%s is for images with three channels, but these have %d: leave it out",
                             dcnn_augment_table[row].option, facts->channels);
    return DCNN_OK;
}

const char *dcnn_data_settings_text(const dcnn_data_facts *facts, const dcnn_options *options, char text[512]) {
    size_t used = 0;
    bool given = false, usual = true;
    text[0] = '\0';
    for (int row = 0; row < DCNN_AUGMENT_COUNT; row++) {
        const double value = dcnn_augment_value(&options->train.ranges, row);
        const bool beside = !dcnn_augment_table[row].alone; /* of the row above */
        given = given || is_given(row, options);
        usual = usual && value == strtod(dcnn_augment_table[row].suited[DCNN_AUGMENT_RECIPE], NULL);
        if (value > 0 && used < 400 && (!beside || dcnn_augment_value(&options->train.ranges, row - 1) > 0))
            used += (size_t)snprintf(text + used, 512 - used, "%s%s %g", used > 0 ? ", " : "",
                                     dcnn_augment_table[row].option, value);
    }
    if (usual) text[0] = '\0';
    if (used == 0 && facts->numbers && !given)
        snprintf(text, 512,
                 "nothing: the numbers may say where something is, or how bright; --horizontal-flip 0.5 and the like "
                 "where they do not");
    else if (used == 0)
        snprintf(text, 512, "nothing: every range is 0");
    if (!usual && !given && !facts->numbers && facts->kind == DCNN_AUGMENT_PHOTOS)
        snprintf(text + used, 512 - used, ": taken for photographs; --horizontal-flip 0 if left and right matter");
    return text;
}
