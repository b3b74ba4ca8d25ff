/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_figures.c — the figures and the page of made-up runs: all there, whole, the same each time; what they are made
 * of: history, calibration, axes. `DCNN_TEST_KEEP=DIR` leaves the files there, to be looked at.
 */
#include "report_helpers.h"

#include <malloc.h>
#include <unistd.h>

#include "report/calibration.h"
#include "report/curves.h"
#include "report/figures/figures.h"
#include "report/figures/plot.h"
#include "report/overlay.h"

/* --- history ---------------------------------------------------------------------------------------------------- */

static void history_becomes_columns(void **state) {
    (void)state;
    dcnn_curves curves;
    assert_int_equal(dcnn_curves_create("{\"epoch\":1,\"step\":7,\"loss\":0.5,\"phases\":{\"a\":1,\"b\":2}}\n\n"
                                        "{\"epoch\":2,\"loss\":0.25,\"val_loss\":null,\"phases\":{\"b\":3,\"c\":4}}",
                                        &curves),
                     DCNN_OK);
    assert_int_equal(curves.count, 2);
    assert_true(curves.values[DCNN_CURVE_LOSS][0] == 0.5 && curves.values[DCNN_CURVE_LOSS][1] == 0.25);
    assert_true(curves.values[DCNN_CURVE_STEP][0] == 7 && isnan(curves.values[DCNN_CURVE_STEP][1]));
    assert_true(isnan(curves.values[DCNN_CURVE_VAL_LOSS][0]) && isnan(curves.values[DCNN_CURVE_VAL_LOSS][1]));
    assert_int_equal(curves.phase_count, 3);
    assert_string_equal(curves.phase_names[2], "c");
    assert_true(curves.phases[1][0] == 2 && curves.phases[1][1] == 3 && curves.phases[2][0] == 0);
    dcnn_curves_free(&curves);
    assert_int_equal(dcnn_curves_create(NULL, &curves), DCNN_OK);
    assert_int_equal(curves.count, 0);
    dcnn_curves_free(&curves);
}

static void broken_history_is_refused(void **state) {
    (void)state;
    static const char *const broken[] = {"{\"epoch\":1}\n{\"epoch\":",
                                         "[1]\n",
                                         "{\"loss\":1}\n",
                                         "nonsense",
                                         "{\"epoch\":1e300}\n",
                                         "{\"epoch\":-1}\n",
                                         "{\"epoch\":0.5}\n",
                                         "{\"epoch\":1,\"step\":1e19}\n"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        dcnn_curves curves;
        assert_int_equal(dcnn_curves_create(broken[i], &curves), DCNN_BAD_INPUT);
        assert_non_null(strstr(dcnn_error(), "line"));
        dcnn_curves_free(&curves);
    }
}

/* A phase more than there is room for, in a later line. */
static void too_many_phases_are_refused(void **state) {
    (void)state;
    char history[600] = "{\"epoch\":1}\n{\"epoch\":2,\"phases\":{\"0\":0";
    for (int i = 1; i <= DCNN_MAX_PHASES; i++) {
        const size_t at = strlen(history);
        snprintf(history + at, sizeof history - at, ",\"%d\":1", i);
    }
    strcat(history, "}}\n");
    dcnn_curves curves;
    assert_fails(dcnn_curves_create(history, &curves), DCNN_BAD_INPUT, "line 2", "has more than 16 phases");
    dcnn_curves_free(&curves);
}

/* --- calibration ------------------------------------------------------------------------------------------------ */

static void calibration_by_hand(void **state) {
    (void)state;
    /* Bins of 1/15: 0.5 lies in bin 7, 0.9 in bin 13, 1 in bin 14. */
    const float confidence[] = {0.5F, 0.5F, 0.9F, 1.0F, 1.0F};
    const bool hit[] = {true, false, false, true, true};
    dcnn_calibration c;
    dcnn_calibration_measure(5, confidence, hit, &c);
    assert_int_equal(c.counts[7], 2);
    assert_int_equal(c.counts[13], 1);
    assert_int_equal(c.counts[14], 2);
    assert_true(c.accuracy[7] == 0.5 && c.accuracy[13] == 0 && c.accuracy[14] == 1 && isnan(c.accuracy[0]));
    assert_true(fabs(c.ece - 0.9 / 5) < 1e-7);
    dcnn_calibration_measure(0, NULL, NULL, &c);
    assert_true(isnan(c.ece));
    const float odd[] = {NAN, 0.0F, 1.0001F};
    dcnn_calibration_measure(3, odd, hit, &c);
    assert_true(c.counts[0] == 2 && c.counts[14] == 1 && isnan(c.ece));
}

