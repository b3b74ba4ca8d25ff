/* metrics.c — the history of a run: JSON lines, from which the CSV is made. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/run_folder.h"

const char *const dcnn_phase_names[DCNN_PHASE_COUNT] = {"prepare", "load",     "forward", "backward",  "add",    "wait",
                                                        "agree",   "gradient", "adam",    "imbalance", "network"};

static json_t *phases_json(const double *phases_s) {
    json_t *phases = json_object();
    for (int i = 0; i < DCNN_PHASE_COUNT; i++) json_object_set_new(phases, dcnn_phase_names[i], json_real(phases_s[i]));
    return phases;
}

dcnn_status dcnn_history_append(char **history, const dcnn_epoch_metrics *m) {
    json_t *line = json_pack("{s:I, s:I, s:f, s:f, s:I, s:I, s:f, s:f, s:o}", "epoch", (json_int_t)m->epoch, "step",
                             (json_int_t)m->steps, "loss", m->loss, "accuracy", (double)m->correct / (double)m->count,
                             "correct", (json_int_t)m->correct, "count", (json_int_t)m->count, "seconds", m->seconds,
                             "images_per_s", m->images_per_s, "phases", phases_json(m->phases_s));
    if (m->validation_count > 0) {
        json_object_set_new(line, "val_loss", json_real(m->validation_loss));
        json_object_set_new(line, "val_accuracy",
                            json_real((double)m->validation_correct / (double)m->validation_count));
        json_object_set_new(line, "val_correct", json_integer(m->validation_correct));
        json_object_set_new(line, "val_count", json_integer(m->validation_count));
    }
    char *text = json_dumps(line, JSON_COMPACT), *longer = NULL;
    json_decref(line);
    const int written = text ? asprintf(&longer, "%s%s\n", *history ? *history : "", text) : -1;
    free(text);
    if (written < 0) return DCNN_FAIL(DCNN_FAILURE, "out of memory: the metrics");
    free(*history);
    *history = longer;
    return DCNN_OK;
}

static void print_real(FILE *out, const json_t *line, const char *key) {
    const json_t *value = json_object_get(line, key);
    if (value)
        fprintf(out, ",%.17g", json_number_value(value));
    else
        fputc(',', out);
}

/* Keras' CSVLogger: the epoch from 0, then the log's keys in alphabetical order. */
static char *csv_of(const char *history) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL) return NULL;
    fputs("epoch,accuracy,loss,val_accuracy,val_loss\n", out);
    for (const char *at = history; *at != '\0';) {
        const size_t bytes = strcspn(at, "\n");
        json_t *line = json_loadb(at, bytes, 0, NULL);
        if (line) {
            fprintf(out, "%lld", (long long)json_integer_value(json_object_get(line, "epoch")) - 1);
            print_real(out, line, "accuracy");
            print_real(out, line, "loss");
            print_real(out, line, "val_accuracy");
            print_real(out, line, "val_loss");
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

dcnn_status dcnn_history_write(const char *folder, const char *history) {
    if (history == NULL) history = "";
    char *csv = csv_of(history);
    dcnn_status status = write_text(folder, "metrics.jsonl", history);
    if (status == DCNN_OK) status = write_text(folder, "metrics.csv", csv);
    free(csv);
    return status;
}

char *dcnn_epoch_line(const dcnn_epoch_metrics *m, int64_t epochs) {
    char *line = NULL, validation[96] = "";
    if (m->validation_count > 0)
        snprintf(validation, sizeof validation, "  val_loss %.4f  val_accuracy %.4f", m->validation_loss,
                 (double)m->validation_correct / (double)m->validation_count);
    if (asprintf(&line, "epoch %2lld/%lld  loss %.4f  accuracy %.4f%s  %.1f s  %.0f images/s", (long long)m->epoch,
                 (long long)epochs, m->loss, (double)m->correct / (double)m->count, validation, m->seconds,
                 m->images_per_s) < 0)
        return NULL;
    return line;
}
