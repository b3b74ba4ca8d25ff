/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file classification.h — precision, recall and F1 per class from a confusion matrix, and both as text.
 *
 * Definitions, averages, digits and layout are those of scikit-learn's classification_report (zero_division: 0): a
 * class that is never predicted has precision 0, one that never occurs recall 0. A class that neither occurs nor is
 * predicted is *absent*: it has no score, stands in no table, and no average counts it. One thing differs: where no
 * prediction at all is right, scikit-learn 1.9 prints supports as 4.0, dcnn as the counts that they are.
 * tools/check_sklearn compares the two.
 */
#ifndef DCNN_REPORT_CLASSIFICATION_H
#define DCNN_REPORT_CLASSIFICATION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/** Scores of one class, or an average of them. */
typedef struct dcnn_class_scores {
    double precision;  /**< hits / predicted */
    double recall;     /**< hits / support */
    double f1;         /**< 2 hits / (predicted + support) */
    int64_t support;   /**< samples of the class */
    int64_t predicted; /**< samples taken for it; 0 in an average */
} dcnn_class_scores;

/** Scores of a confusion matrix. */
typedef struct dcnn_classification {
    int class_count;
    dcnn_class_scores *classes; /**< [class_count]; owned */
    int absent_count;           /**< classes that neither occur nor are predicted */
    dcnn_class_scores macro;    /**< plain mean over the classes that are not absent */
    dcnn_class_scores weighted; /**< mean weighted by support */
    int64_t count, correct;
    double accuracy;
} dcnn_classification;

/**
 * Scores a confusion matrix. *Local.*
 * @param confusion       [class_count, class_count] counts, row = true class, column = predicted
 * @param classification  out; free with dcnn_classification_free()
 * @return DCNN_OK, DCNN_FAILURE (memory)
 */
dcnn_status dcnn_classification_create(int class_count, const int64_t *confusion, dcnn_classification *classification);

void dcnn_classification_free(dcnn_classification *classification);

/** Is a class absent: does it neither occur nor was it ever predicted? *Local.* */
bool dcnn_class_is_absent(const dcnn_class_scores *scores);

/**
 * The report as scikit-learn prints it, without the absent classes. *Local.*
 * @param names  [class_count] UTF-8, or NULL: the classes' numbers
 * @return malloc'd text of whole lines, or NULL without memory
 */
char *dcnn_classification_text(const dcnn_classification *classification, const char *const *names);

/** The same for programs, as scikit-learn's `output_dict`: by class name, then accuracy and averages. A class whose
 * name another one or an average has is called "NAME (NUMBER)". New reference; NULL without memory. *Local.* */
json_t *dcnn_classification_json(const dcnn_classification *classification, const char *const *names);

/** The names of the absent classes, "3, 7 and 20 more" where they are many; *Local.*
 * @return malloc'd; NULL without memory */
char *dcnn_absent_text(const dcnn_classification *classification, const char *const *names);

/** A confusion matrix as an aligned table, rows true classes, columns predicted ones; or, where its lines would be
 * longer than 132 characters, a list of the most frequent confusions. malloc'd; NULL without memory. *Local.* */
char *dcnn_confusion_text(int class_count, const int64_t *confusion, const char *const *names);

#endif