static void calibration_against_bin_by_bin(void **state) {
    (void)state;
    enum { COUNT = 500 };
    float confidence[COUNT];
    bool hit[COUNT];
    for (int i = 0; i < COUNT; i++) {
        confidence[i] = i % 50 == 0 ? 1.0F : (float)draw_unit();
        hit[i] = draw_unit() < 0.7;
    }
    double expected = 0;
    for (int bin = 0; bin < DCNN_CALIBRATION_BINS; bin++) {
        double inside = 0, right = 0, sum = 0;
        for (int i = 0; i < COUNT; i++) {
            const double at = (double)confidence[i] * DCNN_CALIBRATION_BINS;
            if (!(at > bin || (bin == 0 && at == 0)) || at > bin + 1) continue;
            inside++;
            right += hit[i];
            sum += (double)confidence[i];
        }
        if (inside > 0) expected += inside / COUNT * fabs(right / inside - sum / inside);
    }
    dcnn_calibration c;
    dcnn_calibration_measure(COUNT, confidence, hit, &c);
    assert_true(fabs(c.ece - expected) < 1e-12);
}

/* --- axes and colours ------------------------------------------------------------------------------------------- */

static void ticks_are_inside_and_apart(void **state) {
    (void)state;
    for (int i = 0; i < 500; i++) {
        const dcnn_axis_kind kind = (dcnn_axis_kind)draw_below(5);
        double low = 200 * draw_unit() - 100, high = low + 1 + 1e3 * pow(draw_unit(), 4);
        if (kind == DCNN_AXIS_LOG) {
            low = exp(20 * draw_unit() - 10);
            high = low * (1.5 + 1e4 * draw_unit());
        } else if (kind == DCNN_AXIS_ERRORS) {
            low = draw_unit();
            high = 1 - (1 - low) / (2 + 1e4 * draw_unit());
        } else if (kind != DCNN_AXIS_INTEGER) {
            high = low + 1e-3 + pow(draw_unit(), 4);
        }
        const dcnn_axis axis = dcnn_axis_create(kind, low, high, 8);
        assert_true(axis.tick_count <= 10);
        if (kind <= DCNN_AXIS_PERCENT) assert_true(axis.tick_count >= 1);
        for (int tick = 0; tick < axis.tick_count; tick++) {
            const double place = dcnn_axis_place(&axis, axis.ticks[tick]);
            assert_true(place >= -1e-6 && place <= 1 + 1e-6);
            assert_int_not_equal(strncmp(axis.labels[tick], "-0 ", 3), 0);
            assert_string_not_equal(axis.labels[tick], "-0");
            if (kind == DCNN_AXIS_INTEGER) assert_true(fabs(axis.ticks[tick] - round(axis.ticks[tick])) < 1e-9);
            if (tick == 0) continue;
            const double before = dcnn_axis_place(&axis, axis.ticks[tick - 1]);
            assert_true(kind == DCNN_AXIS_ERRORS ? place < before : place > before);
            assert_string_not_equal(axis.labels[tick], axis.labels[tick - 1]);
        }
    }
    const dcnn_axis epochs = dcnn_axis_create(DCNN_AXIS_INTEGER, 1, 15, 10);
    assert_string_equal(epochs.labels[0], "2");
    const dcnn_axis shares = dcnn_axis_create(DCNN_AXIS_PERCENT, 0.985, 1, 7);
    assert_string_equal(shares.labels[0], "98.5 %");
}

