/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * library_mpi.c — libdcnn in a program with an MPI communicator of its own: of three ranks two train together, the
 * third trains the same by itself; the scores must be the same bits. Built and run by tests/library.
 */
#include <dcnn.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 12, PIXELS = SIDE * SIDE, COUNT = 96, BATCH = 48, STEPS = 30 };

static const char net[] =
    "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"two\", \"layers\": ["
    "{\"class_name\": \"Conv2D\", \"config\": {\"filters\": 8, \"kernel_size\": 3, \"activation\": \"relu\"}},"
    "{\"class_name\": \"BatchNormalization\", \"config\": {\"momentum\": 0.5}},"
    "{\"class_name\": \"Flatten\", \"config\": {}},"
    "{\"class_name\": \"Dense\", \"config\": {\"units\": 2, \"activation\": \"softmax\"}}]}}";

static void check(dcnn_status status) {
    if (status == DCNN_OK) return;
    fprintf(stderr, "library_mpi: %s\n", dcnn_error());
    MPI_Abort(MPI_COMM_WORLD, (int)status);
}

int main(int argc, char **argv) {
    static uint8_t images[COUNT][PIXELS];
    static int32_t labels[COUNT];
    const int shape[3] = {SIDE, SIDE, 1};
    int rank, size;
    MPI_Comm own;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (size != 3) return fprintf(stderr, "library_mpi: wants 3 ranks\n"), 2;
    MPI_Comm_split(MPI_COMM_WORLD, rank < 2, rank, &own);
    for (int i = 0; i < COUNT; i++) { /* an upright or a lying bar, at another place each time */
        labels[i] = i % 2;
        for (int j = 0; j < SIDE; j++)
            images[i][i % 2 ? j * SIDE + i / 2 % SIDE : (i / 2 % SIDE) * SIDE + j] = (uint8_t)(155 + i);
    }
    dcnn_model *model;
    dcnn_training *training;
    dcnn_score score = {0};
    check(dcnn_model_create(net, shape, 7, &model));
    const dcnn_training_options options = {.batch_size = BATCH, .threads = 1, .seed = 3, .mpi_comm = &own};
    check(dcnn_training_create(model, &options, &training));
    for (int step = 0; step < STEPS; step++) {
        const int first = step % 2 * BATCH;
        const dcnn_batch batch = {.count = BATCH, .images = images[first], .labels = labels + first};
        check(dcnn_training_step(training, &batch, 1e-2, &score));
    }
    const dcnn_batch all = {.count = COUNT, .images = images[0], .labels = labels};
    check(dcnn_training_evaluate(training, &all, &score));
    check(dcnn_training_free(training));
    float last[2];
    check(dcnn_model_predict(model, 1, images[0], last));
    const struct {
        double loss;
        long long correct;
        float last[2];
    } mine = {score.loss, (long long)score.correct, {last[0], last[1]}};
    unsigned char bytes[3][sizeof mine];
    MPI_Allgather(&mine, sizeof mine, MPI_BYTE, bytes, sizeof mine, MPI_BYTE, MPI_COMM_WORLD);
    const int same = memcmp(bytes[0], bytes[2], sizeof mine) == 0 && memcmp(bytes[1], bytes[2], sizeof mine) == 0;
    if (rank == 0) printf("%lld of %d right, %s\n", mine.correct, COUNT, same ? "the same bits" : "other bits");
    dcnn_model_free(model);
    MPI_Comm_free(&own);
    MPI_Finalize();
    return same && mine.correct > 80 ? 0 : 1;
}
