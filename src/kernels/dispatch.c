/* SPDX-License-Identifier: BSD-3-Clause */
/* dispatch.c — one table an instruction set: the reference, overwritten by whatever is faster. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/bf16.h"
#include "kernels/register.h"

#define NAME(id, name, ...)                             #name,
#define JOINED(id, name, ...)                           ", " #name
#define AGREES(id, name, vectors, agrees, ...)          agrees,
#define CORE(id, name, vectors, agrees, cpu, core, ...) core,
static const char *const names[DCNN_ISA_COUNT] = {"reference", DCNN_ISAS(NAME)};
static const bool agreeing[DCNN_ISA_COUNT] = {false, DCNN_ISAS(AGREES)};
static const char *const cores[DCNN_ISA_COUNT] = {"", DCNN_ISAS(CORE)};
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

#define FILL_PART(part, isa) dcnn_register_##part##_##isa(table);
/* A function that registers is compiled for its instruction set, as all of its file: a CPU without it must not call it.
 */
#define FILL(id, isa, vectors, ...)                                                                                    \
    DCNN_WHEN_BUILT(                                                                                                   \
        id, if (dcnn_isa_runs(DCNN_ISA_##id)) {                                                                        \
            for (int i = 0; i < DCNN_PRECISION_COUNT; i++) {                                                           \
                dcnn_kernels *table = fill_common(DCNN_ISA_##id, (dcnn_precision)i);                                   \
                DCNN_SIMD_PARTS(FILL_PART, vectors)                                                                    \
                if (i == DCNN_BF16) dcnn_register_bf16_##isa(table);                                                   \
            }                                                                                                          \
        })

static void fill_tables(void) {
    for (int i = 0; i < DCNN_PRECISION_COUNT; i++) fill_common(DCNN_ISA_REFERENCE, (dcnn_precision)i);
    dcnn_register_bf16_reference(&tables[DCNN_ISA_REFERENCE][DCNN_BF16]);
    DCNN_ISAS(FILL)
}

const char *dcnn_isa_name(dcnn_isa isa) {
    return names[isa];
}

const char *dcnn_isa_core(dcnn_isa isa) {
    return cores[isa];
}

const char *dcnn_precision_name(dcnn_precision precision) {
    return precisions[precision];
}

/* Has this CPU what `isa` adds to those before it that agree? */
#define CPU(feature)                               __builtin_cpu_supports(#feature)
#define ADDED(id, name, vectors, agrees, cpu, ...) DCNN_WHEN_BUILT(id, if (isa == DCNN_ISA_##id) return cpu;)
static bool cpu_has(dcnn_isa isa) {
#if defined(__x86_64__)
    __builtin_cpu_init();
#endif
    DCNN_ISAS(ADDED)
    return false;
}

dcnn_isa dcnn_isa_best(void) {
    dcnn_isa best = DCNN_ISA_REFERENCE;
    for (int isa = DCNN_ISA_REFERENCE + 1; isa < DCNN_ISA_COUNT; isa++) {
        if (!agreeing[isa]) continue;
        if (!cpu_has((dcnn_isa)isa)) break;
        best = (dcnn_isa)isa;
    }
    return best;
}

bool dcnn_isa_agrees(const char *name) {
    for (int isa = 0; isa < DCNN_ISA_COUNT; isa++)
        if (agreeing[isa] && strcmp(name, names[isa]) == 0) return true;
    return false;
}

bool dcnn_isa_runs(dcnn_isa isa) {
    const dcnn_isa best = dcnn_isa_best();
    if (agreeing[isa] || isa == DCNN_ISA_REFERENCE) return isa <= best;
    int before = (int)isa - 1;
    while (!agreeing[before]) before--;
    return before <= (int)best && cpu_has(isa);
}

/* "reference, generic, avx2": all that run here. */
static const char *list_names(char *text) {
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
    char possible[sizeof "reference" DCNN_ISAS(JOINED)];
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
