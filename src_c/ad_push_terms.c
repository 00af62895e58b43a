/* ad_push_terms.c -- terms of elementwise instructions and of sums of few. */
#include "ad_push_terms.h"

#include <stdlib.h>
#include <string.h>

#include "ad_emit_algebra.h"
#include "ad_through.h"

void ad_push_terms_drop(struct ad_push_terms *terms)
{
    while (terms->n > 0) {
        struct ad_push_term *term = &terms->term[--terms->n];

        ad_view_drop(&term->operand);
        ad_view_drop(&term->partial);
        free(term->at);
    }
}

void ad_elementwise_read(const struct ad_tape *tape, int32_t i, struct ad_elementwise *x)
{
    x->op = (enum ad_op)ad_tape_code(tape, i);
    memset(x->a, 0, sizeof x->a);
    if (!ad_tape_is_array(tape, i)) {
        x->a[0] = ad_view_slots(tape->a[i], 0, NULL);
        x->a[1] = ad_view_slots(tape->b[i], 0, NULL);
        x->y = ad_view_slots(tape->dst[i], 0, NULL);
        x->p = ad_tape_parameter(tape, i);
        return;
    }
    ad_tape_views(tape, i, x->a, ad_ops[x->op].n_args);
    memcpy(&x->p, tape->aux + tape->a[i] + 3, sizeof x->p);
    x->y = ad_view_slots(tape->dst[i], x->a[0].ndim, x->a[0].shape);
}

/* The terms of the results that 'end' names, partials computed for these alone. */
static enum ad_status elementwise_terms(const struct ad_adjoints *adjoints, int32_t i,
                                        const struct ad_view *end, struct ad_push_terms *terms)
{
    struct ad_tape *tape = adjoints->tape;
    struct ad_view a[AD_MAX_ARGS], once = *end;
    struct ad_elementwise x;
    int n_args, held = 0;
    enum ad_status status = AD_OK;

    ad_elementwise_read(tape, i, &x);
    n_args = ad_ops[x.op].n_args;
    for (int d = 0; d < once.ndim; d++)
        if (once.stride[d] == 0)
            once.shape[d] = 1; /* the same over and over */
    memset(a, 0, sizeof a);
    for (; held < n_args && !status; held++) {
        status = ad_view_through(tape, &x.a[held], &once, tape->dst[i], &a[held]);
        if (status)
            break;
        ad_emit_simplify(tape, &a[held]);
    }
    for (int j = 0; j < n_args && !status; j++) {
        struct ad_push_term *term = &terms->term[terms->n];

        if (!ad_adjoints_active(adjoints, &x.a[j]))
            continue;
        *term = (struct ad_push_term){.n = 0};
        status = ad_emit_partial(tape, x.op, j, x.p, a, &once, &term->partial);
        if (status)
            break;
        ad_emit_simplify(tape, &term->partial);
        if (ad_is_number(&term->partial, 0))
            continue;
        status = ad_view_through(tape, &x.a[j], end, tape->dst[i], &term->operand);
        if (status)
            ad_view_drop(&term->partial);
        else
            terms->n++;
    }
    while (held > 0)
        ad_view_drop(&a[--held]);
    return status;
}

