/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c — from the command line to a command and its exit code.
 *
 * Every rank parses the same arguments and comes to the same end; only rank 0 speaks. A command of one process starts
 * MPI only if a launcher started several: then rank 0 works and the others wait for its status. Where ranks are more
 * than cores, the idle ones sleep (comm/comm.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/launcher.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/manual.h"
#include "cli/progress.h"
#include "cli/terminal.h"
#include "cli/wrap.h"
#include "guard/launch.h"
#include "guard/leftovers.h"
#include "guard/signals.h"
#include "guard/watchdog.h"
#include "io/hdf5/hdf5_file.h"

#define FUNCTION(ID, name) dcnn_cmd_##name,
static dcnn_status (*const functions[DCNN_COMMAND_COUNT])(dcnn_cli *cli) = {DCNN_COMMANDS(FUNCTION)};
#undef FUNCTION

/* Before MPI knows. */
static bool is_first_process(void) {
    return dcnn_launcher_rank() == 0;
}

/* --- speaking --------------------------------------------------------------------------------------------------- */

/* People get whole words; files and pipes, which programs read, whole lines. */
static void write_log(dcnn_log_level level, const char *line) {
    enum { INDENT = 6 }; /* "data  ", "model " */
    const char *before = level == DCNN_LOG_WARNING ? "dcnn: warning: " : "";
    dcnn_terminal terminal = dcnn_terminal_open();
    dcnn_bar_clear();
    fputs(before, stderr);
    if (terminal.descriptor >= 0)
        dcnn_wrap(stderr, dcnn_terminal_columns(&terminal) + 1, (int)strlen(before), INDENT, line);
    else
        fprintf(stderr, "%s\n", line);
    dcnn_terminal_close(&terminal);
}

static void open_log(const dcnn_options *options) {
    dcnn_log_to(write_log, options->quiet ? DCNN_LOG_WARNING : options->verbose ? DCNN_LOG_DEBUG : DCNN_LOG_INFO);
}

static dcnn_status report(bool speaks, const dcnn_options *options, dcnn_status status) {
    if (speaks) dcnn_bar_clear();
    if (status != DCNN_OK && speaks) {
        fprintf(stderr, "dcnn: %s\n", dcnn_error());
        if (options && options->verbose) fprintf(stderr, "dcnn: noticed at %s\n", dcnn_error_place());
    }
    return status;
}

/* The end of a process that did not get to MPI. mpirun ends all ranks when the first one fails: rank 0 needs a moment
 * to say why. */
static dcnn_status report_early(const dcnn_options *options, dcnn_status status) {
    const struct timespec moment = {.tv_nsec = 300000000};
    if (status != DCNN_OK && !is_first_process()) nanosleep(&moment, NULL);
    return report(is_first_process(), options, status);
}

/* Is standard output a pipe whose reader has gone? The errno of the write that found out may be long lost. */
static bool reader_is_gone(void) {
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&out, 1, 0) == 1 && (out.revents & POLLERR);
}

/* Results that cannot be delivered are a failure, unless nobody wants to read on (dcnn … | head). */
static dcnn_status flush_results(void) {
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return DCNN_OK;
    return reader_is_gone() ? DCNN_OK
                            : DCNN_FAIL(DCNN_FAILURE, "cannot write to standard output: %s",
                                        errno ? strerror(errno) : "is the disk full?");
}

/* --- help and versions ------------------------------------------------------------------------------------------ */

static dcnn_status print_version(void) {
    char hdf5[32];
    dcnn_isa isa;
    DCNN_TRY(dcnn_isa_choose(&isa));
    if (!is_first_process()) return DCNN_OK;
    const char *blas = dcnn_blas_version();
    if (strncmp(blas, "OpenBLAS ", 9) == 0) blas += 9;
    printf("dcnn " DCNN_VERSION "\n"
           "MPI       %s\n"
           "HDF5      %s\n"
           "OpenBLAS  %.*s, %s core\n"
           "kernels   %s\n",
           dcnn_comm_version(), dcnn_hdf5_version(hdf5), (int)strcspn(blas, " "), blas, dcnn_blas_core(),
           dcnn_isa_name(isa));
    return flush_results();
}

static dcnn_status fail_unknown_command(const char *name) {
    const char *nearest = dcnn_command_nearest(name);
    if (name[0] == '-')
        return DCNN_FAIL(DCNN_USAGE, "unknown option '%.60s' before the command (see 'dcnn --help')", name);
    if (nearest)
        return DCNN_FAIL(DCNN_USAGE, "unknown command '%.60s'; did you mean '%s'? (see 'dcnn --help')", name, nearest);
    return DCNN_FAIL(DCNN_USAGE, "unknown command '%.60s' (see 'dcnn --help')", name);
}

