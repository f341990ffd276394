/* A load generator of WebSocket messages, of one thread: each connection has one on its way, and sends the next when its
 * echo has come whole.
 *
 * Every echo must have the opcode, the length and the bytes that were sent, in one frame. All messages of a connection
 * are the same, so that the generator costs little; the bytes differ from one connection to the other, and the masking
 * key is not zero.
 *
 * Usage: messages -l LENGTH [-t] [-c CONNECTIONS] [-s SECONDS] [-w WARM_UP] [-p TARGET] PORT
 *   -l  bytes of each message
 *   -t  messages are text
 *   -p  request-target of the opening handshake
 *   -w  seconds that come first and are not counted
 * Prints a line when counting begins and one JSON object at its end, then keeps the connections until its input ends:
 * what their end costs the server is not part of a figure.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, SCRATCH = 262144, HEAD = 4096 };

static const char KEY[] = "dGhlIHNhbXBsZSBub25jZQ=="; /* of RFC 6455 section 1.3, with the proof of having read it */
static const char PROOF[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

struct connection {
    int fd;
    char *message, *echo; /* the frame that is sent, and the one that must come */
    size_t sent, received;
};

static size_t frame_length, echo_length;
static int poll_set;
static size_t errors, counted;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

/* Write a frame's first bytes; return how many. */
static size_t head(char *to, int text, size_t length, int masked) {
    size_t size = 2;
    to[0] = (char)(0x80 | (text ? 1 : 2));
    to[1] = (char)(masked ? 0x80 : 0);
    if (length < 126) {
        to[1] |= (char)length;
    } else if (length < 65536) {
        to[1] |= 126;
        to[2] = (char)(length >> 8);
        to[3] = (char)length;
        size = 4;
    } else {
        to[1] |= 127;
        for (int i = 0; i < 8; i++) to[2 + i] = (char)((uint64_t)length >> (56 - 8 * i));
        size = 10;
    }
    return size;
}

static void prepare(struct connection *connection, size_t length, int text, unsigned seed) {
    const unsigned char key[4] = {0x37, 0xfa, 0x21, 0x3d};
    size_t at;
    if (!(connection->message = malloc(length + 14)) || !(connection->echo = malloc(length + 14))) fail("malloc");
    at = head(connection->message, text, length, 1);
    memcpy(connection->message + at, key, 4);
    frame_length = at + 4 + length;
    echo_length = head(connection->echo, text, length, 0) + length;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)(text ? 'a' + (i + seed) % 26 : (i * 7 + seed) & 0xff);
        connection->echo[echo_length - length + i] = (char)byte;
        connection->message[at + 4 + i] = (char)(byte ^ key[i & 3]);
    }
}

static void interest(struct connection *connection, unsigned events) {
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(poll_set, EPOLL_CTL_MOD, connection->fd, &event) < 0) fail("epoll_ctl");
}

static void give_up(struct connection *connection) {
    errors++;
    close(connection->fd);
    connection->fd = -1;
}

static void push(struct connection *connection) {
    int began = connection->sent != 0;
    ssize_t sent =
        send(connection->fd, connection->message + connection->sent, frame_length - connection->sent, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        give_up(connection);
        return;
    }
    connection->sent += sent > 0 ? (size_t)sent : 0;
    if (connection->sent < frame_length)
        interest(connection, EPOLLIN | EPOLLOUT);
    else if (began)
        interest(connection, EPOLLIN);
}

static void start(struct connection *connection) {
    connection->sent = connection->received = 0;
    push(connection);
}

static void receive(struct connection *connection) {
    static char scratch[SCRATCH];
    ssize_t received = recv(connection->fd, scratch, sizeof scratch, 0);
    if (received < 0 && errno == EAGAIN) return;
    if (received <= 0 || (size_t)received > echo_length - connection->received ||
        memcmp(scratch, connection->echo + connection->received, (size_t)received) != 0) {
        give_up(connection);
        return;
    }
    connection->received += (size_t)received;
    if (connection->received == echo_length) {
        if (connection->sent < frame_length) {
            give_up(connection);
            return;
        }
        counted++;
        start(connection);
    }
}

