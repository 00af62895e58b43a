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
from libc.math cimport floor, isfinite
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy, memset

import numpy as np

from . import errors
from .errors import NotDifferentiableError, ShapeError, TapeError

cnp.import_array()


cdef extern from *:
    """
    #include "ad_program.h"
    /* Each thread has a tape of its own, and may have turned recording off.  While a program is
     * being recorded the tape is the program's. */
    struct ad_local_state { struct ad_tape *tape; int off; struct ad_program *program; };
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


cdef object _thread_state = __import__("threading").local()


cdef class _Owner:
    """Keeps a thread's tape for as long as the thread lives."""

    cdef ad_tape *tape

    def __dealloc__(self):
        ad_tape_free(self.tape)


cdef ad_tape *new_tape() except NULL:
    """The tape of a thread that has none yet."""
    cdef _Owner owner = _Owner.__new__(_Owner)
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
    cdef int d
    cdef bint writable
    if cnp.PyArray_TYPE(a) != cnp.NPY_DOUBLE or not cnp.PyArray_ISCARRAY_RO(a):
        if a.dtype.kind not in "bifu":
            raise_dtype(a)
        a = np.ascontiguousarray(a, dtype=np.float64).reshape((<object>a).shape)
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


cdef int operand(object o, ad_view *view) except -1:
    """The view of an operand; 0 if it is of a type that cannot be one."""
    if type(o) is Tensor:
        tensor_view(<Tensor>o, view)
    elif isinstance(o, float):
        view[0] = ad_view_number(o)
    elif isinstance(o, cnp.ndarray):
        if (<cnp.ndarray>o).dtype.kind == "O":
            return 0
        array_view(o, view)
    elif is_plain_scalar(o):
        view[0] = ad_view_number(float(o))
    elif isinstance(o, (list, tuple)):
        array_view(np.asarray(o, dtype=np.float64), view)
    else:
        return 0
    return 1


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
    cdef int d
    if view.place == AD_NUMBER and view.ndim == 0:
        return view.in_.number
    if view.ndim == 0 and view.place == AD_SLOTS:
        return tape.value[view.base]
    if view.ndim == 0 and view.place == AD_LIST:
        return tape.value[view.in_.list.slot[view.base]]
    shape = tuple([view.shape[d] for d in range(view.ndim)])
    out = np.empty(shape)
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


# ---- elementwise ops ----


cdef object record_elementwise(ad_op op, double p, PyObject **args):
    """An op on operands at least one of which is a Tensor; NotImplemented for foreign types."""
    cdef ad_tape *tape = this_tape()
    cdef ad_view views[3]
    cdef const ad_view *pointers[3]
    cdef ad_view result
    cdef ad_status status = AD_OK
    cdef int n = ad_ops[op].n_args, held = 0, i
    cdef bint tracked = False, known = True
    cdef Tensor t
    check(ad_tape_room(tape, 8))
    try:
        for i in range(n):
            pointers[i] = &views[i]
            if type(<object>args[i]) is Tensor:
                t = <Tensor><object>args[i]
                if t.h.tape == tape and t.h.view != NULL:
                    pointers[i] = t.h.view
                    tracked = True
                    views[i].place = AD_NUMBER      # nothing to let go of
                    held += 1
                    continue
                tracked = tracked or t.h.tape != NULL
            if not operand(<object>args[i], &views[i]):
                known = False
                break
            held += 1
        if known:
            status = ad_record_op(tape, op, p, pointers, &result)
    finally:
        for i in range(held):
            ad_view_drop(&views[i])
    if not known:
        return NotImplemented
    if status == AD_SHAPES_DIFFER:
        raise ShapeError(
            f"{ad_ops[op].name.decode()}: operands of shapes "
            f"{', '.join([str(shape_of(<object>args[i])) for i in range(n)])} do not broadcast "
            "together")
    check(status)
    return settle(tape, &result, tracked)


cdef object apply_op(ad_op op, double p, tuple args):
    """record_elementwise() with the operands in a tuple."""
    cdef PyObject *items[3]
    cdef int i
    for i in range(ad_ops[op].n_args):
        items[i] = <PyObject *>args[i]
    return record_elementwise(op, p, items)


cdef object apply_two(ad_op op, object left, object right):
    """record_elementwise() of two operands."""
    cdef PyObject *items[3]
    items[0] = <PyObject *>left
    items[1] = <PyObject *>right
    return record_elementwise(op, 0, items)


cdef inline object binary(ad_op op, object left, object right):
    """left op right; numbers and scalar tensors without detours."""
    if op == AD_OP_mul and left is right and type(left) is Tensor:
        return unary(AD_OP_square, <Tensor>left)
    cdef ad_tape *tape = ad_local.tape
    cdef int32_t a = 0, b = 0
    cdef double x, z
    cdef bint left_const = False, right_const = False
    cdef int32_t i
    if tape != NULL and ad_local.off == 0 and ad_tape_room(tape, 1) == AD_OK:
        if type(left) is Tensor and (<Tensor>left).h.tape == tape \
                and (<Tensor>left).h.view == NULL:
            a = (<Tensor>left).h.slot
            x = tape.value[a]
        elif PyFloat_CheckExact(left):
            x = PyFloat_AS_DOUBLE(left)
            left_const = True
        elif PyLong_CheckExact(left):
            x = PyLong_AsDouble(left)
            left_const = True
        else:
            return apply_two(op, left, right)
        if type(right) is Tensor and (<Tensor>right).h.tape == tape \
                and (<Tensor>right).h.view == NULL:
            b = (<Tensor>right).h.slot
            z = tape.value[b]
        elif PyFloat_CheckExact(right):
            z = PyFloat_AS_DOUBLE(right)
            right_const = True
        elif PyLong_CheckExact(right):
            z = PyLong_AsDouble(right)
            right_const = True
        else:
            return apply_two(op, left, right)
        if op == AD_OP_mul and a == b and not left_const and not right_const:
            return unary(AD_OP_square, <Tensor>left)
        if left_const:
            if right_const:
                return apply_two(op, left, right)
            a = ad_tape_const(tape, x)
        elif right_const:
            b = ad_tape_const(tape, z)
        if op == AD_OP_add or op == AD_OP_sub or op == AD_OP_mul or op == AD_OP_div:
            x = ad_point_value(op, 0, x, z, 0)      # inline
        else:
            x = ad_op_value(op, 0, x, z, 0)
        i = ad_tape_push(tape, op, a, b, x)
        return new_scalar(tape, i, tape.dst[i])
    return apply_two(op, left, right)


cdef inline object unary(ad_op op, Tensor t):
    cdef ad_tape *tape = t.h.tape
    cdef int32_t i
    if op == AD_OP_square and tape != NULL and ad_tape_code(tape, t.h.instr) == AD_NORM:
        # the square of a norm has no kink, whatever its spelling
        found = sum_of_squares(t)
        if found is not None:
            return found
    if tape != NULL and tape == ad_local.tape and t.h.view == NULL and ad_local.off == 0 \
            and ad_tape_room(tape, 1) == AD_OK:
        i = ad_tape_push(tape, op, t.h.slot, t.h.slot,
                         ad_op_value(op, 0, tape.value[t.h.slot], 0, 0))
        return new_scalar(tape, i, tape.dst[i])
    return apply_two(op, t, t)


cdef object power(object base, object exponent):
    """base ** exponent: an integer, or an integral constant, gives falling factorials."""
    cdef double p
    if type(base) is Tensor and is_plain_scalar(exponent) and not PyBool_Check(exponent):
        p = float(exponent)
        if p == floor(p) and -2.0 ** 53 < p < 2.0 ** 53:
            return integer_power(<Tensor>base, p)
    return binary(AD_OP_pow, base, exponent)


