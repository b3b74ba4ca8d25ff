/* SPDX-License-Identifier: BSD-3-Clause */
/* mix.c — see mix.h. */
#include "run/data/mix.h"

#include <math.h>

#include "base/random.h"

/* What happens to one sample. */
typedef struct recipe {
    float share;                  /* of itself */
    bool is_cut;                  /* a box, else a blend */
    int top, bottom, left, right; /* of the box: from, to below */
} recipe;

bool dcnn_mix_is_active(const dcnn_augment *ranges) {
    return ranges->mixup > 0 || ranges->cutmix > 0;
}

/* A sample's own sequence of random numbers. */
typedef struct sequence {
    uint64_t seed;
    uint32_t epoch;
    int64_t sample;
    uint32_t index;
} sequence;

static dcnn_random_bits next_bits(sequence *s) {
    return dcnn_random(s->seed, DCNN_RANDOM_MIX, s->epoch, s->sample, s->index++);
}

/* The logarithm of a Gamma(alpha, 1) deviate: Marsaglia and Tsang, "A simple method for generating gamma variables",
 * 2000, of alpha + 1, brought down by a power of a uniform one. Logarithms, for small alphas underflow. */
static double draw_log_gamma(sequence *s, double alpha) {
    const double d = alpha + 1.0 - 1.0 / 3.0, c = 1.0 / sqrt(9.0 * d);
    for (;;) {
        const dcnn_random_bits bits = next_bits(s);
        const double x = dcnn_random_normal(bits.word[0], bits.word[1]), root = 1.0 + c * x;
        const double u = 1.0 - dcnn_random_unit(bits.word[2]), power = 1.0 - dcnn_random_unit(bits.word[3]);
        const double v = root * root * root;
        if (root > 0.0 && log(u) < 0.5 * x * x + d - d * v + d * log(v)) return log(d * v) + log(power) / alpha;
    }
}

/* Beta(alpha, alpha) is X / (X + Y) of two such deviates. */
static double draw_beta(sequence *s, double alpha) {
    const double x = draw_log_gamma(s, alpha), y = draw_log_gamma(s, alpha);
    return 1.0 / (1.0 + exp(y - x));
}

static void draw_box(sequence *s, int h, int w, double share, recipe *r) {
    const dcnn_random_bits bits = next_bits(s);
    const double side = sqrt(1.0 - share), row = h * dcnn_random_unit(bits.word[0]),
                 column = w * dcnn_random_unit(bits.word[1]);
    r->is_cut = true;
    r->top = (int)fmax(0, floor(row - side * h / 2 + 0.5));
    r->bottom = (int)fmin(h, floor(row + side * h / 2 + 0.5));
    r->left = (int)fmax(0, floor(column - side * w / 2 + 0.5));
    r->right = (int)fmin(w, floor(column + side * w / 2 + 0.5));
    r->share = (float)(1.0 - (double)(r->bottom - r->top) * (r->right - r->left) / ((double)h * w));
}

static recipe draw(const dcnn_augment *ranges, const dcnn_mix_grain *grain, int i) {
    sequence s = {grain->seed, grain->epoch, grain->samples[i], 0};
    const bool both = ranges->mixup > 0 && ranges->cutmix > 0;
    const bool cuts = both ? next_bits(&s).word[0] >> 31 != 0 : ranges->cutmix > 0;
    const double share = draw_beta(&s, cuts ? ranges->cutmix : ranges->mixup);
    recipe r = {.share = (float)share};
    if (cuts) draw_box(&s, grain->h, grain->w, share, &r);
    return r;
}

/* How much of row i's pixels from `left` to `right` (below) is the partner's. */
static void find_columns(const recipe *r, int i, int *left, int *right) {
    const bool crossed = r->is_cut && i >= r->top && i < r->bottom;
    *left = crossed ? r->left : 0;
    *right = crossed ? r->right : 0;
}

/* A pair's images in place: each value of either comes from both old ones. */
static void mix_pair(const dcnn_mix_grain *g, const recipe *ra, const recipe *rb, float *a, float *b) {
    const float blend_a = ra->is_cut ? 1.0F : ra->share, blend_b = rb->is_cut ? 1.0F : rb->share;
    for (int i = 0; i < g->h; i++) {
        int left_a, right_a, left_b, right_b;
        find_columns(ra, i, &left_a, &right_a);
        find_columns(rb, i, &left_b, &right_b);
        for (int j = 0; j < g->w; j++) {
            const float of_a = j >= left_a && j < right_a ? 0.0F : blend_a;
            const float of_b = j >= left_b && j < right_b ? 0.0F : blend_b;
            for (int c = 0; c < g->c; c++, a++, b++) {
                const float own = *a, other = *b;
                *a = of_a * own + (1.0F - of_a) * other;
                *b = of_b * other + (1.0F - of_b) * own;
            }
        }
    }
}

void dcnn_mix(const dcnn_augment *ranges, const dcnn_mix_grain *grain, float *x, int32_t *others, float *shares) {
    const size_t values = (size_t)grain->h * (size_t)grain->w * (size_t)grain->c;
    for (int i = 0; i < grain->n; i++) {
        const int partner = grain->n - 1 - i;
        others[i] = grain->labels[partner];
        if (partner == i) shares[i] = 1.0F;
        if (i >= partner) continue;
        const recipe own = draw(ranges, grain, i), its = draw(ranges, grain, partner);
        mix_pair(grain, &own, &its, x + (size_t)i * values, x + (size_t)partner * values);
        shares[i] = own.share;
        shares[partner] = its.share;
    }
}
