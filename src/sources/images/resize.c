/* SPDX-License-Identifier: BSD-3-Clause */
/* resize.c — images of another size, in integers: the same bytes on every machine. */
#include <stdlib.h>
#include <string.h>

#include "sources/images/image.h"

enum { ONE = 1 << 14 /* the weights of a pixel add to this */, KEPT_BITS = 8 /* of fraction between the two axes */ };

/* One axis: for each place of the result, `taps[place]` pixels from `first[place]` on with their weights. */
typedef struct axis {
    int *first, *taps;
    uint16_t *weights; /* [places * most] */
    int most;
} axis;

/* Place `o` covers [o * from, (o + 1) * from) in units of 1/to of a pixel. Weights are floors of running shares, so
 * they add to ONE exactly. */
static void cover(axis *a, int o, int from, int to) {
    const int64_t begin = (int64_t)o * from, end = begin + from;
    const int first = (int)(begin / to);
    int64_t at = begin, told = 0;
    a->first[o] = first;
    for (int i = first; at < end; i++) {
        const int64_t next = (int64_t)(i + 1) * to < end ? (int64_t)(i + 1) * to : end;
        const int64_t upto = (next - begin) * ONE / from;
        a->weights[(size_t)o * (size_t)a->most + (size_t)(i - first)] = (uint16_t)(upto - told);
        told = upto;
        at = next;
        a->taps[o] = i - first + 1;
    }
}

/* The centre of place `o` lies at (2 o + 1) * from / (2 to) - 1/2, between two pixels. */
static void interpolate(axis *a, int o, int from, int to) {
    int64_t place = (2 * (int64_t)o + 1) * from - to; /* in units of 1 / (2 to) */
    if (place < 0) place = 0;
    int64_t first = place / (2 * (int64_t)to);
    int64_t share = place % (2 * (int64_t)to) * ONE / (2 * (int64_t)to);
    if (first >= from - 1) {
        first = from - 1;
        share = 0;
    }
    a->first[o] = (int)first;
    a->taps[o] = first < from - 1 ? 2 : 1;
    a->weights[(size_t)o * (size_t)a->most] = (uint16_t)(ONE - share);
    if (a->taps[o] == 2) a->weights[(size_t)o * (size_t)a->most + 1] = (uint16_t)share;
}

static bool axis_create(int from, int to, axis *a) {
    a->most = from > to ? from / to + 2 : 2;
    a->first = calloc((size_t)to, sizeof *a->first);
    a->taps = calloc((size_t)to, sizeof *a->taps);
    a->weights = calloc((size_t)to * (size_t)a->most, sizeof *a->weights);
    if (!a->first || !a->taps || !a->weights) return false;
    for (int o = 0; o < to; o++)
        if (from > to)
            cover(a, o, from, to);
        else
            interpolate(a, o, from, to);
    return true;
}

static void axis_free(axis *a) {
    free(a->first);
    free(a->taps);
    free(a->weights);
}

/* One line of the image, made `to_w` wide, with KEPT_BITS of fraction. */
static void scale_line(const uint8_t *line, int c, const axis *x, int to_w, uint16_t *to) {
    const int shift = 14 - KEPT_BITS;
    for (int o = 0; o < to_w; o++) {
        const uint16_t *weights = x->weights + (size_t)o * (size_t)x->most;
        for (int channel = 0; channel < c; channel++) {
            const uint8_t *from = line + (size_t)x->first[o] * (size_t)c + channel;
            uint32_t sum = 1u << (shift - 1);
            for (int i = 0; i < x->taps[o]; i++) sum += (uint32_t)from[i * c] * weights[i];
            to[o * c + channel] = (uint16_t)(sum >> shift);
        }
    }
}

