/* SPDX-License-Identifier: BSD-3-Clause */
/** @file phases.h — the phases behind the first one of a training, from --then. */
#ifndef DCNN_CLI_PHASES_H
#define DCNN_CLI_PHASES_H

#include "cli/options.h"

/** Later phases. Owned; free with dcnn_phases_free(). */
typedef struct dcnn_phases {
    int count;
    dcnn_options *options; /**< [count] of each; texts point into words, and into what the first phase's point into */
    char **words;          /**< [count] */
} dcnn_phases;

/**
 * Reads `options->then`, such as "epochs=5 learning-rate=1e-5 unfreeze=block_1* no-augment": what is not named is as in
 * the phase before, but for the layers frozen there, which stay as they are. *Local.*
 * @param options  of the first phase, as it runs
 * @return DCNN_OK; DCNN_USAGE, with the word that is no good; DCNN_FAILURE (memory)
 */
dcnn_status dcnn_phases_read(const dcnn_options *options, dcnn_phases *phases);
void dcnn_phases_free(dcnn_phases *phases);

#endif
