/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file judged.h — the weights that an epoch is judged by, and that best.h5 has: those that training moves, or their
 * averages (`--ema`), with BatchNormalization's statistics as training left them, or made anew (`--exact-statistics`,
 * and for averages always: the moving ones are not theirs).
 */
#ifndef DCNN_RUN_JUDGED_H
#define DCNN_RUN_JUDGED_H

#include "run/trainer.h"

/**
 * At an epoch's end: makes the statistics that are wanted. With averaged weights these, and their statistics, are in
 * the net then, until dcnn_trainer_exchange(). *Collective.*
 * @return DCNN_OK; what the data's feed says
 */
dcnn_status dcnn_trainer_judge(dcnn_trainer *trainer);

/** Exchanges the weights, with their statistics, and the averaged ones, with theirs; without such nothing happens.
 * *Collective.* */
void dcnn_trainer_exchange(dcnn_trainer *trainer);

#endif
