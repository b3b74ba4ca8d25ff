/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_tensorboard.c — TensorBoard's event files: framing and checksums, the numbers in them, and that no point is
 * doubled or lost when a run is resumed, cut off or started afresh. tools/check_tensorboard asks the real TensorBoard.
 */
#include "report_helpers.h"

#include <errno.h>

#include "io/run_files.h"
#include "report/events.h"
#include "report/record.h"
#include "tensorboard.pb-c.h"

/* --- records ---------------------------------------------------------------------------------------------------- */

static void crc32c_of_known_texts(void **state) {
    (void)state;
    uint8_t bytes[32];
    assert_int_equal(dcnn_crc32c((const uint8_t *)"123456789", 9), 0xe3069283);
    memset(bytes, 0, sizeof bytes); /* RFC 3720, B.4 */
    assert_int_equal(dcnn_crc32c(bytes, sizeof bytes), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(dcnn_crc32c(bytes, sizeof bytes), 0x62a8ab43);
    for (int i = 0; i < 32; i++) bytes[i] = (uint8_t)i;
    assert_int_equal(dcnn_crc32c(bytes, sizeof bytes), 0x46dd794e);
    assert_int_equal(dcnn_crc32c(NULL, 0), 0);
}

static void records_come_back_and_damage_is_seen(void **state) {
    (void)state;
    dcnn_records records = {0};
    uint8_t data[700];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)draw_below(256);
    static const size_t lengths[] = {5, 0, 700, 1};
    size_t ends[4];
    for (int i = 0; i < 4; i++) {
        dcnn_records_append(&records, data, lengths[i]);
        ends[i] = records.length;
    }
    assert_false(records.failed);
    size_t offset = 0, length;
    const uint8_t *payload;
    for (int i = 0; i < 4; i++) {
        assert_true(dcnn_records_next(records.bytes, records.length, &offset, &payload, &length));
        assert_int_equal(length, lengths[i]);
        assert_memory_equal(payload, data, length);
        assert_int_equal(offset, ends[i]);
    }
    assert_false(dcnn_records_next(records.bytes, records.length, &offset, &payload, &length));
    for (size_t cut = 1; cut < ends[0]; cut++) { /* a torn end */
        offset = 0;
        assert_false(dcnn_records_next(records.bytes, cut, &offset, &payload, &length));
        assert_int_equal(offset, 0);
    }
    for (size_t at = 0; at < ends[0]; at++) { /* any byte of the first record */
        const uint8_t bit = (uint8_t)(1U << draw_below(8));
        records.bytes[at] ^= bit;
        offset = 0;
        assert_false(dcnn_records_next(records.bytes, records.length, &offset, &payload, &length));
        records.bytes[at] ^= bit;
    }
    free(records.bytes);
}

/* --- reading a file back ---------------------------------------------------------------------------------------- */

/* A scalar as a reader sees it. */
typedef struct point {
    char tag[64];
    int64_t step;
    float value;
    double wall_time;
} point;

typedef struct contents {
    int version_count, point_count, batch_count, histogram_count, image_count;
    bool whole; /* nothing is left behind the last record */
    point points[4096];
    double histogram_num;   /* of the last one */
    int64_t histogram_step; /* likewise */
    char histogram_tag[64];
} contents;

static contents seen;

