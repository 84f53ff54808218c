/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toklat start, pause, resume, restart, checkpoint: one request a VM. What is wrong with one VM
 * does not keep the others from it; the exit code is the first one's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/toklat/client/clean.h"
#include "tools/toklat/client/commands.h"
#include "tools/toklat/client/options.h"
#include "tools/toklat/client/table.h"
#include "tools/toklat/client/vms.h"

#define VMS_HELP                                                                                   \
    "\n"                                                                                           \
    "  VM                   a number, web/7, a range 3-9 or web/3-9, or web/'*': all of the\n"     \
    "                       image that are in a state for it\n"                                    \
    "  --image I --all      the same as I/'*'\n"                                                   \
    "  --json               {\"vms\":[...],\"failed\":[numbers]}\n"

#define ACTION_USAGE(name, text)                                                                   \
    "Usage: toklat " name " VM... | --image I --all  [--json]\n\n" text VMS_HELP

const char start_usage[] =
    ACTION_USAGE("start", "Starts VMs that have not run yet, and anew those that ended.\n");
const char pause_usage[] =
    ACTION_USAGE("pause", "VMs keep what they have, and run no more until `toklat resume`.\n");
const char resume_usage[] = ACTION_USAGE("resume", "Paused VMs go on.\n");
const char restart_usage[] = ACTION_USAGE(
    "restart", "VMs begin anew from their image's template, and lose what they had.\n");
const char checkpoint_usage[] = ACTION_USAGE(
    "checkpoint", "Writes VMs into the store, and returns when they are safely there.\n");

struct action {
    const char *verb, *past;
    const char *usage;
    const char *states[VMS_STATES_MAX]; /* of a whole image, those that it is for */
};

struct acting {
    const struct action *action;
    struct api *api;
    json_t *vms, *failed;
    int code;
};

static void one(struct acting *c, uint32_t number)
{
    char about[64];
    json_t *vm = NULL;
    snprintf(about, sizeof(about), "VM %u", number);
    c->api->about = about;
    int code = api_post(c->api, NULL, &vm, "/v1/vms/%u/%s", number, c->action->verb);
    c->api->about = NULL;
    if (code == EXIT_CLEAN) {
        char name[API_PART_BYTES];
        snprintf(name, sizeof(name), "%s", member_text(vm, "name"));
        if (options_json) {
            json_array_append(c->vms, vm);
        } else {
            progress_clear();
            clean_put(*name ? name : about, stdout);
            printf(" %s\n", c->action->past);
        }
    } else {
        json_array_append_new(c->failed, json_integer(number));
        c->code = c->code == EXIT_CLEAN ? code : c->code;
    }
    json_decref(vm);
}

/* A machine that does not answer, or this user's interruption, is the end of it. */
static bool hopeless(int code)
{
    return code == EXIT_UNREACHED || code == EXIT_CANCELLED || code == EXIT_NOT_AUTHORISED;
}

static void all(struct acting *c, const struct vms_numbers *numbers)
{
    struct progress bar;
    progress_begin(&bar, c->action->verb, numbers->count);
    bar.on = bar.on && numbers->count > 1 && !isatty(STDOUT_FILENO);
    for (size_t i = 0; i < numbers->count && !hopeless(c->code); i++) {
        one(c, numbers->numbers[i]);
        progress_show(&bar, i + 1);
    }
    progress_end(&bar);
    if (numbers->count == 0 && !options_json) {
        complain("no VM is in a state for it");
    }
}

static int act(const struct action *action, struct api *a, const struct vms_wanted *wanted)
{
    struct acting c = {.action = action, .api = a};
    struct vms_spans spans;
    struct vms_numbers numbers = {0};
    c.code = vms_spans(a, wanted, action->usage, &spans);
    if (c.code == EXIT_CLEAN) {
        c.code = vms_numbers(a, &spans, action->states, &numbers);
    }
    if (c.code == EXIT_CLEAN) {
        json_t *result = json_object();
        c.vms = json_array();
        c.failed = json_array();
        json_object_set_new(result, "vms", c.vms);
        json_object_set_new(result, "failed", c.failed);
        all(&c, &numbers);
        if (options_json) {
            show_json(result);
        }
        json_decref(result);
    }
    free(numbers.numbers);
    vms_free(&spans);
    return c.code;
}

static int command(const struct action *action, int argc, char **argv)
{
    struct vms_wanted wanted = {0};
    struct api a;
    const struct option_row rows[] = {
        {"image", 0, OPTION_TEXT, &wanted.image, 0, 0},
        {"all", 0, OPTION_FLAG, &wanted.all, 0, 0},
    };
    int code = options_parse(argc, argv, action->usage, rows, ARRAY_SIZE(rows), 0, OPTIONS_ANY);
    if (code != OPTIONS_GO) {
        return code;
    }
    wanted.arguments = argv + optind;
    wanted.count = argc - optind;
    code = api_open(&a);
    if (code == EXIT_CLEAN) {
        code = act(action, &a, &wanted);
        api_close(&a);
    }
    return code;
}

int start_command(int argc, char **argv)
{
    static const struct action action = {
        "start", "started", start_usage, {"defined", "dead", NULL}};
    return command(&action, argc, argv);
}

int pause_command(int argc, char **argv)
{
    static const struct action action = {
        "pause", "paused", pause_usage, {"running", "runnable", "idle", "waiting", "stored", NULL}};
    return command(&action, argc, argv);
}

int resume_command(int argc, char **argv)
{
    static const struct action action = {"resume", "resumed", resume_usage, {"paused", NULL}};
    return command(&action, argc, argv);
}

int restart_command(int argc, char **argv)
{
    static const struct action action = {
        "restart",
        "restarted",
        restart_usage,
        {"running", "runnable", "idle", "waiting", "stored", "paused", "dead", NULL}};
    return command(&action, argc, argv);
}

int checkpoint_command(int argc, char **argv)
{
    static const struct action action = {
        "checkpoint",
        "checkpointed",
        checkpoint_usage,
        {"running", "runnable", "idle", "waiting", "paused", NULL}};
    return command(&action, argc, argv);
}
