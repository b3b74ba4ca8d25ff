/* SPDX-License-Identifier: BSD-3-Clause */
/* static_facts.h — what tools/check_static tells analyzers, which look at one source at a time: they read it before
 * each. */
#include "base/status.h"
#include "comm/comm.h"

/* dcnn_fail() gives back the code that it is given. */
#undef DCNN_FAIL
#define DCNN_FAIL(code, ...) ((void)dcnn_fail((code), __FILE__, __LINE__, __VA_ARGS__), (code))

/* What follows cannot stand where these functions are defined. */
#ifndef DCNN_FACTS_ARE_DEFINED_HERE

/* Where this rank has failed, agreement fails. */
#define dcnn_comm_agree(comm, status)                                                                                  \
    __extension__({                                                                                                    \
        const dcnn_status own_fact_ = (status), agreed_fact_ = (dcnn_comm_agree)((comm), own_fact_);                   \
        own_fact_ == DCNN_OK ? agreed_fact_ : own_fact_;                                                               \
    })

/* As dcnn_fail(). */
#if __has_include(<hdf5.h>)
#include "io/hdf5/hdf5.h"
#define dcnn_h5_fail(code, ...) ((void)(dcnn_h5_fail)((code), __VA_ARGS__), (code))
#endif

#endif
