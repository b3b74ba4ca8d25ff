/* SPDX-License-Identifier: BSD-3-Clause */
/* test_free_memory.c — how much memory is left, from what Linux says of machine and control groups. */
#include "io_helpers.h"
#include "base/text.h"

#include "guard/free_memory.h"
#include "run/memory.h"

/* SCRATCH/FOLDER/NAME of a machine that we make up. */
static void say(const char *folder, const char *name, const char *text) {
    char path[200];
    assert_ok(dcnn_folder_create(in_scratch(folder)));
    snprintf(path, sizeof path, "%s/%s", folder, name);
    put_text(in_scratch(path), text);
}

static void expect(uint64_t bytes, const char *bound_by) {
    const dcnn_free_memory left = dcnn_free_memory_of_process(scratch);
    if (left.bytes != bytes || !strstr(left.bound_by, bound_by))
        fail_msg("%llu by %s", (unsigned long long)left.bytes, left.bound_by);
}

static void the_tightest_bound_counts(void **state) {
    (void)state;
    expect(UINT64_MAX, "nothing");
    say("proc", "meminfo", "MemTotal:       1000 kB\nMemAvailable:    800 kB\n");
    expect(800 * 1024, "free memory");
    say("proc/self", "cgroup", "0::/job/step\n");
    expect(800 * 1024, "free memory");
    say("sys/fs/cgroup/job/step", "memory.max", "max\n");
    say("sys/fs/cgroup/job/step", "memory.current", "5000\n");
    expect(800 * 1024, "free memory");
    say("sys/fs/cgroup/job", "memory.max", "500000\n"); /* of the group above: binds as well */
    say("sys/fs/cgroup/job", "memory.current", "450000\n");
    say("sys/fs/cgroup/job", "memory.stat", "anon 100\ninactive_file 200000\nactive_file 50000\n");
    expect(300000, "limit of this job");
    say("sys/fs/cgroup/job", "memory.current", "900000\n");
    expect(0, "limit of this job");
    unlink(in_scratch("sys/fs/cgroup/job/memory.max"));
    say("sys/fs/cgroup", "memory.max", "600000\n"); /* in a container the path is not to be found */
    say("sys/fs/cgroup", "memory.current", "100000\n");
    expect(500000, "limit of this job");
    unlink(in_scratch("sys/fs/cgroup/memory.max"));
    say("proc/self", "cgroup", "5:cpu,memory:/slurm/uid_0/job_7\n1:name=systemd:/\n0::/\n");
    say("sys/fs/cgroup/memory/slurm/uid_0/job_7", "memory.limit_in_bytes", "400000\n");
    say("sys/fs/cgroup/memory/slurm/uid_0/job_7", "memory.usage_in_bytes", "150000\n");
    say("sys/fs/cgroup/memory/slurm/uid_0/job_7", "memory.stat", "total_inactive_file 50000\n");
    expect(300000, "limit of this job");
    say("sys/fs/cgroup/memory/slurm", "memory.limit_in_bytes", "9223372036854771712\n"); /* none */
    say("sys/fs/cgroup/memory/slurm", "memory.usage_in_bytes", "150000\n");
    expect(300000, "limit of this job");
}

static void kills_for_memory_are_counted(void **state) {
    (void)state;
    say("proc/self", "cgroup", "0::/box/step\n");
    assert_int_equal(dcnn_memory_kills(scratch), -1);
    say("sys/fs/cgroup/box/step", "memory.events", "low 0\noom 4\noom_kill 2\noom_group_kill 0\n");
    assert_int_equal(dcnn_memory_kills(scratch), 2);
    say("sys/fs/cgroup/box", "memory.events", "oom_kill 3\n"); /* of all groups below */
    assert_int_equal(dcnn_memory_kills(scratch), 3);
    say("proc/self", "cgroup", "5:memory:/old/step\n");
    say("sys/fs/cgroup/memory/old/step", "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n");
    assert_int_equal(dcnn_memory_kills(scratch), 7);
}

static void what_does_not_fit_is_refused(void **state) {
    (void)state;
    const dcnn_need need = {.node = 3000, .process = 2000, .images = 1000, .weights = 2000};
    const dcnn_free_memory small = {2500, "the box"}, large = {3000, "the box"}, tiny = {1999, "the shell"};
    assert_ok(dcnn_need_check(&need, large, small));
    assert_int_equal(dcnn_need_check(&need, small, large), DCNN_BAD_INPUT);
    assert_non_null(strstr(dcnn_error(), "the box leaves 2.4 KiB"));
    assert_int_equal(dcnn_need_check(&need, large, tiny), DCNN_BAD_INPUT);
    assert_non_null(strstr(dcnn_error(), "the shell leaves 2.0 KiB"));
}

static void this_machine_has_some(void **state) {
    (void)state;
    char text[32];
    assert_true(dcnn_free_memory_of_process("").bytes > 1 << 20);
    assert_true(dcnn_free_shared_memory().bytes > 0);
    assert_string_equal(dcnn_bytes_text(64 << 20, text), "64.0 MiB");
    assert_string_equal(dcnn_bytes_text((uint64_t)3 << 29, text), "1.5 GiB");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tightest_bound_counts), cmocka_unit_test(kills_for_memory_are_counted),
        cmocka_unit_test(what_does_not_fit_is_refused), cmocka_unit_test(this_machine_has_some)};
    return cmocka_run_group_tests_name("free_memory", tests, set_up, tear_down);
}
