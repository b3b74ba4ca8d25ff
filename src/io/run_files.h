/* SPDX-License-Identifier: BSD-3-Clause */
/** @file run_files.h — what lies in a run's folder, each name once: for who writes it, and for who reads it. */
#ifndef DCNN_IO_RUN_FILES_H
#define DCNN_IO_RUN_FILES_H

#define DCNN_RUN_RECORD        "run.json"    /* how each start was called, on what */
#define DCNN_RUN_LOCK          "run.lock"    /* whose it is, while a training is at work (guard/run_lock.h) */
#define DCNN_RUN_RESULT        "result.json" /* what it came to */
#define DCNN_RUN_BEST          "best.h5"
#define DCNN_RUN_CHECKPOINTS   "checkpoints"
#define DCNN_RUN_METRICS       "metrics.jsonl" /* a line an epoch */
#define DCNN_RUN_CSV           "metrics.csv"   /* the same with the columns of Keras' CSVLogger */
#define DCNN_RUN_STEPS         "steps.jsonl"
#define DCNN_RUN_HISTOGRAMS    "histograms.jsonl"
#define DCNN_RUN_PAGE          "report.html"
#define DCNN_RUN_EVALUATION    "evaluation.json" /* the report's figures, for programs */
#define DCNN_RUN_FIGURES       "figures"
#define DCNN_RUN_EVENTS        "events.out.tfevents.dcnn"
#define DCNN_RUN_MEMBER        "member-"  /* and a number: the run of a network of an ensemble */
#define DCNN_RUN_TRIAL         "trial-"   /* and a number: the run of a trial of dcnn tune */
#define DCNN_RUN_RUNG          "-epochs-" /* and a number, behind that: a trial of fewer epochs */
#define DCNN_RUN_TRIALS_CSV    "trials.csv"
#define DCNN_RUN_TRIALS_FIGURE "trials.png"

/* The files at the top of a run's folder, beside its record and its lock: what the training itself writes, and what is
 * made of that. */
#define DCNN_RUN_OF_TRAINING                                                                                           \
    DCNN_RUN_RESULT, DCNN_RUN_CSV, DCNN_RUN_METRICS, DCNN_RUN_STEPS, DCNN_RUN_HISTOGRAMS, DCNN_RUN_BEST
#define DCNN_RUN_MADE_OF_IT                                                                                            \
    DCNN_RUN_PAGE, DCNN_RUN_EVALUATION, DCNN_RUN_EVENTS, DCNN_RUN_TRIALS_CSV, DCNN_RUN_TRIALS_FIGURE

#endif
