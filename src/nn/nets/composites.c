/* SPDX-License-Identifier: BSD-3-Clause */
/* composites.c — operations of keras.ops that no single layer computes, as small models of layers that do: the middle
 * of clip, |x|, powers, means over other axes than height and width, slices of channels. */
#include <math.h>
#include <string.h>

#include "nn/net_private.h"

/* A model in the making; its layers have names of the operation, numbered. */
typedef struct making {
    json_t *layers;
    const char *name;
    char last[2 * DCNN_NAME_BYTES]; /* the layer that was added last */
    int count;
} making;

static const char start[] = "start";

static making begin(const char *name) {
    making m = {.layers = json_array(), .name = name};
    json_array_append_new(m.layers, json_pack("{s:s, s:{s:s}, s:[]}", "class_name", "InputLayer", "config", "name",
                                              start, "inbound_nodes"));
    snprintf(m.last, sizeof m.last, "%s", start);
    return m;
}

/* Adds a layer on values, by their names, which may be that of the last one; takes `config` over. */
static void add(making *m, const char *class_name, json_t *config, int count, const char *const *on) {
    char name[2 * DCNN_NAME_BYTES];
    json_t *values = json_array();
    for (int i = 0; i < count; i++) json_array_append_new(values, json_pack("[s,i,i,{}]", on[i], 0, 0));
    snprintf(name, sizeof name, "%.50s_part_%d", m->name, ++m->count);
    json_object_set_new(config, "name", json_string(name));
    json_array_append_new(
        m->layers, json_pack("{s:s, s:o, s:[o]}", "class_name", class_name, "config", config, "inbound_nodes", values));
    snprintf(m->last, sizeof m->last, "%s", name);
}

/* ... on what was added last. */
static void then(making *m, const char *class_name, json_t *config) {
    add(m, class_name, config, 1, (const char *[]){m->last});
}

static void rescale(making *m, double scale, double offset) {
    then(m, "Rescaling", json_pack("{s:f, s:f}", "scale", scale, "offset", offset));
}

static void activate(making *m, const char *activation) {
    then(m, "Activation", json_pack("{s:s}", "activation", activation));
}

static json_t *end(const making *m) {
    return json_pack("{s:s, s:{s:o, s:[[s,i,i]], s:[[s,i,i]]}}", "class_name", "Functional", "config", "layers",
                     m->layers, "input_layers", start, 0, 0, "output_layers", m->last, 0, 0);
}

/* --- bounds and powers -------------------------------------------------------------------------------------------- */

/* max(x, least) = least + relu(x - least); min(x, most) = most - relu(most - x). */
static void raise_to(making *m, double least) {
    rescale(m, 1.0, -least);
    activate(m, "relu");
    rescale(m, 1.0, least);
}

static void lower_to(making *m, double most) {
    rescale(m, -1.0, most);
    activate(m, "relu");
    rescale(m, -1.0, most);
}

static json_t *bounded(const char *name, const double *least, const double *most) {
    making m = begin(name);
    if (least) raise_to(&m, *least);
    if (most) lower_to(&m, *most);
    return end(&m);
}

static json_t *power(const char *name, int exponent) {
    const char *on[DCNN_MAX_INPUTS];
    making m = begin(name);
    for (int i = 0; i < exponent; i++) on[i] = start;
    add(&m, "Multiply", json_object(), exponent, on);
    return end(&m);
}

/* |x| = max(x, -x). */
static json_t *absolute(const char *name) {
    making m = begin(name);
    rescale(&m, -1.0, 0.0);
    add(&m, "Maximum", json_object(), 2, (const char *[]){start, m.last});
    return end(&m);
}

/* x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 */
static json_t *gelu(const char *name) {
    making m = begin(name);
    add(&m, "Multiply", json_object(), 3, (const char *[]){start, start, start});
    rescale(&m, 0.044715, 0.0);
    add(&m, "Add", json_object(), 2, (const char *[]){start, m.last});
    rescale(&m, sqrt(2.0 / 3.14159265358979323846), 0.0);
    activate(&m, "tanh");
    rescale(&m, 0.5, 0.5);
    add(&m, "Multiply", json_object(), 2, (const char *[]){start, m.last});
    return end(&m);
}

