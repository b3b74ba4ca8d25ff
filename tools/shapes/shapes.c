/* SPDX-License-Identifier: BSD-3-Clause */
/* shapes.c — colour JPEGs of shapes in class folders, for tools/make_shapes. The shape alone tells the class: colours
 * of shape and ground, place, size, turn and noise are drawn at random for each image. */
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jpeglib.h>

static const char *const classes[] = {"circle", "square", "triangle", "star", "ring", "cross"};
enum { CLASSES = sizeof classes / sizeof *classes };

static uint64_t state;

/* splitmix64: the same images on every machine. */
static double draw(double low, double high) {
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return low + (high - low) * (double)(z >> 11) * 0x1p-53;
}

/* Is the point of the unit shape's plane inside? All shapes fit the unit circle. */
static int inside(int shape, double x, double y) {
    const double r = hypot(x, y), turn = atan2(y, x), pi = acos(-1);
    switch (shape) {
    case 0:
        return r < 0.85;
    case 1:
        return fabs(x) < 0.72 && fabs(y) < 0.72;
    case 2:
        return r * cos(fmod(turn + 2 * pi, 2 * pi / 3) - pi / 3) < 0.5;
    case 3:
        return r < 0.65 + 0.33 * cos(5 * turn);
    case 4:
        return r < 0.9 && r > 0.55;
    default:
        return (fabs(x) < 0.27 && fabs(y) < 0.9) || (fabs(y) < 0.27 && fabs(x) < 0.9);
    }
}

static void paint(int shape, int side, uint8_t *pixels) {
    enum { FINE = 3 }; /* points a pixel and axis */
    double ground[3], color[3], distance = 0;
    for (int i = 0; i < 3; i++) ground[i] = draw(0, 255);
    while (distance < 110) {
        distance = 0;
        for (int i = 0; i < 3; i++) {
            color[i] = draw(0, 255);
            distance += fabs(color[i] - ground[i]);
        }
    }
    const double size = side * draw(0.28, 0.45), turn = draw(0, 6.2832), c = cos(turn) / size, s = sin(turn) / size;
    const double middle_x = draw(size, side - size), middle_y = draw(size, side - size), noise = draw(2, 18);
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            int hits = 0;
            for (int i = 0; i < FINE * FINE; i++) {
                const double u = x + (i % FINE + 0.5) / FINE - middle_x, v = y + (i / FINE + 0.5) / FINE - middle_y;
                hits += inside(shape, u * c + v * s, v * c - u * s);
            }
            const double share = (double)hits / (FINE * FINE);
            for (int i = 0; i < 3; i++) {
                const double value = share * color[i] + (1 - share) * ground[i] + draw(-noise, noise);
                *pixels++ = (uint8_t)fmin(255, fmax(0, value));
            }
        }
}

static void save(const char *path, int side, uint8_t *pixels) {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    FILE *file = fopen(path, "wb");
    if (!file) {
        fprintf(stderr, "make_shapes: %s: %s\n", path, strerror(errno));
        exit(1);
    }
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = jpeg.image_height = (JDIMENSION)side;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 90, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < jpeg.image_height) {
        uint8_t *line = pixels + (size_t)jpeg.next_scanline * (size_t)side * 3;
        jpeg_write_scanlines(&jpeg, &line, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    if (fclose(file) != 0) {
        fprintf(stderr, "make_shapes: %s: %s\n", path, strerror(errno));
        exit(1);
    }
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : "";
    const int count = argc > 2 ? atoi(argv[2]) : 0, side = argc > 3 ? atoi(argv[3]) : 0;
    state = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
    if (argc != 5 || count < 1 || side < 8 || side > 4096) return 2;
    uint8_t *pixels = malloc((size_t)side * (size_t)side * 3);
    char path[4096];
    if (!pixels) return 1;
    mkdir(folder, 0777);
    for (int i = 0; i < CLASSES; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, classes[i]);
        mkdir(path, 0777);
    }
    for (int i = 0; i < count; i++) {
        paint(i % CLASSES, side, pixels);
        snprintf(path, sizeof path, "%s/%s/%06d.jpg", folder, classes[i % CLASSES], i);
        save(path, side, pixels);
    }
    free(pixels);
    return 0;
}
