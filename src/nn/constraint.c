/* SPDX-License-Identifier: BSD-3-Clause */
/* constraint.c — see constraint.h. */
#include "nn/constraint.h"

#include <math.h>

#include "nn/config.h"

static const double epsilon = 1e-7; /* keras.config.epsilon() */

/* --- reading ------------------------------------------------------------------------------------------------------ */

static bool read_axes(const json_t *json, int rank, unsigned *axes) {
    const json_t *axis = json_object_get(json_object_get(json, "config"), "axis");
    const size_t count = json_is_array(axis) ? json_array_size(axis) : 1;
    *axes = 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *one = json_is_array(axis) ? json_array_get(axis, i) : axis;
        json_int_t at = json_is_integer(one) ? json_integer_value(one) : 0;
        if (at < 0) at += rank;
        if ((one && !json_is_integer(one)) || at < 0 || at >= rank) return false;
        *axes |= 1u << at;
    }
    return count > 0;
}

bool dcnn_constraint_read(const json_t *json, int rank, dcnn_constraint *constraint) {
    if (dcnn_config_is_class(json, " NonNeg non_neg nonneg ")) {
        constraint->kind = DCNN_CONSTRAINT_NON_NEGATIVE;
        return true;
    }
    constraint->kind = DCNN_CONSTRAINT_NORM;
    constraint->rate = 1.0;
    if (dcnn_config_is_class(json, " MaxNorm max_norm maxnorm ")) {
        constraint->max_norm = dcnn_config_setting(json, "max_value", 2.0);
    } else if (dcnn_config_is_class(json, " UnitNorm unit_norm unitnorm ")) {
        constraint->min_norm = constraint->max_norm = 1.0;
    } else if (dcnn_config_is_class(json, " MinMaxNorm min_max_norm minmaxnorm ")) {
        constraint->min_norm = dcnn_config_setting(json, "min_value", 0.0);
        constraint->max_norm = dcnn_config_setting(json, "max_value", 1.0);
        constraint->rate = dcnn_config_setting(json, "rate", 1.0);
    } else {
        return false;
    }
    return read_axes(json, rank, &constraint->axes) && constraint->min_norm >= 0.0 &&
           constraint->max_norm >= constraint->min_norm;
}

/* --- applying ----------------------------------------------------------------------------------------------------- */

/* The size of a part of a tensor: of the dimensions a norm runs over, or of the others. */
static size_t size_of(const dcnn_param *param, unsigned axes) {
    size_t size = 1;
    for (int i = 0; i < param->rank; i++)
        if (axes >> i & 1) size *= (size_t)param->dims[i];
    return size;
}

/* Where number `index` of the values along some dimensions lies. */
static size_t place_of(const dcnn_param *param, unsigned axes, size_t index) {
    size_t place = 0, stride = 1;
    for (int i = param->rank - 1; i >= 0; i--) {
        const size_t dim = (size_t)param->dims[i];
        if (axes >> i & 1) {
            place += index % dim * stride;
            index /= dim;
        }
        stride *= dim;
    }
    return place;
}

size_t dcnn_constraint_groups(const dcnn_param *param) {
    return param->constraint.kind == DCNN_CONSTRAINT_NON_NEGATIVE ? param->count
                                                                  : size_of(param, ~param->constraint.axes);
}

static void constrain_norm(const dcnn_param *param, float *w, size_t group) {
    const dcnn_constraint *c = &param->constraint;
    const size_t first = place_of(param, ~c->axes, group), count = size_of(param, c->axes);
    double squares = 0.0;
    for (size_t i = 0; i < count; i++) {
        const double value = (double)w[first + place_of(param, c->axes, i)];
        squares += value * value;
    }
    const double norm = sqrt(squares), clipped = fmin(fmax(norm, c->min_norm), c->max_norm);
    const double factor = (c->rate * clipped + (1.0 - c->rate) * norm) / (norm + epsilon);
    for (size_t i = 0; i < count; i++) {
        float *value = &w[first + place_of(param, c->axes, i)];
        *value = (float)((double)*value * factor);
    }
}

void dcnn_constraint_apply(const dcnn_param *param, float *w, size_t first, size_t end) {
    for (size_t group = first; group < end; group++) {
        if (param->constraint.kind == DCNN_CONSTRAINT_NORM)
            constrain_norm(param, w, group);
        else if (w[group] < 0)
            w[group] = 0;
    }
}
