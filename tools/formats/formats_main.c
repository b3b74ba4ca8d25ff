/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * formats_main.c — dcnn_formats [--seconds S] [--model FILE] [--batch-size N] [--json]: what fp16, bf16 and AMX could
 * gain on this machine, and what they cost in accuracy (bench_formats.h). docs/kernels.md quotes it.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/bench_formats.h"

static const char *rate_text(double value, char text[32]) {
    snprintf(text, 32, value > 0.0 ? "%.2f" : "-", value);
    return text;
}

static void print_format(const dcnn_bench_formats_result *r, const dcnn_bench_format *f) {
    char gain[32], forward[32], both[32];
    printf("%-21s %8.1f %8.1f", f->name, 1e-9 * f->flop_per_s[0], 1e-9 * f->flop_per_s[1]);
    for (int i = 0; i < DCNN_BENCH_DEPTHS; i++) printf(" %8.1e", f->error[i]);
    for (int i = 0; i < DCNN_BENCH_TILINGS; i++) printf(" %8.1e", f->tile_error[i]);
    printf(" %7s %6s %6s %6s\n", f->tiling < 0 ? "none" : dcnn_bench_tilings[f->tiling].name, rate_text(f->gain, gain),
           rate_text(f->gain > 0.0 ? dcnn_bench_step_gain(r->forward_share, f->gain) : 0.0, forward),
           rate_text(f->gain > 0.0 ? dcnn_bench_step_gain(r->both_share, f->gain) : 0.0, both));
}

static void print_formats(const dcnn_bench_formats_result *r) {
    if (r->count == 0) {
        puts("formats        this CPU, or the compiler of this build, has no other formats than fp32");
        return;
    }
    printf("%-21s %17s %17s %35s %7s %6s %13s\n", "", "GFLOP/s, depth", "error, depth", "error of a convolution by", "",
           "", "step, at most");
    printf("%-21s %8d %8d %8d %8d", "format", dcnn_bench_depths[0], dcnn_bench_depths[1], dcnn_bench_depths[0],
           dcnn_bench_depths[1]);
    for (int i = 0; i < DCNN_BENCH_TILINGS; i++) printf(" %8s", dcnn_bench_tilings[i].name);
    printf(" %7s %6s %6s %6s\n", "tiles", "x", "fwd x", "all x");
    for (int i = 0; i < r->count; i++) print_format(r, &r->formats[i]);
    printf("\nproducts       ");
    for (int i = 0; i < DCNN_BENCH_TILINGS; i++)
        printf("%s%d by %s", i > 0 ? ", " : "", dcnn_bench_tilings[i].products, dcnn_bench_tilings[i].name);
    printf(", a pair of channels and 10x10 outputs\n"
           "accurate       are %.1e and less: twice what fp32 has with F(5x5); tiles: the largest that are\n"
           "a step         %.3f ms on one core; convolutions take %.1f %% of it forward, %.1f %% both ways\n",
           r->error_allowed, 1e3 * r->step_s, 100.0 * r->forward_share, 100.0 * r->both_share);
}

static json_t *formats_json(const dcnn_bench_formats_result *r) {
    json_t *list = json_array();
    for (int i = 0; i < r->count; i++) {
        const dcnn_bench_format *f = &r->formats[i];
        json_t *speeds = json_object(), *errors = json_object(), *tile_errors = json_object();
        for (int j = 0; j < DCNN_BENCH_DEPTHS; j++) {
            char depth[16];
            snprintf(depth, sizeof depth, "%d", dcnn_bench_depths[j]);
            json_object_set_new(speeds, depth, json_real(1e-9 * f->flop_per_s[j]));
            json_object_set_new(errors, depth, json_real(f->error[j]));
        }
        for (int j = 0; j < DCNN_BENCH_TILINGS; j++)
            json_object_set_new(tile_errors, dcnn_bench_tilings[j].name, json_real(f->tile_error[j]));
        json_array_append_new(list,
                              json_pack("{s:s, s:o, s:o, s:o, s:s?, s:f, s:f, s:f}", "name", f->name, "gflop_per_s",
                                        speeds, "error", errors, "convolution_error", tile_errors, "tiles",
                                        f->tiling < 0 ? NULL : dcnn_bench_tilings[f->tiling].name, "products_gain",
                                        f->gain, "step_gain_forward", dcnn_bench_step_gain(r->forward_share, f->gain),
                                        "step_gain_all", dcnn_bench_step_gain(r->both_share, f->gain)));
    }
    return list;
}

static dcnn_status print_json(const dcnn_bench_formats_result *r) {
    json_t *json =
        json_pack("{s:f, s:f, s:f, s:f, s:o}", "step_s", r->step_s, "forward_share", r->forward_share,
                  "convolution_share", r->both_share, "error_allowed", r->error_allowed, "formats", formats_json(r));
    const int failed = json == NULL || json_dumpf(json, stdout, JSON_INDENT(1)) != 0;
    json_decref(json);
    putchar('\n');
    return failed ? DCNN_FAIL(DCNN_FAILURE, "the result cannot be written") : DCNN_OK;
}

static dcnn_status run(dcnn_comm *comm, int count, char **words) {
    dcnn_bench_options options = {
        .batch_size = 128, .grain = 16, .threads = 1, .augment = true, .fuse = true, .seconds = 8};
    dcnn_bench_formats_result result;
    bool json = false;
    for (int i = 1; i < count; i++) {
        const bool last = i + 1 == count;
        if (strcmp(words[i], "--json") == 0)
            json = true;
        else if (strcmp(words[i], "--seconds") == 0 && !last)
            options.seconds = atof(words[++i]);
        else if (strcmp(words[i], "--model") == 0 && !last)
            options.model = words[++i];
        else if (strcmp(words[i], "--batch-size") == 0 && !last)
            options.batch_size = atoi(words[++i]);
        else
            return DCNN_FAIL(DCNN_USAGE, "'%s' is unknown: [--seconds S] [--model FILE] [--batch-size N] [--json]",
                             words[i]);
    }
    DCNN_TRY(dcnn_bench_formats(comm, &options, &result));
    if (dcnn_comm_rank(comm) > 0) return DCNN_OK;
    if (json) return print_json(&result);
    print_formats(&result);
    return DCNN_OK;
}

int main(int argc, char **argv) {
    dcnn_comm *comm = NULL;
    dcnn_status status = dcnn_comm_start(&argc, &argv, &comm);
    if (status == DCNN_OK) status = run(comm, argc, argv);
    if (status != DCNN_OK) fprintf(stderr, "dcnn_formats: %s\n", dcnn_error());
    dcnn_comm_finish(comm);
    return (int)status;
}
