/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * step.c — a training step without arithmetic: the program's own communication (src/comm/comm*.c, unchanged), and time
 * that passes where src/engine/step.c computes. Under SimGrid SMPI time is simulated; with a real MPI the rank
 * sleeps, so that 8 ranks on 2 cores show what the network does and not what the cores do.
 *
 *   step PLAN BATCH STEPS OVERLAP      OVERLAP 2: each bucket's sum is waited for where the next step reads its
 * weights, 1: at the step's end, 0: where it begins step calibrate                     a message's latency and cost
 * between rank 0 and the last rank
 *
 * PLAN is tools/simulate_scaling's: grain, threads, seconds to prepare, to step the weights and to add a float, number
 * of stages; then of each stage its sums, floats of gradient, seconds an image, the stage that reads these weights
 * first, and seconds to read an image. Rank 0 prints one line of JSON.
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "comm/comm.h"
#include "comm/tree.h"

enum { MOST_STAGES = 64, WARM_UP = 2 };

typedef struct stage {
    int sums;
    size_t gradient;
    double image_s, load_s; /* load_s: of image_s, to read it */
    int reader;
} stage;

typedef struct plan {
    int grain, threads, stage_count;
    double prepare_s, adam_s, add_s;
    stage stages[MOST_STAGES];
} plan;

typedef struct step {
    plan plan;
    dcnn_comm *comm;
    dcnn_kernels kernels;
    int64_t batch;
    int overlap;
    bool waits[MOST_STAGES];            /* buckets of the step before */
    bool shares_out;                    /* each domain makes its part of the weights */
    double floats, runs_s[MOST_STAGES]; /* runs_s: as in src/engine/late.c */
    dcnn_shares shares;
    float *blocks[DCNN_TREE_DEPTH]; /* all at one place: nobody looks at what is in them */
    float *total;
    double *sums;
    int sum_stride;
    double agree_s, gradient_s; /* of this rank: in sums, and in what is left to wait for of gradients */
} step;

/* --- time ------------------------------------------------------------------------------------------------------- */

#ifdef SIMULATE_SMPI
static void pass(double seconds) {
    if (seconds > 0.0) smpi_execute_benched(seconds);
}
#else
/* What a sleep takes too long is taken off the next. */
static void pass(double seconds) {
    static double late_s;
    const double began_s = MPI_Wtime(), rest_s = seconds - late_s;
    const struct timespec time = {(time_t)rest_s, (long)(1e9 * (rest_s - (double)(time_t)rest_s))};
    if (rest_s > 0.0) nanosleep(&time, NULL);
    late_s = MPI_Wtime() - began_s - rest_s;
}
#endif

/* What the kernel `add` owes; it is paid in pieces that are worth an event. */
static double debt_s, add_a_float_s;

static void pay(void) {
    pass(debt_s);
    debt_s = 0.0;
}

static void owe_add(size_t count, const float *a, const float *b, float *sum) {
    (void)a, (void)b, (void)sum;
    debt_s += (double)count * add_a_float_s;
    if (debt_s > 50e-6) pay();
}

/* --- a step, as dcnn_engine_step() makes it --------------------------------------------------------------------- */

static int64_t images_of(const step *s, int64_t first, int64_t end) {
    const int64_t from = first * s->plan.grain, to = end * s->plan.grain;
    return (to < s->batch ? to : s->batch) - (from < s->batch ? from : s->batch);
}

static void look(step *s) {
    dcnn_comm_progress(s->comm);
    pay();
}

/* Grains of the first thread with progress between them, then the wait for the thread that has most. */
static void run_stage(step *s, const stage *now) {
    const int64_t mine = dcnn_share_first(s->shares.count, 1, s->plan.threads);
    int64_t most = 0;
    for (int thread = 0; thread < s->plan.threads; thread++) {
        const int64_t count = dcnn_share_first(s->shares.count, thread + 1, s->plan.threads) -
                              dcnn_share_first(s->shares.count, thread, s->plan.threads);
        if (count > most) most = count;
    }
    for (int64_t i = 0; i < most; i++) {
        const int64_t grain = s->shares.first + (i < mine ? i : 0);
        const int64_t adds = i > 0 ? 1 : 0; /* of n grains' gradients n - 1 */
        const double images = (double)images_of(s, grain, grain + 1);
        pass(images * now->load_s);
        if (i < mine && now->load_s > 0.0) look(s);
        pass(images * (now->image_s - now->load_s) + (double)adds * (double)now->gradient * s->plan.add_s);
        if (i < mine) look(s);
    }
}

static void agree_stage(step *s, const stage *now) {
    int wish = 0;
    const double began_s = MPI_Wtime();
    if (now->sums == 0) return;
    double *totals = s->sums + (s->shares.count + 1) * s->sum_stride;
    dcnn_comm_sum(s->comm, s->shares, now->sums, s->sums, s->sum_stride, totals, &wish);
    s->agree_s += MPI_Wtime() - began_s;
}

static void finish(step *s) {
    const double began_s = MPI_Wtime();
    dcnn_comm_gradient_finish(s->comm);
    pay();
    s->gradient_s += MPI_Wtime() - began_s;
}

