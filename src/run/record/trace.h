/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file trace.h — what every thread of every rank did when, for a few steps: a file for Chrome's about:tracing or
 * Perfetto.
 *
 * The format is the Trace Event Format's array of complete ("X") events; a rank is a process there, a worker a thread.
 * Clocks of different nodes are aligned by a meeting of all ranks before the first traced step.
 */
#ifndef DCNN_RUN_TRACE_H
#define DCNN_RUN_TRACE_H

#include "comm/comm.h"
#include "engine/stopwatch.h"

/** The steps of a start that are traced: a few, when everything is warm. */
enum { DCNN_TRACE_FIRST = 4, DCNN_TRACE_STEPS = 3 };

typedef struct dcnn_trace dcnn_trace;

/**
 * @param path     the file to write; borrowed
 * @param workers  threads of this rank
 * @param trace    out; free with dcnn_trace_free(). *Local.*
 */
dcnn_status dcnn_trace_create(const char *path, int workers, dcnn_trace **trace);

/** To be called before each step of a start, numbered from 1, and after the last one: begins, and writes when the
 * traced steps are done. NULL is allowed. *Collective.* @return DCNN_OK; DCNN_FAILURE (the file cannot be written) */
dcnn_status dcnn_trace_step(dcnn_trace *trace, dcnn_comm *comm, int64_t step);

/** Is this file a trace, which another may replace? *Local.* */
bool dcnn_trace_is(const char *path);

/** What the engine tells its spans to; NULL for NULL. Lives as long as the trace. *Local.* */
const dcnn_spans *dcnn_trace_spans(const dcnn_trace *trace);

void dcnn_trace_free(dcnn_trace *trace);

#endif
