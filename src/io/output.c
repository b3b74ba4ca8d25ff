/* SPDX-License-Identifier: BSD-3-Clause */
/* output.c — whole or absent where a file is replaced, straight where bytes cannot be taken back. */
#include "io/output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "base/log.h"
#include "io/file.h"

enum { MOST_LINKS = 40 };

/* --- where a name leads ------------------------------------------------------------------------------------------ */

/* Of this process's streams the one that a file is: 1 or 2, else -1. A file that standard output was sent to must get
 * what is written at that stream's place, not be replaced under it. */
static int stream_of(const struct stat *about) {
    for (int stream = STDOUT_FILENO; stream <= STDERR_FILENO; stream++) {
        struct stat own;
        if (fstat(stream, &own) == 0 && own.st_dev == about->st_dev && own.st_ino == about->st_ino) return stream;
    }
    return -1;
}

static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
}

/* What a symbolic link says, from where its path was read. NULL: it cannot be read. */
static char *link_target(const char *path) {
    char target[PATH_MAX], *full = NULL;
    const ssize_t length = readlink(path, target, sizeof target - 1);
    if (length <= 0) return NULL;
    target[length] = '\0';
    if (target[0] == '/') return strdup(target);
    char *folder = folder_of(path);
    if (folder && asprintf(&full, "%s/%s", folder, target) < 0) full = NULL;
    free(folder);
    return full;
}

/* Links such as /dev/fd/5 lead to something that is open, whatever their text says. */
static bool is_on_proc(const char *path) {
    struct statfs system;
    char *folder = folder_of(path);
    const bool is = folder && statfs(folder, &system) == 0 && system.f_type == PROC_SUPER_MAGIC;
    free(folder);
    return is;
}

/* The file at the end of the links; without links, it need not exist. @param straight  out: it is something open, or no
 * file */
static dcnn_status follow(const char *path, char **real, bool *straight) {
    char *at = strdup(path);
    struct stat about;
    int links = 0;
    *real = NULL;
    *straight = false;
    for (; at && !*straight && lstat(at, &about) == 0 && S_ISLNK(about.st_mode); links++) {
        if (is_on_proc(at)) {
            *straight = true;
            break;
        }
        char *next = links < MOST_LINKS ? link_target(at) : NULL;
        free(at);
        if (!next)
            return DCNN_FAIL(DCNN_FAILURE, "%s: cannot be written: %s", path,
                             links < MOST_LINKS ? strerror(errno) : "it is a link that leads back to itself");
        at = next;
    }
    if (!at) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", path);
    /* where the kernel follows a link for nobody (protected_symlinks), neither is it followed here */
    if (links > 0 && !*straight && stat(path, &about) != 0) {
        const dcnn_status status =
            errno == ENOENT ? DCNN_FAIL(DCNN_FAILURE,
                                        "%s: is a link to %s, where no file is, and is not written through: remove the "
                                        "link, or make that file first",
                                        path, at)
                            : DCNN_FAIL(DCNN_FAILURE, "%s: cannot be written: %s", path, strerror(errno));
        free(at);
        return status;
    }
    if (stat(path, &about) == 0) *straight = *straight || S_ISFIFO(about.st_mode) || S_ISCHR(about.st_mode);
    *real = at;
    return DCNN_OK;
}

bool dcnn_output_is_straight(const char *path) {
    struct stat about;
    char *real = NULL;
    bool straight = strcmp(path, "-") == 0;
    if (straight || (stat(path, &about) == 0 && S_ISREG(about.st_mode) && stream_of(&about) >= 0)) return true;
    if (follow(path, &real, &straight) != DCNN_OK) straight = false;
    free(real);
    return straight;
}

const char *dcnn_output_aside(const char *path, char folder[4096]) {
    const char *temporary = getenv("TMPDIR"), *slash = path ? strrchr(path, '/') : NULL;
    if (path == NULL || dcnn_output_is_straight(path))
        snprintf(folder, 4096, "%s", temporary ? temporary : "/var/tmp");
    else if (slash)
        snprintf(folder, 4096, "%.*s", slash > path ? (int)(slash - path) : 1, path);
    else
        snprintf(folder, 4096, ".");
    return folder;
}

const char *dcnn_output_name(const char *path) {
    return strcmp(path, "-") == 0 ? "standard output" : path;
}

static bool is_regular(const char *path, int stream, struct stat *about) {
    const bool found = path && strcmp(path, "-") != 0 ? stat(path, about) == 0 : fstat(stream, about) == 0;
    return found && S_ISREG(about->st_mode);
}

int64_t dcnn_output_among(const char *path, int64_t count, char *const inputs[]) {
    struct stat output, input;
    if (!is_regular(path, STDOUT_FILENO, &output)) return -1;
    for (int64_t i = 0; i < count; i++)
        if (is_regular(inputs[i], STDIN_FILENO, &input) && input.st_dev == output.st_dev &&
            input.st_ino == output.st_ino)
            return i;
    return -1;
}

/* --- opening ----------------------------------------------------------------------------------------------------- */

