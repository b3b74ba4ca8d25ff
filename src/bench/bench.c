/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench.c — measures dcnn by running it: real training steps and evaluations, and beside them what a core and the
 * memory can do at most, all cores of the job busy.
 */
#include "bench/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"
#include "guard/free_memory.h"
#include "run/trainer.h"
#include "sources/source.h"
#include "run/starting_net.h"

enum { WARM_UP = 3, WINDOWS = 15 };

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Sorts the values. */
static double median(double *values, int64_t count) {
    qsort(values, (size_t)count, sizeof *values, by_size);
    return count % 2 ? values[count / 2] : 0.5 * (values[count / 2 - 1] + values[count / 2]);
}

/* Seconds since this process was started, re-execution included; NAN if the system does not tell. */
static double process_age_s(void) {
    struct timespec now;
    unsigned long long started_ticks = 0;
    FILE *file = fopen("/proc/self/stat", "r");
    char text[1024] = "";
    if (file) {
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        fclose(file);
    }
    const char *after_name = strrchr(text, ')'); /* the name may hold anything; the 20th word behind it is the start */
    static const char format[] = ") %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu";
    if (after_name == NULL || sscanf(after_name, format, &started_ticks) != 1) return NAN;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec - (double)started_ticks / (double)sysconf(_SC_CLK_TCK);
}

/* --- images --------------------------------------------------------------------------------------------------- */

/* What a model takes, digits if it does not say. */
static dcnn_status model_takes(const char *model, dcnn_shape *shape, int *classes) {
    dcnn_net *net = NULL;
    *shape = (dcnn_shape){3, 28, 28, 1};
    *classes = 10;
    if (model == NULL) return DCNN_OK;
    dcnn_status status = dcnn_net_of_file(model, (dcnn_shape){0}, *classes, NULL, &net);
    if (status == DCNN_BAD_INPUT && strstr(dcnn_error(), "does not give its input shape"))
        status = dcnn_net_of_file(model, *shape, *classes, NULL, &net);
    DCNN_TRY(status);
    *shape = net->nodes[0].shape;
    *classes = net->class_count;
    dcnn_net_free(net);
    if (*classes > 0) return DCNN_OK;
    return DCNN_FAIL(
        DCNN_BAD_INPUT,
        "%s: gives numbers, of which made-up images have none: name its data set, as in dcnn bench DATA.h5 "
        "--model FILE",
        model);
}

/* The training images of the embedded digits. */
static dcnn_status read_digits(char *folder, dcnn_images *images) {
    const dcnn_source_options options = {0};
    const dcnn_image_options as_they_are = {.h = 28, .w = 28, .channels = 1};
    dcnn_sources sources = {0};
    dcnn_status status;
    DCNN_TRY_DONE(dcnn_sources_open(1, &folder, DCNN_ROLE_POOL, &options, &sources));
    const dcnn_source *digits = &sources.items[0];
    *images = (dcnn_images){.count = digits->count, .h = digits->h, .w = digits->w, .c = digits->c};
    const size_t bytes = (size_t)images->h * (size_t)images->w * (size_t)images->c;
    images->pixels = malloc((size_t)images->count * bytes);
    images->labels = malloc((size_t)images->count * sizeof *images->labels);
    if (images->pixels == NULL || images->labels == NULL || digits->labels == NULL)
        DCNN_TRY_DONE(DCNN_FAIL(DCNN_FAILURE, "%s: the digits have no labels, or memory is short", folder));
    memcpy(images->labels, digits->labels, (size_t)images->count * sizeof *images->labels);
    for (int64_t i = 0; i < images->count; i++)
        DCNN_TRY_DONE(dcnn_source_read(digits, i, &as_they_are, images->pixels + (size_t)i * bytes));
done:
    dcnn_sources_free(&sources);
    return status;
}

