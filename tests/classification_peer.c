/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * classification_peer.c — the peer of tools/check_sklearn: reads confusion matrices from standard input, each as its
 * number of classes, the classes' names, and its counts row by row; writes each one's report as text, then as JSON on
 * one line. A name is a word.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/classification.h"

enum { MOST_CLASSES = 1000 };

static bool read_names(int count, char (*words)[64], const char **names) {
    for (int i = 0; i < count; i++) {
        names[i] = words[i];
        if (scanf("%63s", words[i]) != 1) return false;
    }
    return true;
}

static bool read_counts(int count, int64_t *confusion) {
    for (int i = 0; i < count * count; i++)
        if (scanf("%" SCNd64, &confusion[i]) != 1) return false;
    return true;
}

static bool write_report(int count, const int64_t *confusion, const char *const *names) {
    dcnn_classification scores;
    if (dcnn_classification_create(count, confusion, &scores) != DCNN_OK) return false;
    char *text = dcnn_classification_text(&scores, names);
    json_t *json = dcnn_classification_json(&scores, names);
    const bool good = text && json;
    if (good) {
        fputs(text, stdout);
        json_dumpf(json, stdout, JSON_COMPACT);
        putchar('\n');
    }
    json_decref(json);
    free(text);
    dcnn_classification_free(&scores);
    return good;
}

int main(void) {
    static char words[MOST_CLASSES][64];
    static const char *names[MOST_CLASSES];
    int count;
    while (scanf("%d", &count) == 1) {
        if (count < 1 || count > MOST_CLASSES) return 3;
        int64_t *confusion = calloc((size_t)(count * count), sizeof *confusion);
        const bool good = confusion && read_names(count, words, names) && read_counts(count, confusion) &&
                          write_report(count, confusion, names);
        free(confusion);
        if (!good) return 3;
    }
    return 0;
}
