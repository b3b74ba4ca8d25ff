/* SPDX-License-Identifier: BSD-3-Clause */
/* trace.c — see trace.h. Each rank writes its events as text; rank 0 gathers them into the file. */
#include "run/record/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/file.h"

typedef struct event {
    const char *name;
    int number;
    int64_t grain;
    double from_s, to_s;
} event;

/* One worker's events. Some thousands are more than a few steps have; what is beyond is counted. */
enum { MOST_EVENTS = 1 << 14 };

typedef struct lane {
    int count, dropped;
    event *events;
} lane;

struct dcnn_trace {
    const char *path;
    bool done;
    dcnn_spans spans;
    double began_s; /* when all ranks met */
    int workers;
    lane *lanes;
};

/* From the engine's threads, one worker's events at a time. */
static void add_event(void *context, int worker, const char *name, int number, int64_t grain, double from_s,
                      double to_s) {
    lane *own = &((dcnn_trace *)context)->lanes[worker];
    if (to_s - from_s < 1e-6) return; /* too short to be seen */
    if (own->count < MOST_EVENTS)
        own->events[own->count++] = (event){name, number, grain, from_s, to_s};
    else
        own->dropped++;
}

dcnn_status dcnn_trace_create(const char *path, int workers, dcnn_trace **out) {
    dcnn_trace *trace = *out = calloc(1, sizeof *trace);
    if (trace) trace->lanes = calloc((size_t)workers, sizeof *trace->lanes);
    bool good = trace && trace->lanes;
    for (int i = 0; good && i < workers; i++) {
        trace->lanes[i].events = calloc(MOST_EVENTS, sizeof(event));
        trace->workers = i + 1;
        good = trace->lanes[i].events != NULL;
    }
    if (!good) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a trace");
    trace->spans = (dcnn_spans){.add = add_event, .context = trace};
    trace->path = path;
    return DCNN_OK;
}

void dcnn_trace_free(dcnn_trace *trace) {
    if (trace == NULL) return;
    for (int i = 0; trace->lanes && i < trace->workers; i++) free(trace->lanes[i].events);
    free(trace->lanes);
    free(trace);
}

const dcnn_spans *dcnn_trace_spans(const dcnn_trace *trace) {
    return trace ? &trace->spans : NULL;
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

static void print_event(FILE *out, const dcnn_trace *trace, int rank, int worker, const event *e) {
    char number[16] = "", grain[48] = "";
    if (e->number >= 0) snprintf(number, sizeof number, " %d", e->number);
    if (e->grain >= 0) snprintf(grain, sizeof grain, ",\"args\":{\"grain\":%lld}", (long long)e->grain);
    fprintf(out, ",\n{\"name\":\"%s%s\",\"ph\":\"X\",\"pid\":%d,\"tid\":%d,\"ts\":%.3f,\"dur\":%.3f%s}", e->name,
            number, rank, worker, 1e6 * (e->from_s - trace->began_s), 1e6 * (e->to_s - e->from_s), grain);
}

static const char beginning[] = "[\n{\"name\":\"process_name\",";

bool dcnn_trace_is(const char *path) {
    char text[sizeof beginning] = "";
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    const size_t got = fread(text, 1, sizeof beginning - 1, file);
    fclose(file);
    return got == sizeof beginning - 1 && memcmp(text, beginning, got) == 0;
}

/* This rank's events; the first says its name. */
static char *print_rank(const dcnn_trace *trace, int rank, size_t *length) {
    char *text = NULL, host[256] = "?";
    FILE *out = open_memstream(&text, length);
    if (out == NULL) return NULL;
    gethostname(host, sizeof host - 1);
    fputs(beginning, out);
    fprintf(out, "\"ph\":\"M\",\"pid\":%d,\"args\":{\"name\":\"rank %d on %s\"}}", rank, rank, host);
    fprintf(out, ",\n{\"name\":\"process_sort_index\",\"ph\":\"M\",\"pid\":%d,\"args\":{\"sort_index\":%d}}", rank,
            rank);
    for (int worker = 0; worker < trace->workers; worker++) {
        const lane *own = &trace->lanes[worker];
        for (int i = 0; i < own->count; i++) print_event(out, trace, rank, worker, &own->events[i]);
        if (own->dropped > 0) dcnn_warn("%s: %d events of rank %d are left out", trace->path, own->dropped, rank);
    }
    if (fclose(out) == 0) {
        if (rank > 0) text[0] = ','; /* behind the ranks before it */
        return text;
    }
    free(text);
    return NULL;
}

static dcnn_status write_trace(dcnn_trace *trace, dcnn_comm *comm) {
    const int rank = dcnn_comm_rank(comm), size = dcnn_comm_size(comm);
    size_t length = 0, total = 0;
    char *mine = print_rank(trace, rank, &length), *all = NULL;
    int64_t *lengths = calloc((size_t)size, sizeof *lengths);
    dcnn_status status = mine && lengths ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: a trace");
    DCNN_TRY_DONE(dcnn_comm_agree(comm, status));
    lengths[rank] = (int64_t)length;
    dcnn_comm_add_integers(comm, lengths, size);
    for (int i = 0; i < size; i++) total += (size_t)lengths[i];
    if (rank == 0) all = malloc(total + 3);
    status = rank > 0 || all ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: a trace of %zu bytes", total);
    DCNN_TRY_DONE(dcnn_comm_agree(comm, status));
    dcnn_comm_gather(comm, mine, (int64_t)length, all, lengths);
    if (rank == 0) {
        memcpy(all + total, "\n]\n", 3);
        status = dcnn_file_write(trace->path, all, total + 3, false);
    }
    status = dcnn_comm_agree(comm, status);
done:
    free(mine);
    free(all);
    free(lengths);
    return status;
}

dcnn_status dcnn_trace_step(dcnn_trace *trace, dcnn_comm *comm, int64_t step) {
    if (trace == NULL || trace->done) return DCNN_OK;
    if (step == DCNN_TRACE_FIRST) {
        DCNN_TRY(dcnn_comm_agree(comm, DCNN_OK)); /* all ranks leave it within microseconds */
        trace->began_s = dcnn_now_s();
        trace->spans.on = true;
    }
    if (step < DCNN_TRACE_FIRST + DCNN_TRACE_STEPS) return DCNN_OK;
    if (!trace->spans.on)
        dcnn_warn("%s: no trace: it covers steps %d to %d of a start, and this one had fewer", trace->path,
                  DCNN_TRACE_FIRST, DCNN_TRACE_FIRST + DCNN_TRACE_STEPS - 1);
    if (!trace->spans.on) return DCNN_OK;
    trace->spans.on = false;
    trace->done = true;
    return write_trace(trace, comm);
}