cdef Tensor sum_of_squares(Tensor norm):
    """The sum of squares that a norm is the root of, exact at zero too; None for other tensors."""
    cdef ad_tape *tape = norm.h.tape
    cdef ad_view view, rows, squares, sums
    cdef const ad_view *args[1]
    cdef int32_t i, dst
    if tape == NULL or tape != ad_local.tape or ad_local.off:
        return None
    view = ad_handle_get(&norm.h)
    if view.place != AD_SLOTS or ad_view_size(&view) == 0:
        return None
    i = ad_tape_producer(tape, ad_view_lowest(&view))
    if ad_tape_code(tape, i) != AD_NORM:
        return None
    check(ad_tape_room(tape, 8))        # may move the tape
    view = ad_handle_get(&norm.h)
    i = ad_tape_producer(tape, ad_view_lowest(&view))
    dst = tape.dst[i]
    ad_tape_views(tape, i, &rows, 1)
    args[0] = &rows
    check(ad_record_op(tape, AD_OP_square, 0, args, &squares))
    check(ad_record_sum(tape, &squares, <uint32_t>1 << (rows.ndim - 1), &sums))
    view.base += sums.base - dst
    return new_result(tape, &view, True)


cdef object integer_power(Tensor base, double p):
    if p == 1:
        return base.alias()
    if p == 2:
        return unary(AD_OP_square, base)
    if p == 0:
        return constant_tensor(1.0 if base.ndim == 0 else np.ones(base.shape))
    if p == -1:
        return unary(AD_OP_reciprocal, base)
    if p > 2 and p % 2 == 0 and base.h.tape != NULL \
            and ad_tape_code(base.h.tape, base.h.instr) == AD_NORM:
        found = sum_of_squares(base)    # even powers of a norm have no kink either
        if found is not None:
            return integer_power(found, p / 2)
    return apply_op(AD_OP_powi, p, (base,))


cdef object call_op(ad_op op, double p, tuple args):
    """An op on anything: a Dual or a Tensor if an argument is one, else a float or an array."""
    cdef bint tensors = False, duals = False
    for a in args:
        if type(a) is Tensor:
            tensors = True
        elif type(a) is Dual:
            duals = True
    if duals:
        out = dual_op(op, p, args)
    elif not tensors:
        return plain_op(op, p, args)
    elif len(args) == 1 and not ad_ops[op].family:
        return unary(op, <Tensor>args[0])
    else:
        out = apply_op(op, p, args)
    if out is NotImplemented:
        raise_type(op, args)
    return out


def apply(str name, *args, double p=0):
    """The op called `name` on tensors, arrays and numbers; `p` is a FAMILY op's parameter.

    The result is a Tensor if an argument is one, else a float or an array.
    """
    cdef int code = _code_of_name[name]
    if len(args) != ad_ops[code].n_args:
        raise TypeError(f"{name} takes {ad_ops[code].n_args} arguments, got {len(args)}")
    return call_op(code, p, args)


cdef object function_called(PyObject *self, PyObject *const *args, Py_ssize_t n):
    """The C function behind adcore.sin and its like; self is the op code."""
    cdef int code = <object>self
    cdef int n_args = ad_ops[code].n_args, i
    cdef double p = 0
    cdef Py_ssize_t first = 0
    if n == 1 and n_args == 1 and not ad_ops[code].family:
        if type(<object>args[0]) is Tensor:
            return unary(code, <Tensor><object>args[0])
        if type(<object>args[0]) is Dual:
            return dual_unary(code, <Dual><object>args[0])
        if PyFloat_CheckExact(<object>args[0]):
            return ad_op_value(code, 0, PyFloat_AS_DOUBLE(<object>args[0]), 0, 0)
    if ad_ops[code].family and n == 2:
        if type(<object>args[0]) is Tensor or <object>args[0] != floor(<object>args[0]):
            raise TypeError(f"{ad_ops[code].name.decode()}(n, x) needs an integer n, got "
                            f"{<object>args[0]!r}")
        p = <object>args[0]
        first = 1
    elif n != n_args:
        raise TypeError(f"{ad_ops[code].name.decode()} takes {n_args} arguments, got {n}")
    return call_op(code, p, tuple([<object>args[i] for i in range(first, n)]))


cdef extern from *:
    """
    typedef PyObject *(*ad_fastcall)(PyObject *, PyObject *const *, Py_ssize_t);
    static PyObject *ad_function_new(const char *name, const char *doc, ad_fastcall call,
                                     PyObject *self, PyObject *module)
    {   /* lives as long as the process, like the table */
        PyMethodDef *def = (PyMethodDef *)PyMem_Malloc(sizeof *def);

        if (!def)
            return PyErr_NoMemory();
        def->ml_name = name;
        def->ml_meth = (PyCFunction)(void (*)(void))call;
        def->ml_flags = METH_FASTCALL;
        def->ml_doc = doc;
        return PyCFunction_NewEx(def, self, module);
    }
    """
    ctypedef object (*ad_fastcall)(PyObject *, PyObject *const *, Py_ssize_t)
    object ad_function_new(const char *name, const char *doc, ad_fastcall call, object self,
                           object module)


cdef list _kept_bytes = []      # names and docstrings that C points at


def make_function(op, str doc):
    """The Python function of a row, a C function with the given docstring."""
    name_bytes, doc_bytes = op.name.encode(), doc.encode()
    _kept_bytes.append((name_bytes, doc_bytes))
    return ad_function_new(name_bytes, doc_bytes, <ad_fastcall>function_called, op.code, "adcore")


cdef object plain_op(ad_op op, double p, tuple args):
    """An op on plain numbers and arrays: the value as a float or an array."""
    cdef double x[3]
    cdef ad_vec a[3]
    cdef int i
    cdef size_t size
    cdef cnp.ndarray out
    cdef double *y
    memset(x, 0, sizeof(x))
    for i in range(ad_ops[op].n_args):
        if not is_plain_scalar(args[i]):
            break
        x[i] = args[i]
    else:
        return ad_op_value(op, p, x[0], x[1], x[2])
    values = [plain_operand(v) for v in args]
    for v in values:
        if v is None:
            raise_type(op, args)
    shape = common_shape(op, values)
    if shape == ():
        return plain_op(op, p, tuple(values))
    _kept = [spread(values[i], shape, &a[i]) for i in range(ad_ops[op].n_args)]
    out = new_array(shape)
    size = cnp.PyArray_SIZE(out)
    y = <double *>cnp.PyArray_DATA(out)
    with nogil:
        ad_op_vector(op, p, size, a, y)
    return out


cdef object plain_operand(object x):
    """A number as a float, an array or a list as a float64 array; None for other types."""
    if PyFloat_CheckExact(x):
        return x
    if type(x) is cnp.ndarray and cnp.PyArray_TYPE(<cnp.ndarray>x) == cnp.NPY_DOUBLE \
            and cnp.PyArray_NDIM(<cnp.ndarray>x) > 0:
        return x
    if type(x) is Tensor:
        return (<Tensor>x).constant
    if is_plain_scalar(x):
        return float(x)
    if not isinstance(x, (cnp.ndarray, list, tuple)):
        return None
    array = np.asarray(x)
    if array.dtype != np.float64:
        if array.dtype.kind == "O":
            return None
        if array.dtype.kind not in "biuf":
            raise_dtype(array)
        array = array.astype(np.float64)
    return array if array.ndim else float(array)


cdef tuple common_shape(ad_op op, list values):
    """The shape to which numbers and arrays broadcast."""
    cdef tuple shape = None
    cdef bint same = True
    for v in values:
        if not PyFloat_CheckExact(v):
            if shape is None:
                shape = v.shape
            elif v.shape != shape:
                same = False
    if shape is None:
        return ()
    if same:
        return shape
    try:
        return np.broadcast(*values).shape
    except ValueError:
        raise_shapes(op, values)


