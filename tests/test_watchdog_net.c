/* SPDX-License-Identifier: BSD-3-Clause */
/* test_watchdog_net.c — rank 0's door in a crowd of strangers: silent, slow, talking nonsense, thousands of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "guard/watchdog_net.h"

enum { RANKS = 5 };

/* --- strangers --------------------------------------------------------------------------------------------------- */

typedef enum manner { SILENT, GARBAGE, HALF_A_HELLO, RIGHT_LENGTH, DRIPPING, MANNERS } manner;

typedef struct crowd {
    const dcnn_watchdog_place *place;
    manner manner;
    int count;
    atomic_bool there, end;
} crowd;

static int knock(int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int handle = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (handle >= 0 && connect(handle, (const struct sockaddr *)&to, sizeof to) == 0) return handle;
    if (handle >= 0) close(handle);
    return -1;
}

static void talk(int handle, const crowd *c) {
    unsigned char bytes[4096];
    memset(bytes, 0xa5, sizeof bytes);
    if (c->manner == GARBAGE) send(handle, bytes, sizeof bytes, MSG_NOSIGNAL);
    if (c->manner == RIGHT_LENGTH) send(handle, bytes, sizeof(dcnn_watchdog_hello), MSG_NOSIGNAL);
    if (c->manner == DRIPPING) send(handle, bytes, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (c->manner == HALF_A_HELLO) { /* nearly right: all but a token's last byte, and then nothing */
        memcpy(bytes, c->place->token, DCNN_WATCHDOG_TOKEN - 1);
        send(handle, bytes, DCNN_WATCHDOG_TOKEN + 3, MSG_NOSIGNAL);
    }
}

/* Comes, stays and comes again until it is sent home. */
static void *be_crowd(void *argument) {
    crowd *c = argument;
    int *handles = calloc((size_t)c->count, sizeof *handles);
    if (handles == NULL) return NULL;
    for (int i = 0; i < c->count; i++) handles[i] = -1;
    do {
        for (int i = 0; i < c->count && !c->end; i++) {
            if (handles[i] >= 0 && c->manner != DRIPPING) close(handles[i]);
            if (handles[i] < 0 || c->manner != DRIPPING) handles[i] = knock(c->place->port);
            if (handles[i] >= 0) talk(handles[i], c);
        }
        c->there = true;
        if (c->manner == SILENT) usleep(20000);
    } while (!c->end);
    for (int i = 0; i < c->count; i++)
        if (handles[i] >= 0) close(handles[i]);
    free(handles);
    return NULL;
}

/* --- ranks ------------------------------------------------------------------------------------------------------- */

typedef struct rank_at_work {
    const dcnn_watchdog_place *place;
    int rank, socket;
} rank_at_work;

static void *be_rank(void *argument) {
    rank_at_work *r = argument;
    r->socket = dcnn_watchdog_connect(r->place, r->rank);
    return NULL;
}

static dcnn_watchdog_door open_door(dcnn_watchdog_place *place) {
    dcnn_watchdog_door door = {.listener = dcnn_watchdog_listen(place)};
    assert_true(door.listener >= 0);
    assert_true(place->count > 0);
    return door;
}

/* All ranks come while the crowd is there; each is met, and speaks. */
static void meet(dcnn_watchdog_door *door, dcnn_watchdog_place *place) {
    rank_at_work ranks[RANKS];
    pthread_t threads[RANKS];
    int sockets[RANKS] = {0};
    for (int i = 0; i < RANKS; i++) {
        ranks[i] = (rank_at_work){.place = place, .rank = i + 1, .socket = -1};
        assert_int_equal(pthread_create(&threads[i], NULL, be_rank, &ranks[i]), 0);
    }
    for (int missing = RANKS; missing > 0;) {
        dcnn_watchdog_hello hello;
        const int handle = dcnn_watchdog_accept(door, place, &hello);
        if (handle < 0) fail_msg("%d of %d ranks did not get in", missing, RANKS);
        assert_in_range(hello.rank, 1, RANKS);
        if (sockets[hello.rank - 1] > 0)
            close(sockets[hello.rank - 1]);
        else
            missing--;
        sockets[hello.rank - 1] = handle;
    }
    for (int i = 0; i < RANKS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(ranks[i].socket >= 0);
        const dcnn_watchdog_message said = {.kind = DCNN_WATCHDOG_BEAT, .rank = i + 1, .step = 7 + i};
        dcnn_watchdog_message heard;
        dcnn_watchdog_inbox inbox = {0};
        dcnn_watchdog_send(ranks[i].socket, &said);
        while (!dcnn_watchdog_next(&inbox, &heard)) assert_true(dcnn_watchdog_receive(sockets[i], &inbox));
        assert_int_equal(heard.step, 7 + i);
        close(ranks[i].socket);
        close(sockets[i]);
    }
}

static void ranks_meet_in_a_crowd(int count, int kinds) {
    dcnn_watchdog_place place;
    dcnn_watchdog_door door = open_door(&place);
    crowd crowds[MANNERS];
    pthread_t threads[MANNERS];
    for (int i = 0; i < kinds; i++) {
        crowds[i] = (crowd){.place = &place, .manner = (manner)i, .count = count};
        assert_int_equal(pthread_create(&threads[i], NULL, be_crowd, &crowds[i]), 0);
    }
    for (int i = 0; i < kinds; i++)
        for (int waits = 0; !crowds[i].there && waits < 200; waits++) usleep(10000);
    meet(&door, &place);
    assert_in_range(door.guest_count, 0, DCNN_WATCHDOG_GUESTS);
    dcnn_watchdog_close_door(&door);
    for (int i = 0; i < kinds; i++) crowds[i].end = true;
    for (int i = 0; i < kinds; i++) pthread_join(threads[i], NULL);
    assert_int_equal(knock(place.port), -1); /* during the run nobody listens */
}

static void silent_strangers_keep_nobody_waiting(void **state) {
    (void)state;
    ranks_meet_in_a_crowd(60, 1); /* one after the other, 2 s each, would be two minutes */
}

static void strangers_of_all_manners(void **state) {
    (void)state;
    ranks_meet_in_a_crowd(12, MANNERS);
}

/* More than the door has room for, and than the process has descriptors for. */
static void thousands_at_once(void **state) {
    (void)state;
    struct rlimit before;
    getrlimit(RLIMIT_NOFILE, &before);
    struct rlimit more = before;
    if (more.rlim_cur < 4096) more.rlim_cur = more.rlim_max < 4096 ? more.rlim_max : 4096;
    setrlimit(RLIMIT_NOFILE, &more);
    ranks_meet_in_a_crowd((int)more.rlim_cur / 2, 1);
    setrlimit(RLIMIT_NOFILE, &before);
}

/* A right token opens; each single wrong bit of it does not, and no byte behind a hello is taken for one. */
static void only_the_token_opens(void **state) {
    (void)state;
    dcnn_watchdog_place place;
    dcnn_watchdog_door door = open_door(&place);
    for (int bit = 0; bit < 8 * DCNN_WATCHDOG_TOKEN; bit++) {
        dcnn_watchdog_hello hello = {.rank = 1};
        unsigned char answer[DCNN_WATCHDOG_TOKEN];
        memcpy(hello.token, place.token, sizeof hello.token);
        hello.token[bit / 8] ^= (unsigned char)(1u << bit % 8);
        const int handle = knock(place.port);
        assert_true(handle >= 0);
        assert_int_equal(send(handle, &hello, sizeof hello, MSG_NOSIGNAL), sizeof hello);
        assert_int_equal(fcntl(handle, F_SETFL, O_NONBLOCK), 0);
        assert_true(recv(handle, answer, sizeof answer, 0) <= 0);
        close(handle);
    }
    meet(&door, &place);
    dcnn_watchdog_close_door(&door);
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silent_strangers_keep_nobody_waiting),
        cmocka_unit_test(strangers_of_all_manners),
        cmocka_unit_test(thousands_at_once),
        cmocka_unit_test(only_the_token_opens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
