/* SPDX-License-Identifier: BSD-3-Clause */
/* augment_random.c — RandAugment's list (Cubuk et al., "RandAugment: practical automated data augmentation", 2020): a
 * few of its changes, drawn anew for each sample, all of one strength. Ranges are torchvision's. */
#include <math.h>
#include <string.h>

#include "run/data/augment_private.h"

static const double pi = 3.14159265358979323846;

enum { MOST_MAGNITUDE = 30, NUMBERS_A_CHANGE = 2 };

/* --- changes of bytes --------------------------------------------------------------------------------------------- */

static void look_up(int h, int w, int c, int channel, const uint8_t table[256], uint8_t *pixels) {
    const size_t values = (size_t)h * (size_t)w * (size_t)c;
    for (size_t i = (size_t)channel; i < values; i += (size_t)c) pixels[i] = table[pixels[i]];
}

static void count_values(int h, int w, int c, int channel, const uint8_t *pixels, int64_t counts[256]) {
    const size_t values = (size_t)h * (size_t)w * (size_t)c;
    memset(counts, 0, 256 * sizeof *counts);
    for (size_t i = (size_t)channel; i < values; i += (size_t)c) counts[pixels[i]]++;
}

/* Each channel stretched to 0..255. */
static void autocontrast(int h, int w, int c, double strength, uint8_t *pixels, uint8_t *spare) {
    (void)strength;
    (void)spare;
    for (int channel = 0; channel < c; channel++) {
        int64_t counts[256];
        uint8_t table[256];
        int low = 0, high = 255;
        count_values(h, w, c, channel, pixels, counts);
        while (low < 255 && counts[low] == 0) low++;
        while (high > 0 && counts[high] == 0) high--;
        for (int i = 0; high > low && i < 256; i++)
            table[i] = (uint8_t)(i <= low ? 0 : i >= high ? 255 : (255 * (i - low) + (high - low) / 2) / (high - low));
        if (high > low) look_up(h, w, c, channel, table, pixels);
    }
}

/* Each channel's histogram made flat: a value becomes the part of the pixels up to it, the least 0. (PIL divides by
 * whole numbers, and so leaves images of fewer than 255 pixels alone.) */
static void equalize(int h, int w, int c, double strength, uint8_t *pixels, uint8_t *spare) {
    (void)strength;
    (void)spare;
    for (int channel = 0; channel < c; channel++) {
        int64_t counts[256], up_to = 0;
        uint8_t table[256];
        int low = 0;
        count_values(h, w, c, channel, pixels, counts);
        while (low < 255 && counts[low] == 0) low++;
        const int64_t others = (int64_t)h * w - counts[low];
        for (int i = 0; others > 0 && i < 256; i++) {
            if (i > low) up_to += counts[i];
            table[i] = (uint8_t)((255 * up_to + others / 2) / others);
        }
        if (others > 0) look_up(h, w, c, channel, table, pixels);
    }
}

/* Values from a threshold on, which falls from 256 to 0, are turned over. */
static void solarize(int h, int w, int c, double strength, uint8_t *pixels, uint8_t *spare) {
    const size_t values = (size_t)h * (size_t)w * (size_t)c;
    const double threshold = 256 * (1 - strength);
    (void)spare;
    for (size_t i = 0; i < values; i++)
        if (pixels[i] >= threshold) pixels[i] = (uint8_t)(255 - pixels[i]);
}

/* Only the highest bits are kept: from 8 down to 4. */
static void posterize(int h, int w, int c, double strength, uint8_t *pixels, uint8_t *spare) {
    const size_t values = (size_t)h * (size_t)w * (size_t)c;
    const unsigned gone = (unsigned)floor(4 * strength + 0.5);
    (void)spare;
    for (size_t i = 0; i < values; i++) pixels[i] = (uint8_t)(pixels[i] >> gone << gone);
}

/* Away from (strength > 0) or towards the image smoothed by [1 1 1; 1 5 1; 1 1 1] / 13, as PIL has it; the edge
 * stays. */
