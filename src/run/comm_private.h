/* comm_private.h — what comm.c and comm_sum.c share. The only header that knows MPI types. */
#ifndef DCNN_RUN_COMM_PRIVATE_H
#define DCNN_RUN_COMM_PRIVATE_H

#include <mpi.h>

#include "run/comm.h"

typedef struct dcnn_exchange dcnn_exchange;

enum { DCNN_MAX_WINDOWS = 4 };

struct dcnn_comm {
    MPI_Comm world, node;
    int rank, size, node_rank, node_size, node_count, cores;
    dcnn_isa isa;
    double *sum_buffer; /* for dcnn_comm_sum */
    dcnn_exchange *exchanges;
    int exchange_count;
    MPI_Win windows[DCNN_MAX_WINDOWS];
    int window_count;
};

/* Frees what dcnn_comm_reserve_gradient() made. */
void dcnn_comm_release(dcnn_comm *comm);

/* dcnn_comm_start() over any communicator of a process that has started MPI (tests train over MPI_COMM_SELF), and its
 * end. */
dcnn_status dcnn_comm_create(MPI_Comm over, dcnn_comm **comm);
void dcnn_comm_free(dcnn_comm *comm);

#endif