/* Axes end, whatever a file says: 1e17 + 1 is 1e17, and 1e300 / 1e-300 is no number. */
static void axes_of_any_numbers_end(void **state) {
    (void)state;
    static const struct {
        dcnn_axis_kind kind;
        double low, high;
    } rows[] = {{DCNN_AXIS_INTEGER, 1e17, 1e17 + 16}, {DCNN_AXIS_NUMBER, 0, (double)INFINITY},
                {DCNN_AXIS_LOG, 1e-300, 1e300},       {DCNN_AXIS_LOG, 1e300, (double)INFINITY},
                {DCNN_AXIS_ERRORS, 0.5, 3},           {DCNN_AXIS_NUMBER, -1e308, 1e308}};
    alarm(60); /* it did not end */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const dcnn_axis axis = dcnn_axis_create(rows[i].kind, rows[i].low, rows[i].high, 8);
        assert_in_range(axis.tick_count, 0, DCNN_MAX_TICKS);
        if (rows[i].high == 1e300) assert_true(axis.tick_count > 2);
    }
    alarm(0);
}

static void blues_darken(void **state) {
    (void)state;
    double before = 1e9;
    for (int i = 0; i <= 100; i++) {
        const dcnn_color color = dcnn_scale_blues(i / 100.0);
        const double light = 0.299 * (color >> 16) + 0.587 * (color >> 8 & 255) + 0.114 * (color & 255);
        assert_true(light < before);
        before = light;
    }
    assert_int_equal(dcnn_scale_blues((double)NAN), dcnn_scale_blues(0));
    assert_int_equal(dcnn_scale_signed(0), 0xf7f7f7);
}

static void integers_have_commas(void **state) {
    (void)state;
    char text[32];
    assert_string_equal(dcnn_text_integer(0, text), "0");
    assert_string_equal(dcnn_text_integer(999, text), "999");
    assert_string_equal(dcnn_text_integer(-1000, text), "-1,000");
    assert_string_equal(dcnn_text_integer(507274, text), "507,274");
    assert_string_equal(dcnn_text_integer(INT64_MIN, text), "-9,223,372,036,854,775,808");
}

/* Bytes in use after drawing and writing `count` figures. */
static size_t bytes_after(int count) {
    for (int i = 0; i < count; i++) {
        dcnn_canvas *canvas;
        uint8_t *bytes;
        size_t length;
        assert_int_equal(dcnn_canvas_create(&canvas), DCNN_OK);
        for (int line = 0; line < 40; line++)
            dcnn_canvas_text(canvas, 10, 12 * line, (dcnn_type){.size = 8 + line % 9},
                             "the quick brown fox, 0123456789");
        dcnn_canvas_resize(canvas, 100, 500);
        assert_int_equal(dcnn_canvas_png(canvas, &bytes, &length), DCNN_OK);
        free(bytes);
        assert_int_equal(dcnn_canvas_svg(canvas, &bytes, &length), DCNN_OK);
        free(bytes);
        dcnn_canvas_free(canvas);
    }
    return mallinfo2().uordblks;
}

/* 0 0 0 0 1 1 1 2: sorted, and unequal. */
static void samples_are_of_all_classes(void **state) {
    (void)state;
    const int32_t labels[9] = {3, 0, 0, 0, 0, 1, 1, 1, 2}; /* row 0 is of no split */
    int64_t rows[8], picked[8];
    for (int i = 0; i < 8; i++) rows[i] = i + 1;
    const dcnn_split split = {.rows = rows, .count = 8};
    assert_int_equal(dcnn_pick_samples(&split, 4, labels, 5, picked), DCNN_OK);
    assert_memory_equal(picked, ((int64_t[5]){0, 4, 7, 1, 5}), 5 * sizeof *picked);
    assert_int_equal(dcnn_pick_samples(&split, 4, labels, 8, picked), DCNN_OK);
    assert_memory_equal(picked, ((int64_t[8]){0, 4, 7, 1, 5, 2, 6, 3}), sizeof picked);
    assert_int_equal(dcnn_pick_samples(&split, 4, labels, 2, picked), DCNN_OK); /* fewer than classes */
    assert_memory_equal(picked, ((int64_t[2]){0, 4}), 2 * sizeof *picked);
    assert_int_equal(dcnn_pick_samples(&split, 4, NULL, 4, picked), DCNN_OK);
    assert_memory_equal(picked, ((int64_t[4]){0, 2, 4, 6}), 4 * sizeof *picked);
}

/* Cairo itself loses half a kilobyte an SVG (1.16), so LeakSanitizer must be told to overlook it; not so this. */
static void figures_give_their_memory_back(void **state) {
    (void)state;
    enum { COUNT = 40 };
    const size_t before = bytes_after(COUNT), after = bytes_after(COUNT);
    if (after > before + COUNT * 4096) fail_msg("%zu bytes lost a figure", (after - before) / COUNT);
}

