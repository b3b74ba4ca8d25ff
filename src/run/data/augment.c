/* SPDX-License-Identifier: BSD-3-Clause */
/* augment.c — the table of changes, where pixels are read from, and the way of one image; see augment.h. */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "io/dataset/dataset.h"
#include "run/data/augment_private.h"

static const double pi = 3.14159265358979323846;

/* Index 0 and 1 of a sample's numbers are rotation's, zoom's and the shifts', as they have always been. */
enum { OLD_ROWS = DCNN_AUGMENT_shear_range, FIRST_NEW = 16, INDICES_A_ROW = 64 };

static double draw_word(const dcnn_change *change, uint32_t index, uint32_t number, double low, double high) {
    const dcnn_random_bits bits =
        dcnn_random(change->key.seed, DCNN_RANDOM_AUGMENT, change->key.epoch, change->key.sample, index + number / 4);
    return dcnn_random_between(bits.word[number % 4], low, high);
}

double dcnn_change_draw(const dcnn_change *change, uint32_t number, double low, double high) {
    return draw_word(change, FIRST_NEW + INDICES_A_ROW * change->row, number, low, high);
}

static double draw_either(const dcnn_change *change, double range) {
    return dcnn_change_draw(change, 0, -range, range);
}

/* --- the rows' functions ------------------------------------------------------------------------------------------ */

static void rotate(dcnn_change *change, const dcnn_augment *ranges) {
    change->degrees = draw_word(change, 0, 0, -ranges->rotation_range, ranges->rotation_range);
}

static void zoom(dcnn_change *change, const dcnn_augment *ranges) {
    change->zoom_rows = draw_word(change, 0, 3, 1.0 - ranges->zoom_range, 1.0 + ranges->zoom_range);
    change->zoom_columns = draw_word(change, 0, 4, 1.0 - ranges->zoom_range, 1.0 + ranges->zoom_range);
}

static void shift_width(dcnn_change *change, const dcnn_augment *ranges) {
    change->shift_columns = change->w * draw_word(change, 0, 2, -ranges->width_shift_range, ranges->width_shift_range);
}

static void shift_height(dcnn_change *change, const dcnn_augment *ranges) {
    change->shift_rows = change->h * draw_word(change, 0, 1, -ranges->height_shift_range, ranges->height_shift_range);
}

static void shear(dcnn_change *change, const dcnn_augment *ranges) {
    change->shear_degrees = draw_either(change, ranges->shear_range);
}

/* product = a b, maps of (row, column, 1). */
static void multiply(const double a[6], const double b[6], double product[6]) {
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 3; j++) product[3 * i + j] = a[3 * i] * b[j] + a[3 * i + 1] * b[3 + j];
        product[3 * i + 2] += a[3 * i + 2];
    }
}

/* Reads pixels at `place`, a map of output pixels, from what has been made so far. */
static void place_pixels(dcnn_change *change, const double place[6]) {
    double old[6];
    memcpy(old, change->place, sizeof old);
    multiply(old, place, change->place);
    change->is_placed = true;
}

static void flip_across(dcnn_change *change, const dcnn_augment *ranges) {
    const double place[6] = {1, 0, 0, 0, -1, change->w - 1};
    if (dcnn_change_draw(change, 0, 0, 1) < ranges->horizontal_flip) place_pixels(change, place);
}

static void flip_down(dcnn_change *change, const dcnn_augment *ranges) {
    const double place[6] = {-1, 0, change->h - 1, 0, 1, 0};
    if (dcnn_change_draw(change, 0, 0, 1) < ranges->vertical_flip) place_pixels(change, place);
}

/* -most .. most, each as likely. */
static double whole_pixels(const dcnn_change *change, uint32_t number, double range, int side) {
    const double most = floor(range * side + 0.5);
    return floor(dcnn_change_draw(change, number, -most, most + 1));
}

/* An image padded by its own edges on all sides, of which a piece of the old size is cut. */
static void crop(dcnn_change *change, const dcnn_augment *ranges) {
    const double place[6] = {1, 0, whole_pixels(change, 0, ranges->crop_range, change->h),
                             0, 1, whole_pixels(change, 1, ranges->crop_range, change->w)};
    place_pixels(change, place);
}

static void distort(dcnn_change *change, const dcnn_augment *ranges) {
    (void)ranges;
    change->is_distorted = true;
}

static void brighten(dcnn_change *change, const dcnn_augment *ranges) {
    dcnn_change_brightness(change, 1 + draw_either(change, ranges->brightness_range));
}

static void contrast(dcnn_change *change, const dcnn_augment *ranges) {
    dcnn_change_contrast(change, 1 + draw_either(change, ranges->contrast_range));
}

