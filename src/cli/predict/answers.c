/* SPDX-License-Identifier: BSD-3-Clause */
/* answers.c — see answers.h. */
#include "cli/predict/answers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/largest.h"
#include "io/output.h"
#include "io/spill.h"

/* Images that were predicted together. */
struct dcnn_answer_batch {
    const char *dataset; /* that they are of; NULL: files and ids say it */
    dcnn_names files, ids;
    bool has_files;
    int64_t first, count; /* of all answers */
    float *disagreement;  /* [count], or NULL */
};

/* --- rows --------------------------------------------------------------------------------------------------------- */

/* Quoted where commas, quotes or line ends would break the line (RFC 4180). */
static void put_cell(FILE *to, const char *text) {
    if (strpbrk(text, ",\"\r\n") == NULL) {
        fputs(text, to);
        return;
    }
    fputc('"', to);
    for (; *text; text++) {
        if (*text == '"') fputc('"', to);
        fputc(*text, to);
    }
    fputc('"', to);
}

static void put_header(const dcnn_answers *a, FILE *to) {
    if (a->header) {
        fprintf(to, "%s\n", a->header);
        return;
    }
    fprintf(to, "index%s%s%s", a->has_files ? ",file" : "", a->has_ids ? ",id" : "", a->numbers ? "" : ",label");
    for (int i = 0; i < a->columns; i++)
        if (a->numbers && a->names) {
            fputc(',', to);
            put_cell(to, a->names[i]);
        } else {
            fprintf(to, ",%s%d", a->numbers ? "y" : "p", i);
        }
    fputs(a->has_votes ? ",disagreement\n" : "\n", to);
}

/* The next name of a header, without quotes, which none of ours needs. @return what ends it */
static int next_column(FILE *from, char name[32]) {
    int byte, length = 0;
    while ((byte = fgetc(from)) != EOF && byte != ',' && byte != '\n' && length < 31) name[length++] = (char)byte;
    name[length] = '\0';
    return byte;
}

/* From the first of "p0,p1,…" on, or "y0,y1,…", to the end of the line. */
static bool are_predictions(FILE *from, char name[32], int end, char letter) {
    char wanted[32];
    for (int i = 0;; i++, end = next_column(from, name)) {
        snprintf(wanted, sizeof wanted, "%c%d", letter, i);
        const bool last = i > 0 && strcmp(name, "disagreement") == 0;
        if (!last && strcmp(name, wanted) != 0) return false;
        if (end == '\n') return true;
        if (end != ',' || last) return false;
    }
}

bool dcnn_answers_are_in(const char *path) {
    static const char *const names[] = {"file", "id"};
    char name[32];
    FILE *from = fopen(path, "re");
    if (from == NULL) return false;
    int end = next_column(from, name);
    bool are = strcmp(name, "index") == 0 && end == ',';
    const bool kaggle = strcmp(name, "ImageId") == 0 && end == ',';
    if (are || kaggle) end = next_column(from, name);
    for (int i = 0; are && i < 2; i++)
        if (strcmp(name, names[i]) == 0) end = next_column(from, name);
    const bool labels = strcmp(name, "label") == 0 && end == ',';
    if (are && labels) end = next_column(from, name);
    are = (are && are_predictions(from, name, end, labels ? 'p' : 'y')) ||
          (kaggle && strcmp(name, "Label") == 0 && end == '\n');
    fclose(from);
    return are;
}

static void put_name(const dcnn_answers *a, FILE *to, int column) {
    if (a->names)
        put_cell(to, a->names[column]);
    else
        fprintf(to, "%d", column);
}

/* The likeliest class; or all labels above a half, with semicolons between them. */
static void put_answer(const dcnn_answers *a, FILE *to, const float *row) {
    bool any = false;
    if (!a->labels) {
        put_name(a, to, dcnn_largest(a->columns, row));
        return;
    }
    for (int j = 0; j < a->columns; j++) {
        if (!(row[j] > 0.5f)) continue;
        if (any) fputc(';', to);
        put_name(a, to, j);
        any = true;
    }
}

