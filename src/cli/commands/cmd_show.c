/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_show.c — dcnn show DATA.h5: a sample drawn in the terminal. */
#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/cli.h"
#include "io/dataset/pixels.h"

/* An image, made smaller: each of its points is the mean of a square of the original. */
typedef struct image {
    const uint8_t *pixels; /* [h,w,c] */
    int h, w, c;
    int factor; /* side of the square */
} image;

static int columns_of(const image *p) {
    return (p->w + p->factor - 1) / p->factor;
}

static int rows_of(const image *p) {
    return (p->h + p->factor - 1) / p->factor;
}

/* One channel of a point; black below the last row. */
static int point(const image *p, int row, int column, int channel) {
    int sum = 0, count = 0;
    for (int y = row * p->factor; y < (row + 1) * p->factor && y < p->h; y++)
        for (int x = column * p->factor; x < (column + 1) * p->factor && x < p->w; x++, count++)
            sum += p->pixels[(y * p->w + x) * p->c + channel];
    return count > 0 ? sum / count : 0;
}

/* Grey and red, green, blue as the figures take them: one or two channels are grey. */
static void color_of(const image *p, int row, int column, int rgb[3]) {
    for (int i = 0; i < 3; i++) rgb[i] = point(p, row, column, p->c >= 3 ? i : 0);
}

/* Two rows of points a line: the upper half of each cell is its letter's colour, the lower half its ground's. */
static void draw_colors(const image *p) {
    for (int row = 0; row < rows_of(p); row += 2) {
        for (int column = 0; column < columns_of(p); column++) {
            int upper[3], lower[3];
            color_of(p, row, column, upper);
            color_of(p, row + 1, column, lower);
            printf("\033[38;2;%d;%d;%d;48;2;%d;%d;%dm▀", upper[0], upper[1], upper[2], lower[0], lower[1], lower[2]);
        }
        puts("\033[0m");
    }
}

/* Two letters a point, for letters are twice as high as wide. */
static void draw_shades(const image *p) {
    static const char shades[] = " .:-=+*#%@";
    for (int row = 0; row < rows_of(p); row++) {
        putchar('|');
        for (int column = 0; column < columns_of(p); column++) {
            int rgb[3];
            color_of(p, row, column, rgb);
            const int grey = (299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2]) / 1000;
            const char shade = shades[grey * 10 / 256];
            putchar(shade);
            putchar(shade);
        }
        puts("|");
    }
}

static bool has_colors(void) {
    const char *depth = getenv("COLORTERM"), *no_color = getenv("NO_COLOR");
    if (!isatty(STDOUT_FILENO) || (no_color && no_color[0]) || depth == NULL) return false;
    if (strcmp(depth, "truecolor") != 0 && strcmp(depth, "24bit") != 0) return false;
    locale_t user = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    const bool utf8 = user != (locale_t)0 && strcmp(nl_langinfo_l(CODESET, user), "UTF-8") == 0;
    if (user != (locale_t)0) freelocale(user);
    return utf8;
}

static void draw(image p) {
    struct winsize size;
    const bool colors = has_colors();
    const int columns = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
    const int fit = colors ? columns : (columns - 2) / 2;
    p.factor = fit > 0 ? (p.w + fit - 1) / fit : p.w;
    if (colors)
        draw_colors(&p);
    else
        draw_shades(&p);
}

/* The row of the data set that is sample `index` of a split (NULL: of all). */
static dcnn_status find_row(const dcnn_dataset *d, const char *split_name, int64_t index, int64_t *row) {
    const dcnn_split *split = split_name ? dcnn_dataset_split(d, split_name) : NULL;
    if (split_name && split == NULL) {
        char names[DCNN_MAX_SPLITS * 34] = "";
        for (int i = 0; i < d->split_count; i++) {
            strcat(names, i > 0 ? ", " : "");
            strcat(names, d->splits[i].name);
        }
        return DCNN_FAIL(DCNN_USAGE, "%s has no split '%.32s'; it has: %s", d->path, split_name, names);
    }
    const int64_t count = split ? split->count : d->count;
    if (index >= count)
        return DCNN_FAIL(DCNN_USAGE, "--index %" PRId64 ": %s has %" PRId64 " samples%s%s, from 0 to %" PRId64, index,
                         d->path, count, split ? " in its split " : "", split ? split->name : "", count - 1);
    *row = split ? split->rows[index] : index;
    return DCNN_OK;
}

/* What an image is: its class, or the numbers that are to be predicted. */
static dcnn_status read_answer(const dcnn_dataset *d, int64_t row, char **answer) {
    const size_t numbers = (size_t)d->count * (size_t)d->target_width;
    int32_t *labels = calloc((size_t)d->count, sizeof *labels);
    float *targets = calloc(numbers + 1, sizeof *targets);
    size_t length;
    FILE *to = open_memstream(answer, &length);
    dcnn_status status =
        labels && targets && to ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "%s: out of memory: what its images are", d->path);
    if (status == DCNN_OK && d->has_labels) status = dcnn_dataset_read_labels(d, labels);
    if (status == DCNN_OK && d->target_width > 0) status = dcnn_dataset_read_targets(d, targets);
    if (status == DCNN_OK && d->has_labels) fputs(d->class_names[labels[row]], to);
    for (int i = 0; status == DCNN_OK && i < d->target_width; i++)
        fprintf(to, "%s%s %.6g", i > 0 || d->has_labels ? ", " : "", d->target_names[i],
                (double)targets[row * d->target_width + i]);
    if (to) fclose(to);
    free(labels);
    free(targets);
    return status;
}

dcnn_status dcnn_cmd_show(dcnn_cli *cli) {
    const dcnn_options *o = cli->options;
    dcnn_dataset d;
    dcnn_pixels_view view = {0};
    char *answer = NULL;
    int64_t row = 0;
    dcnn_status status = dcnn_dataset_open(o->operands[0], &d);
    if (status == DCNN_OK) status = find_row(&d, o->split, o->index, &row);
    if (status != DCNN_OK) goto done;
    const size_t size = (size_t)d.h * (size_t)d.w * (size_t)d.c;
    status = read_answer(&d, row, &answer);
    if (status == DCNN_OK) status = dcnn_pixels_view_open(&d, &view);
    if (status != DCNN_OK) goto done;
    draw((image){.pixels = view.pixels + (size_t)row * size, .h = d.h, .w = d.w, .c = d.c});
    printf("%s, image %" PRId64 ": %s\n", d.path, row, answer);
done:
    dcnn_pixels_view_close(&view);
    free(answer);
    dcnn_dataset_free(&d);
    return status;
}
