/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a cpio archive, format "newc":
 *
 *   +----------------------+------------+-----+------------+-----+
 *   | header: "070701" and | name, with | pad | file, with | pad |  next member ...  TRAILER!!!
 *   | 13 fields of 8 hex   | its NUL    | to 4| `filesize` | to 4|
 *   +----------------------+------------+-----+------------+-----+
 *
 * Every offset is computed in 64 bits from 32-bit fields and compared with the archive's size
 * before it is used, so nothing wraps and nothing outside is read.
 */
#include "core/archive.h"

#include "core/base/string.h"

#define HEADER_BYTES 110
#define MAGIC "070701"
#define MAGIC_BYTES 6
#define FIELD_BYTES 8
#define TRAILER "TRAILER!!!"

enum field { FIELD_MODE = 1, FIELD_FILE_BYTES = 6, FIELD_NAME_BYTES = 11, FIELDS = 13 };

#define MODE_TYPE 0170000u
#define MODE_REGULAR 0100000u

_Static_assert(MAGIC_BYTES + FIELDS * FIELD_BYTES == HEADER_BYTES, "cpio newc header");

struct member {
    const char *name; /* NUL-terminated */
    const uint8_t *data;
    uint32_t data_bytes;
    bool regular;
    uint64_t end; /* offset of the next member */
};

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20; /* lower case */
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads all fields of a header; false: one holds something that is no hexadecimal digit. */
static bool read_fields(const uint8_t *header, uint32_t fields[FIELDS])
{
    const uint8_t *p = header + MAGIC_BYTES;

    for (unsigned i = 0; i < FIELDS; i++) {
        fields[i] = 0;
        for (unsigned k = 0; k < FIELD_BYTES; k++, p++) {
            int digit = hex_digit(*p);
            if (digit < 0) {
                return false;
            }
            fields[i] = fields[i] << 4 | (uint32_t)digit;
        }
    }
    return true;
}

/* Reads the member at offset `at`; returns what is wrong with it, or NULL. */
static const char *read_member(const uint8_t *archive, uint64_t bytes, uint64_t at,
                               struct member *m)
{
    uint32_t fields[FIELDS];

    if (bytes - at < HEADER_BYTES) {
        return "header cut off, or no trailer";
    }
    if (memcmp(archive + at, MAGIC, MAGIC_BYTES) != 0) {
        return "no newc magic 070701";
    }
    if (!read_fields(archive + at, fields)) {
        return "bad hexadecimal digit in header";
    }
    uint64_t name = at + HEADER_BYTES;
    uint64_t name_end = name + fields[FIELD_NAME_BYTES];
    uint64_t data = ALIGN_UP(name_end, 4ull);
    uint64_t data_end = data + fields[FIELD_FILE_BYTES];
    if (name_end == name || data > bytes) {
        return "name empty or cut off";
    }
    if (archive[name_end - 1] != '\0') {
        return "name not terminated";
    }
    if (data_end > bytes) {
        return "file cut off";
    }
    m->name = (const char *)archive + name;
    m->data = archive + data;
    m->data_bytes = fields[FIELD_FILE_BYTES];
    m->regular = (fields[FIELD_MODE] & MODE_TYPE) == MODE_REGULAR;
    m->end = MIN(ALIGN_UP(data_end, 4ull), bytes);
    return NULL;
}

enum err archive_find(const void *archive, size_t bytes, const char *name, const void **data,
                      size_t *data_bytes, struct refusal *why)
{
    struct member m;

    for (uint64_t at = 0;; at = m.end) {
        const char *what = read_member(archive, bytes, at, &m);
        if (what) {
            *why = (struct refusal){"archive", what, at, bytes};
            return ERR_INVALID;
        }
        if (strcmp(m.name, TRAILER) == 0) {
            *why = (struct refusal){"archive", "no such file", at, bytes};
            return ERR_NOT_FOUND;
        }
        if (m.regular && strcmp(m.name, name) == 0) {
            *data = m.data;
            *data_bytes = m.data_bytes;
            return OK;
        }
    }
}
