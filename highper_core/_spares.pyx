# cython: language_level=3, boundscheck=False, wraparound=False, embedsignature=True, freethreading_compatible=True
"""Memory of objects that died, kept for the next of their class.

A request makes and drops the same few objects. Their memory comes from here zeroed, as from the allocator, with less
than half the instructions, and without bringing the next run of the garbage collector closer. A subclass, a build whose allocator
shall see every use after the end (ASan), and one without a global lock go to the allocator as ever.
"""

cdef extern from *:
    """
    #include <string.h>

    #if defined(__has_feature)  /* of clang; gcc defines the macro itself */
    #if __has_feature(address_sanitizer)
    #define __SANITIZE_ADDRESS__ 1
    #endif
    #endif

    enum { HIGHPER_CLASSES = 16, HIGHPER_SPARES = 64 };

    typedef struct {
        PyTypeObject *type;
        int count;
        PyObject *spares[HIGHPER_SPARES];
    } HighperSpares;

    static HighperSpares highper_spares[HIGHPER_CLASSES];

    static inline PyObject *highper_take(HighperSpares *of, PyTypeObject *type, Py_ssize_t items) {
        if (of->count == 0 || type != of->type)
            return PyType_GenericAlloc(type, items);
        PyObject *object = of->spares[--of->count];
        memset(object, 0, (size_t)type->tp_basicsize);
        PyObject_Init(object, type);
        if (PyType_IS_GC(type))
            PyObject_GC_Track(object);
        return object;
    }

    static inline void highper_put(HighperSpares *of, void *memory) {
        PyTypeObject *type = Py_TYPE((PyObject *)memory);
        if (type == of->type && of->count < HIGHPER_SPARES)
            of->spares[of->count++] = (PyObject *)memory;
        else if (PyType_IS_GC(type))
            PyObject_GC_Del(memory);
        else
            PyObject_Free(memory);
    }

    #define HIGHPER_CLASS(n) \\
        static PyObject *highper_take_##n(PyTypeObject *type, Py_ssize_t items) { \\
            return highper_take(&highper_spares[n], type, items); \\
        } \\
        static void highper_put_##n(void *memory) { highper_put(&highper_spares[n], memory); }
    HIGHPER_CLASS(0) HIGHPER_CLASS(1) HIGHPER_CLASS(2) HIGHPER_CLASS(3)
    HIGHPER_CLASS(4) HIGHPER_CLASS(5) HIGHPER_CLASS(6) HIGHPER_CLASS(7)
    HIGHPER_CLASS(8) HIGHPER_CLASS(9) HIGHPER_CLASS(10) HIGHPER_CLASS(11)
    HIGHPER_CLASS(12) HIGHPER_CLASS(13) HIGHPER_CLASS(14) HIGHPER_CLASS(15)

    #define HIGHPER_PAIR(n) { highper_take_##n, highper_put_##n }
    static const struct { allocfunc take; freefunc put; } highper_pairs[HIGHPER_CLASSES] = {
        HIGHPER_PAIR(0), HIGHPER_PAIR(1), HIGHPER_PAIR(2), HIGHPER_PAIR(3),
        HIGHPER_PAIR(4), HIGHPER_PAIR(5), HIGHPER_PAIR(6), HIGHPER_PAIR(7),
        HIGHPER_PAIR(8), HIGHPER_PAIR(9), HIGHPER_PAIR(10), HIGHPER_PAIR(11),
        HIGHPER_PAIR(12), HIGHPER_PAIR(13), HIGHPER_PAIR(14), HIGHPER_PAIR(15),
    };

    /* Whether it could be done: for a type of fixed size whose memory is an ordinary object's. */
    static int highper_keep(PyTypeObject *type) {
    #if defined(Py_GIL_DISABLED) || defined(__SANITIZE_ADDRESS__)
        return 0;
    #else
        static int used = 0;
        if (used == HIGHPER_CLASSES || type->tp_itemsize || type->tp_finalize || type->tp_del
                || type->tp_flags & Py_TPFLAGS_HEAPTYPE || type->tp_alloc != PyType_GenericAlloc)
            return 0;
        highper_spares[used].type = type;
        type->tp_alloc = highper_pairs[used].take;
        type->tp_free = highper_pairs[used].put;
        used++;
        return 1;
    #endif
    }

    static int highper_count(PyTypeObject *type) {
        for (int n = 0; n < HIGHPER_CLASSES; n++)
            if (highper_spares[n].type == type)
                return highper_spares[n].count;
        return 0;
    }
    """
    bint highper_keep(type kind)
    int highper_count(type kind)


def keep_spares(type kind not None):
    """Keep the memory of up to 64 dead objects of an extension type; return whether it can be."""
    return highper_keep(kind)


def spares(type kind not None):
    """Return how many are kept of a class."""
    return highper_count(kind)
