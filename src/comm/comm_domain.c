/* SPDX-License-Identifier: BSD-3-Clause */
/* comm_domain.c — memory that ranks share: blocks of a node, and domains with their barrier. */
#include <mpi.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/text.h"
#include "comm/comm_private.h"

/* Turns of a barrier before it sleeps: some milliseconds, as long as grains differ. A rank of an oversubscribed node's
 * turns are the others' time: on 2 cores 8 ranks reach 7,130 images/s with 100 turns, 6,815 with none and 6,847 with
 * 1,000 (2 ranks: 7,835). */
enum { SPINS = 20000, FEW_SPINS = 100 };

enum { PAGE = 4096 };

/* --- windows ---------------------------------------------------------------------------------------------------- */

static dcnn_window *find_window(dcnn_comm *comm, const void *base) {
    for (int i = 0; i < DCNN_MAX_WINDOWS; i++)
        if (comm->windows[i].base == base) return &comm->windows[i];
    return NULL;
}

/* Is there room for so many bytes more? MPI would fail on one rank alone, and leave the others waiting. */
static dcnn_status check_room(int64_t bytes) {
    struct statvfs memory;
    if (statvfs("/dev/shm", &memory) != 0) return DCNN_OK; /* MPI may know another place */
    const double room = (double)memory.f_bavail * (double)memory.f_frsize;
    const double need = 1.1 * (double)bytes;
    char left[32], wanted[32];
    if (need < room) return DCNN_OK;
    return DCNN_FAIL(DCNN_FAILURE,
                     "/dev/shm has %s left, but the ranks of a node need %s to share: make it larger (of a container: "
                     "--shm-size), or remove what fills it",
                     dcnn_bytes_text((uint64_t)room, left), dcnn_bytes_text((uint64_t)need, wanted));
}

/* Shares `bytes` of this rank with all of `among`; every rank must succeed. */
static dcnn_status open_window(dcnn_comm *comm, MPI_Comm among, size_t bytes, MPI_Win *handle) {
    int64_t all = (int64_t)bytes;
    MPI_Allreduce(MPI_IN_PLACE, &all, 1, MPI_INT64_T, MPI_SUM, among);
    DCNN_TRY(dcnn_comm_agree(comm, check_room(all)));
    void *own;
    MPI_Comm_set_errhandler(among, MPI_ERRORS_RETURN);
    const int code = MPI_Win_allocate_shared((MPI_Aint)bytes, 1, MPI_INFO_NULL, among, &own, handle);
    MPI_Comm_set_errhandler(among, MPI_ERRORS_ARE_FATAL);
    return dcnn_comm_agree(comm, code == MPI_SUCCESS
                                     ? DCNN_OK
                                     : DCNN_FAIL(DCNN_FAILURE, "MPI cannot share %.1f MiB between the ranks of a node",
                                                 (double)all / 1048576.0));
}

static void *segment_of(MPI_Win handle, int rank) {
    void *base;
    MPI_Aint size;
    int unit;
    MPI_Win_shared_query(handle, rank, &size, &unit, &base);
    return base;
}

/* A block of this rank alone, which it keeps if every rank has got what it needs. */
static dcnn_status keep_own(dcnn_comm *comm, dcnn_window *window, dcnn_status made) {
    const dcnn_status status = dcnn_comm_agree(comm, made);
    window->handle = MPI_WIN_NULL;
    if (status == DCNN_OK) return DCNN_OK;
    if (made == DCNN_OK) dcnn_block_free(window->base);
    window->base = NULL;
    return status;
}

dcnn_status dcnn_comm_share_nothing(dcnn_comm *comm, size_t bytes, void **block, bool *writer) {
    dcnn_window *window = find_window(comm, NULL);
    DCNN_COMM_MEET(comm, 0);
    *writer = true;
    if (window == NULL) return DCNN_FAIL(DCNN_FAILURE, "too many shared blocks");
    DCNN_TRY(keep_own(comm, window, dcnn_block_create(bytes, "a rank's data", &window->base)));
    *block = window->base;
    return DCNN_OK;
}

