/* SPDX-License-Identifier: BSD-3-Clause */
/* product_bf16_amx.c — bf16 products by AMX: tiles of 16 rows by 64 bytes, sums in fp32. */
#include "kernels/bf16.h"

#include <cpuid.h>
#include <immintrin.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Palette 1, all tiles of 16 rows by 64 bytes (Intel SDM 1, 18.3). Static, because gcc 12 believes that LDTILECFG reads
 * 8 bytes only, and leaves out what is stored in the others. */
static const struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} config = {.palette = 1, .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};

static pthread_once_t asked = PTHREAD_ONCE_INIT;
static bool permitted;

/* Tiles are 8 KiB of a thread's state, which Linux saves only for processes that have asked for it (since 5.16). */
static void ask(void) {
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return;
    const unsigned tile = 1u << 24, bf16 = 1u << 22;
    if ((d & tile) == 0 || (d & bf16) == 0) return;
    permitted = syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

bool dcnn_amx_permitted(void) {
    pthread_once(&asked, ask);
    return permitted;
}

/* A thread's tiles stay configured once they are. */
static void configure(void) {
    static _Thread_local bool configured;
    if (configured) return;
    _tile_loadconfig(&config);
    configured = true;
}

enum { TILE_BYTES = 64 };

/* Tiles 0 to 3 are sums, 4 and 5 of the left operand, 6 and 7 of the right. */
#define DCNN_START(tile, i, j)                                                                                         \
    do {                                                                                                               \
        if (p->add)                                                                                                    \
            _tile_loadd(tile, p->out + (i)*BF16_TILE * p->out_row + (j)*BF16_TILE, p->out_row * sizeof(float));        \
        else                                                                                                           \
            _tile_zero(tile);                                                                                          \
    } while (0)
#define DCNN_STORE(tile, i, j)                                                                                         \
    _tile_stored(tile, p->out + (i)*BF16_TILE * p->out_row + (j)*BF16_TILE, p->out_row * sizeof(float))

static void multiply_2x2(const dcnn_product_bf16 *p) {
    const size_t row = p->left_row * sizeof(uint16_t), below = BF16_TILE * p->left_row;
    DCNN_START(0, 0, 0);
    DCNN_START(1, 0, 1);
    DCNN_START(2, 1, 0);
    DCNN_START(3, 1, 1);
    for (size_t chunk = 0; chunk < p->chunks; chunk++) {
        const uint16_t *right = bf16_right(p, chunk);
        const uint16_t *left = p->left + p->left_at[chunk];
        _tile_loadd(6, right, TILE_BYTES);
        _tile_loadd(4, left, row);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(7, right + p->right_tile, TILE_BYTES);
        _tile_dpbf16ps(1, 4, 7);
        _tile_loadd(5, left + below, row);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    DCNN_STORE(0, 0, 0);
    DCNN_STORE(1, 0, 1);
    DCNN_STORE(2, 1, 0);
    DCNN_STORE(3, 1, 1);
}

static void multiply_2x1(const dcnn_product_bf16 *p) {
    const size_t row = p->left_row * sizeof(uint16_t), below = BF16_TILE * p->left_row;
    DCNN_START(0, 0, 0);
    DCNN_START(2, 1, 0);
    for (size_t chunk = 0; chunk < p->chunks; chunk++) {
        const uint16_t *right = bf16_right(p, chunk);
        const uint16_t *left = p->left + p->left_at[chunk];
        _tile_loadd(6, right, TILE_BYTES);
        _tile_loadd(4, left, row);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(5, left + below, row);
        _tile_dpbf16ps(2, 5, 6);
    }
    DCNN_STORE(0, 0, 0);
    DCNN_STORE(2, 1, 0);
}

static void multiply_1x2(const dcnn_product_bf16 *p) {
    const size_t row = p->left_row * sizeof(uint16_t);
    DCNN_START(0, 0, 0);
    DCNN_START(1, 0, 1);
    for (size_t chunk = 0; chunk < p->chunks; chunk++) {
        const uint16_t *right = bf16_right(p, chunk);
        _tile_loadd(4, p->left + p->left_at[chunk], row);
        _tile_loadd(6, right, TILE_BYTES);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(7, right + p->right_tile, TILE_BYTES);
        _tile_dpbf16ps(1, 4, 7);
    }
    DCNN_STORE(0, 0, 0);
    DCNN_STORE(1, 0, 1);
}

static void multiply_1x1(const dcnn_product_bf16 *p) {
    const size_t row = p->left_row * sizeof(uint16_t);
    DCNN_START(0, 0, 0);
    for (size_t chunk = 0; chunk < p->chunks; chunk++) {
        const uint16_t *right = bf16_right(p, chunk);
        _tile_loadd(4, p->left + p->left_at[chunk], row);
        _tile_loadd(6, right, TILE_BYTES);
        _tile_dpbf16ps(0, 4, 6);
    }
    DCNN_STORE(0, 0, 0);
}

void dcnn_product_bf16_amx(size_t row_tiles, size_t column_tiles, const dcnn_product_bf16 *p) {
    configure();
    if (row_tiles == 2)
        column_tiles == 2 ? multiply_2x2(p) : multiply_2x1(p);
    else
        column_tiles == 2 ? multiply_1x2(p) : multiply_1x1(p);
}
