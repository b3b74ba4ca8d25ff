/* SPDX-License-Identifier: BSD-3-Clause */
/* training_data.c — see training_data.h. */
#include "run/training_data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "run/data/class_weights.h"

/* --- opening ------------------------------------------------------------------------------------------------------ */

/* A data set that is not a file: all its images are for training. */
static dcnn_status describe_images(dcnn_dataset *d, const dcnn_images *images, int classes) {
    *d = (dcnn_dataset){.path = strdup("the images in memory"),
                        .count = images->count,
                        .h = images->h,
                        .w = images->w,
                        .c = images->c,
                        .class_count = classes,
                        .has_labels = true,
                        .split_count = 1,
                        .splits = {{.name = "train", .count = images->count}}};
    d->splits[0].rows = calloc((size_t)images->count, sizeof(int64_t));
    if (d->path == NULL || d->splits[0].rows == NULL)
        return DCNN_FAIL(DCNN_FAILURE, "out of memory: rows of %lld images", (long long)images->count);
    for (int64_t row = 0; row < images->count; row++) d->splits[0].rows[row] = row;
    return DCNN_OK;
}

/* Mean and deviation of all bytes / 255, alike for every channel. */
static void measure_images(const dcnn_loader *loader, dcnn_dataset *d) {
    const size_t count = (size_t)loader->count * (size_t)loader->h * (size_t)loader->w * (size_t)loader->c;
    uint64_t sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        sum += loader->pixels[i];
        squares += (uint64_t)loader->pixels[i] * loader->pixels[i];
    }
    const double mean = (double)sum / (double)count, variance = (double)squares / (double)count - mean * mean;
    for (int c = 0; c < loader->c; c++) {
        d->mean[c] = mean / 255.0;
        d->std[c] = sqrt(fmax(variance, 0.0)) / 255.0;
    }
}

dcnn_status dcnn_training_data_open(dcnn_comm *comm, const char *path, const dcnn_images *images, int classes,
                                    dcnn_training_data *d) {
    return images ? dcnn_comm_agree(comm, describe_images(&d->set, images, classes))
                  : dcnn_dataset_open_together(comm, path, &d->set);
}

dcnn_status dcnn_training_data_load(dcnn_comm *comm, int64_t cache_bytes, dcnn_shape shape, const dcnn_images *images,
                                    dcnn_training_data *d) {
    const dcnn_loader_options options = {.cache_bytes = cache_bytes, .shape = shape};
    if (images == NULL) return dcnn_loader_open(comm, &d->set, &options, &d->loader);
    DCNN_TRY(dcnn_loader_open_images(comm, dcnn_comm_rank(comm) == 0 ? images : NULL, &d->loader));
    measure_images(&d->loader, &d->set);
    dcnn_loader_normalise(&d->loader, d->set.mean, d->set.std);
    return DCNN_OK;
}

void dcnn_training_data_close(dcnn_comm *comm, dcnn_training_data *d) {
    dcnn_block_free(d->scratch);
    free(d->class_first);
    free(d->class_weights);
    dcnn_loader_close(comm, &d->loader);
    dcnn_dataset_free(&d->set);
}

/* --- unbalanced classes ------------------------------------------------------------------------------------------- */

/* Each class as often as the largest one. */
static dcnn_status oversample(dcnn_training_data *d, const dcnn_split *train) {
    d->class_first = calloc((size_t)d->set.class_count + 1, sizeof *d->class_first);
    if (d->class_first == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: %d classes", d->set.class_count);
    DCNN_TRY(dcnn_sampler_even(&d->sampler, train->rows, d->loader.labels, d->set.class_count, d->set.count,
                               d->class_first));
    dcnn_info("even  each class is drawn %lld times an epoch, as often as the largest one has images: %lld images "
              "instead of %lld",
              (long long)d->sampler.class_draws, (long long)d->sampler.count, (long long)train->count);
    return DCNN_OK;
}

static dcnn_status weigh_classes(dcnn_training_data *d, const char *class_weight, const dcnn_split *train) {
    char text[200], unnamed[300];
    d->class_weights = calloc((size_t)d->set.class_count, sizeof *d->class_weights);
    if (d->class_weights == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: %d weights", d->set.class_count);
    DCNN_TRY(dcnn_class_weights_make(class_weight, &d->set, train, d->loader.labels, d->class_weights, unnamed));
    dcnn_info("weigh the loss of an image counts %s times, by its class%s",
              dcnn_class_weights_text(&d->set, d->class_weights, text), unnamed);
    return DCNN_OK;
}

/* --- the order ---------------------------------------------------------------------------------------------------- */

/* Chunks are of neighbours in the file, in whatever order the split names them. */
static int compare_rows(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void order_rows(const dcnn_split *split) {
    qsort(split->rows, (size_t)split->count, sizeof *split->rows, compare_rows);
}

dcnn_status dcnn_training_data_order(dcnn_training_data *d, const dcnn_train_options *o) {
    const dcnn_split *train = dcnn_dataset_split(&d->set, "train");
    if (train == NULL || train->count == 0) return DCNN_FAIL(DCNN_BAD_INPUT, "%s has no split 'train'", d->set.path);
    d->sampler = (dcnn_sampler){.seed = o->seed,
                                .rows = train->rows,
                                .count = train->count,
                                .batch = o->batch_size,
                                .accumulate = (int)(o->accumulate > 1 ? o->accumulate : 1)};
    if (o->class_weight) DCNN_TRY(weigh_classes(d, o->class_weight, train));
    if (o->oversample) DCNN_TRY(oversample(d, train));
    dcnn_sampler_shuffle(&d->sampler, o->shuffle, (size_t)d->set.h * (size_t)d->set.w * (size_t)d->set.c);
    if (d->sampler.chunk_rows > 0) {
        if (!o->oversample) order_rows(train);
        if (d->sampler.window_chunks < d->sampler.count / d->sampler.chunk_rows)
            dcnn_info("order by chunks of %lld neighbouring images, %lld of which are mixed at a time",
                      (long long)d->sampler.chunk_rows, (long long)d->sampler.window_chunks);
    }
    return DCNN_OK;
}

dcnn_status dcnn_training_data_make_scratch(dcnn_training_data *d, const dcnn_augment *ranges, int threads) {
    const size_t needed = dcnn_augment_scratch(ranges, d->loader.h, d->loader.w, d->loader.c);
    void *scratch;
    d->scratch_bytes = (needed + 63) / 64 * 64;
    DCNN_TRY(dcnn_block_create((size_t)threads * d->scratch_bytes, "images to change", &scratch));
    d->scratch = scratch;
    return DCNN_OK;
}