/* --- whole reports ---------------------------------------------------------------------------------------------- */

static const char *folder_of(const fake_run *run) {
    static char path[512];
    const char *keep = getenv("DCNN_TEST_KEEP");
    snprintf(path, sizeof path, "%s/%s", keep ? keep : scratch, run->name);
    assert_int_equal(dcnn_folder_create(path), DCNN_OK);
    return path;
}

static uint8_t *read_figure(const char *folder, const char *name, const char *extension, size_t *length) {
    char path[800];
    uint8_t *bytes;
    snprintf(path, sizeof path, "%s/figures/%s.%s", folder, name, extension);
    if (access(path, F_OK) != 0) return NULL;
    assert_int_equal(dcnn_file_read(path, &bytes, length), DCNN_OK);
    return bytes;
}

/* Both files are there and whole, or neither; returns whether they are. */
static bool check_figure(const char *folder, const char *name) {
    size_t png_length, svg_length;
    uint8_t *png = read_figure(folder, name, "png", &png_length), *svg = read_figure(folder, name, "svg", &svg_length);
    assert_true((png == NULL) == (svg == NULL));
    if (png == NULL) return false;
    assert_memory_equal(png, "\x89PNG\r\n\x1a\n", 8);
    assert_memory_equal(png + png_length - 8, "IEND", 4);
    assert_memory_equal(svg, "<?xml", 5);
    assert_non_null(strstr((char *)svg + svg_length - 10, "</svg>"));
    for (int at = 16; at < 24; at += 4) { /* width and height, big-endian */
        const uint32_t side =
            (uint32_t)png[at] << 24 | (uint32_t)png[at + 1] << 16 | (uint32_t)png[at + 2] << 8 | png[at + 3];
        assert_in_range(side, 2 * 150, 2 * 3000);
    }
    free(png);
    free(svg);
    return true;
}

static int count_of(const char *text, const char *word) {
    int count = 0;
    for (const char *at = strstr(text, word); at; at = strstr(at + 1, word)) count++;
    return count;
}

static void check_page(const char *folder, const fake_run *run, int figures) {
    char path[800];
    uint8_t *page;
    size_t length;
    snprintf(path, sizeof path, "%s/report.html", folder);
    assert_int_equal(dcnn_file_read(path, &page, &length), DCNN_OK);
    const char *text = (const char *)page;
    assert_int_equal(count_of(text, "<img"), figures);
    assert_int_equal(count_of(text, "src=\"data:image/"), figures);
    assert_int_equal(count_of(text, "<script"), 0);
    assert_int_equal(count_of(text, "://"), 0);
    assert_int_equal(count_of(text, "<of>"), 0);
    assert_int_equal(count_of(text, "<made"), 0);
    if (run->long_names) assert_true(count_of(text, "Schmetterling &lt;of&gt;") >= run->classes);
    assert_non_null(strstr(text, "</html>"));
    char weights[32], tile[64]; /* of fake_net(): 20 filters of 3 x 3, then one dense layer */
    snprintf(tile, sizeof tile, "<b>%s</b>",
             dcnn_text_integer(20 * (9 * run->c + 1) + run->classes * (20 * (run->h - 2) * (run->w - 2) + 1), weights));
    assert_non_null(strstr(text, tile));
    free(page);
}

/* What the page says, for programs: the counts are those of the confusion matrix. */
static void check_evaluation(const char *folder, const fake_data *data) {
    char path[800];
    snprintf(path, sizeof path, "%s/evaluation.json", folder);
    json_t *json = json_load_file(path, 0, NULL);
    assert_non_null(json);
    const json_t *confusion = json_object_get(json, "confusion");
    const int classes = data->report.dataset->class_count;
    json_int_t sum = 0, right = 0;
    for (int i = 0; i < classes; i++)
        for (int j = 0; j < classes; j++) {
            const json_int_t count =
                json_integer_value(json_array_get(json_array_get(confusion, (size_t)i), (size_t)j));
            sum += count;
            right += i == j ? count : 0;
        }
    assert_int_equal(sum, data->report.split->count);
    assert_int_equal(json_integer_value(json_object_get(json, "count")), sum);
    assert_int_equal(json_integer_value(json_object_get(json, "correct")), right);
    assert_true(json_integer_value(json_object_get(json, "top_5_correct")) >= right);
    if (classes <= 5) assert_int_equal(json_integer_value(json_object_get(json, "top_5_correct")), sum);
    json_decref(json);
}

