/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file tree.h — one fixed binary tree over the grains of a batch, whoever holds them (law 2).
 *
 * Leaves are grains 0..leaves-1; node (level, i) is the sum of nodes (level - 1, 2i) and (level - 1, 2i + 1), or the
 * left one alone where the right one has no leaf. A contiguous share of grains makes a few whole subtrees, its
 * *blocks*; blocks of neighbouring shares, pushed in order, merge into larger ones until the root is left. With 7
 * grains on 3 ranks:
 *
 *     grain    0   1   2   3   4   5   6
 *     rank     0   0   1   1   2   2   2
 *     blocks   (1,0)   (1,1)   (2,1)              = 3 vectors on the wire
 *     root     ((0+1) + (2+3)) + ((4+5) + 6)      on 1 rank, 3 ranks or 7
 *
 * Only additions a + b happen, and a + b = b + a in floating point, so the bits are those of the tree.
 */
#ifndef DCNN_COMM_TREE_H
#define DCNN_COMM_TREE_H

#include <stdint.h>

/** A whole subtree: node `index` of `level`. */
typedef struct dcnn_block {
    int level;
    int64_t index;
} dcnn_block;

enum { DCNN_TREE_DEPTH = 48 };

/** The blocks of a growing contiguous share, left to right. Zero it to begin. */
typedef struct dcnn_tree {
    int depth;
    dcnn_block blocks[DCNN_TREE_DEPTH];
} dcnn_tree;

/**
 * Appends the next block to the right and merges. *Local.*
 * @return how many times the caller must now add its last vector into the one before it, dropping the last
 */
int dcnn_tree_push(dcnn_tree *tree, dcnn_block block, int64_t leaves);

/** The blocks of the share [first, first + count) of `leaves` grains. *Local.* */
dcnn_tree dcnn_tree_share(int64_t first, int64_t count, int64_t leaves);

/** First grain of share `part` of `parts`: contiguous, sizes differ by at most one. *Local.* */
static inline int64_t dcnn_share_first(int64_t total, int64_t part, int64_t parts) {
    return total * part / parts;
}

#endif
