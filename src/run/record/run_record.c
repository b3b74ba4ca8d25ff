/* SPDX-License-Identifier: BSD-3-Clause */
/* run_record.c — see run_record.h. */
#include "run/record/run_record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "io/file.h"
#include "io/input.h"
#include "kernels/kernels.h"
#include "run/record/run_folder.h"

/* Fifteen digits bring back every decimal that a user writes with so many: 1e-7, not 9.9999999999999995e-8. */
enum { RECORD_FORMAT = JSON_INDENT(2) | JSON_REAL_PRECISION(15) };

/* "2026-11-25T06:30:12+0100" */
static void date_text(char text[32]) {
    const time_t now = time(NULL);
    struct tm local;
    if (localtime_r(&now, &local) == NULL || strftime(text, 32, "%Y-%m-%dT%H:%M:%S%z", &local) == 0) text[0] = '\0';
}

/* The processor's name as Linux has it: "model name" of /proc/cpuinfo, which not every architecture has. */
static void processor_text(char text[128]) {
    char line[512];
    FILE *file = fopen("/proc/cpuinfo", "re");
    snprintf(text, 128, "?");
    while (file && fgets(line, sizeof line, file)) {
        const char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || value == NULL) continue;
        value += 1 + strspn(value + 1, " \t");
        snprintf(text, 128, "%.*s", (int)strcspn(value, "\n"), value);
        break;
    }
    if (file) fclose(file);
}

static dcnn_status write_json(const char *folder, const char *name, json_t *json) {
    char *text = json ? json_dumps(json, RECORD_FORMAT) : NULL, *path = dcnn_path_join(folder, name);
    dcnn_status status = text && path ? dcnn_file_write(path, text, strlen(text), false)
                                      : DCNN_FAIL(DCNN_FAILURE, "out of memory: %s", name);
    free(text);
    free(path);
    return status;
}

/* A file that is there, and no pipe or device in its place, which might never end. */
static dcnn_status read_json(const char *path, json_t **json, bool *damaged) {
    uint8_t *text;
    size_t length;
    int64_t size;
    int descriptor;
    json_error_t error;
    DCNN_TRY(dcnn_input_open(path, false, &descriptor, &size));
    close(descriptor);
    *damaged = size == 0;
    if (*damaged) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: damaged: the file is empty", path);
    DCNN_TRY(dcnn_file_read(path, &text, &length));
    const dcnn_status status = dcnn_json_parse((const char *)text, length, 0, json, &error);
    free(text);
    *damaged = status == DCNN_BAD_INPUT;
    return *damaged ? DCNN_FAIL(status, "%s: damaged: line %d: %s", path, error.line, error.text) : status;
}

static dcnn_status read_record(const char *path, json_t **record, bool *damaged) {
    dcnn_status status = read_json(path, record, damaged);
    DCNN_TRY(status);
    const json_int_t version = json_integer_value(json_object_get(*record, "format_version"));
    *damaged = !json_is_array(json_object_get(*record, "starts"));
    if (version > DCNN_RUN_FORMAT) {
        const char *author = json_string_value(json_object_get(*record, "dcnn"));
        *damaged = false;
        status = DCNN_FAIL(DCNN_BAD_INPUT,
                           "%s: has format version %lld, this dcnn (" DCNN_VERSION ") reads versions 1 to %d: use "
                           "the one that wrote it, dcnn %.60s",
                           path, (long long)version, DCNN_RUN_FORMAT, author ? author : "of a newer version");
    } else if (*damaged) {
        status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: damaged: it has no list of starts", path);
    }
    return status;
}

