/* SPDX-License-Identifier: BSD-3-Clause */
/* views.c — see views.h. Predictions are added up on rank 0, member by member and view by view, so ranks change no bit.
 */
#include "run/data/views.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/largest.h"
#include "nn/nets/ensemble.h"

/* --- how an image is changed -------------------------------------------------------------------------------------- */

/* What the options of its training say, else the default of such images. */
static double trained_range(const dcnn_checkpoint *checkpoint, int row) {
    const dcnn_augment_row *about = &dcnn_augment_table[row];
    const json_t *options = checkpoint->options, *value = json_object_get(options, about->option);
    if (json_is_false(json_object_get(options, "augment"))) return 0.0;
    if (json_is_number(value)) return json_number_value(value);
    const dcnn_augment_kind kind =
        dcnn_augment_guess(checkpoint->net->nodes[0].shape.c, checkpoint->class_count, checkpoint->class_names);
    return strtod(about->suited[kind], NULL);
}

/* How an image is changed for its further views: moved, turned, sheared and zoomed half as far as in the model's
 * training, mirrored if that mirrored; neither distorted, cut out nor recoloured. A model file that does not say how it
 * was trained counts as the recipe's, or as one of photographs if its images have colours. */
static dcnn_augment view_ranges(const dcnn_checkpoint *checkpoint) {
    static const int moved[] = {DCNN_AUGMENT_rotation_range,    DCNN_AUGMENT_zoom_range,
                                DCNN_AUGMENT_width_shift_range, DCNN_AUGMENT_height_shift_range,
                                DCNN_AUGMENT_shear_range,       DCNN_AUGMENT_crop_range};
    static const int mirrored[] = {DCNN_AUGMENT_horizontal_flip, DCNN_AUGMENT_vertical_flip};
    dcnn_augment ranges = {0};
    for (size_t i = 0; i < sizeof moved / sizeof moved[0]; i++)
        dcnn_augment_set(&ranges, moved[i], 0.5 * trained_range(checkpoint, moved[i]));
    for (size_t i = 0; i < sizeof mirrored / sizeof mirrored[0]; i++)
        if (trained_range(checkpoint, mirrored[i]) > 0.0) dcnn_augment_set(&ranges, mirrored[i], 0.5);
    return ranges;
}

/* --- the sums ----------------------------------------------------------------------------------------------------- */

typedef struct sums {
    const dcnn_views *views;
    int class_count, voters;
    double *probabilities; /* [count, classes], on rank 0 */
    int32_t *votes;        /* likewise */
    dcnn_augment ranges;
    char *scratch; /* [threads][scratch_bytes] */
    size_t scratch_bytes;
} sums;

static dcnn_status make_sums(const dcnn_views *v, sums *s) {
    const size_t values = (size_t)v->count * (size_t)s->class_count + 1;
    dcnn_status status = DCNN_OK;
    void *scratch = NULL;
    s->ranges = view_ranges(v->checkpoint);
    s->scratch_bytes = dcnn_augment_scratch(&s->ranges, v->loader->h, v->loader->w, v->loader->c);
    s->scratch_bytes = (s->scratch_bytes + 63) / 64 * 64;
    if (s->scratch_bytes > 0)
        status =
            dcnn_block_create((size_t)dcnn_thread_pool_size(v->pool) * s->scratch_bytes, "views of images", &scratch);
    s->scratch = scratch;
    if (dcnn_comm_rank(v->comm) == 0 && status == DCNN_OK) {
        s->probabilities = calloc(values, sizeof *s->probabilities);
        s->votes = calloc(values, sizeof *s->votes);
        if (s->probabilities == NULL || s->votes == NULL)
            status = DCNN_FAIL(DCNN_FAILURE, "out of memory: probabilities of %lld samples", (long long)v->count);
    }
    return dcnn_comm_agree(v->comm, status);
}

static void add(sums *s, const dcnn_evaluation *one) {
    s->voters++;
    for (int64_t i = 0; one->probabilities && i < one->count; i++) {
        const float *row = one->probabilities + i * s->class_count;
        for (int j = 0; j < s->class_count; j++) s->probabilities[i * s->class_count + j] += (double)row[j];
        s->votes[i * s->class_count + dcnn_largest(s->class_count, row)]++;
    }
}