cdef object spread(object value, tuple shape, ad_vec *vec):
    """A number or an array as a vector over `shape`; returns what must be kept for as long."""
    if PyFloat_CheckExact(value):
        vec.v = NULL
        vec.c = PyFloat_AS_DOUBLE(value)
        return None
    if value.shape != shape:
        value = np.broadcast_to(value, shape)
    if not cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>value):
        value = np.ascontiguousarray(value, dtype=np.float64)
    vec.v = <const double *>cnp.PyArray_DATA(<cnp.ndarray>value)
    vec.c = 0
    return value


cdef cnp.ndarray new_array(tuple shape):
    """An uninitialised array."""
    cdef cnp.npy_intp lengths[64]
    cdef int d, ndim = len(shape)
    for d in range(ndim):
        lengths[d] = shape[d]
    return cnp.PyArray_EMPTY(ndim, lengths, cnp.NPY_DOUBLE, 0)


cdef int raise_type(ad_op op, args) except -1:
    raise TypeError(f"{ad_ops[op].name.decode()} takes numbers, arrays, tensors and duals, got "
                    f"{', '.join([type(a).__name__ for a in args])}")


cdef int raise_shapes(ad_op op, args) except -1:
    raise ShapeError(
        f"{ad_ops[op].name.decode()}: operands of shapes "
        f"{', '.join([str(shape_of(a)) for a in args])} do not broadcast together")


cdef int raise_dtype(array) except -1:
    raise NotDifferentiableError(
        f"an array of dtype {array.dtype} cannot take part in differentiation; "
        "convert it to float64 first")


# ---- indices ----


cdef int positions(tuple shape, object key, list out) except -1:
    """out = [positions in C order of the elements that key picks, their shape]."""
    cdef int64_t size = 1
    for n in shape:
        size *= n
    if is_basic(key):
        out.extend(positions_basic(shape, key))
        return 0
    if len(shape) == 1 and isinstance(key, cnp.ndarray) and key.dtype.kind in "iu":
        picked = np.where(key < 0, key + shape[0], key)
        if picked.size and (picked.min() < 0 or picked.max() >= shape[0]):
            bad = key.ravel()[np.flatnonzero((picked < 0) | (picked >= shape[0])).ravel()[0]]
            raise IndexError(f"index {bad} is out of bounds for an axis of size {shape[0]}")
    else:
        picked = np.arange(size).reshape(shape)[key]
    out.append(np.ascontiguousarray(picked, dtype=np.int64).ravel())
    out.append(shape_of(picked))
    return 0


cdef tuple positions_basic(tuple shape, object key):
    """The same for integers, slices, newaxis and ellipsis: costs what is picked, not the whole."""
    cdef ad_view view
    cdef int64_t lengths[16]
    cdef int d
    for d in range(len(shape)):
        lengths[d] = shape[d]
    ad_view_set_slots(&view, 0, len(shape), lengths)
    apply_basic(&view, key)
    at = np.empty(ad_view_size(&view), dtype=np.int64)
    ad_view_positions(&view, <int64_t *>cnp.PyArray_DATA(at))
    return at, tuple([view.shape[d] for d in range(view.ndim)])


cdef object plain_key(object key):
    """An index as NumPy takes it: lists become arrays, and tensors are refused."""
    if type(key) is Tensor:
        if (<Tensor>key).h.tape != NULL:
            if is_stopped(key):
                return index_of((<Tensor>key).value())
            raise NotDifferentiableError(
                "an index cannot be a tracked tensor, because the result does not vary smoothly "
                "with it; write x[i.detach().numpy().astype(int)]")
        raise IndexError("an index must be of integers or booleans, and a tensor is of float64; "
                         "make it by tensor(data, dtype=adcore.int64), or as a NumPy array")
    if type(key) is METHODS["_mask"]:
        return np.asarray(key)
    if isinstance(key, tuple):
        return tuple([plain_key(k) for k in key])
    if isinstance(key, list):
        return np.asarray([plain_key(k) for k in key], dtype=None if key else np.intp)
    return key


cdef object index_of(object numbers):
    """Whole numbers as an index: an int or an array of them."""
    whole = np.asarray(numbers).astype(np.intp)
    if not np.array_equal(whole, numbers):
        raise IndexError(
            "an index must be of integers or booleans, and these numbers are not whole")
    return whole if whole.ndim else int(whole)


cdef bint is_basic(object key):
    if isinstance(key, tuple):
        for k in key:
            if not is_basic(k):
                return False
        return True
    if PyBool_Check(key) or isinstance(key, np.bool_):
        return False
    return isinstance(key, (int, slice, np.integer)) or key is None or key is Ellipsis


cdef int apply_basic(ad_view *view, object key) except -1:
    """Integers, slices, newaxis and ellipsis, on shape, strides and base."""
    cdef int d = 0, out = 0, n_used = 0, ndim = view.ndim
    cdef int64_t shape[16]
    cdef int64_t stride[16]
    cdef Py_ssize_t start, stop, step, length, index
    cdef bint ellipsis = False
    if not isinstance(key, tuple):
        key = (key,)
    for k in key:
        if k is Ellipsis:
            if ellipsis:
                raise IndexError("an index can only have a single ellipsis ('...')")
            ellipsis = True
        elif k is not None:
            n_used += 1
    if n_used > ndim:
        raise IndexError(f"too many indices: the tensor is {ndim}-dimensional, but {n_used} "
                         "were indexed")
    if not ellipsis:
        key = key + (Ellipsis,)
    for k in key:
        if k is None:
            if out == AD_MAX_DIMS:
                raise ShapeError(f"a tensor may have at most {AD_MAX_DIMS} dimensions")
            shape[out] = 1
            stride[out] = 0
            out += 1
        elif k is Ellipsis:
            for _ in range(ndim - n_used):
                shape[out] = view.shape[d]
                stride[out] = view.stride[d]
                out += 1
                d += 1
        elif isinstance(k, slice):
            PySlice_Unpack(k, &start, &stop, &step)
            length = PySlice_AdjustIndices(view.shape[d], &start, &stop, step)
            if length > 0:
                view.base += start * view.stride[d]
            shape[out] = length
            stride[out] = step * view.stride[d]
            out += 1
            d += 1
        else:
            index = k
            if index < -view.shape[d] or index >= view.shape[d]:
                raise IndexError(f"index {index} is out of bounds for axis {d} with size "
                                 f"{view.shape[d]}")
            view.base += (index + view.shape[d] if index < 0 else index) * view.stride[d]
            d += 1
    view.ndim = out
    for d in range(out):
        view.shape[d] = shape[d]
        view.stride[d] = stride[d]
    return 0


# ---- Tensor ----


cdef class Meta:
    """What few tensors have: a place for a gradient, hooks."""

    cdef public bint leaf
    cdef public bint retain
    cdef public object grad
    cdef public list hooks
    cdef Tensor owner  # whose values these are: changing them in place changes it


