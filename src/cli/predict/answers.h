/* SPDX-License-Identifier: BSD-3-Clause */
/** @file answers.h — what was predicted, image by image, and how it is told: CSV, Kaggle's CSV, sentences for people.
 */
#ifndef DCNN_CLI_ANSWERS_H
#define DCNN_CLI_ANSWERS_H

#include "engine/evaluator.h"
#include "io/dataset/dataset.h"
#include "sources/names.h"

typedef struct dcnn_answer_batch dcnn_answer_batch;

/** All that is to be told, on the rank that speaks. All zero: nothing yet. */
typedef struct dcnn_answers {
    const char *header;       /**< Kaggle's CSV: its first line; NULL: the other CSV */
    int columns;              /**< of a prediction */
    bool numbers, labels;     /**< it is such, else the probabilities of classes */
    const char *const *names; /**< of the columns, or NULL; borrowed */
    const char *aside;        /**< folder for what memory should not hold (io/spill.h), or NULL */
    int64_t count, bad;       /**< images; those that could not be read */
    bool has_files, has_ids, has_votes;
    bool only_new; /**< no file is replaced */
    int batch_count, batch_room;
    dcnn_answer_batch *batches;
    void *probabilities; /**< [count,columns] float */
    size_t room_bytes, mapped_bytes;
    int64_t next; /**< number of the next row */
} dcnn_answers;

/**
 * Appends what an evaluation says of some images. *Local.*
 * @param files  [count] where each is from, or NULL: all of `dataset`; taken over
 * @param ids    [count] what they are called, or ""; NULL: none has a name; taken over
 * @param dataset  borrowed
 * @return DCNN_OK, DCNN_FAILURE (memory)
 */
dcnn_status dcnn_answers_add(dcnn_answers *answers, dcnn_names *files, dcnn_names *ids, const char *dataset,
                             bool has_files, const dcnn_evaluation *evaluation);

/** Does each stand for an image file that was named? Then a person asks. *Local.* */
bool dcnn_answers_are_of_files(const dcnn_answers *answers);

/** Does this file begin as a CSV of answers does? One whose header the user named does not: tables of true labels are
 * called so, too; nor does one of numbers that have names. *Local.* */
bool dcnn_answers_are_in(const char *path);

/**
 * Writes them all. *Local.*
 * @param output  a file; NULL: standard output
 * @param people  sentences, else a CSV
 * @return DCNN_OK; DCNN_USAGE (only_new, and a file has appeared); DCNN_FAILURE (memory, disk)
 */
dcnn_status dcnn_answers_write(dcnn_answers *answers, const char *output, bool people);

void dcnn_answers_free(dcnn_answers *answers);

#endif
