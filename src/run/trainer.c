/* SPDX-License-Identifier: BSD-3-Clause */
/* trainer.c — setting a training run up, up to its first step, and taking it down; train.c runs it. */
#include "run/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "run/elastic.h"

/* --- the model -------------------------------------------------------------------------------------------------- */

/* The recipe's net takes any data: its input shape and its last layer's units are set to fit. */
static dcnn_status fit_recipe(json_t *description, const dcnn_dataset *dataset) {
    json_t *layers = json_object_get(json_object_get(description, "config"), "layers");
    json_t *input = json_object_get(json_array_get(layers, 0), "config");
    json_t *last = json_object_get(json_array_get(layers, json_array_size(layers) - 1), "config");
    if (input == NULL || last == NULL) return DCNN_FAIL(DCNN_BAD_INPUT, "the recipe's model has no layers");
    json_object_set_new(input, "batch_shape", json_pack("[n,i,i,i]", dataset->h, dataset->w, dataset->c));
    json_object_set_new(last, "units", json_integer(dataset->class_count));
    return DCNN_OK;
}

static bool has_suffix(const char *text, const char *suffix) {
    const size_t length = strlen(text), tail = strlen(suffix);
    return length >= tail && strcmp(text + length - tail, suffix) == 0;
}

static dcnn_status make_net(dcnn_trainer *t) {
    const char *model = t->options->model;
    const dcnn_shape shape = {3, t->dataset.h, t->dataset.w, t->dataset.c};
    if (model && (has_suffix(model, ".h5") || has_suffix(model, ".hdf5"))) {
        dcnn_checkpoint start;
        DCNN_TRY(dcnn_checkpoint_read(model, &start));
        t->state.net = start.net;
        start.net = NULL;
        dcnn_checkpoint_free(&start);
        return DCNN_OK;
    }
    char *path = model ? strdup(model) : dcnn_data_path("models/digits.json");
    json_t *description = NULL;
    dcnn_status status = path ? dcnn_description_read(path, &description)
                              : DCNN_FAIL(DCNN_BAD_INPUT, "the recipe's model is not installed: name one by --model, "
                                                          "or set DCNN_DATA to dcnn's data folder");
    if (status == DCNN_OK && model == NULL) status = fit_recipe(description, &t->dataset);
    if (status == DCNN_OK) {
        status = dcnn_net_create(description, shape, &t->state.net);
        if (status != DCNN_OK) dcnn_error_prefix("%s", path);
    }
    if (status == DCNN_OK) dcnn_net_initialise(t->state.net, t->options->seed);
    json_decref(description);
    free(path);
    return status;
}

static dcnn_status check_fit(const dcnn_trainer *t) {
    const dcnn_shape takes = t->state.net->nodes[0].shape;
    char text[48];
    if (takes.h != t->dataset.h || takes.w != t->dataset.w || takes.c != t->dataset.c)
        return DCNN_FAIL(DCNN_BAD_INPUT, "the model takes pictures of shape %s, but %s has shape (%d, %d, %d)",
                         dcnn_shape_text(takes, text), t->dataset.path, t->dataset.h, t->dataset.w, t->dataset.c);
    if (t->state.net->untrainable[0])
        return DCNN_FAIL(DCNN_BAD_INPUT, "the model cannot be trained: %s", t->state.net->untrainable);
    if (t->state.net->class_count != t->dataset.class_count)
        return DCNN_FAIL(DCNN_BAD_INPUT, "the model's last layer '%s' has %d units, but %s has %d classes",
                         t->state.net->nodes[t->state.net->node_count - 1].name, t->state.net->class_count,
                         t->dataset.path, t->dataset.class_count);
    return DCNN_OK;
}

/* --- the state: fresh, or a checkpoint's ------------------------------------------------------------------------ */

