/* SPDX-License-Identifier: BSD-3-Clause */
/* constants.c — tensors of an ONNX file, attributes, and nodes of constants alone: the shapes that PyTorch computes. A
 * batch of any size counts as 0, which Reshape takes for "as it is". */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/input.h"
#include "model/convert.h"
#include "model/onnx/build.h"
#include "model/onnx/read.h"

/* --- attributes --------------------------------------------------------------------------------------------------- */

const DcnnOnnx__Attribute *dcnn_onnx_attribute(const DcnnOnnx__Node *node, const char *name) {
    for (size_t i = 0; i < node->n_attribute; i++)
        if (node->attribute[i]->name && strcmp(node->attribute[i]->name, name) == 0) return node->attribute[i];
    return NULL;
}

int64_t dcnn_onnx_int_of(const DcnnOnnx__Node *node, const char *name, int64_t fallback) {
    const DcnnOnnx__Attribute *attribute = dcnn_onnx_attribute(node, name);
    return attribute ? attribute->i : fallback;
}

double dcnn_onnx_float_of(const DcnnOnnx__Node *node, const char *name, double fallback) {
    const DcnnOnnx__Attribute *attribute = dcnn_onnx_attribute(node, name);
    return attribute ? (double)attribute->f : fallback;
}

bool dcnn_onnx_is(const DcnnOnnx__Node *node, const char *name, const char *word, const char *fallback) {
    const DcnnOnnx__Attribute *attribute = dcnn_onnx_attribute(node, name);
    if (attribute == NULL || attribute->s.data == NULL) return strcmp(word, fallback) == 0;
    return attribute->s.len == strlen(word) && memcmp(attribute->s.data, word, attribute->s.len) == 0;
}

dcnn_status dcnn_onnx_ints_of(const dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const char *name, size_t count,
                              int64_t *values) {
    const DcnnOnnx__Attribute *attribute = dcnn_onnx_attribute(node, name);
    if (attribute == NULL) return DCNN_OK;
    if (attribute->n_ints != count) return dcnn_onnx_refuse(r, node, "it does not have two dimensions");
    for (size_t i = 0; i < count; i++) {
        if (attribute->ints[i] < -(1 << 20) || attribute->ints[i] > 1 << 20)
            return dcnn_onnx_refuse(r, node, "one of its numbers is out of range");
        values[i] = attribute->ints[i];
    }
    return DCNN_OK;
}

/* Is `attribute` one of some words? "name=0": with that number. */
static bool is_known(const DcnnOnnx__Attribute *attribute, const char *known) {
    const char *name = attribute->name ? attribute->name : "";
    const size_t length = strlen(name);
    for (const char *word = known; *word;) {
        const size_t end = strcspn(word, " "), bare = strcspn(word, " =");
        if (bare == length && memcmp(word, name, length) == 0)
            return bare == end || strtoll(word + bare + 1, NULL, 10) == attribute->i;
        word += end + strspn(word + end, " ");
    }
    return false;
}

dcnn_status dcnn_onnx_check_attributes(const dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const char *known) {
    for (size_t i = 0; i < node->n_attribute; i++) {
        char what[128];
        if (is_known(node->attribute[i], known)) continue;
        snprintf(what, sizeof what, "its attribute '%.60s' says what dcnn does not have",
                 node->attribute[i]->name ? node->attribute[i]->name : "");
        return dcnn_onnx_refuse(r, node, what);
    }
    return DCNN_OK;
}

