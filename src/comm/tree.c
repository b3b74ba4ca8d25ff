/* SPDX-License-Identifier: BSD-3-Clause */
/* tree.c — which blocks merge; pure arithmetic. */
#include "comm/tree.h"

#include <stddef.h>

int dcnn_tree_push(dcnn_tree *tree, dcnn_block block, int64_t leaves) {
    int merges = 0;
    for (;; block = (dcnn_block){block.level + 1, block.index / 2}) {
        const dcnn_block *left = tree->depth > 0 ? &tree->blocks[tree->depth - 1] : NULL;
        if (block.index % 2 == 1) { /* a right child: merges if its sibling is ours */
            if (left == NULL || left->level != block.level || left->index != block.index - 1) break;
            tree->depth--;
            merges++;
        } else if (block.index == 0 || (block.index + 1) << block.level < leaves) {
            break; /* a left child waits for its sibling; the root has none */
        }          /* else: a left child without sibling is its parent */
    }
    tree->blocks[tree->depth++] = block;
    return merges;
}

dcnn_tree dcnn_tree_share(int64_t first, int64_t count, int64_t leaves) {
    dcnn_tree tree = {0};
    for (int64_t at = first, end = first + count; at < end;) { /* the largest whole subtrees, from the left */
        int level = 0;
        while (at % ((int64_t)2 << level) == 0 && at + ((int64_t)2 << level) <= end) level++;
        dcnn_tree_push(&tree, (dcnn_block){level, at >> level}, leaves);
        at += (int64_t)1 << level;
    }
    return tree;
}
