/* SPDX-License-Identifier: BSD-3-Clause */
/* wrap.c — see wrap.h. */
#include "cli/wrap.h"

#include <string.h>

/* Characters of so many bytes of UTF-8: those that do not continue one. */
static int width_of(const char *text, int bytes) {
    int width = 0;
    for (int i = 0; i < bytes; i++) width += ((unsigned char)text[i] & 0xC0) != 0x80;
    return width;
}

void dcnn_wrap(FILE *to, int columns, int column, int indent, const char *words) {
    const char *word = words;
    for (;;) {
        const int gap = (int)strspn(word, " ");
        word += gap;
        const int bytes = (int)strcspn(word, " "), width = width_of(word, bytes);
        if (bytes == 0) break;
        if (column > indent && column + gap + width > columns - 1) {
            fprintf(to, "\n%*s", indent, "");
            column = indent;
        } else if (word > words) {
            fprintf(to, "%*s", gap, "");
            column += gap;
        }
        fprintf(to, "%.*s", bytes, word);
        column += width;
        word += bytes;
    }
    fputc('\n', to);
}
