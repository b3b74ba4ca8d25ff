/* SPDX-License-Identifier: BSD-3-Clause */
/* sampler.c — see sampler.h. */
#include "run/sampler.h"

#include "base/random.h"

int dcnn_sampler_grain(const dcnn_sampler *sampler, uint32_t epoch, int64_t cursor, int64_t grain, int64_t *rows) {
    const int64_t batch = dcnn_sampler_batch(sampler, cursor), first = grain * sampler->grain;
    const int64_t count = batch - first < sampler->grain ? batch - first : sampler->grain;
    for (int64_t i = 0; i < count; i++)
        rows[i] = sampler->rows[dcnn_random_permute(sampler->seed, DCNN_RANDOM_SHUFFLE, epoch, sampler->count,
                                                    cursor + first + i)];
    return (int)count;
}