/* Noise, and labels in turn; enough for some batches, but no more memory than need be. */
static dcnn_status make_noise(dcnn_shape shape, int classes, int64_t batch, dcnn_images *images) {
    const size_t bytes = dcnn_shape_count(shape);
    int64_t count = (int64_t)(((size_t)32 << 20) / bytes);
    if (count > 8192) count = 8192;
    if (count < 2 * batch) count = 2 * batch;
    *images = (dcnn_images){.count = count, .h = shape.h, .w = shape.w, .c = shape.c};
    const size_t total = (size_t)count * bytes;
    const dcnn_free_memory left = dcnn_free_memory_of_process("");
    char needed[32], leaves[32];
    if (left.bytes < total)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "two batches of %lld random images of %dx%dx%d take %s, and %s leaves %s: name a smaller "
                         "--batch-size",
                         (long long)batch, shape.h, shape.w, shape.c, dcnn_bytes_text(total, needed), left.bound_by,
                         dcnn_bytes_text(left.bytes, leaves));
    images->pixels = malloc(total + sizeof(dcnn_random_bits));
    images->labels = malloc((size_t)count * sizeof *images->labels);
    if (images->pixels == NULL || images->labels == NULL)
        return DCNN_FAIL(DCNN_FAILURE, "out of memory: %lld images", (long long)count);
    for (size_t at = 0; at < total; at += sizeof(dcnn_random_bits)) {
        const dcnn_random_bits bits = dcnn_random(0, DCNN_RANDOM_NOISE, 0, (int64_t)at, 0);
        memcpy(images->pixels + at, &bits, sizeof bits);
    }
    for (int64_t i = 0; i < count; i++) images->labels[i] = (int32_t)(i % classes);
    return DCNN_OK;
}

/* Images on rank 0, their number and shape on all. */
static dcnn_status make_images(dcnn_comm *comm, const dcnn_bench_options *options, dcnn_images *images, int *classes,
                               char what[512]) {
    dcnn_shape shape;
    DCNN_TRY(dcnn_comm_agree(comm, model_takes(options->model, &shape, classes)));
    dcnn_status status = DCNN_OK;
    if (dcnn_comm_rank(comm) == 0) {
        const bool fits = shape.h == 28 && shape.w == 28 && shape.c == 1 && *classes == 10;
        char *digits = fits ? dcnn_embedded_digits() : NULL;
        status = digits ? read_digits(digits, images) : make_noise(shape, *classes, options->batch_size, images);
        snprintf(what, 512, "%lld %s of %dx%dx%d", (long long)images->count,
                 digits ? "embedded digits" : "random images", shape.h, shape.w, shape.c);
        free(digits);
    }
    DCNN_TRY(dcnn_comm_agree(comm, status));
    dcnn_comm_broadcast(comm, &images->count, sizeof images->count);
    images->h = shape.h;
    images->w = shape.w;
    images->c = shape.c;
    return DCNN_OK;
}

/* --- the machine ------------------------------------------------------------------------------------------------ */

typedef struct machine {
    const dcnn_kernels *kernels;
    size_t rounds, count; /* of the kernel `probe`; floats of a worker's vectors */
    float *vectors;       /* [workers][3][count] */
    double seconds;       /* of worker 0 */
} machine;

static void run_probe(void *argument, int worker) {
    machine *m = argument;
    float values[DCNN_PROBE];
    for (int i = 0; i < DCNN_PROBE; i++) values[i] = (float)i;
    const double began_s = dcnn_now_s();
    m->kernels->probe(m->rounds, 0.999f, 0.001f, values);
    if (worker == 0) m->seconds = dcnn_now_s() - began_s;
    __asm__ volatile("" : : "r"(values) : "memory"); /* the result is wanted */
}

static void run_add(void *argument, int worker) {
    machine *m = argument;
    float *a = m->vectors + (size_t)worker * 3 * m->count;
    const double began_s = dcnn_now_s();
    m->kernels->add(m->count, a, a + m->count, a + 2 * m->count);
    if (worker == 0) m->seconds = dcnn_now_s() - began_s;
}

/* Least seconds of a task: a limit is what is reached when nothing disturbs. */
static double time_task(dcnn_thread_pool *pool, dcnn_thread_pool_task *task, machine *m) {
    double least_s = INFINITY;
    for (int i = 0; i < WINDOWS; i++) {
        dcnn_thread_pool_run(pool, task, m);
        least_s = fmin(least_s, m->seconds);
    }
    return least_s;
}

