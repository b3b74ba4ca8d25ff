/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file events.h — TensorBoard's event files.
 *
 * `RUN/events.out.tfevents.dcnn` has, in the order of training: metrics of single steps' batches by step (tags
 * `batch/loss`, `batch/accuracy`, `batch/learning_rate`), and for each epoch its metrics by optimizer step
 * (`step/loss`, …), histograms of weights and gradients if there are any (`weights/LAYER/NAME`,
 * `gradients/LAYER/NAME`), and its metrics by epoch (`epoch/loss`, `epoch/accuracy`, `epoch/val_loss`,
 * `epoch/val_accuracy`, `epoch/images_per_s`, `phases/NAME`). Steps and epochs count from 1. The file follows from
 * metrics.jsonl, steps.jsonl and histograms.jsonl alone, so it can always be mended or made anew.
 */
#ifndef DCNN_REPORT_EVENTS_H
#define DCNN_REPORT_EVENTS_H

#include "base/status.h"

/** The metrics of a run, as JSON lines; NULL: none. */
typedef struct dcnn_metrics {
    const char *epochs;     /**< metrics.jsonl */
    const char *steps;      /**< steps.jsonl, by step */
    const char *histograms; /**< histograms.jsonl, by epoch */
} dcnn_metrics;

/**
 * Brings a run's event file in line with its metrics: keeps the records that are there and agree, cuts off the rest (a
 * torn end; what came after the checkpoint that a run went on from), and appends what is missing. So no point is
 * doubled or lost, however often and after whatever it is called; a reader that follows the file sees it grow. *Local.*
 * @return DCNN_OK; DCNN_BAD_INPUT (metrics); DCNN_FAILURE (memory, disk)
 */
dcnn_status dcnn_events_update(const char *folder, const dcnn_metrics *metrics);

/** A PNG to show in TensorBoard. */
typedef struct dcnn_event_image {
    const char *name;
    int width, height; /**< pixels */
    const uint8_t *png;
    size_t length;
} dcnn_event_image;

/** Writes FOLDER/events.out.tfevents.dcnn anew, with these images under tags `figures/NAME`. Atomic. *Local.* */
dcnn_status dcnn_events_write_images(const char *folder, int64_t step, int count, const dcnn_event_image *images);

#endif
