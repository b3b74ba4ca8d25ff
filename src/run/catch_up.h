/* SPDX-License-Identifier: BSD-3-Clause */
/** @file catch_up.h — the end of an epoch is one step: what a killed one left undone. */
#ifndef DCNN_RUN_CATCH_UP_H
#define DCNN_RUN_CATCH_UP_H

#include "run/trainer.h"

/**
 * After a resume: makes best.h5, the metrics and the list of checkpoints what they would be if the run had not ended
 * after its checkpoint was written. best.h5 is remade from the checkpoint if that is the best epoch's; if the best
 * epoch's weights are lost (somebody removed or changed best.h5), that is told, and the best is looked for anew.
 * *Collective.*
 * @return DCNN_OK; DCNN_FAILURE (best.h5 cannot be read, disk full)
 */
dcnn_status dcnn_trainer_catch_up(dcnn_trainer *trainer);

#endif
