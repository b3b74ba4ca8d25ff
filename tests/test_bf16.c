/* SPDX-License-Identifier: BSD-3-Clause */
/* test_bf16.c — products of bf16 operands: the same bits by every instruction set, and near what fp32 makes of them. */
#include "testing.h"

#include "kernels/bf16.h"

/* Equal bits, or NaN in both places: what a NaN carries is the instruction's affair. */
static void check_bits(const char *what, const char *isa, size_t count, const float *actual, const float *expected) {
    for (size_t i = 0; i < count; i++) {
        if (isnan(actual[i]) && isnan(expected[i])) continue;
        if (memcmp(&actual[i], &expected[i], sizeof actual[i]) != 0)
            fail_msg("%s: %s[%zu] is %a, expected %a (DCNN_TEST_SEED=%llu)", isa, what, i, (double)actual[i],
                     (double)expected[i], (unsigned long long)test_seed());
    }
}

/* --- rounding ----------------------------------------------------------------------------------------------------- */

static void test_rounding(void **state) {
    (void)state;
    const struct {
        float value;
        uint16_t number;
    } rows[] = {{0.0f, 0},
                {-0.0f, 0x8000},
                {1.0f, 0x3f80},
                {1.00390625f, 0x3f80}, /* tie, even */
                {1.01171875f, 0x3f82},
                {0x1.fffffep127f, 0x7f80},
                {INFINITY, 0x7f80},
                {-INFINITY, 0xff80},
                {0x1p-126f, 0x0080},
                {0x1.fffffcp-127f, 0},
                {-0x1p-149f, 0x8000}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(bf16_round(rows[i].value), rows[i].number);
    assert_true(isnan(bf16_widen(bf16_round(NAN))));
}

/* --- products ----------------------------------------------------------------------------------------------------- */

static uint32_t random_word(size_t index) {
    return dcnn_random(test_seed(), DCNN_RANDOM_INIT, 50, (int64_t)(index / 4), 0).word[index % 4];
}

/* Ranges of exponents: usual; products at the border of what is denormal, and below; denormal operands; overflow;
 * everything, NaNs too. */
typedef struct range {
    uint32_t left, right, sum, spread;
} range;
static const range ranges[] = {{120, 120, 120, 10}, {60, 60, 0, 10},    {52, 55, 0, 12},
                               {0, 120, 0, 3},      {185, 185, 250, 5}, {0, 0, 0, 256}};

static uint32_t random_bits(size_t index, uint32_t exponent, uint32_t spread) {
    const uint32_t bits = random_word(index);
    return (bits & 0x807fffffu) | ((exponent + (bits >> 9 & 0xffffu) % spread) << 23);
}

enum { PRODUCT_CHUNKS = 5, LEFT_ROW = 3 * BF16_CHUNK };

/* In plain loops, to the bits of TDPBF16PS. */
static void product_reference(size_t row_tiles, size_t column_tiles, const dcnn_product_bf16 *p) {
    for (size_t i = 0; i < row_tiles * BF16_TILE; i++)
        for (size_t j = 0; j < column_tiles * BF16_TILE; j++) {
            float sum = p->add ? p->out[i * p->out_row + j] : 0.0f;
            for (size_t chunk = 0; chunk < p->chunks; chunk++) {
                const uint16_t *a = p->left + p->left_at[chunk] + i * p->left_row;
                const uint16_t *b = bf16_right(p, chunk) + j / BF16_TILE * p->right_tile + j % BF16_TILE * 2;
                float even = 0.0f, odd = 0.0f;
                for (size_t d = 0; d < BF16_CHUNK; d += 2) {
                    even = bf16_multiply_add(a[d], b[d * BF16_TILE], even);
                    odd = bf16_multiply_add(a[d + 1], b[d * BF16_TILE + 1], odd);
                }
                sum = bf16_add(sum, bf16_add(even, odd));
            }
            p->out[i * p->out_row + j] = sum;
        }
}

#define PRODUCT(id, isa, ...) DCNN_WHEN_BUILT(id, [DCNN_ISA_##id] = dcnn_product_bf16_##isa, )
static dcnn_product_bf16_kernel *product_of(dcnn_isa isa) {
    static dcnn_product_bf16_kernel *const products[DCNN_ISA_COUNT] = {[DCNN_ISA_REFERENCE] = product_reference,
                                                                       DCNN_ISAS(PRODUCT)};
    return products[isa];
}

static void check_product(dcnn_isa isa, const range *r, size_t chunks, size_t row_tiles, size_t column_tiles,
                          bool add) {
    static uint16_t left[PRODUCT_CHUNKS * 7 + BF16_BLOCK * LEFT_ROW + BF16_CHUNK];
    static uint16_t right[PRODUCT_CHUNKS * 2 * BF16_TILE_SIZE];
    static float out[BF16_BLOCK * 37], expected[BF16_BLOCK * 37];
    int32_t left_at[PRODUCT_CHUNKS], right_at[PRODUCT_CHUNKS];
    const size_t salt = chunks * 64 + row_tiles * 16 + column_tiles * 4 + (size_t)add;
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        left[i] = (uint16_t)(random_bits(i + salt * 100000, r->left, r->spread) >> 16);
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        right[i] = (uint16_t)(random_bits(i + salt * 100000 + 50000, r->right, r->spread) >> 16);
    for (size_t i = 0; i < sizeof out / sizeof *out; i++) {
        const uint32_t bits = random_bits(i + salt * 100000 + 90000, r->sum, r->spread);
        memcpy(&out[i], &bits, sizeof bits);
    }
    memcpy(expected, out, sizeof out);
    for (size_t i = 0; i < chunks; i++) {
        left_at[i] = (int32_t)(i * 7);
        right_at[i] = (int32_t)((chunks - 1 - i) * BF16_TILE_SIZE);
    }
    dcnn_product_bf16 p = {.chunks = chunks,
                           .left = left,
                           .left_at = left_at,
                           .left_row = LEFT_ROW,
                           .right = right,
                           .right_at = chunks % 2 ? right_at : NULL, /* backwards, or as they lie */
                           .right_tile = chunks * BF16_TILE_SIZE,
                           .add = add,
                           .out = out,
                           .out_row = 37};
    product_of(isa)(row_tiles, column_tiles, &p);
    p.out = expected;
    product_of(DCNN_ISA_REFERENCE)(row_tiles, column_tiles, &p);
    check_bits("out", dcnn_isa_name(isa), sizeof out / sizeof *out, out, expected);
}

static void test_products(void **state) {
    (void)state;
    for (int isa = DCNN_ISA_GENERIC; isa <= (int)dcnn_isa_best(); isa++) {
        if (!dcnn_isa_agrees(dcnn_isa_name((dcnn_isa)isa))) continue; /* sums of its own */
        for (size_t r = 0; r < sizeof ranges / sizeof *ranges; r++)
            for (size_t chunks = 0; chunks <= PRODUCT_CHUNKS; chunks++)
                for (size_t shape = 0; shape < 8; shape++)
                    check_product((dcnn_isa)isa, &ranges[r], chunks, 1 + shape % 2, 1 + shape / 2 % 2, shape / 4);
    }
}

/* --- convolutions ------------------------------------------------------------------------------------------------- */

static const dcnn_conv named[] = {
    /* n, h, w, c, k, r, s, strides, pads, oh, ow */
    {1, 3, 3, 16, 1, 3, 3, 1, 1, 0, 0, 1, 1, 1, 1, 1, false, false, false, false},  /* the smallest */
    {1, 6, 9, 21, 33, 2, 5, 1, 1, 0, 0, 5, 5, 1, 1, 1, false, false, false, false}, /* an oblong filter */
    {3, 8, 8, 16, 17, 5, 5, 2, 2, 1, 1, 4, 4, 1, 1, 1, false, false, false, false}, /* 'same' with stride 2 */
    {2, 9, 9, 17, 20, 7, 7, 1, 1, 3, 3, 9, 9, 1, 1, 1, false, false, false, false}, /* 7x7 'same' */
    {2, 5, 6, 19, 18, 1, 1, 1, 1, 0, 0, 5, 6, 1, 1, 1, false, false, false, false}, /* 1x1: one line */
    {2, 5, 5, 4, 3, 1, 1, 2, 2, 0, 0, 3, 3, 1, 1, 1, false, false, false, false},   /* 1x1 with stride */
    {2, 6, 6, 33, 20, 3, 3, 1, 1, 1, 1, 6, 6, 1, 1, 1, false, false, false, false}, /* 'same' */
    {2, 9, 7, 25, 6, 2, 3,     3,     2,     0,
     1, 3, 4, 1,  1, 1, false, false, false, false}, /* strides differ; a row of the image is never read */
    {1, 2, 2, 17, 3, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1, 1, false, false, false, false}, /* a filter larger than the image */
    {2, 5, 4, 18, 7, 3, 3,     1,     1,     1,
     2, 5, 5, 1,  1, 1, false, false, false, false}, /* zeros to the right beyond the filter's reach */
    {1, 4, 70, 20, 2, 3, 3, 1, 1, 0, 0, 2, 68, 1, 1, 1, false, false, false, false}, /* long lines */
    {16, 4, 4, 32, 48, 3, 3, 1, 1, 1, 1, 4, 4, 1, 1, 1, false, false, false, false}, /* a full group */
    {17, 4, 4, 16, 16, 3, 3, 1, 1, 0, 0, 2, 2, 1, 1, 1, false, false, false, false}, /* one image more than a group */
    {2, 40, 40, 66, 16, 3, 3,     1,     1,     1,
     1, 40, 40, 1,  1,  1, false, false, false, false}, /* groups of one image, for their size */
    {2, 9, 9, 40, 48, 3, 3, 2, 2, 0, 0, 4, 4, 1, 1, 1, false, false, false, false}, /* stride 2, four phases */
    {1, 9, 9, 16, 5, 2, 2,     4,     3,     0,
     0, 2, 3, 1,  1, 1, false, false, false, false}, /* stride beyond the filter: phases without taps */
    {2, 9, 8, 3, 20, 3, 3, 1, 1, 1, 1, 9, 8, 1, 1, 1, false, false, false, false},    /* patches of 27 */
    {17, 11, 11, 6, 16, 5, 5, 1, 1, 0, 0, 7, 7, 1, 1, 1, false, false, false, false}, /* … of 150, two groups */
    {2, 17, 15, 3, 33, 7, 7, 2, 2, 3, 3, 9, 8, 1, 1, 1, false, false, false, false},  /* … with stride 2 */
    {3, 5, 9, 5, 7, 2, 3,     2,     3,     0,
     1, 2, 3, 1, 1, 1, false, false, false, false}, /* … strides differ; a column is never read */
    {1, 2, 2, 12, 3, 3, 3,     1,     1,     1,
     1, 2, 2, 1,  1, 1, false, false, false, false}, /* … a filter larger than the image */
    {5, 1, 1, 70, 37, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, false, false, false, false}, /* a dense layer */
};
enum { NAMED = sizeof named / sizeof named[0], CONVOLUTIONS = NAMED + 20 };

static int random_int(size_t index, int low, int high) {
    return (int)test_uniform(51, index, low, high + 1);
}

static dcnn_conv convolution(int i) {
    if (i < NAMED) return named[i];
    const size_t at = 16 * (size_t)i;
    dcnn_conv shape = {
        .n = random_int(at, 1, 5), .c = random_int(at + 1, BF16_LEAST_CHANNELS, 40), .k = random_int(at + 2, 1, 40)};
    shape.r = random_int(at + 3, 1, 4);
    shape.s = random_int(at + 4, 1, 4);
    shape.stride_h = random_int(at + 5, 1, 3);
    shape.stride_w = random_int(at + 6, 1, 3);
    shape.pad_h = random_int(at + 7, 0, shape.r - 1);
    shape.pad_w = random_int(at + 8, 0, shape.s - 1);
    shape.oh = random_int(at + 9, 1, 6);
    shape.ow = random_int(at + 10, 1, 6);
    shape.h = (shape.oh - 1) * shape.stride_h + shape.r - shape.pad_h - random_int(at + 11, 0, shape.r - 1) + 1;
    shape.w = (shape.ow - 1) * shape.stride_w + shape.s - shape.pad_w - random_int(at + 12, 0, shape.s - 1) + 1;
    if (shape.h < 1) shape.h = 1;
    if (shape.w < 1) shape.w = 1;
    return shape;
}

typedef struct sizes {
    size_t x, w, y, pooled, k;
} sizes;

static sizes sizes_of(const dcnn_conv *shape) {
    const size_t n = (size_t)shape->n, k = (size_t)shape->k;
    return (sizes){n * (size_t)(shape->h * shape->w * shape->c), (size_t)(shape->r * shape->s * shape->c) * k,
                   n * (size_t)(shape->oh * shape->ow) * k, n * (size_t)(shape->oh / 2 * (shape->ow / 2)) * k, k};
}

/* Of exactly the told size; full of NaNs, of which none may come out. */
static float *scratch_of(size_t count) {
    float *scratch = aligned_alloc(64, (count * sizeof(float) + 64) / 64 * 64);
    assert_non_null(scratch);
    memset(scratch, TEST_UNWRITTEN, count * sizeof(float));
    return scratch;
}

static float *packed_of(const dcnn_kernels *kernels, const dcnn_conv *shape, const float *w) {
    float *packed = test_floats(kernels->conv_packed(shape));
    for (int part = 2; part >= 0; part--) kernels->conv_pack(shape, w, packed, part, 3);
    return packed;
}

static float *pool_packed_of(const dcnn_kernels *kernels, const dcnn_conv *shape, const float *w) {
    float *packed = test_floats(kernels->conv_pool_packed(shape));
    for (int part = 2; part >= 0; part--) kernels->conv_pool_pack(shape, w, packed, part, 3);
    return packed;
}

/* Everything that a convolution makes, from the same inputs. */
typedef struct results {
    float *y, *plain, *dx, *dw, *dbias, *pooled, *pooled_dx, *pooled_dw, *pooled_dbias;
    uint8_t *argmax;
} results;

static results results_of(const sizes *size) {
    results r = {.y = test_floats(size->y), .plain = test_floats(size->y), .dx = test_floats(size->x)};
    r.dw = test_floats(size->w);
    r.dbias = test_floats(size->k);
    r.pooled = test_floats(size->pooled);
    r.pooled_dx = test_floats(size->x);
    r.pooled_dw = test_floats(size->w);
    r.pooled_dbias = test_floats(size->k);
    r.argmax = test_output(size->pooled);
    return r;
}

/* Numbers rounded to bf16 as halves, and back as floats. */
static uint16_t *halves_of(size_t count, const float *from) {
    uint16_t *halves = test_output(count * sizeof *halves);
    for (size_t i = 0; i < count; i++) halves[i] = bf16_round(from[i]);
    return halves;
}

static float *floats_of(size_t count, const uint16_t *from) {
    float *floats = test_floats(count);
    for (size_t i = 0; i < count; i++) floats[i] = bf16_widen(from[i]);
    return floats;
}

static float *rounded_of(size_t count, const float *from) {
    return floats_of(count, halves_of(count, from));
}

/* Input and output as numbers of bf16, each or both: what is computed is what floats give that are rounded before and
 * after. The ReLU's gradient: what dy gives where y is positive, else 0. */
static void check_halves(const dcnn_kernels *kernels, const dcnn_conv *shape, const float *packed, float *scratch) {
    const sizes size = sizes_of(shape);
    const float *x = rounded_of(size.x, test_random(size.x, 60)), *dy = rounded_of(size.y, test_random(size.y, 63));
    const float *bias = test_random(size.k, 62);
    float *y = test_floats(size.y), *passed = test_floats(size.y);
    results r = results_of(&size);
    if (!kernels->conv_halves(shape)) return;
    kernels->conv_forward(shape, x, packed, bias, DCNN_FUSED_RELU, y, scratch);
    for (int formats = 0; formats < 4; formats++) {
        dcnn_conv s = *shape;
        s.x_half = formats % 2;
        s.y_half = formats / 2;
        const void *from = s.x_half ? (const void *)halves_of(size.x, x) : x;
        const void *gradient = s.y_half ? (const void *)halves_of(size.y, dy) : dy;
        void *to = s.y_half ? test_output(size.y * sizeof(uint16_t)) : (void *)test_floats(size.y);
        void *dx = s.x_half ? test_output(size.x * sizeof(uint16_t)) : (void *)test_floats(size.x);
        float *dw = test_floats(size.w), *dbias = test_floats(size.k);
        const float *seen = s.y_half ? rounded_of(size.y, y) : y;
        kernels->conv_forward(&s, from, packed, bias, DCNN_FUSED_RELU, to, scratch);
        check_bits("y of halves", kernels->isa, size.y, s.y_half ? floats_of(size.y, to) : to, seen);
        for (size_t i = 0; i < size.y; i++) passed[i] = seen[i] > 0.0f ? dy[i] : 0.0f;
        kernels->conv_backward(shape, x, packed, passed, r.dx, r.dw, r.dbias, scratch);
        kernels->conv_relu_backward(&s, from, packed, to, gradient, dx, dw, dbias, scratch);
        check_bits("dx of halves", kernels->isa, size.x, s.x_half ? floats_of(size.x, dx) : dx,
                   s.x_half ? rounded_of(size.x, r.dx) : r.dx);
        check_bits("dw of halves", kernels->isa, size.w, dw, r.dw);
        check_bits("dbias of halves", kernels->isa, size.k, dbias, r.dbias);
    }
}

/* Gradients one by one have the same bits as both at once. */
static void check_apart(const dcnn_kernels *kernels, const dcnn_conv *shape, const float *packed, float *scratch,
                        const results *both) {
    const sizes size = sizes_of(shape);
    const float *x = test_random(size.x, 60), *dy = test_random(size.y, 63);
    float *dx = test_floats(size.x), *dw = test_floats(size.w), *dbias = test_floats(size.k);
    kernels->conv_backward_input(shape, dy, packed, dx, scratch);
    kernels->conv_backward_filter(shape, x, dy, dw, dbias, scratch);
    check_bits("dx alone", kernels->isa, size.x, dx, both->dx);
    check_bits("dw alone", kernels->isa, size.w, dw, both->dw);
    check_bits("dbias alone", kernels->isa, size.k, dbias, both->dbias);
}

/* argmax is given to all: where sums tie but for their rounding, fp32 may choose another cell. */
static results run(const dcnn_kernels *kernels, const dcnn_conv *shape, const uint8_t *argmax) {
    const sizes size = sizes_of(shape);
    const float *x = test_random(size.x, 60), *w = test_random(size.w, 61), *bias = test_random(size.k, 62);
    const float *dy = test_random(size.y, 63), *pooled_dy = test_random(size.pooled, 64);
    const float *scale = test_random((size_t)shape->c, 65), *shift = test_random((size_t)shape->c, 66);
    float *packed = packed_of(kernels, shape, w), *scratch = scratch_of(kernels->conv_scratch(shape));
    results r = results_of(&size);
    kernels->conv_forward(shape, x, packed, bias, DCNN_FUSED_RELU, r.y, scratch);
    kernels->conv_forward(shape, x, packed, NULL, DCNN_FUSED_NONE, r.plain, scratch);
    kernels->conv_backward(shape, x, packed, dy, r.dx, r.dw, r.dbias, scratch);
    check_apart(kernels, shape, packed, scratch, &r);
    check_halves(kernels, shape, packed, scratch);
    free(scratch);
    if (size.pooled == 0 || !kernels->conv_pool_fits(shape)) return r;
    scratch = scratch_of(kernels->conv_pool_scratch(shape));
    packed = pool_packed_of(kernels, shape, w);
    kernels->conv_pool_forward(shape, x, scale, shift, packed, bias, r.pooled, r.argmax, scratch);
    if (argmax == NULL) argmax = r.argmax;
    kernels->conv_pool_backward(shape, x, scale, shift, packed, argmax, pooled_dy, r.pooled_dx, r.pooled_dw,
                                r.pooled_dbias, scratch);
    free(scratch);
    return r;
}

static void compare(const char *isa, const dcnn_conv *shape, const results *actual, const results *expected) {
    const sizes size = sizes_of(shape);
    check_bits("y", isa, size.y, actual->y, expected->y);
    check_bits("plain y", isa, size.y, actual->plain, expected->plain);
    check_bits("dx", isa, size.x, actual->dx, expected->dx);
    check_bits("dw", isa, size.w, actual->dw, expected->dw);
    check_bits("dbias", isa, size.k, actual->dbias, expected->dbias);
    if (size.pooled == 0) return;
    assert_memory_equal(actual->argmax, expected->argmax, size.pooled);
    check_bits("pooled y", isa, size.pooled, actual->pooled, expected->pooled);
    check_bits("pooled dx", isa, size.x, actual->pooled_dx, expected->pooled_dx);
    check_bits("pooled dw", isa, size.w, actual->pooled_dw, expected->pooled_dw);
    check_bits("pooled dbias", isa, size.k, actual->pooled_dbias, expected->pooled_dbias);
}

/* rms of the errors, of the results' rms: operands are off by 2^-9 at most, half of that in the mean. */
static void near(const char *what, double bound, size_t count, const float *actual, const float *expected) {
    double errors = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        errors += ((double)actual[i] - expected[i]) * ((double)actual[i] - expected[i]);
        squares += (double)expected[i] * expected[i];
    }
    if (!(errors <= bound * bound * squares + 1e-12)) fail_msg("%s: off by %g", what, sqrt(errors / squares));
}

