/* SPDX-License-Identifier: BSD-3-Clause */
/** @file jobs.h — the job scripts of jobs/, as text that ends with a NUL. The build makes them (jobs.cmake). */
#ifndef DCNN_CLI_JOBS_H
#define DCNN_CLI_JOBS_H

extern const unsigned char dcnn_job_train[], dcnn_job_env[], dcnn_job_functions[];

#endif
