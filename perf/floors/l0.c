/* Floor L0: the least a one-thread server can do for a request.
 *
 * For each readable socket one recv and one send of a constant answer. Nothing is parsed, so whatever a server costs
 * above this figure is its own work. Where requests are pipelined or carry content one recv is not one request; there,
 * and only there, the ends of heads are looked for, and what follows them is skipped.
 *
 * Usage: l0 [-p] [-b BYTES] [-c] [-a FILE] PORT
 *   -p  count requests by the ends of their heads
 *   -b  the same, each followed by BYTES of content
 *   -c  close after each answer
 *   -a  file with the answer, head and all, instead of a plaintext one
 */
#define _GNU_SOURCE
#include "loop.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { COPIES = 64 };

static const char PLAINTEXT[] =
    "HTTP/1.1 200 OK\r\ncontent-length: 13\r\ncontent-type: text/plain; charset=utf-8\r\n\r\nHello, World!";
static const char END[] = "\r\n\r\n";

/* One per descriptor. Its bytes are of use only when requests are counted or an answer did not fit. */
static struct connection {
    size_t content; /* bytes of content still to come */
    size_t unsent;  /* bytes of answers the socket did not take */
    unsigned matched;
} connections[DESCRIPTORS];

static char *answers; /* COPIES of the answer in a row: a whole pipeline is answered by one send */
static size_t answer_length, content_length;
static int counting, closing;

static void begin(int fd) { memset(&connections[fd], 0, sizeof connections[fd]); }

static size_t count(struct connection *connection, const char *bytes, size_t length) {
    const char *end = bytes + length, *found;
    size_t requests = 0;
    while (bytes < end) {
        if (connection->content) {
            size_t skipped = (size_t)(end - bytes) < connection->content ? (size_t)(end - bytes) : connection->content;
            bytes += skipped;
            if ((connection->content -= skipped) == 0) requests++;
            continue;
        }
        if (connection->matched == 0 && (found = memmem(bytes, (size_t)(end - bytes), END, 4)) != NULL) {
            bytes = found + 4;
        } else { /* the end of a head that lies across two reads */
            if (connection->matched == 0 && end - bytes > 3) bytes = end - 3;
            while (bytes < end && connection->matched < 4) {
                char byte = *bytes++;
                connection->matched = byte == END[connection->matched] ? connection->matched + 1 : byte == '\r';
            }
            if (connection->matched < 4) break;
        }
        connection->matched = 0;
        if (content_length)
            connection->content = content_length;
        else
            requests++;
    }
    return requests;
}

static int push(int fd, size_t length) {
    struct connection *connection = &connections[fd];
    const char *from = answers + (length % answer_length ? answer_length - length % answer_length : 0);
    ssize_t sent = send(fd, from, length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return 0;
    if (sent < 0) sent = 0;
    if ((size_t)sent != length || connection->unsent) {
        int waited = connection->unsent != 0;
        connection->unsent = length - (size_t)sent;
        if (waited != (connection->unsent != 0)) watch(EPOLL_CTL_MOD, fd, connection->unsent ? EPOLLOUT : EPOLLIN);
    }
    return !closing || connection->unsent;
}

static int resume(int fd) { return push(fd, connections[fd].unsent); }

static int serve(int fd) {
    static char scratch[SCRATCH];
    struct connection *connection = &connections[fd];
    size_t requests = 1;
    ssize_t received = recv(fd, scratch, sizeof scratch, 0);
    if (received < 0 && errno == EAGAIN) return 1;
    if (received <= 0) return 0;
    if (counting) requests = count(connection, scratch, (size_t)received);
    while (requests > COPIES) { /* more than any generator here sends at once */
        if (!push(fd, COPIES * answer_length) || connection->unsent) return 0;
        requests -= COPIES;
    }
    return requests == 0 || push(fd, requests * answer_length);
}

static void prepare(const char *file) {
    const char *answer = PLAINTEXT;
    answer_length = sizeof PLAINTEXT - 1;
    if (file) {
        struct stat status;
        int fd = open(file, O_RDONLY | O_CLOEXEC);
        char *content;
        if (fd < 0 || fstat(fd, &status) < 0) fail(file);
        content = malloc((size_t)status.st_size);
        if (!content || read(fd, content, (size_t)status.st_size) != status.st_size) fail(file);
        answer = content;
        answer_length = (size_t)status.st_size;
        close(fd);
    }
    answers = malloc(COPIES * answer_length);
    if (!answers) fail("malloc");
    for (int i = 0; i < COPIES; i++) memcpy(answers + (size_t)i * answer_length, answer, answer_length);
}

int main(int argc, char **argv) {
    const char *file = NULL;
    int option;
    while ((option = getopt(argc, argv, "pb:ca:")) != -1) {
        if (option == 'p') counting = 1;
        else if (option == 'b') counting = 1, content_length = strtoul(optarg, NULL, 10);
        else if (option == 'c') closing = 1;
        else if (option == 'a') file = optarg;
        else return 2;
    }
    if (optind != argc - 1) {
        fputs("usage: l0 [-p] [-b BYTES] [-c] [-a FILE] PORT\n", stderr);
        return 2;
    }
    prepare(file);
    run((unsigned short)atoi(argv[optind]));
}
