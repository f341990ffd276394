# The head cursor: start-line and field lines become spans, one line at a time.
#
# A `Head` remembers where it is, so the caller may come back with more octets behind the same first one. All offsets
# count from that first octet. Lines of the usual shape are judged here; any other line, and every line of trailers, is
# handed to the caller, who asks `grammar`, so that there is one place that names faults.

from libc.stdint cimport uint32_t

cdef enum Kind:
    REQUEST_HEAD
    RESPONSE_HEAD
    TRAILER_SECTION

cdef enum Outcome:
    NEED_MORE = 0
    COMPLETE = 1  # `line` is where the head ends, its empty line included
    UNUSUAL = 2  # a line of `lf - line` octets and its end, whose length and line end are good
    # below zero: a fault, negated

cdef struct Span:
    uint32_t name
    uint32_t name_length
    uint32_t value
    uint32_t value_length

cdef struct Bounds:
    Py_ssize_t start_line
    Py_ssize_t field_line
    Py_ssize_t head
    Py_ssize_t fields

cdef struct Head:
    Py_ssize_t line  # where the line to be read begins
    Py_ssize_t seen  # there is no LF before here
    Py_ssize_t lf  # of an UNUSUAL line
    Py_ssize_t size  # octets that count against the bound of the whole
    bint started  # the start-line was read
    Py_ssize_t method  # request-line
    Py_ssize_t method_length
    Py_ssize_t target
    Py_ssize_t target_length
    int status  # status-line
    Py_ssize_t reason
    Py_ssize_t reason_length
    int minor
    int hosts  # how often the fields that decide framing were seen, and the last of each
    int host
    int lengths
    int length
    int connections
    int connection
    int others  # Transfer-Encoding, Expect, Upgrade
    Span *spans
    int count
    int capacity
    unsigned long long searched  # octets looked at for a line end in lines that came in pieces; a measure of work

cdef const unsigned char *TOKEN

cdef void begin_head(Head *head) noexcept nogil
cdef void free_head(Head *head) noexcept nogil
cdef int read_head(Head *head, const char *data, Py_ssize_t length, const Bounds *bounds, Kind kind) noexcept nogil
cdef void accept_line(Head *head) noexcept nogil
cdef int add_span(
    Head *head, Py_ssize_t name, Py_ssize_t name_length, Py_ssize_t value, Py_ssize_t value_length
) noexcept nogil
cdef bint is_plain_host(const char *value, Py_ssize_t length) noexcept nogil
