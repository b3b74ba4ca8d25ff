/* SPDX-License-Identifier: BSD-3-Clause */
/* features.c — see features.h. */
#include "run/data/features.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "engine/outputs.h"
#include "guard/free_memory.h"
#include "guard/watchdog.h"
#include "run/data/feeds.h"

/* They may take at most this part of what memory is left: the weights come after them. */
enum { MEMORY_PART = 2 };

static int64_t images_of(const dcnn_dataset *d) {
    int64_t count = 0;
    for (int i = 0; i < d->split_count; i++) count += d->splits[i].count;
    return count < d->count ? count : d->count;
}

/* Is there room on every node? *Collective.* */
static bool has_room(const dcnn_features_wish *w, uint64_t bytes) {
    const bool shares = dcnn_comm_node_size(w->comm) > 1;
    int64_t against = bytes > dcnn_free_memory_of_process("").bytes / MEMORY_PART ||
                      (shares && bytes > dcnn_free_shared_memory().bytes / MEMORY_PART);
    dcnn_comm_add_integers(w->comm, &against, 1);
    return against == 0;
}

static dcnn_status compute(const dcnn_features_wish *w, const dcnn_loader *images, int node, dcnn_features *f) {
    const dcnn_kernels *kernels = dcnn_kernels_of(dcnn_isa_best());
    dcnn_thread_pool *pool = NULL;
    dcnn_status status = dcnn_thread_pool_create(w->threads > 0 ? w->threads : dcnn_comm_cores(w->comm), &pool);
    DCNN_TRY_DONE(dcnn_comm_agree(w->comm, status));
    const dcnn_rows_feed feed = {.loader = images, .kernels = kernels, .rows = f->rows, .count = f->count};
    const dcnn_outputs outputs = {.comm = w->comm,
                                  .pool = pool,
                                  .kernels = kernels,
                                  .net = w->net,
                                  .node = node,
                                  .grain = w->grain,
                                  .fuse = w->fuse,
                                  .on_grain = dcnn_watchdog_progress};
    DCNN_TRY_DONE(dcnn_outputs_run(&outputs, f->count, dcnn_feed_of_rows(&feed), f->values));
    dcnn_loader_features_done(w->comm, f);
done:
    dcnn_thread_pool_free(pool);
    return status;
}

dcnn_status dcnn_features_take(const dcnn_features_wish *w, dcnn_loader *loader, int *first) {
    const int node = dcnn_net_frozen_end(w->net);
    char text[32];
    *first = 0;
    if (node == 0 || !w->wanted) return DCNN_OK;
    const dcnn_node *end = &w->net->nodes[node];
    if (w->changing) {
        dcnn_info("keep  the layers up to '%s' are frozen, but augmentation changes the images: with --no-augment they "
                  "would be computed once, not in every epoch",
                  end->name);
        return DCNN_OK;
    }
    if (dcnn_comm_is_elastic(w->comm)) return DCNN_OK; /* its ranks share no memory that one may take along */
    const uint64_t bytes = (uint64_t)images_of(w->dataset) * dcnn_shape_count(end->shape) * sizeof(float);
    if (!has_room(w, bytes)) {
        dcnn_info(
            "keep  the layers up to '%s' are frozen, but memory has no room for what they make of all images (%s): "
            "they are computed in every epoch",
            end->name, dcnn_bytes_text(bytes, text));
        return DCNN_OK;
    }
    dcnn_info("keep  the layers up to '%s' are frozen: computed once for each of %" PRId64
              " images and kept, %s a node",
              end->name, images_of(w->dataset), dcnn_bytes_text(bytes, text));
    dcnn_features f;
    dcnn_status status = dcnn_loader_hold_features(w->comm, w->dataset, loader, end->shape, &f);
    if (status == DCNN_OK) status = compute(w, loader, node, &f);
    dcnn_loader_close(w->comm, status == DCNN_OK ? loader : &f.loader);
    if (status == DCNN_OK) {
        *loader = f.loader;
        *first = node;
    }
    free(f.rows);
    return status;
}
