/* check.h -- what the C tests share: checks, random numbers, and allocations that fail on demand.
 *
 * A failed check prints the case under way (see check_note) and exits. */
#ifndef CHECK_H
#define CHECK_H

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- checks ---- */

static char check_text[1 << 16]; /* the case under way, to be printed if a check fails */
static size_t check_length;

static inline void check_clear(void)
{
    check_text[check_length = 0] = '\0';
}

__attribute__((format(printf, 1, 2))) static inline void check_note(const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(check_text + check_length, sizeof check_text - check_length, format, args);
    va_end(args);
    check_length += (size_t)n;
    if (check_length >= sizeof check_text)
        check_length = sizeof check_text - 1;
}

__attribute__((format(printf, 4, 5), noreturn)) static void
check_failed(const char *file, int line, const char *condition, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s\n%s:%d: check failed: %s\n", check_text, file, line, condition);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    exit(1);
}

/* CHECK(condition, format, ...) */
#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            check_failed(__FILE__, __LINE__, #condition, __VA_ARGS__);                             \
    } while (0)

/* Equal up to rounding, relative to 'scale' or 1; nan equals nan. */
static inline bool close_to(double a, double b, double scale)
{
    return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-9 * (1 + scale);
}

/* Equal, the sign of zero included. */
static inline bool same_number(double a, double b)
{
    return (isnan(a) && isnan(b)) || (a == b && !signbit(a) == !signbit(b));
}

/* ---- random numbers: splitmix64, the same everywhere ---- */

struct rng {
    uint64_t state;
};

static inline uint64_t rng_bits(struct rng *rng)
{
    uint64_t z = rng->state += 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* A whole number from 'low' to 'high', both included. */
static inline int64_t rng_int(struct rng *rng, int64_t low, int64_t high)
{
    return low + (int64_t)(rng_bits(rng) % (uint64_t)(high - low + 1));
}

static inline double rng_uniform(struct rng *rng, double low, double high)
{
    return low + (high - low) * (double)(rng_bits(rng) >> 11) * 0x1p-53;
}

/* ---- allocations of the core, see support/allocations.c ---- */

void *counted_malloc(size_t size); /* as the core allocates */
extern long n_live;                /* blocks not yet freed */
extern long fail_in;  /* this many allocations from now one fails; negative: none does */
extern long n_failed; /* so far */

#endif
