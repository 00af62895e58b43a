/* allocations.h -- read before every source of the core (gcc -include) in the C tests: what the core
 * allocates is counted, and can be made to fail.  <stdlib.h>, read later, declares the new names as
 * it does the old. */
#define malloc counted_malloc
#define calloc counted_calloc
#define realloc counted_realloc
#define free counted_free
