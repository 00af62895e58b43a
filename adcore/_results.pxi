"""Arrays for results: large ones in memory that earlier results have given back."""

from cpython.pythread cimport PyThread_acquire_lock, PyThread_allocate_lock
from cpython.pythread cimport PyThread_release_lock, PyThread_type_lock, WAIT_LOCK
from cpython.pycapsule cimport PyCapsule_New


cdef extern from "numpy/arrayobject.h":
    object PyDataMem_SetHandler(object handler)
    ctypedef struct PyDataMemAllocator:
        void *ctx
        void *(*malloc)(void *, size_t) noexcept
        void *(*calloc)(void *, size_t, size_t) noexcept
        void *(*realloc)(void *, void *, size_t) noexcept
        void (*free)(void *, void *, size_t) noexcept
    ctypedef struct PyDataMem_Handler:
        char name[127]
        unsigned char version
        PyDataMemAllocator allocator


cdef enum:
    LARGE_RESULT = 1 << 20      # bytes from which on memory is worth keeping
    MOST_KEPT = 1 << 26         # bytes that are kept

cdef ad_blocks _blocks
cdef PyThread_type_lock _blocks_lock = PyThread_allocate_lock()
cdef PyDataMem_Handler _handler
_blocks.most = MOST_KEPT


cdef void *take_block(void *ctx, size_t size) noexcept:
    PyThread_acquire_lock(_blocks_lock, WAIT_LOCK)
    block = ad_blocks_take(&_blocks, size)
    PyThread_release_lock(_blocks_lock)
    return block


cdef void give_block(void *ctx, void *block, size_t size) noexcept:
    PyThread_acquire_lock(_blocks_lock, WAIT_LOCK)
    ad_blocks_give(&_blocks, block)
    PyThread_release_lock(_blocks_lock)


cdef void *take_zeros(void *ctx, size_t n, size_t size) noexcept:
    cdef void *block = NULL
    if size == 0 or n <= <size_t>-1 // size:
        block = take_block(ctx, n * size)
    if block != NULL:
        memset(block, 0, n * size)
    return block


cdef void *resize_block(void *ctx, void *block, size_t size) noexcept:
    cdef void *moved = take_block(ctx, size)
    if moved != NULL and block != NULL:
        memcpy(moved, block, min(size, ad_block_size(block)))
        give_block(ctx, block, 0)
    return moved


memcpy(_handler.name, b"adcore results", 15)
_handler.version = 1
_handler.allocator.malloc = take_block
_handler.allocator.calloc = take_zeros
_handler.allocator.realloc = resize_block
_handler.allocator.free = give_block
cdef object _handler_capsule = PyCapsule_New(&_handler, "mem_handler", NULL)


cdef cnp.ndarray fresh_array(int ndim, cnp.npy_intp *dims):
    """An array with nothing in it yet, which owns its memory."""
    cdef cnp.npy_intp n = sizeof(double)
    cdef int d
    for d in range(ndim):
        n *= dims[d]
    if n < LARGE_RESULT:
        return cnp.PyArray_SimpleNew(ndim, dims, cnp.NPY_DOUBLE)
    outside = PyDataMem_SetHandler(_handler_capsule)
    try:
        return cnp.PyArray_SimpleNew(ndim, dims, cnp.NPY_DOUBLE)
    finally:
        PyDataMem_SetHandler(outside)


def empty_results(list shapes):
    """An array of float64 for each shape, with nothing in it yet."""
    cdef cnp.npy_intp dims[AD_MAX_DIMS]
    cdef int d
    arrays = []
    for shape in shapes:
        for d in range(len(shape)):
            dims[d] = shape[d]
        arrays.append(fresh_array(len(shape), dims))
    return arrays
