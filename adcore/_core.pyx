# cython: c_api_binop_methods=True
"""Tape, Tensor and the derivatives of what was recorded: the border to the C core.

A Tensor is a handle on slots of its thread's tape, or a constant.  Here values are converted and
checked, the core is called, and its status becomes an exception; no formula lives in this file.
"""

cimport cython
cimport numpy as cnp
from cpython.bool cimport PyBool_Check
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_Check, PyFloat_CheckExact
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.long cimport PyLong_AsDouble, PyLong_CheckExact
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject, PyObject_RichCompare
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.math cimport copysign, floor, isfinite
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memset

import math

import numpy as np

from . import errors
from .errors import NotDifferentiableError, ShapeError, TapeError

cnp.import_array()


cdef extern from *:
    """
    #include "ad_program.h"
    /* Each thread has a tape of its own, and may have turned recording off.  While a program is
     * being recorded the tape is the program's. */
    struct ad_local_state {
        struct ad_tape *tape;
        int off;
        struct ad_program *program;
        int rows;   /* what needs more than first derivatives is recorded in rows of the table */
    };
    #if defined(_MSC_VER)
    static __declspec(thread) struct ad_local_state ad_local;
    #elif defined(__linux__)
    static __thread struct ad_local_state ad_local __attribute__((tls_model("initial-exec")));
    #else
    static _Thread_local struct ad_local_state ad_local;
    #endif
    """
    struct ad_local_state:
        ad_tape *tape
        int off
        ad_program *program
        int rows
    ad_local_state ad_local


cdef extern from *:
    """
    static int ad_type_add(PyObject *type, PyObject *name, PyObject *function)
    {
        int failed = PyDict_SetItem(((PyTypeObject *)type)->tp_dict, name, function);

        PyType_Modified((PyTypeObject *)type);
        return failed;
    }
    """
    int ad_type_add(object type, object name, object function) except -1
    int PySlice_Unpack(object slice, Py_ssize_t *start, Py_ssize_t *stop,
                       Py_ssize_t *step) except -1
    Py_ssize_t PySlice_AdjustIndices(Py_ssize_t length, Py_ssize_t *start, Py_ssize_t *stop,
                                     Py_ssize_t step)
    object PyInstanceMethod_New(object function)


cdef object _thread_state = __import__("_thread")._local()


cdef class _Owner:
    """Keeps a thread's tape for as long as the thread lives."""

    cdef ad_tape *tape
    cdef cnp.ndarray spare      # a buffer, see spare_room()

    def __dealloc__(self):
        ad_tape_free(self.tape)


cdef ad_tape *new_tape() except NULL:
    """The tape of a thread, which may have one although none is in use."""
    cdef _Owner owner = getattr(_thread_state, "owner", None)
    if owner is not None:
        ad_local.tape = owner.tape
        return owner.tape
    owner = _Owner.__new__(_Owner)
    owner.tape = ad_tape_new()
    if owner.tape == NULL:
        raise MemoryError("no memory for a new tape")
    owner.tape.hooks = &call_hooks
    _thread_state.owner = owner
    ad_local.tape = owner.tape
    return owner.tape


cdef inline ad_tape *this_tape() except NULL:
    if ad_local.tape != NULL:
        return ad_local.tape
    return new_tape()


cdef int check(ad_status status) except -1:
    """Raise the exception of `status` unless it is AD_OK."""
    if status == AD_OK:
        return 0
    if status == AD_CALL_FAILED:
        return take_call_error()
    name = ad_status_exception(status).decode()
    kind = getattr(errors, name, None) or getattr(__builtins__, name, None) or MemoryError
    raise kind(ad_status_text(status).decode())


# ---- the table, as Python sees it ----


class Op:
    """One row of the op table.

    Attributes are `name`, `ufunc` (the NumPy or SciPy ufunc of the same meaning), `n_args`,
    `family` (takes an integer parameter first), `hidden`, `curvature` ("linear", "select",
    "curved" or "pole"), `domain` (an open interval per argument), `partial_text` (the derivative
    column as an expression in x, z, w, y and p), `words` (the same in postfix) and `function`.
    """

    def __repr__(self):
        return f"<op {self.name}: d = {', '.join(self.partial_text)}>"


