/* SPDX-License-Identifier: BSD-3-Clause */
/* page.c — see page.h. */
#include "report/page.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/layer.h"
#include "report/figures/plot.h"
#include "report/page_pieces.h"

enum { MOST_TOP = 5 };
enum { MOST_SVG_BYTES = 600000 }; /* larger ones go in as PNG: a page of a few megabytes opens at once anywhere */

static const char style[] =
    "<style>\n"
    ":root{--text:#1a1a1a;--soft:#595959;--back:#f6f7f8;--card:#fff;--line:#d9dcdf;--accent:#00598c}\n"
    "@media(prefers-color-scheme:dark){:root{--text:#e9eaec;--soft:#a8adb3;--back:#16181b;--card:#202327;"
    "--line:#3a3f45;--accent:#7cc4f0}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--back);color:var(--text);font:16px/1.5 system-ui,sans-serif}\n"
    "main{max-width:1344px;margin:0 auto;padding:16px}\n"
    "h1{font-size:1.6rem;margin:.4em 0 .2em;overflow-wrap:anywhere}\n"
    "h2{font-size:1.2rem;margin:2em 0 .6em;border-bottom:1px solid var(--line);padding-bottom:.2em}\n"
    "p{margin:.4em 0}.soft{color:var(--soft)}\n"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(160px,1fr));gap:12px;margin:1em 0}\n"
    ".tiles div{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px 14px}\n"
    ".tiles b{display:block;font-size:1.45rem;color:var(--accent);line-height:1.3}\n"
    ".tiles span{color:var(--soft);font-size:.86rem}\n"
    ".figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,560px),1fr));gap:16px;"
    "align-items:start}\n"
    "figure{margin:0;max-width:100%;justify-self:start;border:1px solid var(--line);border-radius:8px;overflow:hidden;"
    "background:var(--card)}\n"
    "figure div{background:#fff;overflow-x:auto}\n"
    "figure img{display:block;height:auto;max-width:100%}\n"
    "@media(prefers-color-scheme:dark){.chart div{background:#1f1f1f}.chart img{filter:invert(.88) hue-rotate(180deg)}"
    "figure:not(.chart) img{filter:brightness(.9)}}\n"
    "figcaption{padding:8px 14px;font-size:.88rem;color:var(--soft);contain:inline-size}\n"
    ".scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:8px}\n"
    "table{border-collapse:collapse;width:100%;font-size:.92rem}\n"
    "th,td{text-align:left;padding:5px 14px;border-top:1px solid var(--line);vertical-align:top}\n"
    "thead th{border-top:0}tr:first-child>*{border-top:0}\n"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\n"
    "tbody th{font-weight:500;min-width:7em;max-width:22em;overflow-wrap:break-word}\n"
    "tbody td{white-space:nowrap}.facts td{white-space:normal}\n"
    ".facts th{color:var(--soft);width:34%;min-width:9em}.facts td{overflow-wrap:anywhere}\n"
    ".columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:16px;"
    "align-items:start}\n"
    "h3{font-size:1rem;margin:0 0 .4em}\n"
    "figure.whole{grid-column:1/-1}figure img.huge{max-width:none}\n"
    "@media(max-width:700px){figure img.wide{max-width:none;width:max(100%,440px)}td,th{padding:5px 9px}}\n"
    "@media print{:root{--text:#000;--soft:#444;--back:#fff;--card:#fff;--line:#bbb;--accent:#000}"
    "figure,tr,.tiles div{break-inside:avoid}h2,h3{break-after:avoid}.scroll{overflow:visible}figure "
    "img.huge{max-width:100%}}\n"
    "</style>\n";

/* --- pieces ----------------------------------------------------------------------------------------------------- */

void dcnn_page_write(FILE *out, const char *text) {
    for (; *text != '\0'; text++) {
        if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '>')
            fputs("&gt;", out);
        else if (*text == '&')
            fputs("&amp;", out);
        else if (*text == '"')
            fputs("&quot;", out);
        else
            fputc(*text, out);
    }
}

static void write_base64(FILE *out, const uint8_t *bytes, size_t length) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < length; i += 3) {
        const size_t left = length - i;
        const uint32_t three =
            (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0U);
        fputc(digits[three >> 18], out);
        fputc(digits[three >> 12 & 63], out);
        fputc(left > 1 ? digits[three >> 6 & 63] : '=', out);
        fputc(left > 2 ? digits[three & 63] : '=', out);
    }
}

