/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzzer.c — libFuzzer's two functions for the target that $DCNN_FUZZ names (tools/fuzz). */
#include <pthread.h>
#include <sanitizer/allocator_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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

/* Child processes try files that HDF5 or libmatio may crash on (base/trial.h): how they end is the parent's to judge.
 * They are no findings, so libFuzzer does not hear of their deaths; nor of memory that their limits would refuse. */
static bool is_child;

static void forget_libfuzzer(void) {
    is_child = true;
    __sanitizer_set_death_callback(NULL);
}

static void hear_of_memory(const volatile void *memory, size_t bytes) {
    (void)memory;
    if (is_child && bytes >> 20 >= 1200) _exit(1); /* as -malloc_limit_mb in tools/fuzz */
}

static void hear_of_free(const volatile void *memory) {
    (void)memory;
}

int LLVMFuzzerInitialize(int *count, char ***words) {
    (void)count;
    (void)words;
    const char *wish = getenv("DCNN_FUZZ");
    for (target = fuzz_targets; target->name && wish && strcmp(target->name, wish) != 0;) target++;
    signal(SIGVTALRM, end_slow);
    pthread_atfork(NULL, NULL, forget_libfuzzer);
    __sanitizer_install_malloc_and_free_hooks(hear_of_memory, hear_of_free); /* before libFuzzer's own: called first */
    if (wish && target->name) return 0;
    fprintf(stderr, "fuzz: set DCNN_FUZZ to one of:");
    for (target = fuzz_targets; target->name; target++) fprintf(stderr, " %s", target->name);
    fprintf(stderr, "\n");
    exit(2);
}

/* The processor's time of this process and its children so far. */
static double processor_s(void) {
    double sum = 0.0;
    for (int whose = RUSAGE_CHILDREN; whose <= RUSAGE_SELF; whose++) {
        struct rusage used;
        if (getrusage(whose, &used) != 0) continue;
        sum += (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec);
        sum += 1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    }
    return sum;
}

/* After $DCNN_FUZZ_SECONDS of the processor libFuzzer is asked to end; what it still tries before that is not run. */
static bool is_over(void) {
    static bool over;
    static double most = -1.0;
    const char *wish = getenv("DCNN_FUZZ_SECONDS");
    if (most < 0.0) most = wish ? strtod(wish, NULL) : 0.0;
    if (over || most <= 0.0 || processor_s() < most) return over;
    over = true;
    fuzz_remove_folder(); /* libFuzzer then ends by _exit() */
    raise(SIGUSR1);
    return over;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    if (is_over()) return 0;
    const struct itimerval most = {.it_value.tv_sec = 60}, none = {0};
    setitimer(ITIMER_VIRTUAL, &most, NULL);
    target->run(bytes, length);
    setitimer(ITIMER_VIRTUAL, &none, NULL);
    return 0;
}
