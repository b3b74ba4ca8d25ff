/* SPDX-License-Identifier: BSD-3-Clause */
/** @file spare.h — outputs that must not be what is read, nor what a run needs. */
#ifndef DCNN_CLI_SPARE_H
#define DCNN_CLI_SPARE_H

#include "cli/options.h"

/** Refuses an output that is one of some files, under whatever name. *Local.*
 * @param option  that names the output, as in "-o"  @param what  it is, as in "the trace"
 * @param files   [count], may be NULL each  @return DCNN_OK, DCNN_USAGE */
dcnn_status dcnn_spare_files(const char *output, const char *option, const char *what, int count,
                             const char *const files[]);

/** The same for a run's record and what its training has written. *Local.* */
dcnn_status dcnn_spare_run(const char *output, const char *option, const char *what, const char *folder);

/** Refuses an output that cannot be, before the work is done: a folder ("out: is a folder: name a file in it, as
 * out/data.h5"), or what dcnn_output_check() refuses. *Local.*
 * @param example  of a file's name  @return DCNN_OK, DCNN_USAGE, DCNN_FAILURE */
dcnn_status dcnn_spare_place(const char *output, const char *option, const char *example);

/** Refuses an output in whose place a file stands that is no earlier one of its kind: it may be all that somebody has
 * of it. Where there is none, an empty one, or a stream, nothing is lost. *Local.*
 * @param is_own   is it?
 * @param way_out  what else to do, as in "or remove that one first"
 * @return DCNN_OK, DCNN_USAGE */
dcnn_status dcnn_spare_others(const char *output, const char *option, const char *what,
                              bool (*is_own)(const char *path), const char *way_out);

/** All of this for the file of --trace, if there is to be one. *Local*, on the rank that writes it.
 * @param run  NULL: it is not settled yet, and the options alone are looked at; else the run alone
 * @return DCNN_OK, DCNN_USAGE, DCNN_FAILURE */
dcnn_status dcnn_spare_for_trace(const dcnn_options *options, const dcnn_run *run);

#endif
