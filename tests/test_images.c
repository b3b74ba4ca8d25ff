/* SPDX-License-Identifier: BSD-3-Clause */
/* test_images.c — every format of tests/cases/formats gives the same image; sizes, channels, damage, kinds. */
#include "io_helpers.h"

#include <math.h>

#include "io/kind.h"
#include "sources/images/image.h"

#define FORMATS DCNN_SOURCE_DIR "/tests/cases/formats/"

enum { H = 8, W = 16 };

/* The image that they all show: four fields of one colour each, and one white point in the corner. */
static void expected_rgb(int y, int x, uint8_t rgb[3]) {
    static const uint8_t fields[2][2][3] = {{{250, 20, 30}, {20, 240, 40}}, {{30, 40, 230}, {200, 200, 60}}};
    memcpy(rgb, fields[y >= 4][x >= 8], 3);
    if (x == 0 && y == 0) memset(rgb, 255, 3);
}

static void read_image(const char *name, int channels, dcnn_image *p) {
    char path[300];
    snprintf(path, sizeof path, FORMATS "%s", name);
    const dcnn_image_options options = {.channels = channels};
    const dcnn_status status = dcnn_image_read(path, &options, NULL, p);
    if (status != DCNN_OK) fail_msg("%s", dcnn_error());
}

static uint8_t grey_of(const uint8_t *rgb) {
    return (uint8_t)((19595 * rgb[0] + 38470 * rgb[1] + 7471 * rgb[2] + 0x8000) >> 16);
}

/* The largest difference from what is expected, the `margin` outermost points of each field left out. */
static int worst_of(const dcnn_image *p, int margin) {
    int worst = 0;
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            uint8_t rgb[3];
            if (y % 4 < margin || y % 4 >= 4 - margin || x % 8 < margin || x % 8 >= 8 - margin) continue;
            expected_rgb(y, x, rgb);
            const uint8_t grey = grey_of(rgb);
            for (int i = 0; i < (p->c < 3 ? 1 : 3); i++) {
                const int want = p->c < 3 ? grey : rgb[i], is = p->pixels[(y * W + x) * p->c + i];
                if (abs(want - is) > worst) worst = abs(want - is);
            }
        }
    return worst;
}

static void check(const char *name, int channels, int want_channels, int margin, int tolerance) {
    dcnn_image p;
    read_image(name, channels, &p);
    if (p.h != H || p.w != W || p.c != want_channels) fail_msg("%s: %dx%dx%d", name, p.h, p.w, p.c);
    if (worst_of(&p, margin) > tolerance) fail_msg("%s: differs by %d", name, worst_of(&p, margin));
    dcnn_image_free(&p);
}

static void lossless_formats_are_exact(void **state) {
    (void)state;
    static const char *const color[] = {"rgb.png",   "interlaced.png", "rgb.bmp",    "rgb.ppm",
                                        "ascii.ppm", "palette.png",    "palette.bmp"};
    for (size_t i = 0; i < sizeof color / sizeof *color; i++) {
        check(color[i], 0, 3, 0, 0);
        check(color[i], 3, 3, 0, 0);
        check(color[i], 1, 1, 0, 0);
        check(color[i], 4, 4, 0, 0);
    }
    static const char *const grey[] = {"grey.png", "grey16.png", "grey.pgm", "grey.bmp"};
    for (size_t i = 0; i < sizeof grey / sizeof *grey; i++) {
        check(grey[i], 0, 1, 0, 0);
        check(grey[i], 2, 2, 0, 0);
    }
}

/* Where libwebp was there at the build; else the refusal says so. */
static void webp_is_exact(void **state) {
    (void)state;
    static const char *const names[] = {"rgb.webp", "rgba.webp"};
    const dcnn_image_options options = {.channels = 3};
    for (size_t i = 0; i < 2; i++) {
        char path[300];
        dcnn_image p;
        snprintf(path, sizeof path, FORMATS "%s", names[i]);
        if (dcnn_image_read(path, &options, NULL, &p) != DCNN_OK) {
            if (!strstr(dcnn_error(), "built without libwebp")) fail_msg("%s", dcnn_error());
            continue;
        }
        dcnn_image_free(&p);
        if (i == 0) check(names[i], 0, 3, 0, 0);
        if (i == 0) check(names[i], 1, 1, 0, 0);
    }
}

