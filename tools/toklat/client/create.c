/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toklat run, clone, rm: VMs come and go.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "tools/toklat/client/clean.h"
#include "tools/toklat/client/commands.h"
#include "tools/toklat/client/options.h"
#include "tools/toklat/client/vms.h"

const char run_usage[] =
    "Usage: toklat run IMAGE [-n N] [--no-start] [--key K] [--json]\n"
    "\n"
    "Creates VMs of an image and starts them: all or none.\n"
    "\n"
    "  -n N         so many, normally 1\n"
    "  --no-start   only creates them: their first packet, or `toklat start`, starts them\n"
    "  --key K      the same key and image and number, again: no more VMs, the same answer.\n"
    "               Normally a random one, so that a request that is sent twice is done once\n"
    "  --json       {\"image\":...,\"count\":...,\"numbers\":[[first,last],...]}\n";

const char clone_usage[] =
    "Usage: toklat clone VM [-n N] [--json]\n"
    "\n"
    "New VMs that go on from where this one is, each with an identity of its own.\n"
    "\n"
    "  -n N     so many, normally 1\n"
    "  --json   {\"image\":...,\"count\":...,\"numbers\":[[first,last],...]}\n";

const char rm_usage[] =
    "Usage: toklat rm VM... | --image I --all  [--json]\n"
    "\n"
    "Deletes VMs: what they had is gone. One that the deployment always has begins anew at its\n"
    "next packet.\n"
    "\n"
    "  VM                a number, web/7, a range 3-9 or web/3-9, or web/'*': all of the image\n"
    "  --image I --all   the same as I/'*'\n"
    "  --json            {\"deleted\":...,\"not_found\":...}\n";

#define KEY_BYTES 33
#define COUNT_MAX 100000u
#define RANGES_AT_ONCE 64u
#define WATCH_NS (500 * NS_PER_MS)
#define WATCH_LIMIT_MS 400
#define SHOWN_AFTER_NS (300 * NS_PER_MS)

/* How long it has lasted, and how many live: a line on stderr, while the answer is waited for. */
struct watch {
    struct api beside; /* a connection of its own, if `asks` */
    const char *image; /* escaped; NULL: it is of no image */
    uint64_t begun_ns, asked_ns, live, live_before;
    bool on, asks, known;
};

static void ask(struct watch *w, uint64_t now)
{
    json_t *answer;
    w->asked_ns = now;
    if (w->asks && api_get(&w->beside, &answer, "/v1/images/%s", w->image) == EXIT_CLEAN) {
        const json_t *vms = json_object_get(answer, "vms");
        uint64_t live = member_number(vms, "live");
        w->live_before = w->known ? w->live_before : live;
        w->live = live;
        w->known = true;
        json_decref(answer);
    }
}

static void tick(void *context, uint64_t sent, uint64_t all)
{
    static const char wheel[] = "|/-\\";
    struct watch *w = context;
    uint64_t now = time_now_ns();
    (void)sent;
    (void)all;
    if (!w->on || now - w->begun_ns < SHOWN_AFTER_NS) {
        return;
    }
    if (now - w->asked_ns >= WATCH_NS) {
        ask(w, now);
    }
    uint64_t tenths = (now - w->begun_ns) / (100 * NS_PER_MS);
    fprintf(stderr, "\r%c %ju.%ju s", wheel[tenths % 4], (uintmax_t)tenths / 10,
            (uintmax_t)tenths % 10);
    if (w->known) {
        fprintf(stderr, ", %ju live, %ju of them new", (uintmax_t)w->live,
                (uintmax_t)(w->live > w->live_before ? w->live - w->live_before : 0));
    }
    fputs("   ", stderr);
}

static void watch_end(const struct watch *w)
{
    if (w->on && time_now_ns() - w->begun_ns >= SHOWN_AFTER_NS) {
        fprintf(stderr, "\r%60s\r", "");
    }
}

