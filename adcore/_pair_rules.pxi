"""NumPy's functions of complex arrays that are recorded for both parts at once, by function."""


ctypedef object (*pair_rule)(tuple args)


cdef pair_rule _pair_rules[32]
cdef dict _pair_rule_of = {}


cdef int add_pair_rule(function, pair_rule rule) except -1:
    _pair_rules[len(_pair_rule_of)] = rule
    _pair_rule_of[function] = len(_pair_rule_of)
    return 0


add_pair_rule(np.reshape, pair_reshape)
add_pair_rule(np.transpose, pair_transpose)
add_pair_rule(np.sum, pair_sum)
add_pair_rule(np.trace, pair_trace)
add_pair_rule(np.cumsum, pair_cumsum)
add_pair_rule(np.diff, pair_diff)
add_pair_rule(np.linalg.norm, pair_norm)
add_pair_rule(np.concatenate, pair_concatenate)
add_pair_rule(np.stack, pair_stack)
add_pair_rule(np.roll, pair_roll)
add_pair_rule(np.where, pair_where)
add_pair_rule(np.dot, pair_dot)
add_pair_rule(np.vdot, pair_vdot)
add_pair_rule(np.outer, pair_outer)
add_pair_rule(np.prod, pair_prod)
add_pair_rule(np.einsum, pair_einsum)
add_pair_rule(np.linalg.solve, pair_solve)
add_pair_rule(np.linalg.inv, pair_inv)
add_pair_rule(np.linalg.det, pair_det)


cdef object on_pairs(function, tuple args):
    """A function of NumPy's, recorded for both parts at once; None for another way."""
    at = _pair_rule_of.get(function)
    if at is None or not pairs_may_be():
        return None
    return _pair_rules[<int>at](args)
