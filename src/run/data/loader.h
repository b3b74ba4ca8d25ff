/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file loader.h — samples as bytes, and as floats, grain by grain.
 *
 * Images are held in memory that the ranks of a node share, or streamed: read from the data set's file while the net
 * computes (prefetch.h), so that memory need not hold them. Which of the two changes no bit: it decides where bytes
 * come from, never which.
 */
#ifndef DCNN_RUN_LOADER_H
#define DCNN_RUN_LOADER_H

#include "comm/comm.h"
#include "io/dataset/dataset.h"
#include "nn/tensor.h"
#include "run/data/augment.h"
#include "run/data/sampler.h"

typedef struct dcnn_stream dcnn_stream;

/** All samples of a data set. */
typedef struct dcnn_loader {
    int h, w, c;
    int64_t count;
    const float *features; /**< held: [.., h,w,c] instead of images (dcnn_loader_hold_features()); NULL: images */
    int variants;          /**< of each training image's features, by augmentation; 0: none */
    int64_t variant_first, variant_rows; /**< the first lies at `variant_first`; each has so many images ... */
    const int64_t *variant_places;       /**< ... [count] in this order, -1: not in training */
    const uint8_t *pixels;               /**< held: [.., h,w,c], in shared memory; NULL: streamed */
    const int64_t *places;               /**< [count] where each row lies in `pixels`; NULL: in order */
    const int32_t *labels;               /**< [count], or NULL; in shared memory */
    const float *targets;                /**< [count,target_width], or NULL; likewise */
    int target_width;
    dcnn_stream *stream; /**< NULL: held */
    void *shared;
    float scale[DCNN_MAX_CHANNELS], shift[DCNN_MAX_CHANNELS]; /**< (byte / 255 - mean) / std = byte * scale + shift */
    bool blue_first; /**< ... then the three channels are turned round (model/input.h) */
} dcnn_loader;

/** What of a data set is wanted, and how much memory it may take. */
typedef struct dcnn_loader_options {
    int64_t cache_bytes;     /**< of a node, for images: what does not fit is streamed; 0: held if that takes at most a
                                  quarter of the memory there is and half of /dev/shm, else streamed with 256 MiB */
    const dcnn_split *split; /**< the only rows wanted; NULL: those of every split */
    dcnn_shape shape; /**< images are brought to it, their middle where the sides' ratio differs, as `dcnn predict`
                           does; rank 0: as they are. They must be held then */
    bool told;        /**< ... and that has been said */
} dcnn_loader_options;

/**
 * Opens a data set on every rank: its first rank a node checks the seal, the others believe it. One without a seal gets
 * rank 0's checksum (dcnn_dataset_identify()). *Collective.* Free with dcnn_dataset_free(), after a failure too.
 * @return as dcnn_dataset_open(); DCNN_BAD_INPUT too if nodes see different files
 */
dcnn_status dcnn_dataset_open_together(dcnn_comm *comm, const char *path, dcnn_dataset *dataset);

/**
 * Opens a data set's samples. Held ones are read by one rank a node, and all see them; rows in no split are not read.
 * What memory there is (free_memory.h) is asked before any is taken. *Collective.*
 * @param dataset  borrowed
 * @param options  NULL: nothing special
 * @param loader   out; ends with dcnn_loader_close(), after a failure too
 * @return DCNN_OK; DCNN_BAD_INPUT (damaged; must be held, but there is no room); DCNN_FAILURE (memory)
 */
dcnn_status dcnn_loader_open(dcnn_comm *comm, const dcnn_dataset *dataset, const dcnn_loader_options *options,
                             dcnn_loader *loader);

/** Warns if the file of streamed images was written to since it was opened, or since the last call. *Local*; rank 0. */
void dcnn_loader_warn_of_changes(const dcnn_loader *loader);

/** The same for images that rank 0 holds (NULL elsewhere). *Collective.* */
dcnn_status dcnn_loader_open_images(dcnn_comm *comm, const dcnn_images *images, dcnn_loader *loader);

