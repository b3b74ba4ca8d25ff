/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * comm_link.c — how long messages take, and which one of a gradient may set out when. What MPI was given goes in the
 * order given, and nobody looks at the link while a grain is computed: so it is given as much as keeps it busy until a
 * message is expected that will be waited for, a small sum say, and no more, for that one would wait behind it.
 */
#include <mpi.h>
#include <stdlib.h>

#include "base/clock.h"
#include "comm/comm_private.h"

/* Floats of a message: below Open MPI's eager limit for TCP, 64 KiB with its header. A longer one waits until the other
 * side, between two grains, says that it may come. Two hosts at 1 Gb/s, a step of 28 ms (tools/measure_link --sleep):
 * 31.0 ms with 15 Ki, 40.8 with whole vectors; at 10 Gb/s 32.0 and 32.1. On a slow link a message is as long as a small
 * sum may well wait. */
enum { LONGEST = 15 * 1024, SHORTEST = 1024 };
static const double WAIT_S = 500e-6;

/* How many times as long as a step computes its gradients take on a link that is narrow. */
static const double NARROW = 1.7;

/* --- how long they take ------------------------------------------------------------------------------------------- */

enum { TAG = 1 << 11, PROBES = 4 };
/* Messages of a node, for a link may let pass the first few hundred KB at once. */
static const int PROBE[PROBES] = {1, 16, 64, 64};
static const double LONG_S = 0.05; /* of a probe: more would tell no more */

/* Neighbouring domains send each other so many messages a rank, all ranks at once. @return seconds of the slowest */
static double probe_s(const dcnn_comm *comm, float *room, int messages, MPI_Request *requests) {
    const int peer = comm->domain.index ^ 1;
    const bool takes_part = comm->domain.rail != MPI_COMM_NULL && peer < comm->domain.count;
    MPI_Barrier(comm->world);
    const double began_s = dcnn_now_s();
    for (int i = 0; i < messages && takes_part; i++) {
        MPI_Irecv(room + (size_t)(i + 1) * LONGEST, LONGEST, MPI_FLOAT, peer, TAG, comm->domain.rail, &requests[2 * i]);
        MPI_Isend(room, LONGEST, MPI_FLOAT, peer, TAG, comm->domain.rail, &requests[2 * i + 1]);
    }
    if (takes_part) MPI_Waitall(2 * messages, requests, MPI_STATUSES_IGNORE);
    double took_s = dcnn_now_s() - began_s;
    MPI_Allreduce(MPI_IN_PLACE, &took_s, 1, MPI_DOUBLE, MPI_MAX, comm->world);
    return took_s;
}

