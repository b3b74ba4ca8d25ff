/* trainer.c — a training run: setting up, epochs, validation, saving, and the test of the best model. */
#include "run/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "run/elastic.h"
#include "run/run_folder.h"
#include "run/run_lock.h"
#include "run/signals.h"
#include "run/watchdog.h"

/* --- the model -------------------------------------------------------------------------------------------------------
 */

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
    if (t->state.net->class_count != t->dataset.class_count)
        return DCNN_FAIL(DCNN_BAD_INPUT, "the model's last layer '%s' has %d units, but %s has %d classes",
                         t->state.net->nodes[t->state.net->node_count - 1].name, t->state.net->class_count,
                         t->dataset.path, t->dataset.class_count);
    return DCNN_OK;
}

/* --- the state: fresh, or a checkpoint's
 * ------------------------------------------------------------------------------ */

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

/* --- memory ----------------------------------------------------------------------------------------------------------
 */

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

/* --- setting up and taking down --------------------------------------------------------------------------------------
 */

static dcnn_status set_up_local(dcnn_trainer *t, const dcnn_checkpoint *from) {
    const dcnn_train_options *o = t->options;
    const dcnn_split *train = dcnn_dataset_split(&t->dataset, "train");
    if (train == NULL || train->count == 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s has no split 'train'", t->dataset.path);
    t->sampler = (dcnn_sampler){o->seed,       train->rows, train->count,
                                o->batch_size, o->grain,    o->accumulate > 1 ? o->accumulate : 1};
    t->augment = (dcnn_augment){o->rotation_range, o->zoom_range, o->width_shift_range, o->height_shift_range};
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

/* --- saving ----------------------------------------------------------------------------------------------------------
 */

static dcnn_status write_record(const dcnn_trainer *t) {
    char host[256] = "?";
    gethostname(host, sizeof host - 1);
    json_t *record = json_pack("{s:s, s:s, s:i, s:i, s:i, s:s, s:s, s:s, s:s, s:s, s:O}", "dcnn", DCNN_VERSION, "host",
                               host, "ranks", dcnn_comm_size(t->comm), "nodes", dcnn_comm_node_count(t->comm),
                               "threads", dcnn_team_size(t->team), "kernels", t->kernels->isa, "mpi",
                               dcnn_comm_version(), "openblas", dcnn_blas_version(), "openblas_core", dcnn_blas_core(),
                               "data", t->dataset.path, "options", t->options->record);
    json_object_set_new(record, "step_samples", json_integer(t->sampler.batch * t->sampler.accumulate));
    json_object_set_new(record, "peak_learning_rate", json_real(t->options->optimizer.learning_rate));
    char *text = json_dumps(record, JSON_INDENT(2)), *path = dcnn_path_join(t->run->folder, "run.json");
    json_decref(record);
    dcnn_status status = text && path ? dcnn_file_write(path, text, strlen(text), false)
                                      : DCNN_FAIL(DCNN_FAILURE, "out of memory: run.json");
    free(text);
    free(path);
    return status;
}

/* A step may end with a finite loss and weights that are not: they must not replace the last good checkpoint. */
static dcnn_status check_finite(const dcnn_trainer *t) {
    const dcnn_net *net = t->state.net;
    bool finite = true;
    for (size_t i = 0; i < net->param_count; i++)
        finite = finite && isfinite(net->params[i]) && isfinite(t->state.v[i]);
    for (size_t i = 0; i < net->state_count; i++) finite = finite && isfinite(net->state[i]);
    if (finite) return DCNN_OK;
    return DCNN_FAIL(
        DCNN_DIVERGED,
        "the weights became infinite or not a number by step %lld: the last good checkpoint is kept; try a "
        "smaller --learning-rate",
        (long long)t->state.progress.step);
}

/* A process that stood still for so long that another one took its run over must not write there any more. */
static dcnn_status check_lock(const dcnn_trainer *t) {
    if (t->run->lock == NULL || !dcnn_run_lock_lost(t->run->lock)) return DCNN_OK;
    return DCNN_FAIL(DCNN_FAILURE, "%s: another training has taken this run over: this one ends, nothing is written",
                     t->run->folder);
}

/* Rank 0 writes for all: the state is the same everywhere. */
static dcnn_status save(dcnn_trainer *t, const char *best) {
    DCNN_TRY(check_finite(t));
    dcnn_status status = dcnn_history_append_steps(&t->state.history, t->noted_count, t->noted);
    t->noted_count = 0;
    t->state.progress.elapsed_s = dcnn_now_s() - t->started_s;
    if (dcnn_comm_rank(t->comm) == 0 && status == DCNN_OK) {
        char *path = dcnn_checkpoint_path(t->run->folder, t->state.progress.step);
        dcnn_watchdog_work(true);
        status = check_lock(t);
        if (status == DCNN_OK)
            status = path ? dcnn_checkpoint_write(path, &t->state, &t->options->optimizer)
                          : DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
        free(path);
        if (status == DCNN_OK && best) status = dcnn_checkpoint_write(best, &t->state, &t->options->optimizer);
        if (status == DCNN_OK) status = dcnn_history_write(t->run->folder, t->state.history);
        if (status == DCNN_OK) dcnn_checkpoint_prune(t->run->folder, t->options->keep);
        if (status == DCNN_OK && t->options->on_save) t->options->on_save(t->options->context);
        dcnn_watchdog_work(false);
    }
    return dcnn_comm_agree(t->comm, status);
}

/* Replicas that drift apart would do so unseen: compare with rank 0 once an epoch. */
static dcnn_status check_replicas(dcnn_trainer *t) {
    const uint64_t mine = dcnn_weights_hash(t->state.net);
    uint64_t first = mine;
    dcnn_comm_broadcast(t->comm, &first, sizeof first);
    dcnn_status status = DCNN_OK;
    if (first != mine)
        status = DCNN_FAIL(
            DCNN_FAILURE, "the weights of rank %d differ from those of rank 0 at step %lld: a machine computes wrongly",
            dcnn_comm_rank(t->comm), (long long)t->state.progress.step);
    return dcnn_comm_agree(t->comm, status);
}

/* --- epochs ----------------------------------------------------------------------------------------------------------
 */

static bool is_better(const dcnn_progress *best, int64_t correct, double loss) {
    return correct > best->best_correct || (correct == best->best_correct && loss < best->best_loss);
}

static void begin_epoch(dcnn_trainer *t) {
    t->began.now_s = dcnn_now_s();
    t->began.train_s = t->train_s;
    t->began.trained = t->trained;
}

/* Of the epoch's steps, those of this start. */
static double epoch_speed(const dcnn_trainer *t) {
    const double seconds = t->train_s - t->began.train_s;
    return seconds > 0 ? (double)(t->trained - t->began.trained) / seconds : 0.0;
}

/* After the last step of an epoch: validation, metrics, the best so far, a checkpoint, a line. */
static dcnn_status end_epoch(dcnn_trainer *t) {
    dcnn_progress *p = &t->state.progress;
    const dcnn_split *split = dcnn_dataset_split(&t->dataset, "validation");
    dcnn_evaluation validation = {0};
    if (t->options->histograms)
        DCNN_TRY(dcnn_history_append_histograms(&t->state.history, p->epoch + 1, t->state.net, t->gradient,
                                                1.0 / (double)t->step_samples));
    const double trained_s = dcnn_now_s();
    if (split) DCNN_TRY(dcnn_evaluator_run(t->evaluator, split->rows, split->count, false, &validation));
    const double validation_s = dcnn_now_s() - trained_s;
    DCNN_TRY(check_replicas(t));
    dcnn_epoch_metrics metrics = {.epoch = p->epoch + 1,
                                  .steps = p->step,
                                  .loss = p->loss_sum / (double)t->sampler.count,
                                  .correct = p->correct,
                                  .count = t->sampler.count,
                                  .validation_loss = validation.loss,
                                  .validation_correct = validation.correct,
                                  .validation_count = validation.count,
                                  .seconds = dcnn_now_s() - t->began.now_s,
                                  .validation_s = validation_s,
                                  .images_per_s = epoch_speed(t)};
    dcnn_trainer_phases(t, metrics.phases_s);
    dcnn_trainer_forget_times(t);
    dcnn_evaluation_free(&validation);
    DCNN_TRY(dcnn_history_append(&t->state.history, &metrics));
    const bool better = split == NULL || is_better(p, metrics.validation_correct, metrics.validation_loss);
    if (better) {
        p->best_correct = metrics.validation_correct;
        p->best_loss = metrics.validation_loss;
        p->best_epoch = metrics.epoch;
    }
    p->epoch++;
    p->cursor = 0;
    p->loss_sum = 0.0;
    p->correct = 0;
    char *best = better ? dcnn_path_join(t->run->folder, "best.h5") : NULL;
    dcnn_status status = save(t, best);
    free(best);
    char *line = dcnn_epoch_line(&metrics, t->options->epochs);
    if (line && t->options->on_epoch) t->options->on_epoch(t->options->context, line);
    free(line);
    return status == DCNN_OK ? dcnn_trainer_remember(t) : status;
}

static dcnn_status stop_here(dcnn_trainer *t) {
    DCNN_TRY(save(t, NULL));
    return DCNN_FAIL(DCNN_STOPPED, "stopped by %s after step %lld, saved: go on with --resume --run %s",
                     t->stop_signal ? dcnn_signal_name(t->stop_signal) : "--stop-after",
                     (long long)t->state.progress.step, t->run->folder);
}

/* Keeps the metrics of the step just done, if it is one of those to be logged. */
static void note_step(dcnn_trainer *t, double loss_before, int64_t correct_before) {
    const dcnn_progress *p = &t->state.progress;
    if (t->options->log_every == 0 || p->step % t->options->log_every != 0) return;
    t->noted[t->noted_count++] = (dcnn_step_metrics){
        .epoch = p->epoch + 1,
        .step = p->step,
        .loss = (p->loss_sum - loss_before) / (double)t->step_samples,
        .accuracy = (double)(p->correct - correct_before) / (double)t->step_samples,
        .learning_rate = t->update.rate,
        .wall_time = dcnn_wall_time(),
    };
}

static void tell_step(const dcnn_trainer *t) {
    const dcnn_progress *p = &t->state.progress;
    const int64_t batch = t->sampler.batch * t->sampler.accumulate, count = t->sampler.count;
    if (t->options->on_step == NULL || dcnn_comm_rank(t->comm) != 0) return;
    const double images_per_s = epoch_speed(t);
    const dcnn_train_step_report report = {
        .epoch = p->epoch + 1,
        .epochs = t->options->epochs,
        .step = (p->cursor + batch - 1) / batch,
        .steps = dcnn_sampler_steps(&t->sampler),
        .images_per_s = images_per_s,
        .loss = p->loss_sum / (double)p->cursor,
        .accuracy = (double)p->correct / (double)p->cursor,
        .left_s = images_per_s > 0 ? (double)(count - p->cursor) / images_per_s : -1.0,
    };
    t->options->on_step(t->options->context, &report);
}

static dcnn_status run_epoch(dcnn_trainer *t) {
    dcnn_progress *p = &t->state.progress;
    begin_epoch(t);
    while (p->cursor < t->sampler.count) {
        bool stop = false;
        const double loss_before = p->loss_sum;
        const int64_t correct_before = p->correct;
        DCNN_TRY(dcnn_train_step(t, &stop));
        note_step(t, loss_before, correct_before);
        DCNN_TRY(dcnn_trainer_remember(t));
        dcnn_watchdog_step(p->step);
        tell_step(t);
        stop = stop || (t->options->stop_after > 0 && t->steps >= t->options->stop_after);
        const bool last = p->cursor >= t->sampler.count;
        if (stop && !last) return stop_here(t);
        if (stop) {
            DCNN_TRY(end_epoch(t));
            return p->epoch < t->options->epochs ? stop_here(t) : DCNN_OK;
        }
        if (!last && t->options->checkpoint_every > 0 && p->step % t->options->checkpoint_every == 0)
            DCNN_TRY(save(t, NULL));
    }
    return end_epoch(t);
}

/* --- the end ---------------------------------------------------------------------------------------------------------
 */

static dcnn_status test_split(dcnn_trainer *t, const char *name, int64_t *correct, int64_t *count) {
    const dcnn_split *split = dcnn_dataset_split(&t->dataset, name);
    if (split == NULL) return DCNN_OK;
    dcnn_evaluation evaluation;
    DCNN_TRY(dcnn_evaluator_run(t->evaluator, split->rows, split->count, false, &evaluation));
    *correct = evaluation.correct;
    *count = evaluation.count;
    dcnn_evaluation_free(&evaluation);
    return DCNN_OK;
}

/* Puts the best epoch's weights in the net and counts its hits on what it has never seen. */
static dcnn_status test_best(dcnn_trainer *t, dcnn_train_result *result) {
    char *path = dcnn_path_join(t->run->folder, "best.h5");
    dcnn_checkpoint best = {0};
    dcnn_status status = path ? dcnn_checkpoint_read(path, &best) : DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    free(path);
    status = dcnn_comm_agree(t->comm, status);
    if (status == DCNN_OK) {
        if (dcnn_comm_domain_rank(t->comm) == 0)
            memcpy(t->state.net->params, best.net->params, best.net->param_count * sizeof(float));
        dcnn_comm_domain_barrier(t->comm);
        memcpy(t->state.net->state, best.net->state, best.net->state_count * sizeof(float));
        status = test_split(t, "test", &result->test_correct, &result->test_count);
    }
    if (status == DCNN_OK) status = test_split(t, "official-test", &result->official_correct, &result->official_count);
    dcnn_checkpoint_free(&best);
    return status;
}

/* 507274 -> "507,274", for people. */
static const char *grouped(int64_t value, char text[32]) {
    char digits[24];
    const int length = snprintf(digits, sizeof digits, "%lld", (long long)value);
    size_t used = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) text[used++] = ',';
        text[used++] = digits[i];
    }
    text[used] = '\0';
    return text;
}

