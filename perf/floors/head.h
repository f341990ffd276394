/* What floors L1 and L2 share: a request head read byte by byte, a response head built for each answer, and the
 * corking of pipelined answers into one send.
 *
 * Validates what RFC 9112 demands of a request without content: a token, a target of visible characters, the version,
 * fields of tokens and visible values, exactly one Host. Anything else, content included, ends the connection.
 */
#ifndef HEAD_H
#define HEAD_H

#include "loop.h"

#include <strings.h>
#include <time.h>

enum { OUTPUT = 65536, ROOM = 512 };

struct head {
    const char *target;
    size_t target_length;
    int keep_alive, hosts, content;
};

/* Bytes of a head that lay across two reads. Freed as soon as it is whole. */
static struct {
    char *bytes;
    size_t length;
} tails[DESCRIPTORS];

static unsigned char is_token[256], is_visible[256];
static char output[OUTPUT];
static size_t output_length;
static char date[] = "date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n";

static void make_tables(void) {
    for (int byte = 0x21; byte < 0x7f; byte++) is_visible[byte] = 1, is_token[byte] = !strchr("\"(),/:;<=>?@[\\]{}", byte);
    for (int byte = 0x80; byte < 0x100; byte++) is_visible[byte] = 1;
}

static int is_name(const char *name, size_t length, const char *wanted) {
    return length == strlen(wanted) && strncasecmp(name, wanted, length) == 0;
}

static void note(struct head *head, const char *name, size_t length, const char *value, size_t value_length) {
    if (is_name(name, length, "host"))
        head->hosts++;
    else if (is_name(name, length, "connection"))
        head->keep_alive = !is_name(value, value_length, "close");
    else if (is_name(name, length, "content-length") || is_name(name, length, "transfer-encoding"))
        head->content = 1;
}

/* Return the bytes of the head at `at`, 0 when it is not whole, -1 when it is malformed. */
static long read_head(const char *at, const char *end, struct head *head) {
    const char *start = at, *name, *value, *last;
#define NEED(count) if (end - at < (count)) return 0
    *head = (struct head){.keep_alive = 1};
    while (at < end && is_token[(unsigned char)*at]) at++;
    NEED(1);
    if (at == start || *at++ != ' ') return -1;
    head->target = at;
    while (at < end && is_visible[(unsigned char)*at]) at++;
    NEED(11);
    head->target_length = (size_t)(at - head->target);
    if (head->target_length == 0 || memcmp(at, " HTTP/1.1\r\n", 11) != 0) return -1;
    at += 11;
    for (;;) {
        NEED(2);
        if (*at == '\r') return at[1] == '\n' && head->hosts == 1 && !head->content ? at + 2 - start : -1;
        name = at;
        while (at < end && is_token[(unsigned char)*at]) at++;
        NEED(1);
        if (at == name || *at != ':') return -1;
        last = at++;
        while (at < end && (*at == ' ' || *at == '\t')) at++;
        value = at;
        while (at < end && (is_visible[(unsigned char)*at] || *at == ' ' || *at == '\t')) at++;
        NEED(2);
        if (at[0] != '\r' || at[1] != '\n') return -1;
        const char *trimmed = at;
        while (trimmed > value && (trimmed[-1] == ' ' || trimmed[-1] == '\t')) trimmed--;
        note(head, name, (size_t)(last - name), value, (size_t)(trimmed - value));
        at += 2;
    }
#undef NEED
}

static void tick(void) {
    static time_t shown;
    time_t now = time(NULL);
    struct tm parts;
    if (now == shown) return;
    shown = now;
    gmtime_r(&now, &parts);
    strftime(date, sizeof date, "date: %a, %d %b %Y %H:%M:%S GMT\r\n\r\n", &parts);
}

static void put(const char *bytes, size_t length) {
    memcpy(output + output_length, bytes, length);
    output_length += length;
}

static void put_answer(const char *body, size_t length, int keep_alive) {
    static const char STATUS[] = "HTTP/1.1 200 OK\r\ncontent-length: ";
    static const char TYPE[] = "\r\ncontent-type: text/plain; charset=utf-8\r\n", CLOSE[] = "connection: close\r\n";
    char digits[20], *digit = digits + sizeof digits;
    size_t rest = length;
    do *--digit = (char)('0' + rest % 10);
    while (rest /= 10);
    put(STATUS, sizeof STATUS - 1);
    put(digit, (size_t)(digits + sizeof digits - digit));
    put(TYPE, sizeof TYPE - 1);
    if (!keep_alive) put(CLOSE, sizeof CLOSE - 1);
    put(date, sizeof date - 1);
    put(body, length);
}

/* Answer one request; what the floors differ in. */
static void answer(const struct head *head);

static int flush(int fd) {
    ssize_t sent = output_length ? send(fd, output, output_length, MSG_NOSIGNAL) : 0;
    int whole = sent == (ssize_t)output_length; /* a pipeline of small answers always fits an empty socket */
    output_length = 0;
    return whole;
}

static int resume(int fd) {
    (void)fd;
    return 0; /* never asked for: what does not fit ends the connection */
}

static void keep(int fd, const char *bytes, size_t length) {
    tails[fd].bytes = length ? malloc(SCRATCH) : NULL;
    if (length && !tails[fd].bytes) fail("malloc");
    if (length) memcpy(tails[fd].bytes, bytes, length);
    tails[fd].length = length;
}

static void begin(int fd) {
    free(tails[fd].bytes);
    keep(fd, NULL, 0);
}

static int serve(int fd) {
    static char scratch[SCRATCH];
    char *buffer = tails[fd].bytes ? tails[fd].bytes : scratch;
    ssize_t received = recv(fd, buffer + tails[fd].length, SCRATCH - tails[fd].length, 0);
    const char *at = buffer, *end = buffer + tails[fd].length + (received > 0 ? received : 0);
    struct head head = {.keep_alive = 1};
    long length = 0;
    if (received < 0 && errno == EAGAIN) return 1;
    tick();
    while (received > 0 && head.keep_alive && at < end && (length = read_head(at, end, &head)) > 0) {
        answer(&head);
        at += length;
        if (output_length > OUTPUT - ROOM && !flush(fd)) received = 0;
    }
    int goes_on = received > 0 && length >= 0 && head.keep_alive && end - at < SCRATCH;
    if (buffer != scratch || at < end) {
        keep(fd, at, goes_on ? (size_t)(end - at) : 0);
        if (buffer != scratch) free(buffer);
    }
    return flush(fd) && goes_on;
}

#endif
