/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_doctor.c — dcnn doctor: what the machines can do, what is wrong or slow, and what mends it. */
#include <limits.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "doctor/doctor.h"

/* The nearest folder that there is on the way up from the run's. */
static const char *existing_folder(const char *run, char path[PATH_MAX]) {
    snprintf(path, PATH_MAX, "%s", run);
    while (access(path, F_OK) != 0) {
        char *slash = strrchr(path, '/');
        if (slash == NULL) return strcpy(path, ".");
        if (slash == path) return strcpy(path, "/");
        *slash = '\0';
    }
    return path;
}

/* --- for people --------------------------------------------------------------------------------------------------- */

static void print_machine(const dcnn_machine *m) {
    char memory[32], left[32], shm[32];
    printf("node     %s: %d rank%s on %d of %d cores, %d for each; %s%s kernels, OpenBLAS %s", m->host, m->node_size,
           m->node_size == 1 ? "" : "s", m->node_cores, m->cores, m->bound, m->isa,
           m->amx ? m->amx_permitted ? ", AMX" : ", AMX not permitted" : "", m->blas);
    if (m->mhz > 0.0) printf(", %.1f GHz", 1e-3 * m->mhz);
    printf("\n         memory %s, %s free", dcnn_bytes_text(m->memory, memory), dcnn_bytes_text(m->memory_left, left));
    if (strstr(m->memory_bound, "free memory") == NULL) printf(" (%s)", m->memory_bound);
    if (m->address_left != UINT64_MAX) printf(" (ulimit -v: %s)", dcnn_bytes_text(m->address_left, left));
    printf("; /dev/shm %s, %s free\n         %s, HDF5 %s\n", dcnn_bytes_text(m->shm, shm),
           dcnn_bytes_text(m->shm_left, left), m->mpi, m->hdf5);
}

static void print_link(const char *where, const dcnn_link *link) {
    if (link->ranks == 0) return;
    printf("network  %s: %.1f us a message, %.2f GB/s\n", where, 1e6 * link->latency_s, 1e-9 * link->bytes_per_s);
}

static void print_folder(const dcnn_folder_facts *f) {
    char left[32];
    printf("folder   %s: %s, %s free", f->path, f->type, dcnn_bytes_text(f->free_bytes, left));
    if (f->failure[0] == '\0')
        printf(", writes %.0f MB/s, fsync %.1f ms, %s", 1e-6 * f->write_bytes_per_s, 1e3 * f->fsync_s,
               f->locks ? "locks" : "no locks");
    putchar('\n');
}

static void print_diagnosis(const dcnn_diagnosis *d) {
    printf("ranks    %d on %d node%s\n", d->ranks, d->nodes, d->nodes == 1 ? "" : "s");
    for (int i = 0; i < d->ranks; i++)
        if (d->machines[i].node_rank == 0) print_machine(&d->machines[i]);
    print_link("between nodes", &d->between);
    print_link("within a node", &d->within);
    print_folder(&d->folder);
    for (int i = 0; i < d->found && i < DCNN_MOST_FINDINGS; i++) {
        const dcnn_finding *finding = &d->findings[i];
        printf("%s    %s: %s\n", finding->slow ? "slow " : "wrong", finding->where, finding->what);
        if (finding->remedy[0]) printf("         mend: %s\n", finding->remedy);
    }
    if (d->found > DCNN_MOST_FINDINGS) printf("         ... and %d more\n", d->found - DCNN_MOST_FINDINGS);
    if (d->found == 0) puts("good     nothing is wrong");
}

/* --- for programs ------------------------------------------------------------------------------------------------- */

static json_t *limit_json(uint64_t bytes) {
    return bytes == UINT64_MAX ? json_null() : json_integer((json_int_t)bytes);
}