static void write_report(const fake_run *run, int figures) {
    const char *folder = folder_of(run);
    fake_data data;
    fake_create(run, &data);
    assert_int_equal(dcnn_report_write(folder, &data.report), DCNN_OK);
    int found = 0;
    for (int i = 0; i < dcnn_figure_count; i++) found += check_figure(folder, dcnn_figure_table[i].name);
    assert_int_equal(found, figures);
    check_page(folder, run, figures);
    check_evaluation(folder, &data);
    fake_free(&data);
}

/* Steps that were logged have a figure of their own. */
static void steps_are_drawn(void **state) {
    (void)state;
    const fake_run run = {"steps", 5, 4, 12, 12, 3, 100, true, true, true, 0.8};
    const char *folder = folder_of(&run);
    fake_data data;
    fake_create(&run, &data);
    data.report.steps =
        "{\"epoch\": 1, \"step\": 50, \"loss\": 0.9, \"accuracy\": 0.5, \"learning_rate\": 0.001}\n"
        "{\"epoch\": 1, \"step\": 100, \"loss\": 0.01, \"accuracy\": 0.9, \"learning_rate\": 0.00001}\n";
    assert_int_equal(dcnn_report_write(folder, &data.report), DCNN_OK);
    assert_true(check_figure(folder, "steps"));
    data.report.steps = "no JSON\n";
    assert_int_equal(dcnn_report_write(folder, &data.report), DCNN_BAD_INPUT);
    assert_non_null(strstr(dcnn_error(), "steps.jsonl"));
    fake_free(&data);
}

/* Times and speeds that no run has: the page says them, or leaves them out. */
static void absurd_metrics_are_shown(void **state) {
    (void)state;
    const fake_run run = {"absurd", 3, 0, 10, 10, 1, 50, false, false, true, 0.5};
    const char *folder = folder_of(&run);
    fake_data data;
    uint8_t *page;
    size_t length;
    char path[800];
    fake_create(&run, &data);
    free((void *)(uintptr_t)data.report.history);
    data.report.history = strdup("{\"epoch\":1,\"loss\":1e300,\"seconds\":1e300,\"images_per_s\":-1e300}\n");
    assert_ok(dcnn_report_write(folder, &data.report));
    snprintf(path, sizeof path, "%s/report.html", folder);
    assert_ok(dcnn_file_read(path, &page, &length));
    assert_non_null(strstr((char *)page, "<b>1e+300 s</b>"));
    assert_null(strstr((char *)page, "images a second"));
    free(page);
    fake_free(&data);
}

/* Of a model of numbers, predicted against true; of one value alone, of NaN and of more numbers than are shown too. */
static void numbers_are_drawn(void **state) {
    (void)state;
    enum { SAMPLES = 50, NUMBERS = 8 };
    float truth[SAMPLES * NUMBERS], predicted[SAMPLES * NUMBERS];
    for (int i = 0; i < SAMPLES * NUMBERS; i++) {
        truth[i] = i % NUMBERS == 1 ? 2.0f : (float)draw_unit();
        predicted[i] = i % NUMBERS == 1 ? 2.0f : i == 0 ? (float)NAN : truth[i] + 0.1f * (float)draw_unit();
    }
    static const char *const names[] = {"row", "a name with <signs>", "c", "d", "e", "f", "g", "h"};
    for (int numbers = 1; numbers <= NUMBERS; numbers += 7) {
        const fake_run run = {numbers == 1 ? "number" : "numbers", 5, 4, 12, 12, 3, 100, false, true, true, 0.8};
        const char *folder = folder_of(&run);
        fake_data data;
        fake_create(&run, &data);
        data.report.split = NULL; /* as of every model of numbers */
        assert_int_equal(dcnn_report_write(folder, &data.report), DCNN_OK);
        assert_false(check_figure(folder, "predicted-true"));
        data.report.number_samples = SAMPLES * NUMBERS / numbers;
        data.report.predictions = predicted;
        data.report.targets = truth;
        assert_int_equal(dcnn_report_write(folder, &data.report), DCNN_OK); /* of no number at all */
        assert_false(check_figure(folder, "predicted-true"));
        data.report.number_count = numbers;
        data.report.number_names = numbers == 1 ? NULL : names;
        assert_int_equal(dcnn_report_write(folder, &data.report), DCNN_OK);
        assert_true(check_figure(folder, "predicted-true"));
        fake_free(&data);
    }
}

