/* SPDX-License-Identifier: BSD-3-Clause */
/* dataset_classes.c — a data set's labels in the order of a model's classes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "io/dataset/dataset.h"
#include "io/hdf5/hdf5.h"

bool dcnn_classes_are_numbers(int count, char *const names[]) {
    char number[16];
    for (int i = 0; i < count; i++) {
        snprintf(number, sizeof number, "%d", i);
        if (strcmp(names[i], number) != 0) return false;
    }
    return true;
}

static bool are_same(int count, char *const a[], char *const b[]) {
    for (int i = 0; i < count; i++)
        if (strcmp(a[i], b[i]) != 0) return false;
    return true;
}

static char **copy_names(int count, char *const names[]) {
    char **copy = calloc((size_t)count, sizeof *copy);
    for (int i = 0; copy && i < count; i++)
        if (!(copy[i] = strdup(names[i]))) {
            dcnn_h5_names_free(count, copy);
            return NULL;
        }
    return copy;
}

/* Who does not name its classes: the data set or the model, by numbers, or the model, by nothing at all. */
typedef enum unnamed { SET_NUMBERED, MODEL_NUMBERED, MODEL_SILENT } unnamed;

/* Who counts on another order must learn of this one. */
static void tell_order(const dcnn_dataset *set, const char *model, unnamed which, int count, char *const names[]) {
    char begin[160] = "";
    for (int i = 0, length = 0; i < count && i < 2; i++)
        length +=
            snprintf(begin + length, sizeof begin - (size_t)length, "%s%d is '%.60s'", i ? ", " : "", i, names[i]);
    const char *more = count > 2 ? ", ..." : "";
    if (which == MODEL_SILENT)
        dcnn_info("%s: %s does not name its classes, so these are taken for its outputs in their order: %s%s",
                  set->path, model, begin, more);
    else if (which == SET_NUMBERED)
        dcnn_info("%s: its classes are numbers, taken as those of %s in their order: %s%s", set->path, model, begin,
                  more);
    else
        dcnn_info("%s: the classes of %s are numbers, taken as its own in their order: %s%s", set->path, model, begin,
                  more);
}

/* Names of some of the model's classes, and the model has none: those in between are not known, nor is any place. */
static dcnn_status refuse_some(const dcnn_dataset *set, const char *model, int count) {
    return DCNN_FAIL(
        DCNN_BAD_INPUT,
        "%s has %d class%s with names ('%.60s'%s), of %d that have only numbers in %s, and nothing says which "
        "of them these are: call each class by its number there",
        set->path, set->class_count, set->class_count == 1 ? "" : "es", set->class_names[0],
        set->class_count > 1 ? ", ..." : "", count, model);
}

static int place_of(int count, char *const names[], const char *name) {
    int place = 0;
    while (place < count && strcmp(names[place], name) != 0) place++;
    return place;
}

/* Does the model have a class of each of these names? Then they are those, whatever else they might be. */
static bool are_known(const dcnn_dataset *set, int count, char *const names[]) {
    for (int i = 0; i < set->class_count; i++)
        if (place_of(count, names, set->class_names[i]) == count) return false;
    return true;
}

/* By name; `numbered` in their order. */
static dcnn_status find_places(const dcnn_dataset *set, bool numbered, int count, char *const names[],
                               const char *model, int32_t *map) {
    for (int i = 0; i < set->class_count; i++) {
        const int place = numbered ? i : place_of(count, names, set->class_names[i]);
        map[i] = place;
        if (place == count)
            return DCNN_FAIL(
                DCNN_BAD_INPUT, "%s has the class '%.60s', which %s does not know: its classes are '%.60s', '%.60s'%s",
                set->path, set->class_names[i], model, names[0], names[count > 1], count > 2 ? ", ..." : "");
        const int next = place + 1;
        if (!numbered && (place_of(i, set->class_names, set->class_names[i]) < i ||
                          next + place_of(count - next, names + next, names[place]) < count))
            return DCNN_FAIL(
                DCNN_BAD_INPUT,
                "%s: its classes are in another order than those of %s, and two are called '%.60s', so they "
                "cannot be told apart by their names",
                set->path, model, set->class_names[i]);
    }
    return DCNN_OK;
}

/* Some of a silent model's classes, which are those that are called by its numbers. */
static dcnn_status adopt_numbers(dcnn_dataset *set, int count, const char *model) {
    char **numbers = calloc((size_t)count, sizeof *numbers);
    bool made = numbers != NULL;
    for (int i = 0; made && i < count; i++) {
        if (asprintf(&numbers[i], "%d", i) < 0) numbers[i] = NULL;
        made = numbers[i] != NULL;
    }
    const dcnn_status status = !made ? DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for its classes", set->path)
                               : are_known(set, count, numbers) ? dcnn_dataset_adopt_classes(set, count, numbers, model)
                                                                : refuse_some(set, model, count);
    if (numbers) dcnn_h5_names_free(count, numbers);
    return status;
}

dcnn_status dcnn_dataset_adopt_classes(dcnn_dataset *set, int count, char *const names[], const char *model) {
    if (count == 0 || set->class_count == 0 || !set->class_names || set->label_map) return DCNN_OK;
    if (!names) {
        if (set->class_count > count || dcnn_classes_are_numbers(set->class_count, set->class_names)) return DCNN_OK;
        if (set->class_count < count) return adopt_numbers(set, count, model);
        tell_order(set, model, MODEL_SILENT, count, set->class_names);
        return DCNN_OK;
    }
    const bool fits = set->class_count <= count, by_order = fits && !are_known(set, count, names),
               numbered = by_order && dcnn_classes_are_numbers(set->class_count, set->class_names);
    if (fits && are_same(set->class_count, names, set->class_names)) return DCNN_OK;
    if (by_order && dcnn_classes_are_numbers(count, names)) {
        if (set->class_count < count) return refuse_some(set, model, count);
        tell_order(set, model, MODEL_NUMBERED, set->class_count, set->class_names);
        return DCNN_OK;
    }
    int32_t *map = malloc((size_t)set->class_count * sizeof *map);
    char **adopted = copy_names(count, names);
    const dcnn_status status = map && adopted ? find_places(set, numbered, count, names, model, map)
                                              : DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for its classes", set->path);
    if (status != DCNN_OK) {
        free(map);
        if (adopted) dcnn_h5_names_free(count, adopted);
        return status;
    }
    if (numbered)
        tell_order(set, model, SET_NUMBERED, count, names);
    else
        dcnn_info("%s: its classes are in another order than those of %s: mapped by name", set->path, model);
    dcnn_h5_names_free(set->class_count, set->class_names);
    set->labels_on_disk = set->class_count;
    set->label_map = map;
    set->class_names = adopted;
    set->class_count = count;
    return DCNN_OK;
}