static dcnn_status help(const char *command_name) {
    const int command = command_name ? dcnn_command_find(command_name) : 0;
    if (command < 0) return fail_unknown_command(command_name);
    if (is_first_process()) {
        if (command_name)
            dcnn_options_help((dcnn_command_id)command, stdout);
        else
            dcnn_commands_help(stdout);
    }
    return flush_results();
}

/* What is installed beside the program: `dcnn help --man [COMMAND]`, `dcnn help --completion SHELL`; and the commands'
 * names, one a line, for who makes all of it. */
static dcnn_status help_for_programs(const char *what, const char *word) {
    if (strcmp(what, "--man") == 0) {
        const int command = word ? dcnn_command_find(word) : -1;
        if (word && command < 0) return fail_unknown_command(word);
        dcnn_manual_page(command, stdout);
    } else if (strcmp(what, "--commands") == 0) {
        for (int i = 0; i < DCNN_COMMAND_COUNT; i++) puts(dcnn_command_table[i].name);
    } else if (strcmp(what, "--completion") == 0 && word) {
        DCNN_TRY(dcnn_completion(word, stdout));
    } else {
        return DCNN_FAIL(DCNN_USAGE, "help %.60s: give --man [COMMAND], --commands, or --completion bash, zsh or fish",
                         what);
    }
    return flush_results();
}

/* --- running a command ------------------------------------------------------------------------------------------ */

/* OpenBLAS chooses its kernels when it is loaded, so a better choice needs a new start (blas.c). The variable
 * itself keeps that from happening twice: once it is set, no better core is offered. */
static void start_with_better_blas(char **argv) {
    const char *core = dcnn_blas_better_core();
    char program[4096]; /* its own name, for top and pkill would know a process started by the link as "exe" */
    const ssize_t length = core ? readlink("/proc/self/exe", program, sizeof program - 1) : -1;
    if (length < 0 || setenv("OPENBLAS_CORETYPE", core, 0) != 0) return;
    program[length] = 0;
    execv(program, argv);
}

static dcnn_status run_alone(dcnn_command_id command, dcnn_cli *cli) {
    open_log(cli->options);
    dcnn_status status = functions[command](cli);
    if (status == DCNN_OK) status = flush_results();
    return report(true, cli->options, status);
}

void dcnn_cli_speak(dcnn_cli *cli) {
    cli->speaks = true;
    open_log(cli->options);
}

/* What an idle rank does of a command. */
static dcnn_status stand_by(const dcnn_cli *cli) {
    const dcnn_call call = dcnn_comm_await_call(cli->job, DCNN_CALL_NONE);
    if (call != DCNN_CALL_WATCH) return DCNN_OK;
    dcnn_signals_catch();
    DCNN_TRY(dcnn_cli_watch(cli, ""));
    dcnn_comm_await_call(cli->job, call);
    return DCNN_OK;
}

static dcnn_status run_in_parallel(dcnn_command_id command, dcnn_cli *cli) {
    DCNN_TRY(dcnn_comm_choose_workers(cli->job, &cli->comm));
    if (cli->comm == NULL) return stand_by(cli);
    const dcnn_status status = functions[command](cli);
    dcnn_comm_call(cli->job, DCNN_CALL_END);
    return status;
}

/* Starts MPI where that can be meant: one process manager, and cores for all ranks. */
static dcnn_status start_mpi(int *argc, char ***argv, dcnn_comm **comm) {
    DCNN_TRY(dcnn_launch_check_environment());
    DCNN_TRY(dcnn_launch_check_srun(dcnn_comm_version()));
    DCNN_TRY(dcnn_comm_start(argc, argv, comm));
    return dcnn_comm_agree(*comm, dcnn_launch_check_cores(dcnn_comm_node_size(*comm), dcnn_comm_node_cores(*comm)));
}

/* Of a job that MPI cannot bring together, one process says why. The others keep quiet until it has. */
static dcnn_status diagnose_alone(dcnn_command_id command, dcnn_cli *cli) {
    char refusal[1024];
    snprintf(refusal, sizeof refusal, "%s", dcnn_error());
    cli->refusal = refusal;
    cli->speaks = is_first_process();
    dcnn_status status = DCNN_FAILURE;
    if (cli->speaks) {
        open_log(cli->options);
        status = functions[command](cli);
        if (status == DCNN_OK)
            status = flush_results();
        else
            fflush(stdout); /* before the message that says why */
    }
    cli->refusal = NULL;
    return report_early(cli->options, status);
}

