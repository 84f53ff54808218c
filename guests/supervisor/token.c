/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bearer token.
 */
#include "guests/supervisor/token.h"

#include <string.h>

#define SECOND_NS 1000000000ull

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool token_from_args(char token[TOKEN_CHARACTERS], const char *args)
{
    static const char key[] = "token=";
    const char *at = args;
    while ((at = strstr(at, key)) != NULL && at != args && at[-1] != ' ') {
        at++;
    }
    if (at == NULL) {
        return false;
    }
    at += sizeof(key) - 1;
    for (size_t i = 0; i < TOKEN_CHARACTERS; i++) {
        if (!is_hex(at[i])) {
            return false;
        }
        token[i] = at[i];
    }
    return at[TOKEN_CHARACTERS] == '\0' || at[TOKEN_CHARACTERS] == ' ';
}

bool token_matches(const char token[TOKEN_CHARACTERS], struct http_text authorization)
{
    static const char scheme[] = "Bearer ";
    size_t skip = sizeof(scheme) - 1;
    struct http_text given = {authorization.at, skip};
    if (authorization.length != skip + TOKEN_CHARACTERS || !http_is_word(given, scheme)) {
        return false;
    }
    volatile unsigned difference = 0;
    for (size_t i = 0; i < TOKEN_CHARACTERS; i++) {
        difference |= (unsigned)(unsigned char)(token[i] ^ authorization.at[skip + i]);
    }
    return difference == 0;
}

bool bucket_take(struct bucket *bucket, uint64_t now_ns)
{
    uint64_t since = bucket->level_ns > now_ns ? bucket->level_ns : now_ns;
    if (since - now_ns > (BUCKET_SIZE - 1) * (SECOND_NS / BUCKET_SIZE)) {
        return false;
    }
    bucket->level_ns = since + SECOND_NS / BUCKET_SIZE;
    return true;
}