static dcnn_status measure_machine(dcnn_trainer *t, dcnn_bench_result *result) {
    const size_t workers = (size_t)dcnn_thread_pool_size(dcnn_engine_pool(t->engine)),
                 node = (size_t)dcnn_comm_node_size(t->comm);
    const size_t least = (size_t)1 << 21, all = (size_t)1 << 26; /* floats: 256 MiB a node are more than caches hold */
    machine m = {.kernels = dcnn_engine_kernels(t->engine), .rounds = 1000, .count = all / (workers * node)};
    if (m.count < least) m.count = least;
    m.rounds = (size_t)(10e-3 / time_task(dcnn_engine_pool(t->engine), run_probe, &m) * (double)m.rounds) + 1;
    void *block;
    DCNN_TRY(dcnn_comm_agree(
        t->comm, dcnn_block_create(3 * workers * m.count * sizeof(float), "vectors to measure memory with", &block)));
    m.vectors = block;
    result->peak_flop_per_s =
        2.0 * DCNN_PROBE * (double)m.rounds / time_task(dcnn_engine_pool(t->engine), run_probe, &m);
    result->memory_bytes_per_s = 12.0 * (double)m.count / time_task(dcnn_engine_pool(t->engine), run_add, &m);
    dcnn_block_free(block);
    return DCNN_OK;
}

/* --- training --------------------------------------------------------------------------------------------------- */

/* A whole batch: at an epoch's end the next one begins before the smaller last one. */
static dcnn_status take_step(dcnn_trainer *t) {
    dcnn_progress *progress = &t->state.progress;
    bool stop;
    if (progress->cursor > 0 && progress->cursor + t->options->batch_size > t->data.sampler.count) {
        progress->cursor = 0;
        progress->epoch++;
    }
    dcnn_engine_forget_times(t->engine);
    return dcnn_trainer_step(t, true, &stop);
}

static double step_seconds(const dcnn_trainer *t) {
    double phases_s[DCNN_PHASE_COUNT], sum = 0.0;
    dcnn_engine_phases(t->engine, phases_s);
    for (int i = 0; i < DCNN_PHASE_COUNT; i++) sum += phases_s[i];
    return sum;
}

/* How often something that takes so long fits into so much time; rank 0 says it to all. */
static int64_t how_often(dcnn_comm *comm, double each_s, double seconds, int64_t least) {
    int64_t count = (int64_t)fmin(seconds / each_s, 10000.0);
    if (count < least) count = least;
    dcnn_comm_broadcast(comm, &count, sizeof count);
    return count;
}

/* One row of figures a step, by name of the quantity: step, phases, then operations forward and backward. */
static void note_step(const dcnn_trainer *t, double *row, int64_t steps) {
    double phases_s[DCNN_PHASE_COUNT];
    dcnn_engine_phases(t->engine, phases_s);
    *row = step_seconds(t);
    for (int i = 0; i < DCNN_PHASE_COUNT; i++) *(row += steps) = phases_s[i];
    for (int i = 0; i <= dcnn_plan_op_count(dcnn_engine_plan(t->engine)); i++) {
        const dcnn_op_times times = dcnn_engine_op_times(t->engine, i);
        *(row += steps) = times.forward_s;
        *(row += steps) = times.backward_s;
    }
}

static void take_medians(const dcnn_trainer *t, double *rows, int64_t steps, dcnn_bench_result *result) {
    const double images = (double)dcnn_engine_share(t->engine, t->last.samples);
    result->step_s = median(rows, steps);
    result->images = (double)t->last.samples;
    result->train_images_per_s = result->images / result->step_s;
    for (int i = 0; i < DCNN_PHASE_COUNT; i++) result->phases_s[i] = median(rows += steps, steps);
    for (int i = 0; i < result->op_count && images > 0; i++) {
        result->ops[i].forward_s = median(rows += steps, steps) / images;
        result->ops[i].backward_s = median(rows += steps, steps) / images;
    }
}