static dcnn_status copy_net(const dcnn_net *from, dcnn_net **to) {
    json_t *description = dcnn_net_describe(from);
    dcnn_status status = dcnn_net_create(description, from->nodes[0].shape, to);
    json_decref(description);
    DCNN_TRY(status);
    memcpy((*to)->params, from->params, from->param_count * sizeof(float));
    memcpy((*to)->state, from->state, from->state_count * sizeof(float));
    return DCNN_OK;
}

static dcnn_status take_state(dcnn_trainer *t, const dcnn_checkpoint *from) {
    dcnn_progress *progress = &t->state.progress;
    DCNN_TRY(from ? copy_net(from->net, &t->state.net) : make_net(t));
    DCNN_TRY(check_fit(t));
    if (from) {
        if (!from->resumable)
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s has no state to go on from: use it as --model instead",
                             t->run->checkpoint);
        *progress = from->progress;
        if (progress->data_checksum != t->dataset.checksum)
            return DCNN_FAIL(DCNN_BAD_INPUT,
                             "%s is not the data set that this run was started with (%s): its content "
                             "differs",
                             t->dataset.path, from->data_path ? from->data_path : "?");
        t->state.history = from->history ? strdup(from->history) : NULL;
    } else {
        *progress = (dcnn_progress){
            .seed = t->options->seed, .best_loss = INFINITY, .best_correct = -1, .data_checksum = t->dataset.checksum};
    }
    /* What a checkpoint tells of the data is the data set's own; borrowed, see dcnn_trainer_close(). */
    memcpy(t->state.mean, t->dataset.mean, sizeof t->state.mean);
    memcpy(t->state.std, t->dataset.std, sizeof t->state.std);
    t->state.normalised = true;
    t->state.class_count = t->dataset.class_count;
    t->state.class_names = t->dataset.class_names;
    t->state.data_path = t->dataset.path;
    t->state.options = json_incref((json_t *)(uintptr_t)t->options->record);
    return DCNN_OK;
}

/* --- memory ----------------------------------------------------------------------------------------------------- */

/* What the ranks of a domain hold together; returns the packed weights. */
static void *carve_common(dcnn_trainer *t, dcnn_arena *arena, float **params) {
    const size_t bytes = t->state.net->param_count * sizeof(float);
    *params = dcnn_arena_take(arena, bytes);
    t->state.m = dcnn_arena_take(arena, bytes);
    t->state.v = dcnn_arena_take(arena, bytes);
    t->gradient = dcnn_arena_take(arena, bytes);
    if (t->sampler.accumulate > 1) t->accumulated = dcnn_arena_take(arena, bytes);
    t->update.norms = dcnn_arena_take(arena, (size_t)t->update.chunk_count * sizeof *t->update.norms);
    return dcnn_arena_take(arena, dcnn_plan_packed_bytes(t->plan));
}

/* What each of them lets the others read. */
static void carve_vectors(dcnn_trainer *t, dcnn_arena *arena, int depth) {
    for (int worker = 0; worker < dcnn_team_size(t->team); worker++)
        for (int i = 0; i < depth; i++)
            t->workers[worker].vectors[i] = dcnn_arena_take(arena, t->state.net->param_count * sizeof(float));
}

static void carve_private(dcnn_trainer *t, dcnn_arena *arena) {
    const size_t slots = (size_t)t->slots, grain = (size_t)t->options->grain;
    t->sums = dcnn_arena_take(arena, (slots + 1) * (size_t)t->sum_stride * sizeof(double));
    t->samples = dcnn_arena_take(arena, slots * grain * sizeof *t->samples);
    t->labels = dcnn_arena_take(arena, slots * grain * sizeof *t->labels);
    t->before.statistics = dcnn_arena_take(arena, t->state.net->state_count * sizeof(float));
    t->augment_scratch_bytes = dcnn_augment_scratch(&t->options->ranges, t->loader.h, t->loader.w, t->loader.c);
    t->augment_scratch_bytes = (t->augment_scratch_bytes + 63) / 64 * 64;
    t->augment_scratch = dcnn_arena_take(arena, (size_t)dcnn_team_size(t->team) * t->augment_scratch_bytes);
}