static void connect_to(struct connection *connection, const struct sockaddr_in *server, const char *target) {
    char text[HEAD], *end;
    int one = 1, length;
    size_t held = 0;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0) fail("socket");
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(connection->fd, (const struct sockaddr *)server, sizeof *server) < 0) fail("connect");
    length = snprintf(text, sizeof text,
                      "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n",
                      target, KEY);
    if (send(connection->fd, text, (size_t)length, MSG_NOSIGNAL) != length) fail("send");
    for (;;) {
        ssize_t received = recv(connection->fd, text + held, sizeof text - 1 - held, 0);
        if (received <= 0) fail("no answer to the opening handshake");
        held += (size_t)received;
        text[held] = 0;
        if ((end = strstr(text, "\r\n\r\n"))) break;
        if (held == sizeof text - 1) break;
    }
    if (!end || end + 4 != text + held || strncmp(text, "HTTP/1.1 101 ", 13) != 0 || !strstr(text, PROOF)) {
        errno = EPROTO;
        fail(text);
    }
    fcntl(connection->fd, F_SETFL, O_NONBLOCK);
    if (epoll_ctl(poll_set, EPOLL_CTL_ADD, connection->fd, &event) < 0) fail("epoll_ctl");
}

/* Send and receive until `end`; return when that was. */
static double go_on(double end) {
    struct epoll_event events[EVENTS];
    double at = now();
    while (at < end) {
        int ready = epoll_wait(poll_set, events, EVENTS, 100);
        if (ready < 0 && errno != EINTR) fail("epoll_wait");
        for (int i = 0; i < ready; i++) {
            struct connection *connection = events[i].data.ptr;
            if (connection->fd >= 0 && events[i].events & EPOLLOUT) push(connection);
            if (connection->fd >= 0 && events[i].events & ~(unsigned)EPOLLOUT) receive(connection);
        }
        at = now();
    }
    return at;
}

int main(int argc, char **argv) {
    size_t connection_count = 64, length = 32;
    double seconds = 1, warm_up = 0, began, ended;
    const char *target = "/";
    int option, text = 0;
    struct connection *connections;
    while ((option = getopt(argc, argv, "l:tc:s:w:p:")) != -1) {
        if (option == 'l') length = strtoul(optarg, NULL, 10);
        else if (option == 't') text = 1;
        else if (option == 'c') connection_count = strtoul(optarg, NULL, 10);
        else if (option == 's') seconds = atof(optarg);
        else if (option == 'w') warm_up = atof(optarg);
        else if (option == 'p') target = optarg;
        else return 2;
    }
    if (optind != argc - 1 || connection_count == 0) {
        fputs("usage: messages -l LENGTH [-t] [-c CONNECTIONS] [-s SECONDS] [-w WARM_UP] [-p TARGET] PORT\n", stderr);
        return 2;
    }
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[optind])),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    poll_set = epoll_create1(EPOLL_CLOEXEC);
    if (poll_set < 0 || !(connections = calloc(connection_count, sizeof *connections))) fail("start");
    for (size_t i = 0; i < connection_count; i++) {
        prepare(&connections[i], length, text, (unsigned)i);
        connect_to(&connections[i], &server, target);
    }
    for (size_t i = 0; i < connection_count; i++) start(&connections[i]);
    began = go_on(now() + warm_up);
    counted = 0;
    puts("begun");
    fflush(stdout);
    ended = go_on(began + seconds);
    printf("{\"messages\": %zu, \"seconds\": %.6f, \"errors\": %zu}\n", counted, ended - began, errors);
    fflush(stdout);
    while (getchar() != EOF) {}
    return 0;
}
