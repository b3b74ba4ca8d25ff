/* SPDX-License-Identifier: BSD-3-Clause */
/** @file page.h — one self-contained HTML page of a run: figures inside, no scripts, light and dark, good in print. */
#ifndef DCNN_REPORT_PAGE_H
#define DCNN_REPORT_PAGE_H

#include "report/figures/figures.h"

/** A figure that has been drawn. */
typedef struct dcnn_drawn {
    const dcnn_figure *figure; /**< NULL: there were no data for it */
    double width, height;
    uint8_t *png, *svg; /**< owned */
    size_t png_length, svg_length;
} dcnn_drawn;

/** The page as text. *Local.* @param drawn [count] @return malloc'd, or NULL without memory */
char *dcnn_page_text(const dcnn_view *view, int count, const dcnn_drawn *drawn);

#endif
