/* SPDX-License-Identifier: BSD-3-Clause */
/** @file page_pieces.h — what the files of the page share. */
#ifndef DCNN_REPORT_PAGE_PIECES_H
#define DCNN_REPORT_PAGE_PIECES_H

#include <stdio.h>

#include "report/figures/figures.h"

/** A text, with HTML's own characters escaped. */
void dcnn_page_write(FILE *out, const char *text);

/** A table of how many samples of each class each split has; nothing where there are hundreds of classes. */
void dcnn_page_distribution(FILE *out, const dcnn_view *view);

/** A table of the pairs of classes that are confused most often; nothing where none is. */
void dcnn_page_confusions(FILE *out, const dcnn_view *view);

/** Samples of the split whose class is among the `top` likeliest. *Local.* */
int64_t dcnn_top_hits(const dcnn_report_data *data, int top);

#endif
