/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzzer.c — libFuzzer's two functions for the target that $DCNN_FUZZ names (tools/fuzz). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "kernels/kernels.h"

/* No kernel is built for fuzzing; comm/ asks which would be used. */
dcnn_status dcnn_isa_choose(dcnn_isa *isa) {
    *isa = DCNN_ISA_REFERENCE;
    return DCNN_OK;
}

int LLVMFuzzerInitialize(int *count, char ***words);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static const fuzz_target *target;

int LLVMFuzzerInitialize(int *count, char ***words) {
    (void)count;
    (void)words;
    const char *wish = getenv("DCNN_FUZZ");
    for (target = fuzz_targets; target->name && wish && strcmp(target->name, wish) != 0;) target++;
    if (wish && target->name) return 0;
    fprintf(stderr, "fuzz: set DCNN_FUZZ to one of:");
    for (target = fuzz_targets; target->name; target++) fprintf(stderr, " %s", target->name);
    fprintf(stderr, "\n");
    exit(2);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    target->run(bytes, length);
    return 0;
}