static void saturate(dcnn_change *change, const dcnn_augment *ranges) {
    dcnn_change_saturation(change, 1 + draw_either(change, ranges->saturation_range));
}

static void turn_hue(dcnn_change *change, const dcnn_augment *ranges) {
    dcnn_change_hue(change, draw_either(change, ranges->hue_range));
}

/* DeVries and Taylor, "Improved regularization … with cutout", 2017: the square's middle lies anywhere in the image,
 * so part of it may lie outside. Its side is drawn too, as in Zhong et al., "Random erasing", 2017. */
static void cut_out(dcnn_change *change, const dcnn_augment *ranges) {
    const double part = dcnn_change_draw(change, 0, 0, ranges->cutout);
    const double row = dcnn_change_draw(change, 1, 0, change->h), column = dcnn_change_draw(change, 2, 0, change->w);
    change->cut_top = (int)fmax(0, floor(row - part * change->h / 2 + 0.5));
    change->cut_bottom = (int)fmin(change->h, floor(row + part * change->h / 2 + 0.5));
    change->cut_left = (int)fmax(0, floor(column - part * change->w / 2 + 0.5));
    change->cut_right = (int)fmin(change->w, floor(column + part * change->w / 2 + 0.5));
}

static void rand_augment(dcnn_change *change, const dcnn_augment *ranges) {
    dcnn_change_at_random(change, ranges->rand_augment, (double)ranges->rand_magnitude);
}

static void with_it(dcnn_change *change, const dcnn_augment *ranges) {
    (void)change;
    (void)ranges;
}

/* Two images are mixed when both are changed: mix.c. */
static void in_pairs(dcnn_change *change, const dcnn_augment *ranges) {
    with_it(change, ranges);
}

#define ROW(type, field, name, recipe, photos, from, to, ends, function, text)                                         \
    {.option = name,                                                                                                   \
     .what = text,                                                                                                     \
     .suited = {recipe, photos},                                                                                       \
     .low = from,                                                                                                      \
     .high = to,                                                                                                       \
     .offset = offsetof(dcnn_augment, field),                                                                          \
     .whole = _Generic(((dcnn_augment *)0)->field, int64_t                                                             \
                       : true, double                                                                                  \
                       : false),                                                                                       \
     .alone = function != with_it,                                                                                     \
     .in_pairs = function == in_pairs,                                                                                 \
     .apply = function},
const dcnn_augment_row dcnn_augment_table[DCNN_AUGMENT_COUNT] = {DCNN_AUGMENT_LIST(ROW)};

double dcnn_augment_value(const dcnn_augment *ranges, int row) {
    const void *at = (const char *)ranges + dcnn_augment_table[row].offset;
    return dcnn_augment_table[row].whole ? (double)*(const int64_t *)at : *(const double *)at;
}

void dcnn_augment_set(dcnn_augment *ranges, int row, double value) {
    void *at = (char *)ranges + dcnn_augment_table[row].offset;
    if (dcnn_augment_table[row].whole)
        *(int64_t *)at = (int64_t)value;
    else
        *(double *)at = value;
}

static bool is_on(const dcnn_augment *ranges, int row) {
    return dcnn_augment_table[row].alone && dcnn_augment_value(ranges, row) > 0;
}

bool dcnn_augment_is_active(const dcnn_augment *ranges) {
    bool active = false;
    for (int row = 0; row < DCNN_AUGMENT_COUNT; row++) active = active || is_on(ranges, row);
    return active;
}

bool dcnn_augment_suits(int row, int channels) {
    return channels == 3 || (row != DCNN_AUGMENT_saturation_range && row != DCNN_AUGMENT_hue_range);
}

/* "7", "12", "A": what a sign is called, not a thing. */
static bool is_sign(const char *name) {
    const size_t length = strlen(name);
    return (length == 1 && isalnum((unsigned char)name[0])) || (length > 0 && strspn(name, "0123456789") == length);
}

dcnn_augment_kind dcnn_augment_guess(int channels, int class_count, char *const class_names[]) {
    bool signs = true;
    for (int i = 0; i < class_count; i++) signs = signs && class_names && is_sign(class_names[i]);
    return channels < 3 || signs ? DCNN_AUGMENT_RECIPE : DCNN_AUGMENT_PHOTOS;
}

/* --- the place a pixel is read from ------------------------------------------------------------------------------- */

void dcnn_change_turn(dcnn_change *change, const double matrix[4], double rows, double columns) {
    const double row = 0.5 * change->h - 0.5, column = 0.5 * change->w - 0.5;
    const double place[6] = {matrix[0], matrix[1], row + rows - matrix[0] * row - matrix[1] * column,
                             matrix[2], matrix[3], column + columns - matrix[2] * row - matrix[3] * column};
    place_pixels(change, place);
}

