/* SPDX-License-Identifier: BSD-3-Clause */
/* initializer.c — the table of initializers. */
#include "nn/initializer.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"

/* Keys of an initializer's config, with their defaults; NULL: no such key. */
static const struct {
    const char *class_name, *short_name, *key_a, *key_b;
    double a, b;
    dcnn_fan fan;
    dcnn_spread spread;
} rows[DCNN_INIT_COUNT] = {
    [DCNN_INIT_ZEROS] = {"Zeros", "zeros", NULL, NULL, 0.0, 0.0, 0, 0},
    [DCNN_INIT_ONES] = {"Ones", "ones", NULL, NULL, 0.0, 0.0, 0, 0},
    [DCNN_INIT_CONSTANT] = {"Constant", "constant", "value", NULL, 0.0, 0.0, 0, 0},
    [DCNN_INIT_RANDOM_UNIFORM] = {"RandomUniform", "random_uniform", "minval", "maxval", -0.05, 0.05, 0, 0},
    [DCNN_INIT_RANDOM_NORMAL] = {"RandomNormal", "random_normal", "mean", "stddev", 0.0, 0.05, 0, 0},
    [DCNN_INIT_TRUNCATED_NORMAL] = {"TruncatedNormal", "truncated_normal", "mean", "stddev", 0.0, 0.05, 0, 0},
    [DCNN_INIT_VARIANCE_SCALING] = {"VarianceScaling", "variance_scaling", "scale", NULL, 1.0, 0.0, DCNN_FAN_IN,
                                    DCNN_SPREAD_TRUNCATED},
    [DCNN_INIT_GLOROT_UNIFORM] = {"GlorotUniform", "glorot_uniform", NULL, NULL, 1.0, 0.0, DCNN_FAN_AVERAGE,
                                  DCNN_SPREAD_UNIFORM},
    [DCNN_INIT_GLOROT_NORMAL] = {"GlorotNormal", "glorot_normal", NULL, NULL, 1.0, 0.0, DCNN_FAN_AVERAGE,
                                 DCNN_SPREAD_TRUNCATED},
    [DCNN_INIT_HE_UNIFORM] = {"HeUniform", "he_uniform", NULL, NULL, 2.0, 0.0, DCNN_FAN_IN, DCNN_SPREAD_UNIFORM},
    [DCNN_INIT_HE_NORMAL] = {"HeNormal", "he_normal", NULL, NULL, 2.0, 0.0, DCNN_FAN_IN, DCNN_SPREAD_TRUNCATED},
    [DCNN_INIT_LECUN_UNIFORM] = {"LecunUniform", "lecun_uniform", NULL, NULL, 1.0, 0.0, DCNN_FAN_IN,
                                 DCNN_SPREAD_UNIFORM},
    [DCNN_INIT_LECUN_NORMAL] = {"LecunNormal", "lecun_normal", NULL, NULL, 1.0, 0.0, DCNN_FAN_IN,
                                DCNN_SPREAD_TRUNCATED},
    [DCNN_INIT_ORTHOGONAL] = {"Orthogonal", "orthogonal", "gain", NULL, 1.0, 0.0, 0, 0},
    [DCNN_INIT_IDENTITY] = {"Identity", "identity", "gain", NULL, 1.0, 0.0, 0, 0},
};

static const char *const fans[] = {"fan_in", "fan_out", "fan_avg"};
static const char *const spreads[] = {"uniform", "truncated_normal", "untruncated_normal"};

dcnn_initializer dcnn_initializer_of(dcnn_initializer_kind kind) {
    return (dcnn_initializer){kind, rows[kind].a, rows[kind].b, rows[kind].fan, rows[kind].spread};
}

/* --- reading and describing --------------------------------------------------------------------------------------- */

static dcnn_status read_number(const char *what, const json_t *config, const char *key, double *value) {
    const json_t *json = key ? json_object_get(config, key) : NULL;
    if (json == NULL || json_is_null(json)) return DCNN_OK;
    *value = json_number_value(json);
    if (!json_is_number(json) || !isfinite(*value))
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: its \"%s\" must be a number", what, key);
    return DCNN_OK;
}

static dcnn_status read_word(const char *what, const json_t *config, const char *key, const char *const *words,
                             int *value) {
    const json_t *json = json_object_get(config, key);
    if (json == NULL || json_is_null(json)) return DCNN_OK;
    const char *word = json_string_value(json);
    if (word && strcmp(word, "normal") == 0) word = "truncated_normal"; /* Keras' other name of it */
    for (int i = 0; word && i < 3; i++)
        if (strcmp(word, words[i]) == 0) {
            *value = i;
            return DCNN_OK;
        }
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s: its \"%s\" must be \"%s\", \"%s\" or \"%s\"", what, key, words[0], words[1],
                     words[2]);
}