/* One part of an AD_ADDTO, each of whose elements goes to a place of its own, as a term of 'end'. */
static enum ad_status part_term(const struct ad_adjoints *adjoints, int32_t i,
                                const struct ad_view *end, const struct ad_view *from,
                                const struct ad_view *to, struct ad_push_terms *terms)
{
    struct ad_tape *tape = adjoints->tape;
    int32_t first = tape->dst[i], length = ad_tape_length(tape, i), *element;
    int64_t n = ad_view_size(end), size = ad_view_size(from), m = 0, *at, *places, *wanted;
    struct ad_push_term *term = &terms->term[terms->n];
    enum ad_status status = AD_OK;

    if (terms->n == AD_PUSH_TERMS)
        return AD_NO_EDGES;
    *term = (struct ad_push_term){.partial = ad_view_number(1)};
    if (to->place == AD_OWN && to->base == 0 && size == length && ad_view_is_contiguous(to)) {
        status = ad_view_through(tape, from, end, first, &term->operand);
        terms->n += !status;
        return status;
    }
    element = malloc((size_t)length * sizeof *element);
    places = malloc((size_t)AD_MAX(size, 1) * sizeof *places);
    at = malloc((size_t)AD_MAX(n, 1) * sizeof *at);
    wanted = malloc((size_t)AD_MAX(n, 1) * sizeof *wanted);
    if (!element || !places || !at || !wanted)
        status = AD_NO_MEMORY;
    if (!status) {
        for (int32_t j = 0; j < length; j++)
            element[j] = -1;
        ad_view_positions(to, places);
        for (int64_t j = 0; j < size && !status; j++) {
            int32_t *place =
                &element[to->place == AD_OWN ? places[j] : to->in.list->slot[places[j]]];

            if (*place >= 0) /* the sum of several */
                status = AD_NO_EDGES;
            *place = (int32_t)j;
        }
    }
    if (!status) {
        ad_view_results(end, first, wanted);
        for (int64_t j = 0; j < n; j++)
            if (element[wanted[j]] >= 0) {
                wanted[m] = element[wanted[j]];
                at[m++] = j;
            }
        status = m ? ad_view_select(tape, from, m, wanted, &term->operand) : AD_OK;
    }
    if (!status && m) {
        term->n = m;
        if (m < n) {
            term->at = at;
            at = NULL;
        } else {
            ad_view_reshape(&term->operand, end->ndim, end->shape);
        }
        terms->n++;
    }
    free(element);
    free(places);
    free(at);
    free(wanted);
    return status;
}

/* Sums of few elements are taken term by term. */
static enum ad_status addto_terms(const struct ad_adjoints *adjoints, int32_t i,
                                  const struct ad_view *end, struct ad_push_terms *terms)
{
    struct ad_tape *tape = adjoints->tape;
    int64_t at = AD_BLOCK_HEADER, n = tape->aux[tape->a[i] + 1];
    enum ad_status status = AD_OK;

    for (int64_t v = 0; v < n && !status; v += 2) {
        const int64_t *block = tape->aux + tape->a[i]; /* recording may move it */
        struct ad_view from, to;
        int64_t count = 1, shape[AD_MAX_DIMS], from_step[AD_MAX_DIMS];
        int n_summed = 0, kept = 0;

        at = ad_view_decode(ad_view_decode(block + at, &from), &to) - block;
        if (!ad_adjoints_active(adjoints, &from))
            continue;
        for (int d = 0; d < to.ndim; d++)
            if (to.stride[d] == 0 && to.shape[d] > 1) {
                shape[n_summed] = to.shape[d];
                from_step[n_summed++] = from.stride[d];
                count = AD_MIN(count * to.shape[d], AD_PUSH_TERMS + 1);
            } else {
                to.shape[kept] = from.shape[kept] = to.shape[d];
                to.stride[kept] = to.stride[d];
                from.stride[kept++] = from.stride[d];
            }
        if (count > AD_PUSH_TERMS)
            return AD_NO_EDGES;
        to.ndim = from.ndim = kept;
        for (int64_t k = 0; k < count && !status; k++) {
            struct ad_view one = from;
            int64_t left = k;

            for (int d = n_summed - 1; d >= 0; d--) {
                one.base += left % shape[d] * from_step[d];
                left /= shape[d];
            }
            status = part_term(adjoints, i, end, &one, &to, terms);
        }
    }
    return status;
}

enum ad_status ad_push_terms_of(const struct ad_adjoints *adjoints, int32_t i,
                                const struct ad_view *end, struct ad_push_terms *terms)
{
    int code = ad_tape_code(adjoints->tape, i);

    terms->n = 0;
    if (code < AD_N_OPS)
        return elementwise_terms(adjoints, i, end, terms);
    return code == AD_ADDTO ? addto_terms(adjoints, i, end, terms) : AD_NO_EDGES;
}