/** What stands for a data set's images from now on. */
typedef struct dcnn_features {
    dcnn_loader loader; /**< labels and features; normalises nothing and augments nothing */
    int64_t *rows;      /**< [count] of the images wanted, each once, in order; the caller's to free */
    int64_t count;
    int64_t *train; /**< [train_count] likewise of those for training, where there are variants */
    int64_t train_count;
    float *values; /**< [count + variants * train_count][values of the shape], to be written on rank 0 */
} dcnn_features;

/**
 * Takes memory for floats of each image that a split names, and more of each training image for its variants, which the
 * ranks of a node share. *Collective.*
 * @param images    whose labels are taken
 * @param variants  of each training image; in epoch e number e modulo `variants` stands for it
 * @param shape     of the floats of an image
 * @param features  out; its loader ends with dcnn_loader_close(), after a failure too
 * @return DCNN_OK; DCNN_FAILURE (memory, /dev/shm)
 */
dcnn_status dcnn_loader_hold_features(dcnn_comm *comm, const dcnn_dataset *dataset, const dcnn_loader *images,
                                      dcnn_shape shape, int variants, dcnn_features *features);

/** Makes what rank 0 wrote the samples of every rank. *Collective.* */
void dcnn_loader_features_done(dcnn_comm *comm, dcnn_features *features);

/** Frees the samples of a loader; a zeroed loader has none. *Collective.* */
void dcnn_loader_close(dcnn_comm *comm, dcnn_loader *loader);

/**
 * From now on reads the images of this order ahead, if they are streamed. *Collective.*
 * @param sampler  borrowed
 * @param grain    samples a grain
 * @param epochs   where reading ends
 * @return DCNN_OK; DCNN_USAGE (less memory than two batches need); DCNN_FAILURE
 */
dcnn_status dcnn_loader_read_ahead(dcnn_comm *comm, dcnn_loader *loader, const dcnn_sampler *sampler, int grain,
                                   int64_t epochs);

/** Can images of the one kind be brought to the other? Grey and colours, and any size, and says so if need be. *Local.*
 * @param model, data  what messages call them @return DCNN_OK; DCNN_BAD_INPUT with both shapes */
dcnn_status dcnn_loader_can_fit(dcnn_shape shape, const char *model, int h, int w, int c, const char *data);

/** Mean or deviation of channels, where images of `from` are brought to `to` channels. *Local.* */
void dcnn_loader_fit_channels(int from, int to, const double *values, double *fitted);

/** Tells that a data set's images are brought to the loader's shape, and which call makes them so. *Local.* */
void dcnn_loader_tell_fit(const dcnn_loader *loader, const dcnn_dataset *dataset);

/** Sets the standardisation. A deviation of 0 (constant images) counts as 1. *Local.* */
void dcnn_loader_normalise(dcnn_loader *loader, const double *mean, const double *std);

/** Targets of some samples. *Local.* @param numbers, n  as dcnn_loader_fill() @param targets  out [n,target_width] */
void dcnn_loader_targets(const dcnn_loader *loader, const int64_t *numbers, int n, float *targets);

/** Seconds that threads of this rank have waited for streamed images since the last call. *Local.* */
double dcnn_loader_stall_s(const dcnn_loader *loader);

/** Says that these rows will be wanted soon. *Local.* */
void dcnn_loader_expect(const dcnn_loader *loader, const int64_t *rows, int64_t n);

/**
 * Floats of a grain's samples, augmented if `augment` is not NULL. Waits for streamed images. *Local.*
 * @param position  where the rows stand in that epoch of dcnn_loader_read_ahead()'s order; -1: nowhere
 * @param scratch   dcnn_augment_scratch() bytes; NULL without `augment`
 * @param numbers   [n] samples: a row, or a multiple of the data set's `count` more, which is augmented in another way
 * @param x         out [n,h,w,c]
 * @param labels    out [n]; may be NULL
 * @return DCNN_OK; DCNN_BAD_INPUT (streamed images cannot be read); DCNN_FAILURE (memory)
 */
dcnn_status dcnn_loader_fill(const dcnn_loader *loader, const dcnn_kernels *kernels, const dcnn_augment *augment,
                             uint64_t seed, uint32_t epoch, int64_t position, void *scratch, const int64_t *numbers,
                             int n, float *x, int32_t *labels);

#endif
