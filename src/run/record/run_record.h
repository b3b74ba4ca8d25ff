/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file run_record.h — FOLDER/run.json, which says how a run was started, each time that it was, and
 * FOLDER/result.json, which says what it came to.
 */
#ifndef DCNN_RUN_RUN_RECORD_H
#define DCNN_RUN_RUN_RECORD_H

#include <jansson.h>

#include "run/run.h"

/** Version of the records, and of the metrics beside them: run.json's `format_version`; without it 1. */
enum { DCNN_RUN_FORMAT = 1 };

/**
 * Reads run.json. *Local.*
 * @param record   out, a new reference; NULL if there is none
 * @param damaged  out: it is there, but no record; then `record` is NULL and the failure DCNN_BAD_INPUT
 * @return DCNN_OK; DCNN_BAD_INPUT: damaged, or of a newer version; DCNN_FAILURE
 */
dcnn_status dcnn_run_record_read(const char *folder, json_t **record, bool *damaged);

/**
 * Writes run.json: the members of this start, and `starts`, a list of all starts with this one as its last. A date and
 * this machine's name and processor are added. *Local.*
 * @param start  options, versions, …; its reference is taken; NULL: out of memory
 * @return DCNN_OK; DCNN_BAD_INPUT: there is one of a newer version; DCNN_FAILURE
 */
dcnn_status dcnn_run_record_write(const char *folder, json_t *start);

/** Reads result.json. *Local.* @param result  out, a new reference; NULL if there is none @return DCNN_OK;
 * DCNN_BAD_INPUT: damaged, or no file; DCNN_FAILURE */
dcnn_status dcnn_run_result_read(const char *folder, json_t **result);

/** Writes result.json. *Local.* @return DCNN_OK, DCNN_FAILURE */
dcnn_status dcnn_run_result_write(const char *folder, const dcnn_train_result *result);

#endif
