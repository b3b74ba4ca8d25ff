/* SPDX-License-Identifier: BSD-3-Clause */
/* targets.c — the list of targets, and the simple ones. */
#include "fuzz.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/options.h"
#include "guard/watchdog_net.h"
#include "io/file.h"
#include "model/model.h"
#include "model/onnx/onnx.h"
#include "run/record/metrics.h"
#include "run/record/run_folder.h"
#include "run/record/run_record.h"
#include "sources/source.h"

#include "../dataset_helpers.h"

/* --- what all share ---------------------------------------------------------------------------------------------- */

_Noreturn void fuzz_broken(const char *promise) {
    fprintf(stderr, "fuzz: broken: %s\n", promise);
    abort();
}

/* A folder of this process's own, in memory where there is such a place. */
static const char *folder_of(void) {
    static char folder[64];
    if (folder[0]) return folder;
    strcpy(folder, "/dev/shm/dcnn-fuzz-XXXXXX");
    if (mkdtemp(folder)) return folder;
    strcpy(folder, "/tmp/dcnn-fuzz-XXXXXX");
    if (!mkdtemp(folder)) fuzz_broken("no scratch folder");
    return folder;
}

static char last_file[128];

void fuzz_remove_folder(void) {
    DIR *folder = opendir(folder_of());
    const struct dirent *entry;
    while (folder && (entry = readdir(folder)) != NULL) unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder) closedir(folder);
    rmdir(folder_of());
}

const char *fuzz_file(const char *name, const uint8_t *bytes, size_t length) {
    if (last_file[0] == '\0')
        atexit(fuzz_remove_folder);
    else
        unlink(last_file);
    snprintf(last_file, sizeof last_file, "%s/%s", folder_of(), name);
    FILE *file = fopen(last_file, "wb");
    if (file == NULL || (length > 0 && fwrite(bytes, 1, length, file) != length) || fclose(file) != 0)
        fuzz_broken("no scratch file");
    return last_file;
}

dcnn_status fuzz_check(dcnn_status status) {
    const char *message = dcnn_error();
    if (status == DCNN_OK) return status;
    if (message[0] == '\0') fuzz_broken("a refusal without a word");
    for (const char *at = message; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 127) {
            fprintf(stderr, "%s\n", message);
            fuzz_broken("a control character in a message");
        }
    if (status == DCNN_BAD_INPUT || status == DCNN_USAGE) return status;
    if (status == DCNN_FAILURE && strstr(message, "memory")) return status;
    fprintf(stderr, "status %d: %s\n", status, message);
    fuzz_broken("bad input counts as a failure");
}

/* --- images and labels ------------------------------------------------------------------------------------------- */

/* All that prepare does with one source. */
static void use_source(const char *name, const uint8_t *bytes, size_t length, const dcnn_source_options *options) {
    char *path = strdup(fuzz_file(name, bytes, length));
    dcnn_sources sources = {0};
    dcnn_names classes = {0};
    dcnn_image_options wanted = {0};
    int64_t broken = 0;
    uint8_t *pixels = NULL;
    if (fuzz_check(dcnn_sources_open(1, &path, DCNN_ROLE_POOL, options, &sources)) != DCNN_OK) goto done;
    if (!options->unlabelled) fuzz_check(dcnn_sources_agree(&sources, options, &classes));
    if (fuzz_check(dcnn_sources_shape(&sources, options, 1, &wanted, &broken)) != DCNN_OK) goto done;
    if (wanted.h < 1 || wanted.w < 1 || wanted.channels < 1) fuzz_broken("a shape that is none");
    pixels = malloc((size_t)wanted.h * (size_t)wanted.w * (size_t)wanted.channels);
    for (int i = 0; pixels && i < sources.count; i++)
        for (int64_t row = 0; row < sources.items[i].count && row < 64; row++)
            fuzz_check(dcnn_source_read(&sources.items[i], row, &wanted, pixels));
done:
    free(pixels);
    dcnn_names_free(&classes);
    dcnn_sources_free(&sources);
    free(path);
}

/* A few ways to ask, by the length: the bytes themselves stay a plain file. */
static dcnn_source_options ask(size_t length) {
    dcnn_source_options options = {.skip_broken = length % 2 == 0};
    if (length % 4 == 1) options.scale = 255.0;
    if (length % 4 == 2) options.label_column = "last";
    if (length % 4 == 3) options.unlabelled = true;
    options.transpose = length % 8 >= 4;
    return options;
}