static void bits_are_black_and_white(void **state) {
    (void)state;
    static const char *const bits[] = {"bits.png", "bits.pbm"};
    for (int i = 0; i < 2; i++) {
        dcnn_image p;
        read_image(bits[i], 0, &p);
        assert_int_equal(p.c, 1);
        for (int j = 0; j < H * W; j++) {
            uint8_t rgb[3];
            expected_rgb(j / W, j % W, rgb);
            assert_int_equal(p.pixels[j], grey_of(rgb) > 120 ? 255 : 0);
        }
        dcnn_image_free(&p);
    }
}

static void jpeg_is_near(void **state) {
    (void)state;
    check("colour.jpg", 0, 3, 1, 14);
    check("grey.jpg", 0, 1, 1, 14);
    check("progressive.jpg", 3, 3, 2, 60); /* its colours are stored at half the resolution */
    check("cmyk.jpg", 0, 3, 1, 40);
}

/* libjpeg-turbo's accurate method is the same to the bit everywhere; Pillow, which uses it too, gives this sum. */
static void jpeg_is_the_same_everywhere(void **state) {
    (void)state;
    dcnn_image p;
    read_image("colour.jpg", 3, &p);
    int64_t sum = 0;
    for (int i = 0; i < H * W * 3; i++) sum += p.pixels[i];
    assert_int_equal(sum, 43914);
    dcnn_image_free(&p);
}

static void exif_turns(void **state) {
    (void)state;
    for (int orientation = 1; orientation <= 8; orientation++) {
        char name[32];
        snprintf(name, sizeof name, "turned_%d.jpg", orientation);
        check(name, 0, 3, 1, 14);
    }
}

/* Upper left transparent, lower right half, the rest opaque. */
static void alpha_is_flattened(void **state) {
    (void)state;
    static const char *const names[] = {"rgba.png", "grey_alpha.png"};
    const uint8_t grounds[2][3] = {{0, 0, 0}, {255, 255, 255}};
    for (int i = 0; i < 2; i++)
        for (int ground = 0; ground < 2; ground++) {
            char path[300];
            snprintf(path, sizeof path, FORMATS "%s", names[i]);
            dcnn_image_options options = {0};
            memcpy(options.background, grounds[ground], 3);
            dcnn_image_notes notes;
            dcnn_image p;
            assert_int_equal(dcnn_image_read(path, &options, &notes, &p), DCNN_OK);
            assert_int_equal(p.c, i == 0 ? 3 : 1);
            assert_true(notes.had_alpha && !notes.blank_by_alpha);
            uint8_t rgb[3];
            expected_rgb(5, 9, rgb);
            const int want = i == 0 ? rgb[0] : grey_of(rgb), under = grounds[ground][0];
            assert_int_equal(p.pixels[0], under);
            assert_int_equal(p.pixels[(5 * W + 9) * p.c], (want * 128 + under * 127 + 127) / 255);
            expected_rgb(1, 9, rgb);
            assert_int_equal(p.pixels[(W + 9) * p.c], i == 0 ? rgb[0] : grey_of(rgb));
            dcnn_image_free(&p);
        }
    dcnn_image p;
    read_image("rgba.png", 4, &p);
    assert_int_equal(p.pixels[3], 0);
    assert_int_equal(worst_of(&p, 0), 0);
    dcnn_image_free(&p);
    read_image("palette_transparent.png", 4, &p);
    assert_int_equal(p.pixels[15 * 4 + 3], 0);
    assert_int_equal(p.pixels[3], 255);
    dcnn_image_free(&p);
}

/* A black drawing on nothing: on black there is nothing left to see. */
static void blank_by_alpha_is_noticed(void **state) {
    (void)state;
    dcnn_image_notes notes;
    dcnn_image p;
    assert_int_equal(dcnn_image_read(DCNN_SOURCE_DIR "/tests/cases/formats/ink_in_alpha.png", NULL, &notes, &p),
                     DCNN_OK);
    assert_true(notes.had_alpha && notes.blank_by_alpha);
    dcnn_image_free(&p);
}

