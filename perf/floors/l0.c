/* Floor L0: the least a one-thread server can do for a request.
 *
 * A level-triggered epoll loop; for each readable socket one recv and one send of a constant response. Nothing is
 * parsed, so whatever a server costs above this figure is its own work. Listener and socket options are those the
 * event loops set: SO_REUSEADDR, non-blocking, TCP_NODELAY.
 *
 * Usage: l0 PORT. Prints the port once it listens.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const char RESPONSE[] =
    "HTTP/1.1 200 OK\r\ncontent-length: 13\r\ncontent-type: text/plain; charset=utf-8\r\n\r\nHello, World!";

enum { EVENTS = 256, SCRATCH = 65536, BACKLOG = 1024 };

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

static void watch(int poll, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
}

static void accept_all(int poll, int listener) {
    int one = 1, fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        watch(poll, fd);
    }
}

static void answer(int fd) {
    static char scratch[SCRATCH];
    ssize_t received = recv(fd, scratch, sizeof scratch, 0);
    if (received < 0 && errno == EAGAIN) return;
    if (received <= 0 || send(fd, RESPONSE, sizeof RESPONSE - 1, MSG_NOSIGNAL) < 0) close(fd);
}

int main(int argc, char **argv) {
    struct epoll_event events[EVENTS];
    int poll = epoll_create1(EPOLL_CLOEXEC), listener;
    if (argc != 2) {
        fputs("usage: l0 PORT\n", stderr);
        return 2;
    }
    if (poll < 0) fail("epoll_create1");
    listener = listen_on((unsigned short)atoi(argv[1]));
    watch(poll, listener);
    printf("%s\n", argv[1]);
    fflush(stdout);
    for (;;) {
        int ready = epoll_wait(poll, events, EVENTS, -1);
        if (ready < 0 && errno != EINTR) fail("epoll_wait");
        for (int i = 0; i < ready; i++) {
            if (events[i].data.fd == listener)
                accept_all(poll, listener);
            else
                answer(events[i].data.fd);
        }
    }
}