static void find_map(const dcnn_change *change, float map[6]) {
    const double angle = change->degrees * pi / 180.0, cosine = cos(angle), sine = sin(angle);
    const double lean = change->shear_degrees * pi / 180.0, along = -sin(lean), across = cos(lean);
    const double centre_row = 0.5 * change->h - 0.5, centre_column = 0.5 * change->w - 0.5;
    const double m00 = cosine * change->zoom_rows, m10 = sine * change->zoom_rows;
    const double m01 = cosine * along * change->zoom_columns + -sine * across * change->zoom_columns;
    const double m11 = sine * along * change->zoom_columns + cosine * across * change->zoom_columns;
    const double keras[6] = {m00,
                             m01,
                             cosine * change->shift_rows - sine * change->shift_columns + centre_row -
                                 m00 * centre_row - m01 * centre_column,
                             m10,
                             m11,
                             sine * change->shift_rows + cosine * change->shift_columns + centre_column -
                                 m10 * centre_row - m11 * centre_column};
    double whole[6];
    memcpy(whole, keras, sizeof whole);
    if (change->is_placed) multiply(keras, change->place, whole);
    for (int i = 0; i < 6; i++) map[i] = (float)whole[i];
}

/* --- distortion --------------------------------------------------------------------------------------------------- */

/* Simard, Steinkraus and Platt, "Best practices for convolutional neural networks", 2003, smooth a random displacement
 * of each pixel by a Gaussian. Here it is a cubic B-spline over 4x4 cells, uniform at its 7x7 control points: as smooth
 * as a Gaussian of a seventh of the image, never further than the range, and cheap. */
enum { CELLS = 4, CONTROLS = CELLS + 3 };

/* The four weights of a position, and the first control point they belong to. */
static int spline_weights(int position, int count, float weights[4]) {
    const double at = count > 1 ? (double)position * CELLS / (count - 1) : 0;
    const int cell = at < CELLS - 1 ? (int)at : CELLS - 1;
    const double t = at - cell, s = 1 - t;
    weights[0] = (float)(s * s * s / 6);
    weights[1] = (float)((3 * t * t * t - 6 * t * t + 4) / 6);
    weights[2] = (float)((3 * s * s * s - 6 * s * s + 4) / 6);
    weights[3] = (float)(t * t * t / 6);
    return cell;
}

/* Numbers 0 to 97 of the row; each call of the generator has four of them. */
static void draw_controls(const dcnn_change *change, double range, float controls[2][CONTROLS][CONTROLS]) {
    enum { WORDS = 4, NUMBERS = 2 * CONTROLS * CONTROLS };
    const double most[2] = {range * change->h, range * change->w};
    const uint32_t first = FIRST_NEW + INDICES_A_ROW * DCNN_AUGMENT_distortion_range;
    float *flat = &controls[0][0][0];
    for (int n = 0; n < NUMBERS; n += WORDS) {
        const dcnn_random_bits bits = dcnn_random(change->key.seed, DCNN_RANDOM_AUGMENT, change->key.epoch,
                                                  change->key.sample, first + (uint32_t)(n / WORDS));
        for (int word = 0; word < WORDS && n + word < NUMBERS; word++) {
            const double limit = most[(n + word) / (CONTROLS * CONTROLS)];
            flat[n + word] = (float)dcnn_random_between(bits.word[word], -limit, limit);
        }
    }
}

/* Where each pixel is read: rows, then columns, [h,w] each. `along`: a column's weights, [4,w], of which a cell's share
 * their control points. */
static void find_places(const dcnn_change *change, double range, const float map[6], float *along, float *rows,
                        float *columns) {
    float controls[2][CONTROLS][CONTROLS], line[2][CONTROLS], down[4];
    int ends[CELLS] = {0};
    const int w = change->w;
    draw_controls(change, range, controls);
    for (int j = 0; j < w; j++) {
        float weights[4];
        ends[spline_weights(j, w, weights)] = j + 1;
        for (int n = 0; n < 4; n++) along[n * w + j] = weights[n];
    }
    for (int i = 0; i < change->h; i++, rows += w, columns += w) {
        const int first = spline_weights(i, change->h, down);
        for (int axis = 0; axis < 2; axis++)
            for (int k = 0; k < CONTROLS; k++) {
                line[axis][k] = 0;
                for (int n = 0; n < 4; n++) line[axis][k] += down[n] * controls[axis][first + n][k];
            }
        for (int cell = 0, from = 0; cell < CELLS; cell++) {
            for (int j = from; j < ends[cell]; j++) {
                float row = map[0] * (float)i + map[1] * (float)j + map[2];
                float column = map[3] * (float)i + map[4] * (float)j + map[5];
                for (int n = 0; n < 4; n++) row += along[n * w + j] * line[0][cell + n];
                for (int n = 0; n < 4; n++) column += along[n * w + j] * line[1][cell + n];
                rows[j] = row;
                columns[j] = column;
            }
            from = ends[cell] > from ? ends[cell] : from;
        }
    }
}

