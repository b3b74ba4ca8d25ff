/* SPDX-License-Identifier: BSD-3-Clause */
/* watchdog_net.h — the connections of the watchdog: a star of TCP with rank 0 in the middle, and its messages. Private
 * to watchdog.c. All ranks run the same program on the same kind of machine, so messages travel as they lie in memory.
 */
#ifndef DCNN_GUARD_WATCHDOG_NET_H
#define DCNN_GUARD_WATCHDOG_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DCNN_WATCHDOG_HOST = 64, DCNN_WATCHDOG_TOKEN = 16, DCNN_WATCHDOG_ADDRESSES = 16, DCNN_WATCHDOG_GUESTS = 128 };

typedef enum dcnn_watchdog_kind {
    DCNN_WATCHDOG_BEAT,     /* I live */
    DCNN_WATCHDOG_FAREWELL, /* I have done my work: do not wait for me */
    DCNN_WATCHDOG_END       /* the run ends, and why has been told */
} dcnn_watchdog_kind;

typedef struct dcnn_watchdog_message {
    int32_t kind, rank;
    int64_t step;
    uint64_t progress;
    int64_t working;
} dcnn_watchdog_message;

/* Messages that have come, the last one perhaps in part. */
typedef struct dcnn_watchdog_inbox {
    size_t used;
    unsigned char bytes[16 * sizeof(dcnn_watchdog_message)];
} dcnn_watchdog_inbox;

/* How to find rank 0. The token tells it from whoever else listens at the same number of another private network. */
typedef struct dcnn_watchdog_place {
    int32_t port, count; /* port 0: it cannot be reached */
    struct {
        int32_t family;
        unsigned char bytes[16];
    } addresses[DCNN_WATCHDOG_ADDRESSES];
    unsigned char token[DCNN_WATCHDOG_TOKEN];
    char host[DCNN_WATCHDOG_HOST];
} dcnn_watchdog_place;

typedef struct dcnn_watchdog_hello {
    unsigned char token[DCNN_WATCHDOG_TOKEN];
    int32_t rank;
    char host[DCNN_WATCHDOG_HOST];
} dcnn_watchdog_hello;

/* One who has connected and not yet said who it is: anybody on the network. */
typedef struct dcnn_watchdog_guest {
    int socket;
    size_t used; /* bytes of its hello so far */
    dcnn_watchdog_hello hello;
    double until_s; /* then it goes */
} dcnn_watchdog_guest;

/* Where rank 0 waits for the others, with all who stand there at a time: a silent one keeps nobody waiting. */
typedef struct dcnn_watchdog_door {
    int listener, guest_count;
    dcnn_watchdog_guest guests[DCNN_WATCHDOG_GUESTS];
} dcnn_watchdog_door;

/* This host's name. */
void dcnn_watchdog_host(char host[DCNN_WATCHDOG_HOST]);

/* Listens on all networks; fills `place`. Returns the socket, or -1 with port 0. */
int dcnn_watchdog_listen(dcnn_watchdog_place *place);

/* The next rank that says a right hello; -1: none within some seconds. */
int dcnn_watchdog_accept(dcnn_watchdog_door *door, const dcnn_watchdog_place *place, dcnn_watchdog_hello *hello);

/* Sends away who is left, and listens no more. */
void dcnn_watchdog_close_door(dcnn_watchdog_door *door);

/* A connection to rank 0 by the first of its addresses that works; -1: none does. */
int dcnn_watchdog_connect(const dcnn_watchdog_place *place, int rank);

/* Seconds since the other machine last acknowledged anything: its kernel does so for a process that is stopped, too. */
double dcnn_watchdog_unanswered_s(int socket);

/* Sends without waiting; what does not fit is lost, and the other side will find this rank silent. */
void dcnn_watchdog_send(int socket, const dcnn_watchdog_message *message);

/* Takes in what has come, without waiting; false: the other side has closed. */
bool dcnn_watchdog_receive(int socket, dcnn_watchdog_inbox *inbox);

/* Takes the next whole message out; false: there is none. */
bool dcnn_watchdog_next(dcnn_watchdog_inbox *inbox, dcnn_watchdog_message *message);

#endif
