/* ad_status.c -- the rows of ad_status.def as text. */
#include "ad_status.h"

const char *ad_status_text(enum ad_status status)
{
    static const char *const texts[] = {
#define STATUS(code, exception, text) text,
#include "ad_status.def"
    };
    return texts[status];
}

const char *ad_status_exception(enum ad_status status)
{
    static const char *const names[] = {
#define STATUS(code, exception, text) exception,
#include "ad_status.def"
    };
    return names[status];
}
