/* SPDX-License-Identifier: BSD-3-Clause */
/** @file overlay.h — a figure of several runs: their validation accuracy, epoch by epoch, over each other. */
#ifndef DCNN_REPORT_OVERLAY_H
#define DCNN_REPORT_OVERLAY_H

#include "base/status.h"

/** One run. Borrowed. */
typedef struct dcnn_overlay_run {
    const char *name;
    const char *history; /**< metrics.jsonl; a run without one is left out */
} dcnn_overlay_run;

/**
 * Draws the first runs in colours with their names, the others, if they are many, in grey behind them. *Local.*
 * @param path  of the figure; a .svg if it ends so, else a PNG
 * @return DCNN_OK; DCNN_BAD_INPUT (a history that is none); DCNN_FAILURE; DCNN_USAGE in a build without figures
 */
dcnn_status dcnn_overlay_write(const char *path, const char *title, int count, const dcnn_overlay_run *runs);

#endif
