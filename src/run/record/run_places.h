/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file run_places.h — the places of a run's files, in which nothing may stand that is none.
 *
 * A FIFO there would wait for ever, for a reader or for a writer who never comes; a device or a socket would lose what
 * is written to it; a folder, or a link that leads nowhere, would end the training where the file is first written.
 * Outputs that a user names may be such (io/output.h), what a run keeps may not.
 */
#ifndef DCNN_RUN_RUN_PLACES_H
#define DCNN_RUN_RUN_PLACES_H

#include <dirent.h>
#include <stdbool.h>

#include "base/status.h"

/** Refuses what is neither a file nor nothing at FOLDER/NAME. *Local.* @return DCNN_OK, DCNN_BAD_INPUT */
dcnn_status dcnn_run_place_check(const char *folder, const char *name);

/** The same for each place of a run's files, those of its report too; and what is no folder in the place of one.
 * *Local.*
 * @param removed  the run's files are to be removed first: what can be is no matter
 * @return DCNN_OK, DCNN_BAD_INPUT, DCNN_FAILURE (memory) */
dcnn_status dcnn_run_places_check(const char *folder, bool removed);

/** Is this, at the top of a run's folder, the run's own? */
typedef bool dcnn_own_name(const struct dirent *entry);

/** The first picture of a folder and of those in it, as folders of classes lie (root, class; or root, split, class),
 * but for the run's `own`, among the first 10,000 names. *Local.* @return its name, to be freed; NULL: none */
char *dcnn_run_places_picture(const char *folder, dcnn_own_name *own);

#endif
