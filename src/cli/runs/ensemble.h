/* SPDX-License-Identifier: BSD-3-Clause */
/** @file ensemble.h — `dcnn train --ensemble K`: K trainings side by side, and one model of them all. */
#ifndef DCNN_CLI_ENSEMBLE_H
#define DCNN_CLI_ENSEMBLE_H

#include "cli/cli.h"

/**
 * Trains K networks in FOLDER/member-1 to member-K, from the seed given and those behind it: each is the very run that
 * its seed alone would be. Then writes FOLDER/best.h5, one model that averages them (nn/nets/ensemble.h), and tests it.
 * *Collective.*
 */
dcnn_status dcnn_train_ensemble(dcnn_cli *cli, const dcnn_run *run);

/**
 * Takes over what an ensemble was started with, and which of it had been said, so that members that have yet to begin
 * choose the rest as those before them did. *Local.*
 * @param record   run.json of its folder; of another run, or NULL: nothing is done
 * @param run      of that folder; as `record`, it has to outlive the options
 * @return DCNN_OK, or as dcnn_options_resume()
 */
dcnn_status dcnn_ensemble_take_up(const json_t *record, dcnn_run *run, dcnn_options *options);

#endif
