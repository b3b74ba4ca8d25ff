/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * built.c — HDF5 files that HDF5 itself finds right, with anything in the place of what dcnn looks for: other types,
 * shapes, values, texts, missing or doubled objects. Random bytes seldom get past libhdf5's own checks, or break it.
 *
 * The bytes are a list of changes to a good file. Each: which object (an odd number: an attribute), what becomes of it,
 * type, shape, values. The result is sealed, so that it is read by this process and not tried in a child.
 */
#include "fuzz.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zip.h>

#include "io/dataset/dataset.h"
#include "io/hdf5/hdf5.h"
#include "model/keras_archive.h"
#include "model/model.h"
#include "model/safetensors.h"
#include "sources/source.h"

#include "../dataset_helpers.h"

enum { MOST_CHANGES = 24, MOST_VALUES = 4096 };

typedef struct stream {
    const uint8_t *next, *end;
} stream;

static uint8_t take(stream *from) {
    return from->next < from->end ? *from->next++ : 0;
}

/* --- one change -------------------------------------------------------------------------------------------------- */

static hid_t make_type(uint8_t choice, uint8_t detail) {
    const hid_t plain[] = {H5T_STD_U8LE,  H5T_STD_I8LE,    H5T_STD_I16BE,  H5T_STD_I32LE,     H5T_STD_U32LE,
                           H5T_STD_I64LE, H5T_STD_U64LE,   H5T_IEEE_F32LE, H5T_IEEE_F64LE,    H5T_IEEE_F32BE,
                           H5T_STD_B8LE,  H5T_STD_REF_OBJ, H5T_UNIX_D32LE, H5T_NATIVE_LDOUBLE};
    enum { PLAIN = sizeof plain / sizeof plain[0] };
    hid_t made;
    if (choice % (PLAIN + 6) < PLAIN) return H5Tcopy(plain[choice % (PLAIN + 6)]);
    switch (choice % (PLAIN + 6) - PLAIN) {
    case 0: /* text of variable length */
        made = H5Tcopy(H5T_C_S1);
        H5Tset_size(made, H5T_VARIABLE);
        if (detail % 2) H5Tset_cset(made, H5T_CSET_UTF8);
        return made;
    case 1: /* of fixed length */
        made = H5Tcopy(H5T_C_S1);
        H5Tset_size(made, 1 + detail % 40u);
        H5Tset_strpad(made, detail % 3 == 0 ? H5T_STR_NULLTERM : detail % 3 == 1 ? H5T_STR_NULLPAD : H5T_STR_SPACEPAD);
        return made;
    case 2:
        made = H5Tcreate(H5T_COMPOUND, 16);
        H5Tinsert(made, "a", 0, H5T_STD_I32LE);
        H5Tinsert(made, "b", 8, H5T_IEEE_F64LE);
        return made;
    case 3: {
        const hsize_t size = 1 + detail % 4u;
        return H5Tarray_create2(H5T_STD_I32LE, 1, &size);
    }
    case 4:
        return H5Tvlen_create(H5T_STD_I32LE);
    default:
        return H5Tcreate(H5T_OPAQUE, 1 + detail % 9u);
    }
}

static hid_t make_space(stream *from, hsize_t *count, hsize_t *first) {
    static const hsize_t sizes[] = {
        0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 40, 100, 1000, (hsize_t)1 << 33, (hsize_t)1 << 62};
    hsize_t shape[4];
    const uint8_t choice = take(from);
    const int rank = choice % 7;
    *count = 1;
    *first = 0;
    if (rank == 5) return H5Screate(H5S_NULL);
    if (rank == 0 || rank == 6) return H5Screate(H5S_SCALAR);
    for (int i = 0; i < rank; i++) {
        shape[i] = sizes[take(from) % 16];
        *count = shape[i] > 0 && *count > MOST_VALUES ? *count : *count * shape[i];
    }
    *first = shape[0];
    return H5Screate_simple(rank, shape, NULL);
}

