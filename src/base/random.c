/* SPDX-License-Identifier: BSD-3-Clause */
/* random.c — Philox behind our own argument list, and a table-free permutation. */
#include "base/random.h"

#include <math.h>

#include <Random123/philox.h>

dcnn_random_bits dcnn_random(uint64_t seed, dcnn_random_purpose purpose, uint32_t stream, int64_t sample,
                             uint32_t index) {
    philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    philox4x32_ctr_t counter = {
        {(uint32_t)sample, (uint32_t)((uint64_t)sample >> 32), (uint32_t)purpose << 24 | (stream & 0xffffffu), index}};
    philox4x32_ctr_t bits = philox4x32(counter, key);
    return (dcnn_random_bits){{bits.v[0], bits.v[1], bits.v[2], bits.v[3]}};
}

double dcnn_random_normal(uint32_t word0, uint32_t word1) {
    double u = ((double)word0 + 1.0) * 0x1p-32; /* (0, 1]: the logarithm stays finite */
    double angle = 2.0 * 3.14159265358979323846 * dcnn_random_unit(word1);
    return sqrt(-2.0 * log(u)) * cos(angle);
}

int64_t dcnn_random_permute(uint64_t seed, dcnn_random_purpose purpose, uint32_t stream, int64_t count,
                            int64_t position) {
    int half_bits = 1;
    while (half_bits < 31 && ((int64_t)1 << (2 * half_bits)) < count) half_bits++;
    const uint32_t mask = (uint32_t)((1u << half_bits) - 1u);
    uint64_t value = (uint64_t)position;
    do {
        uint32_t left = (uint32_t)(value >> half_bits), right = (uint32_t)value & mask;
        for (uint32_t round = 0; round < 6; round++) { /* 4 would do for Luby and Rackoff; small domains like more */
            uint32_t mixed = dcnn_random(seed, purpose, stream, right, round).word[0] & mask;
            uint32_t next = left ^ mixed;
            left = right;
            right = next;
        }
        value = (uint64_t)left << half_bits | right;
    } while (value >= (uint64_t)count);
    return (int64_t)value;
}
