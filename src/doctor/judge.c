/* SPDX-License-Identifier: BSD-3-Clause */
/* judge.c — what of the facts is wrong or slow, and what mends it. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "doctor/doctor.h"

/* Bytes below which a training of small images does not start, a node and a rank of it; and what lets its ranks share
 * images, too. */
static const uint64_t NODE_BYTES = (uint64_t)192 << 20, RANK_BYTES = (uint64_t)64 << 20,
                      SHARED_BYTES = (uint64_t)16 << 20, ENOUGH_SHARED = (uint64_t)256 << 20,
                      ADDRESS_BYTES = (uint64_t)512 << 20, DISK_BYTES = (uint64_t)256 << 20;

enum { LEVEL_RANKS = 8 };

static const double MOST_FSYNC_S = 0.5, LEAST_WRITE = 10e6, MOST_SKEW_S = 2.0, SLOWEST_LINK = 100e6, LATEST_S = 200e-6;

__attribute__((format(printf, 5, 6))) static void find(dcnn_diagnosis *d, bool slow, const char *where,
                                                       const char *remedy, const char *format, ...) {
    if (d->found++ >= DCNN_MOST_FINDINGS) return;
    dcnn_finding *finding = &d->findings[d->found - 1];
    va_list arguments;
    va_start(arguments, format);
    finding->slow = slow;
    snprintf(finding->where, sizeof finding->where, "%s", where);
    snprintf(finding->remedy, sizeof finding->remedy, "%s", remedy);
    vsnprintf(finding->what, sizeof finding->what, format, arguments);
    va_end(arguments);
}

/* Cores that processes other than the node's ranks keep at work. */
static double cores_of_others(const dcnn_diagnosis *d, const dcnn_machine *m) {
    double others = m->busy;
    for (int i = 0; i < d->ranks; i++)
        if (strcmp(d->machines[i].host, m->host) == 0) others -= d->machines[i].own_busy;
    return others > 0.0 ? others : 0.0;
}

/* A node may be shared, if what is left is enough for the ranks. */
static void judge_others(dcnn_diagnosis *d, const dcnn_machine *m) {
    const double others = cores_of_others(d, m), left = (double)m->cores - others;
    if (others > 0.5 && left < 0.9 * (double)m->node_cores)
        find(d, true, m->host, "end them ('top' names them) or wait; in a job: sbatch --exclusive",
             "other processes use %.1f of its %d cores, and training needs %d of them", others, m->cores,
             m->node_cores);
}

static void judge_cores(dcnn_diagnosis *d, const dcnn_machine *m) {
    if (m->oversubscribed)
        find(d, true, m->host,
             "start as many ranks as cores: mpirun -np, or sbatch --ntasks-per-node with --cpus-per-task",
             "%d ranks share %d core%s: the others sleep", m->node_size, m->node_cores, m->node_cores == 1 ? "" : "s");
    else if (m->node_size > 1 && m->node_cores < m->cores / 2 && m->node_size == m->node_cores)
        find(d, true, m->host,
             "give more: srun --cpus-per-task, or mpirun --map-by slot:PE=N, or more ranks on the node",
             "its %d ranks are bound to %d of %d cores, so the others are idle", m->node_size, m->node_cores, m->cores);
    if (m->amx && !m->amx_permitted)
        find(d, true, m->host, "a kernel from 5.16 on, outside of sandboxes that forbid arch_prctl; or do without",
             "its CPU has AMX, but Linux does not let this process use it: --precision bf16 runs without");
    if (m->mhz > 0.0 && m->most_mhz > 0.0 && m->mhz < 0.5 * m->most_mhz)
        find(d, true, m->host, "cpupower frequency-set -g performance, or Slurm's --cpu-freq=performance",
             "a core runs at %.0f MHz and could at %.0f", m->mhz, m->most_mhz);
}

/* Ranks of a node for which levels of sums may be made (comm/comm_cores.c). @param m  [node_size] */
static void judge_binding(dcnn_diagnosis *d, const dcnn_machine *m) {
    int scattered = 0;
    for (int i = 0; i < m->node_size; i++) scattered += m[i].scattered;
    if (scattered > 0 && m->node_size >= LEVEL_RANKS)
        find(d, true, m->host, "mpirun --bind-to core (or socket), srun --cpu-bind=cores",
             "%d of its %d ranks are not bound to a socket, so each reads gradients from all sockets' memory",
             scattered, m->node_size);
}

static void judge_memory(dcnn_diagnosis *d, const dcnn_machine *m) {
    char left[32], all[32];
    const uint64_t need = NODE_BYTES + (uint64_t)m->node_size * RANK_BYTES;
    const uint64_t shared = (uint64_t)m->node_size * SHARED_BYTES;
    if (m->memory_left < need)
        find(d, false, m->host, "Slurm: --mem=8G; a container: --memory; or fewer ranks on the node",
             "%s leaves %s for %d rank%s, too little for any training", m->memory_bound,
             dcnn_bytes_text(m->memory_left, left), m->node_size, m->node_size == 1 ? "" : "s");
    if (m->address_left < ADDRESS_BYTES)
        find(d, false, m->host,
             "ulimit -v unlimited before the start (in a job: in its script, or the site's limits.conf)",
             "ulimit -v leaves %s of address space to a rank, and OpenBLAS alone takes 128 MiB a thread",
             dcnn_bytes_text(m->address_left, left));
    if (m->node_size > 1 && m->shm_left < shared)
        find(d, false, m->host, "make it larger: docker run --shm-size=1g, or mount -o remount,size=1G /dev/shm",
             "/dev/shm has %s of %s left: its ranks cannot share weights", dcnn_bytes_text(m->shm_left, left),
             dcnn_bytes_text(m->shm, all));
    else if (m->node_size > 1 && m->shm_left < ENOUGH_SHARED)
        find(d, true, m->host, "make it larger: docker run --shm-size=1g, or mount -o remount,size=1G /dev/shm",
             "/dev/shm has %s of %s left: images and larger models do not fit, and each rank then has its own copy",
             dcnn_bytes_text(m->shm_left, left), dcnn_bytes_text(m->shm, all));
    if (m->node_size > 1 && !m->shares)
        find(d, false, m->host, "start all ranks of a node in one container; /dev/shm must be one and writable",
             "its ranks cannot read memory that one of them shares");
}