static void reports_of_all_sizes(void **state) {
    (void)state;
    static const fake_run runs[] = {
        {"two", 2, 1, 28, 28, 1, 200, false, true, true, 0.9},
        {"ten", 10, 15, 28, 28, 1, 4200, false, true, true, 0.98},
        {"ten-long", 10, 15, 32, 32, 3, 900, true, false, true, 0.9},
        {"forty", 40, 100, 40, 20, 3, 4000, true, true, true, 0.8},
        {"hundred", 100, 1000, 16, 24, 4, 10000, true, true, true, 0.7},
        {"thousand", 1000, 2, 8, 8, 1, 3000, false, true, true, 0.7},
        {"twenty-five", 25, 3, 200, 300, 3, 60, false, true, false, 0.7},
    };
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) write_report(&runs[i], runs[i].phases ? 12 : 11);
}

/* What is not a number is null for programs, and the report is written. */
static void a_loss_that_is_none_is_null(void **state) {
    (void)state;
    const fake_run run = {"diverged", 3, 2, 10, 10, 1, 50, false, true, true, 0.5};
    const char *folder = folder_of(&run);
    char path[800];
    fake_data data;
    fake_create(&run, &data);
    const dcnn_report_data whole = data.report;
    data.report.loss = (double)NAN;
    data.report.model_path = "b\xff.h5";
    assert_ok(dcnn_report_write(folder, &data.report));
    check_evaluation(folder, &data);
    snprintf(path, sizeof path, "%s/evaluation.json", folder);
    json_t *json = json_load_file(path, 0, NULL);
    assert_true(json_is_null(json_object_get(json, "loss")));
    assert_string_equal(json_string_value(json_object_get(json, "model")), "b?.h5");
    json_decref(json);
    /* the next one is of no split: nothing of this one stays */
    data.report.split = NULL;
    data.report.history = "";
    assert_ok(dcnn_report_write(folder, &data.report));
    assert_int_not_equal(access(path, F_OK), 0);
    assert_true(check_figure(folder, "filters"));
    assert_false(check_figure(folder, "predictions") || check_figure(folder, "loss"));
    data.report = whole;
    fake_free(&data);
}

/* Of any number of classes, and of images of any size, figures are about as large. */
static void figures_keep_their_size(void **state) {
    (void)state;
    enum { CLASSES = 3000, SIDE = 1600 };
    const fake_run run = {"very-many", CLASSES, 1, 4, 4, 1, 100, false, false, true, 0.5};
    dcnn_canvas *canvas;
    fake_data data;
    dcnn_view view;
    fake_create(&run, &data);
    assert_ok(dcnn_view_create(&data.report, &view));
    assert_ok(dcnn_canvas_create(&canvas));
    assert_true(dcnn_figure_confusion(&view, canvas));
    assert_true(dcnn_canvas_width(canvas) < 1700 && dcnn_canvas_height(canvas) < 1700);
    dcnn_canvas_free(canvas);
    dcnn_view_free(&view);
    fake_free(&data);

    uint8_t *pixels = malloc((size_t)SIDE * SIDE * 3), *bytes;
    size_t length;
    assert_non_null(pixels);
    for (size_t i = 0; i < (size_t)SIDE * SIDE * 3; i++) pixels[i] = (uint8_t)draw_below(256);
    assert_ok(dcnn_canvas_create(&canvas));
    dcnn_canvas_image(canvas, 0, 0, 96, pixels, SIDE, SIDE - 1, 3, (dcnn_pen){DCNN_BLACK, 1, false});
    dcnn_canvas_resize(canvas, 96, 96);
    assert_ok(dcnn_canvas_svg(canvas, &bytes, &length));
    assert_in_range(length, 10000, 1 << 20);
    free(bytes);
    dcnn_canvas_free(canvas);
    free(pixels);
}

