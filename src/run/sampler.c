/* SPDX-License-Identifier: BSD-3-Clause */
/* sampler.c — see sampler.h. */
#include "run/sampler.h"

#include "base/random.h"

void dcnn_sampler_rows(const dcnn_sampler *sampler, uint32_t epoch, int64_t first, int64_t n, int64_t *rows) {
    for (int64_t i = 0; i < n; i++)
        rows[i] =
            sampler->rows[dcnn_random_permute(sampler->seed, DCNN_RANDOM_SHUFFLE, epoch, sampler->count, first + i)];
}
