/* SPDX-License-Identifier: BSD-3-Clause */
/* loader.c — see loader.h. */
#include "run/loader.h"

#include <string.h>

/* One shared block: pixels, then labels on the next cache line. */
static dcnn_status share(dcnn_comm *comm, dcnn_loader *loader, bool labelled, uint8_t **pixels, int32_t **labels,
                         bool *writer) {
    size_t pixel_bytes = (size_t)loader->count * (size_t)loader->h * (size_t)loader->w * (size_t)loader->c;
    pixel_bytes = (pixel_bytes + 63) / 64 * 64;
    void *block;
    DCNN_TRY(dcnn_comm_share(comm, pixel_bytes + (size_t)loader->count * sizeof **labels + 64, &block, writer));
    *pixels = block;
    *labels = labelled ? (int32_t *)(void *)((char *)block + pixel_bytes) : NULL;
    loader->pixels = *pixels;
    loader->labels = *labels;
    return DCNN_OK;
}

dcnn_status dcnn_loader_open(dcnn_comm *comm, const dcnn_dataset *dataset, dcnn_loader *loader) {
    *loader = (dcnn_loader){.h = dataset->h, .w = dataset->w, .c = dataset->c, .count = dataset->count};
    uint8_t *pixels;
    int32_t *labels;
    bool writer;
    DCNN_TRY(share(comm, loader, true, &pixels, &labels, &writer));
    dcnn_status status = writer ? dcnn_dataset_read(dataset, pixels, labels) : DCNN_OK;
    dcnn_comm_share_done(comm, pixels);
    DCNN_TRY(dcnn_comm_agree(comm, status));
    dcnn_loader_normalise(loader, dataset->mean, dataset->std);
    return DCNN_OK;
}

dcnn_status dcnn_loader_open_images(dcnn_comm *comm, const dcnn_images *images, dcnn_loader *loader) {
    int64_t sizes[5] = {0};
    if (images) {
        const int64_t known[5] = {images->count, images->h, images->w, images->c, images->labels != NULL};
        memcpy(sizes, known, sizeof sizes);
    }
    dcnn_comm_broadcast(comm, sizes, sizeof sizes);
    *loader = (dcnn_loader){.count = sizes[0], .h = (int)sizes[1], .w = (int)sizes[2], .c = (int)sizes[3]};
    uint8_t *pixels;
    int32_t *labels;
    bool writer;
    DCNN_TRY(share(comm, loader, sizes[4] != 0, &pixels, &labels, &writer));
    const size_t pixel_bytes = (size_t)loader->count * (size_t)loader->h * (size_t)loader->w * (size_t)loader->c;
    if (images) {
        memcpy(pixels, images->pixels, pixel_bytes);
        if (labels) memcpy(labels, images->labels, (size_t)loader->count * sizeof *labels);
    }
    dcnn_comm_share_bytes(comm, pixels, pixel_bytes);
    if (labels) dcnn_comm_share_bytes(comm, labels, (size_t)loader->count * sizeof *labels);
    dcnn_comm_share_done(comm, pixels);
    return DCNN_OK;
}

void dcnn_loader_close(dcnn_comm *comm, dcnn_loader *loader) {
    dcnn_comm_unshare(comm, (void *)(uintptr_t)loader->pixels);
    *loader = (dcnn_loader){0};
}

void dcnn_loader_normalise(dcnn_loader *loader, const double *mean, const double *std) {
    for (int c = 0; c < loader->c; c++) {
        const double deviation = std[c] > 0.0 ? std[c] : 1.0;
        loader->scale[c] = (float)(1.0 / (255.0 * deviation));
        loader->shift[c] = (float)(-mean[c] / deviation);
    }
}

void dcnn_loader_fill(const dcnn_loader *loader, const dcnn_kernels *kernels, const dcnn_augment *augment,
                      uint64_t seed, uint32_t epoch, void *scratch, const int64_t *rows, int n, float *x,
                      int32_t *labels) {
    static const float blank[DCNN_MAX_CHANNELS] = {0}; /* the training pictures' mean */
    const dcnn_augment_form form = {loader->h, loader->w, loader->c, loader->scale, loader->shift, blank};
    const size_t pixels = (size_t)loader->h * (size_t)loader->w, values = pixels * (size_t)loader->c;
    for (int i = 0; i < n; i++) {
        const uint8_t *bytes = loader->pixels + (size_t)rows[i] * values;
        float *out = x + (size_t)i * values;
        if (augment) {
            const dcnn_augment_key key = {seed, epoch, rows[i]};
            dcnn_augment_picture(augment, kernels, &key, &form, bytes, scratch, out);
        } else {
            kernels->normalise(pixels, loader->c, bytes, loader->scale, loader->shift, out);
        }
        if (labels) labels[i] = loader->labels[rows[i]];
    }
}
