/* SPDX-License-Identifier: BSD-3-Clause */
/* formats_amx.c — bf16 and fp16 by AMX: tiles of 16 rows by 64 bytes, sums in fp32. */
#include "formats/formats_private.h"

#if defined(__AMX_TILE__) && defined(__AMX_BF16__)
#include <immintrin.h>

enum { ROWS = 32, COLUMNS = 32, STEPS = 32 }; /* four tiles of sums, two of each operand: all eight */

/* Palette 1, all tiles of 16 rows by 64 bytes (Intel SDM 1, 18.3). Static, because gcc 12 believes that LDTILECFG reads
 * 8 bytes only, and leaves out what is stored in the others. */
static const struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} config = {.palette = 1, .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};

static void configure_tiles(void) {
    _tile_loadconfig(&config);
}

static void release_tiles(void) {
    _tile_release();
}

/* The compilers' own intrinsics are such statements too; those of fp16 are newer than this project's compilers. */
#define DCNN_TILE_FP16(to, left, right) __asm__ volatile("tdpfp16ps %%tmm" #right ", %%tmm" #left ", %%tmm" #to ::)

/* ROWS x COLUMNS sums: tiles 0 to 3; tiles 4 and 5 are of left, 6 and 7 of right. `dot` multiplies. */
#define DCNN_TILES(dot)                                                                                                \
    do {                                                                                                               \
        _tile_zero(0);                                                                                                 \
        _tile_zero(1);                                                                                                 \
        _tile_zero(2);                                                                                                 \
        _tile_zero(3);                                                                                                 \
        for (size_t term = dcnn_format_term_count(parts); term-- > 0;) {                                               \
            const uint16_t *a = left + dcnn_format_terms[term][0] * DCNN_FORMAT_ROWS * depth;                          \
            const uint16_t *b = right + dcnn_format_terms[term][1] * depth * columns;                                  \
            for (size_t step = 0; step < depth; step += STEPS) {                                                       \
                _tile_loadd(4, a + step, 2 * depth);                                                                   \
                _tile_loadd(6, b + step * 16, 64);                                                                     \
                _tile_loadd(5, a + 16 * depth + step, 2 * depth);                                                      \
                _tile_loadd(7, b + 16 * depth + step * 16, 64);                                                        \
                dot(0, 4, 6);                                                                                          \
                dot(1, 4, 7);                                                                                          \
                dot(2, 5, 6);                                                                                          \
                dot(3, 5, 7);                                                                                          \
            }                                                                                                          \
        }                                                                                                              \
        _tile_stored(0, out, 4 * columns);                                                                             \
        _tile_stored(1, out + 16, 4 * columns);                                                                        \
        _tile_stored(2, out + 16 * columns, 4 * columns);                                                              \
        _tile_stored(3, out + 16 * columns + 16, 4 * columns);                                                         \
    } while (0)

static void multiply_bf16(size_t parts, size_t depth, size_t columns, const uint16_t *left, const uint16_t *right,
                          float *out) {
    DCNN_TILES(_tile_dpbf16ps);
}

#if defined(DCNN_AMX_FP16)
static void multiply_fp16(size_t parts, size_t depth, size_t columns, const uint16_t *left, const uint16_t *right,
                          float *out) {
    DCNN_TILES(DCNN_TILE_FP16);
}

static uint16_t round_to_fp16(float value) {
    return _cvtss_sh(value, _MM_FROUND_TO_NEAREST_INT);
}

static float widen_fp16(uint16_t half) {
    return _cvtsh_ss(half);
}

static const dcnn_format_rounding rounding_fp16 = {round_to_fp16, widen_fp16};
#endif

#define DCNN_PARTS(format, rounding, number)                                                                           \
    static void pack_##format##_##number(size_t depth, size_t columns, const float *left, const float *right,          \
                                         void *packed_left, void *packed_right) {                                      \
        dcnn_format_pack_pairs(&(rounding), number, depth, columns, left, right, packed_left, packed_right);           \
    }                                                                                                                  \
    static void multiply_##format##_##number(size_t depth, size_t columns, const void *packed_left,                    \
                                             const void *packed_right, float *out) {                                   \
        const uint16_t *left = packed_left, *right = packed_right;                                                     \
        for (size_t j = 0; j < columns; j += COLUMNS)                                                                  \
            for (size_t i = 0; i < DCNN_FORMAT_ROWS; i += ROWS)                                                        \
                multiply_##format(number, depth, columns, left + i * depth, right + j * depth, out + i * columns + j); \
    }
DCNN_PARTS(bf16, dcnn_format_bf16, 1)
DCNN_PARTS(bf16, dcnn_format_bf16, 2)
DCNN_PARTS(bf16, dcnn_format_bf16, 3)
#if defined(DCNN_AMX_FP16)
DCNN_PARTS(fp16, rounding_fp16, 1)
DCNN_PARTS(fp16, rounding_fp16, 2)
#endif
#undef DCNN_PARTS

const dcnn_format *dcnn_formats_amx(int *count) {
    static const dcnn_format formats[] = {
        {"AMX bf16", 3e-3, pack_bf16_1, multiply_bf16_1, configure_tiles, release_tiles},
        {"AMX bf16 in 2 parts", 6e-6, pack_bf16_2, multiply_bf16_2, configure_tiles, release_tiles},
        {"AMX bf16 in 3 parts", 6e-7, pack_bf16_3, multiply_bf16_3, configure_tiles, release_tiles}};
    *count = sizeof formats / sizeof *formats;
    return formats;
}

#else

const dcnn_format *dcnn_formats_amx(int *count) {
    *count = 0;
    return NULL;
}

#endif

#if defined(DCNN_AMX_FP16)
const dcnn_format *dcnn_formats_amx_fp16(int *count) {
    static const dcnn_format formats[] = {
        {"AMX fp16", 4e-4, pack_fp16_1, multiply_fp16_1, configure_tiles, release_tiles},
        {"AMX fp16 in 2 parts", 6e-7, pack_fp16_2, multiply_fp16_2, configure_tiles, release_tiles}};
    *count = sizeof formats / sizeof *formats;
    return formats;
}
#else
const dcnn_format *dcnn_formats_amx_fp16(int *count) {
    *count = 0;
    return NULL;
}
#endif
