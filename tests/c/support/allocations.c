/* allocations.c -- what malloc and its like are in the core under test: counted, failing on demand. */
#include <stdbool.h>
#include <stdlib.h>

long n_live, fail_in = -1, n_failed;

static bool allocation_fails(void)
{
    if (fail_in < 0 || fail_in-- > 0)
        return false;
    n_failed++;
    return true;
}

void *counted_malloc(size_t size)
{
    void *block = allocation_fails() ? NULL : malloc(size);

    n_live += block != NULL;
    return block;
}

void *counted_calloc(size_t n, size_t size)
{
    void *block = allocation_fails() ? NULL : calloc(n, size);

    n_live += block != NULL;
    return block;
}

void *counted_realloc(void *block, size_t size)
{
    void *moved = allocation_fails() ? NULL : realloc(block, size);

    n_live += moved && !block;
    return moved;
}

void counted_free(void *block)
{
    n_live -= block != NULL;
    free(block);
}