/* Values out of the bytes; texts of variable length end where the bytes have a 0. */
static void *make_values(stream *from, hid_t type, hsize_t count, char **texts) {
    const size_t size = H5Tget_size(type), bytes = size * (size_t)count;
    const H5T_class_t class = H5Tget_class(type);
    if (class == H5T_VLEN || class == H5T_REFERENCE) return NULL;
    uint8_t *values = calloc(bytes + 1, 1);
    if (values == NULL) return NULL;
    const size_t rest = (size_t)(from->end - from->next);
    if (H5Tis_variable_str(type) > 0) {
        *texts = calloc(rest + 2, 1);
        if (rest > 0) memcpy(*texts, from->next, rest);
        char *at = *texts;
        for (hsize_t i = 0; i < count; i++) {
            memcpy(values + i * sizeof at, &at, sizeof at);
            if ((size_t)(at - *texts) < rest) at += strlen(at) + 1;
        }
        from->next += (size_t)(at - *texts) < rest ? (size_t)(at - *texts) : rest;
        return values;
    }
    const size_t some = rest < bytes ? rest : bytes;
    memcpy(values, from->next, some);
    from->next += some;
    return values;
}

static void put(hid_t file, const char *owner, const char *name, bool attribute, stream *from) {
    hsize_t count, first;
    const uint8_t choice = take(from);
    hid_t type = make_type(choice, choice / 20), space = make_space(from, &count, &first);
    hid_t creation = H5Pcreate(attribute ? H5P_ATTRIBUTE_CREATE : H5P_DATASET_CREATE), made = -1;
    char *texts = NULL;
    const bool small = count <= MOST_VALUES;
    if (attribute) {
        hid_t object = H5Oopen(file, owner, H5P_DEFAULT);
        if (H5Aexists(object, name) > 0) H5Adelete(object, name);
        if (small) made = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
        void *values = made >= 0 ? make_values(from, type, count, &texts) : NULL;
        if (values) H5Awrite(made, type, values);
        free(values);
        if (made >= 0) H5Aclose(made);
        if (object >= 0) H5Oclose(object);
    } else {
        hid_t links = H5Pcreate(H5P_LINK_CREATE);
        H5Pset_create_intermediate_group(links, 1);
        if (H5Lexists(file, name, H5P_DEFAULT) > 0) H5Ldelete(file, name, H5P_DEFAULT);
        hsize_t chunk[4] = {1, 1, 1, 1};
        const int rank = H5Sget_simple_extent_ndims(space);
        if (!small && rank > 0) H5Pset_chunk(creation, rank, chunk);
        if (small || rank > 0) made = H5Dcreate2(file, name, type, space, links, creation, H5P_DEFAULT);
        void *values = small && made >= 0 ? make_values(from, type, count, &texts) : NULL;
        if (values) H5Dwrite(made, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
        free(values);
        if (made >= 0) H5Dclose(made);
        H5Pclose(links);
    }
    free(texts);
    H5Pclose(creation);
    if (type >= 0) H5Tclose(type);
    if (space >= 0) H5Sclose(space);
}

/* A text as an attribute: descriptions and options are long ones. */
static void put_text(hid_t file, const char *owner, const char *name, stream *from) {
    const size_t wish = take(from) + 256u * take(from), rest = (size_t)(from->end - from->next);
    const size_t length = wish < rest ? wish : rest;
    char *text = calloc(length + 1, 1);
    hid_t object = H5Oopen(file, owner, H5P_DEFAULT);
    if (text && object >= 0) {
        memcpy(text, from->next, length);
        dcnn_h5_text_write(object, name, text);
    }
    from->next += length;
    if (object >= 0) H5Oclose(object);
    free(text);
}

/* A place that is looked at: an attribute of an object, or (without a name) a data set or group. */
typedef struct place {
    const char *object, *attribute;
} place;

static void change(hid_t file, const place *places, size_t count, stream *from) {
    for (int i = 0; i < MOST_CHANGES && from->next < from->end; i++) {
        const place *p = &places[take(from) % count];
        switch (take(from) % 5) {
        case 0:
            if (p->attribute == NULL) {
                H5Ldelete(file, p->object, H5P_DEFAULT);
                break;
            }
            if (H5Aexists_by_name(file, p->object, p->attribute, H5P_DEFAULT) > 0)
                H5Adelete_by_name(file, p->object, p->attribute, H5P_DEFAULT);
            break;
        case 1:
            if (p->attribute == NULL) {
                H5Ldelete(file, p->object, H5P_DEFAULT);
                dcnn_h5_group_create(file, p->object, NULL);
            } else {
                put_text(file, p->object, p->attribute, from);
            }
            break;
        default:
            put(file, p->object, p->attribute ? p->attribute : p->object, p->attribute != NULL, from);
        }
    }
}

/* The changed file, sealed. */
static const char *finish(hid_t file) {
    const void *image;
    size_t length;
    static char path[128];
    snprintf(path, sizeof path, "%s", fuzz_file("built.h5", NULL, 0));
    if (dcnn_h5_image(file, &image, &length) != DCNN_OK || dcnn_file_write(path, image, length, true) != DCNN_OK)
        fuzz_broken(dcnn_error());
    dcnn_h5_close(file);
    return path;
}

static hid_t open_to_change(const void *bytes, size_t length) {
    hid_t access = dcnn_h5_access();
    H5Pset_fapl_core(access, 1 << 16, false);
    H5Pset_file_image(access, (void *)(uintptr_t)bytes, length);
    hid_t file = H5Fopen("built.h5", H5F_ACC_RDWR, access);
    H5Pclose(access);
    if (file < 0) fuzz_broken("the good file cannot be opened");
    return file;
}

/* --- data sets --------------------------------------------------------------------------------------------------- */

static hid_t make_data(void) {
    const int64_t shape[4] = {6, 4, 4, 1}, rows = 6, width = 2, targets[2] = {6, 2};
    static const char *const names[] = {"cat", "dog"}, *const ids[] = {"a", "b", "c", "d", "e", "f"};
    static const uint8_t pixels[96] = {1, 2, 3, 255};
    static const int32_t labels[6] = {0, 1, 0, 1, 0, 1}, version = 1;
    static const int64_t train[4] = {0, 1, 2, 3}, test[2] = {4, 5};
    static const float numbers[12] = {0.5f, 1.0f};
    const int64_t four = 4, two = 2;
    const double mean = 0.4, std = 0.2;
    hid_t file;
    bool good = dcnn_h5_create("built.h5", 0, &file) == DCNN_OK;
    good = good && dcnn_h5_write(file, "images", DCNN_H5_UINT8, 4, shape, 0, pixels) == DCNN_OK;
    good = good && dcnn_h5_write(file, "labels", DCNN_H5_INT32, 1, &rows, 0, labels) == DCNN_OK;
    good = good && dcnn_h5_write(file, "targets", DCNN_H5_FLOAT, 2, targets, 0, numbers) == DCNN_OK;
    good = good && dcnn_h5_strings_write(file, "target_names", (int)width, names) == DCNN_OK;
    good = good && dcnn_h5_strings_write(file, "ids", 6, ids) == DCNN_OK;
    good = good && dcnn_h5_write(file, "splits/train", DCNN_H5_INT64, 1, &four, 0, train) == DCNN_OK;
    good = good && dcnn_h5_write(file, "splits/test", DCNN_H5_INT64, 1, &two, 0, test) == DCNN_OK;
    good = good && dcnn_h5_strings_write(file, "class_names", 2, names) == DCNN_OK;
    good = good && dcnn_h5_attribute_write(file, "mean", DCNN_H5_DOUBLE, 1, &mean) == DCNN_OK;
    good = good && dcnn_h5_attribute_write(file, "std", DCNN_H5_DOUBLE, 1, &std) == DCNN_OK;
    good = good && dcnn_h5_text_write(file, "format", "dcnn data set") == DCNN_OK;
    good = good && dcnn_h5_attribute_write(file, "format_version", DCNN_H5_INT32, -1, &version) == DCNN_OK;
    if (!good) fuzz_broken(dcnn_error());
    return file;
}

static void use_dataset(const char *path) {
    dcnn_dataset set;
    if (fuzz_check(dcnn_dataset_open(path, &set)) != DCNN_OK) return;
    const size_t count = (size_t)set.count, area = (size_t)set.h * (size_t)set.w * (size_t)set.c;
    for (int i = 0; i < set.split_count; i++)
        for (int64_t j = 0; j < set.splits[i].count; j++)
            if (set.splits[i].rows[j] < 0 || set.splits[i].rows[j] >= set.count) fuzz_broken("a row that is not there");
    fuzz_check(dcnn_dataset_identify(&set));
    if (count * area < (size_t)1 << 24) {
        uint8_t *pixels = malloc(count * area + 1);
        int32_t *labels = malloc(count * sizeof *labels + 1);
        float *targets = malloc(count * (size_t)set.target_width * sizeof *targets + 1);
        char **ids;
        if (pixels && labels && fuzz_check(read_dataset(&set, pixels, labels)) == DCNN_OK && set.has_labels)
            for (size_t i = 0; i < count; i++)
                if (labels[i] < 0 || labels[i] >= set.class_count) fuzz_broken("a label that is no class");
        if (targets && set.target_width > 0) fuzz_check(dcnn_dataset_read_targets(&set, targets));
        if (set.has_ids && fuzz_check(dcnn_dataset_read_ids(&set, &ids)) == DCNN_OK) dcnn_dataset_free_ids(&set, ids);
        free(pixels);
        free(labels);
        free(targets);
    }
    dcnn_dataset_free(&set);
}

void fuzz_built_data(const uint8_t *bytes, size_t length) {
    static const place places[] = {
        {"images", NULL},
        {"/", "format"},
        {"labels", NULL},
        {"/", "format_version"},
        {"class_names", NULL},
        {"/", "mean"},
        {"splits/train", NULL},
        {"/", "std"},
        {"splits/test", NULL},
        {"/", "seed"},
        {"splits/other", NULL},
        {"/", "source"},
        {"ids", NULL},
        {"/", "source_checksum"},
        {"targets", NULL},
        {"/", "options"},
        {"target_names", NULL},
        {"/", "images"},
        {"image_checksums", NULL},
        {"/", "image_checksum_rows"},
        {"splits", NULL},
        {"/", "pictures"},
        {"y", NULL},
        {"x", NULL},
    };
    stream from = {bytes, bytes + length};
    hid_t file = make_data();
    change(file, places, sizeof places / sizeof places[0], &from);
    char *path = strdup(finish(file));
    use_dataset(path);
    /* and as prepare takes it */
    const dcnn_source_options options = {0};
    dcnn_sources sources = {0};
    dcnn_names classes = {0};
    if (fuzz_check(dcnn_sources_open(1, &path, DCNN_ROLE_POOL, &options, &sources)) == DCNN_OK)
        fuzz_check(dcnn_sources_agree(&sources, &options, &classes));
    dcnn_names_free(&classes);
    dcnn_sources_free(&sources);
    free(path);
}

/* --- models ------------------------------------------------------------------------------------------------------ */

static const char description[] =
    "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"small\",\"layers\":["
    "{\"class_name\":\"InputLayer\",\"config\":{\"batch_shape\":[null,6,6,1],\"name\":\"in\"}},"
    "{\"class_name\":\"Conv2D\",\"config\":{\"name\":\"conv2d\",\"filters\":2,\"kernel_size\":3}},"
    "{\"class_name\":\"BatchNormalization\",\"config\":{\"name\":\"norm\"}},"
    "{\"class_name\":\"Flatten\",\"config\":{\"name\":\"flatten\"}},"
    "{\"class_name\":\"Dense\",\"config\":{\"name\":\"dense\",\"units\":2,\"activation\":\"softmax\"}}]}}";

static dcnn_net *small_net(void) {
    json_t *json = json_loads(description, 0, NULL);
    dcnn_net *net;
    if (dcnn_net_create(json, (dcnn_shape){0}, &net) != DCNN_OK) fuzz_broken(dcnn_error());
    dcnn_net_initialise(net, 1);
    json_decref(json);
    return net;
}

/* A checkpoint as a file's bytes, without its seal. */
static const uint8_t *checkpoint_bytes(size_t *length) {
    static uint8_t *bytes;
    static size_t kept;
    static char *names[] = {"cat", "dog"};
    const dcnn_optimizer adam = {.learning_rate = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7};
    if (bytes == NULL) {
        dcnn_checkpoint made = {.net = small_net(), .progress = {.epoch = 1, .step = 3}, .normalised = true};
        made.mean[0] = made.std[0] = 0.5;
        made.class_count = 2;
        made.class_names = names;
        made.data_path = (char[]){"data.h5"};
        made.options = json_pack("{s:i}", "epochs", 3);
        made.history = (char[]){"{\"epoch\": 1, \"loss\": 0.5}\n"};
        made.m = calloc(made.net->param_count, sizeof(float));
        made.v = calloc(made.net->param_count, sizeof(float));
        char *path = strdup(fuzz_file("good.h5", NULL, 0));
        if (dcnn_checkpoint_write(path, &made, &adam) != DCNN_OK || dcnn_file_read(path, &bytes, &kept) != DCNN_OK)
            fuzz_broken(dcnn_error());
        kept -= dcnn_seal_bytes(DCNN_SEAL_GOOD);
        free(path);
        free(made.m);
        free(made.v);
        json_decref(made.options);
        dcnn_net_free(made.net);
    }
    *length = kept;
    return bytes;
}

/* What is read is a network: its numbers are there. */
static void use_checkpoint(dcnn_status status, dcnn_checkpoint *checkpoint) {
    if (fuzz_check(status) != DCNN_OK) return;
    dcnn_weights_hash(checkpoint->net);
    for (int i = 0; i < checkpoint->class_count; i++)
        if (checkpoint->class_names && checkpoint->class_names[i] == NULL) fuzz_broken("a class without a name");
    if (checkpoint->resumable && (checkpoint->m == NULL || checkpoint->v == NULL)) fuzz_broken("no moments");
    dcnn_checkpoint_free(checkpoint);
}

void fuzz_built_model(const uint8_t *bytes, size_t length) {
    static const place places[] = {
        {"model_weights/conv2d/conv2d/kernel", NULL},
        {"/", "model_config"},
        {"model_weights/dense/dense/bias", NULL},
        {"/", "training_config"},
        {"model_weights", "layer_names"},
        {"model_weights/conv2d", "weight_names"},
        {"model_weights/norm", "weight_names"},
        {"model_weights/norm", NULL},
        {"dcnn/optimizer_weights", "weight_names"},
        {"dcnn/optimizer_weights/adam/iteration", NULL},
        {"dcnn/optimizer_weights/adam/learning_rate", NULL},
        {"dcnn/optimizer_weights/adam/conv2d_kernel_momentum", NULL},
        {"dcnn/optimizer_weights", NULL},
        {"dcnn", NULL},
        {"dcnn", "format_version"},
        {"dcnn", "cursor"},
        {"dcnn", "seed"},
        {"dcnn", "best_loss"},
        {"dcnn", "mean"},
        {"dcnn", "std"},
        {"dcnn", "options"},
        {"dcnn", "history"},
        {"dcnn", "data_path"},
        {"dcnn/class_names", NULL},
        {"/", "keras_version"},
        {"/", "backend"},
        {"model_weights", NULL},
        {"model_weights/conv2d", NULL},
    };
    size_t good_length;
    const uint8_t *good = checkpoint_bytes(&good_length);
    stream from = {bytes, bytes + length};
    hid_t file = open_to_change(good, good_length);
    change(file, places, sizeof places / sizeof places[0], &from);
    dcnn_checkpoint checkpoint;
    use_checkpoint(dcnn_checkpoint_read(finish(file), &checkpoint), &checkpoint);
}

/* Weights for the small net. */
void fuzz_safetensors(const uint8_t *bytes, size_t length) {
    dcnn_checkpoint into = {.net = small_net()};
    fuzz_check(dcnn_safetensors_read(fuzz_file("a.safetensors", bytes, length), &into));
    dcnn_checkpoint_free(&into);
}

/* A `.keras`: its two texts from the bytes (up to a 0 each; empty: the right one), changed weights behind them. */
void fuzz_built_keras(const uint8_t *bytes, size_t length) {
    static uint8_t *weights;
    static size_t weights_length;
    static const place places[] = {
        {"layers/conv2d/vars/0", NULL},
        {"layers/dense/vars/1", NULL},
        {"layers/batch_normalization/vars/0", NULL},
        {"optimizer/vars/0", NULL},
        {"layers/batch_normalization", NULL},
        {"/", "dcnn"},
        {"/", "class_names"},
        {"/", "mean"},
        {"/", "std"},
        {"layers", NULL},
    };
    if (weights == NULL) {
        dcnn_net *net = small_net();
        char *path = strdup(fuzz_file("a.weights.h5", NULL, 0));
        if (dcnn_keras_weights_write(path, &(dcnn_checkpoint){.net = net}) != DCNN_OK ||
            dcnn_file_read(path, &weights, &weights_length) != DCNN_OK)
            fuzz_broken(dcnn_error());
        free(path);
        dcnn_net_free(net);
    }
    stream from = {bytes, bytes + length};
    char *texts[2];
    for (int i = 0; i < 2; i++) {
        const size_t rest = (size_t)(from.end - from.next),
                     some = rest > 0 ? strnlen((const char *)from.next, rest) : 0;
        texts[i] = some > 0 ? strndup((const char *)from.next, some) : strdup(i == 0 ? description : "{}");
        from.next += some < rest ? some + 1 : some;
    }
    hid_t file = open_to_change(weights, weights_length);
    change(file, places, sizeof places / sizeof places[0], &from);
    const void *image;
    size_t image_length;
    int error = 0;
    if (dcnn_h5_image(file, &image, &image_length) != DCNN_OK) fuzz_broken(dcnn_error());
    char *path = strdup(fuzz_file("a.keras", NULL, 0));
    unlink(path);
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &error);
    const char *const names[3] = {"config.json", "metadata.json", "model.weights.h5"};
    const void *const parts[3] = {texts[0], texts[1], image};
    const size_t lengths[3] = {strlen(texts[0]), strlen(texts[1]), image_length};
    for (int i = 0; zip && i < 3; i++) {
        zip_source_t *part = zip_source_buffer(zip, parts[i], lengths[i], 0);
        const zip_int64_t number = zip_file_add(zip, names[i], part, 0);
        if (number >= 0) zip_set_file_compression(zip, (zip_uint64_t)number, ZIP_CM_STORE, 0);
    }
    if (zip == NULL || zip_close(zip) != 0) fuzz_broken("no zip");
    dcnn_h5_close(file);
    dcnn_checkpoint checkpoint;
    use_checkpoint(dcnn_checkpoint_read(path, &checkpoint), &checkpoint);
    free(path);
    free(texts[0]);
    free(texts[1]);
}