/* 16 bits of value times 14 of weight: the sums stay below 2^31. */
static void add_lines(const uint16_t *lines, size_t width, const axis *y, int o, uint8_t *to) {
    const int shift = 14 + KEPT_BITS;
    const uint16_t *weights = y->weights + (size_t)o * (size_t)y->most;
    for (size_t i = 0; i < width; i++) {
        uint32_t sum = 1u << (shift - 1);
        for (int tap = 0; tap < y->taps[o]; tap++)
            sum += (uint32_t)lines[((size_t)(y->first[o] + tap)) * width + i] * weights[tap];
        to[i] = (uint8_t)(sum >> shift);
    }
}

dcnn_status dcnn_image_scale(const dcnn_image *from, int top, int left, int h, int w, uint8_t *to, int to_h, int to_w,
                             int stride) {
    axis x = {0}, y = {0};
    const size_t width = (size_t)to_w * (size_t)from->c;
    uint16_t *lines = malloc((size_t)h * width * sizeof *lines);
    dcnn_status status = DCNN_OK;
    if (!lines || !axis_create(w, to_w, &x) || !axis_create(h, to_h, &y)) {
        status = DCNN_FAIL(DCNN_FAILURE, "out of memory: an image of %dx%d resized to %dx%d", h, w, to_h, to_w);
        goto done;
    }
    for (int i = 0; i < h; i++)
        scale_line(from->pixels + ((size_t)(top + i) * (size_t)from->w + (size_t)left) * (size_t)from->c, from->c, &x,
                   to_w, lines + (size_t)i * width);
    for (int o = 0; o < to_h; o++) add_lines(lines, width, &y, o, to + (size_t)o * (size_t)stride * (size_t)from->c);
done:
    axis_free(&x);
    axis_free(&y);
    free(lines);
    return status;
}

static int rounded(int64_t value, int64_t times, int64_t by) {
    const int64_t result = (value * times + by / 2) / by;
    return result < 1 ? 1 : (int)result;
}

static void fill(dcnn_image *p, const uint8_t background[3]) {
    const uint8_t grey =
        (uint8_t)((19595u * background[0] + 38470u * background[1] + 7471u * background[2] + 0x8000u) >> 16);
    const size_t count = (size_t)p->h * (size_t)p->w;
    for (size_t i = 0; i < count; i++)
        for (int j = 0; j < p->c; j++) {
            const bool alpha = p->c % 2 == 0 && j == p->c - 1;
            p->pixels[i * (size_t)p->c + (size_t)j] = alpha ? 255 : p->c >= 3 ? background[j] : grey;
        }
}

dcnn_status dcnn_image_fit(dcnn_image *p, int h, int w, dcnn_fit fit, const uint8_t background[3]) {
    if (p->h == h && p->w == w) return DCNN_OK;
    dcnn_image made = {.h = h, .w = w, .c = p->c, .pixels = malloc((size_t)h * (size_t)w * (size_t)p->c)};
    if (!made.pixels) return DCNN_FAIL(DCNN_FAILURE, "out of memory: an image of %dx%d", h, w);
    /* taken of the image, and covered of the result */
    int take_h = p->h, take_w = p->w, cover_h = h, cover_w = w;
    const bool wider = (int64_t)p->w * h > (int64_t)w * p->h;
    if (fit == DCNN_FIT_CROP && wider)
        take_w = rounded(w, p->h, h);
    else if (fit == DCNN_FIT_CROP)
        take_h = rounded(h, p->w, w);
    else if (fit == DCNN_FIT_PAD && wider)
        cover_h = rounded(p->h, w, p->w);
    else if (fit == DCNN_FIT_PAD)
        cover_w = rounded(p->w, h, p->h);
    if (take_w > p->w) take_w = p->w;
    if (take_h > p->h) take_h = p->h;
    if (cover_h < h || cover_w < w) fill(&made, background);
    uint8_t *to = made.pixels + ((size_t)((h - cover_h) / 2) * (size_t)w + (size_t)((w - cover_w) / 2)) * (size_t)p->c;
    const dcnn_status status =
        dcnn_image_scale(p, (p->h - take_h) / 2, (p->w - take_w) / 2, take_h, take_w, to, cover_h, cover_w, w);
    dcnn_image_free(status == DCNN_OK ? p : &made);
    if (status == DCNN_OK) *p = made;
    return status;
}
