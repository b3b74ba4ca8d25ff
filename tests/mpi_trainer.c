/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mpi_trainer.c — laws 1 to 4 on any number of ranks: all ranks together must end with the bytes that rank 0 ends with
 * when it trains alone (over MPI_COMM_SELF).
 */
#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "comm/comm_private.h"
#include "io/hdf5/hdf5.h"
#include "run/record/run_folder.h"
#include "run/record/trace.h"
#include "sources/prepare.h"
#include "comm/tree.h"
#include "testing.h"
#include "dataset_helpers.h"

static dcnn_comm *everyone, *alone;
static char folder[200], data[300], trace[300];
static int64_t cache_bytes; /* of runs of everyone: 0, or so little that images are streamed */
static dcnn_shuffle shuffle;

static const char model[] =
    "{\"class_name\": \"Sequential\", \"config\": {\"layers\": ["
    "{\"class_name\": \"InputLayer\", \"config\": {\"batch_shape\": [null, 28, 28, 1]}},"
    "{\"class_name\": \"Conv2D\", \"config\": {\"filters\": 6, \"kernel_size\": 3, \"activation\": \"relu\"}},"
    "{\"class_name\": \"MaxPooling2D\", \"config\": {}},"
    "{\"class_name\": \"BatchNormalization\", \"config\": {}},"
    "{\"class_name\": \"Conv2D\", \"config\": {\"filters\": 10, \"kernel_size\": 5, \"strides\": 2, \"padding\": "
    "\"same\"}},"
    "{\"class_name\": \"BatchNormalization\", \"config\": {}},"
    "{\"class_name\": \"Activation\", \"config\": {\"activation\": \"relu\"}},"
    "{\"class_name\": \"Flatten\", \"config\": {}},"
    "{\"class_name\": \"Dropout\", \"config\": {\"rate\": 0.2}},"
    "{\"class_name\": \"Dense\", \"config\": {\"units\": 24, \"activation\": \"relu\"}},"
    "{\"class_name\": \"Dense\", \"config\": {\"units\": 10, \"activation\": \"softmax\"}}]}}";

/* What a run left: its weights' hash and its metrics without the clock's. */
typedef struct outcome {
    dcnn_status status;
    uint64_t hash;
    char *history;
    int64_t test_correct;
} outcome;

/* How a run steps. */
typedef struct method {
    int accumulate;
    dcnn_optimizer optimizer;
    dcnn_schedule schedule;
    bool mixes, evens; /* mixup, cutmix and weights; every class equally often */
} method;

static const method plain = {
    1, {.learning_rate = 2e-3, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7}, {0}, false, false};
static const method lamb = {
    3,
    {.kind = DCNN_LAMB, .learning_rate = 1e-2, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7, .weight_decay = 1e-2},
    {.kind = DCNN_SCHEDULE_COSINE, .warmup_epochs = 0.7},
    false,
    false};
static const method lars = {
    2,
    {.kind = DCNN_LARS, .learning_rate = 2.0, .momentum = 0.9, .weight_decay = 1e-3, .trust_coefficient = 1e-2},
    {.kind = DCNN_SCHEDULE_ONE_CYCLE},
    false,
    false};
static const method sgd = {1,
                           {.kind = DCNN_SGD, .learning_rate = 2e-2, .momentum = 0.9, .weight_decay = 1e-3},
                           {.kind = DCNN_SCHEDULE_EXPONENTIAL, .decay_rate = 0.5, .decay_epochs = 1.0},
                           false,
                           false};

static const method mixed = {
    1, {.learning_rate = 2e-3, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7}, {0}, true, false};
static const method even = {2, {.learning_rate = 2e-3, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7}, {0}, true, true};

/* Drops "seconds", "images_per_s", "wall_time" and "phases" from each line. */
static char *without_times(const char *history) {
    char *text = calloc(1, strlen(history) + 2);
    for (const char *at = history; *at; at += strcspn(at, "\n") + 1) {
        json_t *line = json_loadb(at, strcspn(at, "\n"), 0, NULL);
        assert_non_null(line);
        json_object_del(line, "seconds");
        json_object_del(line, "images_per_s");
        json_object_del(line, "wall_time");
        json_object_del(line, "phases");
        json_object_del(line, "stall_s");
        char *kept = json_dumps(line, JSON_SORT_KEYS);
        strcat(strcat(text, kept), "\n");
        free(kept);
        json_decref(line);
    }
    return text;
}

