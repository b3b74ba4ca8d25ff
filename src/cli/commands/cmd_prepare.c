/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_prepare.c — dcnn prepare SOURCE... -o DATA.h5 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/runs/spare.h"
#include "cli/progress.h"
#include "io/output.h"
#include "sources/prepare.h"

static void tell_progress(void *context, int64_t done, int64_t count) {
    (void)context;
    const dcnn_bar bar = {
        .what = "reading", .done = done, .count = count, .images_per_s = -1, .loss = -1, .accuracy = -1, .left_s = -1};
    dcnn_bar_draw(&bar);
}

/* What was understood is a result; where the data set itself goes to standard output, it is said beside it. */
static void tell_line(void *context, const char *line) {
    const dcnn_options *o = context;
    dcnn_bar_clear();
    if (dcnn_output_is_straight(o->output)) {
        dcnn_info("%s", line);
    } else if (!o->quiet) {
        printf("%s\n", line);
        fflush(stdout);
    }
}

/* A split that is given is not drawn too. */
static dcnn_status check_splits(const dcnn_options *o) {
    const char *both = NULL;
    if (o->test.count > 0 && dcnn_option_given(DCNN_COMMAND_PREPARE, "test-split", o) && o->test_split > 0)
        both = "test";
    if (o->validation.count > 0 && dcnn_option_given(DCNN_COMMAND_PREPARE, "validation-split", o) &&
        o->validation_split > 0)
        both = "validation";
    if (!both) return DCNN_OK;
    return DCNN_FAIL(DCNN_USAGE, "--%s names that split and --%s-split draws it: give only one of them", both, both);
}

static dcnn_status fill_options(dcnn_options *o, dcnn_prepare_options *prepare) {
    const bool said = dcnn_option_given(DCNN_COMMAND_PREPARE, "stratify", o);
    *prepare = (dcnn_prepare_options){
        .split = {.test_fraction = o->test_split, .validation_fraction = o->validation_split, .seed = o->seed},
        .stratify_always = said && o->stratify,
        .stratify_never = said && !o->stratify,
        .limit = o->limit,
        .read = {.h = o->shape[0],
                 .w = o->shape[1],
                 .c = o->shape[2],
                 .label_column = o->label_column,
                 .target_columns = o->target_columns,
                 .scale = o->scale,
                 .transpose = o->transpose,
                 .skip_broken = o->skip_broken,
                 .tell = tell_line,
                 .context = o},
        .image = {.h = o->size[0], .w = o->size[1], .channels = o->gray ? 1 : 0},
        .threads = (int)o->train.threads,
        .validation_count = o->validation.count,
        .validation = o->validation.text,
        .test_count = o->test.count,
        .test = o->test.text,
        .on_progress = tell_progress};
    if (o->label_column && o->target_columns)
        return DCNN_FAIL(DCNN_USAGE,
                         "--label-column says which class an image has, --target-columns which numbers: say "
                         "one of them");
    if (o->size[2] > 1)
        return DCNN_FAIL(DCNN_USAGE, "--size takes HxW; colours stay as they are (--gray makes all images grey)");
    if (o->size[0] == 0 && dcnn_option_given(DCNN_COMMAND_PREPARE, "fit", o))
        return DCNN_FAIL(DCNN_USAGE, "--fit says how images of another shape are brought to --size HxW: give both, or "
                                     "leave it out");
    DCNN_TRY(dcnn_fit_parse(o->fit, &prepare->image.fit));
    DCNN_TRY(dcnn_color_parse(o->background ? o->background : "black", prepare->image.background));
    return check_splits(o);
}

/* --official: nothing is cut off the training images, unless a fraction is asked for. */
static dcnn_status keep_official(dcnn_options *o) {
    if (!o->official) return DCNN_OK;
    if (dcnn_option_given(DCNN_COMMAND_PREPARE, "test-split", o))
        return DCNN_FAIL(DCNN_USAGE, "--official tests on the source's own test images: leave out --test-split");
    o->test_split = 0.0;
    if (!dcnn_option_given(DCNN_COMMAND_PREPARE, "validation-split", o)) o->validation_split = 0.0;
    return DCNN_OK;
}

/* Before --force is advised, or a large table is read. */
static dcnn_status spare(const char *output, int count, char *const sources[]) {
    const int64_t at = dcnn_output_among(output, count, sources);
    if (at < 0) return DCNN_OK;
    return DCNN_FAIL(DCNN_USAGE,
                     "%s: is the source %s itself, which the data set would replace: name another file "
                     "with -o",
                     dcnn_output_name(output), sources[at]);
}

static dcnn_status prepare(dcnn_cli *cli, const dcnn_helpers *helpers) {
    dcnn_options *o = cli->options;
    struct stat info;
    if (o->output == NULL)
        return DCNN_FAIL(DCNN_USAGE,
                         "no output was given; name the data set to write: dcnn prepare ... --output DATA.h5");
    DCNN_TRY(dcnn_spare_place(o->output, "-o", "data.h5"));
    const bool straight = dcnn_output_is_straight(o->output);
    char aside[4096];
    if (straight && isatty(STDOUT_FILENO) && strcmp(o->output, "-") == 0)
        return DCNN_FAIL(DCNN_USAGE, "a data set is not for a terminal: pipe it on (-o - | ...), or name a file");
    DCNN_TRY(spare(o->output, o->operand_count, o->operands));
    DCNN_TRY(spare(o->output, o->validation.count, o->validation.text));
    DCNN_TRY(spare(o->output, o->test.count, o->test.text));
    if (!straight && !o->force && stat(o->output, &info) == 0) return dcnn_output_exists(o->output);
    dcnn_prepare_options how;
    DCNN_TRY(keep_official(o));
    DCNN_TRY(fill_options(o, &how));
    how.read.aside = dcnn_output_aside(o->output, aside);
    how.only_new = !o->force;
    how.official = o->official;
    how.helpers = helpers;
    if (helpers && o->train.threads == 0) how.threads = dcnn_comm_cores(cli->job);
    dcnn_bar_begin(o->quiet, 0.5);
    char *summary = NULL;
    DCNN_TRY(dcnn_dataset_prepare(o->operand_count, o->operands, &how, o->output, straight ? &summary : NULL));
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

static void share_bytes(void *context, int root, void *bytes, size_t length) {
    if (length > 0) dcnn_comm_broadcast_from(context, root, bytes, length);
}

static dcnn_status agree(void *context, dcnn_status status) {
    return dcnn_comm_agree(context, status);
}

dcnn_status dcnn_cmd_prepare(dcnn_cli *cli) {
    if (cli->job == NULL || dcnn_comm_size(cli->job) == 1) return prepare(cli, NULL);
    const dcnn_helpers helpers = {dcnn_comm_rank(cli->job), dcnn_comm_size(cli->job), share_bytes, agree, cli->job};
    const int threads = cli->options->train.threads > 0 ? (int)cli->options->train.threads : dcnn_comm_cores(cli->job);
    dcnn_thread_pool *pool = NULL;
    dcnn_status status = helpers.rank > 0 ? dcnn_thread_pool_create(threads, &pool) : DCNN_OK; /* it makes its own */
    status = dcnn_comm_agree(cli->job, status);
    if (status == DCNN_OK && helpers.rank > 0) status = dcnn_share_help(&helpers, pool);
    if (status == DCNN_OK && helpers.rank == 0) {
        status = prepare(cli, &helpers);
        dcnn_share_end(&helpers);
    }
    dcnn_thread_pool_free(pool);
    return status;
}
