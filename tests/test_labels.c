/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_labels.c — no label of a figure overlaps another or leaves the image: for 2 to 100 classes, long names, 1 to
 * 1,000 epochs, grey and colour images. The linker puts a witness before dcnn_canvas_text() (--wrap).
 */
#include "report_helpers.h"

#include "report/figures/figures.h"

/* A text that was drawn. */
typedef struct label {
    char text[48];
    double left, top, right, bottom;
} label;

enum { MOST_LABELS = 1 << 15 };

static label labels[MOST_LABELS];
static int label_count;

void __real_dcnn_canvas_text(dcnn_canvas *canvas, double x, double y, dcnn_type type, const char *text);
void __wrap_dcnn_canvas_text(dcnn_canvas *canvas, double x, double y, dcnn_type type, const char *text);

/* Its box: as long as it is, as high as its capitals (0.73 em in DejaVu Sans). */
void __wrap_dcnn_canvas_text(dcnn_canvas *canvas, double x, double y, dcnn_type type, const char *text) {
    __real_dcnn_canvas_text(canvas, x, y, type, text);
    assert_true(label_count < MOST_LABELS);
    label *l = &labels[label_count++];
    double length = dcnn_canvas_measure(canvas, type, text);
    const double half = 0.365 * type.size;
    if (type.width > 0 && length > type.width) length = type.width;
    snprintf(l->text, sizeof l->text, "%s", text);
    if (type.vertical) {
        l->left = x - half;
        l->right = x + half;
        l->bottom = y + type.align * length;
        l->top = l->bottom - length;
    } else {
        l->left = x - type.align * length;
        l->right = l->left + length;
        l->top = y - half;
        l->bottom = y + half;
    }
}

static bool overlap(const label *a, const label *b) {
    return a->left < b->right && b->left < a->right && a->top < b->bottom && b->top < a->bottom;
}

static int by_top(const void *a, const void *b) {
    const double x = ((const label *)a)->top, y = ((const label *)b)->top;
    return (x > y) - (x < y);
}

static void check_labels(const fake_run *run, const char *figure, double width, double height) {
    qsort(labels, (size_t)label_count, sizeof *labels, by_top);
    for (int i = 0; i < label_count; i++) {
        const label *l = &labels[i];
        if (l->left < 0 || l->top < 0 || l->right > width || l->bottom > height)
            fail_msg("%s, %d classes, %d epochs: '%s' leaves the image", figure, run->classes, run->epochs, l->text);
        for (int j = i + 1; j < label_count && labels[j].top < l->bottom; j++)
            if (overlap(l, &labels[j]))
                fail_msg("%s, %d classes, %d epochs: '%s' overlaps '%s'", figure, run->classes, run->epochs, l->text,
                         labels[j].text);
    }
}

/* Draws the figures with numbers from `first` to before `end`; returns how many there were data for. */
static int draw_figures(const fake_run *run, int best_epoch, int first, int end) {
    fake_data data;
    dcnn_view view;
    int drawn = 0;
    fake_create(run, &data);
    data.model.progress.best_epoch = best_epoch;
    data.report.steps = "{\"step\": 50, \"epoch\": 1, \"loss\": 2.25, \"learning_rate\": 0.001}\n"
                        "{\"step\": 98765, \"epoch\": 15, \"loss\": 0.0625, \"learning_rate\": 1.25e-05}\n";
    assert_int_equal(dcnn_view_create(&data.report, &view), DCNN_OK);
    for (int i = first; i < end; i++) {
        dcnn_canvas *canvas;
        assert_int_equal(dcnn_canvas_create(&canvas), DCNN_OK);
        label_count = 0;
        if (dcnn_figure_table[i].draw(&view, canvas)) {
            assert_true(label_count > 1);
            check_labels(run, dcnn_figure_table[i].name, dcnn_canvas_width(canvas), dcnn_canvas_height(canvas));
            drawn++;
        }
        dcnn_canvas_free(canvas);
    }
    dcnn_view_free(&view);
    fake_free(&data);
    return drawn;
}

static void with_any_number_of_classes(void **state) {
    (void)state;
    static const int counts[] = {2, 3, 10, 11, 25, 41, 100};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        for (int style = counts[i] == 100; style < 2; style++) { /* long names and colours last */
            const fake_run run = {"classes",      counts[i], 15,   12,   12, style ? 3 : 1,
                                  40 * counts[i], style,     true, true, 0.8};
            /* all but the two of predicted numbers, which a net of classes has not */
            assert_int_equal(draw_figures(&run, 9, 0, dcnn_figure_count), dcnn_figure_count - 2);
        }
}

static void with_any_number_of_epochs(void **state) {
    (void)state;
    static const int counts[] = {1, 2, 3, 15, 60, 61, 100, 1000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        const fake_run run = {"epochs", 3, counts[i], 8, 8, 1, 20, false, true, true, 0.9};
        draw_figures(&run, 1, 0, 2); /* loss and accuracy: the best epoch's mark is at either end */
        draw_figures(&run, counts[i], 0, 2);
        assert_int_equal(draw_figures(&run, 1, dcnn_figure_count - 1, dcnn_figure_count), 1);
    }
}

static void with_counts_of_any_length(void **state) {
    (void)state;
    static const int tests[] = {1, 1000, 30000};
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        for (int classes = 2; classes <= 30; classes += 14) {
            const fake_run run = {"counts", classes, 3, 4, 4, 1, tests[i], false, false, true, 0.99};
            draw_figures(&run, 2, 0, dcnn_figure_count);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_any_number_of_classes),
        cmocka_unit_test(with_any_number_of_epochs),
        cmocka_unit_test(with_counts_of_any_length),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
