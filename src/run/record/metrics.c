/* SPDX-License-Identifier: BSD-3-Clause */
/* metrics.c — the history of a run: JSON lines, and the files that are made of them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "run/record/histogram.h"
#include "run/record/metrics.h"
#include "run/record/run_folder.h"

/* The first key of a line says what it tells of, and so to which file it goes. */
#define EPOCH_KEY     "epoch"
#define STEP_KEY      "step"
#define HISTOGRAM_KEY "histogram"

static json_t *phases_json(const dcnn_epoch_metrics *m) {
    json_t *phases = json_object();
    for (int i = 0; i < DCNN_PHASE_COUNT; i++)
        json_object_set_new(phases, dcnn_phase_names[i], json_real(m->phases_s[i]));
    if (m->validation_count > 0) json_object_set_new(phases, "validation", json_real(m->validation_s));
    return phases;
}

double dcnn_wall_time(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* --- appending -------------------------------------------------------------------------------------------------- */

/* Appends text to the history and frees it; NULL: there was no memory for it. */
static dcnn_status append_text(char **history, char *text) {
    const size_t used = *history ? strlen(*history) : 0, more = text ? strlen(text) : 0;
    char *longer = text ? realloc(*history, used + more + 1) : NULL;
    if (longer) {
        memcpy(longer + used, text, more + 1);
        *history = longer;
    }
    free(text);
    return longer ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: the metrics");
}

static void put_line(FILE *out, json_t *line) {
    json_dumpf(line, out, JSON_COMPACT);
    fputc('\n', out);
    json_decref(line);
}

/* The text of lines that were put into a memory stream. */
static char *close_lines(FILE *out, char **text) {
    if (fclose(out) == 0) return *text;
    free(*text);
    return NULL;
}

static void put_real(json_t *line, const char *key, double value) {
    json_object_set_new(line, key, json_real(value));
}

/* Hits of so many answers, or the error of numbers. */
static void put_hits(json_t *line, const char *prefix, bool numbers, double absolute, int64_t correct, int64_t count) {
    char key[32];
    snprintf(key, sizeof key, "%s%s", prefix, numbers ? "mae" : "accuracy");
    put_real(line, key, numbers ? absolute : (double)correct / (double)count);
    snprintf(key, sizeof key, "%scorrect", prefix);
    if (!numbers) json_object_set_new(line, key, json_integer(correct));
    snprintf(key, sizeof key, "%scount", prefix);
    json_object_set_new(line, key, json_integer(count));
}

dcnn_status dcnn_history_append(char **history, const dcnn_epoch_metrics *m) {
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    json_t *line =
        json_pack("{s:I, s:I, s:f}", EPOCH_KEY, (json_int_t)m->epoch, "step", (json_int_t)m->steps, "loss", m->loss);
    put_hits(line, "", m->numbers, m->absolute, m->correct, m->count);
    put_real(line, "seconds", m->seconds);
    put_real(line, "wall_time", dcnn_wall_time());
    put_real(line, "images_per_s", m->images_per_s);
    json_object_set_new(line, "phases", phases_json(m));
    put_real(line, "stall_s", m->stall_s);
    if (m->validation_count > 0) {
        put_real(line, "val_loss", m->validation_loss);
        put_hits(line, "val_", m->numbers, m->validation_absolute, m->validation_correct, m->validation_count);
    }
    if (m->validation_count > 0 && m->labels) {
        put_real(line, "val_precision", m->validation_precision);
        put_real(line, "val_recall", m->validation_recall);
        if (isfinite(m->validation_auc)) put_real(line, "val_auc", m->validation_auc);
    }
    if (m->validation_count > 0 && m->many)
        put_real(line, "val_top5", (double)m->validation_top / (double)m->validation_count);
    if (out) put_line(out, line);
    return append_text(history, out ? close_lines(out, &text) : NULL);
}

dcnn_status dcnn_history_append_steps(char **history, int count, const dcnn_step_metrics *steps) {
    char *text = NULL;
    size_t length;
    if (count == 0) return DCNN_OK;
    FILE *out = open_memstream(&text, &length);
    for (int i = 0; out && i < count; i++)
        put_line(out, json_pack("{s:I, s:I, s:f, s:f, s:f, s:f}", STEP_KEY, (json_int_t)steps[i].step, "epoch",
                                (json_int_t)steps[i].epoch, "loss", steps[i].loss,
                                steps[i].numbers ? "mae" : "accuracy", steps[i].accuracy, "learning_rate",
                                steps[i].learning_rate, "wall_time", steps[i].wall_time));
    return append_text(history, out ? close_lines(out, &text) : NULL);
}

static json_t *histogram_json(const char *name, int64_t epoch, double wall_time, const dcnn_histogram *h) {
    json_t *limits = json_array(), *counts = json_array();
    for (int i = 0; i < h->bin_count; i++) {
        json_array_append_new(limits, json_real(h->limits[i]));
        json_array_append_new(counts, json_integer(h->counts[i]));
    }
    return json_pack("{s:s, s:I, s:f, s:f, s:f, s:I, s:f, s:f, s:o, s:o}", HISTOGRAM_KEY, name, "epoch",
                     (json_int_t)epoch, "wall_time", wall_time, "min", h->min, "max", h->max, "num", (json_int_t)h->num,
                     "sum", h->sum, "sum_squares", h->sum_squares, "bucket_limit", limits, "bucket", counts);
}

static void put_histogram(FILE *out, int64_t epoch, const char *group, const dcnn_node *node, const dcnn_param *param,
                          const float *values, double scale) {
    dcnn_histogram histogram;
    char name[160];
    dcnn_histogram_count(values, param->count, scale, &histogram);
    if (histogram.num == 0) return;
    snprintf(name, sizeof name, "%s/%s/%s", group, node->name, param->name);
    put_line(out, histogram_json(name, epoch, dcnn_wall_time(), &histogram));
}

dcnn_status dcnn_history_append_histograms(char **history, int64_t epoch, const dcnn_net *net, const float *gradient,
                                           double scale) {
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    for (int i = 0; out && i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++) {
            const dcnn_node *node = &net->nodes[i];
            const dcnn_param *param = &node->params[j];
            put_histogram(out, epoch, "weights", node, param, dcnn_net_values(net, param), 1);
            if (param->trainable) put_histogram(out, epoch, "gradients", node, param, gradient + param->offset, scale);
        }
    return append_text(history, out ? close_lines(out, &text) : NULL);
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

static void print_real(FILE *out, const json_t *line, const char *key) {
    const json_t *value = json_object_get(line, key);
    if (value)
        fprintf(out, ",%.17g", json_number_value(value));
    else
        fputc(',', out);
}

/* Columns behind the epoch: always, of models of numbers or of others, or where any line has it. */
static const struct csv_key {
    const char *key;
    enum { ALWAYS, OF_NUMBERS, OF_OTHERS, WHERE_THERE } when;
} csv_keys[] = {
    {"accuracy", OF_OTHERS},     {"loss", ALWAYS},          {"mae", OF_NUMBERS},     {"val_accuracy", OF_OTHERS},
    {"val_auc", WHERE_THERE},    {"val_loss", ALWAYS},      {"val_mae", OF_NUMBERS}, {"val_precision", WHERE_THERE},
    {"val_recall", WHERE_THERE}, {"val_top5", WHERE_THERE}, {"stall_s", ALWAYS}};
enum { CSV_KEYS = sizeof csv_keys / sizeof csv_keys[0] };

static bool is_column(const struct csv_key *key, bool numbers, const char *history) {
    char text[40];
    snprintf(text, sizeof text, "\"%s\":", key->key);
    return key->when == WHERE_THERE ? strstr(history, text) != NULL
                                    : key->when == ALWAYS || (key->when == OF_NUMBERS) == numbers;
}

/* Keras' CSVLogger: the epoch from 0, then the log's keys in alphabetical order; behind them what Keras has not. */
static char *csv_of(const char *history) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL) return NULL;
    const bool numbers = strstr(history, "\"mae\":") != NULL;
    fputs("epoch", out);
    for (size_t i = 0; i < CSV_KEYS; i++)
        if (is_column(&csv_keys[i], numbers, history)) fprintf(out, ",%s", csv_keys[i].key);
    fputc('\n', out);
    for (const char *at = history; *at != '\0';) {
        const size_t bytes = strcspn(at, "\n");
        json_t *line = json_loadb(at, bytes, 0, NULL);
        if (line) {
            fprintf(out, "%lld", (long long)json_integer_value(json_object_get(line, "epoch")) - 1);
            for (size_t i = 0; i < CSV_KEYS; i++)
                if (is_column(&csv_keys[i], numbers, history)) print_real(out, line, csv_keys[i].key);
            fputc('\n', out);
            json_decref(line);
        }
        at += bytes + (at[bytes] == '\n');
    }
    if (fclose(out) == 0) return text;
    free(text);
    return NULL;
}