cdef list words_of(const ad_word *word):
    names = {AD_W_X: "x", AD_W_Z: "z", AD_W_W: "w", AD_W_Y: "y", AD_W_P: "p"}
    out = []
    while word.op != AD_W_END:
        if word.op >= 0:
            out.append((ad_ops[word.op].name.decode(), word.c))
        elif word.op == AD_W_CONST:
            out.append(("const", word.c))
        else:
            out.append((names[word.op], 0.0))
        word += 1
    return out


def _text(list words):
    """The infix text of postfix `words`."""
    signs = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
    rows = {op.name: op for op in OPS}
    stack = []
    for name, c in words:
        if name == "const":
            stack.append(repr(int(c)) if c == int(c) else repr(c))
        elif name in rows:
            row = rows[name]
            args = stack[len(stack) - row.n_args:]
            del stack[len(stack) - row.n_args:]
            if name in signs:
                stack.append(f"({args[0]} {signs[name]} {args[1]})")
            elif name == "neg":
                stack.append(f"(-{args[0]})")
            elif row.family:
                stack.append(f"{name}(p + {int(c)}, {args[0]})")
            else:
                stack.append(f"{name}({', '.join(args)})")
        else:
            stack.append(name)
    return stack[0]


def _make_ops():
    out = []
    curvatures = {AD_LINEAR: "linear", AD_SELECT: "select", AD_CURVED: "curved",
                  AD_POLE: "pole"}
    for code in range(AD_N_OPS):
        op = Op()
        op.code = code
        op.name = ad_ops[code].name.decode()
        op.ufunc = ad_ops[code].ufunc.decode()
        op.n_args = ad_ops[code].n_args
        op.family = bool(ad_ops[code].family)
        op.hidden = bool(ad_ops[code].hidden)
        op.curvature = curvatures[ad_ops[code].curvature]
        op.domain = tuple((ad_ops[code].domain[i][0], ad_ops[code].domain[i][1])
                          for i in range(op.n_args))
        op.words = tuple(words_of(ad_ops[code].partial[i]) for i in range(op.n_args))
        out.append(op)
    return tuple(out)


OPS = _make_ops()
for _op in OPS:
    _op.partial_text = tuple(_text(_words) for _words in _op.words)

cdef dict _code_of_name = {op.name: op.code for op in OPS}
cdef dict _code_of_ufunc_name = {op.ufunc: op.code for op in OPS if not op.hidden}
cdef dict _code_of_ufunc = {}      # ufunc objects seen so far -> code

# What adcore.ops and adcore.rules add: NumPy functions on tensors, and methods beyond those below.
ARRAY_FUNCTIONS = {}
METHODS = {}
UFUNC_RULES = {}        # ufuncs without a row, also of other packages -> the same of tensors, duals


def add_methods(dict methods):
    """Make functions methods of Tensor and Dual; names with an underscore are hooks."""
    for name, function in methods.items():
        METHODS[name] = function
        if name.startswith("_"):
            continue
        method = function if hasattr(function, "__get__") else PyInstanceMethod_New(function)
        for kind in (Tensor, Dual):
            if name not in _own_attributes[kind]:
                ad_type_add(kind, name, method)


# ---- operands ----


cdef object shape_of(object x):
    """np.shape, of tensors and duals too."""
    if PyFloat_CheckExact(x):
        return ()
    if type(x) is Tensor or type(x) is Dual or type(x) is cnp.ndarray:
        return x.shape
    return np.shape(x)


cdef void release_object(void *owner) noexcept with gil:
    Py_DECREF(<object>owner)


cdef enum:
    COPY_BELOW = 4096   # constant arrays of fewer elements are copied