/* --- over axes ---------------------------------------------------------------------------------------------------- */

static json_t *list(int count, const int *numbers) {
    json_t *made = json_array();
    for (int i = 0; i < count; i++) json_array_append_new(made, json_integer(numbers[i]));
    return made;
}

/* Which of height, width and channels an axis or a list of them names, counted with the samples; false: another. */
static bool read_axes(const json_t *axes, bool along[3]) {
    const size_t count = json_is_array(axes) ? json_array_size(axes) : 1;
    for (size_t i = 0; i < count; i++) {
        const json_t *one = json_is_array(axes) ? json_array_get(axes, i) : axes;
        const json_int_t axis = json_is_integer(one) ? json_integer_value(one) : 0;
        const json_int_t at = axis < 0 ? axis + 3 : axis - 1;
        if (axis == 0 || at < 0 || at > 2 || along[at]) return false;
        along[at] = true;
    }
    return count > 0;
}

/* The axes that go come first, as rows and columns of a map whose channels are all that stays. */
static json_t *reduced(const json_t *config, const char *class_name, const char *name, dcnn_shape in) {
    const int sizes[3] = {in.h, in.w, in.c};
    const bool keep = json_is_true(json_object_get(config, "keepdims"));
    const bool least = strcmp(class_name, "Min") == 0, sum = strcmp(class_name, "Sum") == 0;
    bool along[3] = {false, false, false};
    int order[3], gone = 0, stays = 1, away = 1, at = 0;
    if (in.rank != 3 || !read_axes(json_object_get(config, "axis"), along)) return NULL;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < 3; i++) {
            if (along[i] != (pass == 0)) continue;
            order[at++] = i + 1;
            gone += along[i];
            *(along[i] ? &away : &stays) *= sizes[i];
        }
    if (!keep && gone != 2) return NULL; /* neither a map nor a vector is left */
    const int first = sizes[order[0] - 1];
    making m = begin(name);
    if (least) rescale(&m, -1.0, 0.0);
    then(&m, "Permute", json_pack("{s:o}", "dims", list(3, order)));
    then(&m, "Reshape", json_pack("{s:o}", "target_shape", list(3, (const int[]){first, away / first, stays})));
    then(&m, strcmp(class_name, "Mean") == 0 || sum ? "GlobalAveragePooling2D" : "GlobalMaxPooling2D",
         json_pack("{s:b}", "keepdims", keep));
    if (least) rescale(&m, -1.0, 0.0);
    if (sum) rescale(&m, away, 0.0);
    const int left[3] = {along[0] ? 1 : in.h, along[1] ? 1 : in.w, along[2] ? 1 : in.c};
    if (keep) then(&m, "Reshape", json_pack("{s:o}", "target_shape", list(3, left)));
    return end(&m);
}

/* --- parts -------------------------------------------------------------------------------------------------------- */

static bool is_of(const json_t *item, const char *class_name) {
    const char *name = json_string_value(json_object_get(item, "class_name"));
    return name && strcmp(name, class_name) == 0;
}

/* One slice of an axis, in steps of 1: how much is cut off before and behind. */
static bool read_slice(const json_t *slice, int length, int cut[2]) {
    const json_t *config = json_object_get(slice, "config"), *step = json_object_get(config, "step");
    const json_t *from = json_object_get(config, "start"), *to = json_object_get(config, "stop");
    json_int_t a = json_is_integer(from) ? json_integer_value(from) : 0;
    json_int_t b = json_is_integer(to) ? json_integer_value(to) : length;
    if (!is_of(slice, "__slice__") || (json_is_integer(step) && json_integer_value(step) != 1)) return false;
    if (a < 0) a = a + length > 0 ? a + length : 0;
    if (b < 0) b += length;
    if (b > length) b = length;
    if (a >= b) return false;
    cut[0] = (int)a;
    cut[1] = (int)(length - b);
    return true;
}

