/* Convolution 3x3 + ReLU + MaxPooling 2x2 of pictures with one channel, a net's first layer: lanes are output channels,
 * and the nine taps of a vector stay in registers. Winograd would save multiplications that its transforms then eat. */
#include "kernels/conv_pool_simd.h"

enum {
    AHEAD = 16, /* windows: 0.78 ms for the filter gradients of 128 digits, 0.86 with 8, 1.03 without (Zen 4) */
#if defined(DCNN_ISA_avx512)
    VECTORS = 2, /* 18 taps, 8 sums, 1 pixel: of 32 registers */
#else
    VECTORS = 1, /* 9 taps, 4 sums, 1 pixel: of 16 registers */
#endif
};

size_t DCNN_SIMD_NAME(dcnn_conv_pool_first_scratch)(const dcnn_conv *shape) {
    const conv_pool_plan plan = plan_of(shape);
    return whole_lines(plan.cells);
}

/* packed [k vector][tap][V] */
void DCNN_SIMD_NAME(dcnn_conv_pool_first_pack)(const dcnn_conv *shape, const float *w, float *packed, size_t vector) {
    const conv_pool_plan plan = plan_of(shape);
    for (size_t tap = 0; tap < TAPS; tap++) {
        const simd_float value = load_lanes(w + tap * plan.k + vector * V, lanes_of(plan.k, vector));
        simd_store(packed + (vector * TAPS + tap) * V, value);
    }
}

/* One picture through the affine map, with its padding, exactly the rows and columns that pooling reads. */
static void frame_image(const dcnn_conv *shape, const conv_pool_plan *plan, const float *x, const float *in_scale,
                        const float *in_shift, float *framed) {
    const int rows = (int)(plan->cells / plan->columns), columns = (int)plan->columns;
    for (int i = -shape->pad_h; i < rows - shape->pad_h; i++) {
        for (int j = -shape->pad_w; j < columns - shape->pad_w; j++) {
            float value = 0;
            if (i >= 0 && i < shape->h && j >= 0 && j < shape->w) {
                value = x[(size_t)i * (size_t)shape->w + (size_t)j];
                if (in_scale != NULL) value = value * in_scale[0] + in_shift[0];
            }
            *framed++ = value;
        }
    }
}

/* The four cells of a window for `vectors` vectors of output channels; `from`: its 4x4 pixels. */
static inline __attribute__((always_inline)) void convolve_window(const size_t vectors, const float *from,
                                                                  size_t columns, simd_float tap[VECTORS][TAPS],
                                                                  simd_float cell[VECTORS][4]) {
    for (size_t j = 0; j < vectors; j++) {
        for (size_t i = 0; i < 4; i++) cell[j][i] = simd_zero();
    }
#pragma GCC unroll 4
    for (size_t row = 0; row < 4; row++) {
#pragma GCC unroll 4
        for (size_t column = 0; column < 4; column++) {
            const simd_float pixel = simd_splat(from[row * columns + column]);
#pragma GCC unroll 4
            for (size_t i = 0; i < 4; i++) {
                const size_t r = row - i / 2, s = column - i % 2;
                if (r > 2 || s > 2) continue;
#pragma GCC unroll 2
                for (size_t j = 0; j < vectors; j++) cell[j][i] += pixel * tap[j][r * 3 + s];
            }
        }
    }
}

/* All windows of one picture for `vectors` vectors of output channels from number `vector`. */
static inline __attribute__((always_inline)) void convolve_image(const size_t vectors, const conv_pool_plan *plan,
                                                                 const float *framed, size_t vector,
                                                                 const float *packed, const float *bias, float *y,
                                                                 uint8_t *argmax) {
    simd_float tap[VECTORS][TAPS], shift[VECTORS];
#pragma GCC unroll 2
    for (size_t j = 0; j < vectors; j++) {
        shift[j] = bias == NULL ? simd_zero() : load_lanes(bias + (vector + j) * V, lanes_of(plan->k, vector + j));
#pragma GCC unroll 9
        for (size_t i = 0; i < TAPS; i++) tap[j][i] = simd_load(packed + ((vector + j) * TAPS + i) * V);
    }
    for (size_t window = 0; window < plan->windows; window++) {
        const size_t row = window / plan->window_columns, column = window % plan->window_columns;
        simd_float cell[VECTORS][4];
        convolve_window(vectors, framed + 2 * row * plan->columns + 2 * column, plan->columns, tap, cell);
#pragma GCC unroll 2
        for (size_t j = 0; j < vectors; j++) {
            const size_t at = window * plan->k + (vector + j) * V, lanes = lanes_of(plan->k, vector + j);
            simd_int code;
            store_lanes(y + at, lanes, pool_window(cell[j], shift[j], &code));
            if (argmax != NULL) store_codes(argmax + at, lanes, code);
        }
    }
}

