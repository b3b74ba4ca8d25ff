/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mpi.h — what the comm*.c files name of MPI, for a build without it (-DDCNN_MPI=OFF). There a process is always alone,
 * and comm calls none of this; MPI_Init_thread() fails, as it must in one of several processes that a launcher started.
 */
#ifndef DCNN_WITHOUT_MPI_H
#define DCNN_WITHOUT_MPI_H

#include <stddef.h>
#include <stdio.h>

#define DCNN_WITHOUT_MPI 1

typedef int MPI_Comm, MPI_Win, MPI_Request, MPI_Datatype, MPI_Op, MPI_Info, MPI_Errhandler;
typedef ptrdiff_t MPI_Aint;

enum { MPI_SUCCESS, MPI_ERR_OTHER = 1, MPI_UNDEFINED = -1, MPI_MAX_LIBRARY_VERSION_STRING = 256 };
enum { MPI_COMM_NULL, MPI_COMM_WORLD, MPI_COMM_SELF, MPI_WIN_NULL = 0, MPI_REQUEST_NULL = 0, MPI_INFO_NULL = 0 };
enum { MPI_BYTE, MPI_CHAR, MPI_INT, MPI_2INT, MPI_INT64_T, MPI_FLOAT, MPI_DOUBLE };
enum { MPI_SUM, MPI_MIN, MPI_MAXLOC };
enum { MPI_COMM_TYPE_SHARED, MPI_THREAD_FUNNELED, MPI_ERRORS_RETURN, MPI_ERRORS_ARE_FATAL };

#define MPI_IN_PLACE        NULL
#define MPI_STATUS_IGNORE   NULL
#define MPI_STATUSES_IGNORE NULL

/* A function that is never called, and fails. */
#define DCNN_NO_MPI(name, ...)                                                                                         \
    static inline int name(__VA_ARGS__) {                                                                              \
        return MPI_ERR_OTHER;                                                                                          \
    }

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"

DCNN_NO_MPI(MPI_Init_thread, int *argc, char ***argv, int wanted, int *provided)
DCNN_NO_MPI(MPI_Finalize, void)
DCNN_NO_MPI(MPI_Abort, MPI_Comm comm, int code)
DCNN_NO_MPI(MPI_Comm_rank, MPI_Comm comm, int *rank)
DCNN_NO_MPI(MPI_Comm_size, MPI_Comm comm, int *size)
DCNN_NO_MPI(MPI_Comm_split, MPI_Comm comm, int color, int key, MPI_Comm *made)
DCNN_NO_MPI(MPI_Comm_split_type, MPI_Comm comm, int type, int key, MPI_Info info, MPI_Comm *made)
DCNN_NO_MPI(MPI_Comm_free, MPI_Comm *comm)
DCNN_NO_MPI(MPI_Comm_set_errhandler, MPI_Comm comm, MPI_Errhandler handler)
DCNN_NO_MPI(MPI_Barrier, MPI_Comm comm)
DCNN_NO_MPI(MPI_Bcast, void *at, int count, MPI_Datatype type, int root, MPI_Comm comm)
DCNN_NO_MPI(MPI_Allreduce, const void *from, void *to, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm)
DCNN_NO_MPI(MPI_Allgather, const void *from, int n, MPI_Datatype t, void *to, int m, MPI_Datatype u, MPI_Comm comm)
DCNN_NO_MPI(MPI_Send, const void *at, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm)
DCNN_NO_MPI(MPI_Recv, void *at, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm, void *status)
DCNN_NO_MPI(MPI_Isend, const void *at, int n, MPI_Datatype type, int to, int tag, MPI_Comm comm, MPI_Request *made)
DCNN_NO_MPI(MPI_Irecv, void *at, int n, MPI_Datatype type, int from, int tag, MPI_Comm comm, MPI_Request *made)
DCNN_NO_MPI(MPI_Sendrecv, const void *at, int n, MPI_Datatype t, int to, int tag, void *in, int m, MPI_Datatype u,
            int from, int other, MPI_Comm comm, void *status)
DCNN_NO_MPI(MPI_Wait, MPI_Request *request, void *status)
DCNN_NO_MPI(MPI_Test, MPI_Request *request, int *done, void *status)
DCNN_NO_MPI(MPI_Testsome, int count, MPI_Request *requests, int *done, int *which, void *statuses)
DCNN_NO_MPI(MPI_Cancel, MPI_Request *request)
DCNN_NO_MPI(MPI_Request_free, MPI_Request *request)
DCNN_NO_MPI(MPI_Win_allocate_shared, MPI_Aint bytes, int unit, MPI_Info info, MPI_Comm comm, void *base, MPI_Win *made)
DCNN_NO_MPI(MPI_Win_shared_query, MPI_Win win, int rank, MPI_Aint *bytes, int *unit, void *base)
DCNN_NO_MPI(MPI_Win_fence, int assertion, MPI_Win win)
DCNN_NO_MPI(MPI_Win_free, MPI_Win *win)

#pragma GCC diagnostic pop

static inline int MPI_Initialized(int *started) {
    *started = 0;
    return MPI_SUCCESS;
}

static inline int MPI_Get_library_version(char *text, int *length) {
    *length = snprintf(text, MPI_MAX_LIBRARY_VERSION_STRING, "none");
    return MPI_SUCCESS;
}

#endif