@cython.final
@cython.no_gc
cdef class Tensor:
    """An array, or a number, whose derivatives can be asked for.

    Made by :func:`adcore.tensor` and by the transforms.  It behaves as a float64 NumPy array:
    operators, broadcasting, indexing and assignment, NumPy's functions.  Slices are values, not
    aliases: a slice does not see later assignments.

    Examples
    --------
    >>> import adcore
    >>> x = adcore.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    cdef ad_handle h
    cdef object constant
    cdef Meta meta

    __array_priority__ = 1000.0

    def __dealloc__(self):
        if self.h.tape != NULL:
            ad_handle_drop(&self.h)

    cdef Tensor alias(self):
        """Another handle on the same slots."""
        cdef ad_view view
        if self.h.tape == NULL:
            return constant_tensor(self.constant)
        tensor_view(self, &view)
        return new_result(self.h.tape, &view, True)

    # -- what it is --

    @property
    def shape(self):
        """The lengths of the dimensions, a tuple."""
        cdef int d
        if self.h.tape == NULL:
            return np.shape(self.constant)
        if self.h.view == NULL:
            return ()
        return tuple([self.h.view.shape[d] for d in range(self.h.view.ndim)])

    @property
    def ndim(self):
        """How many dimensions there are."""
        if self.h.tape == NULL:
            return np.ndim(self.constant)
        return 0 if self.h.view == NULL else self.h.view.ndim

    def dim(self):
        """How many dimensions there are, as torch spells it."""
        return self.ndim

    @property
    def size(self):
        """How many elements there are; called, as torch does, the shape, or one length of it."""
        size = Size(self.numel())
        size.shape = self.shape
        return size

    def numel(self):
        """How many elements there are, as torch spells it."""
        if self.h.tape == NULL:
            return np.size(self.constant)
        return 1 if self.h.view == NULL else ad_view_size(self.h.view)

    @property
    def dtype(self):
        """float64, always."""
        return np.dtype(np.float64)

    @property
    def requires_grad(self):
        """Is the tensor on the tape?"""
        return self.h.tape != NULL

    @property
    def is_leaf(self):
        """Was the tensor made by the user rather than computed from tracked ones?"""
        return self.h.tape == NULL or (self.meta is not None and self.meta.leaf)

    @property
    def grad(self):
        """The gradient that backward() accumulated here, or None."""
        return None if self.meta is None else self.meta.grad

    @grad.setter
    def grad(self, value):
        if value is None and self.meta is None:
            return
        if value is not None and shape_of(value) != self.shape:
            raise ShapeError(f"grad must have the tensor's shape {self.shape}, "
                             f"got {shape_of(value)}")
        get_meta(self).grad = value

    def requires_grad_(self, bint requires_grad=True):
        """Put a constant tensor on the tape as a leaf, in place; returns itself."""
        if requires_grad and self.h.tape == NULL:
            make_leaf(self, self.constant)
        elif not requires_grad and self.h.tape != NULL:
            raise TapeError("a tracked tensor stays tracked; use x.detach() for its value as a "
                            "constant")
        return self

    def retain_grad(self):
        """Let backward() leave a gradient in .grad although this is not a leaf."""
        if self.h.tape == NULL:
            raise TapeError("retain_grad needs a tracked tensor; this one is a constant")
        get_meta(self).retain = True

    def register_hook(self, hook):
        """Call `hook(grad)` when a derivative reaches this tensor; its result replaces it.

        It stays in force when the tensor is dropped but others computed from it are not.  Returns a
        handle with a method remove().
        """
        if self.h.tape == NULL:
            raise TapeError("register_hook needs a tracked tensor; this one is a constant")
        meta = get_meta(self)
        if meta.hooks is None:
            meta.hooks = []
            note_hooks(self)
        meta.hooks.append(hook)
        return HookHandle(meta.hooks, hook)

    # -- values out --

    def numpy(self):
        """A new array of the values of a constant tensor.

        Raises NotDifferentiableError for a tracked one: write ``x.detach().numpy()``.
        """
        if self.h.tape != NULL and not is_stopped(self):
            raise_lost("numpy()", self)
        return np.array(self.value())

    def item(self):
        """The value of a one-element tensor as a float, a constant from here on."""
        if self.numel() != 1:
            raise ShapeError(f"item() needs one element, the tensor has shape {self.shape}")
        value = self.value()
        return float(value if isinstance(value, float) else value.reshape(-1)[0])

    def tolist(self):
        """The values as nested lists of floats, constants from here on."""
        return np.asarray(self.value()).tolist()

    cdef object value(self):
        """The numbers, which Python may act upon."""
        if self.h.tape == NULL:
            return self.constant
        if ad_local.program != NULL:
            return guarded(self, AD_GUARD_VALUE)
        return self.peek()

    cdef object peek(self):
        """The numbers, for a purpose that a replay with others serves again."""
        if self.h.tape == NULL:
            return self.constant
        if self.h.view == NULL:
            return self.h.tape.value[self.h.slot]
        return view_values(self.h.tape, self.h.view)

    @property
    def data(self):
        """The values as a constant tensor; changing or assigning it changes this one in place."""
        cdef Tensor values = self.detach()
        get_meta(values).owner = self
        return values

    @data.setter
    def data(self, value):
        was = ad_local.off
        ad_local.off = 1
        try:
            replace(self, value)
        finally:
            ad_local.off = was

    def detach(self):
        """The values as a constant tensor: derivatives do not flow through it."""
        if ad_local.program != NULL and self.h.tape != NULL and self.h.tape == ad_local.tape:
            return apply_op(AD_OP_stop, 0, (self,))
        value = self.value()
        return constant_tensor(value if self.h.tape != NULL or isinstance(value, float)
                               else value.copy())

    def clone(self):
        """The same tensor under another handle, so that assignments to one spare the other."""
        if self.h.tape == NULL:
            return self.detach()
        return self.alias()

    copy = clone
    __copy__ = clone

    def __deepcopy__(self, memo):
        out = self.detach()
        return out.requires_grad_() if self.h.tape != NULL else out

    def __reduce__(self):
        return _unpickle, (np.asarray(self.value()), self.h.tape != NULL)

    def __float__(self):
        if self.h.tape != NULL and not is_stopped(self):
            raise_lost("float(), or an assignment into a NumPy array (make it by np.zeros_like(x), "
                       "or stack its elements),", self)
        return float(self.item())

    def __int__(self):
        if self.h.tape != NULL and not is_stopped(self):
            raise_lost("int()", self)
        return int(self.item())

    def __index__(self):
        if self.h.tape != NULL and is_stopped(self):    # a count of truths, for instance
            return index_of(self.item())
        raise_lost("an index, range() or int()", self)

    def __complex__(self):
        raise_lost("complex()", self)

    def __array__(self, dtype=None, copy=None):
        if self.h.tape != NULL and not is_stopped(self):
            raise_lost("np.array() or np.asarray() (adcore.stack() makes arrays of tensors), or a "
                       "NumPy function that adcore does not know,", self)
        return np.array(self.value(), dtype=dtype)

    def __bool__(self):
        if self.numel() != 1:
            raise ShapeError(f"the truth of a tensor of shape {self.shape} is ambiguous; use "
                             "(x > 0).any() or (x > 0).all()")
        if ad_local.program != NULL and self.h.tape != NULL:
            return bool(reshape(self, ()) != 0)
        return self.item() != 0

    def __repr__(self):
        text = np.array2string(np.asarray(self.value()), separator=", ", prefix="tensor(")
        return f"tensor({text}{', requires_grad=True' if self.h.tape != NULL else ''})"

    def __format__(self, spec):
        return format(self.item(), spec) if self.ndim == 0 and spec else repr(self)

    def __hash__(self):
        return <Py_ssize_t><void *>self >> 4

    # -- operators --

    def __add__(left, right):
        return binary(AD_OP_add, left, right)

    def __sub__(left, right):
        return binary(AD_OP_sub, left, right)

    def __mul__(left, right):
        return binary(AD_OP_mul, left, right)

    def __truediv__(left, right):
        return binary(AD_OP_div, left, right)

    def __mod__(left, right):
        return binary(AD_OP_remainder, left, right)

    def __floordiv__(left, right):
        return binary(AD_OP_floor_divide, left, right)

    def __divmod__(left, right):
        return left // right, left % right

    def __pow__(left, right, modulus):
        return power(left, right) if modulus is None else NotImplemented

    def __iadd__(self, other):
        return in_place(self, binary(AD_OP_add, self, other))

    def __isub__(self, other):
        return in_place(self, binary(AD_OP_sub, self, other))

    def __imul__(self, other):
        return in_place(self, binary(AD_OP_mul, self, other))

    def __itruediv__(self, other):
        return in_place(self, binary(AD_OP_div, self, other))

    def __ipow__(self, other):
        return in_place(self, power(self, other))

    def __neg__(self):
        return unary(AD_OP_neg, self)

    def __pos__(self):
        return self.alias()

    def __abs__(self):
        return unary(AD_OP_abs, self)

    def __round__(self, decimals=None):
        return METHODS["round"](self, decimals or 0)

    def __matmul__(left, right):
        return METHODS["matmul"](left, right)

    def __richcmp__(left, right, int how):
        if type(right) is Dual:
            return NotImplemented
        if ad_local.program != NULL and (is_tracked(left) or is_tracked(right)):
            return compare(left, right, how)
        other = (<Tensor>right).value() if type(right) is Tensor else right
        out = PyObject_RichCompare((<Tensor>left).value(), other, how)
        return bool(out) if isinstance(out, np.bool_) else out

    # -- elements --

    def __len__(self):
        if self.ndim == 0:
            raise TypeError("len() of a scalar tensor")
        return self.shape[0]

    def __iter__(self):
        if self.ndim == 0:
            raise TypeError("iteration over a scalar tensor")
        return iter([self[i] for i in range(self.shape[0])])

    def __getitem__(self, key):
        cdef ad_handle *h = &self.h
        cdef Py_ssize_t i
        cdef int64_t at
        cdef int32_t slot
        if h.tape != NULL and h.view != NULL and h.view.ndim == 1 and PyLong_CheckExact(key):
            i = key
            if i < 0:
                i += h.view.shape[0]
            if 0 <= i < h.view.shape[0]:
                at = h.view.base + i * h.view.stride[0]
                if h.view.place == AD_SLOTS:
                    if h.tape != ad_local.tape:
                        raise_foreign(self)
                    if ad_local.off == 0:
                        return new_scalar(h.tape, h.instr, <int32_t>at)
                elif h.view.place == AD_LIST and h.tape == ad_local.tape and ad_local.off == 0:
                    slot = h.view.in_.list.slot[at]
                    if slot >= 0:
                        return new_scalar(h.tape, ad_tape_producer(h.tape, slot), slot)
        return get_item(self, plain_key(key))

    def __setitem__(self, key, value):
        set_item(self, plain_key(key), value)

    def __contains__(self, x):
        if ad_local.program != NULL and is_tracked(self):
            return bool((self == x).any()) if self.ndim else self == x
        return bool(np.any(np.asarray(self.value()) == x))

    # -- NumPy --

    def __array_ufunc__(self, ufunc, str method, *inputs, **kwargs):
        cdef object code = _code_of_ufunc.get(ufunc)
        if code is None:
            code = find_ufunc(ufunc)
        if method == "__call__" and not kwargs:
            for x in inputs:
                if type(x) is Dual:
                    return NotImplemented
            if code >= 0:
                if code == AD_OP_pow:
                    return power(inputs[0], inputs[1])
                if len(inputs) == 1 and type(inputs[0]) is Tensor:
                    return unary(code, <Tensor>inputs[0])
                if code == AD_OP_mul:
                    return binary(AD_OP_mul, inputs[0], inputs[1])
                return apply_op(code, 0, inputs)
        return METHODS["__array_ufunc__"](ufunc, method, inputs, kwargs)

    def __array_function__(self, function, types, args, kwargs):
        for kind in types:
            if kind is Dual:
                return NotImplemented
        rule = ARRAY_FUNCTIONS.get(function)
        if rule is None:
            raise NotDifferentiableError(
                f"{function.__module__}.{function.__name__} of a tensor is not supported; write it "
                "with adcore's functions, or pass x.detach().numpy() for a constant")
        return rule(*args, **kwargs)

    # -- shapes: views --

    @property
    def T(self):
        """The tensor with its dimensions reversed."""
        return transpose(self, tuple(range(self.ndim))[::-1])

    def reshape(self, *shape, order="C"):
        """The same elements in another shape; one length may be -1."""
        if len(shape) == 1 and not isinstance(shape[0], (int, np.integer)):
            shape = tuple(shape[0])
        return reshape(self, shape) if order == "C" \
            else ARRAY_FUNCTIONS[np.reshape](self, shape, order)

    view = reshape

    def transpose(self, *axes):
        """The dimensions in another order, reversed if none is given; see Dual.transpose()."""
        return METHODS["transpose"](self, *axes)


dealloc_by_cython = (<PyTypeObject *><PyObject *>Tensor).tp_dealloc
(<PyTypeObject *><PyObject *>Tensor).tp_dealloc = dealloc_tensor
cdef Meta get_meta(Tensor t):
    if t.meta is None:
        t.meta = Meta.__new__(Meta)
    return t.meta


class Size(int):
    """The number of elements, x.size as NumPy has it; called, x.size() and x.size(dim) of torch."""

    def __call__(self, dim=None):
        return self.shape if dim is None else self.shape[dim]


class HookHandle:
    """What register_hook() returns."""

    def __init__(self, hooks, hook):
        self._hooks, self._hook = hooks, hook

    def remove(self):
        """Take the hook away."""
        if self._hook in self._hooks:
            self._hooks.remove(self._hook)


def _unpickle(value, tracked):
    cdef Tensor t = constant_tensor(float(value) if value.ndim == 0 else value)
    return t.requires_grad_() if tracked else t


cdef int raise_lost(str what, object x) except -1:
    kind = "tracked tensor" if type(x) is Tensor else "dual number"
    raise NotDifferentiableError(
        f"{what} of a {kind} of shape {x.shape} would lose its derivative; use adcore's or "
        "NumPy's functions on it, or x.item() or x.detach() to take the value as a constant on "
        "purpose")


cdef object find_ufunc(ufunc):
    """The op code of a ufunc, -1 if there is none; remembered."""
    code = _code_of_ufunc_name.get(ufunc.__name__, -1)
    _code_of_ufunc[ufunc] = code
    return code


cdef int make_leaf(Tensor t, object value) except -1:
    """Turn a fresh or constant Tensor into an independent variable."""
    cdef ad_tape *tape = this_tape()
    cdef cnp.ndarray a = np.ascontiguousarray(value, dtype=np.float64)
    cdef ad_view view
    cdef int d
    cdef object shape = shape_of(value)
    if len(shape) > AD_MAX_DIMS:
        raise ShapeError(f"a tensor may have at most {AD_MAX_DIMS} dimensions, got {len(shape)}")
    check(ad_tape_room(tape, a.size))
    check(ad_record_input(tape, a.size, <const double *>cnp.PyArray_DATA(a)))
    view = ad_view_slots(tape.dst[tape.n - 1], 0, NULL)
    view.ndim = len(shape)
    for d in range(view.ndim):
        view.shape[d] = shape[d]
    ad_strides(view.ndim, view.shape, view.stride)
    if not ad_handle_view(&t.h, tape, &view):
        t.h.tape = NULL
        raise MemoryError("no memory for a tensor")
    t.constant = None
    get_meta(t).leaf = True
    if t.meta.hooks is not None:
        note_hooks(t)
    return 0


cdef int rebind(Tensor t, Tensor source) except -1:
    """Let a tensor stand for what another one stands for."""
    cdef ad_view view
    if t.h.tape != NULL:
        ad_handle_drop(&t.h)
        t.h.tape = NULL
    t.constant = None
    if source.h.tape == NULL:
        t.constant = source.constant
        return 0
    tensor_view(source, &view)
    if not ad_handle_view(&t.h, source.h.tape, &view):
        t.h.tape = NULL
        t.constant = source.value()
        raise MemoryError("no memory for a tensor")
    return 0


def replace(Tensor t, value):
    """Let a tensor stand for `value`, broadcast to its shape, from here on; returns the tensor.

    What was computed from the tensor keeps to what it was.  A leaf stays a leaf, and can only be
    given another value while recording is off.
    """
    cdef Tensor source
    shape = t.shape
    if type(value) is not Tensor:
        value = tensor(value)
    source = value
    if source.shape != shape:
        if ad_local.off == 0 or source.h.tape == NULL:
            source = broadcast_to(source, shape)
        else:
            source = constant(np.array(np.broadcast_to(source.value(), shape)))
    if t.meta is None or not t.meta.leaf:
        if source.h.tape != NULL and (ad_local.off or
                                      (t.meta is not None and t.meta.owner is not None)):
            source = source.detach()
        rebind(t, source)
        pass_on(t)
        return t
    if ad_local.off == 0:
        raise TapeError("changing a leaf in place would lose its gradient; do it in a "
                        "`with adcore.no_grad():` block, or write y = x.clone() and change y")
    numbers = source.value()
    ad_handle_drop(&t.h)
    t.h.tape = NULL
    t.constant = numbers
    make_leaf(t, numbers)
    return t


cdef int pass_on(Tensor t) except -1:
    """Give the values of x.data, which changed, to x."""
    cdef bint was = ad_local.off
    if t.meta is None or t.meta.owner is None:
        return 0
    ad_local.off = 1
    try:
        replace(t.meta.owner, t)
    finally:
        ad_local.off = was
    return 0


cdef object in_place(object left, object out):
    """What `left += right` leaves in left, `out` being left + right: arrays change, numbers do not.

    A name bound to a number on the tape is bound anew, as with Python's own; a leaf and a constant
    are changed in place, as torch does.
    """
    cdef Tensor t
    if type(left) is not Tensor or type(out) is not Tensor:
        return out
    t = left
    if t.h.tape != NULL and t.h.view == NULL and (t.meta is None or not t.meta.leaf):
        return out
    if (<Tensor>out).shape != t.shape:
        raise ShapeError(f"a tensor of shape {t.shape} cannot become one of shape "
                         f"{(<Tensor>out).shape} in place; write y = x + ... instead")
    return replace(t, out)


def tensor(data, dtype=None, device=None, requires_grad=False):
    """A tensor with the numbers of `data`.

    Parameters
    ----------
    data : number, array_like or nested lists, also with tensors in them
        Copied.  Tensors in nested lists stay differentiable.
    dtype : dtype, optional
        float64, which is what tensors are, also if it is left out.  With an integer or boolean
        dtype the result is a NumPy array: integers and booleans are constants.
    device : optional
        "cpu".
    requires_grad : bool
        Put it on the tape as an independent variable.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import adcore
    >>> adcore.tensor([[1, 2], [3, 4]])
    tensor([[1., 2.],
            [3., 4.]])
    """
    cdef Tensor t
    if device is not None and str(device) != "cpu":
        raise ValueError(f"tensors live on the CPU; leave device out or pass 'cpu', got {device!r}")
    if dtype is not None and np.dtype(dtype) != np.float64:
        return _integers(data, np.dtype(dtype), requires_grad)
    if type(data) is Tensor:
        value = (<Tensor>data).value()
    elif isinstance(data, (list, tuple)) and _has_tensor(data):
        if requires_grad:
            raise NotDifferentiableError(
                "tensor(data, requires_grad=True) makes independent variables, but data contains "
                "tracked tensors; leave requires_grad out to keep their dependence")
        return METHODS["stack_nested"](data)
    else:
        value = np.array(data)
        if value.dtype.kind not in "bifu":
            raise TypeError(f"tensor takes real numbers, got an array of dtype {value.dtype}")
        value = value.astype(np.float64)
    value = float(value) if np.ndim(value) == 0 else np.array(value)
    t = constant_tensor(value)
    if requires_grad:
        make_leaf(t, value)
    return t


cdef object _integers(object data, object dtype, bint requires_grad):
    if dtype.kind not in "biu":
        raise TypeError(f"tensors are float64; leave dtype out or pass float64, got {dtype}")
    if requires_grad:
        raise TypeError(f"{dtype} values are constants; leave dtype out to differentiate")
    values = (<Tensor>data).value() if type(data) is Tensor else data
    return np.array(values).astype(dtype)


def constant(value):
    """The constant Tensor of a float or a float64 array, which is not copied."""
    return constant_tensor(value if isinstance(value, float) else _number_or_array(value))


cdef object _number_or_array(cnp.ndarray value):
    return float(value) if cnp.PyArray_NDIM(value) == 0 else value


def _has_tensor(data):
    for x in data:
        if type(x) is Tensor or (isinstance(x, (list, tuple)) and _has_tensor(x)):
            return True
    return False


# ---- views of tensors ----


cdef object get_item(Tensor t, object key):
    cdef ad_view view
    cdef list picked
    if t.h.tape == NULL:
        value = np.asarray(t.constant)[key]
        return constant_tensor(float(value) if np.ndim(value) == 0 else np.array(value))
    tensor_view(t, &view)
    if is_basic(key):
        try:
            apply_basic(&view, key)
            if not ad_tape_narrow(t.h.tape, &view):
                raise MemoryError("no memory for an index list")
        except BaseException:
            ad_view_drop(&view)
            raise
        return settle(t.h.tape, &view, True)
    picked = []
    try:
        positions(t.shape, key, picked)
        pick(t.h.tape, &view, picked[0], picked[1])
    except BaseException:
        ad_view_drop(&view)
        raise
    return settle(t.h.tape, &view, True)


cdef int pick(ad_tape *tape, ad_view *view, cnp.ndarray at, tuple shape) except -1:
    """Replace the view by a list of the elements at the positions, in the given shape."""
    cdef int d
    if len(shape) > AD_MAX_DIMS:
        raise ShapeError(f"a tensor may have at most {AD_MAX_DIMS} dimensions, got {len(shape)}")
    if not ad_view_pick(view, &tape.lists, <const int64_t *>cnp.PyArray_DATA(at), at.size):
        raise MemoryError("no memory for an index list")
    view.ndim = len(shape)
    for d in range(view.ndim):
        view.shape[d] = shape[d]
    ad_strides(view.ndim, view.shape, view.stride)
    return 0


cdef int set_item(Tensor t, object key, object value) except -1:
    """Rebind the slots that key picks to those of value."""
    cdef ad_tape *tape = this_tape()
    cdef list picked = []
    cdef ad_view view
    cdef cnp.ndarray at
    cdef int64_t shape[16]
    cdef int d, ndim
    if t.meta is not None and t.meta.leaf:
        raise TapeError("assigning to elements of a leaf would lose its gradient; write "
                        "y = x.clone() and assign to y")
    if type(value) is Dual:
        raise TypeError("a Dual cannot be assigned into a tensor; build the array with "
                        "adcore.stack instead")
    if t.h.tape == NULL and (ad_local.off or (t.meta is not None and t.meta.owner is not None)
                             or not (is_tracked(value) or _contains_tracked(value))):
        if isinstance(t.constant, float):
            t.constant = np.array(t.constant)
        t.constant[key] = (<Tensor>value).value() if type(value) is Tensor else value
        if t.constant.ndim == 0:
            t.constant = float(t.constant)
        return pass_on(t)
    if isinstance(value, (list, tuple)):
        value = METHODS["stack_nested"](value) if _contains_tracked(value) \
            else np.asarray(value, dtype=np.float64)
    old_shape = t.shape
    if old_shape == ():
        return set_scalar(t, key, value)
    check(ad_tape_room(tape, 8))
    if PyLong_CheckExact(key) and len(old_shape) == 1:
        index = key
        if not -old_shape[0] <= index < old_shape[0]:
            raise IndexError(f"index {index} is out of bounds for an axis of size {old_shape[0]}")
        at = np.array([index + old_shape[0] if index < 0 else index], dtype=np.int64)
        picked_shape = ()
    else:
        positions(old_shape, key, picked)
        at = picked[0]
        picked_shape = picked[1]
    if t.h.tape == NULL:
        track_constant(t, tape)
    elif t.h.tape != tape:
        raise_foreign(t)
    if not operand(value, &view):
        raise TypeError(f"cannot assign a {type(value).__name__} into a tensor; assign a number, "
                        "an array or a tensor")
    try:
        ndim = len(picked_shape)
        for d in range(ndim):
            shape[d] = picked_shape[d]
        while view.ndim > ndim and view.shape[0] == 1:     # as NumPy: leading ones may go
            for d in range(view.ndim - 1):
                view.shape[d] = view.shape[d + 1]
                view.stride[d] = view.stride[d + 1]
            view.ndim -= 1
        if not ad_view_broadcast(&view, ndim, shape):
            raise ShapeError(f"cannot assign a value of shape {shape_of(value)} to elements of "
                             f"shape {tuple(picked_shape)}")
        check(ad_handle_own(&t.h))
        check(ad_handle_assign(&t.h, <const int64_t *>cnp.PyArray_DATA(at), &view))
    finally:
        ad_view_drop(&view)
    return 0


cdef int set_scalar(Tensor t, object key, object value) except -1:
    """The assignments that an array without dimensions takes: x[()], x[...], x[None], x[mask]."""
    cdef list picked = []
    positions((), key, picked)
    if not is_tracked(value):
        value = constant_tensor(np.asarray(values(value), dtype=np.float64))
    if np.prod(value.shape) != 1:
        raise ShapeError(f"cannot assign a value of shape {value.shape} to elements of "
                         f"shape {picked[1]}")
    if picked[0].size:
        replace(t, value.reshape(()))
    return 0


def _contains_tracked(value):
    if isinstance(value, (list, tuple)):
        return any([is_tracked(v) or _contains_tracked(v) for v in value])
    return is_tracked(value)


cdef int track_constant(Tensor t, ad_tape *tape) except -1:
    """Let a constant tensor become a list of constant slots, to be rebound one by one."""
    cdef ad_view view
    cdef cnp.ndarray a = np.array(t.constant, dtype=np.float64)
    cdef ad_list *list
    cdef int64_t n = a.size, j
    cdef int d
    # A handle lives on an instruction: the list needs one to be kept by.
    check(ad_tape_grow(tape, 1, 0, n, 16))
    list = ad_list_new(&tape.lists, n)
    if list == NULL:
        raise MemoryError("no memory for an index list")
    for j in range(n):
        list.slot[j] = ad_tape_const(tape, (<double *>cnp.PyArray_DATA(a))[j])
    check(ad_record_input(tape, 0, NULL))
    view = ad_view_slots(0, 0, NULL)
    view.place = AD_LIST
    view.in_.list = list
    view.ndim = cnp.PyArray_NDIM(a)
    for d in range(view.ndim):
        view.shape[d] = cnp.PyArray_DIM(a, d)
    ad_strides(view.ndim, view.shape, view.stride)
    if not ad_handle_view(&t.h, tape, &view):
        t.h.tape = NULL
        raise MemoryError("no memory for a tensor")
    t.constant = None
    return 0


cdef int set_shape(ad_view *view, tuple shape) except -1:
    cdef int d
    if len(shape) > AD_MAX_DIMS:
        raise ShapeError(f"a tensor may have at most {AD_MAX_DIMS} dimensions, got {len(shape)}")
    view.ndim = len(shape)
    for d in range(view.ndim):
        view.shape[d] = shape[d]
    return 0


def reshape(x, shape):
    """`x` in another shape, a view where strides allow it; one length may be -1."""
    cdef Tensor t
    cdef ad_view view, target, copy
    cdef ad_status status
    if type(x) is Dual:
        return mapped(<Dual>x, lambda part: reshape(part, shape), lambda part: reshape(part, shape))
    if type(x) is not Tensor:
        return np.reshape(x, shape)
    t = x
    if isinstance(shape, (int, np.integer)):
        shape = (shape,)
    if t.h.tape == NULL:
        return constant_tensor(_value(np.reshape(t.constant, shape)))
    shape = _full_shape(t.numel(), tuple(shape), t.shape)
    check(ad_tape_room(t.h.tape, t.numel()))
    tensor_view(t, &view)
    set_shape(&target, shape)
    if not ad_view_reshape(&view, target.ndim, target.shape):
        status = ad_record_copy(t.h.tape, &view, &copy)
        ad_view_drop(&view)
        check(status)
        view = copy
        ad_view_reshape(&view, target.ndim, target.shape)
    return settle(t.h.tape, &view, True)


def _value(array):
    return float(array) if np.ndim(array) == 0 else np.array(array)


def _full_shape(size, shape, old):
    known = 1
    for n in shape:
        if n != -1:
            known *= n
    if shape.count(-1) == 1 and known and size % known == 0:
        shape = tuple([size // known if n == -1 else n for n in shape])
        known = size
    if known != size or -1 in shape:
        raise ShapeError(f"cannot reshape a tensor of shape {old} into {shape}")
    return shape


def transpose(x, axes):
    """`x` with its dimensions in the order `axes`."""
    cdef Tensor t
    cdef ad_view view
    cdef int64_t shape[16]
    cdef int64_t stride[16]
    cdef int d
    if type(x) is Dual:
        return mapped(<Dual>x, lambda part: transpose(part, axes),
                      lambda part: transpose(part, axes))
    if type(x) is not Tensor:
        return np.transpose(x, axes)
    t = x
    ndim = t.ndim
    axes = tuple([a + ndim if a < 0 else a for a in axes])
    if sorted(axes) != list(range(ndim)):
        raise ShapeError(f"axes {axes} do not fit a tensor of shape {t.shape}")
    if t.h.tape == NULL:
        return constant_tensor(_value(np.transpose(t.constant, axes)))
    if ndim == 0:
        return t.alias()
    tensor_view(t, &view)
    for d in range(ndim):
        shape[d] = view.shape[axes[d]]
        stride[d] = view.stride[axes[d]]
    for d in range(ndim):
        view.shape[d] = shape[d]
        view.stride[d] = stride[d]
    return settle(t.h.tape, &view, True)


def broadcast_to(x, shape):
    """`x` stretched to `shape` by NumPy's rules, a view."""
    cdef Tensor t
    cdef ad_view view, target
    if type(x) is Dual:
        return mapped(<Dual>x, lambda part: broadcast_to(part, shape),
                      lambda part: broadcast_to(part, shape))
    if type(x) is not Tensor:
        return np.broadcast_to(x, shape)
    t = x
    shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    if t.h.tape == NULL:
        return constant_tensor(_value(np.broadcast_to(t.constant, shape)))
    tensor_view(t, &view)
    set_shape(&target, shape)
    if not ad_view_broadcast(&view, target.ndim, target.shape):
        ad_view_drop(&view)
        raise ShapeError(f"cannot broadcast a tensor of shape {t.shape} to {shape}")
    return settle(t.h.tape, &view, True)


