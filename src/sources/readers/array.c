/* SPDX-License-Identifier: BSD-3-Clause */
/* array.c — see array.h. */
#include "sources/readers/array.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/spill.h"

static void free_array(dcnn_array *array) {
    dcnn_spill_release(array->memory, array->mapped_bytes);
    free(array->name);
    free(array->word);
    *array = (dcnn_array){0};
}

dcnn_array *dcnn_array_list_add(dcnn_array_list *arrays) {
    dcnn_array *longer = realloc(arrays->items, (size_t)(arrays->count + 1) * sizeof *longer);
    if (!longer) {
        DCNN_FAIL(DCNN_FAILURE, "out of memory for a list of arrays");
        return NULL;
    }
    arrays->items = longer;
    longer[arrays->count] = (dcnn_array){0};
    return &longer[arrays->count++];
}

void dcnn_array_list_free(dcnn_array_list *arrays) {
    for (int i = 0; i < arrays->count; i++) free_array(&arrays->items[i]);
    free(arrays->items);
    *arrays = (dcnn_array_list){0};
}

/* --- shapes ------------------------------------------------------------------------------------------------------- */

const char *dcnn_array_text(const dcnn_array *array, char text[160]) {
    static const char *const kinds[] = {"uint", "int", "float", "bool", "text of ", "text of ", "struct"};
    int used = snprintf(text, 160, "%s", kinds[array->kind]);
    if (array->kind <= DCNN_NUMBER_FLOAT)
        used += snprintf(text + used, 160 - (size_t)used, "%d", 8 * array->bytes);
    else if (array->kind == DCNN_NUMBER_BYTES || array->kind == DCNN_NUMBER_UCS4)
        used += snprintf(text + used, 160 - (size_t)used, "%d",
                         array->kind == DCNN_NUMBER_UCS4 ? array->bytes / 4 : array->bytes);
    used += snprintf(text + used, 160 - (size_t)used, " (");
    for (int i = 0; i < array->rank; i++)
        used += snprintf(text + used, 160 - (size_t)used, "%s%lld", i ? ", " : "", (long long)array->shape[i]);
    snprintf(text + used, 160 - (size_t)used, "%s)", array->rank == 1 ? "," : "");
    return text;
}

void dcnn_array_stride(dcnn_array *array, bool fortran) {
    int64_t stride = array->bytes;
    for (int i = 0; i < array->rank; i++) {
        const int axis = fortran ? i : array->rank - 1 - i;
        array->strides[axis] = stride;
        if (__builtin_mul_overflow(stride, array->shape[axis], &stride)) stride = 0; /* its count is refused, or 0 */
    }
}

int64_t dcnn_array_count(const dcnn_array *array) {
    int64_t count = 1;
    for (int i = 0; i < array->rank; i++)
        if (array->shape[i] < 0 || __builtin_mul_overflow(count, array->shape[i], &count)) return -1;
    return count;
}

bool dcnn_array_is_list(const dcnn_array *array) {
    for (int i = 1; i < array->rank; i++)
        if (array->shape[i] != 1) return false;
    return array->rank >= 1;
}

bool dcnn_array_is_images(const dcnn_array *array) {
    if (array->kind >= DCNN_NUMBER_BYTES || array->rank < 2) return false;
    return array->rank > 2 || array->shape[1] >= 16; /* one-hot of more classes is told apart by names */
}

/* Which index is which; -1: there is none. */
typedef struct layout {
    int y, x, c;
    int64_t h, w, channels;
} layout;

static dcnn_status fail_shape(const dcnn_array *a, const char *what) {
    char text[160];
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s: %s: %s", a->name, dcnn_array_text(a, text), what);
}

