/* SPDX-License-Identifier: BSD-3-Clause */
/* blas.c — matrix products through OpenBLAS, and which of its cores this CPU deserves. */
#include <cblas.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernels/register.h"

static void blas_sgemm(bool transpose_a, bool transpose_b, int m, int n, int k, const float *a, int lda, const float *b,
                       int ldb, float beta, float *c, int ldc) {
    cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans, m, n,
                k, 1.0f, a, lda, b, ldb, beta, c, ldc);
}

const char *dcnn_blas_core(void) {
    return openblas_get_corename();
}

const char *dcnn_blas_version(void) {
    return openblas_get_config();
}

#if defined(__x86_64__)
/* Cores that OpenBLAS falls back to, or that know no FMA: several times slower on any CPU that has it. */
static bool core_is_inferior(const char *core) {
    static const char *const inferior[] = {"Prescott",    "Core2",  "Katmai",     "Coppermine",   "Northwood",
                                           "Banias",      "Penryn", "Dunnington", "Nehalem",      "Atom",
                                           "Sandybridge", "Athlon", "Opteron",    "Opteron_SSE3", "Barcelona",
                                           "Bobcat",      "Nano",   "generic",    "Unknown"};
    for (size_t i = 0; i < sizeof inferior / sizeof inferior[0]; i++)
        if (strcmp(core, inferior[i]) == 0) return true;
    return false;
}

const char *dcnn_blas_better_core(void) {
    const char *chosen = getenv("OPENBLAS_CORETYPE");
    if ((chosen && *chosen) || !core_is_inferior(dcnn_blas_core())) return NULL;
    /* On a Zen 4, where the two are nearest: sgemm 1024^3 at 103 GFLOP/s as SkylakeX, 107 as Haswell, 104 as Zen. */
    const char *better = dcnn_isa_core(dcnn_isa_best());
    return *better ? better : NULL;
}
#else
const char *dcnn_blas_better_core(void) {
    return NULL;
}
#endif

static int threads_at_start; /* 0: still what OpenBLAS says */

bool dcnn_blas_may_wait_at_exit(void) {
    const size_t buffer = (size_t)128 << 20;
    const int threads = threads_at_start ? threads_at_start : openblas_get_num_threads();
    if (threads < 2) return false;
    /* Room for all buffers once more is room for those still asked for. Nothing of it is touched. */
    const size_t bytes = (size_t)threads * buffer;
    void *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) return true;
    munmap(room, bytes);
    return false;
}

void dcnn_register_blas(dcnn_kernels *table) {
    if (threads_at_start == 0) threads_at_start = openblas_get_num_threads();
    openblas_set_num_threads(1);
    table->sgemm = blas_sgemm;
}
