/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_bench.c — dcnn bench [DATA.h5] */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "cli/cli.h"
#include "bench/bench.h"
#include "bench/bench_comm.h"
#include "cli/settings/recipes.h"
#include "engine/engine.h"

/* Nothing was done, or nothing was measured: no rate. */
static double rate(double amount, double seconds) {
    return amount > 0.0 && seconds > 0.0 ? amount / seconds : 0.0;
}

static const char *rate_text(double value, const char *format, dcnn_number *number) {
    if (value > 0.0)
        snprintf(number->text, sizeof number->text, format, value);
    else
        strcpy(number->text, "-");
    return number->text;
}

/* --- for people ------------------------------------------------------------------------------------------------- */

static void print_machine(const dcnn_bench_result *r) {
    const double gflops = 1e-9 * r->peak_flop_per_s;
    printf("machine        %d rank%s x %d thread%s on %d node%s, %s kernels, %s%s\n", r->ranks,
           r->ranks == 1 ? "" : "s", r->threads, r->threads == 1 ? "" : "s", r->nodes, r->nodes == 1 ? "" : "s", r->isa,
           r->precision,
           strcmp(r->isa, "amx") == 0 && strcmp(r->precision, "fp32") == 0 ? " (AMX is idle: --precision bf16)" : "");
    printf("a core         %.1f GFLOP/s in registers, %.1f GB/s from memory, all at work\n", gflops,
           1e-9 * r->memory_bytes_per_s);
    printf("data           %s\n", r->data);
    printf("start          %.3f s to the first step, which took %.3f s\n\n", r->start_s, r->first_step_s);
}

/* Columns of a character each; a longer name is cut, between two. */
static void put_name(const char *name, int width) {
    int bytes = 0, shown = 0;
    for (; name[bytes] && shown < width; shown++)
        for (bytes++; ((unsigned char)name[bytes] & 0xc0) == 0x80;) bytes++;
    printf("%.*s%*s", bytes, name, width - shown, "");
}

static void print_half(const char *name, const char *half, bool slow, double seconds, double flop, double bytes,
                       double step_s, const dcnn_bench_result *r, double images) {
    dcnn_number speed, fraction, traffic;
    const double flops = rate(flop, seconds);
    put_name(name, 36);
    printf(" %-8s %9.4f %6.1f %9s %7s %7s%s\n", half, 1e3 * seconds * images, 100.0 * seconds * images / step_s,
           rate_text(1e-9 * flops, "%.1f", &speed), rate_text(100.0 * flops / r->peak_flop_per_s, "%.0f %%", &fraction),
           rate_text(flop > 0.0 ? 0.0 : 1e-9 * rate(bytes, seconds), "%.1f", &traffic), slow ? " <" : "");
}

/* Images that one thread computes of a step. */
static double images_of_thread(const dcnn_bench_result *r) {
    return r->images / (double)r->ranks / (double)r->threads;
}

static void print_operations(const dcnn_bench_result *r) {
    const double images = images_of_thread(r);
    bool any = false;
    printf("%-36s %-8s %9s %6s %9s %7s %7s\n", "operation", "", "ms a step", "%", "GFLOP/s", "of peak", "GB/s");
    for (int i = 0; i < r->op_count; i++) {
        const dcnn_bench_op *op = &r->ops[i];
        if (op->forward_s > 0.0)
            print_half(op->name, "forward", op->forward_slow, op->forward_s, op->forward_flop, op->forward_bytes,
                       r->step_s, r, images);
        if (op->backward_s > 0.0)
            print_half(op->name, "backward", op->backward_slow, op->backward_s, op->backward_flop, op->backward_bytes,
                       r->step_s, r, images);
        any = any || op->forward_slow || op->backward_slow;
    }
    if (any)
        puts("< below half of what its like reaches: 3x3 convolutions the fastest of them, other products a core's "
             "peak,\n"
             "  passes the rate of memory");
    putchar('\n');
}

static void print_phases(const dcnn_bench_result *r) {
    printf("%-36s %-8s %9s %6s\n", "phase", "", "ms a step", "%");
    for (int i = 0; i < DCNN_PHASE_COUNT; i++)
        printf("%-9s %-35s %9.4f %6.1f\n", dcnn_phase_names[i], dcnn_phase_meanings[i], 1e3 * r->phases_s[i],
               100.0 * r->phases_s[i] / r->step_s);
    printf("%-9s %-35s %9.4f\n", "load", "... without, with augmentation", 1e3 * r->load_s[0]);
    printf("%45s %9.4f\n\n", "", 1e3 * r->load_s[1]);
}

