/* SPDX-License-Identifier: BSD-3-Clause */
/* commands.c — the table of commands. */
#include "cli/commands.h"

#include <string.h>

#include "cli/nearest.h"

const dcnn_command dcnn_command_table[DCNN_COMMAND_COUNT] = {
    [DCNN_COMMAND_PREPARE] =
        {.name = "prepare",
         .operands = "SOURCE... -o DATA.h5",
         .least = 1,
         .most = -1,
         .summary = "make a data set from folders of images, tables, arrays",
         .details = "Finds out what each SOURCE is, says so, and writes one HDF5 data set with splits. "
                    "SOURCE is a folder of class folders of images (PNG, JPEG, BMP, PGM, PPM, WebP; "
                    "train, validation and test folders are splits), a list of lines path,label, a table "
                    "(CSV, TSV; .gz, .zip), NumPy files (.npz, or a pair of .npy), IDX or CIFAR files or a "
                    "folder of them, MATLAB files, or an HDF5 file of another program. Under mpirun all processes "
                    "decode images; the bytes are the same.",
         .helped = true},
    [DCNN_COMMAND_TRAIN] = {.name = "train",
                            .operands = "[DATA.h5]",
                            .most = 1,
                            .summary = "train a network, data-parallel: mpirun -np 8 dcnn train",
                            .details = "Trains a network on a data set, without DATA.h5 on the embedded digits. The "
                                       "result is the same, bit for bit, on any number of ranks and threads.",
                            .parallel = true},
    [DCNN_COMMAND_EVALUATE] = {.name = "evaluate",
                               .operands = "CHECKPOINT [DATA.h5]",
                               .least = 1,
                               .most = 2,
                               .summary = "exact metrics of a model on one split of a data set",
                               .details = "Prints loss, accuracy, classification report and confusion matrix; without "
                                          "DATA.h5 on the data set that the model was trained on.",
                               .parallel = true},
    [DCNN_COMMAND_PREDICT] =
        {.name = "predict",
         .operands = "CHECKPOINT INPUT...",
         .least = 2,
         .most = -1,
         .summary = "labels and probabilities of images",
         .details =
             "Labels images. INPUT is an image (PNG, JPEG, BMP, PGM, WebP) of any size, a folder or a list of "
             "images, a table (CSV), arrays (IDX, NumPy), a data set (.h5), or - for standard input: an image, "
             "or one path per line. Images named one by one are answered in a sentence each; otherwise, or with "
             "--output or --format, the result is a CSV: index, file, id, label, p0, p1, ..., the index from 0 in "
             "the order of the input; of a split it is that of dcnn show --split. What cannot be read is "
             "named, and does not stop the others.",
         .parallel = true},
    [DCNN_COMMAND_REPORT] =
        {.name = "report",
         .operands = "RUN [DATA.h5]",
         .least = 1,
         .most = 2,
         .summary = "figures and one page of a training run",
         .details = "Draws the results of a run, from its best.h5, into RUN/figures (PNG and SVG) and one page, "
                    "RUN/report.html; without DATA.h5 with the data set that the run was trained on.",
         .parallel = true},
    [DCNN_COMMAND_TUNE] =
        {.name = "tune",
         .operands = "[DATA.h5] NAME=VALUES...",
         .most = -1,
         .summary = "search over options of a training, by validation",
         .details = "Trains once for each setting of the options named, side by side on the job's ranks, and prints a "
                    "table, the best first by what makes an epoch better (validation; the test images have no say), "
                    "and the command that repeats the best. VALUES are a list, learning-rate=1e-3,3e-3; a range, "
                    "rotation-range=0:20 or learning-rate=1e-4:1e-2:log; or a range with a number of points, "
                    "mixup=0:0.4:5. Runs lie in RUN/trial-NNN, the table in RUN/trials.csv; --resume goes on with a "
                    "search that was killed.",
         .like = "train",
         .parallel = true},
    [DCNN_COMMAND_COMPARE] =
        {.name = "compare",
         .operands = "RUN...",
         .least = 2,
         .most = -1,
         .summary = "several runs side by side: figures, options, predictions",
         .details = "Prints the runs' results, the options that differ, and on how many images of a split their "
                    "best models name different classes.",
         .parallel = true},
    [DCNN_COMMAND_INFO] = {.name = "info",
                           .operands = "FILE [DATA.h5]",
                           .least = 1,
                           .most = 2,
                           .summary = "what is in a data set, model or checkpoint, and whether it is intact",
                           .details = "Checks a file's checksum and says what is in it: a data set, a model or "
                                      "checkpoint (.h5, .keras, .onnx), or the description of a model "
                                      "(Keras JSON). Of a model it says which layers a training with these options "
                                      "trains, and with a data set what an epoch costs on this machine."},
    [DCNN_COMMAND_EXPORT] = {.name = "export",
                             .operands = "MODEL -o FILE",
                             .least = 1,
                             .most = 1,
                             .summary = "a model in another format: .keras, .h5, .onnx, .safetensors",
                             .details =
                                 "Writes a model or checkpoint in the format that FILE's ending names: .keras "
                                 "(Keras 3), .h5 (Keras' legacy whole model), .weights.h5 (weights alone), .onnx "
                                 "(images are [N, channels, height, width] there), .safetensors (weights alone, by "
                                 "Keras' names). Class names and what the input is standardised by go with each."},
    [DCNN_COMMAND_SHOW] = {.name = "show",
                           .operands = "DATA.h5",
                           .least = 1,
                           .most = 1,
                           .summary = "draw a sample of a data set in the terminal",
                           .details = "Draws one image of a data set and names its label: in colour where the "
                                      "terminal says by COLORTERM that it has 24-bit colour, else in characters. "
                                      "Images that are wider than the terminal are made smaller."},
    [DCNN_COMMAND_BENCH] =
        {.name = "bench",
         .operands = "[DATA.h5]",
         .most = 1,
         .summary = "where the time goes, images a second, fraction of the peak",
         .details = "Measures this machine, then training step by step and operation by operation, then inference. "
                    "Without DATA.h5 on the embedded digits, or on random images if the model takes no digits. "
                    "GFLOP/s count what a layer's definition multiplies: a kernel that needs fewer multiplications "
                    "can be beyond the peak.",
         .parallel = true},
    [DCNN_COMMAND_SLURM] =
        {.name = "slurm",
         .operands = "--nodes N --time T [DATA.h5] [-- --OPTION=VALUE...]",
         .most = -1,
         .summary = "print a job script for a training on a Slurm cluster",
         .details = "Prints a script that is ready for sbatch, for dcnn train with the options given: dcnn slurm "
                    "--nodes 4 --time 2:00:00 data.h5 | sbatch. The job goes on from its last checkpoint by itself: at "
                    "the end of its time, when it is preempted, when a rank or a node dies. What stands behind -- goes "
                    "to sbatch "
                    "as it is: -- --qos=long --array=0-3.",
         .like = "train"},
    [DCNN_COMMAND_DOCTOR] =
        {.name = "doctor",
         .operands = "",
         .most = 0,
         .summary = "what is wrong or slow with machines, network and files",
         .details = "Looks at every node (cores and binding, instruction sets, memory and its limits, /dev/shm, "
                    "libraries, clock), at the network within and between nodes, at the launcher, and at the file "
                    "system of the run's folder; names what is wrong or slow, and what mends it. Start it as the "
                    "training: alone, under mpirun, or under srun. Ends with 1 if it finds something.",
         .diagnoses = true},
};