static void run_convolution(void **state) {
    const dcnn_conv shape = convolution(*(const int *)*state);
    const sizes size = sizes_of(&shape);
    const results expected = run(dcnn_kernels_for(DCNN_ISA_REFERENCE, DCNN_BF16), &shape, NULL);
    for (int isa = DCNN_ISA_GENERIC; isa <= (int)dcnn_isa_best(); isa++) {
        if (!dcnn_isa_agrees(dcnn_isa_name((dcnn_isa)isa))) continue; /* sums of its own: below */
        const results actual = run(dcnn_kernels_for((dcnn_isa)isa, DCNN_BF16), &shape, NULL);
        compare(dcnn_isa_name((dcnn_isa)isa), &shape, &actual, &expected);
    }
    const results fp32 = run(dcnn_kernels_of(DCNN_ISA_REFERENCE), &shape, size.pooled > 0 ? expected.argmax : NULL);
    near("y", 8e-3, size.y, expected.plain, fp32.plain);
    near("dx", 8e-3, size.x, expected.dx, fp32.dx);
    near("dw", 8e-3, size.w, expected.dw, fp32.dw);
    near("dbias", 8e-3, size.k, expected.dbias, fp32.dbias);
    if (size.pooled > 0) {
        near("pooled dx", 8e-3, size.x, expected.pooled_dx, fp32.pooled_dx);
        near("pooled dw", 8e-3, size.w, expected.pooled_dw, fp32.pooled_dw);
    }
    if (dcnn_isa_runs(DCNN_ISA_AVX512_BF16)) {
        const results own = run(dcnn_kernels_for(DCNN_ISA_AVX512_BF16, DCNN_BF16), &shape, expected.argmax);
        near("y of avx512_bf16", 1e-6, size.y, own.plain, expected.plain);
        near("dx of avx512_bf16", 1e-6, size.x, own.dx, expected.dx);
        near("dw of avx512_bf16", 1e-6, size.w, own.dw, expected.dw);
    }
    test_release();
}

