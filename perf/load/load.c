/* A load generator of one thread, for what wrk cannot do: a fixed rate, a connection for each request, short warm-ups.
 *
 * With a rate, requests fall due at even intervals whatever the server does; each goes out on a connection that is
 * idle, and its time counts from when it fell due, not from when a connection was free. A request that has not been
 * answered at the end counts with the time it has waited. The loop never sleeps, so the generator's own wake-up is not
 * part of a figure: give it a core of its own. Without a rate each connection sends as soon as it has its answer.
 *
 * Every answer must have status 200 and exactly the expected number of bytes of content.
 *
 * Usage: load -f REQUEST_FILE -l CONTENT_LENGTH [-c CONNECTIONS] [-r RATE] [-s SECONDS] [-w WARM_UP] [-x] PORT
 *   -f  file with the bytes of one request
 *   -l  bytes of content that each answer has
 *   -r  requests per second over all connections; 0, the default, for as many as it takes
 *   -w  seconds that come first and are not counted
 *   -x  a new connection for each request, which the server is to close after its answer
 * Prints one JSON object; times are in microseconds.
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
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { HEAD = 8192, SCRATCH = 262144, EVENTS = 256 };

struct connection {
    int fd;
    double due;      /* when its request fell due */
    size_t sent;     /* bytes of the request the socket has taken */
    size_t held;     /* bytes of the answer's head so far */
    long content;    /* bytes of content to come; -1 while the head is read */
    int waits_close; /* answered, and the server has to close */
    char head[HEAD];
};

static struct connection *connections, **idle;
static size_t idle_first, idle_count, connection_count = 64;
static struct sockaddr_in server;
static char *request;
static size_t request_length;
static long content_length = -1;
static int poll_set, churning;
static double counted_from;
static float *times;
static size_t answered, errors, room;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

static void note(double waited) {
    if (answered == room && !(times = realloc(times, (room = room ? 2 * room : 1 << 20) * sizeof *times))) fail("realloc");
    times[answered++] = (float)(waited * 1e6);
}

static void rest(struct connection *connection) {
    idle[(idle_first + idle_count++) % connection_count] = connection;
}

static void open_socket(struct connection *connection) {
    int one = 1;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0) fail("socket");
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(connection->fd, (struct sockaddr *)&server, sizeof server) < 0) fail("connect");
    fcntl(connection->fd, F_SETFL, O_NONBLOCK);
    if (epoll_ctl(poll_set, EPOLL_CTL_ADD, connection->fd, &event) < 0) fail("epoll_ctl");
}

/* Reset instead of leaving a port in TIME_WAIT: there are fewer ports than requests. */
static void close_socket(struct connection *connection) {
    struct linger at_once = {.l_onoff = 1};
    setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(connection->fd);
    connection->fd = -1;
}

static void interest(struct connection *connection, unsigned events) {
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(poll_set, EPOLL_CTL_MOD, connection->fd, &event) < 0) fail("epoll_ctl");
}

static void give_up(struct connection *connection) {
    errors++;
    close_socket(connection);
    connection->waits_close = 0;
    rest(connection);
}

static void push(struct connection *connection) {
    int began = connection->sent != 0;
    ssize_t sent = send(connection->fd, request + connection->sent, request_length - connection->sent, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        give_up(connection);
        return;
    }
    connection->sent += sent > 0 ? (size_t)sent : 0;
    if (connection->sent < request_length)
        interest(connection, EPOLLIN | EPOLLOUT);
    else if (began)
        interest(connection, EPOLLIN);
}

static void start(double due) {
    struct connection *connection = idle[idle_first];
    idle_first = (idle_first + 1) % connection_count;
    idle_count--;
    if (connection->fd < 0) open_socket(connection);
    connection->due = due;
    connection->sent = connection->held = 0;
    connection->content = -1;
    push(connection);
}

static void finish(struct connection *connection) {
    if (connection->due >= counted_from) note(now() - connection->due);
    if (churning)
        close_socket(connection);
    connection->waits_close = 0;
    connection->due = 0;
    rest(connection);
}

/* Return the length of the content the head announces, -1 for an answer that is none of those expected. */
static long announced(char *head) {
    char *line;
    if (strncmp(head, "HTTP/1.1 200 ", 13) != 0) return -1;
    for (line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, "content-length:", 15) == 0) return strtol(line + 15, NULL, 10);
    }
    return -1;
}

