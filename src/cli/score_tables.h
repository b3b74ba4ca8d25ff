/* SPDX-License-Identifier: BSD-3-Clause */
/** @file score_tables.h — what an evaluation counted of labels and of numbers, as tables and as JSON. */
#ifndef DCNN_CLI_SCORE_TABLES_H
#define DCNN_CLI_SCORE_TABLES_H

#include <jansson.h>
#include <stdio.h>

#include "engine/evaluator.h"
#include "report/report.h"

/** Precision, recall, F1, support and AUC of each label and of all, as scikit-learn has its report. *Local.*
 * @param names  [label_count] UTF-8, or NULL: their numbers */
void dcnn_label_table(FILE *to, const dcnn_evaluation *evaluation, const char *const *names);

/** Mean absolute error, root of the mean squared error and R2 of each number and of all. *Local.* */
void dcnn_number_table(FILE *to, const dcnn_evaluation *evaluation, const char *const *names);

/** The same for a report's page. *Local.* @param table  out; free with dcnn_score_table_free(), which takes a zeroed
 * one too @return DCNN_OK, DCNN_FAILURE (memory) */
dcnn_status dcnn_score_table_create(const dcnn_evaluation *evaluation, const char *const *names,
                                    dcnn_report_table *table);
void dcnn_score_table_free(dcnn_report_table *table);

/** The same for programs, by name. New references. *Local.* */
json_t *dcnn_label_json(const dcnn_evaluation *evaluation, const char *const *names);
json_t *dcnn_number_json(const dcnn_evaluation *evaluation, const char *const *names);

#endif
