/* SPDX-License-Identifier: BSD-3-Clause */
/* terminal.c — see terminal.h. */
#include "cli/terminal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Is the parent process Open MPI's launcher? On another machine than mpirun's it is a daemon of another name. */
static bool parent_is_mpirun(void) {
    static const char *const names[] = {"mpirun", "mpiexec", "orterun"};
    char path[64], name[32] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", (int)getppid());
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    const bool read = fgets(name, sizeof name, file) != NULL;
    fclose(file);
    name[strcspn(name, "\n")] = '\0';
    for (size_t i = 0; read && i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

/* mpirun's --tag-output and --timestamp-output put words before each piece that they pass on; --output-filename copies
 * it to a file. */
static bool output_is_marked(void) {
    static const char *const names[] = {"OMPI_MCA_orte_tag_output", "OMPI_MCA_orte_timestamp_output",
                                        "OMPI_MCA_orte_output_filename"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (getenv(names[i])) return true;
    return false;
}

/* mpirun reads the standard error of its processes from a pipe and writes it to its own. */
static int open_relayed(void) {
    struct stat about;
    char path[64];
    if (fstat(STDERR_FILENO, &about) != 0 || !S_ISFIFO(about.st_mode)) return -1;
    if (!parent_is_mpirun() || output_is_marked()) return -1;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getppid(), STDERR_FILENO);
    const int descriptor = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor >= 0 && isatty(descriptor)) return descriptor;
    if (descriptor >= 0) close(descriptor);
    return -1;
}

dcnn_terminal dcnn_terminal_open(void) {
    if (isatty(STDERR_FILENO)) return (dcnn_terminal){.descriptor = STDERR_FILENO};
    const int descriptor = open_relayed();
    return (dcnn_terminal){.descriptor = descriptor, .relayed = descriptor >= 0};
}

void dcnn_terminal_close(dcnn_terminal *terminal) {
    if (terminal->relayed) close(terminal->descriptor);
    *terminal = (dcnn_terminal){.descriptor = -1};
}

int dcnn_terminal_columns(const dcnn_terminal *terminal) {
    struct winsize size;
    return ioctl(terminal->descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}