static const float *row_of(const dcnn_answers *a, const dcnn_answer_batch *of, int64_t i) {
    return (const float *)a->probabilities + (of->first + i) * a->columns;
}

static void put_row(dcnn_answers *a, FILE *to, const dcnn_answer_batch *of, int64_t i) {
    const float *row = row_of(a, of, i);
    const char *file = of->dataset ? of->dataset : of->files.text[i], *id = of->ids.count > 0 ? of->ids.text[i] : "";
    if (a->header && id[0])
        put_cell(to, id);
    else
        fprintf(to, "%" PRId64, a->next);
    a->next++;
    for (int column = 0; column < 2 && !a->header; column++)
        if (column == 0 ? a->has_files : a->has_ids) {
            fputc(',', to);
            put_cell(to, column == 0 ? file : id);
        }
    if (!a->numbers) {
        fputc(',', to);
        put_answer(a, to, row);
    }
    for (int j = 0; !a->header && j < a->columns; j++) fprintf(to, ",%.9g", (double)row[j]);
    if (!a->header && a->has_votes) fprintf(to, ",%.4g", of->disagreement ? (double)of->disagreement[i] : 0.0);
    fputc('\n', to);
}

/* --- sentences ---------------------------------------------------------------------------------------------------- */

/* Each number of one image, or each label that it has. */
static void put_all_of(const dcnn_answers *a, FILE *to, const char *path, const float *row) {
    bool any = false;
    fprintf(to, "%s:", path);
    for (int j = 0; j < a->columns; j++) {
        if (a->labels && !(row[j] > 0.5f)) continue;
        fputs(any ? ", " : " ", to);
        if (a->names)
            fputs(a->names[j], to);
        else
            fprintf(to, "%d", j);
        if (a->labels)
            fprintf(to, " (%.1f %%)", 100.0 * (double)row[j]);
        else
            fprintf(to, " %.6g", (double)row[j]);
        any = true;
    }
    fputs(any ? "\n" : " none\n", to);
}

