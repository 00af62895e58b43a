"""The C core as Cython sees it: what ad_*.h declare, and nothing more."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t


cdef extern from "ad_status.h" nogil:
    ctypedef enum ad_status "enum ad_status":
        AD_OK
        AD_NO_MEMORY
        AD_SHAPES_DIFFER
        AD_NO_SERIES
        AD_NO_EDGES
        AD_CALL_FAILED
        AD_BAD_PROGRAM
        AD_NOT_SAVED
    const char *ad_status_text(ad_status status)
    const char *ad_status_exception(ad_status status)


cdef extern from "ad_ops.h" nogil:
    enum:
        AD_N_OPS
        AD_OP_neg, AD_OP_abs, AD_OP_where, AD_OP_fma, AD_OP_square, AD_OP_hypot, AD_OP_reciprocal
        AD_OP_add, AD_OP_sub, AD_OP_mul, AD_OP_div, AD_OP_pow, AD_OP_powi, AD_OP_remainder
        AD_OP_floor_divide
        AD_OP_maximum, AD_OP_minimum, AD_OP_clip, AD_OP_gate, AD_OP_hypot, AD_OP_mul0, AD_OP_mul00
        AD_OP_flow, AD_OP_stop, AD_OP_equal, AD_OP_not_equal, AD_OP_less, AD_OP_less_equal
        AD_W_X, AD_W_Z, AD_W_W, AD_W_Y, AD_W_P, AD_W_CONST, AD_W_END
        AD_LINEAR, AD_SELECT, AD_CURVED, AD_POLE
        AD_MAX_ARGS
    ctypedef int ad_op "int"
    struct ad_word:
        int op
        double c
    struct ad_op_info:
        const char *name
        const char *ufunc
        int n_args
        bint hidden
        bint family
        int curvature
        double domain[3][2]
        const ad_word *partial[3]
    const ad_op_info ad_ops[]
    struct ad_vec:
        const double *v
        double c
    ctypedef void ad_simd_loop(char **args, const Py_ssize_t *dimensions,
                               const Py_ssize_t *strides, void *data)
    struct ad_simd_entry "ad_simd":
        ad_simd_loop *loop
        void *data
    ad_simd_entry ad_simd[]
    enum:
        AD_SCRATCH
    double ad_op_value(ad_op op, double p, double x, double z, double w)
    void ad_op_partials(ad_op op, double p, double x, double z, double w, double y, double *d)
    void ad_op_second(ad_op op, double p, const double *a, double y, double *d, double h[3][3])
    void ad_op_vector(ad_op op, double p, size_t n, const ad_vec *a, double *y)
    bint ad_op_cuts(ad_op op)


cdef extern from "ad_functions.h" nogil:
    struct ad_function:
        const char *name
        int n_orders
        int n_args
    const ad_function *ad_function_find(const char *name)
    size_t ad_function_vector(const ad_function *f, const int *order, size_t n,
                              const double *const *x, double *y)


cdef extern from "ad_point_value.h" nogil:
    double ad_point_add(double p, double x, double z)
    double ad_point_sub(double p, double x, double z)
    double ad_point_mul(double p, double x, double z)
    double ad_point_div(double p, double x, double z)


cdef extern from "ad_blocks.h" nogil:
    ctypedef struct ad_blocks:
        size_t most
    void *ad_blocks_take(ad_blocks *blocks, size_t size)
    void ad_blocks_give(ad_blocks *blocks, void *block)
    size_t ad_block_size(const void *block)


cdef extern from "ad_dual.h" nogil:
    double ad_dual_op(ad_op op, double p, const double *x, int k, const double *const *xdot,
                      double *ydot)
    size_t AD_DUAL_SCRATCH(size_t n)
    void ad_dual_vector(ad_op op, double p, size_t n, const ad_vec *a, int k, const ad_vec *xdot,
                        double *y, double *const *ydot, double *scratch)


cdef extern from "ad_linalg.h" nogil:
    ctypedef void ad_matmul_loop(char **args, const Py_ssize_t *dimensions,
                                 const Py_ssize_t *strides, void *data)
    ad_matmul_loop *ad_matmul_blas


cdef extern from "ad_index.h" nogil:
    ctypedef int ad_argsort_loop(void *x, Py_ssize_t *order, Py_ssize_t n, void *array)
    ad_argsort_loop *ad_argsort_simd
    ctypedef int ad_sort_loop(void *x, Py_ssize_t n, void *array)
    ad_sort_loop *ad_sort_by_numpy
    int64_t ad_index_room(int64_t n)
    int64_t ad_index_unique(int64_t n, const double *x, bint equal_nan, int64_t *first,
                            int64_t *inverse, int64_t *count, double *room)
    void ad_index_range(int64_t n, const int64_t *at, int64_t *low, int64_t *high)
    int64_t ad_place_of_rank(int64_t n, const double *x, int64_t rank, double value)


cdef extern from "ad_lapack.h" nogil:
    struct ad_lapack_functions "ad_lapack":
        pass
    struct ad_lapack_row:
        const char *name
        const char *library
        size_t offset
    const ad_lapack_row ad_lapack_rows[]
    const int ad_n_lapack_rows
    void ad_lapack_give(const ad_lapack_functions *functions)
    void ad_lapack_set_loader(ad_status (*loader)() noexcept nogil)


cdef extern from "ad_view.h" nogil:
    enum:
        AD_MAX_DIMS
    ctypedef enum ad_place "enum ad_place":
        AD_SLOTS, AD_LIST, AD_ARRAY, AD_NUMBER, AD_OWN, AD_OWN_LIST
    struct ad_list:
        int32_t *slot
        int64_t n
        int64_t refs
    struct ad_array:
        const double *data
    union ad_view_in:
        ad_list *list
        ad_array *array
        double number
    struct ad_view:
        ad_place place
        int ndim
        int64_t base
        ad_view_in in_ "in"
        int64_t shape[16]
        int64_t stride[16]
    ad_list *ad_list_new(ad_list **head, int64_t n)
    void ad_list_drop(ad_list *list)
    ad_array *ad_array_copy(const double *data, int64_t n)
    ad_array *ad_array_room(int64_t n, double **data)
    ad_array *ad_array_of_truths(const unsigned char *data, int64_t n)
    ad_array *ad_array_of_integers(const int64_t *data, int64_t n)
    ad_array *ad_array_share(const double *data, int64_t n, void *owner,
                             void (*release)(void *) noexcept, bint checked)
    void ad_view_hold(const ad_view *view)
    void ad_view_drop(const ad_view *view)
    int64_t ad_shape_size(int ndim, const int64_t *shape)
    int64_t ad_view_size(const ad_view *view)
    void ad_strides(int ndim, const int64_t *shape, int64_t *stride)
    void ad_view_copy(ad_view *to, const ad_view *source)
    void ad_view_set_slots(ad_view *view, int64_t base, int ndim, const int64_t *shape)
    ad_view ad_view_slots(int64_t base, int ndim, const int64_t *shape)
    ad_view ad_view_number(double number)
    bint ad_view_is_contiguous(const ad_view *view)
    bint ad_view_reshape(ad_view *view, int ndim, const int64_t *shape)
    bint ad_view_broadcast(ad_view *view, int ndim, const int64_t *shape)
    bint ad_view_pick(ad_view *view, ad_list **head, const int64_t *positions, int64_t n)
    bint ad_view_has_nan(const ad_view *view, const double *value, bint infinite)
    void ad_view_exponents(const ad_view *view, const double *value, int32_t *out)
    int64_t ad_view_take(ad_view *view, ad_list **head, const int64_t *index, int64_t n)
    void ad_view_positions(const ad_view *view, int64_t *at)
    void ad_view_read(const ad_view *view, const double *value, double *out)
    int32_t ad_view_lowest(const ad_view *view)


cdef extern from "ad_kernel.h" nogil:
    enum:
        AD_KERNEL_NUMBERS, AD_KERNEL_vectors, AD_KERNEL_eig_vectors
    struct ad_kernel:
        int name
        int ndim
        int64_t shape[2]
    struct ad_kernel_row_info "ad_kernel_row":
        const char *name
        int n_args
        int dims[4]
    const ad_kernel_row_info *ad_kernel_row(int64_t number)
    int64_t ad_kernel_extra(int number, int flags, int64_t first, int64_t count)
    const char *ad_kernel_read(int64_t extra, double p, int n, const ad_view *views,
                               ad_kernel *kernel)
    const char *ad_kernel_read_shapes(int64_t extra, double p, int n, const int *ndim,
                                      const int64_t **shape, ad_kernel *kernel)


cdef extern from "ad_kernel_run.h" nogil:
    ad_status ad_kernel_run(const ad_kernel *kernel, const double **args, double *y)


cdef extern from "ad_tape.h" nogil:
    enum:
        AD_INPUT, AD_ADDTO, AD_MATMUL, AD_CUMSUM, AD_EXTREMUM, AD_NORM, AD_ARGSORT,
        AD_GATHER, AD_SCATTER, AD_KERNEL, AD_CALL, AD_DRAW
    struct ad_handle:
        ad_tape *tape
        ad_handle *next
        ad_view *view
        int32_t instr
        int32_t slot
    struct ad_note:
        int32_t instr
        void *hook
    enum:
        AD_WHY
    struct ad_call_hooks:
        void (*hold)(void *rule) noexcept nogil
        void (*release)(void *rule) noexcept nogil
        ad_status (*replay)(void *rule, const double *const *args, double *result) noexcept nogil
        ad_status (*save)(void *rule, unsigned char **data, int64_t *nbytes) noexcept nogil
        ad_status (*load)(const unsigned char *data, int64_t nbytes, int64_t size, int n,
                          const ad_view *args, char *why, void **rule) noexcept nogil
        ad_status (*forward)(ad_tape *tape, int32_t instr, int lanes) noexcept nogil
        ad_status (*reverse)(ad_tape *tape, int32_t instr, int lanes) noexcept nogil
        ad_status (*emit_reverse)(ad_tape *tape, int32_t instr, const ad_view *g,
                                  ad_view *adjoints) noexcept nogil
        ad_status (*emit_forward)(ad_tape *tape, int32_t instr, const ad_view *tangents,
                                  ad_view *result) noexcept nogil
        int (*elementwise)(void *rule, int64_t *shape) noexcept nogil
        ad_status (*note)(ad_tape *tape, const ad_note *note, int lanes) noexcept nogil
        ad_status (*emit_note)(ad_tape *tape, const ad_note *note, const ad_view *g,
                               ad_view *result) noexcept nogil
    struct ad_tape:
        uint16_t *op
        int32_t *dst
        int32_t *a
        int32_t *b
        ad_handle **handle
        int32_t n
        int32_t capacity
        double *value
        int32_t n_slots
        bint orphan
        int32_t slot_capacity
        int32_t n_consts
        int32_t const_capacity
        int64_t *aux
        int64_t n_aux
        int64_t aux_capacity
        ad_note *notes
        int32_t n_notes
        ad_list *lists
        int64_t n_handles
        ad_work *work
        double *scratch
        const ad_call_hooks *hooks
        ad_program *program
        int32_t here
        bint symbolic
    void ad_tape_here(ad_tape *tape, int32_t origin)
    ad_tape *ad_tape_new()
    ad_status ad_tape_make_scratch(ad_tape *tape)
    void ad_tape_free(ad_tape *tape)
    ad_status ad_tape_room(ad_tape *tape, int64_t slots)
    ad_status ad_tape_grow(ad_tape *tape, int64_t instrs, int64_t slots, int64_t consts,
                           int64_t words)
    void ad_tape_compact(ad_tape *tape)
    int32_t ad_tape_const(ad_tape *tape, double c)
    int32_t ad_tape_push(ad_tape *tape, int op, int32_t a, int32_t b, double value)
    ad_status ad_record_input(ad_tape *tape, int64_t n, const double *values)
    ad_status ad_record_copy(ad_tape *tape, const ad_view *source, ad_view *result)
    ad_status ad_record_op(ad_tape *tape, ad_op op, double p, const ad_view **args,
                           ad_view *result)
    ad_status ad_record_addto(ad_tape *tape, int64_t size, int n, const ad_view *source,
                              const ad_view *to, ad_view *result)
    ad_status ad_record_sum(ad_tape *tape, const ad_view *source, uint32_t axes, ad_view *result)
    ad_status ad_record_matmul(ad_tape *tape, const ad_view *a, const ad_view *b, ad_view *result)
    ad_status ad_record_along(ad_tape *tape, int code, const ad_view *source, int64_t extra,
                              ad_view *result)
    ad_status ad_record_gather(ad_tape *tape, const ad_view *x, const ad_view *index,
                               ad_view *result)
    ad_status ad_record_scatter(ad_tape *tape, const ad_view *x, const ad_view *index, int64_t n,
                                ad_view *result)
    ad_status ad_record_kernel(ad_tape *tape, int64_t extra, double p, int n, const ad_view *args,
                               ad_view *result)
    bint ad_tape_has_rule(const ad_tape *tape, int32_t i)
    bint ad_tape_reads_results(const ad_tape *tape, int32_t instr)
    ad_status ad_record_block(ad_tape *tape, int code, double p, int64_t extra, int64_t size,
                              int n, const ad_view *views)
    ad_status ad_record_call(ad_tape *tape, void *rule, int n, const ad_view *args, int64_t size,
                             const double *values, ad_view *result)
    ad_status ad_tape_add_note(ad_tape *tape, int32_t instr, void *hook)
    int ad_tape_code(const ad_tape *tape, int32_t i)
    int32_t ad_tape_length(const ad_tape *tape, int32_t i)
    bint ad_tape_is_array(const ad_tape *tape, int32_t i)
    int32_t ad_tape_producer(const ad_tape *tape, int32_t slot)
    int32_t ad_tape_origin(const ad_tape *tape, int32_t i)
    int ad_tape_views(const ad_tape *tape, int32_t i, ad_view *views, int max)
    bint ad_tape_reads_below(const ad_tape *tape, int32_t first, int32_t below)
    void ad_handle_scalar(ad_handle *handle, ad_tape *tape, int32_t instr, int32_t slot)
    bint ad_handle_view(ad_handle *handle, ad_tape *tape, const ad_view *view)
    void ad_handle_drop(ad_handle *handle)
    ad_view ad_handle_get(const ad_handle *handle)
    bint ad_tape_narrow(ad_tape *tape, ad_view *view)
    ad_status ad_handle_own(ad_handle *handle)
    ad_status ad_handle_assign(ad_handle *handle, int64_t n, const int64_t *positions,
                               const ad_view *value)
    ad_status ad_handle_assign_where(ad_handle *handle, const unsigned char *mask, bint in_turn,
                                     const ad_view *value)
    void ad_handle_need(ad_handle *handle, int32_t instr)
    void ad_tape_pop(ad_tape *tape)
    int32_t ad_tape_enter(ad_tape *tape, int32_t floor)
    void ad_tape_leave(ad_tape *tape, int32_t was)


cdef extern from "ad_tape.h":
    void ad_tape_watch(ad_tape *tape, void (*watch)(ad_tape *tape) noexcept)


cdef extern from "ad_draw.h" nogil:
    enum ad_set_of:
        AD_SET_OF_ALL, AD_SET_OF_NUMBERS, AD_SET_COMMON, AD_SET_MISSING, AD_SET_ONE_SIDED
    ad_status ad_record_draw(ad_tape *tape, const ad_view *from_, int64_t m, ad_view *result)
    ad_status ad_record_sort(ad_tape *tape, const ad_view *from_, ad_view *result)
    ad_status ad_record_set(ad_tape *tape, ad_set_of kind, const ad_view *from_, int64_t split,
                            int64_t n_second, const double *second, int64_t *count,
                            ad_view *result)
    ad_status ad_record_bins(ad_tape *tape, const ad_view *from_, const int64_t *at, int64_t n_bins,
                             ad_view *result)


cdef extern from "ad_lanes.h" nogil:
    enum:
        AD_LANES


cdef extern from "ad_sweep.h" nogil:
    enum:
        AD_SWEEP_FORWARD, AD_SWEEP_REVERSE, AD_SWEEP_SECOND
    struct ad_work:
        double *tan
        double *adj
        double *dadj
        const uint8_t *reached
        int32_t low
        int lanes
    ad_work *ad_work_new()
    void ad_work_free(ad_work *work)
    ad_status ad_work_begin(ad_tape *tape, int kind, int32_t low, int lanes)
    void ad_work_add(const ad_tape *tape, double *buffer, int lanes, const ad_view *view,
                     const double *data)
    void ad_work_get(const ad_tape *tape, const double *buffer, int lanes, const ad_view *view,
                     double *data)
    ad_status ad_sweep_forward(ad_tape *tape, int32_t first, int32_t last)
    ad_status ad_sweep_reverse(ad_tape *tape, int32_t first, int32_t last)
    ad_status ad_sweep_second(ad_tape *tape, int32_t first, int32_t last)
    ad_status ad_tape_depends(ad_tape *tape, int32_t first, int32_t last, int32_t low,
                              uint8_t *reached)


cdef extern from "ad_formula.h" nogil:
    enum:
        AD_FORMULA_GIVEN
    struct ad_formula_step:
        ad_op op
        int args[3]
    struct ad_formula:
        int n_given
        int n_numbers
        int n_steps
        int n_outputs
        ad_view *numbers
        ad_formula_step *steps
        int outputs[2]
    struct ad_complex_part:
        int given
        double number
    enum ad_complex_way:
        AD_COMPLEX_LOOP, AD_COMPLEX_STEPS, AD_COMPLEX_PRODUCT, AD_COMPLEX_QUOTIENT
        AD_COMPLEX_LOG1P, AD_COMPLEX_MODULUS
    struct ad_complex_call:
        ad_complex_way way
        ad_simd_loop *loop
        void *data
        int n_args
        bint real
        ad_complex_part parts[4]
    ad_status ad_complex_record(ad_tape *tape, const ad_complex_call *call, void *rule,
                                const ad_formula *formula, int n, const ad_view **args,
                                ad_view *re, ad_view *im)
    ad_status ad_formula_forward(ad_tape *tape, int32_t i, const ad_formula *formula, int lanes)
    ad_status ad_formula_reverse(ad_tape *tape, int32_t i, const ad_formula *formula, int lanes)
    void ad_complex_read(const ad_view *re, const ad_view *im, const double *value, double *z)
    void ad_complex_split(const double *z, int64_t n, double *re, double *im)
    ad_status ad_pair_choose(ad_tape *tape, const ad_view *mask, const unsigned char *truth,
                             const ad_view *x, double other, ad_view *result)


cdef extern from "ad_taylor.h" nogil:
    ad_status ad_taylor_begin(ad_tape *tape, int32_t low, int32_t first, int order)
    ad_status ad_sweep_taylor(ad_tape *tape, int32_t first, int32_t last)


cdef extern from "ad_emit.h" nogil:
    ad_status ad_emit_reverse(ad_tape *tape, int n_outputs, const ad_view *outputs,
                              const ad_view *seeds, int n_inputs, const ad_view *inputs,
                              ad_view *adjoints)


cdef extern from "ad_emit_along.h" nogil:
    ad_status ad_emit_along(ad_tape *tape, int64_t lanes, int n_inputs, const ad_view *inputs,
                            const ad_view *seeds, int n_outputs, const ad_view *outputs,
                            ad_view *tangents)


cdef extern from "ad_program.h" nogil:
    enum:
        AD_GUARD_TRUTH, AD_GUARD_MASK, AD_GUARD_VALUE
    struct ad_origin:
        char *file
        char *function
        int32_t line
    struct ad_guard:
        int kind
        int32_t origin
        ad_view view
        int64_t n
        double *expected
    struct ad_program:
        ad_tape *tape
        ad_view *inputs
        ad_view *outputs
        ad_guard *guards
        ad_origin *origins
        int n_inputs, n_outputs, n_guards, n_origins
    bint ad_program_needs_values(const ad_program *program)
    ad_status ad_program_wake(ad_program *program)
    ad_program *ad_program_new()
    void ad_program_free(ad_program *program)
    ad_status ad_program_add_input(ad_program *program, int ndim, const int64_t *shape,
                                   const double *values)
    ad_status ad_program_add_output(ad_program *program, const ad_view *view)
    ad_status ad_program_add_guard(ad_program *program, int kind, int32_t origin,
                                   const ad_view *view, const double *expected)
    int32_t ad_program_origin(ad_program *program, const char *file, const char *function,
                              int32_t line)
    ad_status ad_program_replay(ad_program *program, const double *const *inputs,
                                double *const *outputs, int *failed)


cdef extern from "ad_check.h" nogil:
    struct ad_fault:
        char field[160]
        char expected[200]
        char found[200]
        int64_t offset


cdef extern from "ad_io.h" nogil:
    ad_status ad_io_write(const ad_program *program, unsigned char **data, size_t *nbytes,
                          ad_fault *fault)
    void ad_io_free(unsigned char *data)
    uint64_t ad_crc64(const unsigned char *data, size_t nbytes)
    ad_status ad_io_read(const unsigned char *data, size_t nbytes, const ad_call_hooks *hooks,
                         ad_program **program, ad_fault *fault)


cdef extern from "ad_norm.h" nogil:
    bint ad_norm_vanishes(const ad_tape *tape, int32_t i)


cdef extern from "ad_simplify.h" nogil:
    ad_status ad_pass_values(const ad_program *source, ad_program **to)


cdef extern from "ad_optimise.h" nogil:
    struct ad_pass_size:
        int32_t instructions
        int32_t slots
    struct ad_pass_row:
        const char *name
        ad_pass_size before
        ad_pass_size after
    enum:
        AD_N_SCALAR_REASONS
    struct ad_reroll_report:
        int64_t rolled
        int64_t vectors
        int64_t lists
        int64_t left[3]
    struct ad_pass_report:
        int n_passes
        ad_pass_row passes[16]
        ad_reroll_report reroll
    const char *ad_scalar_reason_text(int reason)
    ad_status ad_pass_dead(const ad_program *source, ad_program **to)
    ad_status ad_optimise(const ad_program *source, bint reassociate, ad_program **to,
                          ad_pass_report *report)


cdef extern from "ad_derive.h" nogil:
    ad_status ad_derive_reverse(const ad_program *source, int n_wanted, const int *wanted,
                                bint ones, bint keep, ad_program **to)
    ad_status ad_derive_forward(const ad_program *source, int n_wanted, const int *wanted,
                                bint keep, ad_program **to)


cdef extern from "ad_run.h" nogil:
    ctypedef int ad_native(const double *const *inputs, double *const *outputs, double *work)
    struct ad_plan:
        ad_native *native
        int64_t n_native
        int64_t n_frame, n_steps, n_words, n_moves
    struct ad_frame:
        pass
    ad_status ad_plan_new(const ad_program *program, ad_plan **plan)
    void ad_plan_free(ad_plan *plan)
    int64_t ad_plan_bytes(const ad_plan *plan)
    int64_t ad_plan_frame_bytes(const ad_plan *plan)
    ad_frame *ad_frame_new(const ad_plan *plan)
    void ad_frame_free(ad_frame *frame)
    ad_status ad_run(const ad_plan *plan, ad_frame *frame, const double *const *inputs,
                     double *const *outputs, int *failed)
    void ad_frame_outcome(const ad_plan *plan, const ad_frame *frame, int guard, double *out)


cdef extern from "ad_rewrite.h" nogil:
    ad_status ad_program_copy(const ad_program *source, ad_program **to)
cdef extern from "<stdbool.h>":
    ctypedef unsigned char c_bool "bool"


cdef extern from "ad_pattern.h" nogil:
    struct ad_pattern:
        int64_t n_rows, n_columns
        int64_t *start
        int32_t *column
    void ad_pattern_free(ad_pattern *pattern)
    ad_status ad_pattern_mates(const ad_pattern *pattern, int32_t *mate, c_bool *symmetric)


cdef extern from "ad_order.h" nogil:
    enum ad_order:
        AD_ORDER_NATURAL
        AD_ORDER_LARGEST_FIRST
        AD_ORDER_SMALLEST_LAST
        AD_ORDER_INCIDENCE
    ad_status ad_order_vertices(const ad_pattern *symmetric, ad_order how, int32_t *order)
    ad_status ad_order_columns(const ad_pattern *pattern, ad_order how, int32_t *order)


cdef extern from "ad_color.h" nogil:
    ad_status ad_color_columns(const ad_pattern *pattern, const int32_t *order, int64_t limit,
                               int32_t *color, int64_t *n_colors)
    ad_status ad_color_star(const ad_pattern *symmetric, const int32_t *order, int64_t limit,
                            int32_t *color, int64_t *n_colors)
    ad_status ad_color_acyclic(const ad_pattern *symmetric, const int32_t *order, int64_t limit,
                               int32_t *color, int64_t *n_colors)


cdef extern from "ad_bicolor.h" nogil:
    ad_status ad_color_bicolor(const ad_pattern *pattern, ad_order how, int32_t *row_color,
                               int32_t *column_color, int64_t *n_row_colors,
                               int64_t *n_column_colors)


cdef extern from "ad_recover.h" nogil:
    ad_status ad_recover_star(const ad_pattern *symmetric, const int32_t *color, int32_t *row,
                              int32_t *lane)
    ad_status ad_recover_bicolor(const ad_pattern *pattern, const int32_t *row_color,
                                 const int32_t *column_color, int32_t *lane)
    ad_status ad_recover_acyclic(const ad_pattern *symmetric, const int32_t *color,
                                 int32_t *entry, int32_t *mate, int64_t *n_steps)
    void ad_recover_substitute(const ad_pattern *symmetric, const int32_t *color,
                               int64_t n_colors, int64_t n_steps, const int32_t *entry,
                               const int32_t *mate, double *lanes, double *data)


cdef extern from "ad_depend.h" nogil:
    struct ad_depend_question:
        const ad_program *program
        int n_wanted
        const int *wanted
        int first, n_outputs
        bint local
        int64_t most
    ad_status ad_depend_jacobian(const ad_depend_question *question, c_bool *known,
                                 ad_pattern *pattern)
    ad_status ad_depend_hessian(const ad_depend_question *question, c_bool *known,
                                ad_pattern *pattern)


cdef extern from "ad_edge.h" nogil:
    struct ad_edge_cost:
        int64_t slots, operands, curved
        c_bool known
    ad_status ad_edge_hessian(ad_tape *tape, const ad_view *output, int32_t low, int32_t n,
                              int64_t most, double *gradient, ad_pattern *pattern,
                              double **data)
    ad_edge_cost ad_edge_cost_of(const ad_tape *tape, const ad_view *output, int32_t low)


cdef extern from "ad_pushed.h" nogil:
    struct ad_pushed:
        int64_t edges
        c_bool guarded
        double cost[2]


cdef extern from "ad_jacobian.h" nogil:
    enum:
        AD_JACOBIAN_AUTO, AD_JACOBIAN_FORWARD, AD_JACOBIAN_REVERSE, AD_JACOBIAN_BOTH
    struct ad_jacobian_lanes:
        int64_t forward, reverse
    ad_status ad_derive_jacobian(const ad_program *source, int n_wanted, const int *wanted,
                                 int mode, bint keep, ad_program **to)
    ad_status ad_derive_hessian(const ad_program *source, int n_wanted, const int *wanted,
                                bint keep, ad_program **to)
    ad_status ad_derive_sparse_jacobian(const ad_program *source, int n_wanted, const int *wanted,
                                        int mode, bint keep, ad_pattern *entries,
                                        ad_jacobian_lanes *lanes, ad_program **to)
    ad_status ad_derive_sparse_hessian(const ad_program *source, int n_wanted, const int *wanted,
                                       bint keep, ad_pattern *entries, ad_program **to,
                                       ad_pushed *pushed)


cdef extern from "ad_map.h" nogil:
    struct ad_map:
        pass
    struct ad_map_work:
        pass
    struct ad_rows:
        const double *data
        int64_t row_stride, stride
    ad_status ad_map_new(const ad_program *program, const ad_plan *plan, const uint8_t *shared,
                         bint one_by_one, ad_map **map)
    void ad_map_free(ad_map *map)
    int64_t ad_map_lanes(const ad_map *map)
    ad_status ad_map_batch(const ad_map *map, const ad_program *program, ad_program **batch)
    void ad_map_use_native(ad_map *map, ad_native *native, int64_t n_work)
    ad_map_work *ad_map_work_new(const ad_map *map)
    void ad_map_work_free(ad_map_work *work)
    ad_status ad_map_run(const ad_map *map, ad_map_work *work, const ad_rows *inputs,
                         double *const *outputs, int64_t first, int64_t n, int32_t *failed,
                         int64_t *n_failed)


cdef extern from "ad_look.h" nogil:
    struct ad_look_steps_counts "ad_look_steps":
        int64_t runs, words, groups, moves, elements, singles, constant_bytes
    struct ad_graph:
        int64_t *start
        int32_t *source "from"
        int64_t n_readers
    void ad_look_instrs(const ad_program *program, int32_t *code, int32_t *length,
                        int32_t *origin, uint8_t *array)
    void ad_look_steps(const ad_plan *plan, ad_look_steps_counts *steps)
    ad_status ad_graph_new(const ad_program *program, ad_graph *graph)
    void ad_graph_free(ad_graph *graph)


cdef extern from "ad_profile.h" nogil:
    struct ad_profile:
        double total, parts, ends
        int64_t n_rounds
        int failed
    ad_status ad_plan_new_traced(const ad_program *program, ad_plan **plan)
    ad_status ad_profile_run(const ad_plan *plan, ad_frame *frame, const double *const *inputs,
                             double *const *outputs, double budget, int64_t most,
                             int64_t n_instrs, double *seconds, ad_profile *profile)
cdef extern from "ad_to_c.h" nogil:
    struct ad_text:
        char *data
        size_t n
        bint failed
    struct ad_c_function:
        ad_text text
        uint8_t ops[AD_N_OPS]
        int64_t n_work
        int32_t call
    ad_status ad_to_c(const ad_program *program, const char *name, ad_c_function *function)
    void ad_c_function_free(ad_c_function *function)
    void ad_c_ops(ad_text *text, const uint8_t *ops, bint loops)
    void ad_text_free(ad_text *text)
