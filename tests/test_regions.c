/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_regions.c — every region of every kind of file, flipped, zeroed, filled and cut off.
 *
 * Regions are found by name: HDF5's superblock, object headers, B-trees, heaps, chunks, attributes, data; a zip's
 * members and directory; a seal. What dcnn has sealed, and what a zip has checksums of, must be read to the same values
 * or refused. In an HDF5 file of other hands no checksum tells a wrong number from a right one: there the outcome is
 * some values of the right shape, or a refusal, and never more. DCNN_TEST_EVERY=1 damages every byte of each region,
 * and not 3 of them.
 */
#include "io_helpers.h"

#include "io/dataset/dataset.h"
#include "io/hdf5/hdf5.h"
#include "model/model.h"
#include "sources/source.h"

#include "dataset_helpers.h"

#define GOLDEN(name) DCNN_TESTS_DIR "/golden/" name

/* LeakSanitizer's own hook: HDF5 leaks where damage ends a call in its middle. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:libhdf5";
}

/* --- regions ----------------------------------------------------------------------------------------------------- */

enum { MOST_REGIONS = 512 };

typedef struct region {
    char name[80];
    size_t at, bytes;
} region;

typedef struct regions {
    int count;
    region items[MOST_REGIONS];
} regions;

__attribute__((format(printf, 4, 5))) static void add(regions *to, size_t at, size_t bytes, const char *format, ...) {
    if (to->count == MOST_REGIONS || bytes == 0) return;
    region *r = &to->items[to->count++];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r->name, sizeof r->name, format, arguments);
    va_end(arguments);
    r->at = at;
    r->bytes = bytes;
}

/* What a zip's member holds, behind its header of 30 bytes, its name and more. */
static void add_member(regions *to, const uint8_t *bytes, size_t at, size_t rest) {
    if (rest < 30) return;
    const uint8_t *h = bytes + at;
    const size_t packed = h[18] | (size_t)h[19] << 8 | (size_t)h[20] << 16 | (size_t)h[21] << 24;
    const size_t begin = 30 + (h[26] | (size_t)h[27] << 8) + (h[28] | (size_t)h[29] << 8);
    if (packed > 0 && begin + packed <= rest) add(to, at + begin, packed, "data of the zip member at %zu", at);
}

/* Structures that begin with a signature. */
static void find_signed(regions *to, const uint8_t *bytes, size_t length) {
    static const struct {
        const char *signature, *name;
        size_t bytes;
    } kinds[] = {{"\x89HDF\r\n\x1a\n", "superblock", 96},
                 {"TREE", "B-tree", 24 + 48},
                 {"SNOD", "symbol table", 8 + 40},
                 {"HEAP", "local heap", 32},
                 {"GCOL", "global heap", 48},
                 {"OHDR", "object header", 48},
                 {"FRHP", "fractal heap", 64},
                 {"FHDB", "heap block", 48},
                 {"BTHD", "B-tree header", 38},
                 {"BTLF", "B-tree leaf", 40},
                 {"PK\3\4", "zip member", 30},
                 {"PK\1\2", "zip directory", 46},
                 {"PK\5\6", "zip end", 22},
                 {"DCNNSEAL", "seal", 32}};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        for (size_t at = 0; at + 8 < length;) {
            const uint8_t *found = memmem(bytes + at, length - at, kinds[k].signature, strlen(kinds[k].signature));
            if (found == NULL) break;
            at = (size_t)(found - bytes);
            const size_t rest = length - at;
            add(to, at, kinds[k].bytes < rest ? kinds[k].bytes : rest, "%s at %zu", kinds[k].name, at);
            if (strcmp(kinds[k].signature, "PK\3\4") == 0) add_member(to, bytes, at, rest);
            at += 4;
        }
}

typedef struct finding {
    regions *to;
    const uint8_t *bytes;
    size_t length;
} finding;

static herr_t find_attribute(hid_t where, const char *name, const H5A_info_t *about, void *context) {
    finding *f = context;
    (void)where;
    (void)about;
    const uint8_t *found = memmem(f->bytes, f->length, name, strlen(name) + 1);
    if (found == NULL) return 0;
    const size_t at = (size_t)(found - f->bytes), before = at > 12 ? 12 : at, rest = f->length - at + before;
    add(f->to, at - before, rest < 80 ? rest : 80, "attribute '%s'", name);
    return 0;
}

static void find_chunks(finding *f, hid_t data, const char *name) {
    hid_t creation = H5Dget_create_plist(data), space = H5Dget_space(data);
    hsize_t chunks = 0, offset[H5S_MAX_RANK], bytes;
    if (H5Pget_layout(creation) == H5D_CHUNKED && H5Dget_num_chunks(data, space, &chunks) >= 0) {
        for (hsize_t i = 0; i < chunks; i += 1 + chunks / 2) {
            unsigned mask;
            haddr_t address;
            if (H5Dget_chunk_info(data, space, i, offset, &mask, &address, &bytes) >= 0)
                add(f->to, (size_t)address, (size_t)bytes, "chunk %d of '%s'", (int)i, name);
        }
    } else if (H5Dget_offset(data) != HADDR_UNDEF) {
        add(f->to, (size_t)H5Dget_offset(data), (size_t)H5Dget_storage_size(data), "values of '%s'", name);
    }
    H5Sclose(space);
    H5Pclose(creation);
}