static json_t *machine_json(const dcnn_machine *m) {
    return json_pack("{s:s, s:i, s:i, s:i, s:i, s:s, s:b, s:b, s:s, s:s, s:s, s:f, s:o, s:o, s:s, s:o, s:o, s:o, s:b}",
                     "host", m->host, "ranks", m->node_size, "cores", m->cores, "usable_cores", m->node_cores,
                     "cores_of_a_rank", m->bound, "kernels", m->isa, "amx", m->amx, "amx_permitted", m->amx_permitted,
                     "openblas_core", m->blas, "mpi", m->mpi, "hdf5", m->hdf5, "mhz", m->mhz, "memory_bytes",
                     limit_json(m->memory), "memory_left_bytes", limit_json(m->memory_left), "memory_bound_by",
                     m->memory_bound, "address_space_left_bytes", limit_json(m->address_left), "shm_bytes",
                     limit_json(m->shm), "shm_left_bytes", limit_json(m->shm_left), "shares_memory", m->shares);
}

static json_t *link_json(const dcnn_link *link) {
    if (link->ranks == 0) return json_null();
    return json_pack("{s:f, s:f}", "latency_s", link->latency_s, "bytes_per_s", link->bytes_per_s);
}

static json_t *folder_json(const dcnn_folder_facts *f) {
    return json_pack("{s:o, s:s, s:s, s:b, s:f, s:f, s:o}", "path", dcnn_json_shown(f->path), "type", f->type,
                     "failure", f->failure, "locks", f->locks, "fsync_s", f->fsync_s, "write_bytes_per_s",
                     isfinite(f->write_bytes_per_s) ? f->write_bytes_per_s : 0.0, "free_bytes",
                     limit_json(f->free_bytes));
}

static dcnn_status print_json(const dcnn_diagnosis *d) {
    json_t *nodes = json_array(), *findings = json_array();
    for (int i = 0; i < d->ranks; i++)
        if (d->machines[i].node_rank == 0) json_array_append_new(nodes, machine_json(&d->machines[i]));
    for (int i = 0; i < d->found && i < DCNN_MOST_FINDINGS; i++)
        json_array_append_new(findings,
                              json_pack("{s:s, s:o, s:o, s:s}", "kind", d->findings[i].slow ? "slow" : "wrong", "where",
                                        dcnn_json_shown(d->findings[i].where), "what",
                                        dcnn_json_shown(d->findings[i].what), "remedy", d->findings[i].remedy));
    return dcnn_json_print(json_pack("{s:s, s:i, s:o, s:o, s:o, s:o, s:i, s:o}", "dcnn", DCNN_VERSION, "ranks",
                                     d->ranks, "nodes", nodes, "between_nodes", link_json(&d->between), "within_a_node",
                                     link_json(&d->within), "folder", folder_json(&d->folder), "found", d->found,
                                     "findings", findings));
}

/* Without a job, as where the ranks could not be brought together, of this process alone. */
dcnn_status dcnn_cmd_doctor(dcnn_cli *cli) {
    dcnn_diagnosis d;
    dcnn_comm *alone = NULL;
    char path[PATH_MAX];
    const char *run = cli->options->run ? cli->options->run : "runs";
    if (strlen(run) >= sizeof path)
        return DCNN_FAIL(DCNN_BAD_INPUT, "--run has %zu characters: the name of a folder can have %d", strlen(run),
                         PATH_MAX - 1);
    if (cli->job == NULL) DCNN_TRY(dcnn_comm_create_alone(&alone));
    dcnn_status status = dcnn_diagnose(alone ? alone : cli->job, existing_folder(run, path), cli->refusal, &d);
    if (status == DCNN_OK && cli->speaks) {
        if (cli->options->json)
            status = print_json(&d);
        else
            print_diagnosis(&d);
        fflush(stdout); /* before what is said on the other stream */
        if (status == DCNN_OK && d.found > 0)
            status =
                DCNN_FAIL(DCNN_FAILURE, "%d thing%s wrong or slow: see above", d.found, d.found == 1 ? " is" : "s are");
    }
    if (status != DCNN_OK && !cli->speaks) status = DCNN_OK;
    dcnn_diagnosis_free(&d);
    dcnn_comm_free(alone);
    return status;
}
