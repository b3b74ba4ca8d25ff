/* SPDX-License-Identifier: BSD-3-Clause */
/* test_doctor.c — what the doctor says of cores that others use, from readings that are made up; its probe of a folder.
 */
#include "io_helpers.h"

#include <sys/stat.h>
#include <utime.h>

#include "doctor/doctor.h"

/* A node of so many cores, and its ranks, with which nothing is wrong. */
static dcnn_diagnosis good(int cores, int ranks, dcnn_machine *machines) {
    dcnn_diagnosis d = {.ranks = ranks, .nodes = 1, .machines = machines};
    for (int i = 0; i < ranks; i++)
        machines[i] = (dcnn_machine){.host = "n1",
                                     .node_rank = i,
                                     .node_size = ranks,
                                     .cores = cores,
                                     .bound = cores,
                                     .node_cores = cores,
                                     .memory_left = (uint64_t)8 << 30,
                                     .address_left = UINT64_MAX,
                                     .shm_left = (uint64_t)8 << 30,
                                     .shares = true,
                                     .sees_folder = true};
    d.folder =
        (dcnn_folder_facts){.path = "runs", .locks = true, .write_bytes_per_s = 1e9, .free_bytes = (uint64_t)8 << 30};
    return d;
}

/* Of `cores`, all others than the ranks' own use so many. */
static void expect(int cores, int node_cores, int ranks, double own, double others, const char *what) {
    dcnn_machine machines[4];
    dcnn_diagnosis d = good(cores, ranks, machines);
    for (int i = 0; i < ranks; i++) {
        machines[i].node_cores = node_cores;
        machines[i].own_busy = own;
        machines[i].busy = ranks * own + others;
    }
    dcnn_diagnosis_judge(&d);
    assert_int_equal(d.found, what ? 1 : 0);
    if (what == NULL) return;
    assert_true(d.findings[0].slow);
    assert_non_null(strstr(d.findings[0].what, what));
    assert_non_null(strstr(d.findings[0].remedy, "--exclusive"));
}

static void cores_that_others_use_are_told(void **state) {
    (void)state;
    expect(2, 2, 1, 0.4, 0.0, NULL);
    expect(2, 2, 1, 0.1, 1.9, "other processes use 1.9 of its 2 cores, and training needs 2");
    expect(2, 2, 2, 1.0, 0.0, NULL); /* ranks that wait for each other are no others */
    expect(4, 4, 2, 1.0, 1.5, "other processes use 1.5 of its 4 cores");
    expect(64, 16, 1, 1.0, 48.0, NULL); /* a node that is shared, as asked for */
    expect(64, 16, 1, 1.0, 60.0, "other processes use 60.0 of its 64 cores, and training needs 16");
    expect(16, 16, 1, 1.0, 0.4, NULL);
    expect(2, 2, 1, 0.5, -0.5, NULL); /* a kernel that counts nothing */
}

static void work_is_read_and_taken(void **state) {
    (void)state;
    const dcnn_work from = {.cores_s = 100.0, .own_s = 1.0, .at_s = 10.0}, to = {103.0, 1.5, 12.0}, none = {0};
    dcnn_machine m = {0};
    dcnn_machine_take_work(&from, &to, &m);
    assert_true(m.busy == 1.5 && m.own_busy == 0.25);
    m = (dcnn_machine){0};
    dcnn_machine_take_work(&none, &to, &m);
    assert_true(m.busy == 0.0 && m.own_busy == 0.0);
    assert_true(dcnn_work_read(in_scratch("nowhere")).at_s == 0.0);
    assert_ok(dcnn_folder_create(in_scratch("proc")));
    put_text(in_scratch("proc/stat"), "cpu  100 20 30 9000 5000 4 5 6 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n");
    const dcnn_work read = dcnn_work_read(scratch);
    assert_true(read.at_s > 0.0 && read.own_s > 0.0);
    assert_true(read.cores_s * (double)sysconf(_SC_CLK_TCK) == 165.0);
}

/* Nothing of that name is waited for, written to or removed; two doctors do not meet; names may be long. */
static void a_probe_is_a_new_file(void **state) {
    (void)state;
    enum { PARTS = 5 };
    char folder[2048], part[202], other[2200];
    dcnn_folder_facts facts;
    snprintf(folder, sizeof folder, "%s", in_scratch("probed"));
    memset(part, 'p', sizeof part - 1);
    part[0] = '/';
    part[sizeof part - 1] = '\0';
    assert_ok(dcnn_folder_create(folder));
    for (int i = 0; i < PARTS; i++) assert_ok(dcnn_folder_create(strcat(folder, part)));
    snprintf(other, sizeof other, "%s/.dcnn-doctor", folder);
    assert_int_equal(mkfifo(other, 0600), 0);
    alarm(60);
    for (uint64_t token = 1; token <= 2; token++) {
        dcnn_folder_look(folder, token, &facts);
        assert_string_equal(facts.failure, "");
        assert_string_equal(facts.path, folder);
    }
    alarm(0);
    assert_true(dcnn_folder_has(folder, 1) && dcnn_folder_has(folder, 2) && !dcnn_folder_has(folder, 3));
    dcnn_folder_clean(folder, 1);
    assert_true(!dcnn_folder_has(folder, 1) && dcnn_folder_has(folder, 2) && access(other, F_OK) == 0);
    snprintf(other, sizeof other, "%s/.dcnn-doctor-%016x", folder, 2);
    assert_int_equal(utime(other, &(struct utimbuf){0}), 0);
    dcnn_folder_look(folder, 3, &facts); /* as of a doctor that was killed long ago */
    assert_true(!dcnn_folder_has(folder, 2) && dcnn_folder_has(folder, 3));
    dcnn_folder_clean(folder, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(cores_that_others_use_are_told),
                                       cmocka_unit_test(work_is_read_and_taken),
                                       cmocka_unit_test(a_probe_is_a_new_file)};
    return cmocka_run_group_tests_name("doctor", tests, set_up, tear_down);
}
