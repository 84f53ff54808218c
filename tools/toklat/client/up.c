/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toklat up: a deployment's groups on the machine that runs, as far as they are not there yet.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/toklat/client/clean.h"
#include "tools/toklat/client/commands.h"
#include "tools/toklat/client/deployment.h"
#include "tools/toklat/client/image.h"
#include "tools/toklat/client/options.h"

const char up_usage[] =
    "Usage: toklat up DEPLOYMENT.dts [-DNAME=VALUE]... [--images FOLDER] [--json]\n"
    "\n"
    "Brings a deployment onto the running machine: pushes the image of each group that is not\n"
    "there, and creates the instances that are missing. A group of the same name and file only\n"
    "gets instances. Images are looked for in FOLDER, beside the deployment, in build/guests.\n"
    "\n"
    "  -DNAME=VALUE      for the C preprocessor\n"
    "  --images FOLDER   where images are looked for first\n"
    "  --json            {\"groups\":[{\"name\":...,\"image\":...,\"created\":N},...]}; image is\n"
    "                    pushed, present, skipped or failed\n";

struct up {
    struct api *api;
    const char *source, *images;
    json_t *result; /* an array */
    int code;
    struct up_deployment deployment;
    bool done[UP_GROUPS_MAX];
};

/* --- images -------------------------------------------------------------------------------------
 */

static bool try_folder(const char *folder, size_t length, const char *below, const char *file,
                       char *path)
{
    int n = snprintf(path, PATH_MAX, "%.*s%s/%s", (int)length, folder, below, file);
    return n < PATH_MAX && access(path, R_OK) == 0;
}

static bool find_image(const struct up *u, const char *file, char *path)
{
    char exe[PATH_MAX];
    const char *slash = strrchr(u->source, '/');
    if (u->images && try_folder(u->images, strlen(u->images), "", file, path)) {
        return true;
    }
    if (slash ? try_folder(u->source, (size_t)(slash - u->source), "", file, path)
              : try_folder(".", 1, "", file, path)) {
        return true;
    }
    if (try_folder("build", 5, "/guests", file, path)) {
        return true;
    }
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    exe[n > 0 ? n : 0] = 0;
    slash = strrchr(exe, '/');
    return slash && try_folder(exe, (size_t)(slash - exe), "/guests", file, path);
}

/* NULL: there is none of that name. */
static json_t *image_of(struct up *u, const char *name, int *code)
{
    char part[API_PART_BYTES];
    json_t *image = NULL;
    u->api->quiet = true;
    *code = api_get(u->api, &image, "/v1/images/%s", api_part(part, name));
    u->api->quiet = false;
    if (*code != EXIT_CLEAN && *code != EXIT_NOT_FOUND) { /* again, for what it says */
        *code = api_get(u->api, &image, "/v1/images/%s", api_part(part, name));
    }
    return image;
}

/* --- groups -------------------------------------------------------------------------------------
 */

static void note(struct up *u, const struct up_group *g, const char *what, uint64_t created)
{
    json_array_append_new(u->result, json_pack("{s:s, s:s, s:I}", "name", g->name, "image", what,
                                               "created", (json_int_t)created));
}

static void say(const struct up_group *g, const char *what)
{
    if (!options_json) {
        clean_put(g->name, stdout);
        printf(": %s\n", what);
    }
}

static uint64_t existing(const json_t *image)
{
    const json_t *vms = json_object_get(image, "vms");
    return member_number(vms, "defined") + member_number(vms, "live") +
           member_number(vms, "stored") + member_number(vms, "paused") + member_number(vms, "dead");
}

/* The instances that are missing. */
static int create(struct up *u, const struct up_group *g, const json_t *image, uint64_t *created)
{
    uint64_t there = existing(image);
    json_t *answer = NULL;
    char text[64];
    *created = g->instances > there ? g->instances - there : 0;
    if (*created == 0) {
        return EXIT_CLEAN;
    }
    u->api->about = g->name;
    int code = api_post(u->api,
                        json_pack("{s:s, s:I, s:b}", "image", g->name, "count",
                                  (json_int_t)*created, "start", (int)g->start),
                        &answer, "/v1/vms");
    u->api->about = NULL;
    json_decref(answer);
    if (code == EXIT_CLEAN) {
        snprintf(text, sizeof(text), "%ju VM%s %s", (uintmax_t)*created, *created == 1 ? "" : "s",
                 g->start ? "started" : "created");
        say(g, text);
    } else {
        *created = 0;
    }
    return code;
}

/* Those of its peers that the machine has; false: not all. */
static bool peers_there(struct up *u, const struct up_group *g, char *list, size_t size, int *code)
{
    bool all = true;
    *list = 0;
    *code = EXIT_CLEAN;
    for (unsigned i = 0; i < g->peer_count && *code == EXIT_CLEAN; i++) {
        json_t *peer = image_of(u, g->peers[i], code);
        if (peer) {
            size_t n = strlen(list);
            snprintf(list + n, size - n, "%s%s", n ? "," : "", g->peers[i]);
        } else if (*code == EXIT_NOT_FOUND) {
            all = false;
            *code = EXIT_CLEAN;
        }
        json_decref(peer);
    }
    return all;
}