/* --- one image ---------------------------------------------------------------------------------------------------- */

static void find_change(dcnn_change *change, const dcnn_augment *ranges) {
    for (int row = 0; row < DCNN_AUGMENT_COUNT; row++) {
        change->row = (uint32_t)row;
        if (is_on(ranges, row)) dcnn_augment_table[row].apply(change, ranges);
    }
}

static dcnn_change no_change(const dcnn_augment_key *key, int h, int w, int c, const uint8_t *bytes) {
    return (dcnn_change){.key = *key,
                         .h = h,
                         .w = w,
                         .c = c,
                         .bytes = bytes,
                         .zoom_rows = 1,
                         .zoom_columns = 1,
                         .place = {1, 0, 0, 0, 1, 0},
                         .factor = {1, 0, 0, 0, 1, 0, 0, 0, 1}};
}

size_t dcnn_augment_scratch(const dcnn_augment *ranges, int h, int w, int c) {
    const size_t pixels = (size_t)h * (size_t)w;
    size_t bytes = 0;
    if (ranges->distortion_range > 0) bytes += (2 * pixels + 4 * (size_t)w) * sizeof(float);
    if (ranges->rand_augment > 0) bytes += 2 * pixels * (size_t)c;
    return bytes;
}

/* RandAugment's changes of bytes; returns the image to read on from. */
static const uint8_t *change_bytes(const dcnn_change *change, uint8_t *copy) {
    const size_t values = (size_t)change->h * (size_t)change->w * (size_t)change->c;
    if (change->byte_change_count == 0) return change->bytes;
    memcpy(copy, change->bytes, values);
    for (int i = 0; i < change->byte_change_count; i++)
        change->byte_changes[i].apply(change->h, change->w, change->c, change->byte_changes[i].strength, copy,
                                      copy + values);
    return copy;
}

/* Colours of what was read as bytes, then scale and shift. */
static void change_colours(const dcnn_change *change, const dcnn_kernels *kernels, const dcnn_augment_form *form,
                           float *y) {
    float factor[DCNN_MAX_CHANNELS], offset[DCNN_MAX_CHANNELS];
    for (int i = 0; i < (change->c == 3 ? 9 : change->c); i++)
        factor[i] = (float)change->factor[change->c == 3 ? i : 0];
    for (int c = 0; c < change->c; c++) offset[c] = (float)change->offset[change->c == 3 ? c : 0];
    kernels->recolour((size_t)change->h * (size_t)change->w, change->c, factor, offset, form->scale, form->shift, y);
}

static void erase(const dcnn_change *change, const float *blank, float *y) {
    for (int i = change->cut_top; i < change->cut_bottom; i++)
        for (int j = change->cut_left; j < change->cut_right; j++)
            memcpy(y + ((size_t)i * (size_t)change->w + (size_t)j) * (size_t)change->c, blank,
                   (size_t)change->c * sizeof *y);
}

void dcnn_augment_image(const dcnn_augment *ranges, const dcnn_kernels *kernels, const dcnn_augment_key *key,
                        const dcnn_augment_form *form, const uint8_t *bytes, void *scratch, float *y) {
    static const float zeros[DCNN_MAX_CHANNELS] = {0};
    float ones[DCNN_MAX_CHANNELS];
    const int h = form->h, w = form->w, c = form->c;
    float map[6], *rows = scratch;
    dcnn_change change = no_change(key, h, w, c, bytes);
    find_change(&change, ranges);
    find_map(&change, map);
    for (int i = 0; i < c; i++) ones[i] = 1;
    const float *scale = change.is_coloured ? ones : form->scale, *shift = change.is_coloured ? zeros : form->shift;
    float *columns = change.is_distorted ? rows + (size_t)h * (size_t)w : NULL;
    float *along = change.is_distorted ? columns + (size_t)h * (size_t)w : NULL;
    uint8_t *copy = change.is_distorted ? (uint8_t *)(along + 4 * (size_t)w) : scratch;
    const uint8_t *x = change_bytes(&change, copy);
    if (change.is_distorted) {
        find_places(&change, ranges->distortion_range, map, along, rows, columns);
        kernels->remap(h, w, c, x, rows, columns, scale, shift, y);
    } else {
        kernels->warp(h, w, c, x, map, scale, shift, y);
    }
    if (change.is_coloured) change_colours(&change, kernels, form, y);
    erase(&change, form->blank, y);
}
