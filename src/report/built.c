/* SPDX-License-Identifier: BSD-3-Clause */
/* built.c — what there is of report.h and events.h; all of it in a build without cairo, pango and protobuf-c
 * (-DDCNN_REPORT=OFF). */
#include "report/events.h"
#include "report/overlay.h"
#include "report/report.h"

#ifndef DCNN_WITHOUT_REPORT

bool dcnn_report_is_built(void) {
    return true;
}

#else

bool dcnn_report_is_built(void) {
    return false;
}

static dcnn_status fail_unbuilt(void) {
    return DCNN_FAIL(DCNN_USAGE,
                     "this dcnn was built without figures and TensorBoard files (-DDCNN_REPORT=OFF); metrics "
                     "are in metrics.csv, and 'dcnn evaluate' prints the classification report");
}

dcnn_status dcnn_report_write(const char *folder, const dcnn_report_data *data) {
    (void)folder;
    (void)data;
    return fail_unbuilt();
}

dcnn_status dcnn_events_update(const char *folder, const dcnn_metrics *metrics) {
    (void)folder;
    (void)metrics;
    return fail_unbuilt();
}

dcnn_status dcnn_overlay_write(const char *path, const char *title, int count, const dcnn_overlay_run *runs) {
    (void)path;
    (void)title;
    (void)count;
    (void)runs;
    return fail_unbuilt();
}

#endif
