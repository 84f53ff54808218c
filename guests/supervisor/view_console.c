/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM's console: what it wrote, as far as the journal still has it, and what is typed to it.
 */
#include "guests/supervisor/endpoints.h"
#include "guests/supervisor/journal.h"

#define LINE_ROOM 300 /* a line has at most 255 bytes */

enum { BEGIN, COUNT, WRITE };

static bool is_line(const struct exchange *x, const struct toklat_journal_entry *entry)
{
    return entry->kind == TOKLAT_JOURNAL_LINE && entry->vm == x->request.number;
}

static bool begin(struct exchange *x)
{
    struct journal_cursor *c = &x->at.journal;
    if (!vm_find(x, 0)) {
        return false;
    }
    groups_read_machine();
    c->at = groups.machine.journal_first;
    c->end = groups.machine.journal_next;
    c->stage = x->request.console.has_lines ? COUNT : WRITE;
    x->flush = x->request.console.follow;
    return true;
}

/* Finds out how many lines there are before the last ones that are wanted. */
static enum step count(struct exchange *x)
{
    struct journal_cursor *c = &x->at.journal;
    struct journal j = {.cursor = c->at};
    bool more = true;
    for (unsigned i = 0; i < API_STEP_READS && more; i++) {
        more = c->at < c->end && journal_read(&j, c->at);
        for (const struct toklat_journal_entry *e; more && (e = journal_peek(&j)) != NULL;) {
            c->skip += is_line(x, e) ? 1 : 0;
            journal_skip(&j);
        }
        c->at = more ? j.cursor : c->at;
    }
    if (!more) {
        uint32_t lines = x->request.console.lines;
        c->skip = c->skip > lines ? c->skip - lines : 0;
        c->at = groups.machine.journal_first;
        c->stage = WRITE;
    }
    return STEP_MORE;
}

/* Writes the lines of what was read. False when there is no room for more. */
static bool put_lines(struct exchange *x, struct out *out, struct journal *j)
{
    struct journal_cursor *c = &x->at.journal;
    for (const struct toklat_journal_entry *e; (e = journal_peek(j)) != NULL; journal_skip(j)) {
        if (!is_line(x, e)) {
            continue;
        }
        if (c->skip > 0) {
            c->skip--;
            continue;
        }
        if (out_room(out) < LINE_ROOM) {
            return false;
        }
        out_bytes(out, journal_text(e), e->text_bytes);
        out_char(out, '\n');
    }
    return true;
}

static enum step write(struct exchange *x, struct out *out)
{
    struct journal_cursor *c = &x->at.journal;
    bool follow = x->request.console.follow;
    struct journal j;
    for (unsigned i = 0; i < API_STEP_READS; i++) {
        if (!follow && c->at >= c->end) {
            return STEP_DONE;
        }
        if (!journal_read(&j, c->at)) {
            x->wants_journal = follow;
            return follow ? STEP_LATER : STEP_DONE;
        }
        bool all = put_lines(x, out, &j);
        c->at = j.cursor;
        if (!all) {
            return STEP_MORE;
        }
    }
    return STEP_MORE;
}

enum step step_console(struct exchange *x, struct out *out)
{
    switch (x->at.journal.stage) {
    case BEGIN:
        return begin(x) ? STEP_MORE : STEP_DONE;
    case COUNT:
        return count(x);
    default:
        return write(x, out);
    }
}

size_t console_take(struct exchange *x, const char *data, size_t length)
{
    uint64_t now = platform_now_ns();
    int64_t result = control_simple(TOKLAT_VM_INPUT, x->request.number, (uintptr_t)data, length);
    x->wake_ns = NEVER;
    if (result > 0) {
        size_t taken = (size_t)result < length ? (size_t)result : length;
        x->taken += (uint32_t)taken;
        x->give_up_ns = 0;
        return taken;
    }
    if (result < 0) {
        (void)judge(x, result, x->request.number);
        return 0;
    }
    x->give_up_ns = x->give_up_ns == 0 ? now + API_INPUT_NS : x->give_up_ns;
    if (now < x->give_up_ns) {
        (void)wait_until(x, now + API_RETRY_NS);
    } else {
        x->phase = EXCHANGE_ANSWER; /* with what was written; the rest is not taken */
    }
    return 0;
}

enum step step_console_write(struct exchange *x, struct out *out)
{
    if (vm_find(x, 0)) {
        out_field(out, "{\"written\":", x->taken);
        out_text(out, "}\n");
    }
    return STEP_DONE;
}
