/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON on stdout, written as it goes. Objects and arrays are opened and closed by their caller;
 * commas and indentation come by themselves. `name` is NULL inside an array.
 */
#ifndef TOKLAT_JSON_H
#define TOKLAT_JSON_H

#include "core/base/types.h"

#define JSON_DEPTH_MAX 8

struct json {
    unsigned depth;
    bool more[JSON_DEPTH_MAX];
};

void json_open(struct json *j, const char *name, char bracket);
void json_close(struct json *j, char bracket);
void json_number(struct json *j, const char *name, uint64_t value);
void json_bool(struct json *j, const char *name, bool value);
void json_null(struct json *j, const char *name);
void json_ratio(struct json *j, const char *name, double value);
void json_text(struct json *j, const char *name, const char *value);

#endif
