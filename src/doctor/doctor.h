/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file doctor.h — what the machines, the network between them and the run's file system can do, and what is wrong with
 * them: facts that every rank finds, gathered on rank 0, and findings with what mends each.
 */
#ifndef DCNN_DOCTOR_DOCTOR_H
#define DCNN_DOCTOR_DOCTOR_H

#include "comm/comm.h"
#include "guard/free_memory.h"

/** What one rank finds on its machine. Plain bytes: it travels. */
typedef struct dcnn_machine {
    char host[64];
    int node_rank, node_size; /**< the rank's number among those of its node */
    int cores, bound;         /**< of the machine, online; that this rank may use */
    int node_cores;           /**< that the node's ranks may use together */
    bool oversubscribed;      /**< the node's ranks are more */
    double busy,
        own_busy;   /**< cores of the machine at work while the doctor looked; of that, this rank's; 0: not known */
    bool scattered; /**< this one may run on several sockets, or NUMA domains of the only one */
    char isa[16];   /**< best instruction set */
    bool amx, amx_permitted; /**< the CPU has AMX; Linux lets this process use it */
    char blas[32], mpi[64], hdf5[32];
    double mhz, most_mhz;                                      /**< of a core; 0: not said */
    double wall_s;                                             /**< its clock, when all had met */
    uint64_t memory, memory_left, address_left, shm, shm_left; /**< bytes; UINT64_MAX: no limit */
    char memory_bound[64];                                     /**< what bounds memory_left */
    bool shares;                                               /**< ranks of the node can share memory */
    bool infiniband;                                           /**< there is an adapter */
    bool sees_folder; /**< the run's folder holds what rank 0 has just written there */
} dcnn_machine;

/** Messages between two ranks. */
typedef struct dcnn_link {
    int ranks; /**< 0: there are no two such ranks */
    double latency_s, bytes_per_s;
} dcnn_link;

/** The file system of the run's folder, by rank 0. */
typedef struct dcnn_folder_facts {
    char path[4096], type[16];
    char failure[256]; /**< what could not be done there; "": all could */
    bool locks;
    double fsync_s, write_bytes_per_s;
    uint64_t free_bytes;
} dcnn_folder_facts;

/** Something that is wrong, or slow, and what mends it. */
typedef struct dcnn_finding {
    bool slow; /**< else wrong */
    char where[4096], what[512], remedy[320];
} dcnn_finding;

enum { DCNN_MOST_FINDINGS = 64 };

/** The whole. */
typedef struct dcnn_diagnosis {
    int ranks, nodes, found; /**< found: findings, those beyond DCNN_MOST_FINDINGS are only counted */
    dcnn_machine *machines;  /**< [ranks] on rank 0 */
    dcnn_link within, between;
    dcnn_folder_facts folder;
    dcnn_finding findings[DCNN_MOST_FINDINGS];
} dcnn_diagnosis;

/**
 * Looks at everything. *Collective.*
 * @param folder     of the run to come, or one above it that there is; read on rank 0
 * @param refusal    why the ranks could not be brought together, if so: the first finding; else NULL
 * @param diagnosis  out; the findings are rank 0's. Free with dcnn_diagnosis_free()
 * @return DCNN_OK, whatever was found; DCNN_FAILURE (memory)
 */
dcnn_status dcnn_diagnose(dcnn_comm *comm, const char *folder, const char *refusal, dcnn_diagnosis *diagnosis);
void dcnn_diagnosis_free(dcnn_diagnosis *diagnosis);

/* --- the parts ---------------------------------------------------------------------------------------------------- */

/** What can be said without other ranks. *Local.* @param root  "", or a made-up machine's (tests) */
void dcnn_machine_look(const char *root, dcnn_machine *machine);

/** Seconds that all cores of a machine, and this process alone, have worked, and the clock; zeros: not known. */
typedef struct dcnn_work {
    double cores_s, own_s, at_s;
} dcnn_work;

/** *Local.* @param root  "", or a made-up machine's (tests) */
dcnn_work dcnn_work_read(const char *root);

/** Fills in how many cores worked between two readings. *Local*, pure. */
void dcnn_machine_take_work(const dcnn_work *from, const dcnn_work *to, dcnn_machine *machine);

/** Tries locks, fsync and writing in a folder; leaves `token` in a new file, FOLDER/.dcnn-doctor-TOKEN, until
 * dcnn_folder_clean(), and removes those that killed doctors left. *Local.* */
void dcnn_folder_look(const char *folder, uint64_t token, dcnn_folder_facts *facts);
bool dcnn_folder_has(const char *folder, uint64_t token);
void dcnn_folder_clean(const char *folder, uint64_t token);

/** Fills in the findings from everything else. *Local*, pure. */
void dcnn_diagnosis_judge(dcnn_diagnosis *diagnosis);

#endif
