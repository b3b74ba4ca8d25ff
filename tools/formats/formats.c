/* SPDX-License-Identifier: BSD-3-Clause */
/* formats.c — which number formats this CPU has, and how operands of 16 bits are laid out. */
#include "formats/formats_private.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* --- operands --------------------------------------------------------------------------------------------------- */

static uint16_t round_to_bf16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

static float widen_bf16(uint16_t half) {
    const uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

const dcnn_format_rounding dcnn_format_bf16 = {round_to_bf16, widen_bf16};

/* The parts of one value, `stride` apart. */
static void write_parts(const dcnn_format_rounding *rounding, size_t parts, float value, uint16_t *to, size_t stride) {
    for (size_t part = 0; part < parts; part++, to += stride) {
        *to = rounding->round(value);
        value -= rounding->widen(*to);
    }
}

void dcnn_format_pack_pairs(const dcnn_format_rounding *rounding, size_t parts, size_t depth, size_t columns,
                            const float *left, const float *right, uint16_t *packed_left, uint16_t *packed_right) {
    const size_t left_count = DCNN_FORMAT_ROWS * depth;
    for (size_t i = 0; i < left_count; i++) write_parts(rounding, parts, left[i], packed_left + i, left_count);
    for (size_t step = 0; step < depth; step++) {
        for (size_t j = 0; j < columns; j++) {
            uint16_t *to = packed_right + (j / 16 * depth / 2 + step / 2) * 32 + j % 16 * 2 + step % 2;
            write_parts(rounding, parts, right[step * columns + j], to, depth * columns);
        }
    }
}

/* --- the CPU ---------------------------------------------------------------------------------------------------- */

#if defined(__x86_64__)

/* Bits of CPUID's leaf 7: of the feature's subleaf, which may be 0 or 1. */
typedef struct feature {
    unsigned subleaf;
    enum { IN_EAX, IN_EDX } where;
    unsigned bit;
} feature;

static const feature avx512_fp16 = {0, IN_EDX, 23}, avx512_bf16 = {1, IN_EAX, 5}, amx_bf16 = {0, IN_EDX, 22},
                     amx_tile = {0, IN_EDX, 24}, amx_fp16 = {1, IN_EAX, 21};

static bool cpu_has(feature wanted) {
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid_count(7, wanted.subleaf, &eax, &ebx, &ecx, &edx)) return false;
    return ((wanted.where == IN_EAX ? eax : edx) >> wanted.bit & 1) != 0;
}

/* Does the system save the tiles, and may this process use them? Linux gives them only to who asks
 * (Documentation/arch/x86/xstate.rst). Needs AVX, so that XGETBV exists. */
static bool has_tiles(void) {
    enum { TILE_STATES = 3 << 17, REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    unsigned low, high;
    if (!cpu_has(amx_tile)) return false;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & TILE_STATES) == TILE_STATES && syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

static int add_family(dcnn_format_family *family, const dcnn_format **formats, int found) {
    int count = 0;
    const dcnn_format *all = family(&count);
    for (int i = 0; all != NULL && i < count; i++) formats[found++] = &all[i];
    return found;
}

int dcnn_formats_find(const dcnn_format **formats) {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl"))
        return 0;
    int found = add_family(dcnn_formats_fp32, formats, 0);
    if (cpu_has(avx512_fp16)) found = add_family(dcnn_formats_fp16, formats, found);
    if (cpu_has(avx512_bf16)) found = add_family(dcnn_formats_bf16, formats, found);
    if (has_tiles() && cpu_has(amx_bf16)) found = add_family(dcnn_formats_amx, formats, found);
    if (has_tiles() && cpu_has(amx_fp16)) found = add_family(dcnn_formats_amx_fp16, formats, found);
    return found;
}

#else

int dcnn_formats_find(const dcnn_format **formats) {
    (void)formats;
    return 0;
}

#endif