static dcnn_status cannot_create(const char *path) {
    return DCNN_FAIL(DCNN_FAILURE, "%s: cannot create: %s%s", path, strerror(errno),
                     errno == ENOSPC || errno == EDQUOT ? "; check free space and quota"
                                                        : "; check that its folder exists and is writable");
}

dcnn_status dcnn_output_check(const char *path) {
    char *real = NULL;
    bool straight;
    if (dcnn_output_is_straight(path)) return DCNN_OK;
    DCNN_TRY(follow(path, &real, &straight));
    char *folder = folder_of(real), *inside = NULL; /* "FOLDER/.", which nothing but a folder has */
    dcnn_status status = DCNN_OK;
    if (folder && asprintf(&inside, "%s/.", folder) < 0) inside = NULL;
    if (inside == NULL)
        status = DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", path);
    else if (access(inside, W_OK | X_OK) != 0)
        status = cannot_create(path);
    free(inside);
    free(folder);
    free(real);
    return status;
}

/* A stream of this process. What stdio still holds goes first. */
static dcnn_status open_stream(int stream, dcnn_output *output) {
    fflush(NULL); /* of whatever the program has written by stdio */
    output->descriptor = fcntl(stream, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    return output->descriptor >= 0 ? DCNN_OK : cannot_create(output->path);
}

static dcnn_status open_straight(dcnn_output *output) {
    struct stat about = {0};
    const int flags = O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC;
    if (stat(output->path, &about) == 0) {
        const int stream = stream_of(&about);
        if (stream >= 0) return open_stream(stream, output);
    }
    do output->descriptor = open(output->path, flags | O_NONBLOCK);
    while (output->descriptor < 0 && errno == EINTR);
    if (output->descriptor < 0 && errno == ENXIO && S_ISFIFO(about.st_mode)) {
        dcnn_info("%s: a FIFO that nobody reads yet: waiting for its reader", output->path);
        do output->descriptor = open(output->path, flags);
        while (output->descriptor < 0 && errno == EINTR);
    } else if (output->descriptor >= 0) {
        fcntl(output->descriptor, F_SETFL, O_WRONLY | O_APPEND); /* writes wait from here on */
    }
    return output->descriptor >= 0 ? DCNN_OK : cannot_create(output->path);
}

/* Is this name, behind `prefix`, PID.tmp of a process that has gone? */
static bool is_left_over(const char *name, const char *prefix) {
    const size_t length = strlen(prefix);
    char *end;
    if (strncmp(name, prefix, length) != 0 || name[length] < '1' || name[length] > '9') return false;
    const long process = strtol(name + length, &end, 10);
    if (strcmp(end, ".tmp") != 0 || process <= 0 || process > INT_MAX) return false;
    return kill((pid_t)process, 0) != 0 && errno == ESRCH;
}

/* Removes what processes of this host that were killed left of the same file. */
static void remove_left_over(const char *folder, const char *prefix) {
    DIR *stream = opendir(folder);
    const struct dirent *entry;
    while (stream && (entry = readdir(stream)) != NULL)
        if (is_left_over(entry->d_name, prefix)) unlinkat(dirfd(stream), entry->d_name, 0);
    if (stream) closedir(stream);
}

/* Opens NAME.HOST-PID.tmp beside the real file: no other process writes to that name, and no link is followed. */
static dcnn_status open_aside(dcnn_output *output) {
    char host[65] = "?", *prefix = NULL, *folder = folder_of(output->real);
    const char *slash = strrchr(output->real, '/'), *name = slash ? slash + 1 : output->real;
    gethostname(host, sizeof host - 1);
    const int room = NAME_MAX - (int)strlen(host) - (int)sizeof "..4194304.tmp";
    if (!folder || asprintf(&prefix, "%.*s.%s-", room, name, host) < 0) prefix = NULL;
    if (!prefix || asprintf(&output->temporary, "%s/%s%ld.tmp", folder, prefix, (long)getpid()) < 0)
        output->temporary = NULL;
    if (output->temporary) remove_left_over(folder, prefix);
    free(folder);
    free(prefix);
    if (!output->temporary) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", output->path);
    const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    unlink(output->temporary); /* by an earlier process of our number; if not, opening says what is wrong */
    do output->descriptor = open(output->temporary, flags, 0666);
    while (output->descriptor < 0 && errno == EINTR);
    return output->descriptor >= 0 ? DCNN_OK : cannot_create(output->path);
}

dcnn_status dcnn_output_open(const char *path, dcnn_output *output) {
    struct stat about;
    bool straight;
    *output = (dcnn_output){.path = dcnn_output_name(path), .descriptor = -1};
    if (strcmp(path, "-") == 0) return open_stream(STDOUT_FILENO, output);
    if (dcnn_output_is_straight(path)) return open_straight(output);
    dcnn_status status = follow(path, &output->real, &straight);
    if (status == DCNN_OK && stat(output->real, &about) == 0 && !S_ISREG(about.st_mode))
        status = DCNN_FAIL(DCNN_FAILURE, "%s: is a %s: name a file instead", path,
                           S_ISDIR(about.st_mode)   ? "folder"
                           : S_ISBLK(about.st_mode) ? "disk, which would be overwritten"
                                                    : "socket");
    if (status == DCNN_OK) status = open_aside(output);
    if (status != DCNN_OK) return dcnn_output_close(output, status);
    return DCNN_OK;
}

/* --- writing and ending ------------------------------------------------------------------------------------------ */

dcnn_status dcnn_output_write(const dcnn_output *output, const void *bytes, size_t length) {
    const char *next = bytes;
    while (length > 0) {
        const ssize_t written = write(output->descriptor, next, length);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0)
            return DCNN_FAIL(DCNN_FAILURE, "%s: cannot write: %s%s", output->path, strerror(errno),
                             errno == EPIPE ? "" : "; check free space and quota");
        next += written;
        length -= (size_t)written;
    }
    return DCNN_OK;
}

