/* SPDX-License-Identifier: BSD-3-Clause */
/* probe_simd.c — multiply-adds that never leave the registers: what a core can do at most. */
#include "kernels/register.h"
#include "kernels/simd/simd.h"

enum {
    V = SIMD_LANES,
    ACCUMULATORS = 12, /* more than latency x units of any core (4 x 2), and few enough for 16 registers */
    BLOCK = ACCUMULATORS * V,
};
_Static_assert(DCNN_PROBE % BLOCK == 0, "a probe is whole blocks");

static void probe(size_t rounds, float a, float b, float *c) {
    const simd_float factor = simd_splat(a), addend = simd_splat(b);
    for (float *block = c; block < c + DCNN_PROBE; block += BLOCK) {
        simd_float sums[ACCUMULATORS];
        for (int i = 0; i < ACCUMULATORS; i++) sums[i] = simd_load(block + i * V);
        for (size_t round = 0; round < rounds; round++) {
            _Pragma("GCC unroll 12") for (int i = 0; i < ACCUMULATORS; i++) sums[i] =
                simd_multiply_add(sums[i], factor, addend);
        }
        for (int i = 0; i < ACCUMULATORS; i++) simd_store(block + i * V, sums[i]);
    }
}

void DCNN_SIMD_NAME(dcnn_register_probe)(dcnn_kernels *table) {
    table->probe = probe;
}
