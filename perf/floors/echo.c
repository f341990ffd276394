/* Floor of the echo: the least a one-thread WebSocket server can do for a message.
 *
 * For each readable socket one recv, every complete frame in it unmasked and framed anew, and one send. A frame that is
 * not complete waits with its socket. There are no fragments and no control frames but Close, which ends the
 * connection: the load sends no others. Its key is always the same (that of RFC 6455 section 1.3), and so is the proof.
 *
 * Usage: echo PORT
 */
#define _GNU_SOURCE
#include "loop.h"

#include <endian.h>
#include <stdint.h>

enum { ROOM = 262144 };

static const char SWITCH[] =
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/* One per descriptor. What is kept is there only while a frame is not complete, or its echo not taken. */
static struct connection {
    int open;              /* the opening handshake is done */
    char *held, *unsent;   /* bytes of an incomplete frame; bytes the socket did not take */
    size_t held_length, unsent_length;
} connections[DESCRIPTORS];

static char in[ROOM], out[ROOM + ROOM / 2];

static void begin(int fd) {
    struct connection *connection = &connections[fd];
    free(connection->held);
    free(connection->unsent);
    memset(connection, 0, sizeof *connection);
}

static char *kept(const char *bytes, size_t length) {
    char *copy = length ? malloc(length) : NULL;
    if (length && !copy) fail("malloc");
    return length ? memcpy(copy, bytes, length) : NULL;
}

static int push(int fd, const char *bytes, size_t length) {
    struct connection *connection = &connections[fd];
    ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return 0;
    if (sent < 0) sent = 0;
    if ((size_t)sent < length) {
        char *rest = kept(bytes + sent, length - (size_t)sent);
        free(connection->unsent);
        connection->unsent = rest;
        connection->unsent_length = length - (size_t)sent;
        watch(EPOLL_CTL_MOD, fd, EPOLLOUT); /* who does not read is not read */
    } else if (connection->unsent) {
        free(connection->unsent);
        connection->unsent = NULL;
        connection->unsent_length = 0;
        watch(EPOLL_CTL_MOD, fd, EPOLLIN);
    }
    return 1;
}

static int resume(int fd) { return push(fd, connections[fd].unsent, connections[fd].unsent_length); }

static void unmask(char *to, const char *from, size_t length, uint32_t key) {
    uint64_t wide = (uint64_t)key << 32 | key, word;
    size_t at = 0;
    for (; at + 8 <= length; at += 8) {
        memcpy(&word, from + at, 8);
        word ^= wide;
        memcpy(to + at, &word, 8);
    }
    for (; at < length; at++) to[at] = (char)(from[at] ^ (char)(wide >> 8 * (at & 7)));
}

/* Echo the frame at `from`; return its length, 0 where it is not complete, -1 where it ends the connection. */
static ssize_t echo(const unsigned char *from, size_t length, char **to) {
    size_t payload, head = 2;
    uint32_t key;
    if (length < 2) return 0;
    if ((from[0] & 0x0f) == 8 || !(from[1] & 0x80)) return -1;
    payload = from[1] & 0x7f;
    if (payload == 126) {
        if (length < 4) return 0;
        payload = (size_t)from[2] << 8 | from[3];
        head = 4;
    } else if (payload == 127) {
        uint64_t wide;
        if (length < 10) return 0;
        memcpy(&wide, from + 2, 8);
        payload = be64toh(wide);
        head = 10;
        if (payload > ROOM - 14) return -1;
    }
    if (length < head + 4 + payload) return 0;
    memcpy(&key, from + head, 4);
    memcpy(*to, from, head);
    (*to)[1] = (char)(from[1] & 0x7f);
    unmask(*to + head, (const char *)from + head + 4, payload, key);
    *to += head + payload;
    return (ssize_t)(head + 4 + payload);
}

static int serve(int fd) {
    struct connection *connection = &connections[fd];
    size_t length = connection->held_length, used = 0;
    char *to = out;
    ssize_t received, frame = 0;
    if (length) memcpy(in, connection->held, length);
    received = recv(fd, in + length, sizeof in - length, 0);
    if (received < 0 && errno == EAGAIN) return 1;
    if (received <= 0) return 0;
    length += (size_t)received;
    if (!connection->open) {
        char *end = memmem(in, length, "\r\n\r\n", 4);
        if (!end && length == sizeof in) return 0;
        if (end) {
            connection->open = 1;
            used = (size_t)(end + 4 - in);
            memcpy(to, SWITCH, sizeof SWITCH - 1);
            to += sizeof SWITCH - 1;
        }
    }
    if (connection->open)
        while ((frame = echo((unsigned char *)in + used, length - used, &to)) > 0) used += (size_t)frame;
    if (frame < 0) return 0;
    free(connection->held);
    connection->held_length = length - used;
    connection->held = kept(in + used, length - used);
    return to == out || push(fd, out, (size_t)(to - out));
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fputs("usage: echo PORT\n", stderr);
        return 2;
    }
    run((unsigned short)atoi(argv[1]));
    return 0;
}
