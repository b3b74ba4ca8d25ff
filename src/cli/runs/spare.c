/* SPDX-License-Identifier: BSD-3-Clause */
/* spare.c — see spare.h. */
#include "cli/runs/spare.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/output.h"
#include "run/record/run_folder.h"

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

dcnn_status dcnn_spare_folder(const char *output, const char *option, const char *example) {
    const size_t length = strlen(output);
    const bool slash = length > 0 && output[length - 1] == '/';
    if (!slash && dcnn_kind_of_file(output) != DCNN_KIND_FOLDER) return DCNN_OK;
    return DCNN_FAIL(DCNN_USAGE, "%s: %s a folder: name a file in it: %s %s%s%s", output, slash ? "names" : "is",
                     option, output, slash ? "" : "/", example);
}

dcnn_status dcnn_spare_others(const char *output, const char *option, const char *what, int count,
                              const dcnn_kind_id own[]) {
    const dcnn_kind_id kind = dcnn_output_is_straight(output) ? DCNN_KIND_MISSING : dcnn_kind_of_file(output);
    if (kind == DCNN_KIND_MISSING || kind == DCNN_KIND_EMPTY || kind == DCNN_KIND_FOLDER || kind == DCNN_KIND_SPECIAL)
        return DCNN_OK; /* opening it says more */
    for (int i = 0; i < count; i++)
        if (kind == own[i]) return DCNN_OK;
    return DCNN_FAIL(DCNN_USAGE,
                     "%s: is %s, which %s would replace: name another file with %s, or remove that one first", output,
                     dcnn_kind_name(kind), what, option);
}
