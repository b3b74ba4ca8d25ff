/* SPDX-License-Identifier: BSD-3-Clause */
/* folder.c — what the file system of a run's folder can do. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "doctor/doctor.h"

static const char probe_name[] = ".dcnn-doctor-";
enum { BYTES = 8 << 20, PATH_BYTES = 4096 + 64, OLD_S = 600 };

/* Magic numbers of statfs(2): the file systems that clusters have. */
static const struct kind {
    unsigned long magic;
    const char *name;
} kinds[] = {{0x6969, "nfs"},       {0x0bd00bd0, "lustre"},  {0x47504653, "gpfs"}, {0x19830326, "beegfs"},
             {0x00c36400, "ceph"},  {0x01021994, "tmpfs"},   {0xef53, "ext4"},     {0x58465342, "xfs"},
             {0x9123683e, "btrfs"}, {0x794c7630, "overlay"}, {0x65735546, "fuse"}, {0x2fc12fc1, "zfs"},
             {0xff534d42, "cifs"},  {0xfe534d42, "smb"},     {0x01021997, "9p"},   {0x6a656a63, "virtiofs"}};

static void name_type(const char *folder, char type[16]) {
    struct statfs about;
    snprintf(type, 16, "unknown");
    if (statfs(folder, &about) != 0) return;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if ((unsigned long)about.f_type == kinds[i].magic) snprintf(type, 16, "%s", kinds[i].name);
}

static void path_of_probe(const char *folder, uint64_t token, char path[PATH_BYTES]) {
    snprintf(path, PATH_BYTES, "%s/%s%016" PRIx64, folder, probe_name, token);
}

/* Probes of doctors that were killed; a living one's is seconds old, by the file system's own clock. */
static void remove_old(const char *folder, int own) {
    struct stat now, about;
    DIR *stream = fstat(own, &now) == 0 ? opendir(folder) : NULL;
    const struct dirent *entry;
    while (stream && (entry = readdir(stream)) != NULL)
        if (strncmp(entry->d_name, probe_name, sizeof probe_name - 1) == 0 &&
            fstatat(dirfd(stream), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(about.st_mode) &&
            about.st_mtime + OLD_S < now.st_mtime)
            unlinkat(dirfd(stream), entry->d_name, 0);
    if (stream) closedir(stream);
}

static bool write_all(int file, const char *bytes, size_t count) {
    for (size_t at = 0; at < count;) {
        const ssize_t written = write(file, bytes + at, count - at);
        if (written <= 0) return false;
        at += (size_t)written;
    }
    return true;
}

/* The token, then bytes to time; the last fsync alone is of the token written anew. */
static bool try_file(int file, uint64_t token, dcnn_folder_facts *facts) {
    char *bytes = calloc(1, BYTES);
    if (bytes == NULL) return false;
    double began_s = dcnn_now_s();
    bool good = write_all(file, bytes, BYTES) && fsync(file) == 0;
    facts->write_bytes_per_s = BYTES / (dcnn_now_s() - began_s);
    free(bytes);
    good = good && ftruncate(file, 0) == 0 && lseek(file, 0, SEEK_SET) == 0;
    began_s = dcnn_now_s();
    good = good && write_all(file, (const char *)&token, sizeof token) && fsync(file) == 0;
    facts->fsync_s = dcnn_now_s() - began_s;
    return good;
}

void dcnn_folder_look(const char *folder, uint64_t token, dcnn_folder_facts *facts) {
    char path[PATH_BYTES];
    struct statvfs about;
    const struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    *facts = (dcnn_folder_facts){0};
    snprintf(facts->path, sizeof facts->path, "%s", folder);
    dcnn_text_clean(facts->path); /* it is shown */
    name_type(folder, facts->type);
    if (statvfs(folder, &about) == 0) facts->free_bytes = (uint64_t)about.f_bavail * about.f_frsize;
    path_of_probe(folder, token, path);
    const int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (file < 0 || !try_file(file, token, facts))
        snprintf(facts->failure, sizeof facts->failure, "cannot be written to: %s", strerror(errno));
    if (file >= 0) remove_old(folder, file);
    facts->locks = file >= 0 && fcntl(file, F_SETLK, &whole) == 0;
    if (file >= 0) close(file);
}

bool dcnn_folder_has(const char *folder, uint64_t token) {
    char path[PATH_BYTES];
    uint64_t found = ~token;
    path_of_probe(folder, token, path);
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0) return false;
    const bool good = read(file, &found, sizeof found) == (ssize_t)sizeof found && found == token;
    close(file);
    return good;
}

void dcnn_folder_clean(const char *folder, uint64_t token) {
    char path[PATH_BYTES];
    path_of_probe(folder, token, path);
    unlink(path);
}