static dcnn_status write_text(const char *folder, const char *name, const char *text) {
    char *path = dcnn_path_join(folder, name);
    dcnn_status status = path && text ? dcnn_file_write(path, text, strlen(text), false)
                                      : DCNN_FAIL(DCNN_FAILURE, "out of memory: the metrics");
    free(path);
    return status;
}

/* The lines that begin with that key. */
static char *lines_of(const char *history, const char *key) {
    char *text = malloc(strlen(history) + 1), *end = text, beginning[32];
    if (text == NULL) return NULL;
    const int length = snprintf(beginning, sizeof beginning, "{\"%s\":", key);
    for (const char *at = history; *at != '\0';) {
        const size_t line = strcspn(at, "\n"), bytes = line + (at[line] == '\n');
        if (strncmp(at, beginning, (size_t)length) == 0) {
            memcpy(end, at, bytes);
            end += bytes;
        }
        at += bytes;
    }
    *end = '\0';
    return text;
}

/* Writes those lines, or removes what an earlier start has left if there are none. */
static dcnn_status write_lines(const char *folder, const char *name, const char *history, const char *key) {
    char *lines = lines_of(history, key), *path = dcnn_path_join(folder, name);
    dcnn_status status = DCNN_OK;
    if (lines == NULL || lines[0] != '\0')
        status = write_text(folder, name, lines);
    else if (path)
        unlink(path);
    free(lines);
    free(path);
    return status;
}