static void take(struct connection *connection, const char *bytes, size_t length) {
    if (connection->content < 0) {
        size_t part = length < HEAD - 1 - connection->held ? length : HEAD - 1 - connection->held;
        char *end;
        memcpy(connection->head + connection->held, bytes, part);
        connection->head[connection->held + part] = 0;
        end = strstr(connection->head, "\r\n\r\n");
        if (!end && connection->held + part < HEAD - 1) {
            connection->held += part;
            return;
        }
        if (!end || announced(connection->head) != content_length) {
            give_up(connection);
            return;
        }
        size_t used = (size_t)(end + 4 - connection->head) - connection->held;
        bytes += used;
        length -= used;
        connection->content = content_length;
    }
    if ((size_t)connection->content < length) {
        give_up(connection);
        return;
    }
    connection->content -= (long)length;
    if (connection->content == 0 && connection->sent == request_length) {
        if (churning)
            connection->waits_close = 1;
        else
            finish(connection);
    }
}

static void receive(struct connection *connection) {
    static char scratch[SCRATCH];
    ssize_t received = recv(connection->fd, scratch, sizeof scratch, 0);
    if (received < 0 && errno == EAGAIN) return;
    if (received <= 0 && connection->waits_close)
        finish(connection);
    else if (received <= 0 || connection->waits_close || connection->due == 0)
        give_up(connection); /* bytes nobody asked for, or an end before the answer */
    else
        take(connection, scratch, (size_t)received);
}

static double poll_once(double rate) {
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(poll_set, events, EVENTS, rate > 0 ? 0 : 100);
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < ready; i++) {
        struct connection *connection = events[i].data.ptr;
        if (connection->fd >= 0 && events[i].events & EPOLLOUT) push(connection);
        if (connection->fd >= 0 && events[i].events & ~(unsigned)EPOLLOUT) receive(connection);
    }
    return now();
}

static int compare(const void *one, const void *other) {
    float difference = *(const float *)one - *(const float *)other;
    return (difference > 0) - (difference < 0);
}

static double percentile(double share) { return answered ? (double)times[(size_t)((double)(answered - 1) * share)] : 0; }

static void generate(double rate, double warm_up, double seconds) {
    double began = now(), end = began + warm_up + seconds, at = began, due = began;
    size_t unanswered = 0;
    counted_from = began + warm_up;
    while (at < end) {
        while (idle_count && (rate > 0 ? due <= at : 1)) {
            start(rate > 0 ? due : at);
            due += rate > 0 ? 1 / rate : 0;
        }
        at = poll_once(rate);
    }
    size_t whole = answered;
    if (rate > 0) {
        for (size_t i = 0; i < connection_count; i++)
            if (connections[i].due >= counted_from) note(at - connections[i].due), unanswered++;
        for (; due <= end; due += 1 / rate) if (due >= counted_from) note(at - due), unanswered++;
    }
    qsort(times, answered, sizeof *times, compare);
    printf("{\"requests\": %zu, \"seconds\": %.6f, \"errors\": %zu, \"unanswered\": %zu, \"p50\": %.2f, \"p90\": %.2f, "
           "\"p99\": %.2f, \"p999\": %.2f, \"max\": %.2f}\n",
           whole, at - counted_from, errors, unanswered, percentile(.5), percentile(.9), percentile(.99),
           percentile(.999), percentile(1));
}

static void read_request(const char *file) {
    struct stat status;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0) fail(file);
    request_length = (size_t)status.st_size;
    if (!(request = malloc(request_length)) || read(fd, request, request_length) != status.st_size) fail(file);
    close(fd);
}

int main(int argc, char **argv) {
    double rate = 0, seconds = 1, warm_up = 0;
    int option;
    while ((option = getopt(argc, argv, "f:l:c:r:s:w:x")) != -1) {
        if (option == 'f') read_request(optarg);
        else if (option == 'l') content_length = atol(optarg);
        else if (option == 'c') connection_count = strtoul(optarg, NULL, 10);
        else if (option == 'r') rate = atof(optarg);
        else if (option == 's') seconds = atof(optarg);
        else if (option == 'w') warm_up = atof(optarg);
        else if (option == 'x') churning = 1;
        else return 2;
    }
    if (optind != argc - 1 || !request || content_length < 0 || connection_count == 0) {
        fputs("usage: load -f FILE -l LENGTH [-c CONNECTIONS] [-r RATE] [-s SECONDS] [-w WARM_UP] [-x] PORT\n", stderr);
        return 2;
    }
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[optind])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    poll_set = epoll_create1(EPOLL_CLOEXEC);
    connections = calloc(connection_count, sizeof *connections);
    idle = calloc(connection_count, sizeof *idle);
    if (poll_set < 0 || !connections || !idle) fail("start");
    for (size_t i = 0; i < connection_count; i++) {
        connections[i].fd = -1;
        if (!churning) open_socket(&connections[i]);
        rest(&connections[i]);
    }
    generate(rate, warm_up, seconds);
    return 0;
}
