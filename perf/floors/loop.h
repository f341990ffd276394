/* What every floor shares: a listener, and a level-triggered epoll loop on one thread.
 *
 * A floor includes this after it has said how a readable socket is served. Listener and socket options are those the
 * event loops set: SO_REUSEADDR, non-blocking, TCP_NODELAY.
 */
#ifndef LOOP_H
#define LOOP_H

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, SCRATCH = 65536, BACKLOG = 1024, DESCRIPTORS = 65536 };

/* A descriptor is a new connection's: nothing of its predecessor's counts. */
static void begin(int fd);

/* Receive and answer; return whether the connection goes on. */
static int serve(int fd);

/* Send what was left over; return whether the connection goes on. */
static int resume(int fd);

static int poll_set;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static int listen_on(unsigned short port) {
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0) fail("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("bind");
    if (listen(fd, BACKLOG) < 0) fail("listen");
    return fd;
}

static void watch(int operation, int fd, unsigned interest) {
    struct epoll_event event = {.events = interest, .data.fd = fd};
    if (epoll_ctl(poll_set, operation, fd, &event) < 0) fail("epoll_ctl");
}

static void accept_all(int listener) {
    int one = 1, fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (fd >= DESCRIPTORS) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        begin(fd);
        watch(EPOLL_CTL_ADD, fd, EPOLLIN);
    }
}

static void run(unsigned short port) {
    struct epoll_event events[EVENTS];
    int listener;
    poll_set = epoll_create1(EPOLL_CLOEXEC);
    if (poll_set < 0) fail("epoll_create1");
    listener = listen_on(port);
    watch(EPOLL_CTL_ADD, listener, EPOLLIN);
    for (;;) {
        int ready = epoll_wait(poll_set, events, EVENTS, -1);
        if (ready < 0 && errno != EINTR) fail("epoll_wait");
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                accept_all(listener);
            else if (!(events[i].events & EPOLLOUT ? resume(fd) : serve(fd)))
                close(fd);
        }
    }
}

#endif