int dcnn_command_find(const char *name) {
    for (int i = 0; i < DCNN_COMMAND_COUNT; i++)
        if (strcmp(dcnn_command_table[i].name, name) == 0) return i;
    return -1;
}

const char *dcnn_command_nearest(const char *name) {
    const char *names[DCNN_COMMAND_COUNT];
    for (int i = 0; i < DCNN_COMMAND_COUNT; i++) names[i] = dcnn_command_table[i].name;
    return dcnn_nearest_name(name, DCNN_COMMAND_COUNT, names);
}

void dcnn_commands_help(FILE *to) {
    fprintf(to, "Usage: dcnn COMMAND [options] ...\n\n"
                "Trains convolutional networks, data-parallel on CPUs: the same run gives the same\n"
                "bits on any number of ranks.\n\nCommands:\n");
    for (int i = 0; i < DCNN_COMMAND_COUNT; i++)
        fprintf(to, "  %-10s %s\n", dcnn_command_table[i].name, dcnn_command_table[i].summary);
    fprintf(to, "\n'dcnn help COMMAND' or 'dcnn COMMAND --help' says more; 'dcnn --version' names the\n"
                "libraries and kernels in use. Exit codes: 0 done, 1 failure, 2 usage, 3 bad input,\n"
                "4 diverged, 75 stopped early with a good checkpoint (start again with --resume).\n");
}