static void what_lacks_data_is_left_out(void **state) {
    (void)state;
    const fake_run all_right = {"all-right", 3, 2, 10, 10, 2, 50, false, false, true, 2.0};
    write_report(&all_right, 10); /* nothing is wrong, no phases */
    const fake_run bare = {"bare", 3, 0, 10, 10, 1, 0, false, false, true, 1.0};
    fake_data data;
    fake_create(&bare, &data);
    data.report.split = NULL;
    data.report.augmented_rows = 0;
    data.report.record = NULL;
    const char *folder = folder_of(&bare);
    assert_int_equal(dcnn_report_write(folder, &data.report), DCNN_OK);
    assert_true(check_figure(folder, "training-images") && check_figure(folder, "filters"));
    assert_false(check_figure(folder, "loss") || check_figure(folder, "confusion-matrix"));
    check_page(folder, &bare, 2);
    fake_free(&data);
}

static void the_same_run_gives_the_same_images(void **state) {
    (void)state;
    const fake_run run = {"again", 5, 4, 12, 12, 3, 100, true, true, true, 0.8};
    const char *folder = folder_of(&run);
    fake_data data;
    fake_create(&run, &data);
    size_t lengths[2];
    uint8_t *bytes[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(dcnn_report_write(folder, &data.report), DCNN_OK);
        bytes[i] = read_figure(folder, "predictions", "png", &lengths[i]);
        assert_non_null(bytes[i]);
    }
    assert_int_equal(lengths[0], lengths[1]);
    assert_memory_equal(bytes[0], bytes[1], lengths[0]);
    free(bytes[0]);
    free(bytes[1]);
    fake_free(&data);
}

static void a_full_folder_is_told(void **state) {
    (void)state;
    const fake_run run = {"no-folder", 2, 1, 8, 8, 1, 10, false, false, true, 0.5};
    fake_data data;
    fake_create(&run, &data);
    put_text(in_scratch("file"), "not a folder");
    assert_int_equal(dcnn_report_write(in_scratch("file"), &data.report), DCNN_FAILURE);
    fake_free(&data);
}

/* Without an epoch of any run there is nothing to draw, and no file. */
static void an_overlay_of_nothing_is_refused(void **state) {
    (void)state;
    const dcnn_overlay_run run = {"empty", ""};
    const char *path = in_scratch("overlay.svg");
    assert_fails(dcnn_overlay_write(path, "Runs", 1, &run), DCNN_BAD_INPUT, "none of these runs", "finished an epoch");
    assert_int_not_equal(access(path, F_OK), 0);
}

/* Cairo draws no image of more than 32,767 points on a side. */
static void a_figure_that_is_too_wide_is_refused(void **state) {
    (void)state;
    dcnn_canvas *canvas;
    uint8_t *bytes;
    size_t length;
    assert_ok(dcnn_canvas_create(&canvas));
    dcnn_canvas_resize(canvas, 40000, 10);
    assert_fails(dcnn_canvas_png(canvas, &bytes, &length), DCNN_FAILURE, "a figure cannot be drawn as PNG", "invalid");
    assert_true(bytes == NULL && length == 0);
    dcnn_canvas_free(canvas);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(history_becomes_columns),
        cmocka_unit_test(broken_history_is_refused),
        cmocka_unit_test(calibration_by_hand),
        cmocka_unit_test(calibration_against_bin_by_bin),
        cmocka_unit_test(ticks_are_inside_and_apart),
        cmocka_unit_test(blues_darken),
        cmocka_unit_test(integers_have_commas),
        cmocka_unit_test(figures_give_their_memory_back),
        cmocka_unit_test(samples_are_of_all_classes),
        cmocka_unit_test(steps_are_drawn),
        cmocka_unit_test(numbers_are_drawn),
        cmocka_unit_test(absurd_metrics_are_shown),
        cmocka_unit_test(reports_of_all_sizes),
        cmocka_unit_test(what_lacks_data_is_left_out),
        cmocka_unit_test(a_loss_that_is_none_is_null),
        cmocka_unit_test(figures_keep_their_size),
        cmocka_unit_test(the_same_run_gives_the_same_images),
        cmocka_unit_test(a_full_folder_is_told),
        cmocka_unit_test(too_many_phases_are_refused),
        cmocka_unit_test(an_overlay_of_nothing_is_refused),
        cmocka_unit_test(a_figure_that_is_too_wide_is_refused),
        cmocka_unit_test(axes_of_any_numbers_end),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
