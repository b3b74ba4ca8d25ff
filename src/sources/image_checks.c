/* SPDX-License-Identifier: BSD-3-Clause */
/* image_checks.c — see image_checks.h. */
#include "sources/image_checks.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "sources/source_private.h"

enum { NEARLY = 8 /* of 255: the noise of a JPEG of one colour */ };

dcnn_status dcnn_image_checks_note(dcnn_image_checks *checks, int64_t count, int h, int w, int c,
                                   const uint8_t *pixels) {
    const size_t area = (size_t)h * (size_t)w, size = area * (size_t)c;
    if (checks->count + count > checks->room) {
        const int64_t room = 2 * (checks->count + count);
        void *longer = realloc(checks->prints, (size_t)room * sizeof *checks->prints);
        if (!longer) return DCNN_FAIL(DCNN_FAILURE, "out of memory for the checksums of %lld images", (long long)room);
        checks->prints = longer;
        checks->room = room;
    }
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *image = pixels + (size_t)i * size;
        int widest = 0;
        for (int channel = 0; channel < c; channel++) {
            int least = 255, most = 0;
            for (size_t j = 0; j < area; j++) {
                const int value = image[j * (size_t)c + (size_t)channel];
                least = value < least ? value : least;
                most = value > most ? value : most;
            }
            widest = most - least > widest ? most - least : widest;
        }
        checks->constant += widest == 0;
        checks->blank += widest > 0 && widest <= NEARLY;
        checks->prints[checks->count] = (struct dcnn_print){XXH3_64bits(image, size), checks->count};
        checks->count++;
    }
    return DCNN_OK;
}

uint64_t dcnn_image_checks_checksum(const dcnn_image_checks *checks) {
    XXH64_hash_t sum = 0;
    for (int64_t i = 0; i < checks->count; i++) sum = XXH3_64bits_withSeed(&checks->prints[i].hash, 8, sum);
    return sum;
}

static int by_hash(const void *a, const void *b) {
    const struct dcnn_print *left = a, *right = b;
    if (left->hash != right->hash) return left->hash < right->hash ? -1 : 1;
    return left->row < right->row ? -1 : left->row > right->row;
}

/* Of one group of identical images. */
typedef struct tally {
    int64_t again;   /* more than the first of each */
    int64_t across;  /* groups that are in two splits */
    int64_t against; /* groups under two labels */
} tally;

static void add_group(const struct dcnn_print *group, int64_t count, const int32_t *labels, const uint8_t *split_of,
                      tally *all) {
    bool across = false, against = false;
    for (int64_t i = 1; i < count; i++) {
        across = across || split_of[group[i].row] != split_of[group[0].row];
        against = against || (labels && labels[group[i].row] != labels[group[0].row]);
    }
    all->again += count - 1;
    all->across += across;
    all->against += against;
}

dcnn_status dcnn_image_checks_tell(dcnn_image_checks *checks, const int32_t *labels, int split_count,
                                   const dcnn_split *splits, const dcnn_source_options *options) {
    uint8_t *split_of = calloc((size_t)checks->count + 1, 1);
    if (!split_of)
        return DCNN_FAIL(DCNN_FAILURE, "out of memory for the splits of %lld images", (long long)checks->count);
    for (int i = 0; i < split_count; i++)
        for (int64_t j = 0; j < splits[i].count; j++) split_of[splits[i].rows[j]] = (uint8_t)(i + 1);
    if (checks->count > 1) qsort(checks->prints, (size_t)checks->count, sizeof *checks->prints, by_hash);
    tally all = {0};
    for (int64_t begin = 0, end; begin < checks->count; begin = end) {
        for (end = begin + 1; end < checks->count && checks->prints[end].hash == checks->prints[begin].hash;) end++;
        add_group(checks->prints + begin, end - begin, labels, split_of, &all);
    }
    free(split_of);
    dcnn_count_text count;
    const struct {
        int64_t count;
        const char *one, *many;
    } lines[] = {{all.again, "image repeats another one exactly", "images repeat others exactly"},
                 {all.across, "of these images is in two splits, so it is both trained on and tested on",
                  "of these images are in two splits, so they are both trained on and tested on"},
                 {all.against, "of these images has two different labels", "of these images have two different labels"},
                 {checks->constant, "image is of one colour throughout", "images are of one colour throughout"},
                 {checks->blank, "image is nearly blank", "images are nearly blank"}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (lines[i].count > 0)
            dcnn_source_tell(options, "%s %s", dcnn_count(lines[i].count, &count),
                             lines[i].count == 1 ? lines[i].one : lines[i].many);
    return DCNN_OK;
}

void dcnn_image_checks_free(dcnn_image_checks *checks) {
    free(checks->prints);
    *checks = (dcnn_image_checks){0};
}