/* Lines of pixels: the shape that was asked for, a square, or one in three colours. */
static dcnn_status find_flat(const dcnn_array *a, const dcnn_source_options *o, layout *l) {
    const int64_t values = a->shape[1];
    *l = (layout){.y = -1, .x = -1, .c = -1, .h = o->h, .w = o->w, .channels = o->c};
    if (o->h == 0 || (o->shape_may_differ && l->h * l->w * l->channels != values)) {
        l->h = 0;
        l->channels = 1;
        while (l->h * l->h < values) l->h++;
        if (l->h * l->h != values && values % 3 == 0) {
            l->channels = 3;
            l->h = 0;
            while (l->h * l->h * 3 < values) l->h++;
        }
        l->w = l->h;
    }
    if (values > 0 && l->h * l->w * l->channels == values) return DCNN_OK;
    return fail_shape(a, "its rows do not make an image; give their shape, for example --shape 20x30 or 20x30x3");
}

static dcnn_status find_layout(const dcnn_array *a, const dcnn_source_options *o, layout *l) {
    enum { MOST_COLORS = 4 };
    if (a->rank == 2) return find_flat(a, o, l);
    if (a->rank == 3) {
        *l = (layout){.y = 1, .x = 2, .c = -1, .h = a->shape[1], .w = a->shape[2], .channels = 1};
    } else if (a->rank == 4 && a->shape[1] <= MOST_COLORS && a->shape[3] > MOST_COLORS) {
        *l = (layout){.y = 2, .x = 3, .c = 1, .h = a->shape[2], .w = a->shape[3], .channels = a->shape[1]};
        dcnn_source_tell(o, "%s: its channels come first (PyTorch's order): moved last", a->name);
    } else if (a->rank == 4) {
        *l = (layout){.y = 1, .x = 2, .c = 3, .h = a->shape[1], .w = a->shape[2], .channels = a->shape[3]};
    } else {
        return fail_shape(a, "images have shape (N, H, W), (N, H, W, C), (N, C, H, W) or (N, pixels)");
    }
    if (l->h < 1 || l->w < 1 || l->channels < 1 || l->h > 32768 || l->w > 32768 || l->channels > 64)
        return fail_shape(a, "its images are not of a supported size (1 to 32768 a side, 1 to 64 channels)");
    if (o->transpose) {
        const layout turned = {.y = l->x, .x = l->y, .c = l->c, .h = l->w, .w = l->h, .channels = l->channels};
        *l = turned;
    }
    return DCNN_OK;
}

/* --- values ------------------------------------------------------------------------------------------------------- */

static inline uint64_t load(const dcnn_array *a, const uint8_t *at) {
    uint64_t bits = 0;
    for (int i = 0; i < a->bytes; i++) bits |= (uint64_t)at[a->swapped ? a->bytes - 1 - i : i] << 8 * i;
    return bits;
}

static double half_value(uint64_t bits) {
    const int exponent = (int)(bits >> 10 & 31), fraction = (int)(bits & 1023);
    const double size = exponent == 0    ? ldexp(fraction, -24)
                        : exponent == 31 ? (fraction ? NAN : INFINITY)
                                         : ldexp(1024 + fraction, exponent - 25);
    return bits >> 15 ? -size : size;
}

/* Any number as a double: whole ones beyond 2^53 are no bytes anyway. */
static double value_at(const dcnn_array *a, const uint8_t *at) {
    const uint64_t bits = load(a, at);
    switch (a->kind) {
    case DCNN_NUMBER_FLOAT:
        if (a->bytes == 4) {
            float f;
            const uint32_t half = (uint32_t)bits;
            memcpy(&f, &half, sizeof f);
            return (double)f;
        }
        if (a->bytes == 8) {
            double d;
            memcpy(&d, &bits, sizeof d);
            return d;
        }
        return half_value(bits);
    case DCNN_NUMBER_SIGNED:
        return (double)((int64_t)(bits << (64 - 8 * a->bytes)) >> (64 - 8 * a->bytes));
    default:
        return (double)bits;
    }
}

static const uint8_t *place_of(const dcnn_array *a, const layout *l, int64_t n, int64_t y, int64_t x, int64_t c) {
    const uint8_t *at = a->data + n * a->strides[0];
    if (l->y < 0) return at + ((y * l->w + x) * l->channels + c) * a->strides[1];
    at += y * a->strides[l->y] + x * a->strides[l->x];
    return l->c < 0 ? at : at + c * a->strides[l->c];
}

