/* SPDX-License-Identifier: BSD-3-Clause */
/* stand_ins.c — what comm*.c asks of the machine: no kernels here; and in a simulation, where all ranks are one process
 * of one thread, a barrier of the simulator in place of one that spins and sleeps. */
#include "base/barrier.h"
#include "kernels/kernels.h"

dcnn_status dcnn_isa_choose(dcnn_isa *isa) {
    *isa = DCNN_ISA_GENERIC;
    return DCNN_OK;
}

const char *dcnn_blas_core(void) {
    return "";
}

#ifdef SIMULATE_SMPI
#include <simgrid/barrier.h>
#include <string.h>

/* The first to come puts the simulator's barrier into the shared memory; ranks run one at a time. */
void dcnn_barrier_wait(dcnn_barrier *barrier, unsigned size, int spins, void (*meanwhile)(void *), void *context) {
    sg_bar_t simulated;
    (void)spins, (void)meanwhile, (void)context;
    _Static_assert(sizeof simulated <= sizeof *barrier, "a handle fits");
    memcpy(&simulated, barrier, sizeof simulated);
    if (simulated == NULL) {
        simulated = sg_barrier_init(size);
        memcpy(barrier, &simulated, sizeof simulated);
    }
    sg_barrier_wait(simulated);
}
#endif