static void take_value(const DcnnTb__Event *event, const DcnnTb__Value *value) {
    if (value->value_case == DCNN_TB__VALUE__VALUE_IMAGE) {
        seen.image_count++;
        assert_memory_equal(value->image->encoded_image_string.data, "\x89PNG", 4);
        assert_true(value->image->width > 0 && value->image->height > 0);
    } else if (value->value_case == DCNN_TB__VALUE__VALUE_HISTO) {
        const DcnnTb__Histogram *h = value->histo;
        double sum = 0;
        for (size_t i = 0; i < h->n_bucket; i++) sum += h->bucket[i];
        assert_int_equal(h->n_bucket, h->n_bucket_limit);
        assert_true(sum == h->num && h->bucket_limit[h->n_bucket - 1] == h->max && h->min <= h->max);
        seen.histogram_num = h->num;
        seen.histogram_step = event->step;
        snprintf(seen.histogram_tag, sizeof seen.histogram_tag, "%s", value->tag);
        seen.histogram_count++;
    } else {
        assert_int_equal(value->value_case, DCNN_TB__VALUE__VALUE_SIMPLE_VALUE);
        assert_true(seen.point_count < 4096);
        point *p = &seen.points[seen.point_count++];
        snprintf(p->tag, sizeof p->tag, "%s", value->tag);
        p->step = event->step;
        p->value = value->simple_value;
        p->wall_time = event->wall_time;
        seen.batch_count += strncmp(value->tag, "batch/", 6) == 0;
    }
}

static void read_events(const char *path) {
    uint8_t *bytes;
    size_t length, offset = 0, size;
    const uint8_t *payload;
    assert_int_equal(dcnn_file_read(path, &bytes, &length), DCNN_OK);
    memset(&seen, 0, sizeof seen);
    while (dcnn_records_next(bytes, length, &offset, &payload, &size)) {
        DcnnTb__Event *event = dcnn_tb__event__unpack(NULL, size, payload);
        assert_non_null(event);
        if (event->what_case == DCNN_TB__EVENT__WHAT_FILE_VERSION) {
            assert_string_equal(event->file_version, "brain.Event:2");
            seen.version_count++;
        }
        for (size_t i = 0; event->what_case == DCNN_TB__EVENT__WHAT_SUMMARY && i < event->summary->n_value; i++)
            take_value(event, event->summary->value[i]);
        dcnn_tb__event__free_unpacked(event, NULL);
    }
    seen.whole = offset == length;
    free(bytes);
}

/* The one point of that tag at that step. */
static const point *only_point(const char *tag, int64_t step) {
    const point *found = NULL;
    for (int i = 0; i < seen.point_count; i++)
        if (strcmp(seen.points[i].tag, tag) == 0 && seen.points[i].step == step) {
            assert_null(found);
            found = &seen.points[i];
        }
    assert_non_null(found);
    return found;
}

/* The run's file has exactly the points of the history, once each. */
static void check_against(const char *folder, const char *history, int epochs) {
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, DCNN_RUN_EVENTS);
    read_events(path);
    assert_true(seen.whole);
    assert_int_equal(seen.version_count, 1);
    static const char *const keys[] = {"loss", "accuracy", "val_loss", "val_accuracy", "images_per_s"};
    int expected = 0;
    double before = 0;
    for (const char *at = history; *at; at = strchr(at, '\n') + 1) {
        json_t *line = json_loadb(at, strcspn(at, "\n"), 0, NULL);
        const json_int_t epoch = json_integer_value(json_object_get(line, "epoch")),
                         step = json_integer_value(json_object_get(line, "step"));
        if (epoch > epochs) {
            json_decref(line);
            break;
        }
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
            char tag[64];
            const float value = (float)json_number_value(json_object_get(line, keys[i]));
            snprintf(tag, sizeof tag, "epoch/%s", keys[i]);
            const point *by_epoch = only_point(tag, epoch);
            assert_true(by_epoch->value == value);
            if (i == 0) assert_true(by_epoch->wall_time >= before);
            before = by_epoch->wall_time;
            snprintf(tag, sizeof tag, "step/%s", keys[i]);
            assert_true(only_point(tag, step)->value == value);
            expected += 2;
        }
        expected += (int)json_object_size(json_object_get(line, "phases"));
        json_decref(line);
    }
    assert_int_equal(seen.point_count - seen.batch_count, expected);
}

/* The history's first lines. */
static char *first_lines(const char *history, int count) {
    const char *end = history;
    for (int i = 0; i < count; i++) end = strchr(end, '\n') + 1;
    return strndup(history, (size_t)(end - history));
}

static const fake_run run = {"events", 3, 12, 8, 8, 1, 20, false, true, true, 0.9};

