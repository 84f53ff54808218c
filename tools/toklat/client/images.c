/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toklat images, rmi, set, inspect: what there is, and what is said of it.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/toklat/client/clean.h"
#include "tools/toklat/client/commands.h"
#include "tools/toklat/client/options.h"
#include "tools/toklat/client/table.h"
#include "tools/toklat/client/vms.h"

const char images_usage[] =
    "Usage: toklat images [--json]\n"
    "\n"
    "The images: groups of the deployment, and those that were pushed. VMS is how many numbers\n"
    "each has, TEMPLATE the memory that its VMs share, LIMIT the most of its own that one may "
    "have.\n"
    "\n"
    "  --json   {\"images\":[...]}\n";

const char rmi_usage[] = "Usage: toklat rmi IMAGE... [--json]\n"
                         "\n"
                         "Deletes images that were pushed and of which no VM exists.\n"
                         "\n"
                         "  --json   {\"deleted\":[names]}\n";

const char set_usage[] =
    "Usage: toklat set IMAGE [weight=W] [memory-limit=BYTES] [--json]\n"
    "\n"
    "Changes what the VMs of an image get.\n"
    "\n"
    "  weight=W             share of the CPU, 1 to 65535, from a VM's next slice on\n"
    "  memory-limit=BYTES   of its own that a VM may have, with K or M; 0: as much as it has room\n"
    "                       for. A VM that needs more ends\n"
    "  --json               the image\n";

const char inspect_usage[] = "Usage: toklat inspect VM|IMAGE [--json]\n"
                             "\n"
                             "All that the machine says of one VM or of one image.\n"
                             "\n"
                             "  --json   as the API has it\n";

static const struct table_column columns[] = {
    {"NAME", TABLE_CUT},      {"FILE", TABLE_CUT},      {"STATE", TABLE_STATE},
    {"NET", TABLE_TEXT},      {"VMS", TABLE_NUMBER},    {"LIVE", TABLE_NUMBER},
    {"STORED", TABLE_NUMBER}, {"WEIGHT", TABLE_NUMBER}, {"TMPL", TABLE_NUMBER},
};

static void image_line(struct table *t, const json_t *image)
{
    char vms[SIZE_BYTES], live[SIZE_BYTES], stored[SIZE_BYTES];
    char weight[SIZE_BYTES], template[SIZE_BYTES];
    const json_t *counts = json_object_get(image, "vms");
    const char *cells[] = {
        member_text(image, "name"),
        member_text(image, "file"),
        member_text(image, "state"),
        member_text(image, "network"),
        number_text(member_number(image, "instances") + member_number(image, "reserve"), vms),
        number_text(member_number(counts, "live"), live),
        number_text(member_number(counts, "stored"), stored),
        number_text(member_number(image, "weight"), weight),
        size_text(member_number(image, "template_bytes"), template),
    };
    table_row(t, cells);
}

static int list(struct api *a)
{
    json_t *answer, *image;
    struct table t;
    size_t i;
    int code = api_get(a, &answer, "/v1/images");
    if (code != EXIT_CLEAN) {
        return code;
    }
    if (options_json) {
        show_json(answer);
    } else {
        table_begin(&t, columns, ARRAY_SIZE(columns));
        json_array_foreach(json_object_get(answer, "images"), i, image)
        {
            image_line(&t, image);
        }
        code = table_end(&t, stdout, terminal_width(), terminal_colour()) ? code : EXIT_OPERATIONAL;
    }
    json_decref(answer);
    return code;
}

int images_command(int argc, char **argv)
{
    struct api a;
    int code = options_parse(argc, argv, images_usage, OPTIONS_NONE, 0, 0);
    if (code != OPTIONS_GO || (code = api_open(&a)) != EXIT_CLEAN) {
        return code;
    }
    code = list(&a);
    api_close(&a);
    return code;
}

int rmi_command(int argc, char **argv)
{
    char part[API_PART_BYTES], path[API_PART_BYTES + 32];
    struct api a;
    int code = options_parse(argc, argv, rmi_usage, OPTIONS_NONE, 1, OPTIONS_ANY);
    if (code != OPTIONS_GO || (code = api_open(&a)) != EXIT_CLEAN) {
        return code;
    }
    json_t *deleted = json_array();
    for (int i = optind; i < argc; i++) {
        struct api_request r = {.method = "DELETE", .path = path};
        snprintf(path, sizeof(path), "/v1/images/%s", api_part(part, argv[i]));
        a.about = argv[i];
        int one = api_do(&a, &r, NULL);
        code = code == EXIT_CLEAN ? one : code;
        if (one == EXIT_CLEAN) {
            json_array_append_new(deleted, json_string(argv[i]));
            if (!options_json) {
                printf("deleted image %s\n", argv[i]);
            }
        }
    }
    json_t *result = json_pack("{s:o}", "deleted", deleted);
    if (options_json) {
        show_json(result);
    }
    json_decref(result);
    api_close(&a);
    return code;
}

