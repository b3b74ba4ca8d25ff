/* SPDX-License-Identifier: BSD-3-Clause */
/* features.c — see features.h. */
#include "run/data/features.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/outputs.h"
#include "guard/free_memory.h"
#include "guard/watchdog.h"
#include "run/data/feeds.h"
#include "run/data/mix.h"

/* They may take at most this part of what memory is left: the weights come after them. */
enum { MEMORY_PART = 2 };

/* Images that are computed: each once, and the changed ones. */
static int64_t images_of(const dcnn_features_wish *w, int variants) {
    const dcnn_dataset *d = w->dataset;
    const dcnn_split *train = dcnn_dataset_split(d, "train");
    int64_t count = 0;
    for (int i = 0; i < d->split_count; i++) count += d->splits[i].count;
    return (count < d->count ? count : d->count) + variants * (train ? train->count : 0);
}

/* Is there room on every node? *Collective.* */
static bool has_room(const dcnn_features_wish *w, uint64_t bytes) {
    const bool shares = dcnn_comm_node_size(w->comm) > 1;
    int64_t against = bytes > dcnn_free_memory_of_process("").bytes / MEMORY_PART ||
                      (shares && bytes > dcnn_free_shared_memory().bytes / MEMORY_PART);
    dcnn_comm_add_integers(w->comm, &against, 1);
    return against == 0;
}

/* Features of rows as they are, or changed as in epoch `variant`. */
typedef struct pass {
    dcnn_outputs outputs;
    dcnn_rows_feed feed;
    float *values;
} pass;

static dcnn_status run_pass(const pass *p) {
    return dcnn_outputs_run(&p->outputs, p->feed.count, dcnn_feed_of_rows(&p->feed), p->values);
}

/* Memory for images in the making, of each thread. */
static dcnn_status make_scratch(const dcnn_features_wish *w, const dcnn_loader *images, int threads, pass *p) {
    const size_t bytes = w->changes ? dcnn_augment_scratch(w->changes, images->h, images->w, images->c) : 0;
    void *scratch;
    p->feed.scratch_bytes = (bytes + 63) / 64 * 64;
    DCNN_TRY(dcnn_block_create((size_t)threads * p->feed.scratch_bytes + 64, "images to change", &scratch));
    p->feed.scratch = scratch;
    return DCNN_OK;
}

static dcnn_status compute(const dcnn_features_wish *w, const dcnn_loader *images, int node, dcnn_features *f) {
    const dcnn_kernels *kernels = dcnn_kernels_of(dcnn_comm_isa(w->comm));
    const int threads = w->threads > 0 ? w->threads : dcnn_comm_cores(w->comm);
    const size_t values = dcnn_shape_count(w->net->nodes[node].shape);
    dcnn_thread_pool *pool = NULL;
    pass p = {.feed = {.loader = images, .kernels = kernels, .rows = f->rows, .count = f->count, .seed = w->seed},
              .values = f->values};
    dcnn_status status = dcnn_thread_pool_create(threads, &pool);
    if (status == DCNN_OK) status = make_scratch(w, images, threads, &p);
    DCNN_TRY_DONE(dcnn_comm_agree(w->comm, status));
    p.outputs = (dcnn_outputs){.comm = w->comm,
                               .pool = pool,
                               .kernels = kernels,
                               .net = w->net,
                               .node = node,
                               .grain = w->grain,
                               .fuse = w->fuse,
                               .on_grain = dcnn_watchdog_progress};
    DCNN_TRY_DONE(run_pass(&p));
    p.values += (size_t)f->count * values;
    for (int variant = 0; variant < f->loader.variants; variant++, p.values += (size_t)f->train_count * values) {
        p.feed.rows = f->train;
        p.feed.count = f->train_count;
        p.feed.augment = w->changes;
        p.feed.view = (uint32_t)variant;
        DCNN_TRY_DONE(run_pass(&p));
    }
    dcnn_loader_features_done(w->comm, f);
done:
    dcnn_block_free(p.feed.scratch);
    dcnn_thread_pool_free(pool);
    return status;
}

/* What is kept, in a line. */
static void tell(const dcnn_features_wish *w, const dcnn_node *end, int variants, uint64_t bytes) {
    char text[32];
    if (variants == 0)
        dcnn_info("keep  the layers up to '%s' are frozen: computed once for each of %" PRId64
                  " images and kept, %s a node",
                  end->name, images_of(w, 0), dcnn_bytes_text(bytes, text));
    else
        dcnn_info("keep  the layers up to '%s' are frozen: computed once for each of %" PRId64
                  " images and for %d augmented variants of each training image, which epochs take in turn, and kept, "
                  "%s a node",
                  end->name, images_of(w, 0), variants, dcnn_bytes_text(bytes, text));
}

dcnn_status dcnn_features_take(const dcnn_features_wish *w, dcnn_loader *loader, int *first) {
    const int node = dcnn_net_frozen_end(w->net);
    char text[32];
    *first = 0;
    if (node == 0 || !w->wanted) return DCNN_OK;
    const dcnn_node *end = &w->net->nodes[node];
    if (w->changes && dcnn_mix_is_active(w->changes)) {
        dcnn_info(
            "keep  the layers up to '%s' are frozen, but --mixup and --cutmix mix images anew in every epoch: they "
            "are computed in every step",
            end->name);
        return DCNN_OK;
    }
    const int variants = w->changes ? w->variants : 0;
    if (w->changes && variants == 0) {
        dcnn_info("keep  the layers up to '%s' are frozen, but augmentation changes the images: with --no-augment they "
                  "would be computed once, with --feature-variants N once for each of N changed images, not in every "
                  "epoch",
                  end->name);
        return DCNN_OK;
    }
    if (dcnn_comm_is_elastic(w->comm)) return DCNN_OK; /* its ranks share no memory that one may take along */
    const uint64_t bytes = (uint64_t)images_of(w, variants) * dcnn_shape_count(end->shape) * sizeof(float);
    if (!has_room(w, bytes)) {
        dcnn_info(
            "keep  the layers up to '%s' are frozen, but memory has no room for what they make of all images (%s): "
            "they are computed in every epoch",
            end->name, dcnn_bytes_text(bytes, text));
        return DCNN_OK;
    }
    tell(w, end, variants, bytes);
    dcnn_features f;
    dcnn_status status = dcnn_loader_hold_features(w->comm, w->dataset, loader, end->shape, variants, &f);
    if (status == DCNN_OK) status = compute(w, loader, node, &f);
    dcnn_loader_close(w->comm, status == DCNN_OK ? loader : &f.loader);
    if (status == DCNN_OK) {
        *loader = f.loader;
        *first = node;
    }
    free(f.rows);
    free(f.train);
    return status;
}