/* Bytes that lie as they shall need no copy. */
static bool lies_right(const dcnn_array *a, const layout *l) {
    if (a->kind != DCNN_NUMBER_UNSIGNED || a->bytes != 1) return false;
    const int64_t image = l->h * l->w * l->channels;
    if (a->strides[0] != image && a->shape[0] > 1) return false;
    if (l->y < 0) return a->strides[1] == 1;
    return (a->strides[l->x] == l->channels || l->w == 1) && (a->strides[l->y] == l->w * l->channels || l->h == 1) &&
           (l->c < 0 || l->channels == 1 || a->strides[l->c] == 1);
}

/* What the numbers are like, and what to do. */
static dcnn_status fail_values(const dcnn_array *a, const layout *l) {
    double least = INFINITY, most = -INFINITY;
    bool whole = true;
    for (int64_t n = 0; n < a->shape[0]; n++)
        for (int64_t y = 0; y < l->h; y++)
            for (int64_t x = 0; x < l->w; x++)
                for (int64_t c = 0; c < l->channels; c++) {
                    const double value = value_at(a, place_of(a, l, n, y, x, c));
                    if (!isfinite(value))
                        return DCNN_FAIL(DCNN_BAD_INPUT,
                                         "%s: %s: image %lld holds a value that is not a number (NaN or infinite); in "
                                         "Python: x = numpy.nan_to_num(x)",
                                         a->name, dcnn_array_text(a, (char[160]){0}), (long long)n);
                    least = fmin(least, value);
                    most = fmax(most, value);
                    whole = whole && value == floor(value);
                }
    char text[160];
    dcnn_array_text(a, text);
    if (least >= 0 && most <= 1)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "%s: %s: its numbers are from %g to %g, not bytes; with --scale 255 they become bytes, or in "
                         "Python: x = (x * 255).round().astype('uint8')",
                         a->name, text, least, most);
    const double told_least = least, told_most = most;
    if (least < 0 && least >= -1 && most <= 1) {
        least = -1; /* what is meant, even where no pixel is quite so dark or light */
        most = 1;
    }
    char from_zero[40] = "x";
    if (least != 0) snprintf(from_zero, sizeof from_zero, "(x %c %g)", least < 0 ? '+' : '-', fabs(least));
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "%s: %s: its %snumbers are from %g to %g, not bytes; in Python: x = (%s / %g * "
                     "255).round().astype('uint8')",
                     a->name, text, whole ? "whole " : "", told_least, told_most, from_zero,
                     most > least ? most - least : 1);
}

/* Now and then both sides are let go: neither needs to be in memory as a whole. */
static void forget(const dcnn_array *a, uint8_t *pixels, size_t mapped, int64_t *forgotten, int64_t done) {
    enum { EACH = 1 << 25 };
    if ((done - *forgotten) * a->bytes < EACH) return;
    *forgotten = done;
    dcnn_spill_forget(a->memory, a->mapped_bytes);
    dcnn_spill_forget(pixels, mapped);
}

static bool copy_pixels(const dcnn_array *a, const dcnn_source_options *o, const layout *l, uint8_t *pixels,
                        size_t mapped) {
    const double scale = o->scale != 0 ? o->scale : a->kind == DCNN_NUMBER_BOOL ? 255 : 1;
    const bool exact = o->scale == 0;
    uint8_t *to = pixels;
    int64_t forgotten = 0;
    for (int64_t n = 0; n < a->shape[0]; n++) {
        forget(a, pixels, mapped, &forgotten, to - pixels);
        for (int64_t y = 0; y < l->h; y++)
            for (int64_t x = 0; x < l->w; x++)
                for (int64_t c = 0; c < l->channels; c++) {
                    double value = value_at(a, place_of(a, l, n, y, x, c)) * scale;
                    if (!exact) value = nearbyint(value);
                    if (!(value >= 0 && value <= 255) || value != floor(value)) return false;
                    *to++ = (uint8_t)value;
                }
    }
    return true;
}

