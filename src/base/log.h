/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file log.h — what the library has to tell, handed to whoever registered a sink.
 *
 * The library never prints: the program registers a sink on the rank that speaks (rank 0), other ranks have none.
 */
#ifndef DCNN_BASE_LOG_H
#define DCNN_BASE_LOG_H

typedef enum dcnn_log_level { DCNN_LOG_WARNING, DCNN_LOG_INFO, DCNN_LOG_DEBUG } dcnn_log_level;

typedef void dcnn_log_sink(dcnn_log_level level, const char *line);

/** Registers the sink (NULL: silence) and the highest level it wants. Not thread-safe: call it at start. *Local.* */
void dcnn_log_to(dcnn_log_sink *sink, dcnn_log_level highest);

/** One line of the log, without a newline. *Local.* */
void dcnn_log(dcnn_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define dcnn_warn(...) dcnn_log(DCNN_LOG_WARNING, __VA_ARGS__)
#define dcnn_info(...) dcnn_log(DCNN_LOG_INFO, __VA_ARGS__)

#endif