static const char *new_folder(const char *name) {
    const char *path = in_scratch(name);
    assert_int_equal(dcnn_folder_create(path), DCNN_OK);
    return path;
}

static void update_to(const char *folder, const char *history, int epochs) {
    char *part = first_lines(history, epochs);
    assert_int_equal(dcnn_events_update(folder, &(dcnn_metrics){.epochs = part}), DCNN_OK);
    free(part);
    check_against(folder, history, epochs);
}

/* --- what happens to runs --------------------------------------------------------------------------------------- */

static void epoch_by_epoch_or_at_once(void **state) {
    (void)state;
    char *history = fake_history(&run);
    const char *folder = new_folder("grows");
    for (int epochs = 0; epochs <= run.epochs; epochs++) update_to(folder, history, epochs);
    update_to(folder, history, run.epochs); /* nothing new */
    update_to(new_folder("at-once"), history, run.epochs);
    free(history);
}

static void resumed_runs_are_cut_back(void **state) {
    (void)state;
    char *history = fake_history(&run), *other = fake_history(&run);
    const char *folder = new_folder("resumed");
    update_to(folder, history, 9);
    update_to(folder, history, 5); /* the newest checkpoints were damaged */
    update_to(folder, history, 12);
    update_to(folder, other, 7); /* another run in the same folder */
    free(history);
    free(other);
}

/* Killed anywhere in a write: the file is cut at each length, or has noise at its end. */
static void torn_files_are_mended(void **state) {
    (void)state;
    char *history = fake_history(&run), path[600];
    const char *folder = new_folder("torn");
    snprintf(path, sizeof path, "%s/%s", folder, DCNN_RUN_EVENTS);
    update_to(folder, history, 4);
    uint8_t *bytes;
    size_t length;
    assert_int_equal(dcnn_file_read(path, &bytes, &length), DCNN_OK);
    for (size_t cut = 0; cut < length; cut += 1 + draw_below(9)) {
        put_file(path, bytes, cut);
        update_to(folder, history, 4);
        bytes[length / 2] ^= 0x40;
        put_file(path, bytes, length);
        bytes[length / 2] ^= 0x40;
        update_to(folder, history, 5);
    }
    put_text(path, "this is no event file at all, but somebody's notes\n");
    update_to(folder, history, 12);
    assert_int_equal(truncate(path, (off_t)1 << 42), 0); /* more than memory has, all of it a hole */
    update_to(folder, history, 12);
    free(bytes);
    free(history);
}

/* Metrics of every tenth step's batch, up to some step of fake_history()'s 237 an epoch. */
static char *fake_steps(int last) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    for (int step = 10; step <= last; step += 10)
        fprintf(out,
                "{\"step\":%d,\"epoch\":%d,\"loss\":%.17g,\"accuracy\":0.5,\"learning_rate\":0.001,"
                "\"wall_time\":%.17g}\n",
                step, 1 + (step - 1) / 237, 3.0 / step, 1.7e9 + 6.0 * step / 237);
    assert_int_equal(fclose(out), 0);
    return text;
}

/* The file has the batches' points up to that step, each before those that were made later. */
static void expect_steps(const char *folder, const char *history, int epochs, int last) {
    char *part = first_lines(history, epochs), *steps = fake_steps(last);
    assert_int_equal(dcnn_events_update(folder, &(dcnn_metrics){.epochs = part, .steps = steps}), DCNN_OK);
    check_against(folder, history, epochs);
    assert_int_equal(seen.batch_count, 3 * (last / 10));
    for (int step = 10; step <= last; step += 10) {
        assert_true(only_point("batch/loss", step)->value == (float)(3.0 / step));
        assert_true(only_point("batch/learning_rate", step)->value == 0.001F);
    }
    for (int i = 1; i < seen.point_count; i++) assert_true(seen.points[i].wall_time >= seen.points[i - 1].wall_time);
    free(part);
    free(steps);
}

