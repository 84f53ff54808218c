/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stream of events (server-sent events, HTML Living Standard, section 9.2). An event's id is
 * the cursor behind it, so that a client that comes back goes on there.
 */
#include "guests/supervisor/endpoints.h"
#include "guests/supervisor/journal.h"

#define EVENT_ROOM 2048 /* a text of 255 bytes grows sixfold */
#define SECOND_NS 1000000000ull

static const char *const kinds[TOKLAT_JOURNAL_KINDS] = {
    [TOKLAT_JOURNAL_CREATED] = "created",       [TOKLAT_JOURNAL_STARTED] = "started",
    [TOKLAT_JOURNAL_EXITED] = "exited",         [TOKLAT_JOURNAL_KILLED] = "killed",
    [TOKLAT_JOURNAL_DESTROYED] = "destroyed",   [TOKLAT_JOURNAL_PAUSED] = "paused",
    [TOKLAT_JOURNAL_RESUMED] = "resumed",       [TOKLAT_JOURNAL_RESTARTED] = "restarted",
    [TOKLAT_JOURNAL_CHECKPOINT] = "checkpoint", [TOKLAT_JOURNAL_CLONED] = "cloned",
    [TOKLAT_JOURNAL_IMAGE] = "ready",           [TOKLAT_JOURNAL_FAILED] = "failed",
    [TOKLAT_JOURNAL_DELETED] = "deleted",
};

bool events_resume(struct exchange *x, const struct http_head *head)
{
    struct http_text rest = head->headers;
    struct http_header header;
    while (http_next_header(&rest, &header)) {
        if (!http_is_word(header.name, "last-event-id")) {
            continue;
        }
        if (!http_number(header.value, &x->request.events.after)) {
            return problem_field(&x->problem, 400, "Last-Event-ID", header.value,
                                 "an id of an event of this machine");
        }
        x->request.events.has_after = true;
    }
    return true;
}

static void put_time(struct out *out, const struct toklat_journal_entry *e)
{
    out_text(out, ",\"time_seconds\":");
    out_seconds(out, e->time_ns);
}

static void put_text(struct out *out, const char *key, const struct toklat_journal_entry *e)
{
    out_text(out, key);
    out_json(out, journal_text(e), e->text_bytes);
}

static void put_vm(struct out *out, const struct toklat_journal_entry *e)
{
    out_text(out, "event: vm\ndata: {\"kind\":\"");
    out_text(out, kinds[e->kind]);
    out_field(out, "\",\"number\":", e->vm);
    out_text(out, ",\"name\":");
    vm_write_name(out, e->vm);
    put_time(out, e);
    if (e->kind == TOKLAT_JOURNAL_EXITED) {
        out_text(out, ",\"status\":");
        out_i64(out, e->value);
    }
    if (e->kind == TOKLAT_JOURNAL_CREATED) {
        out_text(out, ",\"count\":");
        out_i64(out, e->value);
    }
    if (e->kind == TOKLAT_JOURNAL_CLONED) {
        out_text(out, ",\"from\":");
        out_i64(out, e->value);
    }
    if (e->text_bytes > 0) {
        put_text(out, ",\"text\":", e);
    }
}

static void put_event(struct out *out, const struct toklat_journal_entry *e, uint64_t id)
{
    out_field(out, "id: ", id);
    out_char(out, '\n');
    switch (e->kind) {
    case TOKLAT_JOURNAL_LOG:
        put_text(out, "event: log\ndata: {\"text\":", e);
        put_time(out, e);
        break;
    case TOKLAT_JOURNAL_IMAGE:
    case TOKLAT_JOURNAL_FAILED:
    case TOKLAT_JOURNAL_DELETED:
        out_text(out, "event: image\ndata: {\"kind\":\"");
        out_text(out, kinds[e->kind]);
        put_text(out, "\",\"image\":", e);
        put_time(out, e);
        break;
    default:
        put_vm(out, e);
        break;
    }
    out_text(out, "}\n\n");
}

static void put_lost(struct out *out, uint64_t bytes)
{
    out_field(out, "event: lost\ndata: {\"bytes\":", bytes);
    out_text(out, "}\n\n");
}

static void begin(struct exchange *x, uint64_t now)
{
    struct journal_cursor *c = &x->at.journal;
    const struct events_request *r = &x->request.events;
    bool known = r->has_after && r->after <= groups.machine.journal_next;
    c->stage = 1;
    c->at = groups.machine.journal_next;
    if (r->has_after) { /* a cursor of an earlier life of the machine: all of this one's */
        c->at = known ? r->after : groups.machine.journal_first;
    }
    c->alive_due_ns = now + API_ALIVE_NS;
    c->machine_due_ns = r->machine_s != 0 ? now : NEVER;
    x->flush = true;
}

/* Writes the events of what was read. False when there is no room for more. */
static bool put_events(struct out *out, struct journal *j)
{
    if (j->lost > 0) {
        put_lost(out, j->lost);
    }
    for (const struct toklat_journal_entry *e; (e = journal_peek(j)) != NULL; journal_skip(j)) {
        if (e->kind == TOKLAT_JOURNAL_LINE || e->kind >= TOKLAT_JOURNAL_KINDS) {
            continue;
        }
        if (out_room(out) < EVENT_ROOM) {
            return false;
        }
        put_event(out, e, j->cursor + e->bytes);
    }
    return true;
}

/* What is due by the clock. */
static void put_due(struct exchange *x, struct out *out, uint64_t now)
{
    struct journal_cursor *c = &x->at.journal;
    if (now >= c->machine_due_ns) {
        groups_read();
        out_text(out, "event: machine\ndata: ");
        machine_write(out);
        out_text(out, "\n\n");
        c->machine_due_ns = now + x->request.events.machine_s * SECOND_NS;
    }
    if (now >= c->alive_due_ns) {
        out_text(out, ": alive\n\n");
        c->alive_due_ns = now + API_ALIVE_NS;
    }
}

enum step step_events(struct exchange *x, struct out *out)
{
    struct journal_cursor *c = &x->at.journal;
    uint64_t now = platform_now_ns();
    struct journal j;
    if (c->stage == 0) {
        begin(x, now);
    }
    put_due(x, out, now);
    for (unsigned i = 0; i < API_STEP_READS; i++) {
        if (out_room(out) < EVENT_ROOM + 64) {
            return STEP_MORE;
        }
        if (!journal_read(&j, c->at)) {
            x->wants_journal = true;
            (void)wait_until(x, c->alive_due_ns);
            return wait_until(x, c->machine_due_ns);
        }
        bool all = put_events(out, &j);
        c->at = j.cursor;
        if (!all) {
            return STEP_MORE;
        }
    }
    return STEP_MORE;
}
