/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file mapped.h — files that are mapped into memory, by address. Another program may cut one while it is read: the
 * next look at what is gone is a SIGBUS, whose handler finds here which file it was (guard/signals.h).
 */
#ifndef DCNN_IO_MAPPED_H
#define DCNN_IO_MAPPED_H

#include <stddef.h>

/** Notes that a file lies at [memory, memory + bytes); of more than 64 at a time the rest is not noted. *Local.* */
void dcnn_mapped_note(const void *memory, size_t bytes, const char *path);

/** Forgets it, before it is unmapped. *Local.* */
void dcnn_mapped_forget(const void *memory);

/** The file that lies at an address, or NULL. Safe in a signal handler. *Local.* */
const char *dcnn_mapped_find(const void *address);

#endif