static dcnn_status read_settings(const char *what, const json_t *config, dcnn_initializer *initializer) {
    const dcnn_initializer_kind kind = initializer->kind;
    DCNN_TRY(read_number(what, config, rows[kind].key_a, &initializer->a));
    DCNN_TRY(read_number(what, config, rows[kind].key_b, &initializer->b));
    if (kind != DCNN_INIT_VARIANCE_SCALING) return DCNN_OK;
    int fan = (int)initializer->fan, spread = (int)initializer->spread;
    DCNN_TRY(read_word(what, config, "mode", fans, &fan));
    DCNN_TRY(read_word(what, config, "distribution", spreads, &spread));
    initializer->fan = (dcnn_fan)fan;
    initializer->spread = (dcnn_spread)spread;
    if (!(initializer->a > 0.0)) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: its \"scale\" must be above 0", what);
    return DCNN_OK;
}

dcnn_status dcnn_initializer_read(const char *what, const json_t *json, dcnn_initializer *initializer) {
    const char *name =
        json_is_string(json) ? json_string_value(json) : json_string_value(json_object_get(json, "class_name"));
    const char *bare = name && strrchr(name, '>') ? strrchr(name, '>') + 1 : name; /* "Custom>HeNormal" */
    for (int i = 0; bare && i < DCNN_INIT_COUNT; i++)
        if (strcmp(bare, rows[i].class_name) == 0 || strcmp(bare, rows[i].short_name) == 0) {
            *initializer = dcnn_initializer_of((dcnn_initializer_kind)i);
            return read_settings(what, json_object_get(json, "config"), initializer);
        }
    char known[DCNN_INIT_COUNT * 24] = "";
    for (int i = 0; i < DCNN_INIT_COUNT; i++) {
        if (i > 0) strcat(known, ", ");
        strcat(known, rows[i].short_name);
    }
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s: unknown initializer '%s'; there are %s", what, name ? name : "?", known);
}

json_t *dcnn_initializer_describe(const dcnn_initializer *initializer) {
    const dcnn_initializer_kind kind = initializer->kind;
    json_t *config = json_object();
    if (rows[kind].key_a) json_object_set_new(config, rows[kind].key_a, json_real(initializer->a));
    if (rows[kind].key_b) json_object_set_new(config, rows[kind].key_b, json_real(initializer->b));
    if (kind == DCNN_INIT_VARIANCE_SCALING) {
        json_object_set_new(config, "mode", json_string(fans[initializer->fan]));
        json_object_set_new(config, "distribution", json_string(spreads[initializer->spread]));
    }
    if (kind > DCNN_INIT_CONSTANT && kind != DCNN_INIT_IDENTITY) json_object_set_new(config, "seed", json_null());
    return json_pack("{s:s, s:s, s:o, s:n}", "module", "keras.initializers", "class_name", rows[kind].class_name,
                     "config", config, "registered_name");
}

/* --- values ------------------------------------------------------------------------------------------------------- */

typedef struct fill {
    uint64_t seed;
    int64_t number;
    size_t count;
    float *values;
} fill;

static void fill_constant(const fill *f, double value) {
    for (size_t i = 0; i < f->count; i++) f->values[i] = (float)value;
}

static void fill_uniform(const fill *f, double low, double high) {
    for (size_t i = 0; i < f->count; i++) {
        dcnn_random_bits bits = dcnn_random(f->seed, DCNN_RANDOM_INIT, 0, f->number << 40 | (int64_t)i, 0);
        f->values[i] = (float)dcnn_random_between(bits.word[0], low, high);
    }
}

static void fill_normal(const fill *f, double mean, double deviation, bool truncated) {
    for (size_t i = 0; i < f->count; i++)
        for (uint32_t attempt = 0;; attempt++) {
            dcnn_random_bits bits = dcnn_random(f->seed, DCNN_RANDOM_INIT, attempt, f->number << 40 | (int64_t)i, 0);
            const double value = dcnn_random_normal(bits.word[0], bits.word[1]);
            f->values[i] = (float)(mean + deviation * value);
            if (!truncated || fabs(value) < 2.0) break;
        }
}

