/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory.c — preloaded into dcnn, it has no memory for one call of the program itself, or of the JSON library for it.
 *
 *   DCNN_MEMORY_AT=K     the K-th call of malloc, calloc, realloc, posix_memalign, aligned_alloc, strdup, strndup and
 *                        vasprintf, from 1; 0: none, they are only counted
 *   DCNN_MEMORY_LOG=FILE the number of calls is written there at the end
 *
 * What other libraries (MPI, BLAS, HDF5) do without memory is not ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *block, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

static struct {
    uintptr_t begin[2], end[2]; /* code of the program, and of the JSON library */
    long at;
    atomic_long count;
    bool on;
} memory;

static int find_code(struct dl_phdr_info *about, size_t bytes, void *unused) {
    (void)bytes;
    (void)unused;
    const int which = about->dlpi_name[0] == '\0' ? 0 : strstr(about->dlpi_name, "libjansson") ? 1 : -1;
    for (int i = 0; which >= 0 && i < about->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &about->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) continue;
        memory.begin[which] = about->dlpi_addr + part->p_vaddr;
        memory.end[which] = memory.begin[which] + part->p_memsz;
    }
    return 0;
}

__attribute__((constructor)) static void begin(void) {
    const char *at = getenv("DCNN_MEMORY_AT");
    dl_iterate_phdr(find_code, NULL);
    memory.at = at ? atol(at) : 0;
    memory.on = at && strstr(program_invocation_short_name, "dcnn") != NULL;
}

__attribute__((destructor)) static void tell(void) {
    const char *log = getenv("DCNN_MEMORY_LOG");
    char text[32];
    const int file = memory.on && log ? open(log, O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;
    const int length = snprintf(text, sizeof text, "%ld\n", memory.count);
    if (file >= 0 && write(file, text, (size_t)length) == length) close(file);
}

/* Is this the call that fails? */
static bool fails(const void *caller) {
    const uintptr_t from = (uintptr_t)caller;
    bool ours = false;
    for (int i = 0; i < 2; i++) ours = ours || (from >= memory.begin[i] && from < memory.end[i]);
    if (!memory.on || !ours || ++memory.count != memory.at) return false;
    errno = ENOMEM;
    return true;
}

#define FAILS fails(__builtin_return_address(0))

void *malloc(size_t bytes) {
    return FAILS ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes) {
    return FAILS ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *block, size_t bytes) {
    return FAILS ? NULL : __libc_realloc(block, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
    return FAILS ? NULL : __libc_memalign(alignment, bytes);
}

int posix_memalign(void **block, size_t alignment, size_t bytes) {
    void *made = FAILS ? NULL : __libc_memalign(alignment, bytes);
    if (made == NULL) return ENOMEM;
    *block = made;
    return 0;
}

char *strdup(const char *text) {
    const size_t bytes = strlen(text) + 1;
    char *copy = FAILS ? NULL : __libc_malloc(bytes);
    return copy ? memcpy(copy, text, bytes) : NULL;
}

char *strndup(const char *text, size_t most) {
    const size_t length = strnlen(text, most);
    char *copy = FAILS ? NULL : __libc_malloc(length + 1);
    if (copy == NULL) return NULL;
    copy[length] = '\0';
    return memcpy(copy, text, length);
}

static int print(bool broken, char **text, const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    const int length = broken ? -1 : vsnprintf(NULL, 0, format, again);
    va_end(again);
    *text = length >= 0 ? __libc_malloc((size_t)length + 1) : NULL;
    return *text ? vsnprintf(*text, (size_t)length + 1, format, arguments) : -1;
}

int vasprintf(char **text, const char *format, va_list arguments) {
    return print(FAILS, text, format, arguments);
}

int asprintf(char **text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int length = print(FAILS, text, format, arguments);
    va_end(arguments);
    return length;
}

/* What -D_FORTIFY_SOURCE makes of them. */
int __asprintf_chk(char **text, int flag, const char *format, ...) __attribute__((format(printf, 3, 4)));
int __vasprintf_chk(char **text, int flag, const char *format, va_list arguments) __attribute__((format(printf, 3, 0)));

int __asprintf_chk(char **text, int flag, const char *format, ...) {
    (void)flag;
    va_list arguments;
    va_start(arguments, format);
    const int length = print(FAILS, text, format, arguments);
    va_end(arguments);
    return length;
}

int __vasprintf_chk(char **text, int flag, const char *format, va_list arguments) {
    (void)flag;
    return print(FAILS, text, format, arguments);
}
