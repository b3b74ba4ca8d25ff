/* SPDX-License-Identifier: BSD-3-Clause */
/* events.c — see events.h. The messages are protobuf-c's, made from tensorboard.proto. */
#include "report/events.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <jansson.h>

#include "io/file.h"
#include "io/input.h"
#include "report/curves.h"
#include "report/record.h"
#include "tensorboard.pb-c.h"
#include "io/run_files.h"

enum { MOST_BINS = 256, TAG_BYTES = 160, MOST_VALUES = DCNN_CURVE_COUNT + DCNN_MAX_PHASES };

static double now_s(void) {
    struct timeval now;
    gettimeofday(&now, NULL);
    return (double)now.tv_sec + 1e-6 * (double)now.tv_usec;
}

/* --- events as bytes -------------------------------------------------------------------------------------------- */

static void append_event(dcnn_records *records, const DcnnTb__Event *event) {
    const size_t length = dcnn_tb__event__get_packed_size(event);
    uint8_t *payload = malloc(length + 1);
    if (payload == NULL) {
        records->failed = true;
        return;
    }
    dcnn_tb__event__pack(event, payload);
    dcnn_records_append(records, payload, length);
    free(payload);
}

static void append_version(dcnn_records *records, double wall_time) {
    static char version[] = "brain.Event:2";
    DcnnTb__Event event = DCNN_TB__EVENT__INIT;
    event.wall_time = wall_time;
    event.what_case = DCNN_TB__EVENT__WHAT_FILE_VERSION;
    event.file_version = version;
    append_event(records, &event);
}

/* Values that become one event. */
typedef struct values {
    DcnnTb__Value value[MOST_VALUES], *pointers[MOST_VALUES];
    char tags[MOST_VALUES][TAG_BYTES];
    size_t count;
} values;

/* A value under the tag GROUP/NAME, or NAME without a group. */
static DcnnTb__Value *add_value(values *all, const char *group, const char *name) {
    DcnnTb__Value *value = &all->value[all->count];
    dcnn_tb__value__init(value);
    snprintf(all->tags[all->count], TAG_BYTES, "%s%s%s", group ? group : "", group ? "/" : "", name);
    value->tag = all->tags[all->count];
    all->pointers[all->count++] = value;
    return value;
}

static void add_scalar(values *all, const char *group, const char *name, double number) {
    if (isnan(number)) return;
    DcnnTb__Value *value = add_value(all, group, name);
    value->value_case = DCNN_TB__VALUE__VALUE_SIMPLE_VALUE;
    value->simple_value = (float)number;
}

static void append_values(dcnn_records *records, values *all, double wall_time, int64_t step) {
    DcnnTb__Summary summary = DCNN_TB__SUMMARY__INIT;
    DcnnTb__Event event = DCNN_TB__EVENT__INIT;
    summary.n_value = all->count;
    summary.value = all->pointers;
    event.wall_time = wall_time;
    event.step = step;
    event.what_case = DCNN_TB__EVENT__WHAT_SUMMARY;
    event.summary = &summary;
    append_event(records, &event);
}

/* --- an epoch --------------------------------------------------------------------------------------------------- */

static const dcnn_curve shown[] = {DCNN_CURVE_LOSS,         DCNN_CURVE_ACCURACY, DCNN_CURVE_VAL_LOSS,
                                   DCNN_CURVE_VAL_ACCURACY, DCNN_CURVE_MAE,      DCNN_CURVE_VAL_MAE,
                                   DCNN_CURVE_IMAGES_PER_S};
enum { SHOWN = sizeof shown / sizeof shown[0] };

static void append_metrics(dcnn_records *records, const dcnn_curves *curves, int row, const char *group,
                           dcnn_curve step, double wall_time) {
    values all = {.count = 0};
    for (size_t i = 0; i < SHOWN; i++)
        add_scalar(&all, group, dcnn_curve_keys[shown[i]], curves->values[shown[i]][row]);
    for (int phase = 0; phase < curves->phase_count && step == DCNN_CURVE_EPOCH; phase++)
        add_scalar(&all, "phases", curves->phase_names[phase], curves->phases[phase][row]);
    append_values(records, &all, wall_time, (int64_t)curves->values[step][row]);
}

/* --- the metrics as lines --------------------------------------------------------------------------------------- */

/* A run's metrics, and how far they are written. */
typedef struct source {
    dcnn_curves epochs;
    json_t *steps, *histograms; /* arrays of objects */
    size_t step, histogram;     /* the next ones */
} source;

