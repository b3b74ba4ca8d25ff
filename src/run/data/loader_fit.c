/* SPDX-License-Identifier: BSD-3-Clause */
/* loader_fit.c — what becomes of images that are brought to a model's size and colours. */
#include <stdio.h>

#include "base/log.h"
#include "run/data/loader.h"

void dcnn_loader_fit_channels(int from, int to, const double *values, double *fitted) {
    double sum = 0.0;
    for (int c = 0; c < from; c++) sum += values[c] / from;
    for (int c = 0; c < to; c++) fitted[c] = from == to ? values[c] : from == 1 ? values[0] : sum;
}

/* dcnn prepare makes grey images of coloured ones, never the other way round. */
void dcnn_loader_tell_fit(const dcnn_loader *l, const dcnn_dataset *d) {
    const bool sized = d->h != l->h || d->w != l->w, greyed = l->c < d->c;
    char advice[160] = "", size[48] = "";
    if (sized) snprintf(size, sizeof size, " --size %dx%d", l->h, l->w);
    if (sized || greyed)
        snprintf(advice, sizeof advice, "; dcnn prepare%s%s makes them %s from the originals", size,
                 greyed ? " --gray" : "", l->c > d->c ? "of that size" : "so");
    dcnn_info("input images of %dx%dx%d are brought to the model's %dx%dx%d%s%s%s", d->h, d->w, d->c, l->h, l->w, l->c,
              d->h * l->w == d->w * l->h ? "" : ", their middle",
              greyed        ? ", in grey"
              : l->c > d->c ? ", the same grey in each colour"
                            : "",
              advice);
}
