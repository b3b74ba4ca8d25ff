/* SPDX-License-Identifier: BSD-3-Clause */
/* diagnose.c — all ranks look, rank 0 gathers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "doctor/doctor.h"

enum { TURNS = 200, SMALL = 8, LARGE = 1 << 20, LARGE_TURNS = 12 };

static const double LEAST_LOOK_S = 0.3;

static double wall_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Messages between two ranks, all others waiting. *Collective.* */
static dcnn_link measure(dcnn_comm *comm, int a, int b) {
    dcnn_link link = {.ranks = 2};
    link.latency_s = dcnn_comm_probe(comm, a, b, SMALL, TURNS);
    link.bytes_per_s = LARGE / dcnn_comm_probe(comm, a, b, LARGE, LARGE_TURNS);
    return link;
}

/* The second rank of the first node, the first rank of the last one; -1: there is none. */
static void choose_ranks(dcnn_comm *comm, int *near, int *far) {
    int64_t chosen[2] = {0, 0};
    if (dcnn_comm_rank(comm) == 0) chosen[0] = dcnn_comm_node_size(comm) > 1 ? 1 : -1;
    if (dcnn_comm_rank(comm) == dcnn_comm_size(comm) - 1)
        chosen[1] = dcnn_comm_node_count(comm) > 1 ? dcnn_comm_rank(comm) - dcnn_comm_node_rank(comm) : -1;
    dcnn_comm_add_integers(comm, chosen, 2);
    *near = (int)chosen[0];
    *far = (int)chosen[1];
}

/* Rank 0 writes, the others look: a folder that is not shared shows, and so does a file system that tells late. */
static void look_at_folder(dcnn_comm *comm, const char *folder, dcnn_diagnosis *d, dcnn_machine *own) {
    char path[sizeof d->folder.path] = "";
    uint64_t token = (uint64_t)(1e6 * wall_s()) ^ (uint64_t)getpid();
    if (dcnn_comm_rank(comm) == 0) snprintf(path, sizeof path, "%s", folder);
    dcnn_comm_broadcast(comm, path, sizeof path);
    dcnn_comm_broadcast(comm, &token, sizeof token);
    if (dcnn_comm_rank(comm) == 0) dcnn_folder_look(path, token, &d->folder);
    dcnn_comm_agree(comm, DCNN_OK);
    own->sees_folder = dcnn_folder_has(path, token);
    dcnn_comm_agree(comm, DCNN_OK);
    if (dcnn_comm_rank(comm) == 0) dcnn_folder_clean(path, token);
}

static bool can_share(dcnn_comm *comm) {
    void *block = NULL;
    bool writer;
    if (dcnn_comm_share(comm, 1 << 16, &block, &writer) != DCNN_OK) return false;
    if (writer) memset(block, 7, 1 << 16);
    dcnn_comm_share_done(comm, block);
    const bool good = ((const char *)block)[(1 << 16) - 1] == 7;
    dcnn_comm_agree(comm, DCNN_OK);
    dcnn_comm_unshare(comm, block);
    return good;
}

/* Linux counts in hundredths of a second: what the doctor measures may be over too soon. */
static void look_at_work(const dcnn_work *before, dcnn_machine *own) {
    const double left_s = LEAST_LOOK_S - (dcnn_now_s() - before->at_s);
    if (before->at_s > 0.0 && left_s > 0.0) nanosleep(&(struct timespec){.tv_nsec = (long)(1e9 * left_s)}, NULL);
    const dcnn_work after = dcnn_work_read("");
    dcnn_machine_take_work(before, &after, own);
}

dcnn_status dcnn_diagnose(dcnn_comm *comm, const char *folder, const char *refusal, dcnn_diagnosis *d) {
    dcnn_machine own;
    int near, far;
    const int ranks = dcnn_comm_size(comm);
    *d = (dcnn_diagnosis){.ranks = ranks, .nodes = dcnn_comm_node_count(comm)};
    int64_t *lengths = calloc((size_t)ranks, sizeof *lengths);
    d->machines = calloc((size_t)ranks, sizeof *d->machines);
    dcnn_status status = lengths && d->machines ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: %d ranks", ranks);
    DCNN_TRY_DONE(dcnn_comm_agree(comm, status));
    const dcnn_work before = dcnn_work_read("");
    dcnn_machine_look("", &own);
    own.node_rank = dcnn_comm_node_rank(comm);
    own.node_size = dcnn_comm_node_size(comm);
    own.node_cores = dcnn_comm_node_cores(comm);
    own.oversubscribed = own.node_size > own.node_cores;
    own.shares = can_share(comm);
    look_at_folder(comm, folder, d, &own);
    choose_ranks(comm, &near, &far);
    if (near > 0) d->within = measure(comm, 0, near);
    if (far > 0) d->between = measure(comm, 0, far);
    look_at_work(&before, &own);
    dcnn_comm_agree(comm, DCNN_OK);
    own.wall_s = wall_s();
    for (int i = 0; i < ranks; i++) lengths[i] = sizeof own;
    dcnn_comm_gather(comm, &own, sizeof own, d->machines, lengths);
    if (refusal) {
        dcnn_finding *first = &d->findings[d->found++];
        const char *colon = strstr(refusal, ": ");
        snprintf(first->where, sizeof first->where, "launcher");
        snprintf(first->what, sizeof first->what, "%.*s", colon ? (int)(colon - refusal) : 500, refusal);
        if (colon) snprintf(first->remedy, sizeof first->remedy, "%s", colon + 2);
    }
    if (dcnn_comm_rank(comm) == 0) dcnn_diagnosis_judge(d);
done:
    free(lengths);
    if (status != DCNN_OK) dcnn_diagnosis_free(d);
    return status;
}

void dcnn_diagnosis_free(dcnn_diagnosis *d) {
    free(d->machines);
    d->machines = NULL;
}