static int64_t later_phases; /* than a checkpoint says */

static outcome train_by(const method *how, dcnn_comm *comm, const char *name, int batch, int threads,
                        int64_t stop_after, bool resume) {
    char run_folder[340], model_path[300];
    snprintf(run_folder, sizeof run_folder, "%s/%s-%d", folder, name, comm == alone ? everyone->rank : -1);
    snprintf(model_path, sizeof model_path, "%s/model.json", folder);
    json_t *record = json_object();
    const dcnn_train_options options = {.model = model_path,
                                        .epochs = 2,
                                        .batch_size = batch,
                                        .accumulate = how->accumulate,
                                        .grain = 8,
                                        .optimizer = how->optimizer,
                                        .schedule = how->schedule,
                                        .seed = 5,
                                        .shuffle = shuffle,
                                        .cache_bytes = comm == everyone ? cache_bytes : 0,
                                        .augment = true,
                                        .ranges = {.rotation_range = 15,
                                                   .zoom_range = 0.1,
                                                   .width_shift_range = 0.1,
                                                   .height_shift_range = 0.05,
                                                   .mixup = how->mixes ? 0.4 : 0,
                                                   .cutmix = how->mixes ? 1 : 0},
                                        .class_weight = how->mixes ? "balanced" : NULL,
                                        .oversample = how->evens,
                                        .checkpoint_every = 3,
                                        .keep = 2,
                                        .threads = threads,
                                        .fuse = true,
                                        .trace = trace[0] ? trace : NULL,
                                        .stop_after = stop_after,
                                        .record = record};
    dcnn_run run;
    dcnn_checkpoint from = {0};
    dcnn_train_result result = {0};
    outcome out = {.status = dcnn_run_open(comm, data, run_folder, resume, !resume, &run)};
    if (out.status == DCNN_OK && run.checkpoint) out.status = dcnn_checkpoint_read(run.checkpoint, &from);
    if (out.status != DCNN_OK) fail_msg("%s: %s", run_folder, dcnn_error());
    assert_int_equal(run.checkpoint != NULL, resume);
    from.progress.phase += later_phases;
    if (out.status == DCNN_OK) out.status = dcnn_train(comm, &run, resume ? &from : NULL, &options, &result);
    if (out.status == DCNN_OK) {
        char *path = dcnn_path_join(run.folder, "metrics.jsonl");
        uint8_t *text;
        size_t length;
        assert_int_equal(dcnn_file_read(path, &text, &length), DCNN_OK);
        out.history = without_times((const char *)text);
        free(text);
        free(path);
    }
    if (out.status != DCNN_OK && out.status != DCNN_STOPPED) printf("%s\n", dcnn_error());
    out.hash = result.weights_hash;
    out.test_correct = result.test_correct;
    dcnn_checkpoint_free(&from);
    dcnn_run_free(&run);
    json_decref(record);
    MPI_Barrier(comm->world); /* all have read the metrics before the next run overwrites them */
    return out;
}

static outcome copy_of(const outcome *original) {
    outcome copy = *original;
    copy.history = original->history ? strdup(original->history) : NULL;
    return copy;
}

/* *Collective.* What one process alone ends with, stepping so: rank 0 trains it once, all are told. */
static outcome undisturbed(const method *how, int batch, int threads) {
    static struct {
        const method *how;
        int batch, threads;
        dcnn_shuffle shuffle;
        outcome outcome;
    } known[32];
    static int count;
    for (int i = 0; i < count; i++)
        if (known[i].how == how && known[i].batch == batch && known[i].threads == threads &&
            known[i].shuffle == shuffle)
            return copy_of(&known[i].outcome);
    outcome out = {0};
    if (everyone->rank == 0) out = train_by(how, alone, "undisturbed", batch, threads, 0, false);
    size_t length = out.history ? strlen(out.history) + 1 : 0;
    char *history = out.history;
    dcnn_comm_broadcast(everyone, &out, sizeof out);
    dcnn_comm_broadcast(everyone, &length, sizeof length);
    out.history = everyone->rank == 0 ? history : calloc(1, length + 1);
    if (length > 0) dcnn_comm_broadcast(everyone, out.history, length);
    assert_true(count < 32);
    known[count].how = how;
    known[count].batch = batch;
    known[count].threads = threads;
    known[count].shuffle = shuffle;
    known[count++].outcome = out;
    return copy_of(&out);
}

