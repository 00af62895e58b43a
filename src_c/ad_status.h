/* ad_status.h -- status codes; their texts and exceptions are in ad_status.def. */
#ifndef AD_STATUS_H
#define AD_STATUS_H

enum ad_status {
#define STATUS(code, exception, text) code,
#include "ad_status.def"
    AD_N_STATUS
};

/* The text of a status, and the name of the Python exception it becomes ("" for none). */
const char *ad_status_text(enum ad_status status);
const char *ad_status_exception(enum ad_status status);

#endif
