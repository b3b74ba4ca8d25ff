/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file elastic.h — going on with the ranks that are left (`--elastic`).
 *
 * Each rank holds the whole state, so nothing is lost with a rank but the step in progress: those who are left take it
 * back, agree on the newest state among them, share the grains anew and do the step again. The sums follow the same
 * tree (law 2), so the weights are those of a run that nobody disturbed.
 */
#ifndef DCNN_RUN_ELASTIC_H
#define DCNN_RUN_ELASTIC_H

#include "run/trainer.h"

/** After a step, and after an epoch's end: remembers what the next ones change besides weights and moments. *Local.*
 * @return DCNN_OK; DCNN_FAILURE (memory) */
dcnn_status dcnn_trainer_remember(dcnn_trainer *trainer);

/**
 * After a call on an elastic comm has failed because it broke: a trainer of the ranks that are left, in place of the
 * old one, ready for the step that failed. *Collective* of those.
 * @return DCNN_OK; another status if the new one cannot be set up
 */
dcnn_status dcnn_trainer_go_on(dcnn_trainer **trainer);

#endif