static outcome train(dcnn_comm *comm, const char *name, int batch, int threads, int64_t stop_after, bool resume) {
    return train_by(&plain, comm, name, batch, threads, stop_after, resume);
}

static void assert_same(outcome a, outcome b) {
    assert_int_equal(a.status, DCNN_OK);
    assert_int_equal(b.status, DCNN_OK);
    if (a.hash != b.hash)
        fail_msg("weights %016llx and %016llx", (unsigned long long)a.hash, (unsigned long long)b.hash);
    assert_string_equal(a.history, b.history);
    assert_int_equal(a.test_correct, b.test_correct);
    free(a.history);
    free(b.history);
}

/* 150 training samples: batches of 50 are 7 grains, uneven on any rank count; batches of 128 end with one of 22. */
static void same_bytes_on_any_ranks_and_threads(void **state) {
    (void)state;
    static const int batches[] = {50, 128, 9};
    for (int i = 0; i < 3; i++)
        for (int threads = 1; threads <= 2; threads++)
            assert_same(train(everyone, "world", batches[i], threads, 0, false),
                        undisturbed(&plain, batches[i], 3 - threads));
}

/* Batches of 9 samples are one full grain and a sample; a step of three of them is less than the epoch's last. */
static void every_optimizer_steps_alike_on_any_ranks_and_threads(void **state) {
    (void)state;
    static const method *const methods[] = {&lamb, &lars, &sgd};
    static const int batches[] = {50, 9};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 2; k++)
            assert_same(train_by(methods[i], everyone, "world", batches[k], 1 + k, 0, false),
                        undisturbed(methods[i], batches[k], 2 - k));
}

/* Steps of three micro-batches of 20: an epoch has three, the last of two batches, the last of those of 10 samples. */
static void a_stopped_run_of_micro_batches_ends_with_the_same_bytes(void **state) {
    (void)state;
    static const int64_t stops[] = {1, 2, 4}; /* in the warm-up, in an epoch, in the next */
    for (int i = 0; i < 3; i++) {
        const outcome stopped = train_by(&lamb, everyone, "stopped", 20, 1, stops[i], false);
        assert_int_equal(stopped.status, DCNN_STOPPED);
        assert_same(train_by(&lamb, everyone, "stopped", 20, 2, 0, true), undisturbed(&lamb, 20, 1));
    }
}

static void a_stopped_run_ends_with_the_same_bytes(void **state) {
    (void)state;
    static const int64_t stops[] = {1, 2, 3, 5}; /* in an epoch, at its end (3 steps), at a periodic checkpoint */
    for (int i = 0; i < 4; i++) {
        const outcome stopped = train(everyone, "stopped", 50, 1, stops[i], false);
        assert_int_equal(stopped.status, DCNN_STOPPED);
        assert_same(train(everyone, "stopped", 50, 2, 0, true), undisturbed(&plain, 50, 1));
    }
}

static void a_phase_that_the_options_lack_is_refused(void **state) {
    (void)state;
    assert_int_equal(train(everyone, "phased", 50, 1, 2, false).status, DCNN_STOPPED);
    later_phases = 1;
    assert_int_equal(train(everyone, "phased", 50, 1, 0, true).status, DCNN_BAD_INPUT);
    assert_non_null(strstr(dcnn_error(), "it is in phase 2, but names fewer"));
    later_phases = 0;
}

/* Where the images come from changes nothing: streamed through two or three batches' memory, stopped in an epoch, and
 * held in the next start; shuffled by chunks likewise. */
static void streamed_runs_end_with_the_same_bytes(void **state) {
    (void)state;
    const int64_t little = (int64_t)everyone->node_size * 3 * 50 * 784;
    for (int by_chunks = 0; by_chunks < 2; by_chunks++) {
        shuffle = by_chunks ? DCNN_SHUFFLE_CHUNKS : DCNN_SHUFFLE_FULL;
        cache_bytes = little;
        assert_same(train(everyone, "streamed", 50, 2, 0, false), undisturbed(&plain, 50, 1));
        assert_same(train_by(&lamb, everyone, "streamed", 20, 1, 0, false), undisturbed(&lamb, 20, 1));
        assert_int_equal(train(everyone, "parted", 50, 1, 2, false).status, DCNN_STOPPED);
        cache_bytes = 0;
        assert_int_equal(train(everyone, "parted", 50, 1, 2, true).status, DCNN_STOPPED);
        cache_bytes = little;
        assert_same(train(everyone, "parted", 50, 2, 0, true), undisturbed(&plain, 50, 1));
    }
    shuffle = DCNN_SHUFFLE_AUTO;
    cache_bytes = 1;
    assert_int_equal(train(everyone, "streamed", 50, 1, 0, false).status, DCNN_USAGE);
    assert_non_null(strstr(dcnn_error(), "--cache-memory: two batches of"));
    cache_bytes = 0;
}

