/* SPDX-License-Identifier: BSD-3-Clause */
/** @file spare.h — outputs that must not be what is read, nor what a run needs. */
#ifndef DCNN_CLI_SPARE_H
#define DCNN_CLI_SPARE_H

#include "base/status.h"
#include "io/kind.h"

/** Refuses an output that is one of some files, under whatever name. *Local.*
 * @param option  that names the output, as in "-o"  @param what  it is, as in "the trace"
 * @param files   [count], may be NULL each  @return DCNN_OK, DCNN_USAGE */
dcnn_status dcnn_spare_files(const char *output, const char *option, const char *what, int count,
                             const char *const files[]);

/** The same for a run's record and what its training has written. *Local.* */
dcnn_status dcnn_spare_run(const char *output, const char *option, const char *what, const char *folder);

/** Refuses an output that is a folder, before the work is done: "out: is a folder: name a file in it, as out/data.h5".
 * *Local.* @param example  of a file's name  @return DCNN_OK, DCNN_USAGE */
dcnn_status dcnn_spare_folder(const char *output, const char *option, const char *example);

/** Refuses an output in whose place a file of another kind stands: nobody means to put predictions in the place of a
 * network. Where there is none, an empty one, or a stream, nothing is lost. *Local.*
 * @param own  [count] what such an output is  @return DCNN_OK, DCNN_USAGE */
dcnn_status dcnn_spare_others(const char *output, const char *option, const char *what, int count,
                              const dcnn_kind_id own[]);

#endif
