/* ad_c_text.c -- text that grows. */
#include "ad_c_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for 'more' characters and a zero. */
static bool make_room(struct ad_text *text, size_t more)
{
    size_t capacity = 2 * text->capacity + more + 256;
    char *data;

    if (text->failed)
        return false;
    if (text->n + more < text->capacity)
        return true;
    data = realloc(text->data, capacity);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void ad_text_add(struct ad_text *text, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        text->failed = true;
    if (!make_room(text, (size_t)AD_MAX(n, 0)))
        return;
    va_start(args, format);
    vsnprintf(text->data + text->n, (size_t)n + 1, format, args);
    va_end(args);
    text->n += (size_t)n;
}

void ad_text_join(struct ad_text *text, const struct ad_text *more)
{
    if (more->failed)
        text->failed = true;
    if (more->n == 0 || !make_room(text, more->n))
        return;
    memcpy(text->data + text->n, more->data, more->n + 1);
    text->n += more->n;
}

void ad_text_number(struct ad_text *text, double number)
{
    const char *sign = signbit(number) ? "-" : "";
    double size = fabs(number);
    uint64_t bits, fraction;
    int exponent, digits = 13;

    if (isnan(number)) {
        ad_text_add(text, "NAN");
        return;
    }
    if (*sign)
        ad_text_add(text, "(");
    memcpy(&bits, &size, sizeof bits);
    fraction = bits & 0xFFFFFFFFFFFFFu;
    exponent = (int)(bits >> 52);
    if (isinf(size)) {
        ad_text_add(text, "%sINFINITY", sign);
    } else if (size < 1e9 && size == floor(size)) {
        ad_text_add(text, "%s%" PRId64 ".0", sign, (int64_t)size);
    } else { /* not by "%a", whose point depends on the locale */
        for (; digits > 1 && !(fraction & 15); digits--)
            fraction >>= 4;
        ad_text_add(text, "%s0x%d.%0*" PRIx64 "p%d", sign, exponent > 0, digits, fraction,
                    exponent > 0 ? exponent - 1023 : -1022);
    }
    if (*sign)
        ad_text_add(text, ")");
}

void ad_text_free(struct ad_text *text)
{
    free(text->data);
    *text = (struct ad_text){NULL, 0, 0, false};
}