static dcnn_image made(int h, int w, int c) {
    dcnn_image p = {.h = h, .w = w, .c = c, .pixels = malloc((size_t)(h * w * c))};
    assert_non_null(p.pixels);
    for (int i = 0; i < h * w * c; i++) p.pixels[i] = (uint8_t)draw_below(256);
    return p;
}

/* Against the definition in floating point: the mean over the area that a pixel of the result covers. */
static void shrinking_is_the_mean_over_the_area(void **state) {
    (void)state;
    for (int round = 0; round < 40; round++) {
        const int h = 2 + (int)draw_below(40), w = 2 + (int)draw_below(40), c = 1 + (int)draw_below(4);
        const int to_h = 1 + (int)draw_below((uint32_t)h - 1), to_w = 1 + (int)draw_below((uint32_t)w - 1);
        dcnn_image p = made(h, w, c);
        uint8_t *to = malloc((size_t)(to_h * to_w * c));
        assert_int_equal(dcnn_image_scale(&p, 0, 0, h, w, to, to_h, to_w, to_w), DCNN_OK);
        for (int y = 0; y < to_h; y++)
            for (int x = 0; x < to_w; x++) {
                const double top = (double)y * h / to_h, bottom = (double)(y + 1) * h / to_h;
                const double left = (double)x * w / to_w, right = (double)(x + 1) * w / to_w;
                double sum = 0;
                for (int v = 0; v < h; v++)
                    for (int u = 0; u < w; u++) {
                        const double dy = fmin(bottom, v + 1) - fmax(top, v), dx = fmin(right, u + 1) - fmax(left, u);
                        if (dy > 0 && dx > 0) sum += dy * dx * p.pixels[(v * w + u) * c];
                    }
                sum /= (bottom - top) * (right - left);
                assert_true(fabs(sum - to[(y * to_w + x) * c]) < 0.53);
            }
        free(to);
        dcnn_image_free(&p);
    }
}

/* Between pixel centres a line is straight; at the edges it stays. */
static void growing_is_linear(void **state) {
    (void)state;
    dcnn_image p = {.h = 1, .w = 2, .c = 1, .pixels = malloc(2)};
    p.pixels[0] = 0;
    p.pixels[1] = 200;
    uint8_t to[8];
    assert_int_equal(dcnn_image_scale(&p, 0, 0, 1, 2, to, 1, 8, 8), DCNN_OK);
    static const uint8_t want[8] = {0, 0, 25, 75, 125, 175, 200, 200};
    assert_memory_equal(to, want, sizeof want);
    dcnn_image_free(&p);
}

static void one_color_stays_one(void **state) {
    (void)state;
    for (int round = 0; round < 60; round++) {
        dcnn_image p = made(1 + (int)draw_below(70), 1 + (int)draw_below(70), 3);
        for (int i = 0; i < p.h * p.w; i++) memcpy(p.pixels + 3 * i, "\xff\x80\x01", 3);
        const int h = 1 + (int)draw_below(70), w = 1 + (int)draw_below(70);
        static const uint8_t ground[3] = {0xff, 0x80, 0x01};
        assert_int_equal(dcnn_image_fit(&p, h, w, (dcnn_fit)draw_below(3), ground), DCNN_OK);
        assert_int_equal(p.h, h);
        assert_int_equal(p.w, w);
        for (int i = 0; i < h * w; i++) assert_memory_equal(p.pixels + 3 * i, ground, 3);
        dcnn_image_free(&p);
    }
}

/* 4 x 8, its left half black and its right half white, becomes 4 x 4. */
static void fits_differ(void **state) {
    (void)state;
    static const uint8_t ground[3] = {9, 9, 9};
    static const uint8_t want[3][4][4] = {{{0, 0, 255, 255}, {0, 0, 255, 255}, {0, 0, 255, 255}, {0, 0, 255, 255}},
                                          {{9, 9, 9, 9}, {0, 0, 255, 255}, {0, 0, 255, 255}, {9, 9, 9, 9}},
                                          {{0, 0, 255, 255}, {0, 0, 255, 255}, {0, 0, 255, 255}, {0, 0, 255, 255}}};
    for (int fit = 0; fit < 3; fit++) {
        dcnn_image p = made(4, 8, 1);
        for (int i = 0; i < 32; i++) p.pixels[i] = i % 8 < 4 ? 0 : 255;
        assert_int_equal(dcnn_image_fit(&p, 4, 4, (dcnn_fit)fit, ground), DCNN_OK);
        assert_memory_equal(p.pixels, want[fit], 16);
        dcnn_image_free(&p);
    }
}