static void sharpen(int h, int w, int c, double strength, uint8_t *pixels, uint8_t *spare) {
    const ptrdiff_t row = (ptrdiff_t)w * c;
    memcpy(spare, pixels, (size_t)h * (size_t)row);
    for (ptrdiff_t i = 1; i < h - 1; i++)
        for (ptrdiff_t j = c; j < row - c; j++) {
            const uint8_t *at = spare + i * row + j;
            int sum = 4 * at[0];
            for (ptrdiff_t down = -row; down <= row; down += row)
                for (ptrdiff_t along = -c; along <= c; along += c) sum += at[down + along];
            const double value = at[0] + strength * (at[0] - sum / 13.0);
            pixels[i * row + j] = (uint8_t)floor(fmin(255, fmax(0, value)) + 0.5);
        }
}

static void add_bytes(dcnn_change *change,
                      void (*apply)(int h, int w, int c, double strength, uint8_t *pixels, uint8_t *spare),
                      double strength) {
    if (change->byte_change_count < DCNN_MOST_BYTE_CHANGES)
        change->byte_changes[change->byte_change_count++] = (dcnn_byte_change){apply, strength};
}

/* --- the list ----------------------------------------------------------------------------------------------------- */

typedef void random_change(dcnn_change *change, double strength);

static void add_identity(dcnn_change *change, double strength) {
    (void)change;
    (void)strength;
}

static void add_autocontrast(dcnn_change *change, double strength) {
    add_bytes(change, autocontrast, strength);
}

static void add_equalize(dcnn_change *change, double strength) {
    add_bytes(change, equalize, strength);
}

static void add_solarize(dcnn_change *change, double strength) {
    add_bytes(change, solarize, strength);
}

static void add_posterize(dcnn_change *change, double strength) {
    add_bytes(change, posterize, strength);
}

static void add_sharpness(dcnn_change *change, double strength) {
    add_bytes(change, sharpen, strength);
}

static void add_rotation(dcnn_change *change, double degrees) {
    const double angle = degrees * pi / 180;
    dcnn_change_turn(change, (const double[4]){cos(angle), -sin(angle), sin(angle), cos(angle)}, 0, 0);
}

static void add_shear_x(dcnn_change *change, double strength) {
    dcnn_change_turn(change, (const double[4]){1, 0, strength, 1}, 0, 0);
}

static void add_shear_y(dcnn_change *change, double strength) {
    dcnn_change_turn(change, (const double[4]){1, strength, 0, 1}, 0, 0);
}

static void add_shift_x(dcnn_change *change, double strength) {
    dcnn_change_turn(change, (const double[4]){1, 0, 0, 1}, 0, floor(strength * change->w + 0.5));
}

static void add_shift_y(dcnn_change *change, double strength) {
    dcnn_change_turn(change, (const double[4]){1, 0, 0, 1}, floor(strength * change->h + 0.5), 0);
}

static void add_brightness(dcnn_change *change, double strength) {
    dcnn_change_brightness(change, 1 + strength);
}

static void add_contrast(dcnn_change *change, double strength) {
    dcnn_change_contrast(change, 1 + strength);
}

static void add_colour(dcnn_change *change, double strength) {
    dcnn_change_saturation(change, 1 + strength);
}

/* Strength at the highest magnitude, 30; either way, or not. */
static const struct {
    random_change *add;
    double most;
    bool either;
} list[] = {
    {add_identity, 0, false},    {add_autocontrast, 0, false}, {add_equalize, 0, false},  {add_rotation, 30, true},
    {add_solarize, 1, false},    {add_colour, 0.9, true},      {add_posterize, 1, false}, {add_contrast, 0.9, true},
    {add_brightness, 0.9, true}, {add_sharpness, 0.9, true},   {add_shear_x, 0.3, true},  {add_shear_y, 0.3, true},
    {add_shift_x, 0.453, true},  {add_shift_y, 0.453, true},
};
enum { LISTED = sizeof list / sizeof list[0] };

void dcnn_change_at_random(dcnn_change *change, int64_t count, double magnitude) {
    for (uint32_t i = 0; i < (uint32_t)count; i++) {
        const int chosen = (int)dcnn_change_draw(change, NUMBERS_A_CHANGE * i, 0, LISTED);
        const double side = dcnn_change_draw(change, NUMBERS_A_CHANGE * i + 1, -1, 1);
        const double strength = list[chosen].most * magnitude / MOST_MAGNITUDE;
        list[chosen].add(change, list[chosen].either && side < 0 ? -strength : strength);
    }
}
