/* SPDX-License-Identifier: BSD-3-Clause */
/* test_tree.c — the fixed tree: any cut into shares gives the same additions; and the other pure arithmetic of a run.
 */
#include <math.h>
#include <stdbool.h>

#include "run/data/sampler.h"
#include "comm/tree.h"
#include "testing.h"

/* A node's sum by definition, recursively. */
static float definition(const float *leaves, int64_t count, int level, int64_t index) {
    if (level == 0) return leaves[index];
    const float left = definition(leaves, count, level - 1, 2 * index);
    const int64_t right = (2 * index + 1) << (level - 1);
    return right < count ? left + definition(leaves, count, level - 1, 2 * index + 1) : left;
}

static float push(dcnn_tree *tree, float *stack, dcnn_block block, float value, int64_t leaves) {
    int depth = tree->depth + 1;
    stack[tree->depth] = value;
    for (int m = dcnn_tree_push(tree, block, leaves); m > 0; m--, depth--) stack[depth - 2] += stack[depth - 1];
    return stack[0];
}

static void every_cut_gives_the_bits_of_the_tree(void **state) {
    (void)state;
    for (int64_t leaves = 1; leaves <= 33; leaves++) {
        float values[33];
        for (int64_t i = 0; i < leaves; i++) values[i] = (float)test_uniform(1, (size_t)i, -1, 1);
        int level = 0;
        while ((int64_t)1 << level < leaves) level++;
        const float root = definition(values, leaves, level, 0);
        for (int64_t parts = 1; parts <= 12; parts++) {
            dcnn_tree all = {0};
            float stack[DCNN_TREE_DEPTH];
            for (int64_t part = 0; part < parts; part++) {
                dcnn_tree mine = {0};
                float own[DCNN_TREE_DEPTH];
                const int64_t first = dcnn_share_first(leaves, part, parts),
                              end = dcnn_share_first(leaves, part + 1, parts);
                for (int64_t i = first; i < end; i++) push(&mine, own, (dcnn_block){0, i}, values[i], leaves);
                const dcnn_tree known = dcnn_tree_share(first, end - first, leaves);
                assert_int_equal(known.depth, mine.depth);
                for (int i = 0; i < mine.depth; i++) push(&all, stack, known.blocks[i], own[i], leaves);
            }
            assert_int_equal(all.depth, 1);
            assert_memory_equal(&stack[0], &root, sizeof root);
        }
    }
}

static void whole_subtrees_are_one_block(void **state) {
    (void)state;
    for (int64_t rank = 0; rank < 8; rank++) assert_int_equal(dcnn_tree_share(rank * 2, 2, 16).depth, 1);
    assert_int_equal(dcnn_tree_share(4, 3, 7).depth, 1);  /* the right end of an incomplete tree */
    assert_int_equal(dcnn_tree_share(1, 6, 16).depth, 4); /* 1, 2-3, 4-5, 6 */
    assert_int_equal(dcnn_tree_share(3, 0, 16).depth, 0);
}

static void an_epoch_is_a_permutation_and_another_epoch_another(void **state) {
    (void)state;
    enum { COUNT = 1003 };
    int64_t rows[COUNT], seen[COUNT] = {0}, order[2][COUNT];
    for (int64_t i = 0; i < COUNT; i++) rows[i] = i;
    const dcnn_sampler sampler = {.seed = 7, .rows = rows, .count = COUNT, .batch = 100, .accumulate = 1};
    assert_int_equal(dcnn_sampler_steps(&sampler), 11);
    assert_int_equal(dcnn_sampler_batch(&sampler, 1000), 3);
    dcnn_sampler accumulating = sampler;
    accumulating.accumulate = 4;
    assert_int_equal(dcnn_sampler_steps(&accumulating), 3);
    for (uint32_t epoch = 0; epoch < 2; epoch++) {
        int64_t at = 0;
        for (int64_t cursor = 0; cursor < COUNT; cursor += dcnn_sampler_batch(&sampler, cursor)) {
            const int64_t count = dcnn_sampler_batch(&sampler, cursor);
            dcnn_sampler_numbers(&sampler, epoch, cursor, count, order[epoch] + at);
            at += count;
        }
        assert_int_equal(at, COUNT);
        for (int64_t i = 0; i < COUNT; i++) seen[order[epoch][i]]++;
    }
    int64_t same = 0;
    for (int64_t i = 0; i < COUNT; i++) {
        assert_int_equal(seen[i], 2);
        same += order[0][i] == order[1][i];
    }
    assert_true(same < 12); /* one is expected of a random order */
}

static void shuffling_is_fair(void **state) {
    (void)state;
    enum { COUNT = 10, EPOCHS = 20000 };
    int64_t rows[COUNT], counts[COUNT][COUNT] = {{0}};
    for (int64_t i = 0; i < COUNT; i++) rows[i] = i;
    const dcnn_sampler sampler = {.seed = 11, .rows = rows, .count = COUNT, .batch = COUNT};
    for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
        int64_t order[COUNT];
        dcnn_sampler_numbers(&sampler, epoch, 0, COUNT, order);
        for (int i = 0; i < COUNT; i++) counts[i][order[i]]++;
    }
    double chi = 0;
    for (int i = 0; i < COUNT; i++)
        for (int j = 0; j < COUNT; j++) chi += pow((double)counts[i][j] - EPOCHS / 10.0, 2) / (EPOCHS / 10.0);
    assert_true(chi < 150); /* 81 degrees of freedom: mean 81, deviation 12.7 */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_gives_the_bits_of_the_tree),
        cmocka_unit_test(whole_subtrees_are_one_block),
        cmocka_unit_test(an_epoch_is_a_permutation_and_another_epoch_another),
        cmocka_unit_test(shuffling_is_fair),
    };
    return cmocka_run_group_tests_name("tree, sampler", tests, NULL, NULL);
}
