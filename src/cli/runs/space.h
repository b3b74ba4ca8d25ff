/* SPDX-License-Identifier: BSD-3-Clause */
/** @file space.h — the options that a search varies, and the values that it tries. */
#ifndef DCNN_CLI_SPACE_H
#define DCNN_CLI_SPACE_H

#include "cli/options.h"

/* How points are chosen: X(ID, --search's word). */
#define DCNN_SEARCHES(X) X(GRID, "grid") X(RANDOM, "random") X(HALVING, "halving")

#define DCNN_SEARCH_ID(id, word) DCNN_SEARCH_##id,
typedef enum dcnn_search { DCNN_SEARCHES(DCNN_SEARCH_ID) DCNN_SEARCH_COUNT } dcnn_search;
#undef DCNN_SEARCH_ID

enum { DCNN_MOST_DIMENSIONS = 16, DCNN_MOST_VALUES = 64, DCNN_VALUE_BYTES = 128 };

/** One option, and what it may be: a list, or anything between two ends. */
typedef struct dcnn_dimension {
    const dcnn_option *option;
    int count; /**< of values; 0: a range */
    char values[DCNN_MOST_VALUES][DCNN_VALUE_BYTES];
    double low, high;
    bool logarithmic; /**< equal ratios are equally likely */
} dcnn_dimension;

typedef struct dcnn_space {
    int count;
    dcnn_dimension dimensions[DCNN_MOST_DIMENSIONS];
} dcnn_space;

/**
 * Adds "NAME=a,b,c", "NAME=LOW:HIGH", "NAME=LOW:HIGH:log", or either with a number of points, "NAME=LOW:HIGH:5".
 * *Local.*
 * @return DCNN_OK; DCNN_USAGE: no such option of dcnn train, or values that it does not take
 */
dcnn_status dcnn_space_add(dcnn_space *space, const char *text);

/** Adds the lines of a file; empty ones and those behind # are skipped. *Local.* @return as above; DCNN_BAD_INPUT */
dcnn_status dcnn_space_read(dcnn_space *space, const char *path);

/** Points of the grid. *Local.* @return DCNN_USAGE: some option has a range, not a list; or there are too many */
dcnn_status dcnn_space_grid(const dcnn_space *space, int *points);

/** The value of a dimension at a point of the grid, or at a random one, a pure function of seed and number. *Local.*
 * @param text  out */
void dcnn_space_grid_value(const dcnn_space *space, int point, int dimension, char text[DCNN_VALUE_BYTES]);
void dcnn_space_random_value(const dcnn_space *space, uint64_t seed, int number, int dimension,
                             char text[DCNN_VALUE_BYTES]);

#endif
