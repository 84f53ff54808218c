/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What holds of a group's strings, be it of a deployment's or of an image that is loaded later.
 */
#include "core/base/string.h"
#include "core/deployment.h"

bool deployment_is_printable(char c)
{
    return c >= 0x20 && c <= 0x7e;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr(DEPLOYMENT_NAME_CHARS, c));
}

bool deployment_is_name(const char *name)
{
    const char *p = name;
    while (is_name_char(*p)) {
        p++;
    }
    return p > name && *p == '\0';
}