static dcnn_status run_member(sums *s, dcnn_net *net) {
    const dcnn_views *v = s->views;
    dcnn_evaluator *evaluator;
    dcnn_evaluation_options options = *v->options;
    options.want_probabilities = true;
    DCNN_TRY(dcnn_comm_agree(
        v->comm, dcnn_evaluator_create(v->comm, v->pool, v->kernels, net, DCNN_GRAIN, true, 0, &evaluator)));
    dcnn_status status = DCNN_OK;
    for (int view = 0; status == DCNN_OK && view < (v->views > 1 ? v->views : 1); view++) {
        const dcnn_rows_feed feed = {.loader = v->loader,
                                     .kernels = v->kernels,
                                     .rows = v->rows,
                                     .count = v->count,
                                     .augment = view > 0 ? &s->ranges : NULL,
                                     .seed = v->checkpoint->progress.seed,
                                     .view = (uint32_t)view,
                                     .scratch = s->scratch,
                                     .scratch_bytes = s->scratch_bytes};
        dcnn_evaluation one;
        status = dcnn_evaluator_run(evaluator, v->count, dcnn_feed_of_rows(&feed), &options, &one);
        if (status == DCNN_OK) add(s, &one);
        if (status == DCNN_OK) dcnn_evaluation_free(&one);
    }
    dcnn_evaluator_free(evaluator);
    return status;
}

static dcnn_status run_members(sums *s) {
    dcnn_net *net = s->views->checkpoint->net;
    const int members = dcnn_ensemble_count(net);
    if (members == 1) return run_member(s, net);
    for (int k = 0; k < members; k++) {
        dcnn_net *member;
        DCNN_TRY(dcnn_comm_agree(s->views->comm, dcnn_ensemble_member(net, k, &member)));
        const dcnn_status status = run_member(s, member);
        dcnn_net_free(member);
        DCNN_TRY(status);
    }
    return DCNN_OK;
}

/* --- what they come to -------------------------------------------------------------------------------------------- */

/* The class with the most votes; of equal ones that with the larger mean probability. */
static int elected(const sums *s, int64_t i) {
    const int32_t *votes = s->votes + i * s->class_count;
    const double *means = s->probabilities + i * s->class_count;
    int best = 0;
    for (int j = 1; j < s->class_count; j++)
        if (votes[j] > votes[best] || (votes[j] == votes[best] && means[j] > means[best])) best = j;
    return best;
}

static void conclude(const sums *s, dcnn_evaluation *e) {
    const dcnn_views *v = s->views;
    const int classes = s->class_count;
    for (int64_t i = 0; i < e->count; i++) {
        float *row = e->probabilities + i * classes;
        for (int j = 0; j < classes; j++) row[j] = (float)(s->probabilities[i * classes + j] / s->voters);
        const int best = dcnn_largest(classes, row);
        e->disagreement[i] = 1.0f - (float)s->votes[i * classes + best] / (float)s->voters;
        if (v->loader->labels == NULL || v->options->unlabelled) continue;
        const int32_t label = v->loader->labels[v->rows ? v->rows[i] : i];
        e->confusion[(int64_t)label * classes + best]++;
        e->correct += best == label;
        e->vote_correct += elected(s, i) == label;
        e->loss -= log(fmax((double)row[label], 1e-30)) / (double)e->count;
    }
}

static dcnn_status share(const sums *s, dcnn_evaluation *e) {
    const dcnn_views *v = s->views;
    const size_t cells = v->options->unlabelled ? 0 : (size_t)e->class_count * (size_t)e->class_count;
    const bool first = dcnn_comm_rank(v->comm) == 0;
    e->confusion = calloc(cells + 1, sizeof *e->confusion);
    bool good = e->confusion != NULL;
    if (first) {
        e->probabilities = calloc((size_t)(e->count * e->class_count) + 1, sizeof *e->probabilities);
        e->disagreement = calloc((size_t)e->count + 1, sizeof *e->disagreement);
        good = good && e->probabilities && e->disagreement;
    }
    DCNN_TRY(dcnn_comm_agree(v->comm, good ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: an evaluation")));
    if (first) conclude(s, e);
    dcnn_comm_broadcast(v->comm, e->confusion, cells * sizeof *e->confusion);
    dcnn_comm_broadcast(v->comm, &e->correct, sizeof e->correct);
    dcnn_comm_broadcast(v->comm, &e->vote_correct, sizeof e->vote_correct);
    dcnn_comm_broadcast(v->comm, &e->loss, sizeof e->loss);
    return DCNN_OK;
}

dcnn_status dcnn_views_run(const dcnn_views *v, dcnn_evaluation *evaluation) {
    sums s = {.views = v, .class_count = v->checkpoint->net->class_count};
    *evaluation = (dcnn_evaluation){
        .class_count = s.class_count, .prediction_count = s.class_count, .count = v->count, .answers = 1};
    if (s.class_count == 0 || v->options->values)
        return DCNN_FAIL(DCNN_USAGE, "--tta is for models that tell classes apart; this one gives numbers or labels");
    dcnn_status status = make_sums(v, &s);
    if (status == DCNN_OK) status = run_members(&s);
    evaluation->voters = s.voters;
    if (status == DCNN_OK) status = share(&s, evaluation);
    dcnn_block_free(s.scratch);
    free(s.probabilities);
    free(s.votes);
    if (status != DCNN_OK) dcnn_evaluation_free(evaluation);
    return status;
}