dcnn_status dcnn_comm_share(dcnn_comm *comm, size_t bytes, void **block, bool *writer) {
    dcnn_window *window = find_window(comm, NULL);
    DCNN_COMM_MEET(comm, 0);
    *writer = comm->node_rank == 0;
    if (window == NULL) return DCNN_FAIL(DCNN_FAILURE, "too many shared blocks");
    const bool alone = comm->node_count == comm->size;
    if (alone || comm->elastic || comm->world == MPI_COMM_NULL)
        return dcnn_comm_share_nothing(comm, bytes, block, writer); /* of what a dead rank made */
    DCNN_TRY(open_window(comm, comm->node, *writer ? bytes : 0, &window->handle));
    *block = window->base = segment_of(window->handle, 0);
    MPI_Win_fence(0, window->handle);
    return DCNN_OK;
}

void dcnn_comm_share_done(dcnn_comm *comm, void *block) {
    const dcnn_window *window = find_window(comm, block);
    DCNN_COMM_MEET(comm, 0);
    if (window->handle != MPI_WIN_NULL) MPI_Win_fence(0, window->handle);
}

/* Where a node has one copy, only its first rank takes part. */
void dcnn_comm_share_bytes(dcnn_comm *comm, const void *block, void *bytes, size_t length) {
    if (comm->world == MPI_COMM_NULL) return;
    DCNN_COMM_MEET(comm, length);
    const bool takes_part = comm->node_rank == 0 || find_window(comm, block)->handle == MPI_WIN_NULL;
    MPI_Comm leaders;
    MPI_Comm_split(comm->world, takes_part ? 0 : MPI_UNDEFINED, comm->rank, &leaders);
    if (leaders == MPI_COMM_NULL) return;
    const size_t most = (size_t)1 << 30;
    for (size_t at = 0; at < length; at += most)
        MPI_Bcast((char *)bytes + at, (int)(length - at < most ? length - at : most), MPI_BYTE, 0, leaders);
    MPI_Comm_free(&leaders);
}

void dcnn_comm_unshare(dcnn_comm *comm, void *block) {
    dcnn_window *window = block ? find_window(comm, block) : NULL;
    if (window == NULL) return;
    DCNN_COMM_MEET(comm, 0);
    if (window->handle == MPI_WIN_NULL)
        dcnn_block_free(window->base);
    else
        MPI_Win_free(&window->handle);
    window->base = NULL;
}

/* --- domains ---------------------------------------------------------------------------------------------------- */

/* Ranks of a domain at most: those of a node, or DCNN_DOMAIN_RANKS. */
static int choose_domain_size(const dcnn_comm *comm) {
    const char *text = getenv("DCNN_DOMAIN_RANKS");
    int most = text ? atoi(text) : comm->size;
    if (comm->world != MPI_COMM_NULL) MPI_Bcast(&most, 1, MPI_INT, 0, comm->world);
    return most < 1 ? 1 : most;
}

/* The first rank of this one's domain: a node's ranks, which follow one another, in as few domains as may be, alike. */
static int first_of_domain(const dcnn_comm *comm, int most) {
    const int64_t node = comm->node_size, domains = (node + most - 1) / most;
    int64_t domain = 0;
    while (node * (domain + 1) / domains <= comm->node_rank) domain++;
    return comm->rank - comm->node_rank + (int)(node * domain / domains);
}

