# Masking, a vector at a time. Reads [from, from + length), writes [to, to + length); they may be the same, not overlap
# otherwise. Source: RFC 6455 section 5.3.

from libc.stdint cimport uint32_t

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #if defined(__SSE2__)
    #include <emmintrin.h>
    #endif

    /* Copy with the four octets of `key`, as they lie in memory, laid over; all zero is a plain copy. Returns whether
       an octet written has its top bit set: text without one is ASCII. */
    static inline int highper_mask(char *to, const char *from, Py_ssize_t length, uint32_t key)
    {
        Py_ssize_t i = 0;
        uint64_t wide = (uint64_t)key << 32 | key, seen = 0, octets;
        unsigned char keys[4];
        unsigned tops = 0;
    #if defined(__SSE2__)
        const __m128i laid = _mm_set1_epi32((int)key);
        __m128i any = _mm_setzero_si128();
        for (; length - i >= 64; i += 64) {
            const __m128i a = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(from + i)), laid);
            const __m128i b = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(from + i + 16)), laid);
            const __m128i c = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(from + i + 32)), laid);
            const __m128i d = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(from + i + 48)), laid);
            any = _mm_or_si128(any, _mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d)));
            _mm_storeu_si128((__m128i *)(to + i), a);
            _mm_storeu_si128((__m128i *)(to + i + 16), b);
            _mm_storeu_si128((__m128i *)(to + i + 32), c);
            _mm_storeu_si128((__m128i *)(to + i + 48), d);
        }
        tops = (unsigned)_mm_movemask_epi8(any);
    #endif
        for (; length - i >= 8; i += 8) {
            memcpy(&octets, from + i, 8);
            octets ^= wide;
            seen |= octets;
            memcpy(to + i, &octets, 8);
        }
        memcpy(keys, &key, 4);
        for (; i < length; i++) {
            const unsigned char octet = (unsigned char)from[i] ^ keys[i & 3];
            seen |= octet;
            to[i] = (char)octet;
        }
        return tops || seen & 0x8080808080808080u;
    }

    /* The key whose first octet is the one that `key` has behind `length` octets. */
    static inline uint32_t highper_turned(uint32_t key, Py_ssize_t length)
    {
        unsigned char keys[4], turned[4];
        int i;
        memcpy(keys, &key, 4);
        for (i = 0; i < 4; i++)
            turned[i] = keys[(i + length) & 3];
        memcpy(&key, turned, 4);
        return key;
    }
    """
    bint mask_octets "highper_mask"(char *to, const char *origin, Py_ssize_t length, uint32_t key) noexcept nogil
    uint32_t turned "highper_turned"(uint32_t key, Py_ssize_t length) noexcept nogil
