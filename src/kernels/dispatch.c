/* SPDX-License-Identifier: BSD-3-Clause */
/* dispatch.c — one table an instruction set: the reference, overwritten by whatever is faster. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/bf16.h"
#include "kernels/register.h"

static const char *const names[DCNN_ISA_COUNT] = {"reference", "generic", "avx2", "avx512", "avx512_bf16", "amx"};
static const char *const precisions[DCNN_PRECISION_COUNT] = {"fp32", "bf16"};
static dcnn_kernels tables[DCNN_ISA_COUNT][DCNN_PRECISION_COUNT];

static dcnn_kernels *fill_common(dcnn_isa isa, dcnn_precision precision) {
    dcnn_kernels *table = &tables[isa][precision];
    table->isa = names[isa];
    table->precision = precisions[precision];
    table->bf16 = &tables[isa][DCNN_BF16];
    dcnn_register_reference(table);
    dcnn_register_reference_conv(table);
    dcnn_register_reference_norm(table);
    dcnn_register_reference_functions(table);
    dcnn_register_reference_conv_general(table);
    if (isa == DCNN_ISA_REFERENCE) return table;
    dcnn_register_blas(table);
    return table;
}

#define FILL_SIMD(isa, precision, name)                                                                                \
    do {                                                                                                               \
        dcnn_kernels *table_ = fill_common(isa, precision);                                                            \
        dcnn_register_dense_##name(table_);                                                                            \
        dcnn_register_conv_##name(table_);                                                                             \
        dcnn_register_functions_##name(table_);                                                                        \
        dcnn_register_activations_##name(table_);                                                                      \
        dcnn_register_pointwise_##name(table_);                                                                        \
        dcnn_register_conv_general_##name(table_);                                                                     \
        dcnn_register_norm_relu_##name(table_);                                                                        \
        dcnn_register_pooling_##name(table_);                                                                          \
        dcnn_register_sgemm_##name(table_);                                                                            \
        dcnn_register_conv_pool_##name(table_);                                                                        \
        dcnn_register_conv_max_##name(table_);                                                                         \
        dcnn_register_probe_##name(table_);                                                                            \
    } while (0)

/* A function that registers is compiled for its instruction set, as all of its file: a CPU without it must not call it.
 */
static void fill_tables(void) {
#if defined(__x86_64__)
    const dcnn_isa best = dcnn_isa_best();
#endif
    for (int i = 0; i < DCNN_PRECISION_COUNT; i++) {
        const dcnn_precision precision = (dcnn_precision)i;
        fill_common(DCNN_ISA_REFERENCE, precision);
        FILL_SIMD(DCNN_ISA_GENERIC, precision, generic);
#if defined(__x86_64__)
        if (best >= DCNN_ISA_AVX2) FILL_SIMD(DCNN_ISA_AVX2, precision, avx2);
        if (best >= DCNN_ISA_AVX512) FILL_SIMD(DCNN_ISA_AVX512, precision, avx512);
        if (dcnn_isa_runs(DCNN_ISA_AVX512_BF16)) FILL_SIMD(DCNN_ISA_AVX512_BF16, precision, avx512);
        if (best >= DCNN_ISA_AMX) FILL_SIMD(DCNN_ISA_AMX, precision, avx512);
#endif
    }
    dcnn_register_bf16_reference(&tables[DCNN_ISA_REFERENCE][DCNN_BF16]);
    dcnn_register_bf16_generic(&tables[DCNN_ISA_GENERIC][DCNN_BF16]);
#if defined(__x86_64__)
    if (best >= DCNN_ISA_AVX2) dcnn_register_bf16_avx2(&tables[DCNN_ISA_AVX2][DCNN_BF16]);
    if (best >= DCNN_ISA_AVX512) dcnn_register_bf16_avx512(&tables[DCNN_ISA_AVX512][DCNN_BF16]);
#endif
#if defined(DCNN_HAS_AMX)
    if (dcnn_isa_runs(DCNN_ISA_AVX512_BF16)) dcnn_register_bf16_avx512_bf16(&tables[DCNN_ISA_AVX512_BF16][DCNN_BF16]);
    if (best >= DCNN_ISA_AMX) dcnn_register_bf16_amx(&tables[DCNN_ISA_AMX][DCNN_BF16]);
#endif
}

const char *dcnn_isa_name(dcnn_isa isa) {
    return names[isa];
}

const char *dcnn_precision_name(dcnn_precision precision) {
    return precisions[precision];
}

dcnn_isa dcnn_isa_best(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
#if defined(DCNN_HAS_AMX)
        if (__builtin_cpu_supports("avx512bf16") && dcnn_amx_permitted()) return DCNN_ISA_AMX;
#endif
        return DCNN_ISA_AVX512;
    }
    if (avx2) return DCNN_ISA_AVX2;
#endif
    return DCNN_ISA_GENERIC;
}

bool dcnn_isa_agrees(const char *name) {
    for (int isa = DCNN_ISA_GENERIC; isa < DCNN_ISA_COUNT; isa++)
        if (isa != DCNN_ISA_AVX512_BF16 && strcmp(name, names[isa]) == 0) return true;
    return false;
}

bool dcnn_isa_runs(dcnn_isa isa) {
    if (isa != DCNN_ISA_AVX512_BF16) return isa <= dcnn_isa_best();
#if defined(DCNN_HAS_AMX)
    return dcnn_isa_best() >= DCNN_ISA_AVX512 && __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

/* "reference, generic, avx2": all that run here. */
static const char *list_names(char text[64]) {
    text[0] = '\0';
    for (int isa = 0; isa < DCNN_ISA_COUNT; isa++) {
        if (!dcnn_isa_runs((dcnn_isa)isa)) continue;
        if (isa > 0) strcat(text, ", ");
        strcat(text, names[isa]);
    }
    return text;
}

dcnn_status dcnn_isa_choose(dcnn_isa *isa) {
    const char *wish = getenv("DCNN_ISA");
    char possible[64];
    *isa = dcnn_isa_best();
    if (wish == NULL || *wish == '\0') return DCNN_OK;
    for (int candidate = 0; candidate < DCNN_ISA_COUNT; candidate++) {
        if (strcmp(wish, names[candidate]) != 0) continue;
        if (!dcnn_isa_runs((dcnn_isa)candidate))
            return DCNN_FAIL(DCNN_USAGE, "DCNN_ISA=%s: this CPU cannot run it; unset DCNN_ISA or choose one of %s",
                             wish, list_names(possible));
        *isa = (dcnn_isa)candidate;
        return DCNN_OK;
    }
    return DCNN_FAIL(DCNN_USAGE, "DCNN_ISA=%.40s: no such instruction set; unset DCNN_ISA or choose one of %s", wish,
                     list_names(possible));
}

const dcnn_kernels *dcnn_kernels_of(dcnn_isa isa) {
    return dcnn_kernels_for(isa, DCNN_FP32);
}

const dcnn_kernels *dcnn_kernels_for(dcnn_isa isa, dcnn_precision precision) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fill_tables);
    return &tables[isa][precision];
}
