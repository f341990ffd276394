# A truth of one octet: a bool to Python like `bint`, which takes four.

cdef extern from *:
    ctypedef bint flag "unsigned char"
