/* ad_buckets.h -- numbered items in lists by a small key: each is put and taken in constant time. */
#ifndef AD_BUCKETS_H
#define AD_BUCKETS_H

#include "ad_base.h"

struct ad_buckets {
    int32_t *head;         /* of each key: the item put last, or -1 */
    int32_t *next, *prior; /* of each item; the prior of a head is -1 - key */
    int32_t *key;          /* of each item; it is in the list of its key, if it is in one */
};

AD_INLINE void ad_bucket_put(struct ad_buckets *b, int32_t item)
{
    int32_t key = b->key[item], first = b->head[key];

    b->next[item] = first;
    b->prior[item] = -1 - key;
    if (first >= 0)
        b->prior[first] = item;
    b->head[key] = item;
}

AD_INLINE void ad_bucket_take(struct ad_buckets *b, int32_t item)
{
    int32_t next = b->next[item], prior = b->prior[item];

    if (prior >= 0)
        b->next[prior] = next;
    else
        b->head[-1 - prior] = next;
    if (next >= 0)
        b->prior[next] = prior;
}

/* Move an item to the list of the next lower key. */
AD_INLINE void ad_bucket_lower(struct ad_buckets *b, int32_t item)
{
    ad_bucket_take(b, item);
    b->key[item]--;
    ad_bucket_put(b, item);
}

#endif
