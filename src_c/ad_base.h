/* ad_base.h -- what every file of the core uses: integer types, branch hints, assertions,
 * and overflow-safe sizes. */
#ifndef AD_BASE_H
#define AD_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) || defined(__clang__)
#define AD_LIKELY(c) __builtin_expect(!!(c), 1)
#define AD_UNLIKELY(c) __builtin_expect(!!(c), 0)
#define ad_unreachable() __builtin_unreachable()
#define AD_COLD __attribute__((cold, noinline))
#define AD_INLINE static inline __attribute__((always_inline))
#else
#define AD_LIKELY(c) (c)
#define AD_UNLIKELY(c) (c)
#define ad_unreachable() ((void)0)
#define AD_COLD
#define AD_INLINE static inline
#endif

/* Loops over many doubles are compiled for AVX-512, AVX2 and the baseline, and the loader picks
 * one; elsewhere they are compiled once.  Sanitizers start before the loader can pick. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__linux__)
#define AD_TARGETS 1 /* functions that cannot be cloned are written out for each, and picked */
#else
#define AD_TARGETS 0
#endif
#if AD_TARGETS && !defined(__SANITIZE_ADDRESS__)
#define AD_VECTOR __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define AD_VECTOR
#endif

/* Ask memory for a line that will be wanted soon, to be brought into the second cache. */
#if defined(__GNUC__) || defined(__clang__)
#define AD_FETCH(address) __builtin_prefetch(address, 0, 2)
#else
#define AD_FETCH(address) ((void)(address))
#endif

/* Before a loop whose turns do not depend on each other, though the compiler cannot see it. */
#if defined(__GNUC__) && !defined(__clang__)
#define AD_INDEPENDENT _Pragma("GCC ivdep")
#define AD_ROLLED _Pragma("GCC unroll 1") /* and of few turns: unrolled it would be no vector */
#define AD_UNROLLED                                                                                \
    _Pragma("GCC unroll 64") /* of a constant number of turns, inside of a vector's */
#else
#define AD_INDEPENDENT
#define AD_ROLLED
#define AD_UNROLLED
#endif

/* Invariants that only we can break; active in debug and sanitizer builds. */
#ifdef AD_DEBUG
#include <assert.h>
#define ad_assert(condition) assert(condition)
#else
#define ad_assert(condition) ((void)0)
#endif

#define AD_MIN(a, b) ((a) < (b) ? (a) : (b))
#define AD_MAX(a, b) ((a) > (b) ? (a) : (b))

#endif