/* [h, w, 3] may be one image in colours, or h grey ones that are 3 wide: where no labels tell how many there are, the
 * former, as every program of pictures has it. */
static void choose_count(dcnn_array *a, const dcnn_source_options *o) {
    enum { LEAST_SIDE = 5 };
    char text[160];
    const int64_t *s = a->shape;
    if (a->rank != 3 || (s[2] != 3 && s[2] != 4) || s[0] < LEAST_SIDE || s[1] < LEAST_SIDE) return;
    dcnn_array_text(a, text);
    if (!o->unlabelled) {
        dcnn_source_tell(
            o, "%s: %s: taken as %lld grey images of %lldx%lld; one image in colours is (1, %lld, %lld, %lld)", a->name,
            text, (long long)s[0], (long long)s[1], (long long)s[2], (long long)s[0], (long long)s[1], (long long)s[2]);
        return;
    }
    dcnn_source_tell(
        o, "%s: %s: taken as one image of %lldx%lld in %lld channels; %lld grey ones are (%lld, %lld, %lld, 1)",
        a->name, text, (long long)s[0], (long long)s[1], (long long)s[2], (long long)s[0], (long long)s[0],
        (long long)s[1], (long long)s[2]);
    for (int i = 3; i > 0; i--) {
        a->shape[i] = a->shape[i - 1];
        a->strides[i] = a->strides[i - 1];
    }
    a->shape[0] = 1;
    a->strides[0] = 0;
    a->rank = 4;
}

dcnn_status dcnn_array_take_images(dcnn_array *a, const dcnn_source_options *o, dcnn_source *source) {
    layout l = {0};
    if (a->kind > DCNN_NUMBER_BOOL) return fail_shape(a, "does not hold numbers");
    if (a->rank < 2 || a->shape[0] < 1) return fail_shape(a, "holds no images");
    choose_count(a, o);
    DCNN_TRY(find_layout(a, o, &l));
    source->count = a->shape[0];
    source->kind = l.y < 0 ? DCNN_SOURCE_FLAT : DCNN_SOURCE_ARRAY;
    source->h = (int)l.h;
    source->w = (int)l.w;
    source->c = (int)l.channels;
    if (lies_right(a, &l) && o->scale == 0) {
        source->pixels = a->data;
        source->memory = a->memory;
        source->mapped_bytes = a->mapped_bytes;
        a->memory = NULL;
        a->mapped_bytes = 0;
        return DCNN_OK;
    }
    size_t bytes;
    if (__builtin_mul_overflow((size_t)source->count, (size_t)(l.h * l.w * l.channels), &bytes)) bytes = SIZE_MAX / 2;
    DCNN_TRY(dcnn_spill_take(o->aside, a->name, bytes, &source->memory, &source->mapped_bytes));
    source->pixels = source->memory;
    if (!copy_pixels(a, o, &l, source->memory, source->mapped_bytes)) return fail_values(a, &l);
    char text[160];
    if (a->kind == DCNN_NUMBER_BOOL)
        dcnn_source_tell(o, "%s: %s: false is taken as 0, true as 255", a->name, dcnn_array_text(a, text));
    else if (a->kind != DCNN_NUMBER_UNSIGNED || a->bytes != 1)
        dcnn_source_tell(o, "%s: %s: taken as bytes, %s", a->name, dcnn_array_text(a, text),
                         o->scale != 0 ? "scaled and rounded" : "because all its numbers are");
    return DCNN_OK;
}

/* --- labels ------------------------------------------------------------------------------------------------------- */