/* x[:, a:b, c:d, e:f] of a map, an ellipsis standing for what is not named. */
static json_t *cut(const json_t *key, const char *name, dcnn_shape in) {
    const int sizes[3] = {in.h, in.w, in.c}, named = (int)json_array_size(key);
    int cuts[3][2] = {{0, 0}, {0, 0}, {0, 0}}, at = 0; /* at: axis, the samples' first */
    if (named == 0) return NULL;                       /* a part of the batch */
    for (int i = 0; i < named; i++) {
        const json_t *one = json_array_get(key, (size_t)i);
        int samples[2];
        if (is_of(one, "__ellipsis__")) {
            at = 4 - (named - 1 - i);
            continue;
        }
        if (at < 0 || at > 3) return NULL;
        if (at == 0 && !(read_slice(one, INT32_MAX, samples) && samples[0] == 0 && samples[1] == 0)) return NULL;
        if (at > 0 && !read_slice(one, sizes[at - 1], cuts[at - 1])) return NULL;
        at++;
    }
    making m = begin(name);
    if (cuts[2][0] || cuts[2][1]) { /* channels, for a while, as rows */
        then(&m, "Permute", json_pack("{s:[i,i,i]}", "dims", 3, 1, 2));
        then(&m, "Cropping2D", json_pack("{s:[[i,i],[i,i]]}", "cropping", cuts[2][0], cuts[2][1], 0, 0));
        then(&m, "Permute", json_pack("{s:[i,i,i]}", "dims", 2, 3, 1));
    }
    then(&m, "Cropping2D", json_pack("{s:[[i,i],[i,i]]}", "cropping", cuts[0][0], cuts[0][1], cuts[1][0], cuts[1][1]));
    return end(&m);
}

/* x[:, None, None, :] of a vector. */
static json_t *spread(const json_t *key, const char *name, dcnn_shape in) {
    making m = begin(name);
    then(&m, "Reshape", json_pack("{s:[i,i,i]}", "target_shape", 1, 1, in.c));
    json_t *model = end(&m);
    int all[2];
    const bool good = json_array_size(key) == 4 && json_is_null(json_array_get(key, 1)) &&
                      json_is_null(json_array_get(key, 2)) && read_slice(json_array_get(key, 0), INT32_MAX, all) &&
                      all[0] == 0 && all[1] == 0 && read_slice(json_array_get(key, 3), in.c, all) && all[0] == 0 &&
                      all[1] == 0;
    if (good) return model;
    json_decref(model);
    return NULL;
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

static json_t *of_number(const char *class_name, const char *name, const dcnn_operands *on) {
    const bool whole = on->number == floor(on->number) && !on->number_first;
    if (on->list || on->numbers != 1 || !isfinite(on->number)) return NULL;
    if (strcmp(class_name, "Maximum") == 0) return bounded(name, &on->number, NULL);
    if (strcmp(class_name, "Minimum") == 0) return bounded(name, NULL, &on->number);
    if (strcmp(class_name, "Power") == 0 && whole && on->number >= 3.0 && on->number <= DCNN_MAX_INPUTS)
        return power(name, (int)on->number);
    return NULL;
}

json_t *dcnn_net_composite(const json_t *item, const char *name, const dcnn_operands *on) {
    static const char reductions[] = " Mean Max Min Sum ";
    const char *class_name = json_string_value(json_object_get(item, "class_name"));
    const json_t *config = json_object_get(item, "config");
    const json_t *low = json_object_get(config, "x_min"), *high = json_object_get(config, "x_max");
    const json_t *initial = json_object_get(config, "initial");
    char word[DCNN_NAME_BYTES];
    if (on->values != 1 || class_name == NULL) return NULL;
    if (on->numbers > 0) return of_number(class_name, name, on);
    snprintf(word, sizeof word, " %.60s ", class_name);
    if (strstr(reductions, word) && (initial == NULL || json_is_null(initial)))
        return reduced(config, class_name, name, on->shape);
    if (strcmp(class_name, "GetItem") == 0)
        return on->shape.rank == 3 ? cut(on->key, name, on->shape) : spread(on->key, name, on->shape);
    if (strcmp(class_name, "Absolute") == 0) return absolute(name);
    if (strcmp(class_name, "Gelu") == 0) return gelu(name);
    if (strcmp(class_name, "Clip") != 0 || !json_is_number(low) || !json_is_number(high)) return NULL;
    const double least = json_number_value(low), most = json_number_value(high);
    return least <= most ? bounded(name, &least, &most) : NULL;
}
