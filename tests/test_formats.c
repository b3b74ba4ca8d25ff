/* SPDX-License-Identifier: BSD-3-Clause */
/* test_formats.c — the products of every number format of this machine against sums in double. */
#include "testing.h"

#include "formats/formats.h"

static float *normals(size_t count, uint32_t stream) {
    float *values = test_floats(count);
    for (size_t i = 0; i < count; i++) {
        const dcnn_random_bits bits = dcnn_random(test_seed(), DCNN_RANDOM_NOISE, stream, (int64_t)i, 0);
        values[i] = (float)dcnn_random_normal(bits.word[0], bits.word[1]);
    }
    return values;
}

static void check_product(const dcnn_format *format, size_t depth, size_t columns) {
    const size_t count = DCNN_FORMAT_ROWS * columns;
    const float *left = normals(DCNN_FORMAT_ROWS * depth, 1), *right = normals(depth * columns, 2);
    float *out = test_floats(count);
    void *packed_left = test_floats(DCNN_FORMAT_ROWS * depth * DCNN_FORMAT_BYTES / sizeof(float));
    void *packed_right = test_floats(depth * columns * DCNN_FORMAT_BYTES / sizeof(float));
    format->pack(depth, columns, left, right, packed_left, packed_right);
    if (format->begin != NULL) format->begin();
    format->multiply(depth, columns, packed_left, packed_right, out);
    if (format->end != NULL) format->end();
    double errors = 0, squares = 0, largest = 0;
    for (size_t i = 0; i < count; i++) {
        double sum = 0;
        for (size_t step = 0; step < depth; step++)
            sum += (double)left[i / columns * depth + step] * right[step * columns + i % columns];
        const double error = fabs(out[i] - sum);
        errors += error * error;
        squares += sum * sum;
        largest = error <= largest ? largest : error; /* a NaN stays */
    }
    const double error = sqrt(errors / squares), worst = largest / sqrt(squares / (double)count);
    if (!(error <= format->error && worst <= 12 * format->error))
        fail_msg("%s, depth %zu: errors %g in the mean, %g at most, bound %g", format->name, depth, error, worst,
                 format->error);
    if (!(error >= format->error / 100))
        fail_msg("%s: error %g, bound %g says little", format->name, error, format->error);
    test_release();
}

static void test_products(void **state) {
    (void)state;
    const dcnn_format *formats[DCNN_FORMATS_MOST];
    const int count = dcnn_formats_find(formats);
    assert_in_range(count, 0, DCNN_FORMATS_MOST);
    for (int i = 0; i < count; i++) {
        print_message("  %s\n", formats[i]->name);
        check_product(formats[i], DCNN_FORMAT_DEPTH, DCNN_FORMAT_COLUMNS);
        check_product(formats[i], 96, 192);
        check_product(formats[i], 256, 128);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_products)};
    return cmocka_run_group_tests_name("formats", tests, NULL, NULL);
}