dcnn_status dcnn_array_take_texts(const dcnn_array *a, dcnn_names *texts) {
    char *text = malloc((size_t)a->bytes * 2 + 8);
    if (!text) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", a->name);
    dcnn_status status = DCNN_OK;
    for (int64_t i = 0; i < a->shape[0] && status == DCNN_OK; i++) {
        const uint8_t *at = a->data + i * a->strides[0];
        size_t used = 0;
        if (a->kind == DCNN_NUMBER_BYTES) {
            while (used < (size_t)a->bytes && at[used]) used++;
            memcpy(text, at, used);
        }
        for (int j = 0; a->kind == DCNN_NUMBER_UCS4 && j < a->bytes / 4; j++) {
            const uint32_t code =
                (uint32_t)at[4 * j + (a->swapped ? 3 : 0)] | (uint32_t)at[4 * j + (a->swapped ? 2 : 1)] << 8 |
                (uint32_t)at[4 * j + (a->swapped ? 1 : 2)] << 16 | (uint32_t)at[4 * j + (a->swapped ? 0 : 3)] << 24;
            if (code == 0) break;
            if (code < 0x80) {
                text[used++] = (char)code;
                continue;
            }
            const int extra = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3; /* UTF-8 */
            static const unsigned char lead[4] = {0, 0xc0, 0xe0, 0xf0};
            text[used++] = (char)(lead[extra] | (code >> 6 * extra));
            for (int k = extra - 1; k >= 0; k--) text[used++] = (char)(0x80 | (code >> 6 * k & 0x3f));
        }
        status = dcnn_names_add(texts, text, used);
    }
    free(text);
    return status;
}

/* Is each line of [N,K] one 1 among zeros? Fills the labels as far as it is so. */
static bool is_one_hot(const dcnn_array *a, int32_t *labels) {
    for (int64_t i = 0; i < a->shape[0]; i++) {
        int64_t ones = 0;
        for (int64_t j = 0; j < a->shape[1]; j++) {
            const double value = value_at(a, a->data + i * a->strides[0] + j * a->strides[1]);
            if (value != 0 && value != 1) return false;
            if (value == 1) {
                labels[i] = (int32_t)j;
                ones++;
            }
        }
        if (ones != 1) return false;
    }
    return true;
}

static dcnn_status take_column(const dcnn_array *a, int32_t *labels) {
    for (int64_t i = 0; i < a->shape[0]; i++) {
        const double value = value_at(a, a->data + i * a->strides[0]);
        char text[160];
        if (isfinite(value) && value == floor(value) && fabs(value) > INT32_MAX)
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s: %s: label %lld is %.0f, too large for a class: the largest is %d",
                             a->name, dcnn_array_text(a, text), (long long)i, value, INT32_MAX);
        if (!(fabs(value) <= INT32_MAX) || value != floor(value))
            return DCNN_FAIL(DCNN_BAD_INPUT,
                             "%s: %s: label %lld is %g, which is not a class; labels are whole numbers or strings",
                             a->name, dcnn_array_text(a, text), (long long)i, value);
        labels[i] = (int32_t)value;
    }
    return DCNN_OK;
}

/* Which of an array's columns are wanted: all, or numbers from 1. */
static dcnn_status list_columns(const dcnn_array *a, const char *wishes, int columns[], int *count) {
    const int width = a->rank == 1 ? 1 : (int)a->shape[1];
    char wish[128], text[160];
    *count = 0;
    if (wishes == NULL || strcmp(wishes, "all") == 0)
        while (*count < width) columns[*count] = *count, ++*count;
    else
        while (dcnn_next_word(&wishes, wish)) {
            int64_t number;
            if (!dcnn_text_is_integer(wish, &number) || number < 1 || number > width || *count == width)
                return DCNN_FAIL(DCNN_USAGE,
                                 "%s: %s: has no column '%s': --target-columns takes all, or numbers from 1 to %d",
                                 a->name, dcnn_array_text(a, text), wish, width);
            columns[(*count)++] = (int)number - 1;
        }
    return DCNN_OK;
}