/* What must be alike on all machines. */
static void judge_likeness(dcnn_diagnosis *d, const dcnn_machine *first, const dcnn_machine *m) {
    if (strcmp(first->isa, m->isa) != 0)
        find(d, true, m->host, "use nodes of one kind: Slurm's --constraint",
             "it has %s and %s has %s: all compute by the lower one", m->isa, first->host, first->isa);
    if (strcmp(first->blas, m->blas) != 0)
        find(d, false, m->host, "OPENBLAS_CORETYPE of the older one on all nodes (mpirun -x OPENBLAS_CORETYPE=…)",
             "OpenBLAS runs its '%s' kernels here and '%s' on %s: their bits differ", m->blas, first->blas,
             first->host);
    if (strcmp(first->mpi, m->mpi) != 0 || strcmp(first->hdf5, m->hdf5) != 0)
        find(d, false, m->host, "the same modules and the same program on all nodes",
             "%s and HDF5 %s here, %s and HDF5 %s on %s", m->mpi, m->hdf5, first->mpi, first->hdf5, first->host);
    if (m->node_size != first->node_size)
        find(d, true, m->host, "as many ranks on every node: sbatch --ntasks-per-node, mpirun --map-by ppr:N:node",
             "%d ranks here and %d on %s: sums are made by as many ranks a node as the smallest has", m->node_size,
             first->node_size, first->host);
    if (fabs(m->wall_s - first->wall_s) > MOST_SKEW_S)
        find(d, true, m->host, "let chrony or ntpd set the clocks",
             "its clock is %.1f s from that of %s: a lock's age is misjudged by as much", m->wall_s - first->wall_s,
             first->host);
}

static void judge_network(dcnn_diagnosis *d) {
    const dcnn_link *l = &d->between;
    const bool adapter = d->machines[0].infiniband;
    const char *remedy =
        adapter ? "an MPI with UCX (mpirun --mca pml ucx): there is an InfiniBand adapter that it does not use"
                : "name the fast interface: mpirun --mca btl_tcp_if_include eth1 (ip -brief address lists them)";
    if (l->ranks > 0 && l->bytes_per_s < SLOWEST_LINK)
        find(d, true, "network", remedy, "%.1f MB/s between nodes: less than 1 Gb/s", 1e-6 * l->bytes_per_s);
    if (l->ranks > 0 && l->latency_s > LATEST_S)
        find(d, true, "network", remedy, "a message takes %.0f us between nodes", 1e6 * l->latency_s);
    if (l->ranks > 0 && adapter && l->bytes_per_s > SLOWEST_LINK && l->latency_s > 10e-6)
        find(d, true, "network", remedy, "a message takes %.0f us between nodes, as TCP does", 1e6 * l->latency_s);
}

static void judge_folder(dcnn_diagnosis *d) {
    const dcnn_folder_facts *f = &d->folder;
    char left[32];
    if (f->failure[0]) {
        find(d, false, f->path, "another folder (--run DIR), or its permissions (ls -ld)", "%s", f->failure);
        return;
    }
    for (int i = 0; i < d->ranks; i++)
        if (d->machines[i].node_rank == 0 && !d->machines[i].sees_folder)
            find(d, false, d->machines[i].host, "a folder on a file system that all nodes share",
                 "it does not see what rank 0 writes to %s", f->path);
    if (!f->locks)
        find(d, true, f->path, "mount it with locks (Lustre: -o flock; NFS: a running lockd)",
             "files cannot be locked on this %s; dcnn's own lock works without", f->type);
    if (f->free_bytes < DISK_BYTES)
        find(d, false, f->path, "remove old runs, or --keep 1", "only %s are free",
             dcnn_bytes_text(f->free_bytes, left));
    if (f->fsync_s > MOST_FSYNC_S || f->write_bytes_per_s < LEAST_WRITE)
        find(d, true, f->path, "fewer checkpoints (--checkpoint-every), or a faster file system",
             "writing %.0f MB/s, fsync %.0f ms", 1e-6 * f->write_bytes_per_s, 1e3 * f->fsync_s);
}

void dcnn_diagnosis_judge(dcnn_diagnosis *d) {
    for (int i = 0; i < d->ranks; i++) {
        const dcnn_machine *m = &d->machines[i];
        if (m->node_rank != 0) continue;
        judge_cores(d, m);
        judge_others(d, m);
        judge_binding(d, m);
        judge_memory(d, m);
        if (i > 0) judge_likeness(d, &d->machines[0], m);
    }
    judge_network(d);
    judge_folder(d);
}
