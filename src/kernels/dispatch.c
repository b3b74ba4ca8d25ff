/* SPDX-License-Identifier: BSD-3-Clause */
/* dispatch.c — one table an instruction set: the reference, overwritten by whatever is faster. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/register.h"

static const char *const names[DCNN_ISA_COUNT] = {"reference", "generic", "avx2", "avx512"};
static dcnn_kernels tables[DCNN_ISA_COUNT];

static dcnn_kernels *fill_common(dcnn_isa isa) {
    dcnn_kernels *table = &tables[isa];
    table->isa = names[isa];
    dcnn_register_reference(table);
    dcnn_register_reference_conv(table);
    dcnn_register_reference_functions(table);
    dcnn_register_reference_conv_general(table);
    if (isa == DCNN_ISA_REFERENCE) return table;
    dcnn_register_blas(table);
    return table;
}

#define FILL_SIMD(isa, name)                                                                                           \
    do {                                                                                                               \
        dcnn_kernels *table_ = fill_common(isa);                                                                       \
        dcnn_register_conv_##name(table_);                                                                             \
        dcnn_register_activations_##name(table_);                                                                      \
        dcnn_register_pointwise_##name(table_);                                                                        \
        dcnn_register_conv_general_##name(table_);                                                                     \
        dcnn_register_pooling_##name(table_);                                                                          \
        dcnn_register_conv_pool_##name(table_);                                                                        \
        dcnn_register_probe_##name(table_);                                                                            \
    } while (0)

static void fill_tables(void) {
    fill_common(DCNN_ISA_REFERENCE);
    FILL_SIMD(DCNN_ISA_GENERIC, generic);
#if defined(__x86_64__)
    FILL_SIMD(DCNN_ISA_AVX2, avx2);
    FILL_SIMD(DCNN_ISA_AVX512, avx512);
#endif
}

const char *dcnn_isa_name(dcnn_isa isa) {
    return names[isa];
}

dcnn_isa dcnn_isa_best(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return DCNN_ISA_AVX512;
    if (avx2) return DCNN_ISA_AVX2;
#endif
    return DCNN_ISA_GENERIC;
}

/* "reference, generic, avx2": all up to `last`. */
static const char *list_names(dcnn_isa last, char text[64]) {
    text[0] = '\0';
    for (int isa = 0; isa <= (int)last; isa++) {
        if (isa > 0) strcat(text, ", ");
        strcat(text, names[isa]);
    }
    return text;
}

dcnn_status dcnn_isa_choose(dcnn_isa *isa) {
    const dcnn_isa best = dcnn_isa_best();
    const char *wish = getenv("DCNN_ISA");
    char possible[64];
    *isa = best;
    if (wish == NULL || *wish == '\0') return DCNN_OK;
    for (int candidate = 0; candidate < DCNN_ISA_COUNT; candidate++) {
        if (strcmp(wish, names[candidate]) != 0) continue;
        if (candidate > (int)best)
            return DCNN_FAIL(DCNN_USAGE, "DCNN_ISA=%s: this CPU cannot run it; unset DCNN_ISA or choose one of %s",
                             wish, list_names(best, possible));
        *isa = (dcnn_isa)candidate;
        return DCNN_OK;
    }
    return DCNN_FAIL(DCNN_USAGE, "DCNN_ISA=%.40s: no such instruction set; unset DCNN_ISA or choose one of %s", wish,
                     list_names(best, possible));
}

const dcnn_kernels *dcnn_kernels_of(dcnn_isa isa) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fill_tables);
    return &tables[isa];
}