static void show_numbers(const json_t *answer, const char *what)
{
    const json_t *range;
    size_t i;
    if (options_json) {
        show_json(answer);
        return;
    }
    printf("%s ", what);
    clean_put(member_text(answer, "image"), stdout);
    printf(": %ju VM%s, number%s", (uintmax_t)member_number(answer, "count"),
           member_number(answer, "count") == 1 ? "" : "s",
           member_number(answer, "count") == 1 ? "" : "s");
    json_array_foreach(json_object_get(answer, "numbers"), i, range)
    {
        json_int_t first = json_integer_value(json_array_get(range, 0));
        json_int_t last = json_integer_value(json_array_get(range, 1));
        printf("%s %lld", i ? "," : "", first);
        if (last != first) {
            printf("-%lld", last);
        }
    }
    printf("\n");
}

static void random_key(char *key)
{
    uint8_t bytes[(KEY_BYTES - 1) / 2];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        memset(bytes, 0, sizeof(bytes));
    }
    for (size_t i = 0; i < sizeof(bytes); i++) {
        sprintf(key + 2 * i, "%02x", bytes[i]);
    }
}

static int post_watched(struct api *a, struct watch *w, struct api_request *r, json_t *body,
                        json_t **answer)
{
    char *text = json_dumps(body, JSON_COMPACT);
    w->begun_ns = time_now_ns();
    w->on = progress_wanted && isatty(STDERR_FILENO);
    w->asks = w->on && w->image && api_open_quiet(&w->beside, true) == EXIT_CLEAN;
    if (w->asks) {
        w->beside.limit_ms = WATCH_LIMIT_MS;
        ask(w, w->begun_ns);
    }
    a->tick = tick;
    a->tick_context = w;
    r->method = "POST";
    r->body = text;
    r->body_bytes = strlen(text);
    int code = api_do(a, r, answer);
    a->tick = NULL;
    watch_end(w);
    if (w->asks) {
        api_close(&w->beside);
    }
    free(text);
    json_decref(body);
    return code;
}

static int run(struct api *a, const char *image, uint64_t count, bool start, const char *key)
{
    char random[KEY_BYTES], part[API_PART_BYTES];
    struct watch w = {.image = start ? api_part(part, image) : NULL};
    struct api_request r = {.path = "/v1/vms", .key = key ? key : random};
    json_t *answer, *body = json_pack("{s:s, s:I, s:b}", "image", image, "count", (json_int_t)count,
                                      "start", (int)start);
    if (!body) {
        complain("%s: not an image's name", image);
        return EXIT_USAGE;
    }
    random_key(random);
    a->about = image;
    int code = post_watched(a, &w, &r, body, &answer);
    if (code == EXIT_CLEAN) {
        show_numbers(answer, start ? "started" : "created");
        json_decref(answer);
    }
    return code;
}

int run_command(int argc, char **argv)
{
    uint64_t count = 1;
    bool no_start = false;
    const char *key = NULL;
    struct api a;
    const struct option_row rows[] = {
        {"count", 'n', OPTION_NUMBER, &count, 1, COUNT_MAX},
        {"no-start", 0, OPTION_FLAG, &no_start, 0, 0},
        {"key", 0, OPTION_TEXT, &key, 0, 0},
    };
    int code = options_parse(argc, argv, run_usage, rows, ARRAY_SIZE(rows), 1, 1);
    if (code != OPTIONS_GO) {
        return code;
    }
    for (const char *p = key; p && *p; p++) {
        if (*p < 0x20 || *p >= 0x7F || p - key >= 64) {
            return usage_error(run_usage, "1 to 64 printable characters", "--key");
        }
    }
    code = api_open(&a);
    if (code == EXIT_CLEAN) {
        code = run(&a, argv[optind], count, !no_start, key);
        api_close(&a);
    }
    return code;
}

