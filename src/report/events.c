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

#include "io/file.h"
#include "report/curves.h"
#include "report/record.h"
#include "tensorboard.pb-c.h"

enum { HISTOGRAM_BINS = 30, TAG_BYTES = 160, MOST_VALUES = DCNN_CURVE_COUNT + DCNN_MAX_PHASES };

static double now_s(void) {
    struct timeval now;
    gettimeofday(&now, NULL);
    return (double)now.tv_sec + 1e-6 * (double)now.tv_usec;
}

/* --- events as bytes -------------------------------------------------------------------------------------------------
 */

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

static DcnnTb__Value *add_value(values *all, const char *group, const char *name) {
    DcnnTb__Value *value = &all->value[all->count];
    dcnn_tb__value__init(value);
    snprintf(all->tags[all->count], TAG_BYTES, "%s/%s", group, name);
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

/* --- an epoch --------------------------------------------------------------------------------------------------------
 */

static const dcnn_curve shown[] = {DCNN_CURVE_LOSS, DCNN_CURVE_ACCURACY, DCNN_CURVE_VAL_LOSS, DCNN_CURVE_VAL_ACCURACY,
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

/* Bins of equal width over the finite values; false if there are none. */
static bool fill_histogram(DcnnTb__Histogram *histogram, const float *weights, size_t count,
                           double limits[HISTOGRAM_BINS], double bins[HISTOGRAM_BINS]) {
    double low = HUGE_VAL, high = -HUGE_VAL;
    for (size_t i = 0; i < count; i++)
        if (isfinite(weights[i])) {
            low = fmin(low, (double)weights[i]);
            high = fmax(high, (double)weights[i]);
        }
    if (low > high) return false;
    const int used = high > low ? HISTOGRAM_BINS : 1;
    const double width = (high - low) / used;
    for (int i = 0; i < used; i++) {
        limits[i] = i + 1 < used ? low + (i + 1) * width : high;
        bins[i] = 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(weights[i])) continue;
        const double value = (double)weights[i];
        const int bin = used > 1 ? (int)((value - low) / width) : 0;
        bins[bin < used ? bin : used - 1] += 1;
        histogram->num += 1;
        histogram->sum += value;
        histogram->sum_squares += value * value;
    }
    histogram->min = low;
    histogram->max = high;
    histogram->n_bucket = histogram->n_bucket_limit = (size_t)used;
    histogram->bucket = bins;
    histogram->bucket_limit = limits;
    return true;
}

static void append_histograms(dcnn_records *records, const dcnn_net *net, double wall_time, int64_t step) {
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++) {
            const dcnn_param *param = &net->nodes[i].params[j];
            DcnnTb__Histogram histogram = DCNN_TB__HISTOGRAM__INIT;
            double limits[HISTOGRAM_BINS], bins[HISTOGRAM_BINS];
            values all = {.count = 0};
            char name[TAG_BYTES - 16];
            if (!fill_histogram(&histogram, dcnn_net_values(net, param), param->count, limits, bins)) continue;
            snprintf(name, sizeof name, "%s/%s", net->nodes[i].name, param->name);
            DcnnTb__Value *value = add_value(&all, "weights", name);
            value->value_case = DCNN_TB__VALUE__VALUE_HISTO;
            value->histo = &histogram;
            append_values(records, &all, wall_time, step);
        }
}

/* Seconds that the epochs after this one took: how long ago it ended. */
static double seconds_after(const dcnn_curves *curves, int row) {
    double sum = 0;
    for (int i = row + 1; i < curves->count; i++)
        if (isfinite(curves->values[DCNN_CURVE_SECONDS][i])) sum += curves->values[DCNN_CURVE_SECONDS][i];
    return sum;
}

/* The metrics by epoch come last: they say that the epoch is complete. */
static void append_epoch(dcnn_records *records, const dcnn_curves *curves, int row, const dcnn_net *histograms,
                         double now, double earliest) {
    const double wall_time = fmax(now - seconds_after(curves, row), earliest);
    if (isfinite(curves->values[DCNN_CURVE_STEP][row]))
        append_metrics(records, curves, row, "step", DCNN_CURVE_STEP, wall_time);
    if (histograms && row == curves->count - 1)
        append_histograms(records, histograms, wall_time, (int64_t)curves->values[DCNN_CURVE_EPOCH][row]);
    append_metrics(records, curves, row, "epoch", DCNN_CURVE_EPOCH, wall_time);
}

/* --- the file --------------------------------------------------------------------------------------------------------
 */

/* What a record is for the purpose of going on. */
typedef enum record_kind { RECORD_OTHER, RECORD_VERSION, RECORD_EPOCH } record_kind;

static record_kind read_kind(const uint8_t *payload, size_t length, double *wall_time) {
    DcnnTb__Event *event = dcnn_tb__event__unpack(NULL, length, payload);
    record_kind kind = RECORD_OTHER;
    if (event == NULL) return kind;
    *wall_time = event->wall_time;
    if (event->what_case == DCNN_TB__EVENT__WHAT_FILE_VERSION) kind = RECORD_VERSION;
    if (event->what_case == DCNN_TB__EVENT__WHAT_SUMMARY && event->summary->n_value > 0 &&
        strncmp(event->summary->value[0]->tag, "epoch/", 6) == 0)
        kind = RECORD_EPOCH;
    dcnn_tb__event__free_unpacked(event, NULL);
    return kind;
}

