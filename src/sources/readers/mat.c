/* SPDX-License-Identifier: BSD-3-Clause */
/* mat.c — see mat.h. */
#include "sources/readers/mat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/spill.h"

bool dcnn_mat_is_hdf5(const char *path) {
    char head[10] = "";
    FILE *file = fopen(path, "rb");
    const bool read = file && fread(head, 1, sizeof head, file) == sizeof head;
    if (file) fclose(file);
    return read && memcmp(head, "MATLAB 7.3", 10) == 0;
}

/* --- order -------------------------------------------------------------------------------------------------------- */

/* [N,1] and [1,N] are lists. */
static void flatten(dcnn_array *a) {
    if (a->rank != 2 || (a->shape[0] != 1 && a->shape[1] != 1)) return;
    const int axis = a->shape[0] == 1 ? 1 : 0;
    a->shape[0] = a->shape[axis];
    a->strides[0] = a->strides[axis];
    a->rank = 1;
}

static bool is_list_of(const dcnn_array_list *arrays, int64_t length) {
    for (int i = 0; i < arrays->count; i++)
        if (arrays->items[i].rank == 1 && arrays->items[i].shape[0] == length) return true;
    return false;
}

/* Do the images stand along the last dimension? Of [H,W,C,N] C tells, where no list of labels does. */
static bool is_last(const dcnn_array_list *arrays, const dcnn_array *a) {
    enum { MOST_COLORS = 4 };
    const bool first_fits = is_list_of(arrays, a->shape[0]), last_fits = is_list_of(arrays, a->shape[a->rank - 1]);
    if (a->rank == 4 && a->shape[2] <= MOST_COLORS && a->shape[3] > MOST_COLORS) return last_fits || !first_fits;
    return last_fits && !first_fits;
}

static void put_first(dcnn_array *a) {
    const int last = a->rank - 1;
    const int64_t shape = a->shape[last], stride = a->strides[last];
    memmove(a->shape + 1, a->shape, (size_t)last * sizeof *a->shape);
    memmove(a->strides + 1, a->strides, (size_t)last * sizeof *a->strides);
    a->shape[0] = shape;
    a->strides[0] = stride;
}

void dcnn_mat_order(dcnn_array_list *arrays) {
    for (int i = 0; i < arrays->count; i++) flatten(&arrays->items[i]);
    for (int i = 0; i < arrays->count; i++) {
        dcnn_array *a = &arrays->items[i];
        if (a->rank > 1 && a->kind <= DCNN_NUMBER_BOOL && is_last(arrays, a)) put_first(a);
    }
}

/* --- version 5 ---------------------------------------------------------------------------------------------------- */

#ifdef DCNN_HAVE_MATIO

#include <sys/wait.h>
#include <unistd.h>

#include <matio.h>
#include <zlib.h>

#include "base/trial.h"

/* libmatio takes what is cut or damaged for whole: its elements, each a type, a length and so many bytes, must fill the
 * file to its end, and what is packed must unpack, to its checksum ("MAT-File Format", MathWorks). */
enum { HEADER = 128, TAG = 8, PACKED = 15, MOST_PACKED = 1032, MORE_BYTES = 1 << 26, CPU_S = 20, WALL_S = 120 };

static uint32_t get_number(const uint8_t *from, bool big) {
    return big ? (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3]
               : (uint32_t)from[3] << 24 | (uint32_t)from[2] << 16 | (uint32_t)from[1] << 8 | from[0];
}

static bool unpacks(const uint8_t *bytes, uint32_t length) {
    uint8_t out[1 << 14];
    z_stream stream = {.next_in = (uint8_t *)(uintptr_t)bytes, .avail_in = length};
    int code = inflateInit(&stream);
    while (code == Z_OK) {
        stream.next_out = out;
        stream.avail_out = sizeof out;
        code = inflate(&stream, Z_NO_FLUSH);
    }
    inflateEnd(&stream);
    return code == Z_STREAM_END;
}