int clone_command(int argc, char **argv)
{
    uint64_t count = 1;
    uint32_t number;
    char path[64];
    struct watch w = {0};
    struct api a;
    json_t *answer;
    const struct option_row rows[] = {{"count", 'n', OPTION_NUMBER, &count, 1, COUNT_MAX}};
    int code = options_parse(argc, argv, clone_usage, rows, ARRAY_SIZE(rows), 1, 1);
    if (code != OPTIONS_GO || (code = api_open(&a)) != EXIT_CLEAN) {
        return code;
    }
    code = vms_one(&a, argv[optind], clone_usage, &number);
    if (code == EXIT_CLEAN) {
        struct api_request r = {.path = path};
        snprintf(path, sizeof(path), "/v1/vms/%u/clone", number);
        a.about = argv[optind];
        code = post_watched(&a, &w, &r, json_pack("{s:I}", "count", (json_int_t)count), &answer);
    }
    if (code == EXIT_CLEAN) {
        show_numbers(answer, "cloned");
        json_decref(answer);
    }
    api_close(&a);
    return code;
}

/* As many spans as one request takes, from `first` on. */
static int remove_some(struct api *a, const struct vms_spans *s, size_t first, uint64_t *deleted,
                       uint64_t *not_found)
{
    char path[API_PATH_BYTES];
    size_t end = MIN(s->count, first + RANGES_AT_ONCE), n;
    struct api_request r = {.method = "DELETE", .path = path};
    json_t *answer;
    n = (size_t)sprintf(path, "/v1/vms?numbers=");
    for (size_t i = first; i < end; i++) {
        n += (size_t)sprintf(path + n, "%s%u-%u", i > first ? "," : "", s->spans[i].first,
                             s->spans[i].last);
    }
    int code = api_do(a, &r, &answer);
    if (code == EXIT_CLEAN) {
        bool all = true; /* of a whole image those that do not exist are not missed */
        for (size_t i = first; i < end; i++) {
            all = all && s->spans[i].all;
        }
        *deleted += member_number(answer, "deleted");
        *not_found += all ? 0 : member_number(answer, "not_found");
        json_decref(answer);
    }
    return code;
}

static int by_kind(const void *a, const void *b)
{
    const struct vmlist_span *x = a, *y = b;
    return (int)x->all - (int)y->all;
}

static int remove_all(struct api *a, const struct vms_wanted *wanted)
{
    struct vms_spans s;
    uint64_t deleted = 0, not_found = 0;
    size_t named = 0;
    int code = vms_spans(a, wanted, rm_usage, &s);
    if (code == EXIT_CLEAN) {
        qsort(s.spans, s.count, sizeof(*s.spans), by_kind);
    }
    while (named < s.count && !s.spans[named].all) {
        named++;
    }
    struct vms_spans part = {.spans = s.spans, .count = named};
    for (size_t i = 0; i < named && code == EXIT_CLEAN; i += RANGES_AT_ONCE) {
        code = remove_some(a, &part, i, &deleted, &not_found);
    }
    for (size_t i = named; i < s.count && code == EXIT_CLEAN; i += RANGES_AT_ONCE) {
        code = remove_some(a, &s, i, &deleted, &not_found);
    }
    if (code == EXIT_CLEAN && options_json) {
        json_t *j = json_pack("{s:I, s:I}", "deleted", (json_int_t)deleted, "not_found",
                              (json_int_t)not_found);
        show_json(j);
        json_decref(j);
    } else if (code == EXIT_CLEAN) {
        printf("deleted %ju VM%s\n", (uintmax_t)deleted, deleted == 1 ? "" : "s");
    }
    if (code == EXIT_CLEAN && not_found > 0) {
        complain("%ju of them did not exist", (uintmax_t)not_found);
        code = EXIT_NOT_FOUND;
    }
    vms_free(&s);
    return code;
}

int rm_command(int argc, char **argv)
{
    struct vms_wanted wanted = {0};
    struct api a;
    const struct option_row rows[] = {
        {"image", 0, OPTION_TEXT, &wanted.image, 0, 0},
        {"all", 0, OPTION_FLAG, &wanted.all, 0, 0},
    };
    int code = options_parse(argc, argv, rm_usage, rows, ARRAY_SIZE(rows), 0, OPTIONS_ANY);
    if (code != OPTIONS_GO) {
        return code;
    }
    wanted.arguments = argv + optind;
    wanted.count = argc - optind;
    code = api_open(&a);
    if (code == EXIT_CLEAN) {
        code = remove_all(&a, &wanted);
        api_close(&a);
    }
    return code;
}