cdef int array_view(cnp.ndarray a, ad_view *view) except -1:
    """A view of a constant array: its numbers copied if few, else referenced and checked."""
    cdef int64_t size = cnp.PyArray_SIZE(a)
    cdef int64_t shape[AD_MAX_DIMS]
    cdef int d
    cdef bint writable
    if cnp.PyArray_TYPE(a) == cnp.NPY_DOUBLE and is_repeated(a):
        for d in range(cnp.PyArray_NDIM(a)):
            shape[d] = cnp.PyArray_DIM(a, d)
        view[0] = ad_view_number((<double *>cnp.PyArray_DATA(a))[0])
        ad_view_broadcast(view, cnp.PyArray_NDIM(a), shape)
        return 0
    if cnp.PyArray_TYPE(a) != cnp.NPY_DOUBLE or not cnp.PyArray_ISCARRAY_RO(a):
        if not (cnp.PyArray_ISINTEGER(a) or cnp.PyArray_ISBOOL(a) or cnp.PyArray_ISFLOAT(a)):
            raise_dtype(a)
        a = cnp.PyArray_FROMANY(a, cnp.NPY_DOUBLE, 0, 0,
                                cnp.NPY_ARRAY_CARRAY_RO | cnp.NPY_ARRAY_FORCECAST)
        writable = False
    else:
        writable = not is_frozen(a)
    view[0] = ad_view_slots(0, 0, NULL)
    view.ndim = cnp.PyArray_NDIM(a)
    if view.ndim > AD_MAX_DIMS:
        raise ShapeError(f"an array may have at most {AD_MAX_DIMS} dimensions, this one has "
                         f"{view.ndim}; reshape it first")
    for d in range(view.ndim):
        view.shape[d] = cnp.PyArray_DIM(a, d)
    ad_strides(view.ndim, view.shape, view.stride)
    if view.ndim == 0:
        view[0] = ad_view_number((<double *>cnp.PyArray_DATA(a))[0])
        return 0
    view.place = AD_ARRAY
    if size < COPY_BELOW:
        view.in_.array = ad_array_copy(<const double *>cnp.PyArray_DATA(a), size)
    else:
        Py_INCREF(a)
        view.in_.array = ad_array_share(<const double *>cnp.PyArray_DATA(a), size, <void *>a,
                                        release_object, writable)
    if view.in_.array == NULL:
        raise MemoryError("no memory for a constant array")
    return 0


cdef bint is_repeated(cnp.ndarray a):
    """Is this one number, stretched to a shape of two elements or more?"""
    cdef int d
    if not 0 < cnp.PyArray_NDIM(a) <= AD_MAX_DIMS or cnp.PyArray_SIZE(a) < 2 \
            or not cnp.PyArray_ISBEHAVED_RO(a):
        return False
    for d in range(cnp.PyArray_NDIM(a)):
        if cnp.PyArray_STRIDE(a, d) != 0 and cnp.PyArray_DIM(a, d) != 1:
            return False
    return True


cdef bint is_frozen(cnp.ndarray a):
    """Can nobody write to these numbers any more?"""
    while True:
        if cnp.PyArray_ISWRITEABLE(a):
            return False
        base = (<object>a).base
        if base is None:
            return True
        if not isinstance(base, cnp.ndarray):
            return False
        a = base


cdef int tensor_view(Tensor t, ad_view *view) except -1:
    """The view of any Tensor of this thread; holds what it points at."""
    if t.h.tape != NULL:
        if t.h.tape != ad_local.tape:
            raise_foreign(t)
        if t.h.view != NULL:
            ad_view_copy(view, t.h.view)
            ad_view_hold(view)
        else:
            ad_view_set_slots(view, t.h.slot, 0, NULL)
    elif isinstance(t.constant, float):
        view[0] = ad_view_number(PyFloat_AS_DOUBLE(t.constant))
    else:
        array_view(t.constant, view)
    return 0


cdef int raise_foreign(Tensor t) except -1:
    if ad_local.program != NULL:
        raise TapeError(
            f"a tracked tensor of shape {t.shape} from outside is used in a compiled function, "
            "which would take it for a constant; make it an argument of that function")
    if t.h.tape.orphan:
        raise TapeError(
            f"a tensor of shape {t.shape} has outlived what it belongs to, the recording of a "
            "compiled function or a thread; let the function return it, or keep its .detach()")
    raise TapeError(
        f"a tensor of shape {t.shape} belongs to another thread's tape; each thread "
        "differentiates its own: pass numbers between threads with .detach() or .numpy()")


def refuse_subclass(x):
    """Raise a TypeError if the arithmetic of an array is not NumPy's own: it would be lost.

    Masks, units and the products of matrices are such; memory maps and mere views are not.
    """
    kind = type(x)
    for name in ("__mul__", "__add__", "__pow__", "__array_ufunc__"):
        if getattr(kind, name) is not getattr(np.ndarray, name):
            raise TypeError(
                f"a {kind.__name__} has arithmetic of its own, which adcore would take for that of "
                "an ordinary array; pass np.asarray(x) if that is meant, or x.filled(0.0) of a "
                "masked array")
    return x


