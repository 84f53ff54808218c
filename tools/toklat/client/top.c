/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toklat top: the picture again and again, on a terminal by curses.
 */
#include <curses.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/toklat/client/commands.h"
#include "tools/toklat/client/options.h"
#include "tools/toklat/client/table.h"
#include "tools/toklat/client/top.h"

const char top_usage[] =
    "Usage: toklat top [--sort KEY] [-d SECONDS] [--batch] [-n PICTURES] [--rows N] [--json]\n"
    "\n"
    "The machine and its busiest VMs, live. Keys: c, u, r, s and n sort by CPU time, USS,\n"
    "received frames, stored bytes and number; space looks again; q leaves.\n"
    "\n"
    "  --sort KEY     cpu (normal), uss, rx, stored, number\n"
    "  -d SECONDS     between two pictures, normally 2\n"
    "  --batch        plain text, one picture below the other\n"
    "  -n PICTURES    so many, then it ends; normally without end\n"
    "  --rows N       VMs of a picture with --batch, normally 20\n"
    "  --json         a JSON object a picture: {\"machine\":{...},\"vms\":[...]}\n";

#define FOOT_LINES 1u

struct options {
    const char *sort;
    uint64_t delay_s, pictures, rows;
    bool batch;
};

static const struct {
    int key;
    const char *sort;
} sorts[] = {{'c', "cpu"}, {'u', "uss"}, {'r', "rx"}, {'s', "stored"}, {'n', "number"}};

/* --- plain ------------------------------------------------------------------------------------ */

static int show_json_frame(struct top *t, struct api *a, size_t rows)
{
    char *vms = NULL;
    size_t n = 0;
    t->json = open_memstream(&vms, &n);
    if (!t->json) {
        complain("not enough memory");
        return EXIT_OPERATIONAL;
    }
    putc('[', t->json);
    int code = top_fetch(t, a, rows);
    putc(']', t->json);
    fclose(t->json);
    t->json = NULL;
    json_t *list = code == EXIT_CLEAN ? json_loadb(vms, n, 0, NULL) : NULL;
    if (list) {
        json_t *picture =
            json_pack("{s:O, s:o}", "machine", t->frames[t->now].machine, "vms", list);
        put_json(picture, JSON_COMPACT);
        putchar('\n');
        json_decref(picture);
    }
    free(vms);
    return code;
}

static int batch(struct top *t, struct api *a, const struct options *o)
{
    const struct timespec delay = {.tv_sec = (time_t)o->delay_s};
    int code = EXIT_CLEAN;
    for (uint64_t i = 0; i < o->pictures && code == EXIT_CLEAN && !cancelled(); i++) {
        if (i > 0) {
            nanosleep(&delay, NULL);
        }
        if (options_json) {
            code = show_json_frame(t, a, o->rows);
        } else {
            code = top_fetch(t, a, o->rows);
            if (code == EXIT_CLEAN) {
                fputs(i > 0 ? "\n" : "", stdout);
                top_draw(t, stdout, terminal_width(), o->rows);
            }
        }
        fflush(stdout);
    }
    return code;
}

/* --- on a terminal ------------------------------------------------------------------------------
 */

static size_t room(void)
{
    int lines = LINES - (int)(TOP_HEAD_LINES + FOOT_LINES);
    return lines > 1 ? (size_t)lines : 1;
}

static void paint(const struct top *t)
{
    char *text = NULL, *save = NULL;
    size_t n = 0;
    int y = 0;
    FILE *f = open_memstream(&text, &n);
    if (!f) {
        return;
    }
    top_draw(t, f, (size_t)COLS, room());
    fclose(f);
    erase();
    for (char *p = text; p && *p && y < LINES - 1; y++) {
        save = p + strcspn(p, "\n");
        bool head = y == (int)TOP_HEAD_LINES - 1;
        attrset(head ? A_REVERSE : A_NORMAL);
        mvaddnstr(y, 0, p, (int)(save - p));
        if (head) {
            mvchgat(y, 0, -1, A_REVERSE, 0, NULL);
        }
        p = *save ? save + 1 : save;
    }
    attrset(A_BOLD);
    mvprintw(LINES - 1, 0, "sorted by %s:  c CPU  u USS  r received  s stored  n number   q leaves",
             t->sort);
    refresh();
    free(text);
}

/* False: leave. *again: look again at once. */
static bool key(struct top *t, int c, bool *again)
{
    for (size_t i = 0; i < ARRAY_SIZE(sorts); i++) {
        if (c == sorts[i].key) {
            t->sort = sorts[i].sort;
            *again = true;
        }
    }
    *again = *again || c == ' ' || c == KEY_RESIZE;
    return c != 'q' && c != 'Q' && c != 3;
}

static int live(struct top *t, struct api *a, const struct options *o)
{
    int code = EXIT_CLEAN;
    bool stay = true;
    if (!initscr()) {
        complain("the terminal cannot be used: --batch");
        return EXIT_OPERATIONAL;
    }
    raw(); /* Ctrl-C is a key */
    noecho();
    keypad(stdscr, TRUE);
    curs_set(0);
    a->quiet = true;
    for (uint64_t i = 0; i < o->pictures && stay && code == EXIT_CLEAN; i++) {
        code = top_fetch(t, a, room());
        if (code != EXIT_CLEAN) {
            break;
        }
        paint(t);
        uint64_t until = time_now_ns() + o->delay_s * NS_PER_S, now;
        bool again = false;
        while (stay && !again && (now = time_now_ns()) < until) {
            timeout((int)((until - now) / NS_PER_MS) + 1);
            stay = key(t, getch(), &again);
        }
    }
    endwin();
    if (code != EXIT_CLEAN) { /* again, for what it says */
        a->quiet = false;
        code = top_fetch(t, a, 1);
    }
    return code;
}

int top_command(int argc, char **argv)
{
    static struct top t;
    struct options o = {.sort = "cpu", .delay_s = 2, .pictures = UINT64_MAX, .rows = 20};
    struct api a;
    const struct option_row rows[] = {
        {"sort", 0, OPTION_TEXT, &o.sort, 0, 0},
        {"delay", 'd', OPTION_NUMBER, &o.delay_s, 1, 3600},
        {"batch", 'b', OPTION_FLAG, &o.batch, 0, 0},
        {"pictures", 'n', OPTION_NUMBER, &o.pictures, 1, UINT32_MAX},
        {"rows", 0, OPTION_NUMBER, &o.rows, 1, TOP_ROWS_MAX},
    };
    int code = options_parse(argc, argv, top_usage, rows, ARRAY_SIZE(rows), 0, 0);
    if (code != OPTIONS_GO) {
        return code;
    }
    for (size_t i = 0; i < ARRAY_SIZE(sorts); i++) {
        t.sort = !strcmp(o.sort, sorts[i].sort) ? sorts[i].sort : t.sort;
    }
    if (!t.sort) {
        return usage_error(top_usage, "not a key to sort by: cpu, uss, rx, stored, number", o.sort);
    }
    bool plain = o.batch || options_json;
    if (!plain && !(isatty(STDOUT_FILENO) && isatty(STDIN_FILENO))) {
        return usage_error(top_usage, "this is no terminal", "--batch is for that");
    }
    code = api_open(&a);
    if (code == EXIT_CLEAN) {
        code = plain ? batch(&t, &a, &o) : live(&t, &a, &o);
        top_free(&t);
        api_close(&a);
    }
    return code;
}