static void steps_come_between_epochs(void **state) {
    (void)state;
    char *history = fake_history(&run);
    const char *folder = new_folder("steps");
    expect_steps(folder, history, 0, 100); /* a checkpoint within the first epoch */
    expect_steps(folder, history, 1, 230);
    expect_steps(folder, history, 2, 600); /* stopped in the third */
    expect_steps(folder, history, 1, 400); /* went on from an older checkpoint */
    expect_steps(folder, history, 12, 12 * 237);
    update_to(folder, history, 12); /* without them: --log-every 0 */
    free(history);
}

static void a_file_only_grows(void **state) {
    (void)state;
    char *history = fake_history(&run);
    const char *folder = new_folder("followed"), *path = in_scratch("followed/" DCNN_RUN_EVENTS);
    char kept[600];
    snprintf(kept, sizeof kept, "%s", path);
    expect_steps(folder, history, 1, 300);
    uint8_t *before, *after;
    size_t length, longer;
    assert_int_equal(dcnn_file_read(kept, &before, &length), DCNN_OK);
    expect_steps(folder, history, 3, 900);
    assert_int_equal(dcnn_file_read(kept, &after, &longer), DCNN_OK);
    assert_true(longer > length);
    assert_memory_equal(before, after, length);
    free(before);
    free(after);
    free(history);
}

static void histograms_are_the_epochs(void **state) {
    (void)state;
    static const char histograms[] =
        "{\"histogram\":\"weights/dense/kernel\",\"epoch\":1,\"wall_time\":1700000006,\"min\":-1,\"max\":1,"
        "\"num\":5,\"sum\":0,\"sum_squares\":2,\"bucket_limit\":[0,1],\"bucket\":[3,2]}\n"
        "{\"histogram\":\"gradients/dense/kernel\",\"epoch\":2,\"wall_time\":1700000012,\"min\":3,\"max\":3,"
        "\"num\":7,\"sum\":21,\"sum_squares\":63,\"bucket_limit\":[3],\"bucket\":[7]}\n";
    char *history = fake_history(&run), *part = first_lines(history, 1);
    const char *folder = new_folder("histograms");
    const dcnn_metrics first = {.epochs = part, .histograms = histograms}, all = {history, NULL, histograms};
    assert_int_equal(dcnn_events_update(folder, &first), DCNN_OK);
    check_against(folder, history, 1);
    assert_int_equal(seen.histogram_count, 1); /* the second epoch is not complete */
    for (int again = 0; again < 2; again++) {
        assert_int_equal(dcnn_events_update(folder, &all), DCNN_OK);
        check_against(folder, history, run.epochs);
        assert_int_equal(seen.histogram_count, 2);
        assert_string_equal(seen.histogram_tag, "gradients/dense/kernel");
        assert_true(seen.histogram_num == 7 && seen.histogram_step == 2);
    }
    free(part);
    free(history);
}

static void figures_become_images(void **state) {
    (void)state;
    static const uint8_t png[] = "\x89PNG\r\n\x1a\n and so on";
    const dcnn_event_image images[] = {{"loss", 640, 420, png, sizeof png}, {"accuracy", 1, 1, png, sizeof png}};
    const char *folder = new_folder("images");
    for (int again = 0; again < 2; again++) {
        assert_int_equal(dcnn_events_write_images(folder, 15, 2, images), DCNN_OK);
        read_events(in_scratch("images/" DCNN_RUN_EVENTS));
        assert_true(seen.whole);
        assert_int_equal(seen.image_count, 2);
    }
}

static void failures_are_told(void **state) {
    (void)state;
    assert_int_equal(dcnn_events_update(in_scratch("nowhere"), &(dcnn_metrics){.epochs = "{\"epoch\":1}\n"}),
                     DCNN_FAILURE);
    assert_non_null(strstr(dcnn_error(), "nowhere"));
    const char *folder = new_folder("bad");
    static const dcnn_metrics bad[] = {{.epochs = "{\"epoch\"\n"},
                                       {.steps = "{\"step\":1}\n{\"epoch\":1}\n"},
                                       {.steps = "{\"step\":1}\n\n{\"step\":2}\n"},
                                       {.histograms = "{\"histogram\":\"a\",\"epoch\":1,\"bucket_limit\":[1]}\n"}};
    static const char *const places[] = {"metrics.jsonl: line 1", "steps.jsonl, line 2", "steps.jsonl, line 2",
                                         "histograms.jsonl, line 1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(dcnn_events_update(folder, &bad[i]), DCNN_BAD_INPUT);
        assert_non_null(strstr(dcnn_error(), places[i]));
    }
}