static void write_fact(FILE *out, const char *name, const char *value) {
    fputs("<tr><th scope=\"row\">", out);
    dcnn_page_write(out, name);
    fputs("</th><td>", out);
    dcnn_page_write(out, value);
    fputs("</td></tr>\n", out);
}

static void begin_facts(FILE *out, const char *title) {
    fprintf(out, "<div><h3>%s</h3><div class=\"scroll\"><table class=\"facts\"><tbody>\n", title);
}

static void end_facts(FILE *out) {
    fputs("</tbody></table></div></div>\n", out);
}

static void write_tile(FILE *out, const char *value, const char *what) {
    fputs("<div><b>", out);
    dcnn_page_write(out, value);
    fputs("</b><span>", out);
    dcnn_page_write(out, what);
    fputs("</span></div>\n", out);
}

/* --- head ------------------------------------------------------------------------------------------------------- */

static const char *duration_text(double seconds, char text[32]) {
    const bool absurd = !(fabs(seconds) < 1e15); /* a damaged file may say any number */
    const int64_t whole = absurd ? 0 : (int64_t)(seconds + 0.5);
    if (absurd || seconds < 60)
        snprintf(text, 32, absurd ? "%.4g s" : "%.1f s", seconds);
    else if (whole < 3600)
        snprintf(text, 32, "%" PRId64 " min %02" PRId64 " s", whole / 60, whole % 60);
    else
        snprintf(text, 32, "%" PRId64 " h %02" PRId64 " min", whole / 3600, whole / 60 % 60);
    return text;
}

static void write_split_tiles(FILE *out, const dcnn_view *view) {
    char value[64], what[128], correct[32], count[32];
    const dcnn_classification *all = &view->classification;
    snprintf(value, sizeof value, "%.2f %%", 100 * all->accuracy);
    snprintf(what, sizeof what, "accuracy on '%s': %s of %s", view->data->split->name,
             dcnn_text_integer(all->correct, correct), dcnn_text_integer(all->count, count));
    write_tile(out, value, what);
    if (all->class_count > MOST_TOP) {
        const int64_t top = dcnn_top_hits(view->data, MOST_TOP);
        snprintf(value, sizeof value, "%.2f %%", 100.0 * (double)top / (double)all->count);
        snprintf(what, sizeof what, "the class is among the %d likeliest", MOST_TOP);
        write_tile(out, value, what);
    }
    snprintf(value, sizeof value, "%.4f", view->data->loss);
    snprintf(what, sizeof what, "loss on '%s'", view->data->split->name);
    write_tile(out, value, what);
    snprintf(value, sizeof value, "%.2f %%", 100 * view->calibration.ece);
    write_tile(out, value, "expected calibration error");
}

/* net->param_count has padding in it. */
static int64_t count_trainable(const dcnn_net *net) {
    int64_t count = 0;
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++)
            if (net->nodes[i].params[j].trainable) count += (int64_t)net->nodes[i].params[j].count;
    return count;
}

static void write_head(FILE *out, const dcnn_view *view) {
    const dcnn_report_data *data = view->data;
    const dcnn_curves *curves = &view->curves;
    char value[64], what[128];
    fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
          "<meta name=\"color-scheme\" content=\"light dark\">\n<title>",
          out);
    dcnn_page_write(out, data->name);
    fputs(" - dcnn report</title>\n", out);
    fputs(style, out);
    fputs("</head>\n<body>\n<main>\n<h1>", out);
    dcnn_page_write(out, data->name);
    fputs("</h1>\n<p class=\"soft\">Report of a training run, by dcnn " DCNN_VERSION "</p>\n<div class=\"tiles\">\n",
          out);
    if (data->split) write_split_tiles(out, view);
    if (data->scores) {
        snprintf(value, sizeof value, "%.6g", data->loss);
        snprintf(what, sizeof what, "loss on '%s'", data->scores_split);
        write_tile(out, value, what);
    }
    if (curves->count > 0) {
        const int last = curves->count - 1;
        snprintf(value, sizeof value, "%.0f", curves->values[DCNN_CURVE_EPOCH][last]);
        snprintf(what, sizeof what, "epochs; the best is %" PRId64, data->model->progress.best_epoch);
        write_tile(out, value, data->model->progress.best_epoch > 0 ? what : "epochs");
        double seconds = 0;
        for (int i = 0; i < curves->count; i++)
            seconds += isfinite(curves->values[DCNN_CURVE_SECONDS][i]) ? curves->values[DCNN_CURVE_SECONDS][i] : 0;
        write_tile(out, duration_text(seconds, value), "training and validation");
        const double speed = curves->values[DCNN_CURVE_IMAGES_PER_S][last];
        if (fabs(speed) < 1e15)
            write_tile(out, dcnn_text_integer(llround(speed), value), "images a second in training");
    }
    write_tile(out, dcnn_text_integer(count_trainable(data->model->net), value), "trainable parameters");
    fputs("</div>\n", out);
}