# ---- structural instructions ----


cdef object record_one(Tensor t, int code, int64_t extra, bint keepdims=True):
    """A sum over dimensions (extra their bits), or an instruction along the last one."""
    cdef ad_tape *tape = this_tape()
    cdef ad_view view, result
    cdef ad_status status
    cdef int d, kept = 0
    check(ad_tape_room(tape, t.numel()))
    tensor_view(t, &view)
    if view.place == AD_NUMBER:
        ad_view_broadcast(&view, 0, NULL)
    if code == AD_ADDTO:
        status = ad_record_sum(tape, &view, <uint32_t>extra, &result)
    else:
        status = ad_record_along(tape, code, &view, extra, &result)
    ad_view_drop(&view)
    check(status)
    if not keepdims:
        for d in range(result.ndim):
            if not extra >> d & 1:
                result.shape[kept] = result.shape[d]
                result.stride[kept] = result.stride[d]
                kept += 1
        result.ndim = kept
    return settle(tape, &result, t.h.tape != NULL)


def sum_axes(x, tuple axes=None, bint keepdims=False):
    """The sum of a Tensor over the dimensions `axes`, none negative; None is all."""
    cdef Tensor t = x
    cdef int64_t bits = 0
    if t.ndim == 0:
        return t.alias()
    if axes is None:
        bits = (1 << <int64_t>t.ndim) - 1
    else:
        for a in axes:
            bits |= 1 << <int64_t>a
    return record_one(t, AD_ADDTO, bits, keepdims)