/* Images in pairs, weighted classes, and classes drawn equally often. */
static void mixed_and_evened_runs_end_with_the_same_bytes(void **state) {
    (void)state;
    const int64_t little = (int64_t)everyone->node_size * 3 * 50 * 784;
    uint64_t hashes[3];
    const outcome usual = undisturbed(&plain, 50, 1);
    hashes[0] = usual.hash;
    free(usual.history);
    for (int evens = 0; evens < 2; evens++) {
        const method *how = evens ? &even : &mixed;
        const int batch = evens ? 20 : 50;
        const outcome whole = undisturbed(how, batch, 1);
        hashes[1 + evens] = whole.hash;
        free(whole.history);
        shuffle = evens ? DCNN_SHUFFLE_CHUNKS : DCNN_SHUFFLE_FULL;
        assert_same(train_by(how, everyone, "mixed", batch, 2, 0, false), undisturbed(how, batch, 1));
        assert_int_equal(train_by(how, everyone, "parted", batch, 1, 2, false).status, DCNN_STOPPED);
        cache_bytes = little;
        assert_same(train_by(how, everyone, "parted", batch, 2, 0, true), undisturbed(how, batch, 1));
        cache_bytes = 0;
        shuffle = DCNN_SHUFFLE_AUTO;
    }
    assert_true(hashes[0] != hashes[1] && hashes[1] != hashes[2]);
}

/* An image that is damaged on disk ends the training on all ranks, wherever it is read, with one message. */
static void damaged_images_end_a_streamed_run(void **state) {
    (void)state;
    const int64_t at = 4096 + 784 * 200;
    MPI_Barrier(everyone->world);
    for (int turn = 0; turn < 2; turn++) { /* damaged; and as it was */
        if (everyone->rank == 0) {
            FILE *file = fopen(data, "r+b");
            fseek(file, at, SEEK_SET);
            const int byte = fgetc(file);
            fseek(file, at, SEEK_SET);
            fputc(byte ^ 1, file);
            fclose(file);
        }
        MPI_Barrier(everyone->world);
        cache_bytes = turn == 0 ? (int64_t)everyone->node_size * 3 * 50 * 784 : 0;
        const outcome out = train(everyone, "damaged", 50, 2, 0, false);
        assert_int_equal(out.status, turn == 0 ? DCNN_BAD_INPUT : DCNN_OK);
        if (turn == 0) assert_non_null(strstr(dcnn_error(), "data.h5: damaged: the images from 0 on"));
        free(out.history);
    }
}

/* The images as another program would write them: no seal. `change` makes one label another. */
static void put_unsealed(const char *path, bool change) {
    dcnn_dataset set;
    hid_t file;
    const void *bytes;
    size_t length;
    const int64_t version = 1;
    assert_int_equal(dcnn_dataset_open(data, &set), DCNN_OK);
    const int64_t shape[4] = {set.count, set.h, set.w, set.c};
    uint8_t *pixels = malloc((size_t)(set.count * set.h * set.w));
    int32_t *labels = calloc((size_t)set.count, sizeof *labels);
    assert_int_equal(read_dataset(&set, pixels, labels), DCNN_OK);
    if (change) labels[set.count - 1] = (labels[set.count - 1] + 1) % set.class_count;
    assert_int_equal(dcnn_h5_create(path, 1 << 20, &file), DCNN_OK);
    dcnn_h5_text_write(file, "format", "dcnn data set");
    dcnn_h5_attribute_write(file, "format_version", DCNN_H5_INT64, -1, &version);
    dcnn_h5_attribute_write(file, "mean", DCNN_H5_DOUBLE, set.c, set.mean);
    dcnn_h5_attribute_write(file, "std", DCNN_H5_DOUBLE, set.c, set.std);
    dcnn_h5_strings_write(file, "class_names", set.class_count, (const char *const *)set.class_names);
    dcnn_h5_write(file, "images", DCNN_H5_UINT8, 4, shape, 20, pixels);
    dcnn_h5_write(file, "labels", DCNN_H5_INT32, 1, shape, 0, labels);
    for (int i = 0; i < set.split_count; i++) {
        char name[48];
        snprintf(name, sizeof name, "splits/%s", set.splits[i].name);
        dcnn_h5_write(file, name, DCNN_H5_INT64, 1, &set.splits[i].count, 0, set.splits[i].rows);
    }
    assert_int_equal(dcnn_h5_image(file, &bytes, &length), DCNN_OK);
    assert_int_equal(dcnn_file_write(path, bytes, length, false), DCNN_OK);
    dcnn_h5_close(file);
    dcnn_dataset_free(&set);
    free(pixels);
    free(labels);
}