static void print_text(const dcnn_bench_result *r) {
    dcnn_number number;
    print_machine(r);
    print_operations(r);
    print_phases(r);
    printf("training       %s images/s: %.3f ms per step of %.0f, median of %lld\n",
           dcnn_number_text((int64_t)(r->train_images_per_s + 0.5), &number), 1e3 * r->step_s, r->images,
           (long long)r->steps);
    printf("inference      %s images/s\n", dcnn_number_text((int64_t)(r->infer_images_per_s + 0.5), &number));
}

/* --- for programs ----------------------------------------------------------------------------------------------- */

static json_t *half_json(double seconds, double flop, double bytes, double peak, int stage, bool slow) {
    const double flops = rate(flop, seconds);
    return json_pack("{s:i, s:b, s:f, s:f, s:f, s:f, s:f}", "stage", stage, "below_half", (int)slow, "image_s", seconds,
                     "image_flop", flop, "gflop_per_s", 1e-9 * flops, "of_peak", flops / peak, "gbyte_per_s",
                     1e-9 * rate(bytes, seconds));
}

static json_t *stages_json(const dcnn_bench_result *r) {
    json_t *stages = json_array();
    for (int i = 0; i < r->stage_count; i++)
        json_array_append_new(
            stages, json_pack("{s:i, s:I}", "sums", r->stages[i].sums, "gradient", (json_int_t)r->stages[i].gradient));
    return stages;
}

static json_t *operations_json(const dcnn_bench_result *r) {
    json_t *operations = json_array();
    for (int i = 0; i < r->op_count; i++) {
        const dcnn_bench_op *op = &r->ops[i];
        json_array_append_new(operations,
                              json_pack("{s:s, s:b, s:o, s:o}", "name", op->name, "synchronised", (int)op->synchronised,
                                        "forward",
                                        half_json(op->forward_s, op->forward_flop, op->forward_bytes,
                                                  r->peak_flop_per_s, op->forward_stage, op->forward_slow),
                                        "backward",
                                        half_json(op->backward_s, op->backward_flop, op->backward_bytes,
                                                  r->peak_flop_per_s, op->backward_stage, op->backward_slow)));
    }
    return operations;
}

static dcnn_status print_json(const dcnn_bench_result *r, int grain) {
    json_t *phases = json_object();
    for (int i = 0; i < DCNN_PHASE_COUNT; i++)
        json_object_set_new(phases, dcnn_phase_names[i], json_real(r->phases_s[i]));
    return dcnn_json_print(json_pack(
        "{s:s, s:o, s:i, s:i, s:i, s:s, s:s, s:f, s:f, s:o, s:f, s:I, s:f, s:i, s:f, s:f, s:f, s:f, s:f, s:o, s:f, "
        "s:f, "
        "s:o, "
        "s:o}",
        "dcnn", DCNN_VERSION, "data", dcnn_json_shown(r->data), "ranks", r->ranks, "threads", r->threads, "nodes",
        r->nodes, "kernels", r->isa, "precision", r->precision, "core_gflop_per_s", 1e-9 * r->peak_flop_per_s,
        "core_gbyte_per_s", 1e-9 * r->memory_bytes_per_s, "start_s",
        isfinite(r->start_s) ? json_real(r->start_s) : json_null(), "first_step_s", r->first_step_s, "steps",
        (json_int_t)r->steps, "batch_size", r->images, "grain", grain, "step_s", r->step_s, "train_images_per_s",
        r->train_images_per_s, "infer_images_per_s", r->infer_images_per_s, "train_overall_per_s",
        r->train_overall_per_s, "infer_overall_per_s", r->infer_overall_per_s, "phases_s", phases, "load_plain_s",
        r->load_s[0], "load_augmented_s", r->load_s[1], "operations", operations_json(r), "stages", stages_json(r)));
}

/* --- the reductions --------------------------------------------------------------------------------------------- */

/* "64 KiB" */
static const char *size_text(int64_t bytes, char text[32]) {
    static const char *const units[] = {"B", "KiB", "MiB"};
    int unit = 0;
    for (; bytes >= 1024 && unit < 2; unit++) bytes /= 1024;
    snprintf(text, 32, "%lld %s", (long long)bytes, units[unit]);
    return text;
}