/* NAME=VALUE into the body. False: it is none. */
static bool setting(json_t *body, const char *text)
{
    uint64_t value = 0;
    if (!strncmp(text, "weight=", 7) && parse_number(text + 7, 1, UINT16_MAX, &value)) {
        return json_object_set_new(body, "weight", json_integer((json_int_t)value)) == 0;
    }
    if (!strncmp(text, "memory-limit=", 13) &&
        (!strcmp(text + 13, "0") || parse_size(text + 13, &value))) {
        return json_object_set_new(body, "memory_limit_bytes", json_integer((json_int_t)value)) ==
               0;
    }
    return false;
}

static int set(struct api *a, const char *image, json_t *body)
{
    char part[API_PART_BYTES], path[API_PART_BYTES + 32];
    char *text = json_dumps(body, JSON_COMPACT);
    struct api_request r = {.method = "PATCH", .path = path, .body = text};
    json_t *answer;
    r.body_bytes = strlen(text);
    snprintf(path, sizeof(path), "/v1/images/%s", api_part(part, image));
    a->about = image;
    int code = api_do(a, &r, &answer);
    free(text);
    if (code == EXIT_CLEAN && options_json) {
        show_json(answer);
    } else if (code == EXIT_CLEAN) {
        char limit[SIZE_BYTES];
        uint64_t most = member_number(answer, "memory_limit_bytes");
        printf("%s: weight=%ju memory-limit=%s\n", image,
               (uintmax_t)member_number(answer, "weight"), size_text(most, limit));
    }
    json_decref(code == EXIT_CLEAN ? answer : NULL);
    return code;
}

int set_command(int argc, char **argv)
{
    struct api a;
    json_t *body = json_object();
    int code = options_parse(argc, argv, set_usage, OPTIONS_NONE, 2, 3);
    for (int i = optind + 1; i < argc && code == OPTIONS_GO; i++) {
        if (!setting(body, argv[i])) {
            code = usage_error(set_usage, "not weight=1 to 65535, nor memory-limit=BYTES", argv[i]);
        }
    }
    if (code == OPTIONS_GO && (code = api_open(&a)) == EXIT_CLEAN) {
        code = set(&a, argv[optind], body);
        api_close(&a);
    }
    json_decref(body);
    return code;
}

static void show_value(const char *key, const json_t *value)
{
    printf("%-20s ", key);
    if (json_is_string(value)) {
        clean_put(json_string_value(value), stdout);
    } else {
        put_json(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
    }
    putchar('\n');
}

/* Of objects in it one level is shown, as outer.inner. */
static void show_object(json_t *object)
{
    const char *key, *inner;
    json_t *value, *part;
    json_object_foreach(object, key, value)
    {
        char name[64], clean[64];
        clean_cell(clean, sizeof(clean), key);
        if (!json_is_object(value)) {
            show_value(clean, value);
            continue;
        }
        json_object_foreach(value, inner, part)
        {
            char of[64];
            snprintf(name, sizeof(name), "%.30s.%.30s", clean, clean_cell(of, sizeof(of), inner));
            show_value(name, part);
        }
    }
}

int inspect_command(int argc, char **argv)
{
    struct api a;
    char part[API_PART_BYTES];
    uint32_t number;
    json_t *answer = NULL;
    int code = options_parse(argc, argv, inspect_usage, OPTIONS_NONE, 1, 1);
    if (code != OPTIONS_GO || (code = api_open(&a)) != EXIT_CLEAN) {
        return code;
    }
    const char *what = argv[optind];
    a.about = what;
    if (vmlist_names_image(what) || isdigit((unsigned char)*what)) {
        code = vms_one(&a, what, inspect_usage, &number);
        code = code == EXIT_CLEAN ? api_get(&a, &answer, "/v1/vms/%u", number) : code;
    } else {
        code = api_get(&a, &answer, "/v1/images/%s", api_part(part, what));
    }
    if (code == EXIT_CLEAN && options_json) {
        show_json(answer);
    } else if (code == EXIT_CLEAN) {
        show_object(answer);
    }
    json_decref(answer);
    api_close(&a);
    return code;
}