static int push(struct up *u, const struct up_group *g, const char *peers, json_t **image)
{
    char path[PATH_MAX], text[PATH_MAX + 64];
    struct image_new new = {
        .path = path, .name = g->name, .file = g->file, .network = g->network, .peers = peers};
    if (!find_image(u, g->file, path)) {
        complain("%s: image: %s: not in %s%s%s, nor in build/guests", g->name, g->file,
                 u->images ? u->images : "", u->images ? ", nor beside " : "the folder of ",
                 u->source);
        return EXIT_OPERATIONAL;
    }
    new.peers = *peers ? peers : NULL;
    new.args = *g->args ? g->args : NULL;
    new.reserve = (uint64_t)g->instances + g->reserve;
    new.weight = g->weight;
    new.memory = g->memory;
    int code = image_push(u->api, &new, true, image);
    if (code == EXIT_CLEAN) {
        snprintf(text, sizeof(text), "%s pushed", path);
        say(g, text);
        if (g->restart) {
            say(g, "recovery: it cannot be told to a machine that runs; \"resume\" holds");
        }
    }
    return code;
}

static void group(struct up *u, const struct up_group *g, const char *peers)
{
    int code;
    uint64_t created = 0;
    json_t *image = image_of(u, g->name, &code);
    const char *what = "present";
    if (g->supervisor) {
        what = "skipped";
        say(g, "a supervisor is the machine's from its boot on: skipped");
        code = EXIT_CLEAN;
    } else if (image && strcmp(member_text(image, "file"), g->file) != 0) {
        char file[UP_FILE_BYTES];
        complain("%s: image: %s: a group of this name is there, of %s", g->name, g->file,
                 clean_cell(file, sizeof(file), member_text(image, "file")));
        code = EXIT_REFUSED;
    } else if (code == EXIT_NOT_FOUND) {
        what = "pushed";
        code = push(u, g, peers, &image);
    } else if (code == EXIT_CLEAN) {
        say(g, "there already");
    }
    if (code == EXIT_CLEAN && image && !g->supervisor) {
        code = create(u, g, image, &created);
    }
    note(u, g, code == EXIT_CLEAN ? what : "failed", created);
    u->code = u->code == EXIT_CLEAN ? code : u->code;
    json_decref(image);
}

/* Group `i`, if its peers are there, or if it is to go without. False: it waits. */
static bool turn(struct up *u, unsigned i, bool without)
{
    char peers[TOKLAT_PEERS_MAX * TOKLAT_NAME_BYTES];
    const struct up_group *g = &u->deployment.groups[i];
    int code;
    bool ready = peers_there(u, g, peers, sizeof(peers), &code);
    if (code != EXIT_CLEAN) {
        u->code = code;
        return true;
    }
    if (!ready && !without) {
        return false;
    }
    if (!ready) {
        complain("%s: peers: not all are there: it is told of %s", g->name,
                 *peers ? peers : "none");
    }
    group(u, g, peers);
    return true;
}

static bool hopeless(int code)
{
    return code == EXIT_UNREACHED || code == EXIT_CANCELLED || code == EXIT_NOT_AUTHORISED;
}

/* Groups whose peers are there first; of those that name each other in a circle one goes without.
 */
static void all(struct up *u)
{
    unsigned left = u->deployment.count;
    bool progress = true;
    while (left > 0) {
        bool circle = !progress;
        progress = false;
        for (unsigned i = 0; i < u->deployment.count && !hopeless(u->code); i++) {
            if (!u->done[i] && turn(u, i, circle)) {
                u->done[i] = progress = true;
                circle = false;
                left--;
            }
        }
        if (hopeless(u->code)) {
            return;
        }
    }
}

static int up(struct up *u, char *const *defines, size_t count)
{
    static uint64_t blob[UP_BLOB_BYTES_MAX / 8 + 1];
    if (!deployment_compile(u->source, defines, count, blob, sizeof(blob)) ||
        !deployment_read(blob, sizeof(blob), &u->deployment)) {
        return EXIT_OPERATIONAL;
    }
    u->result = json_array();
    all(u);
    if (options_json) {
        json_t *j = json_pack("{s:O}", "groups", u->result);
        show_json(j);
        json_decref(j);
    }
    json_decref(u->result);
    return u->code;
}

int up_command(int argc, char **argv)
{
    static struct up u;
    static struct api a;
    char **defines = calloc((size_t)argc + 1, sizeof(*defines));
    size_t count = 0;
    int kept = 0;
    const struct option_row rows[] = {{"images", 0, OPTION_TEXT, &u.images, 0, 0}};
    for (int i = 0; i < argc && defines; i++) {
        bool define = i > 0 && !strncmp(argv[i], "-D", 2) && argv[i][2];
        *(define ? &defines[count++] : &argv[kept++]) = argv[i];
    }
    int code = options_parse(kept, argv, up_usage, rows, ARRAY_SIZE(rows), 1, 1);
    if (code == OPTIONS_GO) {
        code = api_open(&a);
        if (code == EXIT_CLEAN) {
            u.api = &a;
            u.source = argv[optind];
            code = defines ? up(&u, defines, count) : EXIT_OPERATIONAL;
            api_close(&a);
        }
    }
    free(defines);
    return code;
}