static dcnn_status measure_steps(dcnn_trainer *t, double seconds, dcnn_bench_result *result) {
    double fastest_s = INFINITY;
    for (int i = 0; i < WARM_UP; i++) {
        DCNN_TRY(take_step(t));
        fastest_s = fmin(fastest_s, step_seconds(t));
    }
    const int64_t steps = how_often(t->comm, fastest_s, seconds, 5);
    const size_t rows = 1 + DCNN_PHASE_COUNT + 2 * (size_t)result->op_count;
    double *all = calloc(rows * (size_t)steps, sizeof *all);
    dcnn_status status = all ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: times of steps");
    DCNN_TRY_DONE(dcnn_comm_agree(t->comm, status));
    const double began_s = dcnn_now_s();
    for (int64_t i = 0; i < steps; i++) {
        DCNN_TRY_DONE(take_step(t));
        note_step(t, all + i, steps);
    }
    result->train_overall_per_s = (double)(steps * t->last.samples) / (dcnn_now_s() - began_s);
    result->steps = steps;
    take_medians(t, all, steps, result);
done:
    dcnn_engine_settle(t->engine);
    free(all);
    return status;
}

/* The loader's share of a step, without and with augmentation. */
static dcnn_status measure_loader(dcnn_trainer *t, dcnn_train_options *options, double seconds,
                                  dcnn_bench_result *result) {
    enum { MOST = 64 };
    const bool wanted = options->augment;
    const int64_t least = 3, steps = how_often(t->comm, result->step_s, seconds / 2, least);
    double loads_s[MOST];
    for (int augment = 0; augment < 2; augment++) {
        options->augment = augment;
        const int64_t count = steps < MOST ? steps : MOST;
        for (int64_t i = 0; i < count; i++) {
            DCNN_TRY(take_step(t));
            double phases_s[DCNN_PHASE_COUNT];
            dcnn_engine_phases(t->engine, phases_s);
            loads_s[i] = phases_s[DCNN_PHASE_LOAD];
        }
        result->load_s[augment] = median(loads_s, count);
    }
    dcnn_engine_settle(t->engine);
    options->augment = wanted;
    return DCNN_OK;
}

static dcnn_status evaluate(dcnn_trainer *t, int64_t count, double *seconds) {
    dcnn_evaluation evaluation;
    const double began_s = dcnn_now_s();
    DCNN_TRY(dcnn_trainer_evaluate(t, t->data.sampler.rows, count, &evaluation));
    *seconds = dcnn_now_s() - began_s;
    dcnn_evaluation_free(&evaluation);
    return DCNN_OK;
}

static dcnn_status measure_inference(dcnn_trainer *t, double seconds, dcnn_bench_result *result) {
    enum { MOST = 256 };
    int64_t count = 16 * (int64_t)t->options->batch_size;
    if (count > t->data.sampler.count) count = t->data.sampler.count;
    double windows_s[MOST];
    for (int i = 0; i < 2; i++) DCNN_TRY(evaluate(t, count, windows_s));
    int64_t windows = how_often(t->comm, windows_s[0], seconds, 5);
    if (windows > MOST) windows = MOST;
    const double began_s = dcnn_now_s();
    for (int64_t i = 0; i < windows; i++) DCNN_TRY(evaluate(t, count, &windows_s[i]));
    result->infer_overall_per_s = (double)(windows * count) / (dcnn_now_s() - began_s);
    result->infer_images_per_s = (double)count / median(windows_s, windows);
    return DCNN_OK;
}

/* --- operations ------------------------------------------------------------------------------------------------- */

static bool is_folded(const dcnn_plan *plan, const dcnn_op *op) {
    for (int i = 0; i < dcnn_plan_op_count(plan); i++)
        if (dcnn_plan_op(plan, i)->affine == op) return true;
    return false;
}

/* The first of an operation's layers. */
static const dcnn_node *first_of(const dcnn_op *op) {
    return op->conv ? op->conv : op->head;
}

