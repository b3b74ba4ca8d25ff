/* SPDX-License-Identifier: BSD-3-Clause */
/* optimizer.c — see optimizer.h; the arithmetic on vectors is the kernels'. */
#include "nn/optimizers/optimizer.h"

#include <math.h>
#include <stdlib.h>

int dcnn_optimizer_moments(const dcnn_optimizer *optimizer) {
    const dcnn_optimizer_row *row = &dcnn_optimizer_table[optimizer->kind];
    return optimizer->momentum > 0.0 ? row->moments_with_momentum : row->moments;
}

/* --- the constants of a step -------------------------------------------------------------------------------------- */

dcnn_adam_step dcnn_adam_at(const dcnn_optimizer *optimizer, int64_t step, int64_t samples) {
    double correction1 = 1.0 - pow(optimizer->beta1, (double)step);
    double correction2 = 1.0 - pow(optimizer->beta2, (double)step);
    return (dcnn_adam_step){
        .alpha = (float)(optimizer->learning_rate * sqrt(correction2) / correction1),
        .beta1 = (float)optimizer->beta1,
        .beta2 = (float)optimizer->beta2,
        .epsilon = (float)optimizer->epsilon,
        .gradient_scale = (float)(1.0 / (double)samples),
    };
}

/* The corrected m / (sqrt(v) + epsilon) as one quotient of the uncorrected: alpha m / (sqrt(v) + epsilon'). */
static void lamb_constants(dcnn_update *update, const dcnn_optimizer *now, int64_t step, int64_t samples) {
    dcnn_optimizer unit = *now;
    unit.learning_rate = 1.0;
    unit.epsilon *= sqrt(1.0 - pow(now->beta2, (double)step));
    update->adam = dcnn_adam_at(&unit, step, samples);
}

double dcnn_nadam_product(const dcnn_optimizer *optimizer, int64_t steps, double *last) {
    double decay = 1.0, product = 1.0, u = 0.0;
    for (int64_t t = 1; t <= steps && product > 1e-300; t++) { /* from there on it is nothing beside 1 */
        decay *= 0.96;
        u = optimizer->beta1 * (1.0 - 0.5 * decay);
        product *= u;
    }
    if (last) *last = product <= 1e-300 ? optimizer->beta1 : u;
    return product;
}

/* The momentum schedule of Nadam: u_t and its products, of this step and the next. */
static void nadam_constants(dcnn_update *update, const dcnn_optimizer *now, int64_t step, int64_t samples) {
    (void)samples;
    double u;
    const double product = dcnn_nadam_product(now, step, &u);
    update->nadam[0] = u;
    update->nadam[1] = now->beta1 * (1.0 - 0.5 * pow(0.96, (double)step + 1.0));
    update->nadam[2] = product;
    update->nadam[3] = product * update->nadam[1];
}

void dcnn_update_begin(dcnn_update *update, double rate, int64_t step, int64_t samples) {
    dcnn_optimizer now = *update->optimizer;
    now.learning_rate = rate;
    update->rate = rate;
    update->gradient_scale = (float)(1.0 / (double)samples);
    update->second_scale = 1.0 / (1.0 - pow(now.beta2, (double)step));
    update->adam = dcnn_adam_at(&now, step, samples);
    const dcnn_optimizer_row *row = &dcnn_optimizer_table[now.kind];
    if (row->constants) row->constants(update, &now, step, samples);
}

/* --- tensors and chunks ------------------------------------------------------------------------------------------- */

static int by_place(const void *a, const void *b) {
    const dcnn_weight *one = a, *other = b;
    return (one->place.offset > other->place.offset) - (one->place.offset < other->place.offset);
}

