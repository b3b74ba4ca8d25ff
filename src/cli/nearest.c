/* SPDX-License-Identifier: BSD-3-Clause */
/* nearest.c — see nearest.h. */
#include "cli/nearest.h"

#include <stddef.h>
#include <string.h>

enum { MOST_LETTERS = 63 };

static int smaller(int a, int b) {
    return a < b ? a : b;
}

static int letters(const char *word) {
    return (int)strnlen(word, MOST_LETTERS);
}

int dcnn_name_distance(const char *a, const char *b) {
    int rows[3][MOST_LETTERS + 1]; /* of the table of distances between beginnings: two back, one back, now */
    const int m = letters(a), n = letters(b);
    for (int j = 0; j <= n; j++) rows[0][j] = j;
    for (int i = 1; i <= m; i++) {
        int *now = rows[i % 3], *before = rows[(i + 2) % 3], *two_before = rows[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= n; j++) {
            now[j] = smaller(smaller(before[j], now[j - 1]) + 1, before[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = smaller(now[j], two_before[j - 2] + 1);
        }
    }
    return rows[m % 3][n];
}

const char *dcnn_nearest_name(const char *word, int count, const char *const *names) {
    const char *best = NULL;
    int least = letters(word) / 3 > 2 ? letters(word) / 3 + 1 : 3; /* one more than is allowed */
    for (int i = 0; i < count; i++) {
        const int distance = dcnn_name_distance(word, names[i]);
        if (distance >= least || distance >= letters(names[i])) continue;
        least = distance;
        best = names[i];
    }
    return best;
}
