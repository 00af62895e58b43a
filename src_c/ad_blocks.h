/* ad_blocks.h -- large blocks of memory that are given back and taken again.
 *
 * The system hands out memory page by page, each cleared when it is first touched: for a result that
 * is written once that takes longer than to write it.  A function that is called again and again
 * gets the memory of the result before the last. */
#ifndef AD_BLOCKS_H
#define AD_BLOCKS_H

#include <stddef.h>

enum { AD_MOST_BLOCKS = 6 };

/* Zero to begin with; one thread at a time. */
typedef struct ad_blocks {
    size_t most; /* bytes that may be kept for later */
    size_t kept;
    int n;
    void *block[AD_MOST_BLOCKS]; /* the oldest first */
} ad_blocks;

/* A block of 'size' bytes, at a cache line; NULL without memory. */
void *ad_blocks_take(struct ad_blocks *blocks, size_t size);
/* Give a block back, NULL being none: it is kept, at the cost of the oldest, or freed. */
void ad_blocks_give(struct ad_blocks *blocks, void *block);
/* The size that a block was taken with. */
size_t ad_block_size(const void *block);
/* Free all that are kept. */
void ad_blocks_clear(struct ad_blocks *blocks);

#endif
