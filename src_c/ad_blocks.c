/* ad_blocks.c -- large blocks of memory, each with a header in front of it. */
#include "ad_blocks.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE = 64 };

struct header {
    void *start; /* what malloc() gave */
    size_t size;
};

static struct header *header_of(const void *block)
{
    return (struct header *)(uintptr_t)block - 1;
}

size_t ad_block_size(const void *block)
{
    return header_of(block)->size;
}

static void *new_block(size_t size)
{
    const size_t extra = sizeof(struct header) + CACHE_LINE;
    char *start = size <= SIZE_MAX - extra ? malloc(size + extra) : NULL;
    uintptr_t block = ((uintptr_t)start + extra) & ~(uintptr_t)(CACHE_LINE - 1);

    if (!start)
        return NULL;
    *header_of((void *)block) = (struct header){start, size};
    return (void *)block;
}

static void free_block(void *block)
{
    free(header_of(block)->start);
}

/* No longer keep block k. */
static void *release(struct ad_blocks *blocks, int k)
{
    void *block = blocks->block[k];

    blocks->n--;
    blocks->kept -= ad_block_size(block);
    memmove(&blocks->block[k], &blocks->block[k + 1],
            (size_t)(blocks->n - k) * sizeof *blocks->block);
    return block;
}

void *ad_blocks_take(struct ad_blocks *blocks, size_t size)
{
    /* the newest is the likeliest to be in a cache */
    for (int k = blocks->n - 1; k >= 0; k--)
        if (ad_block_size(blocks->block[k]) == size)
            return release(blocks, k);
    return new_block(size);
}

void ad_blocks_give(struct ad_blocks *blocks, void *block)
{
    size_t size = block ? ad_block_size(block) : 0;

    if (!block)
        return;
    if (size > blocks->most) {
        free_block(block);
        return;
    }
    while (blocks->n == AD_MOST_BLOCKS || blocks->kept > blocks->most - size)
        free_block(release(blocks, 0));
    blocks->block[blocks->n++] = block;
    blocks->kept += size;
}

void ad_blocks_clear(struct ad_blocks *blocks)
{
    while (blocks->n > 0)
        free_block(release(blocks, 0));
}
