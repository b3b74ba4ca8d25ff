/* SPDX-License-Identifier: BSD-3-Clause */
/* watchdog_net.c — see watchdog_net.h. */
#include "guard/watchdog_net.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

/* A silent address (a firewall) costs ATTEMPT_S; the whole search ends before rank 0 stops waiting for it. */
enum { ATTEMPT_S = 2, SEARCH_S = 8, ACCEPT_S = 12, BACKLOG = 4096 };

/* How often the silent at the door are looked through, how many are let in between two looks at those who are there,
 * and how long a rank that was pushed out waits before it comes again. */
enum { LOOK_MS = 250, LET_IN_AT_ONCE = 32, PAUSE_MS = 50 };

typedef union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} address;

static void set_time_limit(int socket, int seconds) {
    const struct timeval limit = {.tv_sec = seconds};
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

static bool exchange(int socket, const void *out, size_t out_bytes, void *in, size_t in_bytes) {
    if (out && send(socket, out, out_bytes, MSG_NOSIGNAL) != (ssize_t)out_bytes) return false;
    return in == NULL || recv(socket, in, in_bytes, MSG_WAITALL) == (ssize_t)in_bytes;
}

void dcnn_watchdog_host(char host[DCNN_WATCHDOG_HOST]) {
    memset(host, 0, DCNN_WATCHDOG_HOST);
    if (gethostname(host, DCNN_WATCHDOG_HOST - 1) != 0) host[0] = '?';
}

/* --- rank 0 ----------------------------------------------------------------------------------------------------- */

static void add_address(dcnn_watchdog_place *place, const struct sockaddr *found) {
    if (place->count == DCNN_WATCHDOG_ADDRESSES) return;
    if (found->sa_family == AF_INET)
        memcpy(place->addresses[place->count].bytes, &((const struct sockaddr_in *)(const void *)found)->sin_addr, 4);
    else
        memcpy(place->addresses[place->count].bytes, &((const struct sockaddr_in6 *)(const void *)found)->sin6_addr,
               16);
    place->addresses[place->count++].family = found->sa_family;
}

static bool is_usable(const struct ifaddrs *i, bool loopback, int family) {
    if (i->ifa_addr == NULL || i->ifa_addr->sa_family != family || !(i->ifa_flags & IFF_UP)) return false;
    if (((i->ifa_flags & IFF_LOOPBACK) != 0) != loopback) return false;
    if (family != AF_INET6) return true;
    return !IN6_IS_ADDR_LINKLOCAL(&((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr);
}

/* Networks first, IPv4 before IPv6, this host's own loopback last. */
static void list_addresses(dcnn_watchdog_place *place) {
    struct ifaddrs *all;
    if (getifaddrs(&all) != 0) return;
    for (int pass = 0; pass < 4; pass++)
        for (const struct ifaddrs *i = all; i; i = i->ifa_next)
            if (is_usable(i, pass >= 2, pass % 2 == 0 ? AF_INET : AF_INET6)) add_address(place, i->ifa_addr);
    freeifaddrs(all);
}

/* IPv6 sockets take IPv4 connections too; where there is no IPv6, IPv4 alone. */
static int bind_anywhere(int family) {
    address any = {0};
    const int off = 0, handle = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (handle < 0) return -1;
    any.any.sa_family = (sa_family_t)family;
    if (family == AF_INET6) setsockopt(handle, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(handle, &any.any, family == AF_INET6 ? sizeof any.v6 : sizeof any.v4) == 0 && listen(handle, BACKLOG) == 0)
        return handle;
    close(handle);
    return -1;
}

int dcnn_watchdog_listen(dcnn_watchdog_place *place) {
    address own = {0};
    socklen_t length = sizeof own;
    memset(place, 0, sizeof *place);
    dcnn_watchdog_host(place->host);
    int handle = bind_anywhere(AF_INET6);
    if (handle < 0) handle = bind_anywhere(AF_INET);
    if (handle < 0) return -1;
    if (getsockname(handle, &own.any, &length) != 0 ||
        getrandom(place->token, sizeof place->token, 0) != (ssize_t)sizeof place->token) {
        close(handle);
        return -1;
    }
    list_addresses(place);
    place->port = ntohs(own.any.sa_family == AF_INET6 ? own.v6.sin6_port : own.v4.sin_port);
    return handle;
}

/* Looks at every byte, whatever the first ones are: how long it takes tells nobody how much of a guess was right. */
static bool is_token(const unsigned char *guess, const unsigned char *token) {
    volatile unsigned char differs = 0;
    for (int i = 0; i < DCNN_WATCHDOG_TOKEN; i++) differs |= (unsigned char)(guess[i] ^ token[i]);
    return differs == 0;
}

static void send_away(dcnn_watchdog_door *door, int number) {
    close(door->guests[number].socket);
    door->guests[number] = door->guests[--door->guest_count];
}

static int oldest_guest(const dcnn_watchdog_door *door) {
    int oldest = 0;
    for (int i = 1; i < door->guest_count; i++)
        if (door->guests[i].until_s < door->guests[oldest].until_s) oldest = i;
    return oldest;
}

/* Lets in who knocks. Where too many stand there silent, who has stood there longest goes: a rank speaks at once, and
 * comes again. @return false: nobody is left outside */
static bool let_in(dcnn_watchdog_door *door) {
    const int handle = accept4(door->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (handle < 0 && (errno == EMFILE || errno == ENFILE) && door->guest_count > 0)
        send_away(door, oldest_guest(door));
    if (handle < 0) return false;
    if (door->guest_count == DCNN_WATCHDOG_GUESTS) send_away(door, oldest_guest(door));
    dcnn_watchdog_guest *guest = &door->guests[door->guest_count++];
    guest->socket = handle;
    guest->used = 0;
    guest->until_s = dcnn_now_s() + ATTEMPT_S;
    return true;
}

/* Hears what a guest says. @return 1: a whole, right hello, and it was answered; 0: not yet; -1: it is a stranger */
static int listen_to(dcnn_watchdog_guest *guest, const dcnn_watchdog_place *place) {
    unsigned char *bytes = (unsigned char *)&guest->hello;
    const ssize_t got = recv(guest->socket, bytes + guest->used, sizeof guest->hello - guest->used, 0);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return 0;
    if (got <= 0) return -1;
    guest->used += (size_t)got;
    if (guest->used < sizeof place->token) return 0;
    if (!is_token(guest->hello.token, place->token)) return -1;
    if (guest->used < sizeof guest->hello) return 0;
    return exchange(guest->socket, place->token, sizeof place->token, NULL, 0) ? 1 : -1;
}

/* @return the socket of a guest that is a rank, who is a guest no more; -1: none is, so far */
static int hear_guests(dcnn_watchdog_door *door, const dcnn_watchdog_place *place, const struct pollfd *polled,
                       dcnn_watchdog_hello *hello) {
    for (int i = door->guest_count - 1; i >= 0; i--) { /* from behind: the last takes the place of one who goes */
        dcnn_watchdog_guest *guest = &door->guests[i];
        const int state = polled[i].revents ? listen_to(guest, place) : 0;
        if (state == 1) {
            const int handle = guest->socket;
            *hello = guest->hello;
            hello->host[sizeof hello->host - 1] = '\0';
            door->guests[i] = door->guests[--door->guest_count];
            return handle;
        }
        if (state < 0 || guest->until_s < dcnn_now_s()) send_away(door, i);
    }
    return -1;
}

int dcnn_watchdog_accept(dcnn_watchdog_door *door, const dcnn_watchdog_place *place, dcnn_watchdog_hello *hello) {
    const double until_s = dcnn_now_s() + ACCEPT_S;
    struct pollfd polled[DCNN_WATCHDOG_GUESTS + 1];
    for (double left_s = ACCEPT_S; left_s > 0.0; left_s = until_s - dcnn_now_s()) {
        const int count = door->guest_count;
        for (int i = 0; i < count; i++) polled[i] = (struct pollfd){.fd = door->guests[i].socket, .events = POLLIN};
        polled[count] = (struct pollfd){.fd = door->listener, .events = POLLIN};
        poll(polled, (nfds_t)count + 1, LOOK_MS);
        const int handle = hear_guests(door, place, polled, hello);
        if (handle >= 0) return handle;
        for (int i = 0; polled[count].revents && i < LET_IN_AT_ONCE && let_in(door);) i++;
    }
    return -1;
}

void dcnn_watchdog_close_door(dcnn_watchdog_door *door) {
    while (door->guest_count > 0) send_away(door, 0);
    close(door->listener);
}

/* --- the others ------------------------------------------------------------------------------------------------- */

static int try_address(const dcnn_watchdog_place *place, int number) {
    address to = {0};
    const int family = place->addresses[number].family;
    to.any.sa_family = (sa_family_t)family;
    if (family == AF_INET) {
        to.v4.sin_port = htons((uint16_t)place->port);
        memcpy(&to.v4.sin_addr, place->addresses[number].bytes, 4);
    } else {
        to.v6.sin6_port = htons((uint16_t)place->port);
        memcpy(&to.v6.sin6_addr, place->addresses[number].bytes, 16);
    }
    const int handle = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (handle < 0) return -1;
    set_time_limit(handle, ATTEMPT_S); /* connect() heeds the sending one */
    if (connect(handle, &to.any, family == AF_INET6 ? sizeof to.v6 : sizeof to.v4) == 0) return handle;
    close(handle);
    return -1;
}

/* Over and over: a crowd of strangers at rank 0's door may push one out. */
int dcnn_watchdog_connect(const dcnn_watchdog_place *place, int rank) {
    dcnn_watchdog_hello hello = {.rank = rank};
    unsigned char answer[DCNN_WATCHDOG_TOKEN];
    memcpy(hello.token, place->token, sizeof hello.token);
    dcnn_watchdog_host(hello.host);
    const double until_s = dcnn_now_s() + SEARCH_S;
    while (place->count > 0 && dcnn_now_s() < until_s) {
        for (int i = 0; i < place->count && dcnn_now_s() < until_s; i++) {
            const int handle = try_address(place, i);
            if (handle < 0) continue;
            set_time_limit(handle, 1 + (int)(until_s - dcnn_now_s())); /* rank 0 may have many others to answer */
            if (exchange(handle, &hello, sizeof hello, answer, sizeof answer) && is_token(answer, place->token))
                return handle;
            close(handle);
        }
        poll(NULL, 0, PAUSE_MS);
    }
    return -1;
}

/* --- messages --------------------------------------------------------------------------------------------------- */

double dcnn_watchdog_unanswered_s(int socket) {
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return 0.0;
    return 1e-3 * info.tcpi_last_ack_recv;
}

void dcnn_watchdog_send(int socket, const dcnn_watchdog_message *message) {
    const ssize_t sent = send(socket, message, sizeof *message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0 && sent < (ssize_t)sizeof *message) shutdown(socket, SHUT_WR); /* half a message: say no more */
}

bool dcnn_watchdog_receive(int socket, dcnn_watchdog_inbox *inbox) {
    const ssize_t got = recv(socket, inbox->bytes + inbox->used, sizeof inbox->bytes - inbox->used, MSG_DONTWAIT);
    if (got > 0) inbox->used += (size_t)got;
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR));
}

bool dcnn_watchdog_next(dcnn_watchdog_inbox *inbox, dcnn_watchdog_message *message) {
    if (inbox->used < sizeof *message) return false;
    memcpy(message, inbox->bytes, sizeof *message);
    inbox->used -= sizeof *message;
    memmove(inbox->bytes, inbox->bytes + sizeof *message, inbox->used);
    return true;
}