/* Any cut file of any format: refused by name, or (behind its last pixel) read whole; never a crash. */
static void cut_files_are_refused(void **state) {
    (void)state;
    static const char *const names[] = {"rgb.png",     "interlaced.png", "colour.jpg", "progressive.jpg",
                                        "rgb.bmp",     "rgb.ppm",        "grey.pgm",   "bits.pbm",
                                        "palette.bmp", "ascii.ppm",      "cmyk.jpg",   "turned_6.jpg"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[300];
        snprintf(path, sizeof path, FORMATS "%s", names[i]);
        uint8_t *bytes;
        size_t length;
        assert_int_equal(dcnn_file_read(path, &bytes, &length), DCNN_OK);
        for (size_t cut = 1; cut < length; cut += 1 + length / 97) {
            uint8_t *part = malloc(cut); /* its own block, so that a reader behind its end is seen */
            memcpy(part, bytes, cut);
            dcnn_image p;
            const dcnn_status status = dcnn_image_decode("cut", part, cut, NULL, NULL, &p);
            if (status != DCNN_OK) {
                assert_int_equal(status, DCNN_BAD_INPUT);
                assert_true(strncmp(dcnn_error(), "cut: ", 5) == 0);
                assert_null(p.pixels);
            }
            if (cut < length / 2) assert_int_equal(status, DCNN_BAD_INPUT);
            dcnn_image_free(&p);
            free(part);
        }
        for (int round = 0; round < 200; round++) { /* a few bytes changed: anything but a crash */
            uint8_t *part = malloc(length);
            memcpy(part, bytes, length);
            for (int j = 0; j < 3; j++) part[draw_below((uint32_t)length)] = (uint8_t)draw_below(256);
            dcnn_image p;
            (void)dcnn_image_decode("changed", part, length, NULL, NULL, &p);
            dcnn_image_free(&p);
            free(part);
        }
        free(bytes);
    }
}

/* A PNG that says it is of that size, with pixels of one line; @return its bytes */
static size_t make_png(uint32_t h, uint32_t w, uint8_t type, uint8_t depth, uint8_t bytes[256]) {
    static const uint8_t magic[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    uint8_t header[17] = {'I', 'H', 'D', 'R'}, data[128] = {'I', 'D', 'A', 'T'};
    const uint8_t zeros[64] = {0};
    uLongf packed = sizeof data - 4;
    for (int i = 0; i < 4; i++)
        header[4 + i] = (uint8_t)(w >> (24 - 8 * i)), header[8 + i] = (uint8_t)(h >> (24 - 8 * i));
    header[12] = depth;
    header[13] = type;
    assert_int_equal(compress(data + 4, &packed, zeros, sizeof zeros), Z_OK);
    const struct {
        const uint8_t *bytes;
        size_t length;
    } parts[2] = {{header, sizeof header}, {data, packed + 4}};
    size_t used = sizeof magic;
    memcpy(bytes, magic, used);
    for (int i = 0; i < 2; i++) {
        const uint32_t length = (uint32_t)parts[i].length - 4,
                       sum = (uint32_t)crc32(0, parts[i].bytes, (uInt)length + 4);
        for (int k = 0; k < 4; k++) bytes[used + (size_t)k] = (uint8_t)(length >> (24 - 8 * k));
        memcpy(bytes + used + 4, parts[i].bytes, length + 4);
        for (int k = 0; k < 4; k++) bytes[used + 8 + length + (size_t)k] = (uint8_t)(sum >> (24 - 8 * k));
        used += length + 12;
    }
    return used;
}

/* 875 KB of PNG can be 900 MB of pixels (deflate packs 1,032 to 1): such sizes are refused by the header alone. */
static void sizes_without_measure_take_no_memory(void **state) {
    (void)state;
    static const struct {
        uint32_t h, w;
        uint8_t type, depth;
    } sizes[] = {
        {30000, 30000, 0, 8}, {20000, 20000, 6, 16}, {1, 100000, 0, 1}, {0x7fffffff, 1, 2, 8}, {32768, 32768, 3, 8}};
    struct rusage before, after;
    uint8_t bytes[256];
    getrusage(RUSAGE_SELF, &before);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const size_t length = make_png(sizes[i].h, sizes[i].w, sizes[i].type, sizes[i].depth, bytes);
        dcnn_image p;
        assert_fails(dcnn_image_decode("bomb.png", bytes, length, NULL, NULL, &p), DCNN_BAD_INPUT, "bomb.png", "image");
        assert_null(p.pixels);
    }
    getrusage(RUSAGE_SELF, &after);
    assert_true(after.ru_maxrss - before.ru_maxrss < 64 * 1024);
}

