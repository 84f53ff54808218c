/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Layout of tables, and what cells are made of.
 */
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tools/toklat/client/table.h"
#include "tools/toklat/toklat.h"

#define GAP 2u
#define DEFAULT_WIDTH 80u
#define WIDTH_MAX 4096u

#define BOLD "\033[1m"
#define PLAIN "\033[0m"

void table_begin(struct table *t, const struct table_column *columns, unsigned count)
{
    *t = (struct table){.columns = columns, .count = count};
    for (unsigned i = 0; i < count; i++) {
        t->width[i] = strlen(columns[i].head);
    }
}

static bool make_room(struct table *t, size_t more)
{
    if (t->room - t->used >= more) {
        return true;
    }
    size_t room = MAX(t->room * 2, t->used + more + 4096);
    char *cells = realloc(t->cells, room);
    if (!cells) {
        t->no_memory = true;
        return false;
    }
    t->cells = cells;
    t->room = room;
    return true;
}

void table_row(struct table *t, const char *const *cells)
{
    for (unsigned i = 0; i < t->count; i++) {
        size_t n = strlen(cells[i]);
        if (t->no_memory || !make_room(t, n + 1)) {
            return;
        }
        char *to = t->cells + t->used;
        for (size_t k = 0; k < n; k++) {
            to[k] = cells[i][k] >= 0x20 && cells[i][k] < 0x7F ? cells[i][k] : '?';
        }
        to[n] = 0;
        t->used += n + 1;
        t->width[i] = MAX(t->width[i], n);
    }
    t->rows++;
}

/* Takes columns from those that may be cut, the widest first, until the table fits or all have the
 * least. */
static void fit(struct table *t, size_t width)
{
    size_t sum = GAP * (t->count - 1);
    for (unsigned i = 0; i < t->count; i++) {
        sum += t->width[i];
    }
    while (sum > width) {
        unsigned widest = t->count;
        for (unsigned i = 0; i < t->count; i++) {
            if (t->columns[i].kind == TABLE_CUT && t->width[i] > TABLE_CUT_LEAST &&
                (widest == t->count || t->width[i] > t->width[widest])) {
                widest = i;
            }
        }
        if (widest == t->count) {
            return;
        }
        size_t take = MIN(sum - width, t->width[widest] - TABLE_CUT_LEAST);
        take = MIN(take, (size_t)4); /* by turns, when several are about as wide */
        t->width[widest] -= take;
        sum -= take;
    }
}

static const char *state_colour(const char *state)
{
    static const char *const colours[][2] = {
        {"running", "\033[32m"}, {"runnable", "\033[32m"}, {"ready", "\033[32m"},
        {"waiting", "\033[33m"}, {"booting", "\033[33m"},  {"paused", "\033[33m"},
        {"stored", "\033[36m"},  {"dead", "\033[31m"},     {"failed", "\033[31m"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(colours); i++) {
        if (!strcmp(state, colours[i][0])) {
            return colours[i][1];
        }
    }
    return NULL;
}

static void spaces(size_t n, FILE *to)
{
    while (n-- > 0) {
        putc_unlocked(' ', to);
    }
}

/* `left`: columns of the line that are left. */
static void cell(const struct table *t, unsigned i, const char *text, FILE *to, size_t *left,
                 const char *colour)
{
    size_t n = strlen(text), width = MIN(t->width[i], *left), mark = 0;
    const char *ellipsis = "";
    bool last = i + 1 == t->count;
    if (n > width) {
        ellipsis = terminal_ellipsis(&mark);
        mark = mark > width ? 0 : mark;
        n = width - mark;
    }
    size_t pad = width - n - mark;
    colour = width > 0 ? colour : NULL;
    if (t->columns[i].kind == TABLE_NUMBER) {
        spaces(pad, to);
    }
    fputs(colour ? colour : "", to);
    fwrite_unlocked(text, 1, n, to);
    fputs(mark ? ellipsis : "", to);
    fputs(colour ? PLAIN : "", to);
    *left -= width;
    if (!last) {
        size_t gap = MIN((size_t)GAP, *left);
        *left -= gap;
        spaces((t->columns[i].kind == TABLE_NUMBER ? 0 : pad) + gap, to);
    }
}

static void lines(const struct table *t, FILE *to, size_t width, bool colour)
{
    const char *p = t->cells;
    size_t left = width;
    for (unsigned i = 0; i < t->count; i++) {
        cell(t, i, t->columns[i].head, to, &left, colour ? BOLD : NULL);
    }
    putc_unlocked('\n', to);
    for (size_t row = 0; row < t->rows; row++) {
        left = width;
        for (unsigned i = 0; i < t->count; i++) {
            bool state = colour && t->columns[i].kind == TABLE_STATE;
            cell(t, i, p, to, &left, state ? state_colour(p) : NULL);
            p += strlen(p) + 1;
        }
        putc_unlocked('\n', to);
    }
}

bool table_end(struct table *t, FILE *to, size_t width, bool colour)
{
    bool well = !t->no_memory;
    if (well) {
        fit(t, width);
        lines(t, to, width, colour);
    }
    free(t->cells);
    t->cells = NULL;
    return well;
}

size_t terminal_width(void)
{
    struct winsize size;
    uint64_t columns;
    const char *variable = getenv("COLUMNS");
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    return variable && parse_number(variable, 1, WIDTH_MAX, &columns) ? columns : DEFAULT_WIDTH;
}

bool terminal_colour(void)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

const char *terminal_ellipsis(size_t *columns)
{
    bool utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
    *columns = utf8 ? 1 : 2;
    return utf8 ? "\xE2\x80\xA6" : "..";
}

char *number_text(uint64_t n, char *text)
{
    char digits[SIZE_BYTES];
    size_t i = sizeof(digits) - 1;
    digits[i] = 0;
    do {
        digits[--i] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    memcpy(text, digits + i, sizeof(digits) - i);
    return text;
}

char *size_text(uint64_t bytes, char *text)
{
    static const char suffixes[] = "KMGTPE";
    unsigned power = 0;
    uint64_t whole = bytes, rest = 0;
    while (whole >= 1024) {
        rest = whole % 1024;
        whole /= 1024;
        power++;
    }
    number_text(whole, text);
    char *end = text + strlen(text);
    if (power > 0) {
        if (whole < 100 && rest * 10 / 1024 > 0) {
            *end++ = '.';
            *end++ = (char)('0' + rest * 10 / 1024);
        }
        *end++ = suffixes[power - 1];
        *end = 0;
    }
    return text;
}

char *seconds_text(uint64_t thousandths, char *text)
{
    uint64_t seconds = thousandths / 1000;
    if (seconds >= 3600) {
        snprintf(text, SIZE_BYTES, "%ju:%02u:%02u", (uintmax_t)seconds / 3600,
                 (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
        return text;
    }
    number_text(seconds, text);
    char *end = text + strlen(text);
    end[0] = '.';
    end[1] = (char)('0' + thousandths / 100 % 10);
    end[2] = (char)('0' + thousandths / 10 % 10);
    end[3] = (char)('0' + thousandths % 10);
    end[4] = 0;
    return text;
}