static void tell_model(const dcnn_net *net) {
    int64_t trainable = 0;
    char weights[32], work[32];
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++)
            if (net->nodes[i].params[j].trainable) trainable += (int64_t)net->nodes[i].params[j].count;
    dcnn_info("model %s: %s trainable parameters in %d layers, %s multiply-adds an image", net->name,
              grouped(trainable, weights), net->node_count - 1, grouped(dcnn_net_multiply_adds(net, -1), work));
}

dcnn_status dcnn_train(dcnn_comm *comm, const dcnn_run *run, const dcnn_checkpoint *from,
                       const dcnn_train_options *options, dcnn_train_result *result) {
    dcnn_trainer *t;
    *result = (dcnn_train_result){0};
    dcnn_status status;
    dcnn_watchdog_work(true);
    DCNN_TRY_DONE(dcnn_trainer_open(comm, run, from, options, NULL, 0, &t));
    dcnn_watchdog_step(t->state.progress.step);
    dcnn_watchdog_work(false);
    DCNN_TRY_DONE(dcnn_comm_agree(comm, dcnn_comm_rank(comm) == 0 ? write_record(t) : DCNN_OK));
    tell_model(t->state.net);
    t->started_s = dcnn_now_s() - t->state.progress.elapsed_s;
    dcnn_signals_catch();
    const int64_t left_s = dcnn_signals_watch_deadline(options->end_margin_s);
    if (left_s >= 0) dcnn_info("time  stopping in %lld s, before the job's time is over", (long long)left_s);
    while (t->state.progress.epoch < options->epochs) {
        status = run_epoch(t);
        while (status != DCNN_OK && dcnn_comm_is_broken(comm)) status = dcnn_trainer_go_on(&t);
        DCNN_TRY_DONE(status);
    }
    DCNN_TRY_DONE(dcnn_trace_step(t->trace, comm, INT64_MAX)); /* if there were few */
    result->epochs = t->state.progress.epoch;
    result->steps = t->state.progress.step;
    result->best_epoch = t->state.progress.best_epoch;
    result->images_per_s = t->train_s > 0 ? (double)t->trained / t->train_s : 0.0;
    result->elapsed_s = dcnn_now_s() - t->started_s;
    result->weights_hash = dcnn_weights_hash(t->state.net);
    status = test_best(t, result);
done:
    dcnn_trainer_close(t);
    return status;
}