static void run_idx(const uint8_t *bytes, size_t length) {
    const dcnn_source_options options = ask(length);
    use_source("idx", bytes, length, &options);
}

static void run_table(const uint8_t *bytes, size_t length) {
    const dcnn_source_options options = ask(length);
    use_source("a.csv", bytes, length, &options);
}

/* NumPy's arrays, zips, MATLAB's and CIFAR's files: by their content. */
static void run_source(const uint8_t *bytes, size_t length) {
    const dcnn_source_options options = ask(length);
    use_source("a", bytes, length, &options);
}

static void run_gzip(const uint8_t *bytes, size_t length) {
    uint8_t *unpacked;
    size_t unpacked_length;
    if (fuzz_check(dcnn_file_read(fuzz_file("a.gz", bytes, length), &unpacked, &unpacked_length)) != DCNN_OK) return;
    if (unpacked[unpacked_length] != 0) fuzz_broken("no NUL behind a file");
    free(unpacked);
}

static void run_image(const uint8_t *bytes, size_t length) {
    static const dcnn_image_options wishes[] = {{0},
                                                {.channels = 1, .h = 5, .w = 7, .fit = DCNN_FIT_PAD},
                                                {.channels = 3, .h = 4, .w = 4, .fit = DCNN_FIT_CROP},
                                                {.channels = 4, .h = 3, .w = 9, .fit = DCNN_FIT_STRETCH}};
    const dcnn_image_options *wish = &wishes[length % 4];
    dcnn_image image;
    dcnn_image_notes notes;
    int h = 0, w = 0, c = 0;
    if (fuzz_check(dcnn_image_decode("a", bytes, length, wish, &notes, &image)) != DCNN_OK) return;
    if (wish->h > 0 && (image.h != wish->h || image.w != wish->w)) fuzz_broken("an image of another size");
    if (fuzz_check(dcnn_image_size(fuzz_file("a", bytes, length), &h, &w, &c)) != DCNN_OK)
        fuzz_broken("an image without a size");
    if (notes.h != h || notes.w != w) fuzz_broken("header and image differ");
    dcnn_image_free(&image);
}

/* --- models ------------------------------------------------------------------------------------------------------ */

static void run_json(const uint8_t *bytes, size_t length) {
    json_t *description;
    dcnn_net *net;
    if (fuzz_check(dcnn_description_read(fuzz_file("a.json", bytes, length), &description)) != DCNN_OK) return;
    if (fuzz_check(dcnn_net_create(description, (dcnn_shape){.h = 12, .w = 12, .c = 1}, &net)) == DCNN_OK)
        dcnn_net_free(net);
    json_decref(description);
}

/* Any file as a model: `.keras`, `.h5` and what else there may be, with the child process for files without a seal. */
static void run_model(const uint8_t *bytes, size_t length) {
    dcnn_checkpoint checkpoint;
    if (fuzz_check(dcnn_checkpoint_read(fuzz_file("a", bytes, length), &checkpoint)) == DCNN_OK)
        dcnn_checkpoint_free(&checkpoint);
}

static void run_onnx(const uint8_t *bytes, size_t length) {
    dcnn_checkpoint checkpoint;
    if (fuzz_check(dcnn_onnx_read(fuzz_file("a.onnx", bytes, length), &checkpoint)) == DCNN_OK)
        dcnn_checkpoint_free(&checkpoint);
}

/* Any HDF5 file as a data set, likewise. */
static void run_dataset(const uint8_t *bytes, size_t length) {
    dcnn_dataset set;
    const char *path = fuzz_file("a.h5", bytes, length);
    if (fuzz_check(dcnn_dataset_open(path, &set)) == DCNN_OK) {
        const size_t area = (size_t)set.h * (size_t)set.w * (size_t)set.c;
        if (set.count > 0 && (size_t)set.count < ((size_t)1 << 24) / area) {
            uint8_t *pixels = malloc((size_t)set.count * area);
            int32_t *labels = malloc((size_t)set.count * sizeof *labels);
            if (pixels && labels) fuzz_check(read_dataset(&set, pixels, labels));
            free(pixels);
            free(labels);
        }
        dcnn_dataset_free(&set);
    }
    const dcnn_source_options options = {0};
    use_source("a.h5", bytes, length, &options);
}