dcnn_status dcnn_update_create(const dcnn_net *net, const dcnn_kernels *kernels, const dcnn_optimizer *optimizer,
                               dcnn_update *update) {
    *update = (dcnn_update){.kernels = kernels, .optimizer = optimizer};
    update->weights = calloc((size_t)net->node_count * DCNN_MAX_PARAMS, sizeof *update->weights);
    if (update->weights == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a list of weights");
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++) {
            const dcnn_param *param = &net->nodes[i].params[j];
            if (!param->trainable) continue;
            const bool adapts = param->rank > 1; /* kernels do */
            const bool regularized = dcnn_regularizer_is_active(&param->regularizer);
            const bool measured = adapts || optimizer->clip_norm > 0.0 || regularized;
            dcnn_weight *weight = &update->weights[update->weight_count++];
            *weight = (dcnn_weight){.place = {param->offset, param->count},
                                    .param = param,
                                    .adapts = adapts,
                                    .decays = param->decay != 0 ? param->decay > 0 : adapts,
                                    .regularized = regularized,
                                    .matrix = optimizer->kind == DCNN_MUON && dcnn_muon_takes(net, param),
                                    .rate = param->rate > 0.0 ? param->rate : 1.0,
                                    .first_chunk = update->chunk_count,
                                    .chunks = measured ? (int64_t)((param->count + DCNN_CHUNK - 1) / DCNN_CHUNK) : 0};
            update->chunk_count += weight->chunks;
            update->regularizes = update->regularizes || regularized;
            update->constrains = update->constrains || param->constraint.kind != DCNN_CONSTRAINT_NONE;
            update->has_rates = update->has_rates || weight->rate != 1.0;
        }
    qsort(update->weights, (size_t)update->weight_count, sizeof *update->weights, by_place);
    return optimizer->kind == DCNN_MUON ? dcnn_muon_create(net, kernels, &update->muon) : DCNN_OK;
}

void dcnn_update_free(dcnn_update *update) {
    dcnn_muon_free(&update->muon);
    free(update->weights);
    *update = (dcnn_update){0};
}

bool dcnn_update_wants_norms(const dcnn_update *update) {
    const dcnn_optimizer *o = update->optimizer;
    return dcnn_optimizer_table[o->kind].apply_weight || o->clip_norm > 0.0 || o->clip_value > 0.0 ||
           update->regularizes;
}

/* The part of a tensor that lies in a range; count 0: none. */
static dcnn_range part_of(const dcnn_weight *weight, dcnn_range range) {
    const size_t weight_end = weight->place.offset + weight->place.count, range_end = range.offset + range.count;
    const size_t first = weight->place.offset > range.offset ? weight->place.offset : range.offset;
    const size_t end = weight_end < range_end ? weight_end : range_end;
    return (dcnn_range){first, end > first ? end - first : 0};
}

/* --- a step's parts ----------------------------------------------------------------------------------------------- */

static void clip_values(const dcnn_update *u, dcnn_range range) {
    const float most = (float)(u->optimizer->clip_value / (double)u->gradient_scale);
    for (size_t i = range.offset; i < range.offset + range.count; i++) {
        const float g = u->gradient[i];
        u->gradient[i] = g > most ? most : g < -most ? -most : g; /* a NaN stays */
    }
}

/* The gradient is a sum over samples, a regularizer's is not. */
static void regularize(const dcnn_update *u, dcnn_range range) {
    for (int i = 0; i < u->weight_count; i++) {
        const dcnn_range part = part_of(&u->weights[i], range);
        if (part.count > 0 && u->weights[i].regularized)
            dcnn_regularizer_gradient(&u->weights[i].param->regularizer, 1.0 / (double)u->gradient_scale, part.count,
                                      u->params + part.offset, u->gradient + part.offset);
    }
}

static void lamb_direction(const dcnn_update *u, dcnn_range range) {
    for (int i = 0; i < u->weight_count; i++) {
        const dcnn_range part = part_of(&u->weights[i], range);
        const double decay = u->weights[i].decays ? u->optimizer->weight_decay : 0.0;
        if (part.count > 0)
            u->kernels->lamb_direction(part.count, &u->adam, (float)decay, u->gradient + part.offset,
                                       u->m + part.offset, u->v + part.offset, u->params + part.offset);
    }
}

