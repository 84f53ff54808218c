/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toklat attach: a terminal on a VM's console. The machine keeps consoles as lines, so what is
 * typed is shown by this command; each key goes to the VM as it is pressed.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "tools/toklat/client/clean.h"
#include "tools/toklat/client/commands.h"
#include "tools/toklat/client/options.h"
#include "tools/toklat/client/vms.h"

const char attach_usage[] =
    "Usage: toklat attach [-n LINES] [--no-echo] VM\n"
    "\n"
    "The console of a VM: what it says, and what is typed. Ctrl-] leaves. From a pipe, what it\n"
    "holds is sent, and that is all.\n"
    "\n"
    "  -n LINES    shows so many lines of the past first, normally none\n"
    "  --no-echo   does not show what is typed, for a guest that does so itself\n";

#define LEAVE 0x1D /* Ctrl-] */
#define DELETE 0x7F
#define INPUT_BYTES 4096 /* of one request */

struct session {
    struct api *out, in;
    struct clean clean;
    char path[64];
    bool terminal, echo;
    int code;
};

static struct termios before;

static void restore(void)
{
    tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
}

static void restore_and_die(int number)
{
    restore();
    signal(number, SIG_DFL);
    raise(number);
}

/* Keys as they are pressed, but Enter as a line feed; what is printed is still made lines. */
static void make_raw(void)
{
    struct termios raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
    raw.c_iflag &= ~(tcflag_t)(IXON | BRKINT | ISTRIP | INPCK);
    raw.c_iflag |= ICRNL;
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    signal(SIGTERM, restore_and_die);
    signal(SIGHUP, restore_and_die);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

static void echo(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\b' || text[i] == DELETE) {
            fputs("\b \b", stdout);
        } else if (text[i] == '\n' || (uint8_t)text[i] >= 0x20) {
            putchar(text[i]);
        }
    }
    fflush(stdout);
}

static void finish(struct session *s, int code)
{
    s->code = code;
    s->out->stopped = true;
}

static void typed(void *context)
{
    struct session *s = context;
    char text[INPUT_BYTES];
    ssize_t n = read(STDIN_FILENO, text, sizeof(text));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return;
    }
    size_t length = n > 0 ? (size_t)n : 0;
    bool leave = n <= 0;
    for (size_t i = 0; i < length && s->terminal; i++) {
        if (text[i] == LEAVE) {
            length = i;
            leave = true;
        }
    }
    if (length > 0) {
        struct api_request r = {
            .method = "POST", .path = s->path, .body = text, .body_bytes = length};
        r.type = "text/plain";
        if (s->echo) {
            echo(text, length);
        }
        int code = api_do(&s->in, &r, NULL);
        if (code != EXIT_CLEAN) {
            finish(s, code);
        }
    }
    if (leave && !s->out->stopped) {
        finish(s, EXIT_CLEAN);
    }
}

static bool said(void *context, const char *bytes, size_t n)
{
    struct session *s = context;
    clean_write(&s->clean, bytes, n, stdout);
    return fflush(stdout) == 0;
}

static int attach(struct session *s, const char *vm, uint64_t lines)
{
    char path[128];
    uint32_t number;
    int code = vms_one(s->out, vm, attach_usage, &number);
    if (code != EXIT_CLEAN) {
        return code;
    }
    snprintf(s->path, sizeof(s->path), "/v1/vms/%u/console", number);
    snprintf(path, sizeof(path), "%s?follow=1&lines=%ju", s->path, (uintmax_t)lines);
    s->terminal = tcgetattr(STDIN_FILENO, &before) == 0;
    s->echo = s->echo && s->terminal;
    s->out->about = s->in.about = vm;
    s->out->extra_fd = STDIN_FILENO;
    s->out->extra = typed;
    s->out->extra_context = s;
    if (s->terminal) {
        fprintf(stderr, "toklat: the console of %s; Ctrl-] leaves\n", vm);
        make_raw();
    }
    struct api_request r = {.path = path, .sink = said, .context = s, .endless = true};
    code = api_do(s->out, &r, NULL);
    clean_end(&s->clean, stdout);
    if (s->terminal) {
        restore();
        putchar('\n');
    }
    return code == EXIT_CLEAN ? s->code : code;
}

int attach_command(int argc, char **argv)
{
    uint64_t lines = 0;
    bool no_echo = false;
    struct api a;
    const struct option_row rows[] = {
        {"lines", 'n', OPTION_NUMBER, &lines, 0, 1000000},
        {"no-echo", 0, OPTION_FLAG, &no_echo, 0, 0},
    };
    int code = options_parse(argc, argv, attach_usage, rows, ARRAY_SIZE(rows), 1, 1);
    if (code != OPTIONS_GO || (code = api_open(&a)) != EXIT_CLEAN) {
        return code;
    }
    struct session s = {.out = &a, .echo = !no_echo};
    code = api_open(&s.in);
    if (code == EXIT_CLEAN) {
        code = attach(&s, argv[optind], lines);
        api_close(&s.in);
    }
    api_close(&a);
    return code;
}