dcnn_status dcnn_comm_measure_link(dcnn_comm *comm) {
    dcnn_link *link = &comm->link;
    if (link->byte_s > 0.0) return DCNN_OK;
    link->message = LONGEST;
    if (comm->domain.count == 1 || comm->elastic) return DCNN_OK;
    const int rails = comm->domain.rails, most = (PROBE[PROBES - 1] + rails - 1) / rails;
    float *room = calloc((size_t)most + 1, LONGEST * sizeof *room);
    MPI_Request *requests = calloc(2 * (size_t)most, sizeof(MPI_Request));
    dcnn_status status = DCNN_OK;
    if (room == NULL || requests == NULL) status = DCNN_FAIL(DCNN_FAILURE, "out of memory: messages");
    status = dcnn_comm_agree(comm, status);
    double took_s = 0.0;
    /* none that would take longer, by the one before; all ranks have the same times */
    for (int i = 0; i < PROBES && status == DCNN_OK; i++) {
        if (i > 0 && took_s * PROBE[i] / PROBE[i - 1] > LONG_S) break;
        const int messages = (PROBE[i] + rails - 1) / rails;
        took_s = probe_s(comm, room, messages, requests);
        const double byte_s = took_s / messages / (LONGEST * sizeof(float));
        if (i == 0 || PROBE[i] > PROBE[i - 1] || byte_s < link->byte_s) link->byte_s = byte_s;
    }
    free(room);
    free(requests);
    DCNN_TRY(status);
    const double floats = WAIT_S / link->byte_s / sizeof(float);
    if (floats < LONGEST) link->message = floats > SHORTEST ? (size_t)floats / 16 * 16 : SHORTEST;
    return DCNN_OK;
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double dcnn_comm_probe(dcnn_comm *comm, int a, int b, size_t bytes, int turns) {
    double median_s = 0.0;
    char *message = calloc(1, bytes + 1);
    double *times_s = calloc((size_t)turns, sizeof *times_s);
    if (message == NULL || times_s == NULL) dcnn_comm_abort(comm, DCNN_FAILURE);
    MPI_Barrier(comm->world);
    for (int turn = 0; turn < turns && (comm->rank == a || comm->rank == b); turn++) {
        const int peer = comm->rank == a ? b : a;
        const double began_s = dcnn_now_s();
        if (comm->rank == a) MPI_Send(message, (int)bytes, MPI_BYTE, peer, TAG, comm->world);
        MPI_Recv(message, (int)bytes, MPI_BYTE, peer, TAG, comm->world, MPI_STATUS_IGNORE);
        if (comm->rank == b) MPI_Send(message, (int)bytes, MPI_BYTE, peer, TAG, comm->world);
        times_s[turn] = 0.5 * (dcnn_now_s() - began_s);
    }
    qsort(times_s, (size_t)turns, sizeof *times_s, by_size);
    median_s = times_s[turns / 2];
    free(message);
    free(times_s);
    dcnn_comm_broadcast_from(comm, a, &median_s, sizeof median_s);
    return median_s;
}

/* --- which message when ------------------------------------------------------------------------------------------- */

void dcnn_comm_expect(dcnn_comm *comm, double at_s) {
    comm->link.clear_s = at_s;
    const double until_s = at_s - dcnn_now_s();
    if (until_s > 0.0) comm->link.computes_s += until_s;
}

void dcnn_comm_link_waits(dcnn_comm *comm, bool waits) {
    comm->link.waits_s = waits ? dcnn_now_s() : 0.0;
}

/* Is the link what a step waits for, whatever goes first? Then it never stands still. Lone hosts, a step's ms held back
 * and not (tools/measure_link --sleep): six at 250 Mb/s 224 and 185, three 171 and 159, six at 1 Gb/s 82 and 60, five
 * 42 and 43; three 44 and 52, two 34 and 38, whose gradients take 1.5 and 0.5 times as long as what is computed. */
static bool is_narrow(const dcnn_link *link) {
    return link->computes_s > 0.0 && link->sends_s > NARROW * link->computes_s;
}

/* Until a message is expected the link takes what will be half through by then: so it neither stands still nor keeps
 * that one waiting for longer. If it is late, or while it is waited for, all else is held back for as long as a message
 * would be in its way, and then goes message by message. */
bool dcnn_comm_link_takes(dcnn_comm *comm, size_t bytes, bool wanted) {
    dcnn_link *link = &comm->link;
    const double now_s = dcnn_now_s(), takes_s = (double)bytes * link->byte_s;
    const bool waits = link->waits_s > 0.0, is_free = link->free_s <= now_s;
    const double from_s = is_free ? now_s : link->free_s;
    bool may = wanted || link->hurries || is_narrow(link) || (link->clear_s <= 0.0 && !waits);
    if (!may && waits)
        may = is_free && now_s >= link->waits_s + (double)(link->message * sizeof(float)) * link->byte_s;
    else if (!may)
        may = from_s + 0.5 * takes_s <= link->clear_s || (is_free && now_s > link->clear_s + takes_s);
    if (!may) return false;
    link->free_s = from_s + takes_s;
    link->sends_s += takes_s;
    return true;
}
