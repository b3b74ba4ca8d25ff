/* SPDX-License-Identifier: BSD-3-Clause */
/* spare.c — see spare.h. */
#include "cli/runs/spare.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/kind.h"
#include "io/output.h"
#include "run/record/run_folder.h"
#include "run/record/trace.h"

dcnn_status dcnn_spare_files(const char *output, const char *option, const char *what, int count,
                             const char *const files[]) {
    for (int i = 0; i < count; i++) {
        char *const one[] = {(char *)(uintptr_t)files[i]};
        if (files[i] == NULL || dcnn_output_among(output, 1, one) < 0) continue;
        return DCNN_FAIL(DCNN_USAGE, "%s: is the file %s itself, which %s would replace: name another file with %s",
                         dcnn_output_name(output), files[i], what, option);
    }
    return DCNN_OK;
}

dcnn_status dcnn_spare_run(const char *output, const char *option, const char *what, const char *folder) {
    static const char *const names[] = {DCNN_RUN_RECORD, DCNN_RUN_OF_TRAINING};
    dcnn_status status = DCNN_OK;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && status == DCNN_OK; i++) {
        char *path = dcnn_path_join(folder, names[i]);
        if (path == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
        status = dcnn_spare_files(output, option, what, 1, (const char *const[]){path});
        free(path);
    }
    return status;
}

dcnn_status dcnn_spare_place(const char *output, const char *option, const char *example) {
    const size_t length = strlen(output);
    const bool slash = length > 0 && output[length - 1] == '/';
    if (!slash && dcnn_kind_of_file(output) != DCNN_KIND_FOLDER) return dcnn_output_check(output);
    return DCNN_FAIL(DCNN_USAGE, "%s: %s a folder: name a file in it: %s %s%s%s", output, slash ? "names" : "is",
                     option, output, slash ? "" : "/", example);
}

dcnn_status dcnn_spare_others(const char *output, const char *option, const char *what,
                              bool (*is_own)(const char *path), const char *way_out) {
    const dcnn_kind_id kind = dcnn_output_is_straight(output) ? DCNN_KIND_MISSING : dcnn_kind_of_file(output);
    if (kind == DCNN_KIND_MISSING || kind == DCNN_KIND_EMPTY || kind == DCNN_KIND_FOLDER || kind == DCNN_KIND_SPECIAL)
        return DCNN_OK; /* opening it says more */
    if (is_own(output)) return DCNN_OK;
    return DCNN_FAIL(DCNN_USAGE, "%s: is %s, which %s would replace: name another file with %s, %s", output,
                     dcnn_kind_name(kind), what, option, way_out);
}

dcnn_status dcnn_spare_for_trace(const dcnn_options *o, const dcnn_run *run) {
    static const char option[] = "--trace", what[] = "the trace";
    const char *const given[] = {o->train.model, o->train.weights, o->train.class_weight};
    const char *const own[] = {run ? run->data : NULL, run ? run->checkpoint : NULL}, *trace = o->train.trace;
    if (trace == NULL) return DCNN_OK;
    if (run == NULL) DCNN_TRY(dcnn_spare_place(trace, option, "trace.json"));
    if (run == NULL) return dcnn_spare_files(trace, option, what, 3, given);
    DCNN_TRY(dcnn_spare_files(trace, option, what, 2, own));
    DCNN_TRY(dcnn_spare_run(trace, option, what, run->folder));
    return dcnn_spare_others(trace, option, what, dcnn_trace_is, "or remove that one first");
}