static dcnn_bench_like like_of(const dcnn_net *net, const dcnn_op *op) {
    enum { FEW = 16 };
    const dcnn_node *head = first_of(op);
    const dcnn_param *kernel = dcnn_net_param(net, head, 0);
    if (head->layer == &dcnn_layer_conv2d) {
        if (op->in.c < FEW || head->shape.c < FEW) return DCNN_LIKE_NONE;
        const bool by_ones = head->shape.h + kernel->dims[0] > op->in.h; /* strides leave less than half of it */
        return kernel->dims[0] == 3 && kernel->dims[1] == 3 && by_ones ? DCNN_LIKE_3X3 : DCNN_LIKE_PRODUCTS;
    }
    if (head->layer == &dcnn_layer_dense)
        return op->in.c >= FEW && head->shape.c >= FEW ? DCNN_LIKE_PRODUCTS : DCNN_LIKE_NONE;
    return dcnn_net_multiply_adds(net, (int)(head - net->nodes)) > 0 ? DCNN_LIKE_NONE : DCNN_LIKE_PASS;
}

static bool is_slow(double amount, double seconds, double like, double images, double step_s) {
    return seconds > 0.0 && seconds * images >= 0.01 * step_s && amount / seconds < 0.5 * like;
}

/* Marks what runs below half of what its like reaches. */
static void mark_slow(dcnn_bench_result *r) {
    const double images = r->images / (double)r->ranks / (double)r->threads; /* of a thread */
    double forward = r->peak_flop_per_s, backward = r->peak_flop_per_s;      /* of 3x3 convolutions */
    for (int i = 0; i < r->op_count; i++) {
        const dcnn_bench_op *op = &r->ops[i];
        if (op->like != DCNN_LIKE_3X3) continue;
        if (op->forward_s > 0.0) forward = fmax(forward, op->forward_flop / op->forward_s);
        if (op->backward_s > 0.0) backward = fmax(backward, op->backward_flop / op->backward_s);
    }
    for (int i = 0; i < r->op_count; i++) {
        dcnn_bench_op *op = &r->ops[i];
        const bool pass = op->like == DCNN_LIKE_PASS, tiles = op->like == DCNN_LIKE_3X3;
        const double other = pass ? r->memory_bytes_per_s : r->peak_flop_per_s;
        if (op->like == DCNN_LIKE_NONE) continue;
        op->forward_slow = is_slow(pass ? op->forward_bytes : op->forward_flop, op->forward_s, tiles ? forward : other,
                                   images, r->step_s);
        op->backward_slow = is_slow(pass ? op->backward_bytes : op->backward_flop, op->backward_s,
                                    tiles ? backward : other, images, r->step_s);
    }
}

static void describe_op(const dcnn_plan *plan, const dcnn_net *net, const dcnn_op *op, dcnn_bench_op *out) {
    const double in = 4.0 * (double)dcnn_shape_count(op->in),
                 sum = in + 4.0 * (double)dcnn_shape_count(op->node->shape);
    const bool wants_dx = op->inputs[0] > 0;
    if (op->head == op->node)
        snprintf(out->name, sizeof out->name, "%s", op->node->name);
    else
        snprintf(out->name, sizeof out->name, "%s + %s", first_of(op)->name, op->node->name);
    out->forward_flop = 2.0 * (double)dcnn_net_multiply_adds(net, (int)(first_of(op) - net->nodes));
    out->backward_flop = (wants_dx ? 2.0 : 1.0) * out->forward_flop;
    out->forward_bytes = sum;
    out->backward_bytes = sum + (op->kind->backward_reads_x || op->kind->backward_reads_y ? in : 0.0);
    out->forward_stage = op->head->stage_forward;
    out->backward_stage = op->head->stage_backward;
    out->synchronised = op->head->synchronised;
    out->like = like_of(net, op);
    out->tiles = op->head->layer == &dcnn_layer_conv2d && op->in.c > 1;
    if (out->synchronised && op->conv == NULL) { /* once for the sums, once to apply them */
        out->forward_bytes = is_folded(plan, op) ? in : in + sum;
        out->backward_bytes = 5.0 * in;
    }
}