/* Vectors that a worker's stack needs: the deepest that its share of any batch makes, one more for the leaf. */
static int deepest_stack(const dcnn_trainer *t, int64_t most_grains) {
    const int workers = dcnn_team_size(t->team);
    int deepest = 0;
    for (int64_t grains = 1; grains <= most_grains; grains++) {
        const dcnn_shares shares = dcnn_comm_shares(t->comm, grains);
        for (int worker = 0; worker < workers; worker++) {
            dcnn_tree tree = {0};
            const int64_t end = dcnn_share_first(shares.count, worker + 1, workers);
            for (int64_t i = dcnn_share_first(shares.count, worker, workers); i < end; i++) {
                dcnn_tree_push(&tree, (dcnn_block){0, shares.first + i}, grains);
                if (tree.depth > deepest) deepest = tree.depth;
            }
        }
    }
    return deepest + 1;
}

static dcnn_status make_workers(dcnn_trainer *t, int depth) {
    const int workers = dcnn_team_size(t->team);
    t->workers = calloc((size_t)workers, sizeof *t->workers);
    for (int worker = 0; t->workers && worker < workers; worker++)
        t->workers[worker].vectors = calloc((size_t)depth, sizeof(float *));
    for (int worker = 0; worker < workers; worker++)
        if (t->workers == NULL || t->workers[worker].vectors == NULL)
            return DCNN_FAIL(DCNN_FAILURE, "out of memory: %d workers", workers);
    return DCNN_OK;
}

static int64_t grains_of_batch(const dcnn_trainer *t) {
    return (t->options->batch_size + t->options->grain - 1) / t->options->grain;
}

