/* SPDX-License-Identifier: BSD-3-Clause */
/* machine.c — what one rank finds on its machine. */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cores.h"
#include "doctor/doctor.h"
#include "io/hdf5/hdf5_file.h"

static FILE *open_in(const char *root, const char *path) {
    char full[512];
    snprintf(full, sizeof full, "%s%s", root, path);
    return fopen(full, "re");
}

/* What stands behind `key` and its colon in a file of such lines; "": nothing. */
static void read_line(const char *root, const char *path, const char *key, char *text, size_t room) {
    char line[4096];
    FILE *file = open_in(root, path);
    text[0] = '\0';
    while (file && text[0] == '\0' && fgets(line, sizeof line, file)) {
        const char *value = strncmp(line, key, strlen(key)) == 0 ? strchr(line, ':') : NULL;
        if (value) snprintf(text, room, "%s", value + 1);
    }
    if (file) fclose(file);
}

static double read_real(const char *root, const char *path) {
    double value = 0.0;
    FILE *file = open_in(root, path);
    if (file && fscanf(file, "%lf", &value) != 1) value = 0.0;
    if (file) fclose(file);
    return value;
}

/* Bound to one of several sockets is near enough. */
static bool is_scattered(const char *root) {
    const bool has_sockets = dcnn_cores_have_several(root, DCNN_NEAR_SOCKET);
    return dcnn_cores_have_several(root, DCNN_NEAR_NUMA) && dcnn_cores_near(root, DCNN_NEAR_NUMA) < 0 &&
           !(has_sockets && dcnn_cores_near(root, DCNN_NEAR_SOCKET) >= 0);
}

static void look_at_cores(const char *root, dcnn_machine *m) {
    char text[4096];
    cpu_set_t mask;
    m->cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
    m->bound = sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : m->cores;
    m->scattered = is_scattered(root);
    read_line(root, "/proc/cpuinfo", "flags", text, sizeof text);
    m->amx = strstr(text, " amx_tile") != NULL;
    read_line(root, "/proc/cpuinfo", "cpu MHz", text, sizeof text);
    if (sscanf(text, "%lf", &m->mhz) != 1) m->mhz = 0.0;
    m->most_mhz = 1e-3 * read_real(root, "/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq");
}

static void look_at_memory(const char *root, dcnn_machine *m) {
    char text[64];
    unsigned long long kilobytes = 0;
    struct statvfs shm;
    read_line(root, "/proc/meminfo", "MemTotal", text, sizeof text);
    m->memory = sscanf(text, "%llu", &kilobytes) == 1 ? (uint64_t)kilobytes * 1024 : 0;
    const dcnn_free_memory node = dcnn_free_memory_of_node(root);
    m->memory_left = node.bytes;
    snprintf(m->memory_bound, sizeof m->memory_bound, "%s", node.bound_by);
    m->address_left = dcnn_free_address_space(root).bytes;
    m->shm_left = dcnn_free_shared_memory().bytes;
    m->shm = statvfs("/dev/shm", &shm) == 0 ? (uint64_t)shm.f_blocks * shm.f_frsize : 0;
}

/* The first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq and steal, in ticks. */
dcnn_work dcnn_work_read(const char *root) {
    unsigned long long ticks[8] = {0};
    dcnn_work work = {0};
    struct timespec own;
    FILE *file = open_in(root, "/proc/stat");
    const long per_s = sysconf(_SC_CLK_TCK);
    const int got = file ? fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &ticks[0], &ticks[1], &ticks[2],
                                  &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7])
                         : 0;
    if (file) fclose(file);
    if (got < 4 || per_s <= 0 || clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own) != 0) return work;
    work.cores_s = (double)(ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6] + ticks[7]) / (double)per_s;
    work.own_s = (double)own.tv_sec + 1e-9 * (double)own.tv_nsec;
    work.at_s = dcnn_now_s();
    return work;
}

void dcnn_machine_take_work(const dcnn_work *from, const dcnn_work *to, dcnn_machine *m) {
    const double passed_s = to->at_s - from->at_s;
    if (from->at_s <= 0.0 || passed_s <= 0.0) return;
    m->busy = (to->cores_s - from->cores_s) / passed_s;
    m->own_busy = (to->own_s - from->own_s) / passed_s;
}

void dcnn_machine_look(const char *root, dcnn_machine *m) {
    dcnn_isa isa = dcnn_isa_best();
    *m = (dcnn_machine){0};
    gethostname(m->host, sizeof m->host - 1);
    look_at_cores(root, m);
    look_at_memory(root, m);
    m->amx_permitted = isa == DCNN_ISA_AMX;
    snprintf(m->isa, sizeof m->isa, "%s", dcnn_isa_name(isa));
    snprintf(m->blas, sizeof m->blas, "%s", dcnn_blas_core());
    snprintf(m->mpi, sizeof m->mpi, "%s", dcnn_comm_version());
    dcnn_hdf5_version(m->hdf5);
    m->infiniband = access("/sys/class/infiniband", F_OK) == 0;
}
