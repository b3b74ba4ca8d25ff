/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzzer.c — libFuzzer's two functions for the target that $DCNN_FUZZ names (tools/fuzz). */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "fuzz.h"
#include "kernels/kernels.h"

/* No kernel is built for fuzzing; comm/ asks which would be used. */
dcnn_status dcnn_isa_choose(dcnn_isa *isa) {
    *isa = DCNN_ISA_REFERENCE;
    return DCNN_OK;
}

bool dcnn_isa_agrees(const char *name) {
    (void)name;
    return false;
}

int LLVMFuzzerInitialize(int *count, char ***words);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static const fuzz_target *target;

/* libFuzzer's own limit is time by the wall, which passes on a busy machine, too. */
static void end_slow(int number) {
    static const char text[] = "fuzz: broken: no end after a minute of the processor's time\n";
    (void)number;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) _exit(1);
    abort();
}

int LLVMFuzzerInitialize(int *count, char ***words) {
    (void)count;
    (void)words;
    const char *wish = getenv("DCNN_FUZZ");
    for (target = fuzz_targets; target->name && wish && strcmp(target->name, wish) != 0;) target++;
    signal(SIGVTALRM, end_slow);
    if (wish && target->name) return 0;
    fprintf(stderr, "fuzz: set DCNN_FUZZ to one of:");
    for (target = fuzz_targets; target->name; target++) fprintf(stderr, " %s", target->name);
    fprintf(stderr, "\n");
    exit(2);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    const struct itimerval most = {.it_value.tv_sec = 60}, none = {0};
    setitimer(ITIMER_VIRTUAL, &most, NULL);
    target->run(bytes, length);
    setitimer(ITIMER_VIRTUAL, &none, NULL);
    return 0;
}
