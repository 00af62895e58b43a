/* test_blocks.c -- blocks that are given back are taken again, within bounds. */
#include "ad_blocks.h"

#include "check.h"

enum { SIZE = 4096 };

static void *take(struct ad_blocks *blocks, size_t size)
{
    unsigned char *block = ad_blocks_take(blocks, size);

    CHECK(block && (uintptr_t)block % 64 == 0, "a block at %p", (void *)block);
    CHECK(ad_block_size(block) == size, "of %zu bytes", ad_block_size(block));
    memset(block, 0xA5, size); /* the sanitizer watches both ends */
    return block;
}

static void test_again(void)
{
    struct ad_blocks blocks = {.most = 3 * SIZE};
    void *a = take(&blocks, SIZE), *b = take(&blocks, SIZE), *c = take(&blocks, 2 * SIZE);

    CHECK(a != b, "one block twice");
    ad_blocks_give(&blocks, NULL);
    ad_blocks_give(&blocks, a);
    ad_blocks_give(&blocks, b);
    CHECK(blocks.n == 2 && blocks.kept == 2 * SIZE, "%d kept", blocks.n);
    CHECK(take(&blocks, SIZE) == b && take(&blocks, SIZE) == a, "the newest comes first");
    ad_blocks_give(&blocks, a);
    ad_blocks_give(&blocks, b);
    ad_blocks_give(&blocks, c); /* there is room for it without the oldest */
    CHECK(blocks.n == 2 && blocks.kept == 3 * SIZE, "%d kept", blocks.n);
    CHECK(take(&blocks, 2 * SIZE) == c && take(&blocks, SIZE) == b, "the two that are kept");
    ad_blocks_give(&blocks, b);
    ad_blocks_give(&blocks, c);
    ad_blocks_give(&blocks, take(&blocks, 4 * SIZE)); /* larger than all that may be kept */
    CHECK(blocks.n == 2 && blocks.kept == 3 * SIZE, "%d kept", blocks.n);
    ad_blocks_clear(&blocks);
    CHECK(blocks.n == 0 && blocks.kept == 0 && n_live == 0, "%ld blocks are left", n_live);
}

static void test_many(void)
{
    struct ad_blocks blocks = {.most = 1 << 20};
    void *block[AD_MOST_BLOCKS + 3];

    for (int k = 0; k < AD_MOST_BLOCKS + 3; k++)
        block[k] = take(&blocks, SIZE);
    for (int k = 0; k < AD_MOST_BLOCKS + 3; k++)
        ad_blocks_give(&blocks, block[k]);
    CHECK(blocks.n == AD_MOST_BLOCKS && n_live == AD_MOST_BLOCKS, "%d kept", blocks.n);
    CHECK(blocks.block[0] == block[3], "the oldest are freed");
    ad_blocks_clear(&blocks);
}

static void test_no_memory(void)
{
    struct ad_blocks blocks = {.most = SIZE};

    fail_in = 0;
    CHECK(!ad_blocks_take(&blocks, SIZE), "a block without memory");
    fail_in = -1;
    CHECK(!ad_blocks_take(&blocks, SIZE_MAX - 8), "a block of all memory");
    CHECK(n_live == 0, "%ld blocks are left", n_live);
}

int main(void)
{
    test_again();
    test_many();
    test_no_memory();
    printf("test_blocks: ok\n");
    return 0;
}