/* @param read  one of the two above */
static dcnn_status read_of(const char *folder, const char *name,
                           dcnn_status (*read)(const char *path, json_t **json, bool *damaged), json_t **json,
                           bool *damaged) {
    char *path = dcnn_path_join(folder, name);
    struct stat about;
    *json = NULL;
    *damaged = false;
    if (path == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    const bool found = stat(path, &about) == 0 || (errno != ENOENT && errno != ENOTDIR);
    const dcnn_status status = found ? read(path, json, damaged) : DCNN_OK;
    free(path);
    if (status == DCNN_OK) return DCNN_OK;
    json_decref(*json);
    *json = NULL;
    return status;
}

dcnn_status dcnn_run_record_read(const char *folder, json_t **record, bool *damaged) {
    return read_of(folder, DCNN_RUN_RECORD, read_record, record, damaged);
}

dcnn_status dcnn_run_result_read(const char *folder, json_t **result) {
    bool damaged;
    return read_of(folder, DCNN_RUN_RESULT, read_json, result, &damaged);
}

/* The starts before this one, which begins at `step`; an empty list if their record is lost, which is told. New
 * reference. */
static dcnn_status earlier_starts(const char *folder, json_int_t step, json_t **starts) {
    json_t *record;
    bool damaged;
    *starts = NULL;
    const dcnn_status status = dcnn_run_record_read(folder, &record, &damaged);
    if (damaged)
        dcnn_warn("%s; the record of this run's earlier starts is lost", dcnn_error());
    else
        DCNN_TRY(status);
    if (record == NULL && !damaged && step > 0)
        dcnn_warn("%s/" DCNN_RUN_RECORD " is missing: the record of this run's earlier starts is lost", folder);
    *starts = record ? json_incref(json_object_get(record, "starts")) : json_array();
    json_decref(record);
    return *starts ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: the record of a run");
}

/* Instruction sets make the same bits, but for those that have bits of their own, and those that nobody knows. */
static void tell_other_kernels(const json_t *starts, const json_t *start) {
    const json_t *last = json_array_get(starts, json_array_size(starts) - 1);
    const char *before = json_string_value(json_object_get(last, "kernels"));
    const char *now = json_string_value(json_object_get(start, "kernels"));
    if (before == NULL || now == NULL || strcmp(before, now) == 0 ||
        (dcnn_isa_agrees(before) && dcnn_isa_agrees(now)) || json_integer_value(json_object_get(start, "step")) == 0)
        return;
    dcnn_warn(
        "this run was computed with the kernels '%s', and goes on with '%s': from here on its bits may differ from "
        "those of a run with one of them throughout; to keep them, start it where '%s' is available (DCNN_ISA=%s)",
        before, now, before, before);
}

dcnn_status dcnn_run_record_write(const char *folder, json_t *start) {
    char date[32], host[256] = "?", processor[128];
    date_text(date);
    gethostname(host, sizeof host - 1);
    processor_text(processor);
    json_object_set_new(start, "date", json_string(date));
    json_object_set_new(start, "host", json_string(host));
    json_object_set_new(start, "processor", json_string(processor));
    json_t *record = json_copy(start), *starts;
    json_object_set_new(record, "format_version", json_integer(DCNN_RUN_FORMAT));
    dcnn_status status = earlier_starts(folder, json_integer_value(json_object_get(start, "step")), &starts);
    if (json_array_size(starts) > 0) tell_other_kernels(starts, start);
    if (status == DCNN_OK)
        status = json_array_append(starts, start) == 0 && json_object_set(record, "starts", starts) == 0
                     ? write_json(folder, DCNN_RUN_RECORD, record)
                     : DCNN_FAIL(DCNN_FAILURE, "out of memory: " DCNN_RUN_RECORD);
    json_decref(start);
    json_decref(starts);
    json_decref(record);
    return status;
}

static json_t *numbers_json(double loss, double absolute, int64_t count) {
    return json_pack("{s:f, s:f, s:I}", "loss", loss, "mae", absolute, "count", (json_int_t)count);
}

static json_t *split_json(int64_t correct, int64_t count) {
    return json_pack("{s:f, s:I, s:I}", "accuracy", (double)correct / (double)count, "correct", (json_int_t)correct,
                     "count", (json_int_t)count);
}

dcnn_status dcnn_run_result_write(const char *folder, const dcnn_train_result *r) {
    char date[32];
    date_text(date);
    json_t *json = json_pack("{s:s, s:i, s:I, s:I, s:I, s:f, s:f, s:o}", "date", date, "format_version",
                             DCNN_RUN_FORMAT, "epochs", (json_int_t)r->epochs, "steps", (json_int_t)r->steps,
                             "best_epoch", (json_int_t)r->best_epoch, "elapsed_s", r->elapsed_s, "images_per_s",
                             r->images_per_s, "weights_hash", json_sprintf("%016" PRIx64, r->weights_hash));
    if (json && r->best_validates && r->best_count > 0 && !r->numbers)
        json_object_set_new(json, "validation", split_json(r->best_correct, r->best_count));
    if (json && r->test_count > 0)
        json_object_set_new(json, "test",
                            r->numbers ? numbers_json(r->test_loss, r->test_absolute, r->test_count)
                                       : split_json(r->test_correct, r->test_count));
    if (json && r->official_count > 0)
        json_object_set_new(json, "official-test",
                            r->numbers ? numbers_json(r->official_loss, r->official_absolute, r->official_count)
                                       : split_json(r->official_correct, r->official_count));
    dcnn_status status = write_json(folder, DCNN_RUN_RESULT, json);
    json_decref(json);
    return status;
}
