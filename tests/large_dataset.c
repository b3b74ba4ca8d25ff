/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * large_dataset.c — a data set of made-up images of any size, for tools/test-stream: large_dataset FILE COUNT H W C
 *
 * Ten classes: a pattern of the class under noise that is the image's own, so that a net learns them slowly. One in
 * 50 images is for validation. The same arguments give the same bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "io/dataset/dataset_writer.h"

enum { CLASSES = 10, NOISE = 1 << 22, HELD_BACK = 50 };

static uint8_t *noise, *patterns; /* [NOISE]; [CLASSES][image] */

static dcnn_status make_tables(size_t image) {
    noise = malloc(NOISE + image);
    patterns = malloc(CLASSES * image);
    if (!noise || !patterns) return DCNN_FAIL(DCNN_FAILURE, "out of memory");
    for (size_t i = 0; i < NOISE + image; i++)
        noise[i] = (uint8_t)dcnn_random(1, DCNN_RANDOM_NOISE, 0, (int64_t)i, 0).word[0];
    for (size_t i = 0; i < CLASSES * image; i++)
        patterns[i] = (uint8_t)dcnn_random(2, DCNN_RANDOM_NOISE, 1, (int64_t)i / 7, 0).word[0];
    return DCNN_OK;
}

static void draw(int64_t row, int32_t label, size_t image, uint8_t *pixels) {
    const uint8_t *own = noise + dcnn_random(3, DCNN_RANDOM_NOISE, 2, row, 0).word[0] % NOISE;
    const uint8_t *pattern = patterns + (size_t)label * image;
    for (size_t i = 0; i < image; i++) pixels[i] = (uint8_t)(own[i] / 2 + own[i] / 4 + pattern[i] / 4);
}

static dcnn_status append(dcnn_dataset_writer *writer, int64_t count, size_t image) {
    uint8_t *pixels = malloc(image);
    dcnn_status status = pixels ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory");
    for (int64_t row = 0; row < count && status == DCNN_OK; row++) {
        const int32_t label = (int32_t)(dcnn_random(4, DCNN_RANDOM_NOISE, 3, row, 0).word[0] % CLASSES);
        draw(row, label, image, pixels);
        status = dcnn_dataset_writer_append(writer, &(dcnn_samples_in){1, pixels, &label, NULL, NULL});
    }
    free(pixels);
    return status;
}

static dcnn_status finish(dcnn_dataset_writer *writer, int64_t count) {
    dcnn_split splits[2] = {{.name = "train"}, {.name = "validation"}};
    for (int i = 0; i < 2; i++) splits[i].rows = calloc((size_t)count, sizeof(int64_t));
    if (!splits[0].rows || !splits[1].rows) return DCNN_FAIL(DCNN_FAILURE, "out of memory");
    for (int64_t row = 0; row < count; row++) {
        dcnn_split *split = &splits[row % HELD_BACK == 0];
        split->rows[split->count++] = row;
    }
    dcnn_status status = dcnn_dataset_writer_finish(
        writer,
        &(dcnn_dataset_about){.class_count = CLASSES, .split_count = 2, .splits = splits, .source = "large_dataset"});
    for (int i = 0; i < 2; i++) free(splits[i].rows);
    return status;
}

int main(int argc, char **argv) {
    if (argc != 6) {
        fprintf(stderr, "large_dataset FILE COUNT HEIGHT WIDTH CHANNELS\n");
        return 2;
    }
    const int64_t count = atoll(argv[2]);
    const int h = atoi(argv[3]), w = atoi(argv[4]), c = atoi(argv[5]);
    const size_t image = (size_t)h * (size_t)w * (size_t)c;
    dcnn_dataset_writer *writer = NULL;
    dcnn_status status = dcnn_dataset_writer_open(argv[1], h, w, c, 0, &writer);
    if (status == DCNN_OK) status = make_tables(image);
    if (status == DCNN_OK) status = append(writer, count, image);
    if (status == DCNN_OK) {
        status = finish(writer, count);
        writer = NULL;
    }
    dcnn_dataset_writer_abandon(writer);
    free(noise);
    free(patterns);
    if (status != DCNN_OK) fprintf(stderr, "%s\n", dcnn_error());
    return status == DCNN_OK ? 0 : 1;
}