cdef int operand(object o, ad_view *view) except -1:
    """The view of an operand; 0 if it is of a type that cannot be one."""
    if type(o) is Tensor:
        tensor_view(<Tensor>o, view)
    elif isinstance(o, float):
        view[0] = ad_view_number(o)
    elif type(o) is cnp.ndarray and cnp.PyArray_TYPE(<cnp.ndarray>o) == cnp.NPY_DOUBLE:
        array_view(o, view)
    elif isinstance(o, cnp.ndarray):
        if (<cnp.ndarray>o).dtype.kind in "Oc":
            return 0
        if type(o) is not cnp.ndarray:
            refuse_subclass(o)
        array_view(o, view)
    elif is_plain_scalar(o):
        view[0] = ad_view_number(float(o))
    elif isinstance(o, (list, tuple)):
        if is_complex(o):
            return 0
        array_view(np.asarray(o, dtype=np.float64), view)
    elif type(o) is METHODS["_index"] or type(o) is METHODS["_mask"]:
        tensor_view(o.tensor, view)
    else:
        return 0
    return 1


cpdef bint is_complex(object x):
    """A complex number or array, or a pair of tensors or duals that stands for one.

    Also a list or a tuple with one of these in it.
    """
    if PyFloat_CheckExact(x) or type(x) in NEVER_COMPLEX:
        return False
    if isinstance(x, cnp.ndarray):
        return cnp.PyArray_ISCOMPLEX(<cnp.ndarray>x)
    if isinstance(x, (list, tuple)):
        for i in x:
            if is_complex(i):
                return True
        return False
    return isinstance(x, (complex, np.complexfloating)) or hasattr(x, "__complex_pair__")


cdef int expect_real(object value) except -1:
    """Refuse complex numbers among real ones."""
    if is_complex(value):
        raise NotDifferentiableError(
            f"a {type(value).__name__} cannot be assigned into a real tensor; make it complex "
            "first: x = x + 0j")
    return 0


cdef int refuse_complex(object out) except -1:
    """Refuse complex numbers that a real array is to become in place."""
    if is_complex(out):
        raise NotDifferentiableError(
            "a real array cannot take complex numbers in place; write x = x + y for x += y, or "
            "make it complex first: x = x + 0j")
    return 0


def complex_pair(real, imag):
    """real + i imag, of whatever can be a part."""
    return METHODS["_complex_pair"](real, imag)


cdef object op_on_others(ad_op op, double p, args):
    """An op on operands some of which are foreign: complex ones have meanings of their own."""
    for x in args:
        if type(x) is Symbol:
            return step_of(op, tuple(args)) if p == 0 else NotImplemented
        if is_complex(x):
            return METHODS["_complex_op"](ad_ops[op].name.decode(), p, *args)
    return NotImplemented


cdef frozenset NEVER_COMPLEX = frozenset(
    (float, int, bool, str, type(None), slice, np.float64, Tensor, Dual))
cdef tuple REAL_NUMBERS = (float, int, np.floating, np.integer, np.bool_)


cdef inline bint is_plain_scalar(object o):
    return isinstance(o, REAL_NUMBERS)


# ---- results ----


# Tensors on a tape come and go once per op.  Dead ones wait here, their two object fields still
# None, so that neither making nor dropping one needs to touch more than the handle.
cdef enum:
    SPARE = 4096

cdef PyObject *spare[SPARE]
cdef int n_spare = 0


cdef extern from *:
    """
    #define AD_REVIVE(o) Py_SET_REFCNT(o, 1)
    """
    void AD_REVIVE(PyObject *o)
    ctypedef struct PyTypeObject:
        void (*tp_dealloc)(PyObject *) noexcept


cdef void (*dealloc_by_cython)(PyObject *) noexcept


cdef void dealloc_tensor(PyObject *o) noexcept:
    """The type's tp_dealloc: lets go of the handle, and keeps the object if it is like new."""
    global n_spare
    cdef Tensor_fields *t = <Tensor_fields *>o
    if t.h.tape != NULL:
        ad_handle_drop(&t.h)
        t.h.tape = NULL
        if n_spare < SPARE and t.constant == <PyObject *>None \
                and <void *>t.meta == <void *>None:
            spare[n_spare] = o
            n_spare += 1
            return
    dealloc_by_cython(o)