/* A patch of few values, and one of too many, stay fp32, to its bits. */
static void test_few_channels(void **state) {
    (void)state;
    const dcnn_conv shapes[] = {{2, 7, 6, 2, 18, 3, 3, 1, 1, 0, 0, 5, 4, 1, 1, 1, false, false, false, false},
                                {2, 7, 6, 15, 18, 4, 3, 1, 1, 0, 0, 4, 4, 1, 1, 1, false, false, false, false}};
    for (int isa = DCNN_ISA_REFERENCE; isa <= (int)dcnn_isa_best(); isa++)
        for (int i = 0; i < 2; i++) {
            const results expected = run(dcnn_kernels_of((dcnn_isa)isa), &shapes[i], NULL);
            const results actual = run(dcnn_kernels_for((dcnn_isa)isa, DCNN_BF16), &shapes[i], NULL);
            compare(dcnn_isa_name((dcnn_isa)isa), &shapes[i], &actual, &expected);
            test_release();
        }
}

/* Scratch measured for a grain is enough for fewer images, as the last grain has them. */
static void test_scratch(void **state) {
    (void)state;
    for (int isa = DCNN_ISA_GENERIC; isa <= (int)dcnn_isa_best(); isa++) {
        const dcnn_kernels *kernels = dcnn_kernels_for((dcnn_isa)isa, DCNN_BF16);
        for (int i = 0; i < CONVOLUTIONS; i++) {
            dcnn_conv shape = convolution(i), fewer = shape;
            shape.n = i % 2 ? 16 : 40;
            for (fewer.n = 1; fewer.n < shape.n; fewer.n++) {
                assert_true(kernels->conv_scratch(&fewer) <= kernels->conv_scratch(&shape));
                assert_true(kernels->dense_scratch(fewer.n, shape.c, shape.k) <=
                            kernels->dense_scratch(shape.n, shape.c, shape.k));
                if (kernels->conv_pool_fits(&shape))
                    assert_true(kernels->conv_pool_scratch(&fewer) <= kernels->conv_pool_scratch(&shape));
            }
        }
    }
}