void dcnn_update_directions(const dcnn_update *u, dcnn_range range) {
    if (u->regularizes) regularize(u, range);
    if (u->optimizer->clip_value > 0.0) clip_values(u, range);
    const dcnn_optimizer_row *row = &dcnn_optimizer_table[u->optimizer->kind];
    if (row->direction) row->direction(u, range);
}

void dcnn_update_measure(const dcnn_update *u, int64_t first_chunk, int64_t chunk_count) {
    for (int i = 0; i < u->weight_count; i++) {
        const dcnn_weight *weight = &u->weights[i];
        for (int64_t k = 0; k < weight->chunks; k++) {
            const int64_t chunk = weight->first_chunk + k;
            const size_t at = (size_t)k * DCNN_CHUNK, left = weight->place.count - at;
            const size_t count = left < DCNN_CHUNK ? left : DCNN_CHUNK;
            if (chunk < first_chunk || chunk >= first_chunk + chunk_count) continue;
            u->norms[chunk][0] = u->kernels->sum_squares(count, u->params + weight->place.offset + at);
            u->norms[chunk][1] = u->kernels->sum_squares(count, u->gradient + weight->place.offset + at);
            if (weight->regularized)
                u->norms[chunk][2] =
                    dcnn_regularizer_penalty(&weight->param->regularizer, count, u->params + weight->place.offset + at);
        }
    }
}

double dcnn_update_penalty(const dcnn_update *u) {
    double penalty = 0.0;
    for (int i = 0; i < u->weight_count; i++) /* by place, as dcnn_net_penalty() */
        for (int64_t k = 0; k < u->weights[i].chunks && u->weights[i].regularized; k++)
            penalty += u->norms[u->weights[i].first_chunk + k][2];
    return penalty;
}

void dcnn_update_constrain(const dcnn_update *u, int part, int parts) {
    for (int i = 0; i < u->weight_count; i++) {
        const dcnn_weight *weight = &u->weights[i];
        if (weight->param->constraint.kind == DCNN_CONSTRAINT_NONE) continue;
        const size_t groups = dcnn_constraint_groups(weight->param), each = groups / (size_t)parts + 1;
        const size_t first = (size_t)part * each, end = first + each;
        if (first < groups)
            dcnn_constraint_apply(weight->param, u->params + weight->place.offset, first, end < groups ? end : groups);
    }
}

/* |w| and |what it would move by|: chunks in their order (law 2). */
static void norms_of(const dcnn_update *u, const dcnn_weight *weight, double norms[2]) {
    norms[0] = norms[1] = 0.0;
    for (int64_t k = 0; k < weight->chunks; k++)
        for (int i = 0; i < 2; i++) norms[i] += u->norms[weight->first_chunk + k][i];
    for (int i = 0; i < 2; i++) norms[i] = sqrt(norms[i]);
}

/* A ratio with a norm of 0 counts as 1. */
static bool has_ratio(const dcnn_update *u, const dcnn_weight *weight, double norms[2]) {
    if (!weight->adapts) return false;
    norms_of(u, weight, norms);
    return norms[0] > 0.0 && norms[1] > 0.0;
}

/* Decoupled weight decay: before the step, by the learning rate. */
static void decay(const dcnn_update *u, dcnn_range range) {
    if (u->optimizer->weight_decay == 0.0) return;
    for (int i = 0; i < u->weight_count; i++) {
        const dcnn_range part = part_of(&u->weights[i], range);
        if (part.count > 0 && u->weights[i].decays)
            u->kernels->axpy(part.count, (float)(u->rate * u->optimizer->weight_decay), u->params + part.offset,
                             u->params + part.offset);
    }
}