/* --- sections --------------------------------------------------------------------------------------------------- */

/* Two figures stand side by side if neither is wider; they may shrink a little for it. */
enum { HALF_PAGE = 700 };

/* Narrow screens show a wide figure readable, to be scrolled, and all screens a huge one. */
static const char *width_class(double width) {
    return width > 1320 ? " class=\"huge\"" : width > 400 ? " class=\"wide\"" : "";
}

/* Lines and areas, whose colours a dark page may turn; images and weights stay as they are. */
static bool is_chart(const dcnn_figure *figure) {
    return strcmp(figure->section, "Images") != 0 && strcmp(figure->section, "Network") != 0;
}

static void write_figure(FILE *out, const dcnn_drawn *drawn) {
    const bool vector = drawn->svg_length <= MOST_SVG_BYTES;
    fprintf(out, "<figure class=\"%s%s\"><div><img%s width=\"%.0f\" height=\"%.0f\" alt=\"",
            is_chart(drawn->figure) ? "chart" : "shown", drawn->width > HALF_PAGE ? " whole" : "",
            width_class(drawn->width), drawn->width, drawn->height);
    dcnn_page_write(out, drawn->figure->text);
    fprintf(out, "\" src=\"data:image/%s;base64,", vector ? "svg+xml" : "png");
    if (vector)
        write_base64(out, drawn->svg, drawn->svg_length);
    else
        write_base64(out, drawn->png, drawn->png_length);
    fputs("\"></div><figcaption>", out);
    dcnn_page_write(out, drawn->figure->text);
    fputs("</figcaption></figure>\n", out);
}

static void write_section(FILE *out, const char *section, int count, const dcnn_drawn *drawn) {
    bool open = false;
    for (int i = 0; i < count; i++) {
        if (drawn[i].figure == NULL || strcmp(drawn[i].figure->section, section) != 0) continue;
        if (!open) fprintf(out, "<h2>%s</h2>\n<div class=\"figures\">\n", section);
        open = true;
        write_figure(out, &drawn[i]);
    }
    if (open) fputs("</div>\n", out);
}

static void write_scores(FILE *out, const char *name, const dcnn_class_scores *scores) {
    char support[32];
    fputs("<tr><th scope=\"row\">", out);
    dcnn_page_write(out, name);
    fprintf(out,
            "</th><td class=\"n\">%.4f</td><td class=\"n\">%.4f</td><td class=\"n\">%.4f</td><td "
            "class=\"n\">%s</td></tr>\n",
            scores->precision, scores->recall, scores->f1, dcnn_text_integer(scores->support, support));
}

/* Classes that no score counts are named. */
static void write_absent(FILE *out, const dcnn_view *view) {
    char *names = dcnn_absent_text(&view->classification, (const char *const *)view->data->dataset->class_names);
    if (names && view->classification.absent_count > 0) {
        fputs("<p class=\"soft\">Not listed, because no sample has these classes and none was predicted as one: ", out);
        dcnn_page_write(out, names);
        fputs("</p>\n", out);
    }
    free(names);
}

