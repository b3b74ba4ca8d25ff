/* SPDX-License-Identifier: BSD-3-Clause */
/* rules.c — see rules.h. */
#include "nn/rules.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "nn/layer.h"

static const double fuzz = 1e-7; /* keras.config.epsilon() */

/* --- reading ------------------------------------------------------------------------------------------------------ */

static const char *class_of(const json_t *rule) {
    return json_is_string(rule) ? json_string_value(rule) : json_string_value(json_object_get(rule, "class_name"));
}

static double setting(const json_t *rule, const char *key, double fallback) {
    const json_t *value = json_object_get(json_object_get(rule, "config"), key);
    return json_is_number(value) ? json_number_value(value) : fallback;
}

static bool is_named(const char *name, const char *names) {
    char word[64];
    snprintf(word, sizeof word, " %.60s ", name);
    return strstr(names, word) != NULL;
}

/* Keras' defaults: 0.01 of one, nothing of both. */
static bool read_regularizer(const json_t *rule, dcnn_rules *rules) {
    const char *name = class_of(rule);
    if (name == NULL || !is_named(name, " L1 l1 L2 l2 L1L2 l1_l2 l1l2 ")) return false;
    const bool both = is_named(name, " L1L2 l1_l2 l1l2 ");
    if (both || is_named(name, " L1 l1 ")) rules->l1 = setting(rule, "l1", both ? 0.0 : 0.01);
    if (both || is_named(name, " L2 l2 ")) rules->l2 = setting(rule, "l2", both ? 0.0 : 0.01);
    return isfinite(rules->l1) && isfinite(rules->l2);
}

static bool read_axes(const json_t *rule, int rank, unsigned *axes) {
    const json_t *axis = json_object_get(json_object_get(rule, "config"), "axis");
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

static bool read_constraint(const json_t *rule, int rank, dcnn_rules *rules) {
    const char *name = class_of(rule);
    if (name == NULL) return false;
    if (is_named(name, " NonNeg non_neg nonneg ")) {
        rules->constraint = DCNN_CONSTRAINT_NON_NEGATIVE;
        return true;
    }
    rules->constraint = DCNN_CONSTRAINT_NORM;
    rules->rate = 1.0;
    if (is_named(name, " MaxNorm max_norm maxnorm ")) {
        rules->most = setting(rule, "max_value", 2.0);
    } else if (is_named(name, " UnitNorm unit_norm unitnorm ")) {
        rules->least = rules->most = 1.0;
    } else if (is_named(name, " MinMaxNorm min_max_norm minmaxnorm ")) {
        rules->least = setting(rule, "min_value", 0.0);
        rules->most = setting(rule, "max_value", 1.0);
        rules->rate = setting(rule, "rate", 1.0);
    } else {
        return false;
    }
    return read_axes(rule, rank, &rules->axes) && rules->least >= 0.0 && rules->most >= rules->least;
}

/* "kernel_regularizer" means kernel; "depthwise_regularizer" a layer's depthwise_kernel, or its one kernel. */
static dcnn_param *param_of(dcnn_node *node, const char *key, size_t stem) {
    for (int j = 0; j < node->param_count; j++) {
        dcnn_param *param = &node->params[j];
        if (strncmp(param->name, key, stem) == 0 && (param->name[stem] == '\0' || param->name[stem] == '_'))
            return param;
    }
    if (stem == 9 && strncmp(key, "depthwise", stem) == 0 && node->param_count > 0) return &node->params[0];
    return NULL;
}

static dcnn_status refuse(const dcnn_node *node, const char *key, const json_t *rule) {
    const char *name = class_of(rule);
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "layer '%s' has the %s %.40s, which dcnn does not do in training (there are L1, L2, L1L2; "
                     "MaxNorm, MinMaxNorm, NonNeg, UnitNorm): evaluate it, or remove that",
                     node->name, key, name ? name : "?");
}

