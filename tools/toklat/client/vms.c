/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VM arguments, with the images that the machine has.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/toklat/client/clean.h"
#include "tools/toklat/client/listing.h"
#include "tools/toklat/client/vms.h"

static int no_memory(void)
{
    complain("not enough memory");
    return EXIT_OPERATIONAL;
}

static int fetch_images(struct api *a, struct vms_spans *s)
{
    json_t *answer, *image;
    size_t i;
    int code = api_get(a, &answer, "/v1/images");
    if (code != EXIT_CLEAN) {
        return code;
    }
    const json_t *list = json_object_get(answer, "images");
    s->images = calloc(json_array_size(list) + 1, sizeof(*s->images));
    json_array_foreach(list, i, image)
    {
        struct vmlist_image *to = &s->images[s->image_count];
        const char *name = member_text(image, "name");
        if (!s->images || strlen(name) >= sizeof(to->name)) {
            continue;
        }
        strcpy(to->name, name);
        to->first = (uint32_t)member_number(image, "first_vm");
        to->count = (uint32_t)(member_number(image, "instances") + member_number(image, "reserve"));
        s->image_count++;
    }
    json_decref(answer);
    return s->images ? EXIT_CLEAN : no_memory();
}

static int parse_one(struct vms_spans *s, const char *text)
{
    char why[VMLIST_WHY_BYTES];
    switch (vmlist_parse(text, s->images, s->image_count, &s->spans[s->count], why)) {
    case VMLIST_OK:
        s->count++;
        return EXIT_CLEAN;
    case VMLIST_UNKNOWN:
        complain("%s", why);
        return EXIT_NOT_FOUND;
    default:
        complain("%s", why);
        return EXIT_USAGE;
    }
}

/* --image I with --all is I and an asterisk. */
static int whole_image(struct vms_spans *s, const struct vms_wanted *wanted)
{
    char text[API_PART_BYTES];
    snprintf(text, sizeof(text), "%s/*", wanted->image);
    return parse_one(s, text);
}

int vms_spans(struct api *a, const struct vms_wanted *wanted, const char *usage,
              struct vms_spans *s)
{
    bool names = wanted->image != NULL;
    *s = (struct vms_spans){0};
    if (names != wanted->all) {
        return usage_error(usage, "one goes with the other", "--image and --all");
    }
    if (wanted->count == 0 && !names) {
        return usage_error(usage, "missing", "the VMs");
    }
    for (int i = 0; i < wanted->count; i++) {
        names = names || vmlist_names_image(wanted->arguments[i]);
    }
    s->spans = calloc((size_t)wanted->count + 1, sizeof(*s->spans));
    int code = !s->spans ? no_memory() : names ? fetch_images(a, s) : EXIT_CLEAN;
    for (int i = 0; i < wanted->count && code == EXIT_CLEAN; i++) {
        code = parse_one(s, wanted->arguments[i]);
    }
    return code == EXIT_CLEAN && wanted->image ? whole_image(s, wanted) : code;
}

void vms_free(struct vms_spans *s)
{
    free(s->images);
    free(s->spans);
    *s = (struct vms_spans){0};
}

static bool add(struct vms_numbers *n, uint32_t number)
{
    if (n->count == n->room) {
        size_t room = n->room * 2 + 64;
        uint32_t *more = realloc(n->numbers, room * sizeof(*more));
        if (!more) {
            return false;
        }
        n->numbers = more;
        n->room = room;
    }
    n->numbers[n->count++] = number;
    return true;
}

struct filter {
    struct vms_numbers *numbers;
    const char *const *states;
    bool no_memory;
};

static bool pick(void *context, const char *text, size_t n)
{
    struct filter *f = context;
    struct vm_row row;
    (void)n;
    vm_row_parse(&row, text);
    bool wanted = !f->states;
    for (size_t i = 0; f->states && f->states[i]; i++) {
        wanted = wanted || !strcmp(f->states[i], row.state);
    }
    f->no_memory = wanted && !add(f->numbers, row.number);
    return !f->no_memory;
}

static int existing(struct api *a, const struct vmlist_span *span, struct filter *f)
{
    char query[API_PART_BYTES + 32], part[API_PART_BYTES];
    snprintf(query, sizeof(query), "&image=%s&fields=brief", api_part(part, span->image->name));
    int code = listing_fetch(a, query, LISTING_PAGE, pick, f);
    return f->no_memory ? no_memory() : code;
}

int vms_numbers(struct api *a, const struct vms_spans *s, const char *const *states,
                struct vms_numbers *numbers)
{
    struct filter f = {.numbers = numbers, .states = states};
    int code = EXIT_CLEAN;
    *numbers = (struct vms_numbers){0};
    for (size_t i = 0; i < s->count && code == EXIT_CLEAN; i++) {
        const struct vmlist_span *span = &s->spans[i];
        if (span->all) {
            code = existing(a, span, &f);
            continue;
        }
        for (uint32_t n = span->first; n <= span->last && code == EXIT_CLEAN; n++) {
            code = add(numbers, n) ? EXIT_CLEAN : no_memory();
        }
    }
    return code;
}

int vms_one(struct api *a, const char *argument, const char *usage, uint32_t *number)
{
    struct vms_spans s;
    char *const arguments[] = {(char *)(uintptr_t)argument};
    struct vms_wanted wanted = {.arguments = arguments, .count = 1};
    int code = vms_spans(a, &wanted, usage, &s);
    if (code == EXIT_CLEAN && (s.spans[0].all || s.spans[0].first != s.spans[0].last)) {
        code = usage_error(usage, "one VM is wanted", argument);
    }
    *number = code == EXIT_CLEAN ? s.spans[0].first : 0;
    vms_free(&s);
    return code;
}