static void write_classification(FILE *out, const dcnn_view *view) {
    const dcnn_classification *all = &view->classification;
    char count[32];
    fputs("<h2>Classification report</h2>\n", out);
    if (all->correct == all->count) fputs("<p>Every sample was classified correctly.</p>\n", out);
    fputs("<div class=\"scroll\"><table><thead><tr><th>class</th><th class=\"n\">precision</th><th "
          "class=\"n\">recall</th>"
          "<th class=\"n\">F1</th><th class=\"n\">support</th></tr></thead><tbody>\n",
          out);
    for (int i = 0; i < all->class_count; i++)
        if (!dcnn_class_is_absent(&all->classes[i])) write_scores(out, dcnn_view_class(view, i), &all->classes[i]);
    fprintf(
        out,
        "<tr><th scope=\"row\">accuracy</th><td></td><td></td><td class=\"n\">%.4f</td><td class=\"n\">%s</td></tr>\n",
        all->accuracy, dcnn_text_integer(all->count, count));
    write_scores(out, "macro average", &all->macro);
    write_scores(out, "weighted average", &all->weighted);
    fputs("</tbody></table></div>\n", out);
    write_absent(out, view);
}

static void write_table(FILE *out, const dcnn_report_table *table) {
    fprintf(out, "<h2>%s</h2>\n<div class=\"scroll\"><table><thead><tr><th></th>", table->title);
    for (int j = 0; j < table->column_count; j++) fprintf(out, "<th class=\"n\">%s</th>", table->columns[j]);
    fputs("</tr></thead><tbody>\n", out);
    for (int i = 0; i < table->row_count; i++) {
        fputs("<tr><th scope=\"row\">", out);
        dcnn_page_write(out, table->rows[i]);
        fputs("</th>", out);
        for (int j = 0; j < table->column_count; j++) {
            const double value = table->values[i * table->column_count + j];
            if (isfinite(value))
                fprintf(out, "<td class=\"n\">%.6g</td>", value);
            else
                fputs("<td class=\"n\">-</td>", out);
        }
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div>\n", out);
}

static void write_layers(FILE *out, const dcnn_net *net) {
    const int64_t all = dcnn_net_multiply_adds(net, -1);
    fputs("<h2>Layers</h2>\n<div class=\"scroll\"><table><thead><tr><th>layer</th><th>kind</th><th>output</th>"
          "<th class=\"n\">weights</th><th class=\"n\">multiply-adds</th></tr></thead><tbody>\n",
          out);
    for (int i = 0; i < net->node_count; i++) {
        const dcnn_node *node = &net->nodes[i];
        char shape[48], weights[32];
        int64_t count = 0;
        for (int j = 0; j < node->param_count; j++) count += (int64_t)node->params[j].count;
        fputs("<tr><th scope=\"row\">", out);
        dcnn_page_write(out, node->name);
        fprintf(out, "</th><td>%s</td><td>%s</td><td class=\"n\">%s</td><td class=\"n\">%.1f %%</td></tr>\n",
                node->layer->class_name, dcnn_shape_text(node->shape, shape), dcnn_text_integer(count, weights),
                all > 0 ? 100.0 * (double)dcnn_net_multiply_adds(net, i) / (double)all : 0.0);
    }
    fputs("</tbody></table></div>\n", out);
}

/* --- facts ------------------------------------------------------------------------------------------------------ */

static void write_json_fact(FILE *out, const char *name, const json_t *value) {
    if (json_is_string(value)) {
        write_fact(out, name, json_string_value(value));
        return;
    }
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
    write_fact(out, name, json_is_null(value) ? "not given" : text ? text : "");
    free(text);
}

/* An object's members, those that are objects or lists themselves left out. */
static void write_members(FILE *out, const char *title, const json_t *object) {
    const char *name;
    json_t *value;
    if (!json_is_object(object)) return;
    begin_facts(out, title);
    json_object_foreach((json_t *)(uintptr_t)object, name, value) if (!json_is_object(value) && !json_is_array(value))
        write_json_fact(out, name, value);
    end_facts(out);
}

/* When the run was started, where, and with which words. */
static void write_starts(FILE *out, const json_t *starts) {
    if (json_array_size(starts) == 0) return;
    begin_facts(out, "Starts");
    for (size_t i = 0; i < json_array_size(starts); i++) {
        const json_t *start = json_array_get(starts, i), *words = json_object_get(start, "command");
        const char *date = json_string_value(json_object_get(start, "date"));
        const char *host = json_string_value(json_object_get(start, "host"));
        char *text = NULL;
        size_t length = 0;
        FILE *value = open_memstream(&text, &length);
        if (value == NULL) continue;
        fprintf(value, "from step %" JSON_INTEGER_FORMAT " on %s, %" JSON_INTEGER_FORMAT " x %" JSON_INTEGER_FORMAT ":",
                json_integer_value(json_object_get(start, "step")), host ? host : "?",
                json_integer_value(json_object_get(start, "ranks")),
                json_integer_value(json_object_get(start, "threads")));
        for (size_t j = 0; j < json_array_size(words); j++) {
            const char *word = json_string_value(json_array_get(words, j));
            fprintf(value, " %s", word ? word : "?");
        }
        if (fclose(value) == 0) write_fact(out, date ? date : "?", text);
        free(text);
    }
    end_facts(out);
}

static void write_numbers(FILE *out, const char *name, const double *values, int count) {
    char text[256];
    size_t used = 0;
    for (int i = 0; i < count && used < sizeof text - 24; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.6g", i > 0 ? ", " : "", values[i]);
    write_fact(out, name, text);
}

static void write_data_facts(FILE *out, const dcnn_dataset *d) {
    char text[160], number[32];
    begin_facts(out, "Data set");
    write_fact(out, "file", d->path);
    if (d->source) write_fact(out, "source", d->source);
    if (d->source_checksum) write_fact(out, "source checksum (XXH3-64)", d->source_checksum);
    snprintf(text, sizeof text, "%016" PRIx64, d->checksum);
    write_fact(out, "file checksum (XXH3-64)", text);
    const bool numbers = d->class_count == 0;
    snprintf(text, sizeof text, "%s, %d x %d, %d channel%s, %d %s", dcnn_text_integer(d->count, number), d->h, d->w,
             d->c, d->c == 1 ? "" : "s", numbers ? d->target_width : d->class_count,
             numbers ? "numbers to predict" : "classes");
    write_fact(out, "samples", text);
    for (int i = 0; i < d->split_count; i++) {
        snprintf(text, sizeof text, "split '%s'", d->splits[i].name);
        write_fact(out, text, dcnn_text_integer(d->splits[i].count, number));
    }
    write_numbers(out, "mean", d->mean, d->c);
    write_numbers(out, "standard deviation", d->std, d->c);
    snprintf(text, sizeof text, "%" PRIu64, d->seed);
    write_fact(out, "seed of the splits", text);
    end_facts(out);
}

static void write_model_facts(FILE *out, const dcnn_report_data *data) {
    char text[64];
    const dcnn_progress *progress = &data->model->progress;
    begin_facts(out, "Model");
    write_fact(out, "file", data->model_path);
    snprintf(text, sizeof text, "%016" PRIx64, dcnn_weights_hash(data->model->net));
    write_fact(out, "weights hash (XXH3-64)", text);
    if (data->model->own && progress->step > 0) {
        snprintf(text, sizeof text, "%" PRId64 " epoch%s, %" PRId64 " step%s", progress->epoch,
                 progress->epoch == 1 ? "" : "s", progress->step, progress->step == 1 ? "" : "s");
        write_fact(out, "trained for", text);
    }
    end_facts(out);
}

static void write_facts(FILE *out, const dcnn_report_data *data) {
    fputs("<h2>Run</h2>\n<div class=\"columns\">\n", out);
    write_members(out, "Options", json_object_get(data->record, "options"));
    write_members(out, "Machine and versions", data->record);
    write_starts(out, json_object_get(data->record, "starts"));
    write_data_facts(out, data->dataset);
    write_model_facts(out, data);
    fputs("</div>\n", out);
}

char *dcnn_page_text(const dcnn_view *view, int count, const dcnn_drawn *drawn) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL) return NULL;
    write_head(out, view);
    write_section(out, "Learning", count, drawn);
    write_section(out, "Classes", count, drawn);
    write_section(out, "Numbers", count, drawn);
    if (view->data->split) dcnn_page_confusions(out, view);
    if (view->data->split) write_classification(out, view);
    dcnn_page_distribution(out, view);
    if (view->data->scores) write_table(out, view->data->scores);
    write_section(out, "Images", count, drawn);
    write_section(out, "Network", count, drawn);
    write_layers(out, view->data->model->net);
    write_section(out, "Time", count, drawn);
    write_facts(out, view->data);
    fputs("</main>\n</body>\n</html>\n", out);
    const bool failed = ferror(out) != 0;
    if (fclose(out) == 0 && !failed) return text;
    free(text);
    return NULL;
}