def cumsum_last(x, bint from_end=False):
    """Running sums of a Tensor along its last dimension."""
    return record_one(x, AD_CUMSUM, from_end)


def norm_last(x):
    """The Euclidean norm of a Tensor over its last dimension; its gradient at zero is zero."""
    return record_one(x, AD_NORM, 0)


def extremum_last(x, bint least=False):
    """The maximum, or minimum, of a Tensor over its last dimension; ties share the derivative."""
    return record_one(x, AD_EXTREMUM, least)


def matmul(a, b):
    """The matrix product of operands at least one of which is a Tensor; vectors as in NumPy."""
    cdef ad_tape *tape = this_tape()
    cdef ad_view left, right, result
    cdef ad_status status
    cdef bint row, column
    check(ad_tape_room(tape, 8))
    if not operand(a, &left):
        raise TypeError(f"matmul takes arrays and tensors, got {type(a).__name__}")
    if not operand(b, &right):
        ad_view_drop(&left)
        raise TypeError(f"matmul takes arrays and tensors, got {type(b).__name__}")
    row, column = left.ndim == 1, right.ndim == 1
    if row:
        insert_dim(&left, 0)
    if column:
        insert_dim(&right, 1)
    status = ad_record_matmul(tape, &left, &right, &result)
    ad_view_drop(&left)
    ad_view_drop(&right)
    if status == AD_SHAPES_DIFFER:
        raise ShapeError(f"matmul: shapes {shape_of(a)} and {shape_of(b)} do not fit: the last "
                         "dimension of the first must be the last but one, or only one, of the "
                         "second")
    check(status)
    if column:
        result.ndim -= 1        # of length 1, at the end
    if row:                     # of length 1, before the columns
        result.ndim -= 1
        if not column:
            result.shape[result.ndim - 1] = result.shape[result.ndim]
            result.stride[result.ndim - 1] = result.stride[result.ndim]
    return settle(tape, &result, is_tracked(a) or is_tracked(b))