static bool is_whole(const uint8_t *bytes, size_t length, int *elements) {
    *elements = 0;
    if (length < HEADER) return false;
    const bool big = bytes[HEADER - 2] == 'M';
    size_t at = HEADER;
    for (; at + TAG <= length; ++*elements) {
        const uint32_t type = get_number(bytes + at, big), size = get_number(bytes + at + 4, big);
        if (size > length - at - TAG || (type == PACKED && !unpacks(bytes + at + TAG, size))) return false;
        at += TAG + size;
    }
    return at == length;
}

static dcnn_status check_file(const char *path, size_t *length, int *elements) {
    void *bytes;
    size_t mapped;
    DCNN_TRY(dcnn_spill_read(NULL, path, &bytes, length, &mapped));
    const bool whole = is_whole(bytes, *length, elements);
    dcnn_spill_release(bytes, mapped);
    return whole ? DCNN_OK
                 : DCNN_FAIL(DCNN_BAD_INPUT, "%s: a damaged MATLAB file: cut or changed; use another copy", path);
}

static bool find_type(const matvar_t *variable, dcnn_array *a) {
    static const struct {
        int type, bytes;
        dcnn_number_kind kind;
    } types[] = {{MAT_C_UINT8, 1, DCNN_NUMBER_UNSIGNED},  {MAT_C_INT8, 1, DCNN_NUMBER_SIGNED},
                 {MAT_C_UINT16, 2, DCNN_NUMBER_UNSIGNED}, {MAT_C_INT16, 2, DCNN_NUMBER_SIGNED},
                 {MAT_C_UINT32, 4, DCNN_NUMBER_UNSIGNED}, {MAT_C_INT32, 4, DCNN_NUMBER_SIGNED},
                 {MAT_C_UINT64, 8, DCNN_NUMBER_UNSIGNED}, {MAT_C_INT64, 8, DCNN_NUMBER_SIGNED},
                 {MAT_C_SINGLE, 4, DCNN_NUMBER_FLOAT},    {MAT_C_DOUBLE, 8, DCNN_NUMBER_FLOAT}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].type != (int)variable->class_type) continue;
        a->kind = variable->isLogical ? DCNN_NUMBER_BOOL : types[i].kind;
        a->bytes = types[i].bytes;
        return !variable->isComplex;
    }
    return false;
}

/* A variable's values, by its shape; -1: more than a file of that length can hold, packed by deflate at most 1032:1. */
static int64_t value_bytes(const dcnn_array *a, size_t file_bytes) {
    const int64_t count = dcnn_array_count(a);
    int64_t need;
    if (count < 0 || __builtin_mul_overflow(count, (int64_t)a->bytes, &need)) return -1;
    return (uint64_t)need / MOST_PACKED <= file_bytes ? need : -1;
}

/* libmatio asks for as much memory as a damaged header says, and crashes when it gets none: it works in a child
 * process, which may have what a file of that size can need, and hands over what it has read. */
enum { VARIABLE = 1, END = 2, NAME_BYTES = 256 };
typedef struct message {
    int what;
    bool named, held; /* its name; its values follow */
    char name[NAME_BYTES];
    dcnn_array shape; /* kind, bytes, rank and shape */
    uint64_t bytes;
} message;

static void tell(const dcnn_trial *trial, mat_t *file, size_t file_bytes, matvar_t *variable) {
    message m = {.what = VARIABLE, .named = variable->name != NULL};
    dcnn_array *a = &m.shape;
    if (m.named) snprintf(m.name, sizeof m.name, "%s", variable->name[0] ? variable->name : "(unnamed)");
    a->rank = variable->rank <= DCNN_ARRAY_RANK ? variable->rank : 0;
    for (int i = 0; i < a->rank; i++) a->shape[i] = (int64_t)variable->dims[i];
    const int64_t need = find_type(variable, a) && a->rank > 0 ? value_bytes(a, file_bytes) : 0;
    if (need == 0) a->kind = DCNN_NUMBER_OTHER;
    m.held = need == 0 || (need > 0 && Mat_VarReadDataAll(file, variable) == 0 && (uint64_t)need == variable->nbytes &&
                           variable->data);
    if (m.held) m.bytes = (uint64_t)need;
    dcnn_trial_write(trial, &m, sizeof m);
    if (m.bytes > 0) dcnn_trial_write(trial, variable->data, m.bytes);
}