/* fsync() that a signal does not end. */
static int flush(int descriptor) {
    int result;
    do result = fsync(descriptor);
    while (result != 0 && errno == EINTR);
    return result;
}

/* Makes a rename survive a power cut. Some file systems cannot fsync a folder; there the rename is as safe as it gets.
 */
static dcnn_status sync_folder_of(const char *path) {
    char *folder = folder_of(path);
    if (!folder) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", path);
    dcnn_status status = DCNN_OK;
    int descriptor;
    do descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (descriptor < 0 && errno == EINTR);
    if (descriptor >= 0 && flush(descriptor) != 0 && errno != EINVAL && errno != ENOTSUP)
        status = DCNN_FAIL(DCNN_FAILURE, "%s: cannot flush the folder: %s", folder, strerror(errno));
    if (descriptor >= 0) close(descriptor);
    free(folder);
    return status;
}

static int replace(const dcnn_output *output) {
    int result;
    do result = rename(output->temporary, output->real);
    while (result != 0 && errno == EINTR);
    return result;
}

static bool is_same_file(const char *a, const char *b) {
    struct stat of_a, of_b;
    return lstat(a, &of_a) == 0 && lstat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

/* For file systems such as NFS, where a rename always replaces. */
static int link_in_place(const dcnn_output *output) {
    int result;
    do result = link(output->temporary, output->real);
    while (result != 0 && errno == EINTR);
    /* What is there may be ours: over NFS an answer can get lost, and the call is repeated. */
    const int reason = errno;
    if (result != 0 && reason == EEXIST && is_same_file(output->temporary, output->real)) result = 0;
    errno = reason;
    if (result != 0) return result;
    int removed;
    do removed = unlink(output->temporary);
    while (removed != 0 && errno == EINTR);
    if (removed != 0)
        dcnn_warn("%s: written, but its temporary name %s cannot be removed: %s; remove it", output->path,
                  output->temporary, strerror(errno));
    return 0;
}

/* -1 with EEXIST: something is there. Few file systems have neither calls that cannot replace nor hard links; on those
 * a look just before the rename has to do. */
static int put_new(const dcnn_output *output) {
    struct stat about;
    int result;
    do result = renameat2(AT_FDCWD, output->temporary, AT_FDCWD, output->real, RENAME_NOREPLACE);
    while (result != 0 && errno == EINTR);
    if (result == 0 || (errno != EINVAL && errno != ENOSYS)) return result;
    result = link_in_place(output);
    if (result == 0 || (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL)) return result;
    if (lstat(output->real, &about) == 0)
        errno = EEXIST;
    else if (errno == ENOENT)
        return replace(output);
    return -1;
}

dcnn_status dcnn_output_exists(const char *path) {
    return DCNN_FAIL(DCNN_USAGE, "%s already exists: name another file, or replace it with --force", path);
}

/* Gives a flushed and closed temporary file its final name. */
static dcnn_status put_in_place(const dcnn_output *output) {
    const int result = output->only_new ? put_new(output) : replace(output);
    if (result != 0 && output->only_new && errno == EEXIST) return dcnn_output_exists(output->path);
    if (result != 0)
        return DCNN_FAIL(DCNN_FAILURE, "%s: cannot put the finished file in place: %s", output->path, strerror(errno));
    return sync_folder_of(output->real);
}

dcnn_status dcnn_output_close(dcnn_output *output, dcnn_status so_far) {
    dcnn_status status = so_far;
    if (output->descriptor >= 0) {
        const bool flushed = status != DCNN_OK || !output->temporary || flush(output->descriptor) == 0;
        const int flush_error = errno;
        const bool closed = close(output->descriptor) == 0 || errno == EINTR; /* Linux has closed it then */
        if (status == DCNN_OK && !(flushed && closed))
            status = DCNN_FAIL(DCNN_FAILURE, "%s: cannot flush to disk: %s; check free space and quota", output->path,
                               strerror(flushed ? errno : flush_error));
    }
    if (status == DCNN_OK && output->temporary) status = put_in_place(output);
    if (status != DCNN_OK && output->temporary && output->descriptor >= 0) unlink(output->temporary);
    free(output->temporary);
    free(output->real);
    *output = (dcnn_output){.path = output->path, .descriptor = -1};
    return status;
}