static double number_of(const json_t *line, const char *key) {
    const json_t *value = json_object_get(line, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static bool is_step(const json_t *line) {
    return dcnn_curve_counts(number_of(line, "step"));
}

static bool is_histogram(const json_t *line) {
    const size_t limits = json_array_size(json_object_get(line, "bucket_limit"));
    return json_is_string(json_object_get(line, "histogram")) && dcnn_curve_counts(number_of(line, "epoch")) &&
           limits > 0 && limits <= MOST_BINS && limits == json_array_size(json_object_get(line, "bucket"));
}

static dcnn_status parse_lines(const char *text, const char *name, bool (*is_good)(const json_t *), json_t **lines) {
    *lines = json_array();
    if (*lines == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: %s", name);
    int number = 1;
    for (const char *at = text ? text : ""; *at != '\0'; number++) {
        const size_t bytes = strcspn(at, "\n");
        json_t *line = json_loadb(at, bytes, 0, NULL);
        if (line == NULL || !is_good(line) || json_array_append(*lines, line) != 0) {
            json_decref(line);
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s, line %d is damaged", name, number);
        }
        json_decref(line);
        at += bytes + (at[bytes] == '\n');
    }
    return DCNN_OK;
}

static dcnn_status open_source(const dcnn_metrics *metrics, source *from) {
    *from = (source){0};
    dcnn_status status = dcnn_curves_create(metrics->epochs, &from->epochs);
    if (status != DCNN_OK) dcnn_error_prefix(DCNN_RUN_METRICS);
    if (status == DCNN_OK) status = parse_lines(metrics->steps, DCNN_RUN_STEPS, is_step, &from->steps);
    if (status == DCNN_OK)
        status = parse_lines(metrics->histograms, DCNN_RUN_HISTOGRAMS, is_histogram, &from->histograms);
    return status;
}

static void close_source(source *from) {
    dcnn_curves_free(&from->epochs);
    json_decref(from->steps);
    json_decref(from->histograms);
}

/* --- lines as events -------------------------------------------------------------------------------------------- */

/* The steps that are not there yet, up to `last`. */
static void append_steps(dcnn_records *records, source *from, double last) {
    static const char *const keys[] = {"loss", "accuracy", "mae", "learning_rate"};
    for (; from->step < json_array_size(from->steps); from->step++) {
        const json_t *line = json_array_get(from->steps, from->step);
        const double step = number_of(line, "step");
        if (!(step <= last)) break; /* nor where an epoch's last step is not known */
        values all = {.count = 0};
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
            add_scalar(&all, "batch", keys[i], number_of(line, keys[i]));
        append_values(records, &all, number_of(line, "wall_time"), (int64_t)step);
    }
}

static void append_histogram(dcnn_records *records, const json_t *line) {
    const json_t *limits = json_object_get(line, "bucket_limit"), *counts = json_object_get(line, "bucket");
    double limit[MOST_BINS], bucket[MOST_BINS];
    DcnnTb__Histogram histogram = DCNN_TB__HISTOGRAM__INIT;
    histogram.min = number_of(line, "min");
    histogram.max = number_of(line, "max");
    histogram.num = number_of(line, "num");
    histogram.sum = number_of(line, "sum");
    histogram.sum_squares = number_of(line, "sum_squares");
    histogram.n_bucket = histogram.n_bucket_limit = json_array_size(limits);
    histogram.bucket_limit = limit;
    histogram.bucket = bucket;
    for (size_t i = 0; i < histogram.n_bucket; i++) {
        limit[i] = json_number_value(json_array_get(limits, i));
        bucket[i] = json_number_value(json_array_get(counts, i));
    }
    values all = {.count = 0};
    DcnnTb__Value *value = add_value(&all, NULL, json_string_value(json_object_get(line, "histogram")));
    value->value_case = DCNN_TB__VALUE__VALUE_HISTO;
    value->histo = &histogram;
    append_values(records, &all, number_of(line, "wall_time"), (int64_t)number_of(line, "epoch"));
}

static void append_histograms(dcnn_records *records, source *from, double last_epoch) {
    for (; from->histogram < json_array_size(from->histograms); from->histogram++) {
        const json_t *line = json_array_get(from->histograms, from->histogram);
        if (number_of(line, "epoch") > last_epoch) break;
        append_histogram(records, line);
    }
}

/* When an epoch ended; where it is not known, so long after the one before as it took. */
static double end_of(const dcnn_curves *epochs, int row, double before) {
    const double known = epochs->values[DCNN_CURVE_WALL_TIME][row], seconds = epochs->values[DCNN_CURVE_SECONDS][row];
    if (isfinite(known)) return known;
    return before + (isfinite(seconds) ? seconds : 0);
}

/* When the run started, or soon after. */
static double start_of(const source *from) {
    const double step = number_of(json_array_get(from->steps, 0), "wall_time");
    const double epoch = from->epochs.count > 0 ? end_of(&from->epochs, 0, 0) : (double)NAN;
    const double start = fmin(step, epoch); /* which a NaN does not win */
    return isfinite(start) ? start : 0;
}

/* The whole file: it is a function of the metrics. */
static void append_all(dcnn_records *records, source *from) {
    const dcnn_curves *epochs = &from->epochs;
    double wall_time = start_of(from);
    append_version(records, wall_time);
    for (int row = 0; row < epochs->count; row++) {
        wall_time = end_of(epochs, row, row > 0 ? wall_time : 0);
        append_steps(records, from, epochs->values[DCNN_CURVE_STEP][row]);
        if (isfinite(epochs->values[DCNN_CURVE_STEP][row]))
            append_metrics(records, epochs, row, "step", DCNN_CURVE_STEP, wall_time);
        append_histograms(records, from, epochs->values[DCNN_CURVE_EPOCH][row]);
        append_metrics(records, epochs, row, "epoch", DCNN_CURVE_EPOCH, wall_time);
    }
    append_steps(records, from, HUGE_VAL);
}

/* --- the file --------------------------------------------------------------------------------------------------- */

/* Length of the whole records with which the file begins as it should. */
static size_t agreeing(const dcnn_records *expected, const uint8_t *bytes, size_t length) {
    size_t keep = 0, offset = 0, size;
    const uint8_t *payload;
    while (dcnn_records_next(expected->bytes, expected->length, &offset, &payload, &size)) {
        if (offset > length || memcmp(expected->bytes + keep, bytes + keep, offset - keep) != 0) break;
        keep = offset;
    }
    return keep;
}

/* As much as can agree with `most` bytes. @param longer  out: there is more */
static dcnn_status read_begin(int descriptor, const char *path, size_t most, uint8_t **bytes, size_t *length,
                              bool *longer) {
    const off_t size = lseek(descriptor, 0, SEEK_END);
    *longer = size > 0 && (uintmax_t)size > most;
    *length = size <= 0 ? 0 : *longer ? most : (size_t)size;
    *bytes = malloc(*length + 1);
    if (*bytes == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: %s", path);
    const int reason = dcnn_input_read(descriptor, *bytes, *length, 0, length);
    return reason == 0 ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "%s cannot be read: %s", path, strerror(reason));
}

static dcnn_status write_from(int descriptor, const char *path, size_t offset, const dcnn_records *records) {
    while (offset < records->length) {
        const ssize_t put = pwrite(descriptor, records->bytes + offset, records->length - offset, (off_t)offset);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return DCNN_FAIL(DCNN_FAILURE, "%s cannot be written: %s", path, strerror(errno));
        offset += (size_t)put;
    }
    return DCNN_OK;
}

static dcnn_status update(int descriptor, const char *path, const dcnn_records *records) {
    uint8_t *bytes = NULL;
    size_t length = 0;
    bool longer = false;
    dcnn_status status = read_begin(descriptor, path, records->length, &bytes, &length, &longer);
    const size_t keep = status == DCNN_OK ? agreeing(records, bytes, length) : 0;
    free(bytes);
    DCNN_TRY(status);
    if ((longer || keep < length) && ftruncate(descriptor, (off_t)keep) != 0)
        return DCNN_FAIL(DCNN_FAILURE, "%s cannot be cut back: %s", path, strerror(errno));
    return write_from(descriptor, path, keep, records);
}

static dcnn_status events_path(const char *folder, char **path) {
    if (asprintf(path, "%s/%s", folder, DCNN_RUN_EVENTS) >= 0) return DCNN_OK;
    *path = NULL;
    return DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
}

dcnn_status dcnn_events_update(const char *folder, const dcnn_metrics *metrics) {
    char *path;
    DCNN_TRY(events_path(folder, &path));
    source from;
    dcnn_records records = {0};
    int descriptor = -1;
    dcnn_status status;
    DCNN_TRY_DONE(open_source(metrics, &from));
    append_all(&records, &from);
    if (!records.failed) descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (records.failed)
        status = DCNN_FAIL(DCNN_FAILURE, "out of memory: %s", path);
    else if (descriptor < 0)
        status = DCNN_FAIL(DCNN_FAILURE, "%s cannot be opened: %s", path, strerror(errno));
    else
        status = update(descriptor, path, &records);
    if (descriptor >= 0 && close(descriptor) != 0 && status == DCNN_OK)
        status = DCNN_FAIL(DCNN_FAILURE, "%s cannot be written: %s", path, strerror(errno));
done:
    close_source(&from);
    free(records.bytes);
    free(path);
    return status;
}

dcnn_status dcnn_events_write_images(const char *folder, int64_t step, int count, const dcnn_event_image *images) {
    dcnn_records records = {0};
    const double now = now_s();
    append_version(&records, now);
    for (int i = 0; i < count; i++) {
        DcnnTb__Image image = DCNN_TB__IMAGE__INIT;
        image.width = images[i].width;
        image.height = images[i].height;
        image.colorspace = 3;
        image.encoded_image_string = (ProtobufCBinaryData){images[i].length, (uint8_t *)(uintptr_t)images[i].png};
        values all = {.count = 0};
        DcnnTb__Value *value = add_value(&all, "figures", images[i].name);
        value->value_case = DCNN_TB__VALUE__VALUE_IMAGE;
        value->image = &image;
        append_values(&records, &all, now, step);
    }
    char *path = NULL;
    dcnn_status status =
        records.failed ? DCNN_FAIL(DCNN_FAILURE, "out of memory: TensorBoard's figures") : events_path(folder, &path);
    if (status == DCNN_OK) status = dcnn_file_write(path, records.bytes, records.length, false);
    free(path);
    free(records.bytes);
    return status;
}
