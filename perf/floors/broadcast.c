/* Floor of the broadcast: the least a one-thread WebSocket server can do for a message to all.
 *
 * A frame that comes in is unmasked and framed once, and sent to every connection by a send of its own. Frames come
 * whole, for the load sends one at a time; a socket that does not take its copy is closed. The key of the opening
 * handshake is always the same (that of RFC 6455 section 1.3), and so is the proof.
 *
 * Usage: broadcast PORT
 */
#define _GNU_SOURCE
#include "loop.h"

static const char SWITCH[] =
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

static char is_open[DESCRIPTORS];
static int beyond; /* no descriptor from here on was ever open */

static void begin(int fd) { is_open[fd] = 0; }

static int resume(int fd) {
    (void)fd;
    return 1;
}

static void send_to_all(const char *frame, size_t length) {
    for (int fd = 0; fd < beyond; fd++)
        if (is_open[fd] && send(fd, frame, length, MSG_NOSIGNAL) != (ssize_t)length) {
            is_open[fd] = 0;
            shutdown(fd, SHUT_RDWR);
        }
}

static int serve(int fd) {
    static unsigned char in[SCRATCH], out[SCRATCH];
    size_t payload, head = 2;
    ssize_t received = recv(fd, in, sizeof in, 0);
    if (received < 0 && errno == EAGAIN) return 1;
    if (received <= 0) {
        is_open[fd] = 0;
        return 0;
    }
    if (!is_open[fd]) {
        is_open[fd] = 1;
        if (fd >= beyond) beyond = fd + 1;
        return send(fd, SWITCH, sizeof SWITCH - 1, MSG_NOSIGNAL) == sizeof SWITCH - 1;
    }
    if (received < 6 || (in[0] & 0x0f) == 8 || !(in[1] & 0x80)) return is_open[fd] = 0;
    payload = in[1] & 0x7f;
    if (payload == 126) {
        payload = (size_t)in[2] << 8 | in[3];
        head = 4;
    }
    if (payload == 127 || (size_t)received != head + 4 + payload) return is_open[fd] = 0;
    memcpy(out, in, head);
    out[1] &= 0x7f;
    for (size_t at = 0; at < payload; at++) out[head + at] = in[head + 4 + at] ^ in[head + (at & 3)];
    send_to_all((char *)out, head + payload);
    return is_open[fd];
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fputs("usage: broadcast PORT\n", stderr);
        return 2;
    }
    run((unsigned short)atoi(argv[1]));
    return 0;
}
