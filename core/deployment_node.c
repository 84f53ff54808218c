/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Typed reading of device-tree properties. Nothing of the blob is trusted: a length is checked
 * before a value is read, and what is shown of it is made printable.
 */
#include "core/deployment_node.h"

#include "core/base/log.h"
#include "core/base/string.h"

#define REFUSAL_BYTES 200

void node_refuse(const struct node *n, const char *property, const char *fmt, ...)
{
    char line[REFUSAL_BYTES];
    int used = fmt_snprintf(line, sizeof(line), "%.*s: %.*s: ", TOKLAT_NAME_BYTES + 8, n->name, 40,
                            property);
    va_list args;

    va_start(args, fmt);
    fmt_vsnprintf(line + used, sizeof(line) - (size_t)used, fmt, args);
    va_end(args);
    for (char *p = line; *p != '\0'; p++) {
        *p = deployment_is_printable(*p) ? *p : '?';
    }
    n->refuse(line);
}

bool node_has(const struct node *n, const char *property)
{
    return fdt_getprop(n->blob, n->offset, property, NULL);
}

bool node_cell(const struct node *n, const char *property, uint32_t min, uint32_t max,
               uint32_t *out)
{
    int bytes = 0;
    const fdt32_t *value = fdt_getprop(n->blob, n->offset, property, &bytes);

    if (!value) {
        return true;
    }
    if (bytes != 4) {
        node_refuse(n, property, "%d bytes: one cell has 4", bytes);
        return false;
    }
    uint32_t cell = fdt32_to_cpu(*value);
    if (cell < min || cell > max) {
        node_refuse(n, property, "%u: from %u to %u", cell, min, max);
        return false;
    }
    *out = cell;
    return true;
}

bool node_text(const struct node *n, const char *property, char *out, size_t size)
{
    int bytes = 0;
    const char *text = fdt_getprop(n->blob, n->offset, property, &bytes);

    if (!text) {
        return true;
    }
    size_t length = strnlen(text, (size_t)bytes);
    if (length + 1 != (size_t)bytes) {
        node_refuse(n, property, "%d bytes: one string with one NUL, at its end", bytes);
        return false;
    }
    if (length + 1 > size) {
        node_refuse(n, property, "%zu characters: at most %zu", length, size - 1);
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (!deployment_is_printable(text[i])) {
            node_refuse(n, property, "\"%s\": printable ASCII only", text);
            return false;
        }
    }
    memcpy(out, text, length + 1);
    return true;
}

bool node_word(const struct node *n, const char *property, const char *const words[],
               unsigned count, unsigned *index)
{
    char text[40] = "";

    if (!node_has(n, property)) {
        return true;
    }
    if (!node_text(n, property, text, sizeof(text))) {
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(text, words[i]) == 0) {
            *index = i;
            return true;
        }
    }
    char choice[80] = "";
    for (unsigned i = 0, used = 0; i < count && used < sizeof(choice); i++) {
        used += (unsigned)fmt_snprintf(choice + used, sizeof(choice) - used, "%s\"%s\"",
                                       i > 0 ? ", " : "", words[i]);
    }
    node_refuse(n, property, "\"%s\": one of %s", text, choice);
    return false;
}

static bool is_known(const char *const known[], const char *name)
{
    for (; *known; known++) {
        if (strcmp(*known, name) == 0) {
            return true;
        }
    }
    return false;
}

bool node_properties_known(const struct node *n, const char *const known[])
{
    int offset;

    fdt_for_each_property_offset(offset, n->blob, n->offset)
    {
        const char *name = NULL;
        int bytes = 0;
        if (!fdt_getprop_by_offset(n->blob, offset, &name, &bytes) || !name) {
            node_refuse(n, "?", "property with no readable name: libfdt result %d", bytes);
            return false;
        }
        if (!is_known(known, name)) {
            node_refuse(n, name, "%d bytes: unknown property", bytes);
            return false;
        }
    }
    return true;
}