cdef void insert_dim(ad_view *vector, int at) noexcept:
    """Make a view of one dimension a row (at 0) or a column (at 1)."""
    vector.ndim = 2
    vector.shape[1 - at] = vector.shape[0]
    vector.stride[1 - at] = vector.stride[0]
    vector.shape[at] = 1
    vector.stride[at] = 0


def concatenate(parts, int axis):
    """Operands of the same shape but for `axis` (not negative), at least one a Tensor, joined."""
    cdef ad_tape *tape = this_tape()
    cdef int n = len(parts), i, d, ndim = 0
    cdef int64_t total = 0, size = 1, offset = 0
    cdef int64_t shape[16]
    cdef ad_view *views = <ad_view *>PyMem_Malloc(2 * max(n, 1) * sizeof(ad_view))
    cdef ad_view result
    cdef ad_status status
    cdef int held = 0
    cdef bint tracked = False
    if views == NULL:
        raise MemoryError("no memory to join tensors")
    try:
        check(ad_tape_room(tape, 8))
        for i in range(n):
            if not operand(parts[i], &views[i]):
                raise TypeError(f"concatenate takes arrays and tensors, got "
                                f"{type(parts[i]).__name__}")
            held += 1
            tracked = tracked or is_tracked(parts[i])
            if i == 0:
                ndim = views[0].ndim
                for d in range(ndim):
                    shape[d] = views[0].shape[d]
            if views[i].ndim != ndim or axis >= ndim:
                raise ShapeError(f"concatenate needs operands of equal dimension along axis "
                                 f"{axis}, got shapes {[shape_of(p) for p in parts]}")
            for d in range(ndim):
                if d != axis and views[i].shape[d] != shape[d]:
                    raise ShapeError(f"concatenate along axis {axis}: shapes "
                                     f"{[shape_of(p) for p in parts]} differ elsewhere")
            total += views[i].shape[axis]
        shape[axis] = total
        for d in range(ndim):
            size *= shape[d]
        result = ad_view_slots(0, ndim, shape)
        for i in range(n):
            views[n + i] = result
            views[n + i].place = AD_OWN
            views[n + i].base = offset * result.stride[axis]
            views[n + i].shape[axis] = views[i].shape[axis]
            offset += views[i].shape[axis]
        status = ad_record_addto(tape, size, n, views, views + n, &result)
        check(status)
        result = ad_view_slots(result.base, ndim, shape)
        return settle(tape, &result, tracked)
    finally:
        for i in range(held):
            ad_view_drop(&views[i])
        PyMem_Free(views)