static dcnn_status run_with_mpi(dcnn_command_id command, int *argc, char ***argv, dcnn_cli *cli) {
    dcnn_comm *comm = NULL;
    signal(SIGPIPE, SIG_IGN); /* a run must not die of a terminal that was closed */
    dcnn_status status = start_mpi(argc, argv, &comm);
    if (status != DCNN_OK && dcnn_command_table[command].diagnoses) {
        dcnn_comm_finish(comm);
        return diagnose_alone(command, cli);
    }
    if (status != DCNN_OK) {
        report_early(cli->options, status);
        dcnn_comm_finish(comm);
        return status;
    }
    const bool parallel = dcnn_command_table[command].parallel, helped = dcnn_command_table[command].helped;
    cli->speaks = false;
    if (dcnn_comm_rank(comm) == 0) dcnn_cli_speak(cli);
    if (dcnn_comm_domain_rank(comm) == 0) dcnn_leftovers_remove();
    const bool together = parallel || helped || dcnn_command_table[command].diagnoses;
    if (together) cli->job = comm;
    if (together || cli->speaks) status = parallel ? run_in_parallel(command, cli) : functions[command](cli);
    /* Before others may end: mpirun kills what still writes once a rank has ended with a failure, and what could be
     * predicted of a folder with one broken image is a result. */
    if (cli->speaks && status == DCNN_OK)
        status = flush_results();
    else if (cli->speaks)
        fflush(stdout);
    status = report(cli->speaks, cli->options, dcnn_comm_agree(comm, status));
    dcnn_signals_leave();
    dcnn_comm_finish(comm); /* after the report, for the same reason as in report_early() */
    dcnn_watchdog_stop();   /* last: the end of MPI may hang as anything else */
    return status;
}

/* "dcnn" and the words behind it; null for one that is not UTF-8. */
static json_t *words_of(int argc, char **argv) {
    json_t *words = json_array();
    json_array_append_new(words, json_string("dcnn"));
    for (int i = 0; i < argc; i++) {
        json_t *word = json_string(argv[i]);
        json_array_append_new(words, word ? word : json_null());
    }
    return words;
}

static dcnn_status run(dcnn_command_id command, int argc, char **argv) {
    dcnn_options options;
    dcnn_cli cli = {.options = &options, .command = words_of(argc, argv), .speaks = true};
    dcnn_status status = dcnn_options_parse(command, argc, argv, &options); /* changes the words' order */
    if (status == DCNN_OK && options.help) status = help(dcnn_command_table[command].name);
    if (status == DCNN_OK && !options.help) status = dcnn_launch_check_stack();
    if (status != DCNN_OK || options.help)
        status = report_early(&options, status);
    else if (dcnn_command_table[command].parallel || dcnn_command_table[command].diagnoses || dcnn_launcher_ranks() > 1)
        status = run_with_mpi(command, &argc, &argv, &cli);
    else
        status = run_alone(command, &cli);
    json_decref(cli.command);
    return status;
}

/* --- the process's ends ----------------------------------------------------------------------------------------- */

/* Ends the process, without the libraries' last words where those of OpenBLAS would never come (kernels.h). */
static _Noreturn void leave(int code) {
    if (!dcnn_blas_may_wait_at_exit()) exit(code);
    fflush(NULL);
    _exit(code);
}

/* Memory for jansson, which drops what it finds no room for: a description would be read as another one. */
static void *memory_or_end(size_t bytes) {
    void *memory = malloc(bytes);
    if (memory) return memory;
    static const char words[] = "dcnn: out of memory\n";
    if (write(STDERR_FILENO, words, sizeof words - 1) < 0) leave(DCNN_FAILURE); /* there is nowhere else to say it */
    leave(DCNN_FAILURE);
}

/* A standard stream that the caller has closed is /dev/null, the wrong way round, so that reading or writing fails as
 * before: the next file that is opened would take its place, and messages would be written into it. */
static void hold_standard_streams(void) {
    for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; stream++)
        if (fcntl(stream, F_GETFD) < 0 && open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
            leave(DCNN_FAILURE); /* and there may be nowhere to say it */
}

static dcnn_status answer(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "";
    const int command = dcnn_command_find(name);
    const bool version = strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0;
    dcnn_signals_tell_cut_files();
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of write(), told as such */
    if (version || (command >= 0 && (dcnn_command_table[command].parallel || dcnn_command_table[command].diagnoses)))
        start_with_better_blas(argv);
    if (command >= 0) return run((dcnn_command_id)command, argc - 1, argv + 1);
    if (version) return report_early(NULL, print_version());
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) return report_early(NULL, help(NULL));
    if (strcmp(name, "help") == 0 && argc > 2 && argv[2][0] == '-')
        return report_early(NULL, help_for_programs(argv[2], argc > 3 ? argv[3] : NULL));
    if (strcmp(name, "help") == 0) return report_early(NULL, help(argc > 2 ? argv[2] : NULL));
    if (argc > 1) return report_early(NULL, fail_unknown_command(name));
    if (is_first_process()) dcnn_commands_help(stderr);
    return DCNN_USAGE;
}

int main(int argc, char **argv) {
    hold_standard_streams();
    json_set_alloc_funcs(memory_or_end, free);
    leave((int)answer(argc, argv));
}