static herr_t find_object(hid_t where, const char *name, const H5L_info_t *link, void *context) {
    finding *f = context;
    H5O_info_t about;
    (void)link;
    hid_t object = H5Oopen(where, name, H5P_DEFAULT);
    if (object < 0) return 0;
    if (H5Oget_info(object, &about) >= 0) {
        const size_t rest = f->length - (size_t)about.addr, size = (size_t)about.hdr.space.total;
        add(f->to, (size_t)about.addr, size < rest ? size : rest, "header of '%s'", name);
    }
    H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, find_attribute, f);
    if (H5Iget_type(object) == H5I_DATASET) find_chunks(f, object, name);
    H5Oclose(object);
    return 0;
}

static void find_regions(const char *path, const uint8_t *bytes, size_t length, regions *to) {
    *to = (regions){0};
    find_signed(to, bytes, length);
    hid_t access = dcnn_h5_access(), file = H5Fopen(path, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    if (file >= 0) {
        finding f = {to, bytes, length};
        H5Aiterate2(file, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, find_attribute, &f);
        H5Lvisit(file, H5_INDEX_NAME, H5_ITER_INC, find_object, &f);
        H5Fclose(file);
    }
    add(to, 0, length, "all of it");
}

/* --- uses: what is read, as one number --------------------------------------------------------------------------- */

typedef dcnn_status use(const char *path, uint64_t *value);

static uint64_t mix(uint64_t value, const void *bytes, size_t length) {
    const uint8_t *at = bytes;
    for (size_t i = 0; i < length; i++) value = (value ^ at[i]) * 0x100000001b3u;
    return value;
}

static dcnn_status use_dataset(const char *path, uint64_t *value) {
    dcnn_dataset set;
    DCNN_TRY(dcnn_dataset_open(path, &set));
    const size_t bytes = (size_t)set.count * (size_t)set.h * (size_t)set.w * (size_t)set.c;
    uint8_t *pixels = malloc(bytes);
    int32_t *labels = malloc((size_t)set.count * sizeof *labels);
    dcnn_status status = pixels && labels ? read_dataset(&set, pixels, labels) : DCNN_FAILURE;
    if (status == DCNN_OK) {
        *value = mix(mix(7, pixels, bytes), labels, (size_t)set.count * sizeof *labels);
        *value = mix(mix(*value, set.mean, sizeof set.mean), set.std, sizeof set.std);
        for (int i = 0; i < set.split_count; i++)
            *value = mix(*value, set.splits[i].rows, (size_t)set.splits[i].count * sizeof(int64_t));
        for (int i = 0; i < set.class_count; i++) *value = mix(*value, set.class_names[i], strlen(set.class_names[i]));
    }
    free(pixels);
    free(labels);
    dcnn_dataset_free(&set);
    return status;
}

static dcnn_status use_model(const char *path, uint64_t *value) {
    dcnn_checkpoint checkpoint;
    DCNN_TRY(dcnn_checkpoint_read(path, &checkpoint));
    *value = mix(dcnn_weights_hash(checkpoint.net), checkpoint.mean, sizeof checkpoint.mean);
    *value = mix(*value, &checkpoint.progress, sizeof checkpoint.progress);
    dcnn_checkpoint_free(&checkpoint);
    return DCNN_OK;
}

static dcnn_status use_source(const char *path, uint64_t *value) {
    char *paths[] = {(char *)(uintptr_t)path};
    const dcnn_source_options options = {0};
    dcnn_sources sources = {0};
    dcnn_names classes = {0};
    dcnn_status status = dcnn_sources_open(1, paths, DCNN_ROLE_POOL, &options, &sources);
    if (status == DCNN_OK) status = dcnn_sources_agree(&sources, &options, &classes);
    *value = 7;
    for (int i = 0; status == DCNN_OK && i < sources.count; i++) {
        const dcnn_source *s = &sources.items[i];
        if (s->pixels && !s->rows)
            *value = mix(*value, s->pixels, (size_t)s->count * (size_t)s->h * (size_t)s->w * (size_t)s->c);
        *value = mix(*value, s->labels, (size_t)s->count * sizeof *s->labels);
    }
    dcnn_names_free(&classes);
    dcnn_sources_free(&sources);
    return status;
}

/* --- damage ------------------------------------------------------------------------------------------------------ */

typedef struct outcome {
    int cases, refused, same, other;
} outcome;

/* So that a failure can be made again. */
static void keep(const char *path) {
    char kept[640];
    snprintf(kept, sizeof kept, "/tmp/dcnn-regions-%ld", (long)getpid());
    if (rename(path, kept) == 0) print_error("kept as %s\n", kept);
}

static void try_damaged(const char *path, const uint8_t *bytes, size_t length, const char *how, const region *r,
                        use *read, uint64_t right, bool has_checksums, outcome *sum) {
    uint64_t value = 0;
    put_file(path, bytes, length);
    const dcnn_status status = read(path, &value);
    sum->cases++;
    if (status == DCNN_OK && value == right) {
        sum->same++;
    } else if (status == DCNN_OK) {
        if (has_checksums) keep(path);
        if (has_checksums) fail_msg("%s %s: other values are read", r->name, how);
        sum->other++;
    } else {
        if (status != DCNN_BAD_INPUT) fail_msg("%s %s: status %d: %s", r->name, how, status, dcnn_error());
        assert_true(dcnn_error()[0] != '\0' && strchr(dcnn_error(), '\n') == NULL);
        sum->refused++;
    }
}

static void damage(const char *golden, size_t cut_off, use *read, bool has_checksums) {
    static regions all;
    char path[600];
    const char *slash = strrchr(golden, '/'), *wish = getenv("DCNN_TEST_EVERY");
    size_t length;
    uint64_t right = 0;
    uint8_t *whole = get_file(golden, &length), *damaged = malloc(length);
    outcome sum = {0};
    assert_non_null(damaged);
    length -= cut_off;
    snprintf(path, sizeof path, "%s/%s", scratch, slash + 1);
    put_file(path, whole, length);
    assert_ok(read(path, &right));
    find_regions(path, whole, length, &all);
    const int stride = wish || has_checksums ? 1 : 1 + all.count / 24; /* a child process for each takes its time */
    for (int i = 0; i < all.count; i += stride) {
        const region *r = &all.items[i];
        const bool is_data =
            strncmp(r->name, "data of the zip", 15) == 0; /* a seal is one sum, members have one each */
        const size_t step = wish ? strtoul(wish, NULL, 10) : is_data ? r->bytes / 40 + 1 : r->bytes;
        for (size_t at = wish ? 0 : draw_below((uint32_t)(is_data ? step : r->bytes));
             at<r->bytes; at += step> 0 ? step : 1) {
            memcpy(damaged, whole, length);
            damaged[r->at + at] ^= (uint8_t)(1u << draw_below(8));
            try_damaged(path, damaged, length, "flipped", r, read, right, has_checksums, &sum);
        }
        if (r->bytes < length) {
            memcpy(damaged, whole, length);
            memset(damaged + r->at, 0, r->bytes);
            try_damaged(path, damaged, length, "zeroed", r, read, right, has_checksums, &sum);
            memset(damaged + r->at, 0xff, r->bytes);
            try_damaged(path, damaged, length, "filled", r, read, right, has_checksums, &sum);
        }
        if (wish || i % 4 == 0)
            try_damaged(path, whole, r->at + r->bytes / 2, "cut off", r, read, right, has_checksums, &sum);
    }
    printf("%s%s: %d regions, %d cases: %d refused, %d read to the same values, %d to others\n", slash + 1,
           cut_off ? " without its seal" : "", all.count, sum.cases, sum.refused, sum.same, sum.other);
    assert_true(sum.refused > 0);
    free(whole);
    free(damaged);
}

static void sealed_files_are_refused(void **state) {
    (void)state;
    damage(GOLDEN("data-set-2.h5"), 0, use_dataset, true);
    damage(DCNN_TESTS_DIR "/expected/dataset-1.h5", 0, use_dataset, true);
    damage(GOLDEN("run-1/checkpoints/step-00000006.h5"), 0, use_model, true);
}

static void zips_are_refused(void **state) {
    (void)state;
    damage(GOLDEN("model.keras"), 0, use_model, true);
    damage(DCNN_TESTS_DIR "/fuzz/corpus/zip/npz", 0, use_source, true);
}

/* A member that is not packed is whole by its checksum alone. */
static void digits_of_a_mean_are_held(void **state) {
    (void)state;
    static const char before[] = "\"mean\":[0.";
    size_t length;
    uint64_t value;
    uint8_t *bytes = get_file(GOLDEN("model.keras"), &length);
    uint8_t *mean = memmem(bytes, length, before, sizeof before - 1);
    assert_non_null(mean);
    mean[sizeof before - 1] ^= 1;
    const char *path = in_scratch("mean.keras");
    put_file(path, bytes, length);
    free(bytes);
    assert_fails(use_model(path, &value), DCNN_BAD_INPUT, "damaged", "metadata.json");
}

static void files_of_other_hands_harm_nobody(void **state) {
    (void)state;
    damage(DCNN_TESTS_DIR "/fuzz/corpus/hdf5_data/h5py_gzip", 0, use_dataset, false);
    damage(DCNN_TESTS_DIR "/fuzz/corpus/hdf5_data/h5_labels_Nx1", 0, use_source, false);
    damage(DCNN_TESTS_DIR "/expected/keras_graph.h5", 0, use_model, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealed_files_are_refused),
        cmocka_unit_test(zips_are_refused),
        cmocka_unit_test(digits_of_a_mean_are_held),
        cmocka_unit_test(files_of_other_hands_harm_nobody),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