/* As in src/engine/late.c. */
static void make_part(void *context, int bucket, size_t first, size_t count) {
    const step *s = context;
    (void)bucket;
    (void)first;
    pass(s->plan.adam_s * (double)count / s->floats);
}

static void publish_gradients(step *s, int number, const stage *now) {
    if (now->gradient == 0) return;
    pass((double)(s->plan.threads - 1) / s->plan.threads * (double)now->gradient * s->plan.add_s); /* merge_slice() */
    const dcnn_making making = {.make = make_part, .context = s, .made = s->total};
    if (s->shares_out) dcnn_comm_gradient_make(s->comm, number, &making);
    dcnn_comm_gradient_begin(s->comm, &s->kernels, number, s->shares, now->gradient, s->blocks, s->total);
    pay();
}

static double workers_of(const step *s) {
    return s->plan.threads * dcnn_comm_domain_size(s->comm);
}

/* Before a stage: the weights that it is the first to read. */
static void catch_up(step *s, int number) {
    double floats = 0.0;
    for (int i = s->plan.stage_count - 1; i >= 0; i--) {
        if (!s->waits[i] || s->plan.stages[i].reader > number) continue;
        const double from_s = MPI_Wtime();
        dcnn_comm_gradient_wait(s->comm, i);
        pay();
        s->gradient_s += MPI_Wtime() - from_s;
        s->waits[i] = false;
        floats += (double)s->plan.stages[i].gradient;
    }
    if (floats <= 0.0) return;
    if (!s->shares_out) pass(s->plan.adam_s * floats / s->floats / workers_of(s));
    dcnn_comm_domain_barrier(s->comm);
    pass(s->plan.prepare_s * floats / s->floats / workers_of(s));
    dcnn_comm_domain_barrier(s->comm);
}

static void take_step(step *s) {
    if (s->overlap < 2) {
        pass(s->plan.prepare_s / workers_of(s));
        dcnn_comm_domain_barrier(s->comm);
    }
    for (int i = 0; i < s->plan.stage_count; i++) {
        catch_up(s, i);
        const double began_s = dcnn_now_s(); /* as comm does */
        dcnn_comm_expect(s->comm, s->runs_s[i] > 0.0 ? began_s + s->runs_s[i] : 0.0);
        look(s);
        run_stage(s, &s->plan.stages[i]);
        s->runs_s[i] = dcnn_now_s() - began_s;
        publish_gradients(s, i, &s->plan.stages[i]);
        agree_stage(s, &s->plan.stages[i]);
        if (s->overlap == 0) finish(s);
    }
    if (s->overlap == 2) {
        for (int i = 0; i < s->plan.stage_count; i++) s->waits[i] = s->plan.stages[i].gradient > 0;
        dcnn_comm_domain_barrier(s->comm);
        return;
    }
    finish(s);
    pass(s->plan.adam_s / workers_of(s));
    dcnn_comm_domain_barrier(s->comm);
}

/* --- setting up ------------------------------------------------------------------------------------------------- */

static bool read_plan(const char *path, plan *p) {
    FILE *file = fopen(path, "r");
    if (file == NULL) return false;
    bool good = fscanf(file, "%d %d %lf %lf %lf %d", &p->grain, &p->threads, &p->prepare_s, &p->adam_s, &p->add_s,
                       &p->stage_count) == 6 &&
                p->grain > 0 && p->threads > 0 && p->stage_count > 0 && p->stage_count <= MOST_STAGES;
    for (int i = 0; good && i < p->stage_count; i++)
        good = fscanf(file, "%d %zu %lf %d %lf", &p->stages[i].sums, &p->stages[i].gradient, &p->stages[i].image_s,
                      &p->stages[i].reader, &p->stages[i].load_s) == 5;
    fclose(file);
    return good;
}