void DCNN_SIMD_NAME(dcnn_conv_pool_first_forward)(const dcnn_conv *shape, const float *x, const float *in_scale,
                                                  const float *in_shift, const float *packed, const float *bias,
                                                  float *y, uint8_t *argmax, float *scratch) {
    const conv_pool_plan plan = plan_of(shape);
    for (size_t image = 0; image < (size_t)shape->n; image++) {
        frame_image(shape, &plan, x + image * (size_t)shape->h * (size_t)shape->w, in_scale, in_shift, scratch);
        float *to = y + image * plan.windows * plan.k;
        uint8_t *codes = argmax == NULL ? NULL : argmax + image * plan.windows * plan.k;
        size_t vector = 0;
        for (; vector + VECTORS <= plan.k_vectors; vector += VECTORS) {
            convolve_image(VECTORS, &plan, scratch, vector, packed, bias, to, codes);
        }
        for (; vector < plan.k_vectors; vector++) {
            convolve_image(1, &plan, scratch, vector, packed, bias, to, codes);
        }
    }
}

/* The sums over windows of one vector of output channels: nine taps and the bias. */
typedef struct filter_sums {
    simd_float tap[TAPS], bias;
} filter_sums;

/* Adds dy times the nine pixels under each lane's open cell; `from`: the window's 4x4 pixels. */
static inline void add_window(const float *from, size_t columns, simd_float gradient, simd_int code,
                              filter_sums *sums) {
    gradient = simd_select(simd_equal_int(code, simd_splat_int(DCNN_SHUT)), simd_zero(), gradient);
    sums->bias += gradient;
#if defined(DCNN_ISA_avx512)
    const __m512 upper =
        _mm512_insertf32x4(_mm512_castps128_ps512(_mm_loadu_ps(from)), _mm_loadu_ps(from + columns), 1);
    const __m256 lower = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from + 2 * columns)),
                                              _mm_loadu_ps(from + 3 * columns), 1);
    const __m512 pixels = _mm512_insertf32x8(upper, lower, 1);
    const simd_int origin = (code >> 1) * 4 + (code & 1);
#pragma GCC unroll 9
    for (int tap = 0; tap < TAPS; tap++) {
        const simd_int place = origin + (tap / 3 * 4 + tap % 3);
        sums->tap[tap] += gradient * (simd_float)_mm512_permutexvar_ps((__m512i)place, pixels);
    }
#else
#pragma GCC unroll 4
    for (int32_t cell = 0; cell < 4; cell++) {
        const simd_float part = simd_select(simd_equal_int(code, simd_splat_int(cell)), gradient, simd_zero());
        const float *origin = from + (size_t)(cell / 2) * columns + cell % 2;
#pragma GCC unroll 9
        for (size_t tap = 0; tap < TAPS; tap++) {
            sums->tap[tap] += part * simd_splat(origin[tap / 3 * columns + tap % 3]);
        }
    }
#endif
}

/* Sums of one vector of output channels, `lanes` of them, over one picture; argmax and dy at the picture's first
 * window. */
static void add_image(const conv_pool_plan *plan, const float *framed, size_t lanes, const uint8_t *argmax,
                      const float *dy, filter_sums *kept) {
    filter_sums sums = *kept;
    for (size_t row = 0; row < plan->windows / plan->window_columns; row++) {
        const float *from = framed + 2 * row * plan->columns;
        for (size_t column = 0; column < plan->window_columns; column++, argmax += plan->k, dy += plan->k) {
            prefetch_ahead(dy, AHEAD * plan->k * sizeof *dy);
            prefetch_ahead(argmax, AHEAD * plan->k);
            add_window(from + 2 * column, plan->columns, load_lanes(dy, lanes), load_codes(argmax, lanes), &sums);
        }
    }
    *kept = sums;
}

void DCNN_SIMD_NAME(dcnn_conv_pool_first_filter)(const dcnn_conv *shape, const float *x, const float *in_scale,
                                                 const float *in_shift, const uint8_t *argmax, const float *dy,
                                                 float *dw, float *dbias, float *scratch) {
    const conv_pool_plan plan = plan_of(shape);
    for (size_t image = 0; image < (size_t)shape->n; image++) {
        frame_image(shape, &plan, x + image * (size_t)shape->h * (size_t)shape->w, in_scale, in_shift, scratch);
        for (size_t vector = 0; vector < plan.k_vectors; vector++) {
            const size_t at = vector * V, lanes = lanes_of(plan.k, vector), first = image * plan.windows * plan.k + at;
            filter_sums sums = {.bias = simd_zero()};
            for (size_t tap = 0; tap < TAPS && image > 0; tap++)
                sums.tap[tap] = load_lanes(dw + tap * plan.k + at, lanes);
            if (image > 0) sums.bias = load_lanes(dbias + at, lanes);
            add_image(&plan, scratch, lanes, argmax + first, dy + first, &sums);
            for (size_t tap = 0; tap < TAPS; tap++) store_lanes(dw + tap * plan.k + at, lanes, sums.tap[tap]);
            store_lanes(dbias + at, lanes, sums.bias);
        }
    }
}
