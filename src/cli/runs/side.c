/* SPDX-License-Identifier: BSD-3-Clause */
/* side.c — see side.h. */
#include "cli/runs/side.h"

#include "guard/watchdog.h"

static dcnn_status work_through(dcnn_cli *cli, dcnn_comm *comm, int group, int groups, int count, dcnn_side_work *work,
                                void *context) {
    dcnn_status status = DCNN_OK;
    for (int number = group; number < count && status == DCNN_OK; number += groups) {
        dcnn_options options = *cli->options;
        dcnn_cli part = *cli;
        options.quiet = true;
        options.train.of_several = true;
        part.comm = comm;
        part.options = &options;
        if (cli->speaks) dcnn_cli_speak(&part);
        status = work(&part, number, context);
    }
    if (cli->speaks) dcnn_cli_speak(cli);
    return status;
}

dcnn_status dcnn_side_by_side(dcnn_cli *cli, int count, dcnn_side_work *work, void *context) {
    const int size = dcnn_comm_size(cli->comm), groups = count < size ? count : size;
    const int group = (int)((int64_t)dcnn_comm_rank(cli->comm) * groups / size);
    dcnn_comm *part = NULL;
    dcnn_status status = dcnn_comm_agree(cli->comm, dcnn_comm_split(cli->comm, group, &part));
    if (status == DCNN_OK) status = work_through(cli, part, group, groups, count, work, context);
    dcnn_comm_wait(cli->comm, dcnn_watchdog_progress);
    status = dcnn_comm_agree(cli->comm, status);
    dcnn_comm_free(part);
    if (status == DCNN_STOPPED)
        return DCNN_FAIL(DCNN_STOPPED, "stopped, and saved: the same call with --resume goes on with all of them");
    return status;
}
