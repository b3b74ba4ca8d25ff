/* SPDX-License-Identifier: BSD-3-Clause */
/* plan_recompute.c — which values the backward pass computes a second time instead of keeping them (Chen et al.,
 * Training Deep Nets with Sublinear Memory Cost, 2016).
 *
 * The operations, in order, are cut into *segments*, where little is read across the cut. What a later segment reads is
 * kept; the rest of a segment is dropped as soon as the forward pass has done with it, and made again, from what is
 * kept, where the backward pass first reads it. The last segment, whose backward pass comes at once, drops nothing.
 * The second time is the first one's arithmetic to the bit: BatchNormalization's scale and shift of the step stay as
 * they were agreed, and its statistics move where they are agreed alone; Dropout's masks are functions of the sample.
 */
#include "nn/plan/plan_private.h"

#include <stdlib.h>
#include <string.h>

/* What an operation's output means for the choice. */
typedef struct output {
    size_t bytes;
    int last_reader; /* operation that reads it last, forward; -1: none */
    bool needed;     /* by the backward pass */
} output;

static size_t output_bytes(const dcnn_plan *plan, int op) {
    const size_t number = plan->ops[op].y_half ? sizeof(uint16_t) : sizeof(float);
    return dcnn_plan_line((size_t)plan->options.grain * dcnn_shape_count(plan->ops[op].node->shape) * number);
}

static void list_outputs(const dcnn_plan *plan, output *outputs) {
    for (int i = 0; i < plan->op_count; i++) {
        const dcnn_op *op = &plan->ops[i];
        outputs[i] = (output){.bytes = output_bytes(plan, i), .last_reader = -1};
        outputs[i].needed = op->node->learns && op->kind->backward_reads_y;
        for (int j = 0; j < op->input_count; j++) {
            const int value = dcnn_plan_value_read_by(op, j);
            if (value == 0) continue;
            outputs[value - 1].last_reader = i;
            outputs[value - 1].needed |= op->node->learns && op->kind->backward_reads_x;
        }
    }
    if (plan->logits > 0) outputs[plan->logits - 1].last_reader = plan->op_count;
}

/* Bytes that operations from `at` on read of those before it. */
static size_t crossing(const output *outputs, int at) {
    size_t bytes = 0;
    for (int i = 0; i < at; i++)
        if (outputs[i].last_reader >= at) bytes += outputs[i].bytes;
    return bytes;
}

/* Cuts into segments of at most so many bytes each, where there is a cut: in a segment's second half, where least
 * crosses. `segment` [op_count] out. */
static void cut(const dcnn_plan *plan, const output *outputs, const size_t *crossings, size_t most, int *segment) {
    int first = 0, number = 0;
    while (first < plan->op_count) {
        size_t bytes = 0;
        int end = first, best = -1;
        for (; end < plan->op_count && (bytes <= most || best < 0); end++) {
            bytes += outputs[end].needed ? outputs[end].bytes : 0;
            if (2 * bytes >= most && (best < 0 || crossings[end + 1] <= crossings[best])) best = end + 1;
        }
        if (bytes > most && best > 0) end = best;
        for (; first < end; first++) segment[first] = number;
        number++;
    }
}

/* Is an operation's output made again? */
static bool drops(const dcnn_plan *plan, const output *outputs, const int *segment, int i) {
    const int last = segment[plan->op_count - 1], reader = outputs[i].last_reader;
    return segment[i] < last && (reader < 0 || (reader < plan->op_count && segment[reader] == segment[i]));
}

/* About what is kept at most: what is not dropped, and the largest segment made again. */
static size_t peak(const dcnn_plan *plan, const output *outputs, const int *segment) {
    size_t kept = 0, largest = 0, own = 0;
    for (int i = 0; i < plan->op_count; i++) {
        const bool dropped = drops(plan, outputs, segment, i);
        if (i > 0 && segment[i] != segment[i - 1]) own = 0;
        if (dropped && outputs[i].needed) own += outputs[i].bytes;
        if (!dropped && (outputs[i].needed || outputs[i].last_reader >= 0)) kept += outputs[i].bytes;
        if (own > largest) largest = own;
    }
    return kept + largest;
}

/* Segments of several sizes are tried. */
static void choose(dcnn_plan *plan, output *outputs, size_t *crossings, int *segment) {
    enum { LEAST = 2, MOST = 64 };
    size_t all = 0, best = SIZE_MAX, best_most = 0;
    list_outputs(plan, outputs);
    for (int i = 0; i < plan->op_count; i++) all += outputs[i].needed ? outputs[i].bytes : 0;
    for (int at = 0; at <= plan->op_count; at++) crossings[at] = crossing(outputs, at);
    for (int parts = LEAST; parts <= MOST; parts++) {
        cut(plan, outputs, crossings, all / (size_t)parts, segment);
        const size_t bytes = peak(plan, outputs, segment);
        if (bytes >= best) continue;
        best = bytes;
        best_most = all / (size_t)parts;
    }
    cut(plan, outputs, crossings, best_most, segment);
    for (int i = 0; i < plan->op_count; i++) plan->dropped[i + 1] = drops(plan, outputs, segment, i);
}

bool dcnn_plan_choose_dropped(dcnn_plan *plan) {
    const size_t count = (size_t)plan->op_count + 1;
    if (!plan->options.recompute || !plan->options.training || plan->op_count == 0) return true;
    output *outputs = calloc(count, sizeof *outputs);
    size_t *crossings = calloc(count, sizeof *crossings);
    int *segment = calloc(count, sizeof *segment);
    const bool good = outputs && crossings && segment;
    if (good) choose(plan, outputs, crossings, segment);
    free(outputs);
    free(crossings);
    free(segment);
    return good;
}