static void be_child(const dcnn_trial *trial, const char *path, size_t file_bytes) {
    const message end = {.what = END};
    mat_t *file = Mat_Open(path, MAT_ACC_RDONLY);
    if (!file) _exit(1);
    for (matvar_t *variable; (variable = Mat_VarReadNextInfo(file)); Mat_VarFree(variable))
        tell(trial, file, file_bytes, variable);
    dcnn_trial_write(trial, &end, sizeof end);
    _exit(0);
}

static dcnn_status take(const char *path, const dcnn_trial *trial, const message *m, dcnn_array_list *arrays) {
    if (!m->named) /* libmatio found none where it should stand */
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: a damaged MATLAB file: variable %d has no name", path, arrays->count + 1);
    dcnn_array *a = dcnn_array_list_add(arrays);
    if (!a) return DCNN_FAILURE;
    *a = m->shape;
    a->word = strdup(m->name);
    if (!a->word || asprintf(&a->name, "%s: %s", path, a->word) < 0)
        return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", path);
    if (!m->held)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: a damaged MATLAB variable: its values are not what its shape says",
                         a->name);
    if (m->bytes == 0) return DCNN_OK;
    DCNN_TRY(dcnn_spill_take(arrays->aside, a->name, m->bytes, &a->memory, &a->mapped_bytes));
    a->data = a->memory;
    if (dcnn_trial_read(trial, a->memory, m->bytes) != m->bytes)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: a damaged MATLAB variable: libmatio cannot read it", a->name);
    dcnn_array_stride(a, true);
    return DCNN_OK;
}

dcnn_status dcnn_mat_read(const char *path, dcnn_array_list *arrays, int *unread) {
    int elements, count = 0, state;
    size_t length;
    dcnn_trial trial;
    message m = {0};
    *unread = 0;
    DCNN_TRY(check_file(path, &length, &elements));
    const dcnn_trial_limits limits = {2 * length * MOST_PACKED + MORE_BYTES, CPU_S + (unsigned)(length >> 20),
                                      WALL_S + 4 * (unsigned)(length >> 20)};
    DCNN_TRY(dcnn_trial_start(path, &limits, &trial));
    if (trial.is_child) be_child(&trial, path, length);
    dcnn_status status = DCNN_OK;
    while (status == DCNN_OK && dcnn_trial_read(&trial, &m, sizeof m) == sizeof m && m.what == VARIABLE) {
        status = take(path, &trial, &m, arrays);
        count++;
    }
    dcnn_trial_end(&trial, &state);
    if (status != DCNN_OK) return status;
    if (WIFEXITED(state) && WEXITSTATUS(state) == 1)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: a damaged MATLAB file: libmatio cannot open it", path);
    DCNN_TRY(dcnn_trial_judge(path, "libmatio", &limits, state));
    if (count == 0 || m.what != END)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: a damaged MATLAB file: no variable can be read", path);
    if (count < elements) *unread = elements - count;
    dcnn_mat_order(arrays);
    return DCNN_OK;
}

#else

dcnn_status dcnn_mat_read(const char *path, dcnn_array_list *arrays, int *unread) {
    (void)arrays;
    *unread = 0;
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "%s: is a MATLAB file, and this dcnn was built without libmatio, which reads it; in Python: m = "
                     "scipy.io.loadmat('x.mat'); numpy.savez_compressed('x.npz', images=m['X'].transpose(3, 0, 1, 2), "
                     "labels=m['y'])",
                     path);
}

#endif
