/* SPDX-License-Identifier: BSD-3-Clause */
/* classes.c — see classes.h. */
#include "io/dataset/classes.h"

#include <stdio.h>
#include <stdlib.h>

dcnn_status dcnn_class_census_take(int class_count, int64_t count, const int32_t *labels, const int64_t *rows,
                                   dcnn_class_census *census) {
    *census = (dcnn_class_census){.class_count = class_count, .least = -1, .most = -1};
    census->counts = calloc((size_t)class_count + 1, sizeof *census->counts);
    if (!census->counts) return DCNN_FAIL(DCNN_FAILURE, "out of memory for the counts of %d classes", class_count);
    for (int64_t i = 0; i < count; i++) census->counts[labels[rows ? rows[i] : i]]++;
    for (int i = 0; i < class_count; i++) {
        if (census->counts[i] == 0) continue;
        census->occurring++;
        if (census->least < 0 || census->counts[i] < census->counts[census->least]) census->least = i;
        if (census->most < 0 || census->counts[i] > census->counts[census->most]) census->most = i;
    }
    return DCNN_OK;
}

const char *dcnn_class_census_range(const dcnn_class_census *census, const char *const *names, char text[200]) {
    if (census->least < 0) return "no images";
    const long long least = census->counts[census->least], most = census->counts[census->most];
    const char *some = census->occurring < census->class_count ? " that has any" : "";
    if (least == most)
        snprintf(text, 200, "%lld image%s in each%s", least, least == 1 ? "" : "s", some);
    else
        snprintf(text, 200, "%lld ('%.60s') to %lld ('%.60s') images in each%s", least, names[census->least], most,
                 names[census->most], some);
    return text;
}

const char *dcnn_class_census_empty(const dcnn_class_census *census, const dcnn_class_census *all,
                                    const char *const *names, char text[300]) {
    enum { NAMED = 6 };
    char list[240] = "";
    size_t used = 0;
    int empty = 0;
    for (int i = 0; i < census->class_count; i++) {
        if (census->counts[i] > 0 || (all && all->counts[i] == 0)) continue;
        if (empty++ < NAMED)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s'%.30s'", used ? ", " : "", names[i]);
    }
    if (empty == 0) return NULL;
    snprintf(text, 300, "no images in %d of %d classes: %s%s", empty, all ? all->occurring : census->class_count, list,
             empty > NAMED ? ", ..." : "");
    return text;
}

void dcnn_class_census_free(dcnn_class_census *census) {
    free(census->counts);
    *census = (dcnn_class_census){0};
}
