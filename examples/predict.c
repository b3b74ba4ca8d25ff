/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * predict.c — what a model makes of raw images: files of height x width x channels bytes each.
 *
 *   cc predict.c -o predict $(pkg-config --cflags --libs dcnn)
 *   ./predict best.h5 PICTURE.raw...
 */
#include <dcnn.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    dcnn_model *model;
    int shape[3], classes;
    if (argc < 3) return fprintf(stderr, "usage: predict MODEL.h5 PICTURE.raw...\n"), 2;
    if (dcnn_model_load(argv[1], &model) != DCNN_OK) return fprintf(stderr, "predict: %s\n", dcnn_error()), 3;
    dcnn_model_shape(model, shape, &classes);
    const size_t bytes = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
    uint8_t *pixels = malloc(bytes);
    float *probabilities = malloc((size_t)classes * sizeof *probabilities);
    for (int i = 2; i < argc && pixels && probabilities; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (file == NULL || fread(pixels, 1, bytes, file) != bytes)
            return fprintf(stderr, "predict: %s: not %zu bytes\n", argv[i], bytes), 3;
        fclose(file);
        if (dcnn_model_predict(model, 1, pixels, probabilities) != DCNN_OK)
            return fprintf(stderr, "predict: %s\n", dcnn_error()), 3;
        int best = 0;
        for (int j = 1; j < classes; j++)
            if (probabilities[j] > probabilities[best]) best = j;
        const char *name = dcnn_model_class(model, best);
        printf("%s: class %d, %s (%.1f %%)\n", argv[i], best, name ? name : "which has no name",
               100.0 * (double)probabilities[best]);
    }
    free(pixels);
    free(probabilities);
    dcnn_model_free(model);
    return 0;
}