static dcnn_status set_up(step *s) {
    size_t counts[MOST_STAGES], all = 0;
    const int64_t grains = (s->batch + s->plan.grain - 1) / s->plan.grain;
    s->shares = dcnn_comm_shares(s->comm, grains);
    s->kernels.add = owe_add;
    s->sum_stride = 3;
    s->shares_out =
        s->overlap == 2 && dcnn_comm_has_many_domains(s->comm) && s->plan.threads <= dcnn_comm_domain_count(s->comm);
    for (int i = 0; i < s->plan.stage_count; i++) {
        counts[i] = s->plan.stages[i].gradient;
        s->floats += (double)counts[i];
        if (counts[i] > all) all = counts[i];
        if (s->plan.stages[i].sums > s->sum_stride) s->sum_stride = s->plan.stages[i].sums;
    }
    void *common, *own;
    DCNN_TRY(dcnn_comm_share_domain(s->comm, all * sizeof(float), all * sizeof(float), &common, &own));
    s->total = common;
    memset(own, 0, all * sizeof(float));
    for (int i = 0; i < DCNN_TREE_DEPTH; i++) s->blocks[i] = own;
    s->sums = calloc((size_t)(s->shares.count + 2) * (size_t)s->sum_stride, sizeof(double));
    DCNN_TRY(dcnn_comm_agree(s->comm, s->sums ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: sums")));
    DCNN_TRY(dcnn_comm_reserve_gradient(s->comm, 1, &grains, s->plan.stage_count, counts));
    return dcnn_comm_reserve_sums(s->comm, s->sum_stride);
}

/* Buckets share one place of memory, which they may, for nobody looks at the sums. */
static void measure(step *s, int steps) {
    for (int i = 0; i < WARM_UP; i++) take_step(s);
    s->agree_s = s->gradient_s = 0.0;
    MPI_Barrier(MPI_COMM_WORLD);
    const double began_s = MPI_Wtime();
    for (int i = 0; i < steps; i++) take_step(s);
    finish(s);
    double times_s[3] = {MPI_Wtime() - began_s, s->agree_s, s->gradient_s};
    MPI_Allreduce(MPI_IN_PLACE, times_s, 3, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    if (dcnn_comm_rank(s->comm) == 0)
        printf("{\"ranks\": %d, \"nodes\": %d, \"step_s\": %.9f, \"agree_s\": %.9f, \"gradient_s\": %.9f}\n",
               dcnn_comm_size(s->comm), dcnn_comm_node_count(s->comm), times_s[0] / steps, times_s[1] / steps,
               times_s[2] / steps);
}

/* --- a message's cost ------------------------------------------------------------------------------------------- */

static double ping_pong_s(int rank, int peer, int bytes, int rounds) {
    char *room = calloc(1, (size_t)bytes);
    if (room == NULL) MPI_Abort(MPI_COMM_WORLD, 1);
    const double began_s = MPI_Wtime();
    for (int i = 0; i < rounds; i++) {
        if (rank == 0) MPI_Send(room, bytes, MPI_CHAR, peer, 0, MPI_COMM_WORLD);
        MPI_Recv(room, bytes, MPI_CHAR, rank == 0 ? peer : 0, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        if (rank != 0) MPI_Send(room, bytes, MPI_CHAR, 0, 0, MPI_COMM_WORLD);
    }
    const double each_s = (MPI_Wtime() - began_s) / rounds / 2;
    free(room);
    return each_s;
}

/* Many small messages at once, one way: what a message costs the slower side. */
static double burst_s(int rank, int peer, int count) {
    enum { BYTES = 1024, MOST = 512 };
    static char room[MOST][BYTES];
    MPI_Request requests[MOST];
    double least_s = 1e9;
    for (int round = 0; round < 10; round++) {
        MPI_Sendrecv(room, 1, MPI_CHAR, rank == 0 ? peer : 0, 1, room[1], 1, MPI_CHAR, rank == 0 ? peer : 0, 1,
                     MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        const double began_s = MPI_Wtime();
        for (int i = 0; i < count; i++) {
            if (rank == 0)
                MPI_Isend(room[i], BYTES, MPI_CHAR, peer, 0, MPI_COMM_WORLD, &requests[i]);
            else
                MPI_Irecv(room[i], BYTES, MPI_CHAR, 0, 0, MPI_COMM_WORLD, &requests[i]);
        }
        MPI_Waitall(count, requests, MPI_STATUSES_IGNORE);
        if (rank != 0) MPI_Send(room, 1, MPI_CHAR, 0, 1, MPI_COMM_WORLD);
        if (rank == 0) MPI_Recv(room, 1, MPI_CHAR, peer, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        const double each_s = (MPI_Wtime() - began_s) / count;
        if (each_s < least_s) least_s = each_s;
    }
    return least_s;
}

static void calibrate(void) {
    int rank, size;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (size < 2 || (rank != 0 && rank != size - 1)) return;
    ping_pong_s(rank, size - 1, 8, 20);
    const double small_s = ping_pong_s(rank, size - 1, 8, 500), large_s = ping_pong_s(rank, size - 1, 1 << 20, 10);
    const double each_s = burst_s(rank, size - 1, 500);
    if (rank == 0)
        printf("{\"latency_s\": %.9f, \"mebibyte_s\": %.9f, \"message_s\": %.9f}\n", small_s, large_s, each_s);
}

int main(int argc, char **argv) {
    static step s;
    const bool calibrates = argc == 2 && strcmp(argv[1], "calibrate") == 0;
    if (dcnn_comm_start(&argc, &argv, &s.comm) != DCNN_OK) {
        fprintf(stderr, "step: %s\n", dcnn_error());
        return 1;
    }
    if (calibrates) {
        calibrate();
    } else if (argc == 5 && read_plan(argv[1], &s.plan)) {
        s.batch = atoll(argv[2]);
        s.overlap = atoi(argv[4]);
        add_a_float_s = s.plan.add_s;
        if (set_up(&s) != DCNN_OK) {
            fprintf(stderr, "step: %s\n", dcnn_error());
            MPI_Abort(MPI_COMM_WORLD, 1);
        }
        measure(&s, atoi(argv[3]));
    } else {
        fprintf(stderr, "step: PLAN BATCH STEPS OVERLAP, or calibrate\n");
        MPI_Abort(MPI_COMM_WORLD, 2);
    }
    dcnn_comm_finish(s.comm);
    return 0;
}
