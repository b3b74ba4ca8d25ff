/* SPDX-License-Identifier: BSD-3-Clause */
/** @file data_settings.h — options of a training that are chosen by its data where the user has chosen nothing. */
#ifndef DCNN_CLI_DATA_SETTINGS_H
#define DCNN_CLI_DATA_SETTINGS_H

#include "cli/cli.h"

/** What is known of the data; the same on every rank. */
typedef struct dcnn_data_facts {
    int channels; /**< 0: the data set could not be opened, nothing is known */
    dcnn_augment_kind kind;
    bool numbers;        /**< to be predicted: of where something is, perhaps, so that nothing may be moved unasked */
    int64_t train_count; /**< training images an epoch, those that --oversample repeats as often */
} dcnn_data_facts;

/** What is known of an opened data set. *Local.* @param loss  as the user names it (run/data/task.h) */
dcnn_data_facts dcnn_data_facts_of(const dcnn_dataset *dataset, const char *loss, bool oversample);

/** Tells all ranks about the data. *Collective.* @param dataset  on rank 0, opened, or NULL; else NULL
 * @param loss  as the user names it (run/data/task.h) */
dcnn_data_facts dcnn_data_facts_share(dcnn_comm *comm, const dcnn_dataset *dataset, const char *loss, bool oversample);

/** Steps of an epoch; of the whole run. *Local.* */
int64_t dcnn_data_facts_epoch_steps(const dcnn_data_facts *facts, const dcnn_options *options);
int64_t dcnn_data_facts_steps(const dcnn_data_facts *facts, const dcnn_options *options);

/**
 * Of own data for the recipe's network, with no choice of --batch-size, --accumulate or --grain: halves the batch, down
 * to 16 images, until an epoch has 16 steps. By the data alone, never by ranks or threads. Before
 * dcnn_data_settings_apply(), which counts steps; not for a resumed run. *Local.* @return whether it did
 */
bool dcnn_data_settings_shrink(const dcnn_data_facts *facts, dcnn_options *options);

/**
 * Sets the options that follow from the data. Not for a resumed run: it has its own. *Local.*
 *
 * The recipe's network on own data gets a momentum of BatchNormalization that suits the number of steps.
 * @return whether that momentum is another than the network's own
 */
bool dcnn_data_settings_apply(const dcnn_data_facts *facts, dcnn_options *options);

/**
 * Of a run with large steps and no choice of optimizer, learning rate, --lr-scale or --warmup: scales the rate by the
 * root of the step, after a warm-up. Not for a resumed run. *Local.* @return whether it did
 */
bool dcnn_data_settings_grow(const dcnn_data_facts *facts, dcnn_options *options);

/** Refuses options that such data cannot use. *Local.* @return DCNN_OK, DCNN_USAGE */
dcnn_status dcnn_data_settings_check(const dcnn_data_facts *facts, const dcnn_options *options);

/** "horizontal-flip 0.5, crop-range 0.125: taken for photographs; …": the changes of training images; "" if they are
 * the recipe's. *Local.* */
const char *dcnn_data_settings_text(const dcnn_data_facts *facts, const dcnn_options *options, char text[512]);

#endif