/* Numbers to be predicted: [N], or columns of [N,K]. */
static dcnn_status take_targets(const dcnn_array *a, const dcnn_source_options *o, dcnn_source *source) {
    char text[160];
    int count;
    int *columns = calloc((size_t)(a->rank == 1 ? 1 : a->shape[1]) + 1, sizeof *columns);
    dcnn_status status = columns ? list_columns(a, o->target_columns, columns, &count)
                                 : DCNN_FAIL(DCNN_FAILURE, "out of memory: columns");
    if (status == DCNN_OK) status = dcnn_source_make_targets(source, count);
    for (int64_t i = 0; status == DCNN_OK && i < source->count; i++)
        for (int j = 0; status == DCNN_OK && j < count; j++) {
            const double value =
                value_at(a, a->data + i * a->strides[0] + (a->rank > 1 ? columns[j] * a->strides[1] : 0));
            if (!(fabs(value) <= (double)FLT_MAX))
                status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: %s: target %d of image %lld is not a number", a->name,
                                   dcnn_array_text(a, text), columns[j] + 1, (long long)i);
            else
                source->targets[i * count + j] = (float)value;
        }
    free(columns);
    if (status == DCNN_OK)
        dcnn_source_tell(o, "%s: %s: %d number%s an image, to be predicted", a->name, dcnn_array_text(a, text), count,
                         count == 1 ? "" : "s");
    return status;
}

/* What can be no classes: fractions, or several labels of 0 and 1 an image. */
static bool are_targets(const dcnn_array *a) {
    bool whole = true, marks = true;
    const int64_t width = a->rank == 1 ? 1 : a->shape[1];
    for (int64_t i = 0; i < a->shape[0]; i++)
        for (int64_t j = 0; j < width; j++) {
            const double value = value_at(a, a->data + i * a->strides[0] + (a->rank > 1 ? j * a->strides[1] : 0));
            whole = whole && value == floor(value);
            marks = marks && (value == 0 || value == 1);
        }
    return !whole || (width > 1 && marks);
}

dcnn_status dcnn_array_take_labels(const dcnn_array *a, const dcnn_source_options *o, dcnn_source *source) {
    enum { QMNIST_COLUMNS = 8 };
    char text[160];
    const bool list = dcnn_array_is_list(a);
    if (a->rank >= 1 && (a->rank <= 3 || list) && a->shape[0] != source->count)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: holds %lld labels for %lld images: they do not belong together", a->name,
                         (long long)a->shape[0], (long long)source->count);
    if (a->rank < 1 || (a->rank > 2 && !list) || a->kind == DCNN_NUMBER_OTHER)
        return fail_shape(a, "is not a list of labels, one per image: [N], [N,1], or one-hot [N,classes]");
    if (a->kind == DCNN_NUMBER_BYTES || a->kind == DCNN_NUMBER_UCS4) {
        dcnn_names texts = {0};
        dcnn_status status = dcnn_array_take_texts(a, &texts);
        if (status == DCNN_OK) status = dcnn_source_label(source, &texts);
        dcnn_names_free(&texts);
        return status;
    }
    if (o->target_columns) return take_targets(a, o, source);
    source->labels = malloc((size_t)source->count * sizeof *source->labels);
    if (!source->labels) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for its labels", a->name);
    const bool one_hot = !list && is_one_hot(a, source->labels);
    if (!one_hot && are_targets(a)) {
        free(source->labels);
        source->labels = NULL;
        return take_targets(a, o, source);
    }
    if (list) return take_column(a, source->labels);
    if (one_hot) {
        dcnn_source_tell(o, "%s: %s: one-hot: the place of the 1 is the label", a->name, dcnn_array_text(a, text));
        return DCNN_OK;
    }
    if (a->shape[1] == QMNIST_COLUMNS) {
        dcnn_source_tell(o, "%s: %s: the first of 8 columns is the label (QMNIST)", a->name, dcnn_array_text(a, text));
        return take_column(a, source->labels);
    }
    return fail_shape(
        a, "is neither one label per image nor one-hot; --target-columns all takes its numbers as what is to "
           "be predicted, or in Python: y = y.argmax(axis=1)");
}