cdef extern from *:
    """
    struct __pyx_obj_6adcore_5_core_Tensor;
    """
    ctypedef struct Tensor_fields "struct __pyx_obj_6adcore_5_core_Tensor":
        ad_handle h
        PyObject *constant
        PyObject *meta


cdef inline Tensor new_tensor():
    """A Tensor whose handle is yet to be filled in."""
    global n_spare
    cdef PyObject *o
    if n_spare > 0:
        n_spare -= 1
        o = spare[n_spare]
        AD_REVIVE(o)
        t = <Tensor>o
        Py_DECREF(t)     # the cast took a reference of its own
        return t
    return Tensor.__new__(Tensor)


cdef inline Tensor new_scalar(ad_tape *tape, int32_t instr, int32_t slot):
    cdef Tensor t = new_tensor()
    ad_handle_scalar(&t.h, tape, instr, slot)
    return t


cdef Tensor constant_tensor(object value):
    cdef Tensor t = Tensor.__new__(Tensor)
    t.constant = value
    return t


cdef object view_values(ad_tape *tape, const ad_view *view):
    """The numbers of a view, as a float or a new array."""
    cdef cnp.ndarray out
    cdef cnp.npy_intp dims[AD_MAX_DIMS]
    cdef int d
    if view.place == AD_NUMBER and view.ndim == 0:
        return view.in_.number
    if view.ndim == 0 and view.place == AD_SLOTS:
        return tape.value[view.base]
    if view.ndim == 0 and view.place == AD_LIST:
        return tape.value[view.in_.list.slot[view.base]]
    for d in range(view.ndim):
        dims[d] = view.shape[d]
    out = cnp.PyArray_SimpleNew(view.ndim, dims, cnp.NPY_DOUBLE)
    ad_view_read(view, tape.value, <double *>cnp.PyArray_DATA(out))
    return out


cdef Tensor new_result(ad_tape *tape, ad_view *view, bint tracked):
    """The Tensor of a result just recorded; a constant if nothing tracked went in.

    Consumes the view's reference.
    """
    cdef Tensor t
    if tracked and view.place != AD_NUMBER and view.place != AD_ARRAY:
        t = new_tensor()
        if not ad_handle_view(&t.h, tape, view):
            t.h.tape = NULL
            ad_view_drop(view)
            raise MemoryError("no memory for a tensor")
        return t
    value = view_values(tape, view)
    ad_view_drop(view)
    ad_tape_pop(tape)
    return constant_tensor(value)


cdef Tensor settle(ad_tape *tape, ad_view *view, bint tracked):
    """The Tensor of a result of operands that were tracked, or not, as recording is on or off.

    Consumes the view's reference.
    """
    cdef ad_view stopped
    cdef const ad_view *args[1]
    cdef ad_status status
    if tracked and ad_local.off and ad_local.program != NULL:
        args[0] = view
        status = ad_record_op(tape, AD_OP_stop, 0, args, &stopped)
        ad_view_drop(view)
        check(status)
        return new_result(tape, &stopped, True)
    return new_result(tape, view, tracked and ad_local.off == 0)


cdef inline bint is_tracked(object o):
    return type(o) is Tensor and (<Tensor>o).h.tape != NULL


def values(x):
    """The numbers of a tensor or below a dual, not to be changed; anything else as it is."""
    return numbers_of(x)


def peek(x):
    """The numbers of a tensor for a rule, which a replay calls again; anything else as it is."""
    return (<Tensor>x).peek() if type(x) is Tensor else x


include "_elementwise.pxi"
include "_indices.pxi"
include "_tensor.pxi"
include "_views.pxi"
include "_assign.pxi"
include "_dispatch.pxi"
include "_structural.pxi"
include "_joins.pxi"
include "_gather.pxi"
include "_draw.pxi"
include "_dual.pxi"
include "_functions.pxi"
include "_derive.pxi"
include "_edges.pxi"
include "_kernels.pxi"
include "_formula.pxi"
include "_complex.pxi"
include "_calls.pxi"
include "_whole.pxi"
include "_ufuncs.pxi"
include "_fourier.pxi"
include "_results.pxi"
include "_program.pxi"
include "_map.pxi"
include "_io.pxi"
include "_look.pxi"
include "_to_c.pxi"
include "_coloring.pxi"

cdef dict _own_attributes = {Tensor: frozenset(dir(Tensor)), Dual: frozenset(dir(Dual))}