static void print_comm(const dcnn_bench_comm_result *r) {
    char size[32];
    printf("machine        %d rank%s on %d node%s, %d sharing memory\n\n", r->ranks, r->ranks == 1 ? "" : "s", r->nodes,
           r->nodes == 1 ? "" : "s", r->domain_size);
    printf("%-10s %9s %12s %9s %15s %7s\n", "", "size", "exact us", "GB/s", "allreduce us", "GB/s");
    for (int i = 0; i < DCNN_BENCH_SUMS; i++)
        printf("%-10s %9s %12.1f %9.2f %15s %7s\n", "sums", size_text(r->sums[i].bytes, size), 1e6 * r->sums[i].exact_s,
               1e-9 * (double)r->sums[i].bytes / r->sums[i].exact_s, "-", "-");
    for (int i = 0; i < DCNN_BENCH_GRADIENTS; i++) {
        const dcnn_bench_reduction *g = &r->gradients[i];
        printf("%-10s %9s %12.1f %9.2f %15.1f %7.2f\n", "gradient", size_text(g->bytes, size), 1e6 * g->exact_s,
               1e-9 * (double)g->bytes / g->exact_s, 1e6 * g->allreduce_s, 1e-9 * (double)g->bytes / g->allreduce_s);
    }
}

static json_t *reductions_json(const dcnn_bench_reduction *reductions, int count, bool allreduce) {
    json_t *list = json_array();
    for (int i = 0; i < count; i++) {
        json_t *row =
            json_pack("{s:I, s:f}", "bytes", (json_int_t)reductions[i].bytes, "exact_s", reductions[i].exact_s);
        if (allreduce) json_object_set_new(row, "allreduce_s", json_real(reductions[i].allreduce_s));
        json_array_append_new(list, row);
    }
    return list;
}

static dcnn_status bench_comm(dcnn_cli *cli) {
    dcnn_bench_comm_result r;
    DCNN_TRY(dcnn_bench_comm(cli->comm, cli->options->seconds, &r));
    if (!cli->speaks) return DCNN_OK;
    if (cli->options->json)
        return dcnn_json_print(json_pack("{s:s, s:i, s:i, s:i, s:o, s:o}", "dcnn", DCNN_VERSION, "ranks", r.ranks,
                                         "nodes", r.nodes, "domain_size", r.domain_size, "sums",
                                         reductions_json(r.sums, DCNN_BENCH_SUMS, false), "gradients",
                                         reductions_json(r.gradients, DCNN_BENCH_GRADIENTS, true)));
    print_comm(&r);
    return DCNN_OK;
}

/* --- the command ------------------------------------------------------------------------------------------------ */

static dcnn_status bench(dcnn_cli *cli) {
    const dcnn_options *o = cli->options;
    const dcnn_bench_options options = {.data = o->operand_count > 0 ? o->operands[0] : NULL,
                                        .model = o->train.model,
                                        .precision = o->train.precision,
                                        .batch_size = (int)o->train.batch_size,
                                        .grain = o->train.grain ? (int)o->train.grain
                                                                : dcnn_engine_grain(o->train.batch_size),
                                        .threads = (int)o->train.threads,
                                        .augment = o->train.augment,
                                        .ranges = o->train.ranges,
                                        .fuse = o->train.fuse,
                                        .recompute = o->train.recompute,
                                        .plain_sums = o->train.plain_sums,
                                        .seconds = o->seconds};
    dcnn_bench_result result;
    dcnn_status status = dcnn_bench(cli->comm, &options, &result);
    if (status == DCNN_OK && cli->speaks) {
        if (o->json)
            status = print_json(&result, options.grain);
        else
            print_text(&result);
    }
    dcnn_bench_free(&result);
    return status;
}

dcnn_status dcnn_cmd_bench(dcnn_cli *cli) {
    dcnn_options *o = cli->options;
    dcnn_recipe_words words;
    if (o->comm) return bench_comm(cli);
    o->train.ranges =
        (dcnn_augment){.rotation_range = 10, .zoom_range = 0.1, .width_shift_range = 0.1, .height_shift_range = 0.1};
    dcnn_status status = dcnn_comm_agree(cli->comm, dcnn_recipe_apply(o, &words));
    if (status == DCNN_OK) status = bench(cli);
    dcnn_recipe_words_free(&words);
    return status;
}
