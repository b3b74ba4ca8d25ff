/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * train_digits.c — trains a small network on MNIST's IDX files with libdcnn, and saves it.
 *
 *   cc train_digits.c -o train_digits $(pkg-config --cflags --libs dcnn)
 *   ./train_digits train-images-idx3-ubyte train-labels-idx1-ubyte digits.h5
 *
 * The files must be unpacked (gunzip). A tenth of the images is kept for the test.
 */
#include <dcnn.h>
#include <stdio.h>
#include <stdlib.h>

static const char net[] =
    "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"digits\", \"layers\": ["
    "{\"class_name\": \"Conv2D\", \"config\": {\"filters\": 16, \"kernel_size\": 3, \"activation\": \"relu\"}},"
    "{\"class_name\": \"MaxPooling2D\", \"config\": {}},"
    "{\"class_name\": \"Flatten\", \"config\": {}},"
    "{\"class_name\": \"Dense\", \"config\": {\"units\": 10, \"activation\": \"softmax\"}}]}}";

/* The bytes behind a file's header of `head` bytes. */
static uint8_t *read_bytes(const char *path, long head, long *length) {
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;
    if (file && fseek(file, 0, SEEK_END) == 0 && (*length = ftell(file) - head) > 0 && fseek(file, head, SEEK_SET) == 0)
        bytes = malloc((size_t)*length);
    if (bytes == NULL || fread(bytes, 1, (size_t)*length, file) != (size_t)*length) exit((perror(path), 3));
    fclose(file);
    return bytes;
}

static void check(dcnn_status status) {
    if (status == DCNN_OK) return;
    fprintf(stderr, "train_digits: %s\n", dcnn_error());
    exit((int)status);
}

int main(int argc, char **argv) {
    enum { SIDE = 28, PIXELS = SIDE * SIDE, BATCH = 128, EPOCHS = 3 };
    if (argc != 4) return fprintf(stderr, "usage: train_digits IMAGES LABELS MODEL.h5\n"), 2;
    long length, count;
    uint8_t *images = read_bytes(argv[1], 16, &length), *classes = read_bytes(argv[2], 8, &count);
    int32_t *labels = malloc((size_t)count * sizeof *labels);
    if (labels == NULL || length != count * PIXELS) return fprintf(stderr, "these files do not belong together\n"), 3;
    for (long i = 0; i < count; i++) labels[i] = classes[i];

    dcnn_model *model;
    dcnn_training *training;
    const int shape[3] = {SIDE, SIDE, 1};
    const double mean = 0.13, std = 0.31;
    check(dcnn_model_create(net, shape, 42, &model));
    check(dcnn_model_set_inputs(model, &mean, &std));
    check(dcnn_training_create(model, NULL, &training));
    const long train = count - count / 10;
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        for (long at = 0; at + BATCH <= train; at += BATCH) {
            const dcnn_batch batch = {.count = BATCH, .images = images + at * PIXELS, .labels = labels + at};
            check(dcnn_training_step(training, &batch, 1e-3, NULL));
        }
        const dcnn_batch test = {.count = count - train, .images = images + train * PIXELS, .labels = labels + train};
        dcnn_score score;
        check(dcnn_training_evaluate(training, &test, &score));
        printf("epoch %d: %lld of %lld right, loss %.4f\n", epoch + 1, (long long)score.correct, (long long)score.count,
               score.loss);
    }
    check(dcnn_training_free(training));
    check(dcnn_model_save(model, argv[3]));
    dcnn_model_free(model);
    free(images);
    free(classes);
    free(labels);
    return 0;
}