/* Kilobytes of addresses that this process had at most. */
static long most_addresses(void) {
    char line[128];
    long most = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmPeak: %ld", &most) == 1) break;
    if (file) fclose(file);
    return most;
}

/* A palette that is suggested, of 1.3 GB, in a file of 41 bytes: what has no part in the pixels is not read. */
static void chunks_that_are_not_wanted_take_no_memory(void **state) {
    (void)state;
    static const uint8_t bytes[] = {0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48,
                                    0x44, 0x52, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x02, 0x02, 0x03, 0x00, 0x00,
                                    0x00, 0x02, 0xc6, 0x95, 0xf0, 0x50, 0x00, 0x00, 0x0c, 0x73, 0x50, 0x4c, 0x54};
    dcnn_image p;
    const long before = most_addresses();
    assert_fails(dcnn_image_decode("palette.png", bytes, sizeof bytes, NULL, NULL, &p), DCNN_BAD_INPUT, "palette.png",
                 "image");
    assert_true(most_addresses() - before < 64 * 1024);
}

static void kinds_are_told(void **state) {
    (void)state;
    static const struct {
        const char *file, *name;
    } rows[] = {{"formats/rgb.png", "a PNG image"},
                {"formats/colour.jpg", "a JPEG image"},
                {"formats/rgb.bmp", "a BMP image"},
                {"formats/rgb.ppm", "a PBM, PGM or PPM image"},
                {"formats/rgb.webp", "a WebP image"},
                {"npz_keras_mnist_names.npz", "a NumPy archive"},
                {"train.csv.zip", "a zip archive"},
                {"csv_tab.csv", "a text table"},
                {"csv_sklearn_digits_first30_noheader_label_last.csv.gz", "a text table"},
                {"h5_lzf.h5", "an HDF5 file"},
                {"idx_test_pair_ignored/test-images-idx3-ubyte.gz", "an IDX file (MNIST's format)"},
                {"idx_other_types/float32-images", "an IDX file (MNIST's format)"},
                {"folder_classes", "a folder"},
                {"nowhere", "not there"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[300];
        snprintf(path, sizeof path, DCNN_SOURCE_DIR "/tests/cases/%s", rows[i].file);
        assert_string_equal(dcnn_kind_name(dcnn_kind_of_file(path)), rows[i].name);
    }
    assert_int_equal(dcnn_kind_fail("x.jpg", DCNN_KIND_JPEG, "a data set"), DCNN_BAD_INPUT);
    assert_non_null(strstr(dcnn_error(), "x.jpg: is a JPEG image, not a data set; `dcnn predict MODEL FILE`"));
    for (int kind = 0; kind < DCNN_KIND_COUNT; kind++) assert_non_null(dcnn_kind_name((dcnn_kind_id)kind));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lossless_formats_are_exact),
        cmocka_unit_test(webp_is_exact),
        cmocka_unit_test(bits_are_black_and_white),
        cmocka_unit_test(jpeg_is_near),
        cmocka_unit_test(jpeg_is_the_same_everywhere),
        cmocka_unit_test(exif_turns),
        cmocka_unit_test(alpha_is_flattened),
        cmocka_unit_test(blank_by_alpha_is_noticed),
        cmocka_unit_test(shrinking_is_the_mean_over_the_area),
        cmocka_unit_test(growing_is_linear),
        cmocka_unit_test(one_color_stays_one),
        cmocka_unit_test(fits_differ),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(sizes_without_measure_take_no_memory),
        cmocka_unit_test(chunks_that_are_not_wanted_take_no_memory),
        cmocka_unit_test(kinds_are_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