static dcnn_status describe_ops(const dcnn_trainer *t, dcnn_bench_result *result) {
    const dcnn_plan *plan = dcnn_engine_plan(t->engine);
    result->op_count = dcnn_plan_op_count(plan) + 1;
    result->ops = calloc((size_t)result->op_count, sizeof *result->ops);
    if (result->ops == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: operations");
    for (int i = 0; i < result->op_count - 1; i++)
        describe_op(plan, t->state.net, dcnn_plan_op(plan, i), &result->ops[i]);
    dcnn_bench_op *loss = &result->ops[result->op_count - 1];
    snprintf(loss->name, sizeof loss->name, "loss");
    loss->forward_stage = loss->backward_stage = t->state.net->loss_stage;
    return DCNN_OK;
}

static dcnn_status describe_stages(const dcnn_trainer *t, dcnn_bench_result *result) {
    result->stage_count = t->state.net->stage_count;
    result->stages = calloc((size_t)result->stage_count, sizeof *result->stages);
    if (result->stages == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: stages");
    for (int i = 0; i < result->stage_count; i++)
        result->stages[i] =
            (dcnn_bench_stage){dcnn_plan_sum_count(dcnn_engine_plan(t->engine), i), t->state.net->buckets[i].count};
    return DCNN_OK;
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

static dcnn_status measure(dcnn_trainer *t, dcnn_train_options *options, double seconds, dcnn_bench_result *result) {
    result->ranks = dcnn_comm_size(t->comm);
    result->nodes = dcnn_comm_node_count(t->comm);
    result->threads = dcnn_thread_pool_size(dcnn_engine_pool(t->engine));
    result->isa = dcnn_engine_kernels(t->engine)->isa;
    result->precision = dcnn_precision_name(dcnn_net_has_bf16(t->state.net) ? DCNN_BF16 : DCNN_FP32);
    DCNN_TRY(dcnn_comm_agree(t->comm, describe_ops(t, result)));
    DCNN_TRY(dcnn_comm_agree(t->comm, describe_stages(t, result)));
    result->start_s = process_age_s();
    DCNN_TRY(take_step(t));
    result->first_step_s = step_seconds(t);
    DCNN_TRY(measure_machine(t, result));
    DCNN_TRY(measure_steps(t, 0.6 * seconds, result));
    mark_slow(result);
    DCNN_TRY(measure_loader(t, options, 0.1 * seconds, result));
    return measure_inference(t, 0.2 * seconds, result);
}

dcnn_status dcnn_bench(dcnn_comm *comm, const dcnn_bench_options *o, dcnn_bench_result *result) {
    dcnn_train_options options = {.model = o->model,
                                  .precision = o->precision,
                                  .batch_size = o->batch_size,
                                  .grain = o->grain,
                                  .optimizer = {.learning_rate = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7},
                                  .seed = 42,
                                  .augment = o->augment,
                                  .ranges = o->ranges,
                                  .threads = o->threads,
                                  .fuse = o->fuse,
                                  .recompute = o->recompute,
                                  .plain_sums = o->plain_sums};
    dcnn_run run = {.data = (char *)(uintptr_t)o->data};
    dcnn_images images = {0};
    dcnn_trainer *trainer = NULL;
    int classes = 0;
    dcnn_status status;
    *result = (dcnn_bench_result){0};
    if (o->data == NULL) DCNN_TRY_DONE(make_images(comm, o, &images, &classes, result->data));
    DCNN_TRY_DONE(dcnn_trainer_open(comm, &run, NULL, &options, o->data ? NULL : &images, classes, &trainer));
    if (o->data) snprintf(result->data, sizeof result->data, "%s", o->data);
    status = measure(trainer, &options, o->seconds, result);
done:
    dcnn_trainer_close(trainer);
    free(images.pixels);
    free(images.labels);
    return status;
}

void dcnn_bench_free(dcnn_bench_result *result) {
    free(result->ops);
    free(result->stages);
    *result = (dcnn_bench_result){0};
}