dcnn_status dcnn_onnx_list_of(const dcnn_onnx_reader *r, const DcnnOnnx__Node *node, size_t input,
                              const char *attribute, int64_t *values, int *count) {
    const DcnnOnnx__Attribute *a = dcnn_onnx_attribute(node, attribute);
    dcnn_onnx_value list = {0};
    *count = 0;
    if (a && a->n_ints > DCNN_ONNX_LIST) return dcnn_onnx_refuse(r, node, "it lists more than 12 numbers");
    if (a) {
        for (size_t i = 0; i < a->n_ints; i++) values[(*count)++] = a->ints[i];
        return DCNN_OK;
    }
    if (!dcnn_onnx_has_input(node, input)) return DCNN_OK;
    DCNN_TRY(dcnn_onnx_input(r, node, input, &list));
    if (list.kind != ONNX_CONSTANT || list.ints == NULL)
        return dcnn_onnx_refuse(r, node, "it depends on a number that is computed");
    if (list.count > DCNN_ONNX_LIST) return dcnn_onnx_refuse(r, node, "it lists more than 12 numbers");
    for (int64_t i = 0; i < list.count; i++) values[(*count)++] = list.ints[i];
    return DCNN_OK;
}

/* --- tensors ------------------------------------------------------------------------------------------------------ */

static dcnn_status fail_tensor(const dcnn_onnx_reader *r, const DcnnOnnx__Tensor *tensor, const char *what) {
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s: tensor '%.80s': %s", r->path, tensor->name ? tensor->name : "", what);
}

static dcnn_number_type type_of(int32_t type) {
    static const struct {
        int32_t onnx;
        dcnn_number_type type;
    } rows[] = {{ONNX_FLOAT, DCNN_NUMBER_F32}, {ONNX_DOUBLE, DCNN_NUMBER_F64}, {ONNX_HALF, DCNN_NUMBER_F16},
                {ONNX_BF16, DCNN_NUMBER_BF16}, {ONNX_INT32, DCNN_NUMBER_I32},  {ONNX_INT64, DCNN_NUMBER_I64}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].onnx == type) return rows[i].type;
    return DCNN_NUMBER_COUNT;
}

/* A whole number from 0 that stands alone; false: anything else. */
static bool read_whole(const char *text, uint64_t *value) {
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}

