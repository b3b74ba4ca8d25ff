/**
 * @file events.h — TensorBoard's event files.
 *
 * `RUN/events.out.tfevents.dcnn` has, for each epoch: the metrics by optimizer step (tags `step/loss`, …), histograms
 * of the weights if asked for (`weights/LAYER/NAME`), and last the metrics by epoch (`epoch/loss`, `epoch/accuracy`,
 * `epoch/val_loss`, `epoch/val_accuracy`, `epoch/images_per_s`, `phases/NAME`). Epochs count from 1. What is written
 * follows from metrics.jsonl, so the file can always be mended or made anew.
 */
#ifndef DCNN_REPORT_EVENTS_H
#define DCNN_REPORT_EVENTS_H

#include "base/status.h"
#include "nn/net.h"

#define DCNN_EVENTS_NAME "events.out.tfevents.dcnn"

/**
 * Brings a run's event file in line with its history: keeps the epochs that are there and agree, cuts off the rest (a
 * torn end; epochs after the checkpoint that a run went on from), and appends what is missing. So no point is doubled
 * or lost, however often and after whatever it is called; a reader that follows the file sees it grow. *Local.*
 * @param history     metrics.jsonl
 * @param histograms  add histograms of these weights to the last epoch if it is new; NULL: none
 * @return DCNN_OK; DCNN_BAD_INPUT (history); DCNN_FAILURE (memory, disk)
 */
dcnn_status dcnn_events_update(const char *folder, const char *history, const dcnn_net *histograms);

/** A PNG to show in TensorBoard. */
typedef struct dcnn_event_image {
    const char *name;
    int width, height; /**< pixels */
    const uint8_t *png;
    size_t length;
} dcnn_event_image;

/** Writes FOLDER/events.out.tfevents.dcnn anew, with these pictures under tags `figures/NAME`. Atomic. *Local.* */
dcnn_status dcnn_events_write_images(const char *folder, int64_t step, int count, const dcnn_event_image *images);

#endif
