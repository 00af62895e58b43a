/* ad_c_text.h -- text that grows, for writing C. */
#ifndef AD_C_TEXT_H
#define AD_C_TEXT_H

#include "ad_base.h"

/* Without memory 'failed' is set, and what is added from then on is lost. */
struct ad_text {
    char *data; /* n characters and a zero; owned; NULL while there are none */
    size_t n, capacity;
    bool failed;
};

#if defined(__GNUC__)
#define AD_FORMAT __attribute__((format(printf, 2, 3)))
#else
#define AD_FORMAT
#endif

/* Add what printf() would print. */
AD_FORMAT void ad_text_add(struct ad_text *text, const char *format, ...);
/* Add another text. */
void ad_text_join(struct ad_text *text, const struct ad_text *more);
/* Add a double as a literal of exactly its value, in any locale; a nan loses its bits. */
void ad_text_number(struct ad_text *text, double number);
void ad_text_free(struct ad_text *text);

#endif