/* A file beside the model, whose name is a plain one: nothing may lead elsewhere. */
static dcnn_status open_external(const dcnn_onnx_reader *r, const DcnnOnnx__Tensor *tensor, const char *name,
                                 int *descriptor, uint64_t *size) {
    int64_t bytes;
    if (name == NULL || name[0] == '\0' || name[0] == '.' || strchr(name, '/'))
        return fail_tensor(r, tensor, "its values are in a file that is not in the model's folder");
    const char *slash = strrchr(r->path, '/');
    const size_t folder = slash ? (size_t)(slash - r->path) + 1 : 0;
    char *path = malloc(folder + strlen(name) + 1);
    if (path == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: an ONNX model");
    memcpy(path, r->path, folder);
    strcpy(path + folder, name);
    const dcnn_status status = dcnn_input_open(path, false, descriptor, &bytes);
    if (status != DCNN_OK) dcnn_error_prefix("%s: its weights are in another file", r->path);
    *size = status == DCNN_OK ? (uint64_t)bytes : 0;
    free(path);
    return status;
}

/* Tensors may share bytes, but a model of many that name the same ones would unpack to any size. */
static dcnn_status claim(dcnn_onnx_reader *r, const DcnnOnnx__Tensor *tensor, int descriptor, uint64_t size,
                         uint64_t length) {
    enum { TIMES = 4 };
    char file[40]; /* whatever its names are */
    struct stat about;
    if (fstat(descriptor, &about) != 0) return DCNN_FAIL(DCNN_FAILURE, "%s: cannot read its weights", r->path);
    snprintf(file, sizeof file, "%llx:%llx", (unsigned long long)about.st_dev, (unsigned long long)about.st_ino);
    if (r->claimed == NULL) r->claimed = json_object();
    const uint64_t before = (uint64_t)json_integer_value(json_object_get(r->claimed, file));
    if ((before + length) / TIMES > size)
        return fail_tensor(r, tensor, "it and those before it name the same bytes of their file again and again");
    if (json_object_set_new(r->claimed, file, json_integer((json_int_t)(before + length))) != 0)
        return DCNN_FAIL(DCNN_FAILURE, "out of memory: an ONNX model");
    return DCNN_OK;
}

/* `length` bytes of the file that a tensor names: no more of it is read, however large it is. *bytes lasts until the
 * next call. */
static dcnn_status external_bytes(dcnn_onnx_reader *r, const DcnnOnnx__Tensor *tensor, uint64_t length,
                                  const uint8_t **bytes) {
    const char *location = NULL;
    uint64_t offset = 0, there = UINT64_MAX, size = 0;
    size_t got = 0;
    bool good = true;
    int descriptor;
    for (size_t i = 0; i < tensor->n_external_data; i++) {
        const DcnnOnnx__Entry *entry = tensor->external_data[i];
        if (entry->key == NULL || entry->value == NULL) continue;
        if (strcmp(entry->key, "location") == 0) location = entry->value;
        if (strcmp(entry->key, "offset") == 0) good = good && read_whole(entry->value, &offset);
        if (strcmp(entry->key, "length") == 0) good = good && read_whole(entry->value, &there);
    }
    if (!good) return fail_tensor(r, tensor, "damaged: where its values lie is not a number");
    DCNN_TRY(open_external(r, tensor, location, &descriptor, &size));
    dcnn_status status = DCNN_OK;
    if (offset > size) DCNN_TRY_DONE(fail_tensor(r, tensor, "its values lie beyond the end of their file"));
    if (length > size - offset || length > there)
        DCNN_TRY_DONE(fail_tensor(r, tensor, "damaged: it has too few values"));
    DCNN_TRY_DONE(claim(r, tensor, descriptor, size, length));
    free(r->external);
    r->external = malloc(length + 1);
    if (r->external == NULL) DCNN_TRY_DONE(DCNN_FAIL(DCNN_FAILURE, "out of memory: an ONNX model"));
    const int reason = dcnn_input_read(descriptor, r->external, length, offset, &got);
    if (reason != 0 || got != length)
        status = DCNN_FAIL(DCNN_FAILURE, "%s: its weights cannot be read: %s", r->path,
                           reason ? strerror(reason) : "the file became shorter");
    *bytes = r->external;
done:
    close(descriptor);
    return status;
}

/* Where a tensor's numbers lie, and of which type. */
static dcnn_status find_numbers(dcnn_onnx_reader *r, const DcnnOnnx__Tensor *t, int64_t count, dcnn_number_type *type,
                                const uint8_t **bytes) {
    size_t length = t->raw_data.len;
    *type = type_of(t->data_type);
    if (*type == DCNN_NUMBER_COUNT)
        return fail_tensor(r, t, "dcnn reads float, double, float16, bfloat16, int32 and int64");
    *bytes = t->raw_data.data;
    if (t->data_location == 1) return external_bytes(r, t, (uint64_t)count * dcnn_number_bytes(*type), bytes);
    if (!t->has_raw_data) {
        const struct {
            size_t count, size;
            const void *values;
        } lists[DCNN_NUMBER_COUNT] = {[DCNN_NUMBER_F32] = {t->n_float_data, 4, t->float_data},
                                      [DCNN_NUMBER_F64] = {t->n_double_data, 8, t->double_data},
                                      [DCNN_NUMBER_I32] = {t->n_int32_data, 4, t->int32_data},
                                      [DCNN_NUMBER_I64] = {t->n_int64_data, 8, t->int64_data}};
        *bytes = lists[*type].values;
        length = lists[*type].count * lists[*type].size;
    }
    if (length / dcnn_number_bytes(*type) < (size_t)count) return fail_tensor(r, t, "damaged: it has too few values");
    return DCNN_OK;
}

dcnn_status dcnn_onnx_tensor(dcnn_onnx_reader *r, const DcnnOnnx__Tensor *tensor, dcnn_onnx_value *value) {
    dcnn_number_type type = DCNN_NUMBER_COUNT;
    const uint8_t *bytes = NULL;
    *value = (dcnn_onnx_value){.kind = ONNX_CONSTANT, .count = 1, .rank = (int)tensor->n_dims};
    if (tensor->n_dims > DCNN_ONNX_RANK) return fail_tensor(r, tensor, "it has more than 6 dimensions");
    for (size_t i = 0; i < tensor->n_dims; i++) {
        value->dims[i] = tensor->dims[i];
        if (tensor->dims[i] < 0 || tensor->dims[i] > DCNN_ONNX_MOST || value->count * tensor->dims[i] > DCNN_ONNX_MOST)
            return fail_tensor(r, tensor, "its shape is too large");
        value->count *= tensor->dims[i];
    }
    DCNN_TRY(find_numbers(r, tensor, value->count, &type, &bytes));
    const size_t count = (size_t)value->count;
    r->held += value->count;
    if (type == DCNN_NUMBER_I32 || type == DCNN_NUMBER_I64) {
        value->ints = dcnn_onnx_keep(r, count, sizeof *value->ints);
        if (value->ints == NULL) return DCNN_FAILURE;
        for (size_t i = 0; i < count; i++) {
            int32_t small;
            if (type == DCNN_NUMBER_I64) memcpy(&value->ints[i], bytes + i * sizeof(int64_t), sizeof(int64_t));
            if (type == DCNN_NUMBER_I64) continue;
            memcpy(&small, bytes + i * sizeof small, sizeof small);
            value->ints[i] = small;
        }
        return DCNN_OK;
    }
    value->floats = dcnn_onnx_keep(r, count, sizeof *value->floats);
    if (value->floats == NULL) return DCNN_FAILURE;
    if (count > 0) dcnn_numbers_to_floats(type, count, bytes, value->floats);
    return DCNN_OK;
}

/* --- folding ------------------------------------------------------------------------------------------------------ */

/* A small file must not make much: Concat(x, x), again and again, doubles. */
static dcnn_status take_room(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, int64_t count) {
    enum { FREE = 1 << 22, TIMES = 4 }; /* shapes are small; weights are cast and transposed */
    if (count > FREE + TIMES * r->held - r->folded)
        return dcnn_onnx_refuse(
            r, node, "it and the nodes before it compute constants too large for a file with so few weights");
    r->folded += count;
    return DCNN_OK;
}

static dcnn_status new_ints(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, int64_t count, dcnn_onnx_value *out) {
    DCNN_TRY(take_room(r, node, count));
    *out = (dcnn_onnx_value){.kind = ONNX_CONSTANT, .rank = 1, .dims = {count}, .count = count};
    out->ints = dcnn_onnx_keep(r, (size_t)count, sizeof *out->ints);
    return out->ints ? DCNN_OK : DCNN_FAILURE;
}

static dcnn_status new_floats(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, int64_t count, dcnn_onnx_value *out) {
    DCNN_TRY(take_room(r, node, count));
    *out = (dcnn_onnx_value){.kind = ONNX_CONSTANT, .rank = 1, .dims = {count}, .count = count};
    out->floats = dcnn_onnx_keep(r, (size_t)count, sizeof *out->floats);
    return out->floats ? DCNN_OK : DCNN_FAILURE;
}

static void set_dims(dcnn_onnx_value *out, const dcnn_onnx_value *like) {
    out->rank = like->rank;
    memcpy(out->dims, like->dims, sizeof out->dims);
}

int64_t dcnn_onnx_place(int64_t number, int64_t count) {
    const int64_t place = number < 0 ? number + count : number;
    return place < 0 ? 0 : place > count ? count : place;
}

/* The shape of a value, or a part of it. */
static dcnn_status shape_of(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const dcnn_onnx_value *x,
                            dcnn_onnx_value *out) {
    const int64_t first[4] = {r->batch, x->c, x->h, x->w}, last[4] = {r->batch, x->h, x->w, x->c};
    const int64_t flat[2] = {r->batch, (int64_t)x->c * x->h * x->w};
    const bool map = x->kind == ONNX_MAP || x->kind == ONNX_LAST;
    const bool constant = x->kind == ONNX_CONSTANT;
    const int64_t *whole = constant ? x->dims : x->kind == ONNX_LAST ? last : map ? first : flat;
    const int64_t rank = constant ? x->rank
                         : map    ? 4
                                  : 2,
                  start = dcnn_onnx_place(dcnn_onnx_int_of(node, "start", 0), rank);
    const int64_t end = dcnn_onnx_place(dcnn_onnx_int_of(node, "end", rank), rank);
    DCNN_TRY(new_ints(r, node, end > start ? end - start : 0, out));
    memcpy(out->ints, whole + start, (size_t)out->count * sizeof *out->ints);
    return DCNN_OK;
}

static dcnn_status gather(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const dcnn_onnx_value *x,
                          dcnn_onnx_value *out, bool *done) {
    dcnn_onnx_value at;
    DCNN_TRY(dcnn_onnx_input(r, node, 1, &at));
    *done = x->ints && at.ints && x->rank == 1;
    if (!*done) return DCNN_OK;
    DCNN_TRY(new_ints(r, node, at.count, out));
    set_dims(out, &at);
    for (int64_t i = 0; i < at.count; i++) {
        const int64_t from = at.ints[i] < 0 ? at.ints[i] + x->count : at.ints[i];
        if (from < 0 || from >= x->count) return dcnn_onnx_refuse(r, node, "it picks an element that does not exist");
        out->ints[i] = x->ints[from];
    }
    return DCNN_OK;
}

/* Lists of whole numbers, or of others. */
static dcnn_status concatenate(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const dcnn_onnx_value *x,
                               dcnn_onnx_value *out, bool *done) {
    int64_t count = 0;
    const bool whole = x->ints != NULL;
    for (size_t i = 0; i < node->n_input; i++) {
        dcnn_onnx_value part;
        DCNN_TRY(dcnn_onnx_input(r, node, i, &part));
        *done = part.kind == ONNX_CONSTANT && (whole ? part.ints != NULL : part.floats != NULL) && part.rank <= 1 &&
                count + part.count < DCNN_ONNX_MOST;
        if (!*done) return DCNN_OK;
        count += part.count;
    }
    DCNN_TRY((whole ? new_ints : new_floats)(r, node, count, out));
    count = 0;
    for (size_t i = 0; i < node->n_input; i++) {
        dcnn_onnx_value part;
        DCNN_TRY(dcnn_onnx_input(r, node, i, &part));
        if (whole) memcpy(out->ints + count, part.ints, (size_t)part.count * sizeof *out->ints);
        if (!whole) memcpy(out->floats + count, part.floats, (size_t)part.count * sizeof *out->floats);
        count += part.count;
    }
    return DCNN_OK;
}

/* Rows of a list or table in steps: [-1::-1] turns it over. */
static dcnn_status slice(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const dcnn_onnx_value *x,
                         dcnn_onnx_value *out, bool *done) {
    int64_t first[DCNN_ONNX_LIST], end[DCNN_ONNX_LIST], axes[DCNN_ONNX_LIST] = {0}, steps[DCNN_ONNX_LIST] = {1};
    int firsts, ends, axis_count, step_count;
    DCNN_TRY(dcnn_onnx_list_of(r, node, 1, "starts", first, &firsts));
    DCNN_TRY(dcnn_onnx_list_of(r, node, 2, "ends", end, &ends));
    DCNN_TRY(dcnn_onnx_list_of(r, node, 3, "axes", axes, &axis_count));
    DCNN_TRY(dcnn_onnx_list_of(r, node, 4, "", steps, &step_count));
    *done = x->ints && x->rank >= 1 && x->rank <= 2 && firsts == 1 && ends == 1 && axes[0] == 0 &&
            (steps[0] == 1 || steps[0] == -1) && x->dims[0] > 0;
    if (!*done) return DCNN_OK;
    const int64_t rows = x->dims[0], width = x->count / rows, step = steps[0];
    int64_t a = first[0] < 0 ? first[0] + rows : first[0];
    int64_t b = end[0] < -rows ? -1 : end[0] < 0 ? end[0] + rows : end[0];
    if (a >= rows) a = step > 0 ? rows : rows - 1;
    if (a < 0) a = 0;
    if (b > rows) b = rows;
    const int64_t count = (b - a) * step > 0 ? (b - a) * step : 0;
    DCNN_TRY(new_ints(r, node, count * width, out));
    set_dims(out, x);
    out->dims[0] = count;
    for (int64_t i = 0; i < count; i++)
        memcpy(out->ints + i * width, x->ints + (a + i * step) * width, (size_t)width * sizeof *out->ints);
    return DCNN_OK;
}

/* A table's lines as its columns, unless `perm` leaves it as it is. */
static dcnn_status transpose(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const dcnn_onnx_value *x,
                             dcnn_onnx_value *out, bool *done) {
    int64_t perm[2] = {1, 0};
    *done = (x->ints || x->floats) && x->rank == 2;
    if (!*done) return DCNN_OK;
    DCNN_TRY(dcnn_onnx_ints_of(r, node, "perm", 2, perm));
    if (perm[0] < 0 || perm[0] > 1 || perm[1] != 1 - perm[0])
        return dcnn_onnx_refuse(r, node, "its perm does not name each of its input's axes once");
    *out = *x;
    if (perm[0] == 0) return DCNN_OK;
    const int64_t rows = x->dims[0], columns = x->dims[1];
    DCNN_TRY((x->ints ? new_ints : new_floats)(r, node, x->count, out));
    out->rank = 2;
    out->dims[0] = columns;
    out->dims[1] = rows;
    for (int64_t i = 0; i < x->count; i++) {
        const int64_t to = i % columns * rows + i / columns;
        if (x->ints)
            out->ints[to] = x->ints[i];
        else
            out->floats[to] = x->floats[i];
    }
    return DCNN_OK;
}

/* The same numbers in another shape. */
static dcnn_status reshape(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const dcnn_onnx_value *x,
                           dcnn_onnx_value *out, bool *done) {
    int64_t shape[DCNN_ONNX_LIST], known = 1;
    int rank;
    DCNN_TRY(dcnn_onnx_list_of(r, node, 1, "shape", shape, &rank));
    *done = rank >= 1 && rank <= 2;
    for (int i = 0; i < rank && *done; i++) {
        *done = shape[i] == -1 || (shape[i] > 0 && shape[i] <= DCNN_ONNX_MOST);
        if (shape[i] > 0 && *done) known *= shape[i];
    }
    if (!*done) return DCNN_OK;
    *out = *x;
    out->rank = rank;
    for (int i = 0; i < rank; i++) out->dims[i] = shape[i] > 0 ? shape[i] : x->count / known;
    if ((rank == 2 ? out->dims[0] * out->dims[1] : out->dims[0]) != x->count)
        return dcnn_onnx_refuse(r, node, "its shape does not fit");
    return DCNN_OK;
}

/* Axes of one more, or one fewer, that are 1 long. */
static dcnn_status squeeze(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const dcnn_onnx_value *x,
                           dcnn_onnx_value *out, bool *done) {
    const bool more = node->op_type[0] == 'U';
    int64_t axes[DCNN_ONNX_LIST];
    int count, from = 0;
    unsigned chosen = 0;
    DCNN_TRY(dcnn_onnx_list_of(r, node, 1, "axes", axes, &count));
    const int rank = more ? x->rank + count : x->rank; /* that the axes are of */
    *done = rank <= DCNN_ONNX_RANK;
    if (!*done) return DCNN_OK;
    for (int i = 0; i < count; i++) {
        const int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
        if (axis < 0 || axis >= rank || (chosen & 1u << axis) || (!more && x->dims[axis] != 1))
            return dcnn_onnx_refuse(r, node, "its axes do not fit its input");
        chosen |= 1u << axis;
    }
    *out = *x;
    out->rank = 0;
    for (int i = 0; i < rank; i++) {
        const bool here = count > 0 ? chosen >> i & 1u : !more && x->dims[i] == 1;
        if (more) out->dims[out->rank++] = here ? 1 : x->dims[from++];
        if (!more && !here) out->dims[out->rank++] = x->dims[i];
    }
    return DCNN_OK;
}

static bool has_same_dims(const dcnn_onnx_value *x, const dcnn_onnx_value *y) {
    return x->rank == y->rank && memcmp(x->dims, y->dims, (size_t)x->rank * sizeof *x->dims) == 0;
}

/* Sums and products of whole numbers, one by one or by one number. */
static dcnn_status calculate(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const dcnn_onnx_value *x,
                             dcnn_onnx_value *out, bool *done) {
    dcnn_onnx_value y;
    DCNN_TRY(dcnn_onnx_input(r, node, 1, &y));
    *done = x->ints && y.kind == ONNX_CONSTANT && y.ints &&
            (has_same_dims(x, &y) || (y.count == 1 && y.rank <= x->rank) || (x->count == 1 && x->rank <= y.rank));
    if (!*done) return DCNN_OK;
    const bool first = y.count == 1 && y.rank <= x->rank;
    const int64_t count = first ? x->count : y.count;
    DCNN_TRY(new_ints(r, node, count, out));
    set_dims(out, first ? x : &y);
    for (int64_t i = 0; i < count; i++) {
        const int64_t a = x->ints[x->count == 1 ? 0 : i], b = y.ints[y.count == 1 ? 0 : i];
        int64_t value = 0;
        bool good = true;
        if (strcmp(node->op_type, "Add") == 0)
            good = !__builtin_add_overflow(a, b, &value);
        else if (strcmp(node->op_type, "Sub") == 0)
            good = !__builtin_sub_overflow(a, b, &value);
        else if (strcmp(node->op_type, "Mul") == 0)
            good = !__builtin_mul_overflow(a, b, &value);
        else if (b > 0)
            value = a / b;
        else
            good = false;
        if (!good) return dcnn_onnx_refuse(r, node, "its numbers are out of range");
        out->ints[i] = value;
    }
    return DCNN_OK;
}

static dcnn_status constant(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    const DcnnOnnx__Attribute *one = dcnn_onnx_attribute(node, "value_int");
    const DcnnOnnx__Attribute *list = dcnn_onnx_attribute(node, "value_ints");
    const DcnnOnnx__Attribute *tensor = dcnn_onnx_attribute(node, "value");
    if (tensor && tensor->t) return dcnn_onnx_tensor(r, tensor->t, out);
    if (one || list) {
        DCNN_TRY(new_ints(r, node, one ? 1 : (int64_t)list->n_ints, out));
        out->rank = one ? 0 : 1;
        for (int64_t i = 0; i < out->count; i++) out->ints[i] = one ? one->i : list->ints[i];
        return DCNN_OK;
    }
    const DcnnOnnx__Attribute *real = dcnn_onnx_attribute(node, "value_float");
    if (real == NULL) return dcnn_onnx_refuse(r, node, "it has no value of a kind that dcnn reads");
    DCNN_TRY(new_floats(r, node, 1, out));
    out->rank = 0;
    out->floats[0] = real->f;
    return DCNN_OK;
}

/* So many whole numbers; floats, as those are that it makes where it says no value, nobody needs. */
static dcnn_status constant_of_shape(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const dcnn_onnx_value *x,
                                     dcnn_onnx_value *out, bool *done) {
    const DcnnOnnx__Attribute *fill = dcnn_onnx_attribute(node, "value");
    dcnn_onnx_value value = {0};
    if (fill && fill->t) DCNN_TRY(dcnn_onnx_tensor(r, fill->t, &value));
    *done = x->ints && x->count == 1 && x->ints[0] >= 0 && x->ints[0] < 1 << 16 && value.ints && value.count == 1;
    if (!*done) return DCNN_OK;
    DCNN_TRY(new_ints(r, node, x->ints[0], out));
    for (int64_t i = 0; i < out->count; i++) out->ints[i] = value.ints[0];
    return DCNN_OK;
}

/* Whole numbers as such, or made floats of. */
static dcnn_status cast(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const dcnn_onnx_value *x, dcnn_onnx_value *out,
                        bool *done) {
    const int64_t to = dcnn_onnx_int_of(node, "to", 0);
    const bool whole = to == ONNX_INT64 || to == ONNX_INT32;
    *done = whole || to == ONNX_FLOAT;
    *out = *x;
    if (!*done || whole == (x->ints != NULL)) return DCNN_OK;
    if (whole) return dcnn_onnx_refuse(r, node, "it converts real numbers to whole ones");
    DCNN_TRY(new_floats(r, node, x->count, out));
    set_dims(out, x);
    for (int64_t i = 0; i < x->count; i++) out->floats[i] = (float)x->ints[i];
    return DCNN_OK;
}

static dcnn_status identity(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const dcnn_onnx_value *x,
                            dcnn_onnx_value *out, bool *done) {
    (void)r;
    (void)node;
    *done = true;
    *out = *x;
    return DCNN_OK;
}

/* Operators of which a first input that is a constant makes another one, if *done says so. */
static const struct {
    const char *operator;
    dcnn_status (*fold)(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const dcnn_onnx_value *x, dcnn_onnx_value *out,
                        bool *done);
    const char *attributes;
} rows_of[] = {{"Gather", gather, "axis"}, /* of lists: there is one */
               {"Concat", concatenate, "axis"},
               {"Slice", slice, "starts ends axes"},
               {"Reshape", reshape, "shape allowzero"}, /* a 0 is not folded */
               {"ConstantOfShape", constant_of_shape, "value"},
               {"Add", calculate, ""},
               {"Sub", calculate, ""},
               {"Mul", calculate, ""},
               {"Div", calculate, ""},
               {"Transpose", transpose, "perm"},
               {"Cast", cast, "to saturate"}, /* of float8 alone */
               {"Identity", identity, ""},
               {"Unsqueeze", squeeze, "axes"},
               {"Squeeze", squeeze, "axes"}};

dcnn_status dcnn_onnx_fold(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out, bool *done) {
    const char *op = node->op_type, *attributes = NULL;
    dcnn_onnx_value x;
    *done = strcmp(op, "Constant") == 0;
    if (*done) return constant(r, node, out);
    if (node->n_input == 0) return DCNN_OK;
    DCNN_TRY(dcnn_onnx_input(r, node, 0, &x));
    if (strcmp(op, "Shape") == 0 && x.kind != ONNX_OPEN && x.kind != ONNX_GROUPED) {
        *done = true;
        attributes = "start end";
        DCNN_TRY(shape_of(r, node, &x, out));
    }
    for (size_t i = 0; x.kind == ONNX_CONSTANT && i < sizeof rows_of / sizeof rows_of[0]; i++)
        if (strcmp(op, rows_of[i].operator) == 0) {
            DCNN_TRY(rows_of[i].fold(r, node, &x, out, done));
            attributes = rows_of[i].attributes;
        }
    return *done ? dcnn_onnx_check_attributes(r, node, attributes) : DCNN_OK;
}
