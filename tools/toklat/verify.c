/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toklat store verify: everything that can be checked, in passes, as e2fsck does. Nothing is
 * changed.
 */
#include <stdio.h>

#include "tools/toklat/json.h"
#include "tools/toklat/store.h"
#include "tools/toklat/toklat.h"
#include "tools/toklat/verify.h"

#define SHOWN_MAX 1000u

static const char usage[] =
    "Usage: toklat store verify FILE [--quick] [--json] [--no-progress]\n"
    "\n"
    "Checks a store and changes nothing. Notes are what a power cut may leave; errors are damage.\n"
    "\n"
    "  --quick        superblock, checkpoints, log and places only: no record is read\n"
    "  --json         the result as one object\n"
    "  --no-progress  no bar\n"
    "\n"
    "Exit codes: 0 clean, 4 errors, 8 it cannot be opened or is no store, 16 wrong usage,\n"
    "32 interrupted.\n";

struct verification {
    struct findings findings;
    struct json json;
    const char *path;
    bool quick, as_json;
};

static void say(struct findings *f, enum severity severity, const char *text)
{
    struct verification *v = container_of(f, struct verification, findings);
    progress_clear();
    if (v->as_json) {
        json_open(&v->json, NULL, '{');
        json_text(&v->json, "severity", severity == FINDING_ERROR ? "error" : "note");
        json_text(&v->json, "text", text);
        json_close(&v->json, '}');
    } else if (f->notes + f->errors <= SHOWN_MAX) {
        printf("%s: %s\n", severity == FINDING_ERROR ? "error" : "note", text);
    } else if (f->notes + f->errors == SHOWN_MAX + 1) {
        printf("more than %u findings: the others are counted only\n", SHOWN_MAX);
    }
}

static void pass(const struct verification *v, const char *what)
{
    if (!v->as_json && !cancelled()) {
        printf("%s\n", what);
        fflush(stdout);
    }
}

static void passes(struct verification *v, struct store *s, struct verify_counts *counts)
{
    bool memory = true;
    verify_super(s);
    pass(v, "Pass 2: places");
    memory = verify_places(s);
    if (!v->quick && !cancelled()) {
        pass(v, "Pass 3: records");
        verify_records(s, counts);
        pass(v, "Pass 4: index against the log");
        memory = memory && verify_history(s, counts);
    }
    if (!memory) {
        finding(&v->findings, FINDING_ERROR, "not enough memory for %u VMs", s->super.vms);
    }
}

static void sum_up(struct verification *v, const struct store *s, const struct verify_counts *c,
                   int code)
{
    if (v->as_json) {
        json_close(&v->json, ']');
        json_number(&v->json, "errors", v->findings.errors);
        json_number(&v->json, "notes", v->findings.notes);
        json_number(&v->json, "records", c->records);
        json_number(&v->json, "templates", c->templates);
        json_number(&v->json, "pages", c->pages);
        json_number(&v->json, "batches", c->batches);
        json_number(&v->json, "log_batches", s->batches);
        json_number(&v->json, "torn_records", s->torn);
        json_bool(&v->json, "quick", v->quick);
        json_bool(&v->json, "clean", code == EXIT_CLEAN);
        json_number(&v->json, "exit", (uint64_t)code);
        json_close(&v->json, '}');
        return;
    }
    printf("%s: %s", v->path,
           code == EXIT_CANCELLED ? "cancelled" : (code == EXIT_CLEAN ? "clean" : "DAMAGED"));
    if (v->quick) {
        printf(" (records were not read)");
    } else {
        printf(", %ju records, %ju templates, %ju pages, %ju KiB", (uintmax_t)c->records,
               (uintmax_t)c->templates, (uintmax_t)c->pages, (uintmax_t)c->bytes / 1024);
    }
    printf(", %ju errors, %ju notes\n", (uintmax_t)v->findings.errors,
           (uintmax_t)v->findings.notes);
}

static int verify(struct verification *v)
{
    struct image_file f;
    struct store s;
    struct verify_counts counts = {0};
    if (!image_file_open(&f, v->path, IMAGE_READ)) {
        return EXIT_OPERATIONAL;
    }
    if (v->as_json) {
        json_open(&v->json, NULL, '{');
        json_text(&v->json, "file", v->path);
        json_open(&v->json, "findings", '[');
    }
    pass(v, "Pass 1: superblock, checkpoints and log");
    enum store_result result = store_open(&s, &f.image, &v->findings);
    int code = store_result_exit(&s, result, v->path);
    if (result == STORE_OPEN) {
        passes(v, &s, &counts);
        code = v->findings.errors ? EXIT_ERRORS : EXIT_CLEAN;
        code = cancelled() ? EXIT_CANCELLED : code;
    }
    if (result == STORE_OPEN || v->as_json) {
        sum_up(v, &s, &counts, code);
    }
    store_file_close(&s, &f);
    return code;
}

int store_verify_command(int argc, char **argv)
{
    static const struct option options[] = {
        {"quick", no_argument, NULL, 'q'},
        {"json", no_argument, NULL, 'j'},
        {"no-progress", no_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct verification v = {.findings = {.say = say}};
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        switch (c) {
        case 'q':
            v.quick = true;
            break;
        case 'j':
            v.as_json = true;
            break;
        case 'p':
            progress_wanted = false;
            break;
        default:
            return usage_exit(c, usage);
        }
    }
    if (optind + 1 != argc) {
        return usage_exit('?', usage);
    }
    v.path = argv[optind];
    return verify(&v);
}
