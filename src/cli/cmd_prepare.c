/* cmd_prepare.c — dcnn prepare SOURCE... -o DATA.h5 */
#include <sys/stat.h>

#include "cli/cli.h"

dcnn_status dcnn_cmd_prepare(dcnn_cli *cli) {
    const dcnn_options *o = cli->options;
    struct stat info;
    if (o->output == NULL)
        return DCNN_FAIL(DCNN_USAGE, "where shall the data set go? Name a file: dcnn prepare ... --output DATA.h5");
    if (!o->force && stat(o->output, &info) == 0)
        return DCNN_FAIL(DCNN_USAGE, "%s is there already: name another file, or replace it with --force", o->output);
    const dcnn_prepare_options prepare = {.limit = o->limit,
                                          .test_fraction = o->test_split,
                                          .validation_fraction = o->validation_split,
                                          .stratify = o->stratify,
                                          .seed = o->seed,
                                          .h = o->shape[0],
                                          .w = o->shape[1],
                                          .c = o->shape[2]};
    DCNN_TRY(dcnn_dataset_prepare(o->operand_count, o->operands, &prepare, o->output, NULL));
    dcnn_dataset made;
    char text[512];
    DCNN_TRY(dcnn_dataset_open(o->output, &made));
    dcnn_dataset_text(&made, text);
    dcnn_dataset_free(&made);
    printf("%s: %s\n", o->output, text);
    return DCNN_OK;
}
