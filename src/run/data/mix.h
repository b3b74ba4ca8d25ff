/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file mix.h — mixup and cutmix: the images of a grain, each mixed with another one of the grain.
 *
 * Sample i of n has sample n - 1 - i for its partner (the middle one of an odd number stays as it is), and keeps a
 * share of itself that is drawn from Beta(alpha, alpha), a pure function of (seed, epoch, sample). A grain is a run of
 * positions of the epoch's order, so nothing of it depends on ranks, threads or memory.
 *
 * - mixup (Zhang et al., "mixup: beyond empirical risk minimization", 2018): share * own + (1 - share) * partner
 * - cutmix (Yun et al., "CutMix", 2019): a box of a part 1 - share of the image, its middle anywhere in the image,
 * comes from the partner; what lies outside of the image is cut off, and the share is then what is left of the own one
 *
 * The loss has both classes, by their shares. Where both are wanted, each sample has one of them, as likely as the
 * other.
 */
#ifndef DCNN_RUN_MIX_H
#define DCNN_RUN_MIX_H

#include "run/data/augment.h"

/** Is any of them wanted? */
bool dcnn_mix_is_active(const dcnn_augment *ranges);

/** The images that are mixed, all of one grain. */
typedef struct dcnn_mix_grain {
    uint64_t seed;
    uint32_t epoch;
    int h, w, c, n;
    const int64_t *samples; /**< [n] their numbers */
    const int32_t *labels;  /**< [n] */
} dcnn_mix_grain;

/**
 * Mixes them. *Local.*
 * @param x       [n,h,w,c], changed in place
 * @param others  out [n] the partner's class
 * @param shares  out [n] of the own class, 0 to 1
 */
void dcnn_mix(const dcnn_augment *ranges, const dcnn_mix_grain *grain, float *x, int32_t *others, float *shares);

#endif
