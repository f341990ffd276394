# UTF-8, judged as it comes: a byte that cannot go on is refused when it is there, not when its character should be.
# Source: RFC 3629 section 4.

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #if defined(__SSE2__)
    #include <emmintrin.h>
    #endif

    /* Where text stands between two pieces: all zero is the beginning. */
    typedef struct {
        unsigned char have;            /* octets of a character that has begun, */
        unsigned char needed;          /* and those that it still needs; the next one is from least to most */
        unsigned char least, most;
        char octets[4];                /* the ones it has */
    } HighperUtf8;

    /* Whether text may go on so; then `text` stands behind it. */
    static inline int highper_utf8(HighperUtf8 *text, const char *p, const char *end)
    {
        while (p < end) {
            unsigned char octet;
            if (!text->needed) {
    #if defined(__SSE2__)
                for (; end - p >= 16; p += 16) {
                    const int tops = _mm_movemask_epi8(_mm_loadu_si128((const __m128i *)p));
                    if (tops) {
                        p += __builtin_ctz((unsigned)tops);
                        break;
                    }
                }
    #endif
                while (p < end && !(*p & 0x80))
                    p++;
                if (p == end)
                    break;
                octet = (unsigned char)*p++;
                text->least = 0x80;
                text->most = 0xbf;
                if (octet < 0xc2 || octet > 0xf4)
                    return 0;
                if (octet < 0xe0)
                    text->needed = 1;
                else if (octet < 0xf0) {
                    text->needed = 2;
                    if (octet == 0xe0)
                        text->least = 0xa0;
                    else if (octet == 0xed)
                        text->most = 0x9f;
                } else {
                    text->needed = 3;
                    if (octet == 0xf0)
                        text->least = 0x90;
                    else if (octet == 0xf4)
                        text->most = 0x8f;
                }
                text->octets[0] = (char)octet;
                text->have = 1;
                continue;
            }
            octet = (unsigned char)*p++;
            if (octet < text->least || octet > text->most)
                return 0;
            text->least = 0x80;
            text->most = 0xbf;
            text->octets[text->have++] = (char)octet;
            if (!--text->needed)
                text->have = 0;
        }
        return 1;
    }
    """
    ctypedef struct Utf8 "HighperUtf8":
        unsigned char have
        unsigned char needed
        char octets[4]

    bint utf8_goes_on "highper_utf8"(Utf8 *text, const char *p, const char *end) noexcept nogil
