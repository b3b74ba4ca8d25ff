/* SPDX-License-Identifier: BSD-3-Clause */
/* memory.c — see memory.h. */
#include "run/memory.h"

#include <stdio.h>
#include <unistd.h>

#include "base/text.h"

/* Address space that a thread reserves besides what is measured: OpenBLAS's buffer (128 MiB in builds for 64-bit x86,
 * of which it touches a few; where that is refused OpenBLAS asks again for ever), and a stack. */
static const uint64_t BLAS_BYTES = (uint64_t)129 << 20, STACK_BYTES = (uint64_t)8 << 20;

/* Of the weights' bytes, what writing a checkpoint takes on top: weights and moments as a file in memory, and its
 * copy. */
enum { CHECKPOINT_COPIES = 6 };

dcnn_need dcnn_need_of(const dcnn_comm *comm, const dcnn_engine_bytes *engine, size_t param_bytes) {
    const uint64_t ranks = (uint64_t)dcnn_comm_node_size(comm), domain = (uint64_t)dcnn_comm_domain_size(comm);
    const uint64_t domains = (ranks + domain - 1) / domain;
    const uint64_t checkpoint = CHECKPOINT_COPIES * (uint64_t)param_bytes; /* rank 0's node has it */
    dcnn_need need = {.images = ranks * engine->own,
                      .weights = ranks * engine->vectors + domains * engine->common + checkpoint};
    need.node = need.images + need.weights;
    need.process = engine->own + domain * engine->vectors + engine->common + checkpoint +
                   (uint64_t)engine->threads * (BLAS_BYTES + STACK_BYTES);
    return need;
}

static dcnn_status fail(const dcnn_need *need, uint64_t bytes, const char *whose, dcnn_free_memory there,
                        const char *advice) {
    char all[32], images[32], weights[32], left[32], host[256] = "this node";
    gethostname(host, sizeof host - 1);
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "training needs %s more memory on %s%s (activations %s, weights and gradients %s), but %s leaves "
                     "%s: %s",
                     dcnn_bytes_text(bytes, all), host, whose, dcnn_bytes_text(need->images, images),
                     dcnn_bytes_text(need->weights, weights), there.bound_by, dcnn_bytes_text(there.bytes, left),
                     advice);
}

dcnn_status dcnn_need_check(const dcnn_need *need, dcnn_free_memory node, dcnn_free_memory process) {
    if (need->node > node.bytes)
        return fail(
            need, need->node, "", node,
            "use --recompute, a smaller --batch-size, fewer --threads or ranks a node, or ask for more (Slurm: --mem)");
    if (need->process > process.bytes)
        return fail(need, need->process, ", of address space a rank", process,
                    "raise it (ulimit -v unlimited), or use --recompute, a smaller --batch-size or fewer --threads");
    return DCNN_OK;
}
