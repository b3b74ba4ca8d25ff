/* SPDX-License-Identifier: BSD-3-Clause */
/* text.c — see text.h. */
#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* Bytes of the UTF-8 character there, and its number; 0 bytes: there is none. */
static int decode(const unsigned char *at, uint32_t *character) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* of so many bytes: no longer form is allowed */
    const int bytes = at[0] < 0x80 ? 1 : at[0] >> 5 == 6 ? 2 : at[0] >> 4 == 14 ? 3 : at[0] >> 3 == 30 ? 4 : 0;
    if (bytes == 0) return 0;
    *character = bytes == 1 ? at[0] : at[0] & (0xffu >> (bytes + 1));
    for (int i = 1; i < bytes; i++) {
        if (at[i] >> 6 != 2) return 0;
        *character = *character << 6 | (at[i] & 0x3fu);
    }
    const bool surrogate = *character >= 0xd800 && *character <= 0xdfff;
    return *character >= least[bytes] && *character <= 0x10ffff && !surrogate ? bytes : 0;
}

static bool is_harmful(uint32_t c) {
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ||
           c == 0x2028 || c == 0x2029;
}

bool dcnn_text_clean(char *text) {
    bool changed = false;
    unsigned char *to = (unsigned char *)text;
    for (const unsigned char *at = to; *at != '\0';) {
        uint32_t character = 0;
        const int bytes = decode(at, &character);
        if (bytes > 0 && !is_harmful(character)) {
            for (int i = 0; i < bytes; i++) *to++ = *at++;
        } else {
            *to++ = '?';
            at += bytes > 0 ? bytes : 1;
            changed = true;
        }
    }
    *to = '\0';
    return changed;
}

bool dcnn_text_is_utf8(const char *text) {
    uint32_t character;
    for (int bytes; *text; text += bytes)
        if ((bytes = decode((const unsigned char *)text, &character)) == 0) return false;
    return true;
}

const char *dcnn_shell_word(const char *word, char *text, size_t room) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%";
    if ((word[0] != '\0' && word[strspn(word, plain)] == '\0') || 4 * strlen(word) + 3 > room) return word;
    char *to = text;
    *to++ = '\'';
    for (const char *p = word; *p; p++) {
        if (*p == '\'') {
            memcpy(to, "'\\'", 3);
            to += 3;
        }
        *to++ = *p;
    }
    *to++ = '\'';
    *to = '\0';
    return text;
}

int dcnn_word_find(const char *const names[], int count, const char *word) {
    int at = 0;
    while (at < count && strcmp(names[at], word) != 0) at++;
    return at;
}

const char *dcnn_bytes_text(uint64_t bytes, char text[32]) {
    if (bytes < (uint64_t)1 << 20)
        snprintf(text, 32, "%.1f KiB", (double)bytes / 1024.0);
    else if (bytes < (uint64_t)1 << 30)
        snprintf(text, 32, "%.1f MiB", (double)bytes / 1048576.0);
    else
        snprintf(text, 32, "%.1f GiB", (double)bytes / 1073741824.0);
    return text;
}
