/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_prepare.c — dcnn prepare SOURCE... -o DATA.h5 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "io/output.h"

static void tell_progress(void *context, int file, int64_t done, int64_t count) {
    const dcnn_options *o = context;
    const dcnn_bar bar = {.what = "reading",
                          .number = file,
                          .numbers = o->operand_count > 1 ? o->operand_count : 0,
                          .done = done,
                          .count = count,
                          .images_per_s = -1,
                          .loss = -1,
                          .accuracy = -1,
                          .left_s = -1};
    dcnn_bar_draw(&bar);
}

dcnn_status dcnn_cmd_prepare(dcnn_cli *cli) {
    dcnn_options *o = cli->options;
    struct stat info;
    if (o->output == NULL)
        return DCNN_FAIL(DCNN_USAGE,
                         "no output was given; name the data set to write: dcnn prepare ... --output DATA.h5");
    const bool straight = dcnn_output_is_straight(o->output);
    if (straight && isatty(STDOUT_FILENO) && strcmp(o->output, "-") == 0)
        return DCNN_FAIL(DCNN_USAGE, "a data set is not for a terminal: pipe it on (-o - | ...), or name a file");
    if (!straight && !o->force && stat(o->output, &info) == 0)
        return DCNN_FAIL(DCNN_USAGE, "%s already exists: name another file, or replace it with --force", o->output);
    const dcnn_prepare_options prepare = {.limit = o->limit,
                                          .test_fraction = o->test_split,
                                          .validation_fraction = o->validation_split,
                                          .stratify = o->stratify,
                                          .seed = o->seed,
                                          .h = o->shape[0],
                                          .w = o->shape[1],
                                          .c = o->shape[2],
                                          .on_progress = tell_progress,
                                          .context = o};
    dcnn_bar_begin(o->quiet, 0.5);
    char *summary = NULL;
    DCNN_TRY(dcnn_dataset_prepare(o->operand_count, o->operands, &prepare, o->output, straight ? &summary : NULL));
    if (straight) { /* it cannot be read again, and standard output may be the data set's own */
        dcnn_bar_end();
        dcnn_info("%s", summary);
        free(summary);
        return DCNN_OK;
    }
    dcnn_dataset made;
    char text[512];
    DCNN_TRY(dcnn_dataset_open(o->output, &made));
    dcnn_dataset_text(&made, text);
    dcnn_dataset_free(&made);
    dcnn_bar_end();
    printf("%s: %s\n", o->output, text);
    return DCNN_OK;
}
