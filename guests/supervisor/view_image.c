/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Images: the objects, changing their weight and limit, and deleting those that were uploaded.
 */
#include "guests/supervisor/steps.h"

static const char *const state_names[] = {"booting", "ready", "failed", "absent"};
static const char *const network_names[] = {"none", "internal", "uplink", "control"};

static void put_vms(struct out *out, const struct toklat_group *g)
{
    out_field(out, ",\"vms\":{\"defined\":", g->defined);
    out_field(out, ",\"live\":", g->live);
    out_field(out, ",\"stored\":", g->stored);
    out_field(out, ",\"paused\":", g->paused);
    out_field(out, ",\"dead\":", g->dead);
    out_char(out, '}');
}

void image_write(struct out *out, uint32_t group)
{
    const struct toklat_group *g = &groups.at[group];
    bool loaded = (g->flags & TOKLAT_GROUP_LOADED) != 0;
    bool supervisor = (g->flags & TOKLAT_GROUP_SUPERVISOR) != 0;
    out_text(out, "{\"name\":");
    out_json(out, g->name, sizeof(g->name));
    out_field(out, ",\"index\":", group);
    out_text(out, ",\"file\":");
    out_json(out, g->file, sizeof(g->file));
    out_text(out, ",\"state\":\"");
    out_text(out, state_names[g->state <= TOKLAT_GROUP_ABSENT ? g->state : TOKLAT_GROUP_ABSENT]);
    out_text(out, loaded ? "\",\"loaded\":true" : "\",\"loaded\":false");
    out_text(out, supervisor ? ",\"supervisor\":true" : ",\"supervisor\":false");
    out_text(out, ",\"network\":\"");
    out_text(out, network_names[g->network <= TOKLAT_NETWORK_CONTROL ? g->network : 0]);
    out_field(out, "\",\"first_vm\":", g->first_vm);
    out_field(out, ",\"instances\":", g->count);
    out_field(out, ",\"reserve\":", g->reserve);
    out_field(out, ",\"weight\":", g->weight);
    out_field(out, ",\"memory_limit_bytes\":", (uint64_t)g->limit_pages * TOKLAT_PAGE_BYTES);
    out_field(out, ",\"memory_bytes\":", (uint64_t)g->memory_pages * TOKLAT_PAGE_BYTES);
    out_field(out, ",\"template_bytes\":", (uint64_t)g->template_pages * TOKLAT_PAGE_BYTES);
    put_vms(out, g);
    out_field(out, ",\"started\":", g->started);
    out_field(out, ",\"killed\":", g->killed);
    out_field(out, ",\"exited\":", g->exited);
    out_char(out, '}');
}

int image_find(struct exchange *x, const char *name)
{
    int group = groups_find(text_of(name));
    if (group < 0) {
        problem_field(&x->problem, 404, "image", text_of(name), "an image that there is");
    }
    return group;
}

enum step step_images(struct exchange *x, struct out *out)
{
    uint32_t *i = &x->at.index;
    for (; *i < groups.count && out_room(out) >= OUT_ITEM_MAX / 2; (*i)++) {
        if (groups_exists(*i)) {
            out_text(out, x->sent++ == 0 ? "{\"images\":[" : ",");
            image_write(out, *i);
        }
    }
    if (*i < groups.count) {
        return STEP_MORE;
    }
    out_text(out, x->sent == 0 ? "{\"images\":[" : "");
    out_text(out, "]}\n");
    return STEP_DONE;
}

static enum step write_one(struct exchange *x, struct out *out, const char *name)
{
    groups_read();
    int group = image_find(x, name);
    if (group >= 0) {
        image_write(out, (uint32_t)group);
        out_char(out, '\n');
    }
    return STEP_DONE;
}

enum step step_image(struct exchange *x, struct out *out)
{
    return write_one(x, out, x->request.name);
}

enum step step_image_patch(struct exchange *x, struct out *out)
{
    const struct patch_request *r = &x->request.patch;
    int64_t result = 0;
    int group = image_find(x, x->request.name);
    if (group < 0) {
        return STEP_DONE;
    }
    if (r->has_weight) {
        result = control_simple(TOKLAT_GROUP_SET, (uint64_t)group, TOKLAT_SET_WEIGHT, r->weight);
    }
    if (result >= 0 && r->has_limit) {
        result = control_simple(TOKLAT_GROUP_SET, (uint64_t)group, TOKLAT_SET_LIMIT_PAGES,
                                r->limit_bytes / TOKLAT_PAGE_BYTES);
    }
    if (result < 0) {
        problem_field(&x->problem, 409, "image", text_of(x->request.name),
                      "one of which this may be set; EL2 answers %d", (int)result);
        return STEP_DONE;
    }
    return write_one(x, out, x->request.name);
}

enum step step_image_delete(struct exchange *x, struct out *out)
{
    (void)out;
    int group = image_find(x, x->request.name);
    if (group < 0) {
        return STEP_DONE;
    }
    const struct toklat_group *g = &groups.at[group];
    if ((g->flags & TOKLAT_GROUP_LOADED) == 0) {
        problem_field(&x->problem, 409, "image", text_of(x->request.name),
                      "one that was uploaded, not the deployment's");
        return STEP_DONE;
    }
    if (groups_existing(g) > 0) {
        problem_number(&x->problem, 409, "vms", groups_existing(g), "no VM of it may exist");
        return STEP_DONE;
    }
    enum step step = judge(x, control_simple(TOKLAT_GROUP_DELETE, (uint64_t)group, 0, 0), 0);
    return step == STEP_MORE ? STEP_DONE : step;
}
