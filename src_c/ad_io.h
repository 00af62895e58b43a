/* ad_io.h -- a program as bytes, and bytes as a program.  The format is described in docs/format.md.
 *
 * Files hold no values but constants: a program that was read is symbolic, and an outline (ad_tape.h). */
#ifndef AD_IO_H
#define AD_IO_H

#include "ad_check.h"

/* The header, the same for all versions: magic, version, bytes of the file; last comes the sum of all. */
enum { AD_IO_VERSION = 2, AD_IO_MAGIC = 8, AD_IO_HEADER = 24, AD_IO_SUM = 8 };
/* In the head of an instruction: an array instruction, with views. */
enum { AD_IO_SCALAR = 0, AD_IO_ARRAY = 1 };
/* In the head of a list: of slots of the program, or of results of the instruction that views it. */
enum { AD_IO_OF_SLOTS = 0, AD_IO_OF_RESULTS = 1 };
extern const unsigned char ad_io_magic[AD_IO_MAGIC];

/*
 * ad_io_write() passes 'nbytes' bytes, to be given back to ad_io_free().  Equal programs give equal
 * bytes.
 *
 * AD_NOT_SAVED if a note in Python is part of the program, or a rule that its hooks cannot save,
 * AD_BAD_PROGRAM if it is not in order
 * or beyond a limit of the format: then 'fault' is filled, and names the instruction.
 * AD_CONST_CHANGED, or AD_NO_MEMORY.
 */
enum ad_status ad_io_write(const struct ad_program *program, unsigned char **data, size_t *nbytes,
                           struct ad_fault *fault);
void ad_io_free(unsigned char *data); /* accepts NULL */

/*
 * ad_io_read() makes the program that 'data' describes; ad_program_check() holds for it.  Rules are made by
 * 'hooks', which may be NULL: then there may be none.
 *
 * What it allocates is at most some forty times 'nbytes' and a few megabytes.  AD_BAD_PROGRAM if the bytes
 * are not in order: then 'fault' is filled, with the offset of the field.  AD_NO_MEMORY, or
 * AD_NO_SLOTS.
 */
enum ad_status ad_io_read(const unsigned char *data, size_t nbytes,
                          const struct ad_call_hooks *hooks, struct ad_program **program,
                          struct ad_fault *fault);

/* ---- what writing and reading share ---- */

/* CRC-64/XZ: the ECMA-182 polynomial, bits reflected. */
uint64_t ad_crc64(const unsigned char *data, size_t nbytes);

enum { AD_N_CODES = AD_CALL + 1 };

/* What a code is called in files: an op by its name in the table, others with an @ before theirs.  NULL
 * beyond the last code. */
const char *ad_code_name(int code);

/* Is this text well-formed UTF-8, without a NUL? */
bool ad_is_utf8(const unsigned char *text, size_t nbytes);

#endif