static void sgd_momentum(const dcnn_update *u, dcnn_range range, double rate, double weight_decay) {
    const dcnn_sgd_momentum_step step = {.rate = (float)rate,
                                         .momentum = (float)u->optimizer->momentum,
                                         .weight_decay = (float)weight_decay,
                                         .gradient_scale = u->gradient_scale};
    u->kernels->sgd_momentum(range.count, &step, u->gradient + range.offset, u->m + range.offset,
                             u->params + range.offset);
}

/* --- optimizers without a kernel of their own: in double, value by value ----------------------------------------- */

static void nesterov_value(const dcnn_update *u, size_t i, double g) {
    const double m = u->optimizer->momentum * (double)u->m[i] - u->rate * g;
    u->m[i] = (float)m;
    u->params[i] = (float)((double)u->params[i] + u->optimizer->momentum * m - u->rate * g);
}

static void nadam_value(const dcnn_update *u, size_t i, double g) {
    const double beta1 = u->optimizer->beta1, beta2 = u->optimizer->beta2;
    const double m = (double)u->m[i] + (g - (double)u->m[i]) * (1.0 - beta1);
    const double v = (double)u->v[i] + (g * g - (double)u->v[i]) * (1.0 - beta2);
    const double ahead = u->nadam[1] * m / (1.0 - u->nadam[3]) + (1.0 - u->nadam[0]) * g / (1.0 - u->nadam[2]);
    u->m[i] = (float)m;
    u->v[i] = (float)v;
    u->params[i] -= (float)(u->rate * ahead / (sqrt(v * u->second_scale) + u->optimizer->epsilon));
}

static void rmsprop_value(const dcnn_update *u, size_t i, double g) {
    const double rho = u->optimizer->beta2, squares = rho * (double)u->m[i] + (1.0 - rho) * g * g;
    double step = u->rate * g / sqrt(squares + u->optimizer->epsilon);
    u->m[i] = (float)squares;
    if (u->optimizer->momentum > 0.0) u->v[i] = (float)(step += u->optimizer->momentum * (double)u->v[i]);
    u->params[i] = (float)((double)u->params[i] - step);
}

static void lion_value(const dcnn_update *u, size_t i, double g) {
    const double beta1 = u->optimizer->beta1, beta2 = u->optimizer->beta2, m = (double)u->m[i];
    const double direction = beta1 * m + (1.0 - beta1) * g;
    const double sign = direction > 0.0 ? 1.0 : direction < 0.0 ? -1.0 : direction; /* a NaN stays */
    u->params[i] = (float)((double)u->params[i] - u->rate * sign);
    u->m[i] = (float)(beta2 * m + (1.0 - beta2) * g);
}

static void each_value(const dcnn_update *u, dcnn_range range, void (*rule)(const dcnn_update *, size_t, double)) {
    for (size_t i = range.offset; i < range.offset + range.count; i++)
        rule(u, i, (double)u->gradient[i] * (double)u->gradient_scale);
}

/* --- the functions of the table ----------------------------------------------------------------------------------- */

static void apply_adam(const dcnn_update *u, dcnn_range range) {
    u->kernels->adam(range.count, &u->adam, u->gradient + range.offset, u->m + range.offset, u->v + range.offset,
                     u->params + range.offset);
}

static void apply_sgd(const dcnn_update *u, dcnn_range range) {
    if (u->optimizer->nesterov)
        each_value(u, range, nesterov_value);
    else
        sgd_momentum(u, range, u->rate, 0.0);
}

static void apply_nadam(const dcnn_update *u, dcnn_range range) {
    each_value(u, range, nadam_value);
}

static void apply_rmsprop(const dcnn_update *u, dcnn_range range) {
    each_value(u, range, rmsprop_value);
}

static void apply_lion(const dcnn_update *u, dcnn_range range) {
    each_value(u, range, lion_value);
}