def gather(items, shape=None):
    """Numbers and scalar tensors as one Tensor: a list of their slots, no instruction.

    NotImplemented if there are others among the items.
    """
    cdef ad_tape *tape = this_tape()
    cdef Py_ssize_t n = len(items), j = 0
    cdef bint tracked = False
    cdef ad_view view
    cdef ad_list *slots
    check(ad_tape_room(tape, 8))
    check(ad_tape_grow(tape, 0, 0, n, 0))
    slots = ad_list_new(&tape.lists, n)
    if slots == NULL:
        raise MemoryError("no memory for an index list")
    view = ad_view_slots(0, 0, NULL)
    view.place = AD_LIST
    view.in_.list = slots
    try:
        set_shape(&view, (n,) if shape is None else shape)
        ad_strides(view.ndim, view.shape, view.stride)
        for item in items:
            if is_tracked(item):
                if (<Tensor>item).h.tape != tape:
                    raise_foreign(<Tensor>item)
                if (<Tensor>item).h.view != NULL:
                    ad_view_drop(&view)
                    return NotImplemented
                tracked = True
                slots.slot[j] = (<Tensor>item).h.slot
            else:
                value = (<Tensor>item).constant if type(item) is Tensor else item
                if not (PyFloat_CheckExact(value) or is_plain_scalar(value)):
                    ad_view_drop(&view)
                    return NotImplemented
                slots.slot[j] = ad_tape_const(tape, value)
            j += 1
    except BaseException:
        ad_view_drop(&view)
        raise
    if tracked:
        return settle(tape, &view, True)
    value = view_values(tape, &view)
    ad_view_drop(&view)
    return constant_tensor(value)


def values(x):
    """The numbers of a tensor or below a dual, not to be changed; anything else as it is."""
    return numbers_of(x)


def peek(x):
    """The numbers of a tensor for a rule, which a replay calls again; anything else as it is."""
    return (<Tensor>x).peek() if type(x) is Tensor else x


include "_dual.pxi"
include "_derive.pxi"
include "_kernels.pxi"
include "_calls.pxi"
include "_program.pxi"
include "_map.pxi"
include "_io.pxi"
include "_look.pxi"
include "_to_c.pxi"

cdef dict _own_attributes = {Tensor: frozenset(dir(Tensor)), Dual: frozenset(dir(Dual))}