/* Where all domains begin, and what follows from it. */
static dcnn_status list_domains(dcnn_comm *comm, int most) {
    dcnn_domain *d = &comm->domain;
    const int first = first_of_domain(comm, most);
    int *firsts = calloc((size_t)comm->size + 1, sizeof *firsts);
    d->firsts = firsts;
    d->bounds = calloc((size_t)comm->size + 2, sizeof *d->bounds);
    DCNN_TRY(dcnn_comm_agree(comm, firsts && d->bounds ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: domains")));
    firsts[0] = first;
    if (comm->world != MPI_COMM_NULL) MPI_Allgather(&first, 1, MPI_INT, firsts, 1, MPI_INT, comm->world);
    d->count = 0;
    for (int rank = 0; rank < comm->size; rank++)
        if (firsts[rank] == rank) firsts[d->count++] = rank;
    firsts[d->count] = comm->size;
    d->bounds[d->count + 1] = -1; /* of no batch yet */
    d->rails = comm->size;
    for (int i = 0; i < d->count; i++) {
        const int size = firsts[i + 1] - firsts[i];
        if (size < d->rails) d->rails = size;
        if (firsts[i] == first) d->index = i;
    }
    d->rank = comm->rank - first;
    d->size = firsts[d->index + 1] - first;
    if (d->count == 1) d->rails = d->size;
    return DCNN_OK;
}

/* What else its ranks share. */
static dcnn_status make_levels(dcnn_comm *comm) {
    dcnn_domain *d = &comm->domain;
    int settings[DCNN_NEARS];
    const dcnn_place mine = dcnn_comm_place();
    dcnn_place *places = calloc((size_t)d->size, sizeof *places);
    d->levels[0].firsts = calloc((DCNN_MOST_LEVELS + 2) * ((size_t)d->size + 1), sizeof(int));
    dcnn_status status = places && d->levels[0].firsts ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: levels");
    DCNN_TRY_DONE(dcnn_comm_agree(comm, status));
    dcnn_comm_read_levels(settings);
    places[0] = mine;
    if (comm->world != MPI_COMM_NULL) {
        MPI_Bcast(settings, DCNN_NEARS, MPI_INT, 0, comm->world);
        MPI_Allgather(&mine, (int)sizeof mine, MPI_BYTE, places, (int)sizeof mine, MPI_BYTE, d->comm);
    }
    dcnn_comm_list_levels(d, places, settings, d->levels[0].firsts);
done:
    free(places);
    return status;
}

static dcnn_status make_domains_of(dcnn_comm *comm, int most) {
    dcnn_domain *d = &comm->domain;
    DCNN_TRY(list_domains(comm, most));
    if (comm->world != MPI_COMM_NULL) {
        MPI_Comm_split(comm->world, d->index, comm->rank, &d->comm);
        MPI_Comm_split(comm->world, d->rank < d->rails ? d->rank : MPI_UNDEFINED, comm->rank, &d->rail);
    }
    d->segments = calloc((size_t)d->size, sizeof *d->segments);
    DCNN_TRY(dcnn_comm_agree(comm, d->segments ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: a domain")));
    DCNN_TRY(make_levels(comm));
    void *barrier;
    DCNN_TRY(dcnn_comm_share_domain(comm, sizeof *d->barrier, 0, &barrier, NULL));
    d->barrier = barrier;
    return DCNN_OK;
}

dcnn_status dcnn_comm_make_domains(dcnn_comm *comm) {
    return make_domains_of(comm, dcnn_comm_can_shrink() ? 1 : choose_domain_size(comm));
}

void dcnn_comm_forget_domains(dcnn_comm *comm) {
    dcnn_comm_unshare(comm, comm->domain.barrier);
    comm->domain.barrier = NULL;
    free(comm->domain.segments);
    free(comm->domain.firsts);
    free(comm->domain.bounds);
    free(comm->domain.levels[0].firsts);
    comm->domain.segments = NULL;
    comm->domain.firsts = NULL;
    comm->domain.bounds = NULL;
    comm->domain.levels[0].firsts = NULL;
}

void dcnn_comm_free_domains(dcnn_comm *comm) {
    dcnn_comm_forget_domains(comm);
    if (comm->domain.comm != MPI_COMM_NULL) MPI_Comm_free(&comm->domain.comm);
    if (comm->domain.rail != MPI_COMM_NULL) MPI_Comm_free(&comm->domain.rail);
}

void dcnn_comm_separate(dcnn_comm *comm) {
    if (comm->domain.count == comm->size) return;
    dcnn_comm_free_domains(comm);
    if (make_domains_of(comm, 1) != DCNN_OK) MPI_Abort(comm->world, DCNN_FAILURE);
}

int dcnn_comm_domain_count(const dcnn_comm *comm) {
    return comm->domain.count;
}

/* From so many on a domain saves all but a sixteenth of what the update takes, 0.6 ms of the recipe's (one core); what
 * that costs is, once an epoch, to bring the moments round: at 25 Gb/s as long as it saves in two steps. */
enum { MANY_DOMAINS = 16 };

bool dcnn_comm_has_many_domains(const dcnn_comm *comm) {
    return comm->domain.count >= MANY_DOMAINS;
}

bool dcnn_comm_is_separate(const dcnn_comm *comm) {
    return comm->domain.count == comm->size;
}

int dcnn_comm_domain_rank(const dcnn_comm *comm) {
    return comm->domain.rank;
}

int dcnn_comm_domain_size(const dcnn_comm *comm) {
    return comm->domain.size;
}

static size_t pages(size_t bytes) {
    return (bytes + PAGE - 1) / PAGE * PAGE;
}

/* Zeroes this rank's share of the pages that all use: so they lie near all of them, and not all at the first one's
 * memory. */
static void touch_share(const dcnn_comm *comm, void *common, size_t bytes) {
    const size_t count = bytes / PAGE, rank = (size_t)comm->domain.rank, size = (size_t)comm->domain.size;
    const size_t first = count * rank / size * PAGE, end = count * (rank + 1) / size * PAGE;
    memset((char *)common + first, 0, end - first);
}

static dcnn_status share(dcnn_comm *comm, size_t common, size_t near, size_t own, void **common_block,
                         void **own_block) {
    dcnn_window *window = find_window(comm, NULL);
    if (window == NULL) return DCNN_FAIL(DCNN_FAILURE, "too many shared blocks");
    if (comm->domain.size == 1) {                 /* own memory can have huge pages */
        DCNN_TRY(dcnn_comm_agree(comm, DCNN_OK)); /* other domains may be larger: see open_window() */
        DCNN_TRY(keep_own(comm, window, dcnn_block_create_untouched(common + own, "a rank's state", &window->base)));
        memset(window->base, 0, common);
        if (own > 0) comm->domain.segments[0] = (char *)window->base + common;
    } else {
        const size_t head = comm->domain.rank == 0 ? common + near : 0;
        DCNN_TRY(open_window(comm, comm->domain.comm, head + pages(own), &window->handle));
        window->base = segment_of(window->handle, 0);
        for (int rank = 0; rank < comm->domain.size && own > 0; rank++)
            comm->domain.segments[rank] = (char *)segment_of(window->handle, rank) + (rank == 0 ? common + near : 0);
        touch_share(comm, window->base, common);
        MPI_Barrier(comm->domain.comm);
    }
    *common_block = window->base;
    if (own > 0) *own_block = comm->domain.segments[comm->domain.rank];
    return DCNN_OK;
}

dcnn_status dcnn_comm_share_domain(dcnn_comm *comm, size_t common, size_t own, void **common_block, void **own_block) {
    DCNN_COMM_MEET(comm, common);
    return share(comm, pages(common), 0, own, common_block, own_block);
}

dcnn_status dcnn_comm_share_near(dcnn_comm *comm, size_t common, size_t near, void **common_block, char **near_block) {
    DCNN_COMM_MEET(comm, common);
    DCNN_TRY(share(comm, pages(common), pages(near), 0, common_block, NULL));
    *near_block = (char *)*common_block + pages(common);
    return DCNN_OK;
}

static void move_on(void *comm) {
    ((dcnn_comm *)comm)->domain.move_on(comm);
}

void dcnn_comm_domain_barrier(dcnn_comm *comm) {
    DCNN_COMM_MEET(comm, 0);
    dcnn_comm_domain_wait(comm);
}

void dcnn_comm_domain_wait(dcnn_comm *comm) {
    if (comm->domain.size > 1) {
        const double from_s = dcnn_now_s();
        const bool sends = comm->domain.is_sending && comm->domain.is_sending(comm);
        dcnn_barrier_wait(comm->domain.barrier, (unsigned)comm->domain.size, comm->oversubscribed ? FEW_SPINS : SPINS,
                          sends ? move_on : NULL, comm);
        dcnn_comm_waited(comm, false, from_s);
    }
    comm->domain.meetings++; /* now, not before: others' blocks may be read only from here on */
}
