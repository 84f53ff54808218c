/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guests' vsnprintf against the build machine's: the same text and the same length, also when
 * the buffer is too small.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

int guest_vsnprintf(char *to, size_t size, const char *format, va_list args);
int guest_snprintf(char *to, size_t size, const char *format, ...);

#define vsnprintf guest_vsnprintf
#define snprintf guest_snprintf
#include "guests/rt/libc/format.c"
#undef vsnprintf
#undef snprintf

/* Not snprintf itself: the compiler knows that one, and sees that the text is cut. */
static int reference(char *to, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(to, size, format, args);
    va_end(args);
    return length;
}

/* Blocks of the exact size, so that the sanitizer sees every byte too far. */
#define SAME(...)                                                                                  \
    do {                                                                                           \
        for (size_t size = 0; size < 48; size++) {                                                 \
            char *ours = calloc(1, size > 0 ? size : 1);                                           \
            char theirs[48] = "";                                                                  \
            assert_int_equal(guest_snprintf(ours, size, __VA_ARGS__),                              \
                             reference(theirs, size, __VA_ARGS__));                                \
            assert_string_equal(ours, theirs);                                                     \
            free(ours);                                                                            \
        }                                                                                          \
    } while (0)

static void integers(void **state)
{
    (void)state;
    SAME("%d %i %u", -1, 2147483647, 4294967295u);
    SAME("%ld %lu %zu", INT64_MIN, UINT64_MAX, SIZE_MAX);
    SAME("%lld %llx", (long long)-5, 0x123456789abcdefull);
    SAME("%x %X %08x %-6x|", 255u, 255u, 255u, 255u);
    SAME("%5d|%-5d|%05d|%5d", 42, 42, -42, -42);
    SAME("%.3d|%6.3d|%-6.3d|", 7, 7, -7);
    SAME("%hhu %hu", (unsigned char)200, (unsigned short)60000);
    SAME("%*d|%.*d", 7, 3, 4, 3);
}

static void texts(void **state)
{
    static const char unterminated[3] = {'a', 'b', 'c'};
    (void)state;
    SAME("%s|%5s|%-5s|%.2s|%5.1s", "abc", "abc", "abc", "abc", "abc");
    SAME("%.*s", 3, unterminated);
    SAME("%c%c%%", 'x', 'y');
    SAME("%s", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
