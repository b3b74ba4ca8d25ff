/* SPDX-License-Identifier: BSD-3-Clause */
/* test_near.c — which socket and NUMA domain a process is bound to, by what Linux says, and what doctor says where
 * ranks are bound to none. */
#include "io_helpers.h"

#include <sched.h>

#include "base/cores.h"
#include "doctor/doctor.h"

/* A core of a machine that we make up. */
static void put_core(int core, int socket, int numa) {
    char path[200], number[20];
    snprintf(path, sizeof path, "sys/devices/system/cpu/cpu%d/topology", core);
    assert_ok(dcnn_folder_create(in_scratch(path)));
    snprintf(path, sizeof path, "sys/devices/system/cpu/cpu%d/topology/physical_package_id", core);
    snprintf(number, sizeof number, "%d\n", socket);
    put_text(in_scratch(path), number);
    snprintf(path, sizeof path, "sys/devices/system/cpu/cpu%d/node%d", core, numa);
    assert_ok(dcnn_folder_create(in_scratch(path)));
}

/* All cores that we may run on, and two more. */
static void sockets_and_numa_domains_are_found(void **state) {
    (void)state;
    cpu_set_t mask;
    int last = 0;
    dcnn_machine machine;
    assert_int_equal(sched_getaffinity(0, sizeof mask, &mask), 0);
    assert_int_equal(dcnn_cores_near(scratch, DCNN_NEAR_SOCKET), -1); /* nothing is said */
    assert_int_equal(dcnn_cores_near(scratch, DCNN_NEAR_NUMA), -1);
    for (int core = 0; core < CPU_SETSIZE; core++)
        if (CPU_ISSET((size_t)core, &mask)) last = core;
    for (int core = 0; core <= last; core++) put_core(core, 1, 5);
    assert_int_equal(dcnn_cores_near(scratch, DCNN_NEAR_SOCKET), 1);
    assert_int_equal(dcnn_cores_near(scratch, DCNN_NEAR_NUMA), 5);
    assert_false(dcnn_cores_have_several(scratch, DCNN_NEAR_SOCKET));
    put_core(last + 1, 0, 4);
    assert_true(dcnn_cores_have_several(scratch, DCNN_NEAR_SOCKET));
    assert_true(dcnn_cores_have_several(scratch, DCNN_NEAR_NUMA));
    assert_int_equal(dcnn_cores_near(scratch, DCNN_NEAR_SOCKET), 1);
    dcnn_machine_look(scratch, &machine);
    assert_false(machine.scattered);
    if (CPU_COUNT(&mask) < 2) return;
    char path[200];
    put_core(last, 0, 4); /* now on both */
    snprintf(path, sizeof path, "sys/devices/system/cpu/cpu%d/node5", last);
    rmdir(in_scratch(path));
    assert_int_equal(dcnn_cores_near(scratch, DCNN_NEAR_SOCKET), -1);
    assert_int_equal(dcnn_cores_near(scratch, DCNN_NEAR_NUMA), -1);
    dcnn_machine_look(scratch, &machine);
    assert_true(machine.scattered);
    put_core(last, 1, 4); /* on two NUMA domains of one socket */
    dcnn_machine_look(scratch, &machine);
    assert_false(machine.scattered);
}

/* Two nodes, whose ranks are bound to sockets but for some of the second one. */
static int count_findings(int ranks, int scattered) {
    dcnn_machine machines[2 * 16];
    dcnn_diagnosis d = {.ranks = 2 * ranks, .nodes = 2, .machines = machines};
    int found = 0;
    for (int i = 0; i < 2 * ranks; i++)
        machines[i] =
            (dcnn_machine){.node_rank = i % ranks, .node_size = ranks, .scattered = i >= 2 * ranks - scattered};
    dcnn_diagnosis_judge(&d);
    for (int i = 0; i < d.found && i < DCNN_MOST_FINDINGS; i++)
        found += strstr(d.findings[i].what, "not bound to a socket") != NULL;
    return found;
}

static void ranks_without_a_socket_are_told(void **state) {
    (void)state;
    assert_int_equal(count_findings(16, 0), 0);
    assert_int_equal(count_findings(16, 3), 1);
    assert_int_equal(count_findings(4, 4), 0); /* so few need none */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sockets_and_numa_domains_are_found),
        cmocka_unit_test(ranks_without_a_socket_are_told),
    };
    return cmocka_run_group_tests_name("near", tests, set_up, tear_down);
}