/* LARS moves by the gradient itself. */
static void lars_weight(const dcnn_update *u, const dcnn_weight *weight, dcnn_range part, double rate) {
    double norms[2], ratio = 1.0;
    if (has_ratio(u, weight, norms))
        ratio = u->optimizer->trust_coefficient * norms[0] /
                (norms[1] * (double)u->gradient_scale + u->optimizer->weight_decay * norms[0]);
    sgd_momentum(u, part, rate * ratio, weight->decays ? u->optimizer->weight_decay : 0.0);
}

static void lamb_weight(const dcnn_update *u, const dcnn_weight *weight, dcnn_range part, double rate) {
    double norms[2], ratio = 1.0;
    if (has_ratio(u, weight, norms)) ratio = norms[0] / norms[1];
    u->kernels->axpy(part.count, (float)(rate * ratio), u->gradient + part.offset, u->params + part.offset);
}

#define ROW(id, ...) [DCNN_##id] = {__VA_ARGS__},
const dcnn_optimizer_row dcnn_optimizer_table[DCNN_OPTIMIZER_COUNT] = {DCNN_OPTIMIZERS(ROW)};

/* --- new weights -------------------------------------------------------------------------------------------------- */

static void apply_with_ratios(const dcnn_update *u, dcnn_range range) {
    for (int i = 0; i < u->weight_count; i++) {
        const dcnn_weight *weight = &u->weights[i];
        const dcnn_range part = part_of(weight, range);
        if (part.count > 0)
            dcnn_optimizer_table[u->optimizer->kind].apply_weight(u, weight, part, u->rate * weight->rate);
    }
}

/* What shortens the whole gradient to the norm allowed; chunks in their order (law 2). */
static double clip_factor(const dcnn_update *u) {
    double squares = 0.0;
    if (u->optimizer->clip_norm <= 0.0) return 1.0;
    for (int64_t chunk = 0; chunk < u->chunk_count; chunk++) squares += u->norms[chunk][1];
    const double norm = sqrt(squares) * (double)u->gradient_scale;
    return norm > u->optimizer->clip_norm ? u->optimizer->clip_norm / norm : 1.0;
}

static void apply_range(const dcnn_update *u, dcnn_range range) {
    decay(u, range);
    dcnn_optimizer_table[u->optimizer->kind].apply(u, range);
}

int dcnn_update_phases(const dcnn_update *update) {
    return update->muon.count > 0 ? dcnn_muon_phases() : 0;
}

void dcnn_update_phase(const dcnn_update *u, int phase, int part, int parts) {
    const dcnn_muon_step step = {.gradient = u->gradient,
                                 .m = u->m,
                                 .gradient_scale = (double)u->gradient_scale * (phase == 0 ? clip_factor(u) : 1.0),
                                 .momentum = u->optimizer->momentum,
                                 .nesterov = u->optimizer->nesterov};
    dcnn_muon_run(&u->muon, &step, phase, part, parts);
}

/* Weights with learning rates or rules of their own, one by one. */
static void apply_with_rates(const dcnn_update *update, dcnn_range range) {
    for (int i = 0; i < update->weight_count; i++) {
        const dcnn_range part = part_of(&update->weights[i], range);
        dcnn_update own = *update;
        own.rate *= update->weights[i].rate;
        own.adam.alpha = (float)((double)own.adam.alpha * update->weights[i].rate);
        if (part.count == 0) continue;
        if (!update->weights[i].matrix) {
            apply_range(&own, part);
        } else {
            decay(&own, part);
            dcnn_muon_apply(&own.muon, own.rate, part, own.params);
        }
    }
}

void dcnn_update_apply(const dcnn_update *update, dcnn_range range) {
    dcnn_update u = *update;
    const double factor = clip_factor(update);
    if (factor < 1.0) {
        u.gradient_scale = (float)((double)u.gradient_scale * factor);
        u.adam.gradient_scale = u.gradient_scale;
    }
    if (dcnn_optimizer_table[u.optimizer->kind].apply_weight)
        apply_with_ratios(&u, range);
    else if (u.has_rates || u.muon.count > 0)
        apply_with_rates(&u, range);
    else
        apply_range(&u, range);
}