/* A checkpoint's history becomes the metrics. */
static void run_history(const uint8_t *bytes, size_t length) {
    char *text = malloc(length + 1);
    if (text == NULL) return;
    memcpy(text, bytes, length);
    text[length] = '\0';
    fuzz_file("x", bytes, 0);
    fuzz_check(dcnn_history_write(folder_of(), text));
    free(text);
}

static void run_record(const uint8_t *bytes, size_t length) {
    json_t *record;
    bool damaged;
    fuzz_file(DCNN_RUN_RECORD, bytes, length);
    const dcnn_status status = fuzz_check(dcnn_run_record_read(folder_of(), &record, &damaged));
    if ((status == DCNN_OK) != (record != NULL)) fuzz_broken("a record without words, or words without a record");
    if (damaged && status != DCNN_BAD_INPUT) fuzz_broken("damage that is none");
    json_decref(record);
}

/* --- the command line and the network ---------------------------------------------------------------------------- */

/* The first byte is the command, the rest its words, a line each. */
static void run_options(const uint8_t *bytes, size_t length) {
    enum { MOST_WORDS = 64 };
    char *words[MOST_WORDS + 1];
    if (length == 0) return;
    const dcnn_command_id command = (dcnn_command_id)(bytes[0] % DCNN_COMMAND_COUNT);
    char *text = malloc(length + 1);
    if (text == NULL) return;
    memcpy(text, bytes, length);
    text[length] = '\0';
    for (size_t i = 0; i < length; i++)
        if (text[i] == '\0') text[i] = '\n';
    int count = 0;
    words[count++] = (char[]){"dcnn"};
    for (char *at = text + 1, *end; count < MOST_WORDS && *at; at = end) {
        end = at + strcspn(at, "\n");
        if (*end) *end++ = '\0';
        words[count++] = at;
    }
    words[count] = NULL;
    dcnn_options options, again;
    if (fuzz_check(dcnn_options_parse(command, count, words, &options)) == DCNN_OK) {
        json_t *record = dcnn_options_record(command, &options);
        dcnn_options_default(command, &again);
        fuzz_check(dcnn_options_resume(command, record, &again));
        json_decref(record);
    }
    free(text);
}

/* What a stranger or a rank says, in pieces: the lengths are the bytes themselves. */
static void run_heartbeat(const uint8_t *bytes, size_t length) {
    int ends[2];
    dcnn_watchdog_inbox inbox = {0};
    dcnn_watchdog_message message;
    size_t got = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return;
    for (size_t at = 0; at < length;) {
        const size_t piece = 1 + bytes[at] % 64, rest = length - at, some = piece < rest ? piece : rest;
        if (send(ends[0], bytes + at, some, 0) != (ssize_t)some) break;
        at += some;
        if (!dcnn_watchdog_receive(ends[1], &inbox)) fuzz_broken("an open connection counts as closed");
        if (inbox.used > sizeof inbox.bytes) fuzz_broken("an inbox that overflows");
        while (dcnn_watchdog_next(&inbox, &message)) {
            if (memcmp(&message, bytes + got, sizeof message) != 0) fuzz_broken("another message than was sent");
            got += sizeof message;
        }
    }
    if (length - got >= sizeof message) fuzz_broken("a message is lost");
    close(ends[0]);
    close(ends[1]);
}

const fuzz_target fuzz_targets[] = {
    {"idx", run_idx},
    {"table", run_table},
    {"npy", run_source},
    {"zip", run_source},
    {"mat", run_source},
    {"gzip", run_gzip},
    {"image_png", run_image},
    {"image_jpeg", run_image},
    {"image_plain", run_image},
    {"image_webp", run_image},
    {"onnx", run_onnx},
    {"safetensors", fuzz_safetensors},
    {"json", run_json},
    {"keras", run_model},
    {"built_keras", fuzz_built_keras},
    {"hdf5_model", run_model},
    {"built_model", fuzz_built_model},
    {"hdf5_data", run_dataset},
    {"built_data", fuzz_built_data},
    {"history", run_history},
    {"record", run_record},
    {"options", run_options},
    {"heartbeat", run_heartbeat},
    {NULL, NULL},
};