static void fill_scaled(const fill *f, const dcnn_initializer *initializer, double fan_in, double fan_out) {
    const double fan = initializer->fan == DCNN_FAN_IN    ? fan_in
                       : initializer->fan == DCNN_FAN_OUT ? fan_out
                                                          : (fan_in + fan_out) / 2.0;
    const double variance = initializer->a / (fan > 1.0 ? fan : 1.0), limit = sqrt(3.0 * variance);
    if (initializer->spread == DCNN_SPREAD_UNIFORM)
        fill_uniform(f, -limit, limit);
    else if (initializer->spread == DCNN_SPREAD_NORMAL)
        fill_normal(f, 0.0, sqrt(variance), false);
    else /* Keras: divided by the deviation of a normal cut at two deviations */
        fill_normal(f, 0.0, sqrt(variance) / 0.87962566103423978, true);
}

/* Rows or columns of a random matrix made orthonormal, whichever are fewer, by Gram and Schmidt, each twice over. */
static void fill_orthogonal(const fill *f, size_t columns, double gain) {
    const size_t height = f->count / columns, fewer = height < columns ? height : columns;
    const size_t length = height < columns ? columns : height;
    const size_t step = height < columns ? 1 : columns, apart = height < columns ? columns : 1;
    fill_normal(f, 0.0, 1.0, false);
    for (size_t i = 0; i < 2 * fewer; i++) {
        float *mine = f->values + i / 2 * apart;
        double squares = 0.0;
        for (size_t j = 0; j < i / 2; j++) {
            const float *other = f->values + j * apart;
            double product = 0.0;
            for (size_t k = 0; k < length; k++) product += (double)mine[k * step] * (double)other[k * step];
            for (size_t k = 0; k < length; k++)
                mine[k * step] = (float)((double)mine[k * step] - product * (double)other[k * step]);
        }
        for (size_t k = 0; k < length; k++) squares += (double)mine[k * step] * (double)mine[k * step];
        for (size_t k = 0; k < length; k++) mine[k * step] = (float)((double)mine[k * step] / sqrt(squares));
    }
    for (size_t i = 0; i < f->count; i++) f->values[i] = (float)((double)f->values[i] * gain);
}

static void fill_identity(const fill *f, size_t columns, double gain) {
    fill_constant(f, 0.0);
    for (size_t i = 0; i < columns && i * columns + i < f->count; i++) f->values[i * columns + i] = (float)gain;
}

void dcnn_initializer_fill(const dcnn_initializer *initializer, uint64_t seed, int64_t number, int rank,
                           const int *dims, float *values) {
    fill f = {seed, number, 1, values};
    double area = 1.0;
    for (int i = 0; i < rank; i++) f.count *= (size_t)dims[i];
    for (int i = 0; i + 2 < rank; i++) area *= dims[i];
    const double fan_in = area * (rank > 0 ? dims[rank > 1 ? rank - 2 : 0] : 1);
    const double fan_out = area * (rank > 0 ? dims[rank - 1] : 1);
    const size_t columns = rank > 0 ? (size_t)dims[rank - 1] : 1;
    switch (initializer->kind) {
    case DCNN_INIT_ZEROS:
    case DCNN_INIT_COUNT:
        fill_constant(&f, 0.0);
        break;
    case DCNN_INIT_ONES:
        fill_constant(&f, 1.0);
        break;
    case DCNN_INIT_CONSTANT:
        fill_constant(&f, initializer->a);
        break;
    case DCNN_INIT_RANDOM_UNIFORM:
        fill_uniform(&f, initializer->a, initializer->b);
        break;
    case DCNN_INIT_RANDOM_NORMAL:
    case DCNN_INIT_TRUNCATED_NORMAL:
        fill_normal(&f, initializer->a, initializer->b, initializer->kind == DCNN_INIT_TRUNCATED_NORMAL);
        break;
    case DCNN_INIT_VARIANCE_SCALING:
    case DCNN_INIT_GLOROT_UNIFORM:
    case DCNN_INIT_GLOROT_NORMAL:
    case DCNN_INIT_HE_UNIFORM:
    case DCNN_INIT_HE_NORMAL:
    case DCNN_INIT_LECUN_UNIFORM:
    case DCNN_INIT_LECUN_NORMAL:
        fill_scaled(&f, initializer, fan_in, fan_out);
        break;
    case DCNN_INIT_ORTHOGONAL:
        fill_orthogonal(&f, columns, initializer->a);
        break;
    case DCNN_INIT_IDENTITY:
        fill_identity(&f, columns, initializer->a);
        break;
    }
}