dcnn_status dcnn_rules_read(dcnn_node *node) {
    const char *key;
    json_t *rule;
    json_object_foreach(node->kept, key, rule) {
        const char *end = strrchr(key, '_');
        const bool regularizer = end && strcmp(end, "_regularizer") == 0;
        if (!regularizer && (end == NULL || strcmp(end, "_constraint") != 0)) continue;
        const size_t stem = (size_t)(end - key);
        if (strncmp(key, "activity", stem) == 0) return refuse(node, key, rule);
        dcnn_param *param = param_of(node, key, stem);
        if (param == NULL) continue; /* the bias of a layer without one */
        if (!(regularizer ? read_regularizer(rule, &param->rules) : read_constraint(rule, param->rank, &param->rules)))
            return refuse(node, key, rule);
    }
    return DCNN_OK;
}

/* --- regularizers ------------------------------------------------------------------------------------------------- */

double dcnn_rules_penalty(const dcnn_rules *rules, size_t count, const float *w) {
    double sizes = 0.0, squares = 0.0;
    for (size_t i = 0; i < count; i++) {
        sizes += fabs((double)w[i]);
        squares += (double)w[i] * (double)w[i];
    }
    return rules->l1 * sizes + rules->l2 * squares;
}

void dcnn_rules_gradient(const dcnn_rules *rules, double scale, size_t count, const float *w, float *g) {
    const double l1 = scale * rules->l1, l2 = scale * 2.0 * rules->l2;
    for (size_t i = 0; i < count; i++) {
        const double sign = w[i] > 0 ? 1.0 : w[i] < 0 ? -1.0 : 0.0;
        g[i] = (float)((double)g[i] + l1 * sign + l2 * (double)w[i]);
    }
}

static int by_place(const dcnn_param *one, const dcnn_param *other) {
    return one->offset < other->offset ? -1 : one->offset > other->offset;
}

/* The trained parameter with a regularizer that lies next behind `last`, or NULL. */
static const dcnn_param *next_regularized(const dcnn_net *net, const dcnn_param *last) {
    const dcnn_param *next = NULL;
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++) {
            const dcnn_param *param = &net->nodes[i].params[j];
            if (!param->trainable || (param->rules.l1 == 0.0 && param->rules.l2 == 0.0)) continue;
            if ((last == NULL || by_place(param, last) > 0) && (next == NULL || by_place(param, next) < 0))
                next = param;
        }
    return next;
}

double dcnn_net_penalty(const dcnn_net *net) {
    double penalty = 0.0;
    for (const dcnn_param *p = NULL; (p = next_regularized(net, p));)
        for (size_t at = 0; at < p->count; at += DCNN_CHUNK) {
            const size_t left = p->count - at;
            penalty +=
                dcnn_rules_penalty(&p->rules, left < DCNN_CHUNK ? left : DCNN_CHUNK, net->params + p->offset + at);
        }
    return penalty;
}

/* --- constraints -------------------------------------------------------------------------------------------------- */

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

size_t dcnn_rules_groups(const dcnn_param *param) {
    return param->rules.constraint == DCNN_CONSTRAINT_NON_NEGATIVE ? param->count : size_of(param, ~param->rules.axes);
}

static void constrain_norm(const dcnn_param *param, float *w, size_t group) {
    const dcnn_rules *r = &param->rules;
    const size_t first = place_of(param, ~r->axes, group), count = size_of(param, r->axes);
    double squares = 0.0;
    for (size_t i = 0; i < count; i++) {
        const double value = (double)w[first + place_of(param, r->axes, i)];
        squares += value * value;
    }
    const double norm = sqrt(squares), clipped = fmin(fmax(norm, r->least), r->most);
    const double factor = (r->rate * clipped + (1.0 - r->rate) * norm) / (norm + fuzz);
    for (size_t i = 0; i < count; i++) {
        float *value = &w[first + place_of(param, r->axes, i)];
        *value = (float)((double)*value * factor);
    }
}

void dcnn_rules_constrain(const dcnn_param *param, float *w, size_t first, size_t end) {
    for (size_t group = first; group < end; group++) {
        if (param->rules.constraint == DCNN_CONSTRAINT_NORM)
            constrain_norm(param, w, group);
        else if (w[group] < 0)
            w[group] = 0;
    }
}