/* Images in which distances do not fit into 32 bits stay fp32. */
static void test_huge_images(void **state) {
    (void)state;
    const dcnn_kernels *kernels = dcnn_kernels_for(dcnn_isa_best(), DCNN_BF16);
    dcnn_conv shape = {2, 512, 512, 256, 256, 3, 3, 1, 1, 1, 1, 512, 512, 1, 1, 1, false, false, false, false};
    assert_true(kernels->conv_halves(&shape));
    shape.h = shape.w = shape.oh = shape.ow = 8192;
    assert_false(kernels->conv_halves(&shape));
    shape.c = 3; /* of patches */
    assert_false(kernels->conv_halves(&shape));
    shape.h = shape.w = shape.oh = shape.ow = 4096;
    assert_true(kernels->conv_halves(&shape));
}

int main(void) {
    enum { OTHERS = 5 };
    static int number[CONVOLUTIONS];
    static char title[CONVOLUTIONS][64];
    static struct CMUnitTest tests[CONVOLUTIONS + OTHERS];
    tests[0] = (struct CMUnitTest)cmocka_unit_test(test_rounding);
    tests[1] = (struct CMUnitTest)cmocka_unit_test(test_products);
    tests[2] = (struct CMUnitTest)cmocka_unit_test(test_few_channels);
    tests[3] = (struct CMUnitTest)cmocka_unit_test(test_scratch);
    tests[4] = (struct CMUnitTest)cmocka_unit_test(test_huge_images);
    for (int i = 0; i < CONVOLUTIONS; i++) {
        const dcnn_conv s = convolution(i);
        number[i] = i;
        snprintf(title[i], sizeof title[i], "%d x %dx%dx%d, %dx%d of %d", s.n, s.h, s.w, s.c, s.r, s.s, s.k);
        tests[i + OTHERS] = (struct CMUnitTest){title[i], run_convolution, NULL, NULL, &number[i]};
    }
    (void)test_seed();
    return _cmocka_run_group_tests("bf16", tests, CONVOLUTIONS + OTHERS, NULL, NULL);
}