/* Is the record what would be written for that row now, but for the time? */
static bool is_row(const uint8_t *payload, size_t length, const dcnn_curves *curves, int row, double wall_time) {
    dcnn_records expected = {0};
    const uint8_t *bytes = NULL;
    size_t offset = 0, size = 0;
    append_metrics(&expected, curves, row, "epoch", DCNN_CURVE_EPOCH, wall_time);
    const bool same = dcnn_records_next(expected.bytes, expected.length, &offset, &bytes, &size) && size == length &&
                      memcmp(bytes, payload, length) == 0;
    free(expected.bytes);
    return same;
}

/* Length of the file's beginning that agrees with the history, the rows it has, and when the last one was written. */
static size_t agreeing(const uint8_t *bytes, size_t length, const dcnn_curves *curves, int *rows, double *last_s) {
    size_t offset = 0, keep = 0, size;
    const uint8_t *payload;
    *rows = 0;
    *last_s = 0;
    while (dcnn_records_next(bytes, length, &offset, &payload, &size)) {
        double wall_time = 0;
        const record_kind kind = read_kind(payload, size, &wall_time);
        if (keep == 0 && kind != RECORD_VERSION) break;
        if (kind == RECORD_VERSION && keep == 0) keep = offset;
        if (kind != RECORD_EPOCH) continue;
        if (*rows == curves->count || !is_row(payload, size, curves, *rows, wall_time)) break;
        (*rows)++;
        *last_s = wall_time;
        keep = offset;
    }
    return keep;
}

static dcnn_status read_all(int descriptor, const char *path, uint8_t **bytes, size_t *length) {
    const off_t size = lseek(descriptor, 0, SEEK_END);
    *length = size > 0 ? (size_t)size : 0;
    *bytes = malloc(*length + 1);
    if (*bytes == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: %s", path);
    for (size_t done = 0; done < *length;) {
        const ssize_t got = pread(descriptor, *bytes + done, *length - done, (off_t)done);
        if (got <= 0) return DCNN_FAIL(DCNN_FAILURE, "%s cannot be read: %s", path, strerror(errno));
        done += (size_t)got;
    }
    return DCNN_OK;
}

static dcnn_status write_at(int descriptor, const char *path, size_t offset, const dcnn_records *records) {
    for (size_t done = 0; done < records->length;) {
        const ssize_t put = pwrite(descriptor, records->bytes + done, records->length - done, (off_t)(offset + done));
        if (put <= 0) return DCNN_FAIL(DCNN_FAILURE, "%s cannot be written: %s", path, strerror(errno));
        done += (size_t)put;
    }
    return DCNN_OK;
}

static dcnn_status update(int descriptor, const char *path, const dcnn_curves *curves, const dcnn_net *histograms) {
    uint8_t *bytes = NULL;
    size_t length = 0;
    int rows = 0;
    double last_s = 0;
    dcnn_records records = {0};
    dcnn_status status;
    DCNN_TRY_DONE(read_all(descriptor, path, &bytes, &length));
    const size_t keep = agreeing(bytes, length, curves, &rows, &last_s);
    const double now = now_s();
    if (keep == 0) append_version(&records, now - seconds_after(curves, -1));
    for (int row = rows; row < curves->count; row++) append_epoch(&records, curves, row, histograms, now, last_s);
    if (records.failed) {
        status = DCNN_FAIL(DCNN_FAILURE, "out of memory: %s", path);
        goto done;
    }
    if (keep < length && ftruncate(descriptor, (off_t)keep) != 0) {
        status = DCNN_FAIL(DCNN_FAILURE, "%s cannot be cut back: %s", path, strerror(errno));
        goto done;
    }
    status = write_at(descriptor, path, keep, &records);
done:
    free(bytes);
    free(records.bytes);
    return status;
}

static dcnn_status events_path(const char *folder, char **path) {
    if (asprintf(path, "%s/%s", folder, DCNN_EVENTS_NAME) >= 0) return DCNN_OK;
    *path = NULL;
    return DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
}

dcnn_status dcnn_events_update(const char *folder, const char *history, const dcnn_net *histograms) {
    char *path;
    DCNN_TRY(events_path(folder, &path));
    dcnn_curves curves;
    int descriptor = -1;
    dcnn_status status;
    DCNN_TRY_DONE(dcnn_curves_create(history, &curves));
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    status = descriptor < 0 ? DCNN_FAIL(DCNN_FAILURE, "%s cannot be opened: %s", path, strerror(errno))
                            : update(descriptor, path, &curves, histograms);
    if (descriptor >= 0 && close(descriptor) != 0 && status == DCNN_OK)
        status = DCNN_FAIL(DCNN_FAILURE, "%s cannot be written: %s", path, strerror(errno));
done:
    dcnn_curves_free(&curves);
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