/* It trains to the same weights, goes on, and is not taken for another one of the same name. */
static void unsealed_data_that_changed_are_refused(void **state) {
    (void)state;
    char sealed[300];
    strcpy(sealed, data);
    const outcome expected = undisturbed(&plain, 50, 1);
    snprintf(data, sizeof data, "%s/unsealed.h5", folder);
    for (int turn = 0; turn < 3; turn++) {
        MPI_Barrier(everyone->world);
        if (everyone->rank == 0) {
            strcpy(data, sealed);
            char path[300];
            snprintf(path, sizeof path, "%s/unsealed.h5", folder);
            put_unsealed(path, turn == 1);
            strcpy(data, path);
        }
        MPI_Barrier(everyone->world);
        const outcome out = train(everyone, "unsealed", 50, 1, turn == 0 ? 2 : 0, turn > 0);
        assert_int_equal(out.status, turn == 0 ? DCNN_STOPPED : turn == 1 ? DCNN_BAD_INPUT : DCNN_OK);
        if (turn == 1) assert_non_null(strstr(dcnn_error(), "its content differs"));
        if (turn == 2) assert_true(out.hash == expected.hash);
        free(out.history);
    }
    free(expected.history);
    strcpy(data, sealed);
}

/* Stopped on all ranks, continued on one, and the other way round. */
static void a_run_goes_on_with_another_rank_count(void **state) {
    (void)state;
    char from[280], to[280], command[1000];
    assert_int_equal(train(everyone, "moved", 50, 1, 4, false).status, DCNN_STOPPED);
    snprintf(from, sizeof from, "%s/moved--1", folder);
    snprintf(to, sizeof to, "%s/moved-%d", folder, everyone->rank);
    snprintf(command, sizeof command, "rm -rf '%s' && cp -r '%s' '%s'", to, from, to);
    assert_int_equal(system(command), 0);
    MPI_Barrier(everyone->world);
    assert_same(train(alone, "moved", 50, 1, 0, true), undisturbed(&plain, 50, 1));

    assert_int_equal(train(alone, "back", 50, 2, 2, false).status, DCNN_STOPPED);
    if (everyone->rank == 0) {
        snprintf(command, sizeof command, "rm -rf '%s/back--1' && cp -r '%s/back-0' '%s/back--1'", folder, folder,
                 folder);
        assert_int_equal(system(command), 0);
    }
    MPI_Barrier(everyone->world);
    assert_same(train(everyone, "back", 50, 1, 0, true), undisturbed(&plain, 50, 1));
}

/* One rank's failure is everyone's, with its message. */
static void a_local_failure_is_agreed(void **state) {
    (void)state;
    dcnn_status status = DCNN_OK;
    if (everyone->rank == everyone->size - 1) status = DCNN_FAIL(DCNN_BAD_INPUT, "rank %d says no", everyone->rank);
    assert_int_equal(dcnn_comm_agree(everyone, status), DCNN_BAD_INPUT);
    char expected[64];
    snprintf(expected, sizeof expected, "rank %d says no", everyone->size - 1);
    assert_string_equal(dcnn_error(), expected);
    assert_int_equal(dcnn_comm_agree(everyone, DCNN_OK), DCNN_OK);
}

