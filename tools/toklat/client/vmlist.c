/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VM numbers from what a person writes. VM = the image's first VM + instance - 1.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tools/toklat/client/vmlist.h"

bool vmlist_names_image(const char *text)
{
    return strchr(text, '/') != NULL;
}

/* Digits at `*p`; false: none, or too many. */
static bool number(const char **p, uint32_t *value)
{
    const char *begin = *p;
    uint64_t n = 0;
    for (; isdigit((unsigned char)**p) && n <= VMLIST_NUMBER_MAX; (*p)++) {
        n = n * 10 + (uint64_t)(**p - '0');
    }
    *value = (uint32_t)MIN(n, UINT32_MAX);
    return *p > begin && !isdigit((unsigned char)**p);
}

/* N or N-M, and no more. */
static bool range(const char *p, uint32_t *first, uint32_t *last)
{
    if (!number(&p, first)) {
        return false;
    }
    *last = *first;
    if (*p == '-') {
        p++;
        if (!number(&p, last)) {
            return false;
        }
    }
    return *p == 0;
}

static const struct vmlist_image *find(const struct vmlist_image *images, size_t n,
                                       const char *name, size_t length)
{
    for (size_t i = 0; i < n; i++) {
        if (strlen(images[i].name) == length && memcmp(images[i].name, name, length) == 0) {
            return &images[i];
        }
    }
    return NULL;
}

static enum vmlist_result syntax(const char *text, char *why)
{
    snprintf(why, VMLIST_WHY_BYTES,
             "%.64s: not a VM: a number, IMAGE/INSTANCE, a range as in web/3-9, or all as in web/*",
             text);
    return VMLIST_SYNTAX;
}

static enum vmlist_result limits(const char *text, const struct vmlist_span *s, uint32_t most,
                                 char *why)
{
    if (s->first >= 1 && s->first <= s->last && s->last <= most) {
        return VMLIST_OK;
    }
    if (s->image) {
        snprintf(why, VMLIST_WHY_BYTES, "%.64s: instance: from 1 to %u in %s", text, most,
                 s->image->name);
        return VMLIST_UNKNOWN;
    }
    snprintf(why, VMLIST_WHY_BYTES, "%.64s: VM number: from 1 to %u, the lower one first", text,
             most);
    return VMLIST_SYNTAX;
}

enum vmlist_result vmlist_parse(const char *text, const struct vmlist_image *images, size_t n,
                                struct vmlist_span *span, char *why)
{
    const char *slash = strchr(text, '/');
    *span = (struct vmlist_span){0};
    if (!slash) {
        return range(text, &span->first, &span->last) ? limits(text, span, VMLIST_NUMBER_MAX, why)
                                                      : syntax(text, why);
    }
    span->image = find(images, n, text, (size_t)(slash - text));
    span->all = !strcmp(slash + 1, "*");
    if (!span->all && !range(slash + 1, &span->first, &span->last)) {
        return syntax(text, why);
    }
    if (!span->image || span->image->count == 0) {
        snprintf(why, VMLIST_WHY_BYTES, "%.64s: there is no image of that name", text);
        return VMLIST_UNKNOWN;
    }
    if (span->all) {
        span->first = 1;
        span->last = span->image->count;
    }
    enum vmlist_result result = limits(text, span, span->image->count, why);
    span->first += span->image->first - 1;
    span->last += span->image->first - 1;
    return result;
}
