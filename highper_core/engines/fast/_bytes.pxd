# Scanners over octets. Each reads [p, end) and nothing outside; none keeps a pointer, allocates or raises.

from libc.stdint cimport uint32_t

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #if defined(__SSE2__)
    #include <emmintrin.h>
    #endif

    /* The first control other than HTAB, or DEL; `end` when there is none. */
    static inline const char *highper_text_end(const char *p, const char *end)
    {
    #if defined(__SSE2__)
        const __m128i below = _mm_set1_epi8(0x1f), tab = _mm_set1_epi8(0x09), del = _mm_set1_epi8(0x7f);
        const char *begin = p;
        for (;; p += 16) {
            if (end - p < 16) { /* the last ones once more, together with some before them */
                if (p == end || end - begin < 16)
                    break;
                p = end - 16;
            }
            const __m128i octets = _mm_loadu_si128((const __m128i *)p);
            const __m128i controls = _mm_cmpeq_epi8(_mm_min_epu8(octets, below), octets);
            const __m128i refused = _mm_or_si128(
                _mm_andnot_si128(_mm_cmpeq_epi8(octets, tab), controls), _mm_cmpeq_epi8(octets, del));
            const int mask = _mm_movemask_epi8(refused);
            if (mask)
                return p + __builtin_ctz((unsigned)mask);
        }
    #else
        const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
        for (; end - p >= 8; p += 8) {
            uint64_t octets, del;
            memcpy(&octets, p, 8);
            del = octets ^ (ones * 0x7f);
            if ((((octets - ones * 0x20) & ~octets) | ((del - ones) & ~del)) & tops)
                break;
        }
    #endif
        for (; p < end; p++) {
            const unsigned char octet = (unsigned char)*p;
            if ((octet < 0x20 && octet != 0x09) || octet == 0x7f)
                break;
        }
        return p;
    }

    /* The first octet outside `members`, a table of 256; `end` when there is none. */
    static inline const char *highper_members_end(const char *p, const char *end, const unsigned char *members)
    {
        while (p < end && members[(unsigned char)*p])
            p++;
        return p;
    }

    static inline unsigned char highper_lower(char octet)
    {
        const unsigned char value = (unsigned char)octet;
        return (unsigned char)(value - 'A') < 26 ? value + 32 : value;
    }

    /* Whether `length` octets at p are `name`, which is lower case, apart from the case of ASCII letters. */
    static inline int highper_is_name(const char *p, const char *name, Py_ssize_t length)
    {
        Py_ssize_t i;
        for (i = 0; i < length; i++)
            if (highper_lower(p[i]) != (unsigned char)name[i])
                return 0;
        return 1;
    }

    /* The same for octets that are no controls, and a `word` of lower-case letters, digits and hyphens: there bit 5
       tells a letter's case and nothing else. Eight at a time, the last ones twice. */
    static inline int highper_is_word(const char *p, const char *word, Py_ssize_t length)
    {
        const uint64_t cases = 0x2020202020202020u;
        uint64_t a, b;
        Py_ssize_t i;
        if (length < 8) {
            for (i = 0; i < length; i++)
                if ((p[i] | 0x20) != word[i])
                    return 0;
            return 1;
        }
        for (i = 0; i < length - 8; i += 8) {
            memcpy(&a, p + i, 8);
            memcpy(&b, word + i, 8);
            if ((a | cases) != b)
                return 0;
        }
        memcpy(&a, p + length - 8, 8);
        memcpy(&b, word + length - 8, 8);
        return (a | cases) == b;
    }
    """
    const char *text_end "highper_text_end"(const char *p, const char *end) noexcept nogil
    const char *members_end "highper_members_end"(
        const char *p, const char *end, const unsigned char *members) noexcept nogil
    unsigned char lower "highper_lower"(char octet) noexcept nogil
    bint is_name "highper_is_name"(const char *p, const char *name, Py_ssize_t length) noexcept nogil
    bint is_word "highper_is_word"(const char *p, const char *word, Py_ssize_t length) noexcept nogil


cdef inline long long parse_digits(const char *p, Py_ssize_t length) noexcept nogil:
    """The number that 1 to 18 digits spell, or -1."""
    cdef long long value = 0
    cdef Py_ssize_t i
    if length < 1 or length > 18:
        return -1
    for i in range(length):
        if p[i] < c"0" or p[i] > c"9":
            return -1
        value = value * 10 + (p[i] - c"0")
    return value