/* What this rank needs for itself. *Local.* */
static dcnn_status make_own_memory(dcnn_trainer *t) {
    t->slots = 1;
    for (int64_t batch = 1; batch <= grains_of_batch(t); batch++) {
        const int64_t share = dcnn_comm_shares(t->comm, batch).count;
        if (share > t->slots) t->slots = (int)share;
    }
    const dcnn_plan_options plan = {.grain = t->options->grain,
                                    .slots = t->slots,
                                    .workers = dcnn_team_size(t->team),
                                    .training = true,
                                    .fuse = t->options->fuse,
                                    .packed_elsewhere = true};
    DCNN_TRY(dcnn_plan_create(t->state.net, t->kernels, &plan, &t->plan));
    t->sum_stride = dcnn_plan_sum_count_max(t->plan);
    DCNN_TRY(dcnn_update_create(t->state.net, t->kernels, &t->options->optimizer, &t->update));
    t->times = calloc((size_t)dcnn_plan_op_count(t->plan) + 1, sizeof *t->times);
    if (t->times == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: the times of operations");
    dcnn_arena arena = {0};
    carve_private(t, &arena);
    DCNN_TRY(dcnn_block_create(arena.used, "sums", &t->block));
    arena = (dcnn_arena){.base = t->block};
    carve_private(t, &arena);
    return DCNN_OK;
}

/* Lays the state into memory that the domain shares; its first rank fills it. */
static dcnn_status share_state(dcnn_trainer *t, const dcnn_checkpoint *from) {
    const size_t bytes = t->state.net->param_count * sizeof(float);
    const int depth = deepest_stack(t, grains_of_batch(t));
    DCNN_TRY(dcnn_comm_agree(t->comm, make_workers(t, depth)));
    dcnn_arena common = {0}, own = {0};
    float *params;
    carve_common(t, &common, &params);
    carve_vectors(t, &own, depth);
    void *vectors;
    dcnn_status status = dcnn_comm_share_domain(t->comm, common.used, own.used, &t->shared, &vectors);
    if (status != DCNN_OK && dcnn_comm_domain_size(t->comm) > 1) {
        dcnn_warn("%s; until then each rank holds its own copy of the weights, which is slower", dcnn_error());
        dcnn_comm_separate(t->comm);
        status = dcnn_comm_share_domain(t->comm, common.used, own.used, &t->shared, &vectors);
    }
    DCNN_TRY(status);
    common = (dcnn_arena){.base = t->shared};
    own = (dcnn_arena){.base = vectors};
    void *packed = carve_common(t, &common, &params);
    carve_vectors(t, &own, depth);
    dcnn_plan_place_packed(t->plan, packed, dcnn_comm_domain_rank(t->comm), dcnn_comm_domain_size(t->comm));
    if (dcnn_comm_domain_rank(t->comm) == 0) {
        memcpy(params, t->state.net->params, bytes);
        if (from) memcpy(t->state.m, from->m, bytes);
        if (from) memcpy(t->state.v, from->v, bytes);
    }
    dcnn_net_place_params(t->state.net, params);
    t->update.gradient = t->gradient;
    t->update.m = t->state.m;
    t->update.v = t->state.v;
    t->update.params = params;
    dcnn_comm_domain_barrier(t->comm);
    return DCNN_OK;
}

static dcnn_status reserve_sums(dcnn_trainer *t) {
    const dcnn_net *net = t->state.net;
    size_t *counts = calloc((size_t)net->stage_count, sizeof *counts);
    DCNN_TRY(dcnn_comm_agree(t->comm, counts ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: buckets")));
    for (int stage = 0; stage < net->stage_count; stage++) counts[stage] = net->buckets[stage].count;
    dcnn_status status = dcnn_comm_reserve_gradient(t->comm, grains_of_batch(t), net->stage_count, counts);
    free(counts);
    DCNN_TRY(status);
    return dcnn_comm_reserve_sums(t->comm, t->sum_stride > DCNN_LOSS_SUMS ? t->sum_stride : DCNN_LOSS_SUMS);
}

/* Room for the steps of an epoch that are noted: a checkpoint, at its end at the latest, empties it. */
static dcnn_status make_notes(dcnn_trainer *t) {
    if (t->options->log_every == 0) return DCNN_OK;
    t->noted_room = (int)(dcnn_sampler_steps(&t->sampler) / t->options->log_every) + 1;
    t->noted = calloc((size_t)t->noted_room, sizeof *t->noted);
    return t->noted ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: metrics of %d steps", t->noted_room);
}

/* --- setting up and taking down --------------------------------------------------------------------------------- */

static dcnn_status set_up_local(dcnn_trainer *t, const dcnn_checkpoint *from) {
    const dcnn_train_options *o = t->options;
    const dcnn_split *train = dcnn_dataset_split(&t->dataset, "train");
    if (train == NULL || train->count == 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s has no split 'train'", t->dataset.path);
    t->sampler = (dcnn_sampler){o->seed,       train->rows, train->count,
                                o->batch_size, o->grain,    o->accumulate > 1 ? o->accumulate : 1};
    DCNN_TRY(take_state(t, from));
    const int cores = dcnn_comm_cores(t->comm), threads = o->threads > 0 ? o->threads : cores;
    if (threads > cores)
        dcnn_warn("--threads %d: but each rank has %d of the node's cores; give fewer threads or ranks", threads,
                  cores);
    DCNN_TRY(dcnn_team_create(threads, &t->team));
    if (o->trace) DCNN_TRY(dcnn_trace_create(o->trace, threads, &t->trace));
    DCNN_TRY(make_own_memory(t));
    DCNN_TRY(make_notes(t));
    return dcnn_evaluator_create(t->comm, t->team, t->kernels, t->state.net, &t->loader, o->grain, o->fuse,
                                 &t->evaluator);
}

/* A data set that is no file: all its pictures are for training. */
static dcnn_status describe_pictures(dcnn_dataset *d, const dcnn_images *pictures, int classes) {
    *d = (dcnn_dataset){.path = strdup("the pictures in memory"),
                        .count = pictures->count,
                        .h = pictures->h,
                        .w = pictures->w,
                        .c = pictures->c,
                        .class_count = classes,
                        .split_count = 1,
                        .splits = {{.name = "train", .count = pictures->count}}};
    d->splits[0].rows = calloc((size_t)pictures->count, sizeof(int64_t));
    if (d->path == NULL || d->splits[0].rows == NULL)
        return DCNN_FAIL(DCNN_FAILURE, "out of memory: rows of %lld pictures", (long long)pictures->count);
    for (int64_t row = 0; row < pictures->count; row++) d->splits[0].rows[row] = row;
    return DCNN_OK;
}

/* Mean and deviation of all bytes / 255, alike for every channel. */
static void measure_pictures(const dcnn_loader *loader, dcnn_dataset *d) {
    const size_t count = (size_t)loader->count * (size_t)loader->h * (size_t)loader->w * (size_t)loader->c;
    uint64_t sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        sum += loader->pixels[i];
        squares += (uint64_t)loader->pixels[i] * loader->pixels[i];
    }
    const double mean = (double)sum / (double)count, variance = (double)squares / (double)count - mean * mean;
    for (int c = 0; c < loader->c; c++) {
        d->mean[c] = mean / 255.0;
        d->std[c] = sqrt(fmax(variance, 0.0)) / 255.0;
    }
}

static dcnn_status open_data(dcnn_trainer *t, const dcnn_images *pictures, int classes) {
    if (pictures == NULL) {
        DCNN_TRY(dcnn_comm_agree(t->comm, dcnn_dataset_open(t->run->data, &t->dataset)));
        return dcnn_loader_open(t->comm, &t->dataset, &t->loader);
    }
    DCNN_TRY(dcnn_comm_agree(t->comm, describe_pictures(&t->dataset, pictures, classes)));
    DCNN_TRY(dcnn_loader_open_images(t->comm, dcnn_comm_rank(t->comm) == 0 ? pictures : NULL, &t->loader));
    measure_pictures(&t->loader, &t->dataset);
    dcnn_loader_normalise(&t->loader, t->dataset.mean, t->dataset.std);
    return DCNN_OK;
}

dcnn_status dcnn_trainer_open(dcnn_comm *comm, const dcnn_run *run, const dcnn_checkpoint *from,
                              const dcnn_train_options *options, const dcnn_images *pictures, int classes,
                              dcnn_trainer **trainer) {
    dcnn_trainer *t = *trainer = calloc(1, sizeof *t);
    DCNN_TRY(dcnn_comm_agree(comm, t ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: a trainer")));
    t->comm = comm;
    t->kernels = dcnn_kernels_of(dcnn_comm_isa(comm));
    t->options = options;
    t->run = run;
    if (options->plain_sums) dcnn_comm_separate(comm);
    DCNN_TRY(open_data(t, pictures, classes));
    DCNN_TRY(dcnn_comm_agree(comm, set_up_local(t, from)));
    DCNN_TRY(share_state(t, from));
    DCNN_TRY(reserve_sums(t));
    return dcnn_trainer_remember(t);
}

void dcnn_trainer_close(dcnn_trainer *t) {
    if (t == NULL) return;
    dcnn_evaluator_free(t->evaluator);
    dcnn_plan_free(t->plan);
    dcnn_update_free(&t->update);
    for (int worker = 0; t->workers && worker < dcnn_team_size(t->team); worker++) free(t->workers[worker].vectors);
    free(t->workers);
    free(t->times);
    dcnn_trace_free(t->trace);
    free(t->noted);
    dcnn_team_free(t->team);
    dcnn_block_free(t->block);
    dcnn_net_free(t->state.net);
    dcnn_comm_unshare(t->comm, t->shared);
    free(t->state.history);
    json_decref(t->state.options);
    dcnn_loader_close(t->comm, &t->loader);
    dcnn_dataset_free(&t->dataset);
    free(t);
}