dcnn_status dcnn_history_write(const char *folder, const char *history) {
    if (history == NULL) history = "";
    char *epochs = lines_of(history, EPOCH_KEY), *csv = epochs ? csv_of(epochs) : NULL;
    dcnn_status status = write_text(folder, DCNN_RUN_METRICS, epochs);
    if (status == DCNN_OK) status = write_text(folder, DCNN_RUN_CSV, csv);
    if (status == DCNN_OK) status = write_lines(folder, DCNN_RUN_STEPS, history, STEP_KEY);
    if (status == DCNN_OK) status = write_lines(folder, DCNN_RUN_HISTOGRAMS, history, HISTOGRAM_KEY);
    free(epochs);
    free(csv);
    return status;
}

char *dcnn_epoch_line(const dcnn_epoch_metrics *m, int64_t epochs) {
    char *line = NULL, validation[96] = "";
    const char *what = m->numbers ? "mae" : "acc";
    const double now = m->numbers ? m->absolute : (double)m->correct / (double)m->count;
    if (m->validation_count > 0)
        snprintf(validation, sizeof validation, "  val loss %.4f %s %.4f", m->validation_loss, what,
                 m->numbers ? m->validation_absolute : (double)m->validation_correct / (double)m->validation_count);
    if (asprintf(&line, "epoch %2lld/%lld  loss %.4f %s %.4f%s  %.0f images/s", (long long)m->epoch, (long long)epochs,
                 m->loss, what, now, validation, m->images_per_s) < 0)
        return NULL;
    return line;
}