/* The call that fails next, once, as on a disk that breaks in the middle of a file. */
static const char *broken_call;

static bool breaks(const char *call) {
    if (broken_call == NULL || strcmp(call, broken_call) != 0) return false;
    broken_call = NULL;
    errno = EIO;
    return true;
}

ssize_t __real_pread(int descriptor, void *bytes, size_t length, off_t offset);
ssize_t __wrap_pread(int descriptor, void *bytes, size_t length, off_t offset);
ssize_t __wrap_pread(int descriptor, void *bytes, size_t length, off_t offset) {
    return breaks("pread") ? -1 : __real_pread(descriptor, bytes, length, offset);
}

ssize_t __real_pwrite(int descriptor, const void *bytes, size_t length, off_t offset);
ssize_t __wrap_pwrite(int descriptor, const void *bytes, size_t length, off_t offset);
ssize_t __wrap_pwrite(int descriptor, const void *bytes, size_t length, off_t offset) {
    return breaks("pwrite") ? -1 : __real_pwrite(descriptor, bytes, length, offset);
}

int __real_ftruncate(int descriptor, off_t length);
int __wrap_ftruncate(int descriptor, off_t length);
int __wrap_ftruncate(int descriptor, off_t length) {
    return breaks("ftruncate") ? -1 : __real_ftruncate(descriptor, length);
}

int __real_close(int descriptor);
int __wrap_close(int descriptor);
int __wrap_close(int descriptor) {
    const int code = __real_close(descriptor);
    return breaks("close") ? -1 : code;
}

/* Whichever call the disk fails, the next update mends the file. */
static void a_disk_that_fails_is_told(void **state) {
    (void)state;
    static const struct {
        const char *call, *words;
    } cases[] = {{"pread", "cannot be read: Input/output error"},
                 {"ftruncate", "cannot be cut back: Input/output error"},
                 {"pwrite", "cannot be written: Input/output error"},
                 {"close", "cannot be written: Input/output error"}};
    static const dcnn_metrics before = {.epochs = "{\"epoch\":1,\"loss\":3}\n{\"epoch\":2,\"loss\":2}\n"},
                              after = {.epochs = "{\"epoch\":1,\"loss\":3}\n{\"epoch\":2,\"loss\":1}\n"};
    const char *folder = new_folder("disk");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_ok(dcnn_events_update(folder, &before));
        broken_call = cases[i].call;
        assert_fails(dcnn_events_update(folder, &after), DCNN_FAILURE, cases[i].words, DCNN_RUN_EVENTS);
        assert_null(broken_call);
        assert_ok(dcnn_events_update(folder, &after));
        read_events(in_scratch("disk/" DCNN_RUN_EVENTS));
        assert_true(seen.whole);
        assert_int_equal(seen.point_count, 2);
        assert_true(only_point("epoch/loss", 1)->value == 3 && only_point("epoch/loss", 2)->value == 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_of_known_texts),     cmocka_unit_test(records_come_back_and_damage_is_seen),
        cmocka_unit_test(epoch_by_epoch_or_at_once), cmocka_unit_test(resumed_runs_are_cut_back),
        cmocka_unit_test(torn_files_are_mended),     cmocka_unit_test(steps_come_between_epochs),
        cmocka_unit_test(a_file_only_grows),         cmocka_unit_test(histograms_are_the_epochs),
        cmocka_unit_test(figures_become_images),     cmocka_unit_test(failures_are_told),
        cmocka_unit_test(a_disk_that_fails_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