/* A traced run's file has every grain of every stage of the traced steps, each once, on some rank. */
static void a_trace_shows_three_steps(void **state) {
    (void)state;
    enum { STEPS = 3, GRAINS = 7 }; /* batches of 50 samples, 8 a grain */
    snprintf(trace, sizeof trace, "%s/trace.json", folder);
    free(train(everyone, "traced", 50, 2, DCNN_TRACE_FIRST + STEPS, false).history);
    if (everyone->rank == 0) {
        json_t *events = json_load_file(trace, 0, NULL);
        assert_true(json_is_array(events));
        int seen[16][GRAINS] = {{0}}, stages = 0;
        size_t i;
        json_t *event;
        json_array_foreach(events, i, event) {
            const json_t *grain = json_object_get(json_object_get(event, "args"), "grain");
            int stage;
            if (grain == NULL || sscanf(json_string_value(json_object_get(event, "name")), "stage %d", &stage) != 1)
                continue;
            seen[stage][json_integer_value(grain)]++;
            if (stage >= stages) stages = stage + 1;
            assert_in_range(json_integer_value(json_object_get(event, "pid")), 0, everyone->size - 1);
            assert_true(json_number_value(json_object_get(event, "ts")) >= 0.0);
        }
        assert_int_equal(stages, 5); /* two BatchNormalizations: two stages before the loss's, two behind */
        int sum = 0;                 /* an epoch of 150 samples is three steps, so every batch is whole */
        for (int stage = 0; stage < stages; stage++)
            for (int grain = 0; grain < GRAINS; grain++) sum += seen[stage][grain];
        assert_int_equal(sum, STEPS * GRAINS * stages);
        json_decref(events);
    }
    trace[0] = '\0';
}

static void make_data(void) {
    char path[300];
    snprintf(path, sizeof path, "%s/model.json", folder);
    assert_int_equal(dcnn_file_write(path, model, strlen(model), false), DCNN_OK);
    char *digits = dcnn_embedded_digits();
    assert_non_null(digits);
    /* without the official test images: 10,000 at the end of each training would take more time than it */
    char *const sources[] = {dcnn_path_join(digits, "train-images-idx3-ubyte.gz"),
                             dcnn_path_join(digits, "train-labels-idx1-ubyte.gz")};
    const dcnn_prepare_options options = {.limit = 250,
                                          .split = {.test_fraction = 0.2, .validation_fraction = 0.25, .seed = 1}};
    if (dcnn_dataset_prepare(2, sources, &options, data, NULL) != DCNN_OK) fail_msg("%s", dcnn_error());
    free(sources[0]);
    free(sources[1]);
    free(digits);
}

int main(int argc, char **argv) {
    if (dcnn_comm_start(&argc, &argv, &everyone) != DCNN_OK || dcnn_comm_create(MPI_COMM_SELF, &alone) != DCNN_OK) {
        fprintf(stderr, "%s\n", dcnn_error());
        return 1;
    }
    int number = (int)getpid();
    dcnn_comm_broadcast(everyone, &number, sizeof number);
    snprintf(folder, sizeof folder, "%s/dcnn-mpi-trainer-%d", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", number);
    snprintf(data, sizeof data, "%s/data.h5", folder);
    if (everyone->rank == 0) {
        mkdir(folder, 0777);
        make_data();
    }
    MPI_Barrier(everyone->world);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_local_failure_is_agreed),
        cmocka_unit_test(a_trace_shows_three_steps),
        cmocka_unit_test(same_bytes_on_any_ranks_and_threads),
        cmocka_unit_test(every_optimizer_steps_alike_on_any_ranks_and_threads),
        cmocka_unit_test(a_stopped_run_ends_with_the_same_bytes),
        cmocka_unit_test(a_phase_that_the_options_lack_is_refused),
        cmocka_unit_test(a_stopped_run_of_micro_batches_ends_with_the_same_bytes),
        cmocka_unit_test(a_run_goes_on_with_another_rank_count),
        cmocka_unit_test(streamed_runs_end_with_the_same_bytes),
        cmocka_unit_test(mixed_and_evened_runs_end_with_the_same_bytes),
        cmocka_unit_test(damaged_images_end_a_streamed_run),
        cmocka_unit_test(unsealed_data_that_changed_are_refused),
    };
    int failed = cmocka_run_group_tests_name("trainer", tests, NULL, NULL);
    MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, everyone->world);
    if (everyone->rank == 0) {
        char command[300];
        snprintf(command, sizeof command, "rm -rf '%s'", folder);
        if (system(command) != 0) failed = 1;
    }
    dcnn_comm_free(alone);
    dcnn_comm_finish(everyone);
    return failed;
}