/* The two likeliest classes of one image. */
static void put_sentence(const dcnn_answers *a, FILE *to, const char *path, const float *row) {
    if (a->numbers || a->labels) {
        put_all_of(a, to, path, row);
        return;
    }
    const int best = dcnn_largest(a->columns, row);
    int second = -1;
    for (int j = 0; j < a->columns; j++)
        if (j != best && (second < 0 || row[j] > row[second])) second = j;
    const int shown[2] = {best, second};
    for (int i = 0; i < 2 && shown[i] >= 0; i++) {
        if (i == 0)
            fprintf(to, "%s: ", path);
        else
            fputs(", then ", to);
        if (a->names)
            fputs(a->names[shown[i]], to);
        else
            fprintf(to, "%d", shown[i]);
        fprintf(to, " (%.1f %%)", 100.0 * (double)row[shown[i]]);
    }
    fputc('\n', to);
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

static dcnn_status out_of_memory(void) {
    return DCNN_FAIL(DCNN_FAILURE, "out of memory: the predictions");
}

static dcnn_status make_room(dcnn_answers *a, int64_t count) {
    if (a->batch_count == a->batch_room) {
        const int room = 2 * a->batch_room + 8;
        dcnn_answer_batch *more = realloc(a->batches, (size_t)room * sizeof *more);
        if (more == NULL) return out_of_memory();
        a->batches = more;
        a->batch_room = room;
    }
    const size_t size = (size_t)a->columns * sizeof(float), used = (size_t)a->count * size;
    const size_t needed = used + (size_t)count * size;
    if (needed <= a->room_bytes) return DCNN_OK;
    const size_t room = a->room_bytes == 0 ? needed : needed + needed / 2;
    DCNN_TRY(dcnn_spill_grow(a->aside, "the predictions", used, room, &a->probabilities, &a->mapped_bytes));
    a->room_bytes = room;
    return DCNN_OK;
}

dcnn_status dcnn_answers_add(dcnn_answers *a, dcnn_names *files, dcnn_names *ids, const char *dataset, bool has_files,
                             const dcnn_evaluation *evaluation) {
    const size_t count = (size_t)evaluation->count;
    float *disagreement = NULL;
    DCNN_TRY(make_room(a, evaluation->count));
    if (evaluation->disagreement) {
        if ((disagreement = malloc((count + 1) * sizeof *disagreement)) == NULL) return out_of_memory();
        memcpy(disagreement, evaluation->disagreement, count * sizeof *disagreement);
    }
    dcnn_answer_batch *batch = &a->batches[a->batch_count++];
    *batch = (dcnn_answer_batch){.first = a->count,
                                 .count = evaluation->count,
                                 .dataset = files ? NULL : dataset,
                                 .has_files = has_files,
                                 .disagreement = disagreement};
    if (files) batch->files = *files, *files = (dcnn_names){0};
    if (ids) batch->ids = *ids, *ids = (dcnn_names){0};
    memcpy((float *)a->probabilities + a->count * a->columns, evaluation->probabilities,
           count * (size_t)a->columns * sizeof(float));
    dcnn_spill_forget(a->probabilities, a->mapped_bytes);
    a->count += evaluation->count;
    a->has_files = a->has_files || has_files;
    for (int64_t i = 0; i < batch->ids.count && !a->has_ids; i++) a->has_ids = batch->ids.text[i][0] != '\0';
    a->has_votes = a->has_votes || evaluation->voters > 1;
    return DCNN_OK;
}

bool dcnn_answers_are_of_files(const dcnn_answers *a) {
    for (int i = 0; i < a->batch_count; i++)
        if (!a->batches[i].has_files) return false;
    return a->batch_count > 0;
}

/* Rows [from, to) of a batch, behind the header if asked for, as text that goes out at once. */
static dcnn_status write_rows(dcnn_answers *a, const dcnn_output *output, const dcnn_answer_batch *of, int64_t from,
                              int64_t to, bool header, bool people) {
    char *text = NULL;
    size_t length = 0;
    FILE *rows = open_memstream(&text, &length);
    if (rows == NULL) return out_of_memory();
    if (header) put_header(a, rows);
    for (int64_t i = from; i < to; i++)
        if (people)
            put_sentence(a, rows, of->files.text[i], row_of(a, of, i));
        else
            put_row(a, rows, of, i);
    dcnn_status status = fclose(rows) == 0 ? DCNN_OK : out_of_memory();
    if (status == DCNN_OK && output) status = dcnn_output_write(output, text, length);
    if (status == DCNN_OK && !output) fwrite(text, 1, length, stdout);
    free(text);
    dcnn_spill_forget(a->probabilities, a->mapped_bytes);
    return status;
}

dcnn_status dcnn_answers_write(dcnn_answers *a, const char *path, bool people) {
    enum { ROWS = 4096 };
    dcnn_output output;
    dcnn_status status = DCNN_OK;
    if (path) DCNN_TRY(dcnn_output_open(path, &output));
    if (path) output.only_new = a->only_new;
    a->next = a->header ? 1 : 0;
    for (int b = 0; b < a->batch_count && status == DCNN_OK; b++) {
        const dcnn_answer_batch *of = &a->batches[b];
        for (int64_t from = 0; from < of->count && status == DCNN_OK; from += ROWS)
            status = write_rows(a, path ? &output : NULL, of, from, from + ROWS < of->count ? from + ROWS : of->count,
                                !people && b == 0 && from == 0, people);
    }
    return path ? dcnn_output_close(&output, status) : status;
}

void dcnn_answers_free(dcnn_answers *a) {
    for (int i = 0; i < a->batch_count; i++) {
        dcnn_names_free(&a->batches[i].files);
        dcnn_names_free(&a->batches[i].ids);
        free(a->batches[i].disagreement);
    }
    free(a->batches);
    dcnn_spill_release(a->probabilities, a->mapped_bytes);
    a->batches = NULL;
    a->probabilities = NULL;
    a->batch_count = 0;
}
