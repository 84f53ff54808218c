/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * String functions, for size rather than speed; what moves bulk data is memory.S.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int memcmp(const void *a, const void *b, size_t length)
{
    const unsigned char *x = a;
    const unsigned char *y = b;
    for (size_t i = 0; i < length; i++) {
        if (x[i] != y[i]) {
            return x[i] - y[i];
        }
    }
    return 0;
}

void *memchr(const void *in, int value, size_t length)
{
    const unsigned char *bytes = in;
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == (unsigned char)value) {
            return (void *)(uintptr_t)&bytes[i];
        }
    }
    return NULL;
}

size_t strnlen(const char *text, size_t limit)
{
    size_t length = 0;
    while (length < limit && text[length] != '\0') {
        length++;
    }
    return length;
}

size_t strlen(const char *text)
{
    return strnlen(text, PTRDIFF_MAX);
}

int strncmp(const char *a, const char *b, size_t limit)
{
    for (size_t i = 0; i < limit; i++) {
        if (a[i] != b[i] || a[i] == '\0') {
            return (unsigned char)a[i] - (unsigned char)b[i];
        }
    }
    return 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, PTRDIFF_MAX);
}

char *strchr(const char *text, int wanted)
{
    return memchr(text, wanted, strlen(text) + 1);
}

char *strstr(const char *text, const char *wanted)
{
    size_t length = strlen(wanted);
    for (; *text != '\0' || length == 0; text++) {
        if (strncmp(text, wanted, length) == 0) {
            return (char *)(uintptr_t)text;
        }
    }
    return NULL;
}

int atoi(const char *text)
{
    int value = 0;
    bool negative = *text == '-';
    for (text += negative ? 1 : 0; *text >= '0' && *text <= '9'; text++) {
        value = value * 10 + (*text - '0');
    }
    return negative ? -value : value;
}
