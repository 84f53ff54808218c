/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Groups: from an image, in the archive or loaded later, to a template.
 */
#include "core/group.h"
#include "arch/memory.h"
#include "arch/time.h"
#include "core/archive.h"
#include "core/base/log.h"
#include "core/base/string.h"
#include "core/bringback.h"
#include "core/identity.h"
#include "core/journal.h"
#include "core/residence.h"
#include "core/run.h"
#include "core/snapshot.h"

/* Clones that one pass of the scheduler starts: bounds the time that others wait. */
#define STARTS_AT_ONCE 16

/* The text of an image's refusal. */
#define REFUSAL_BYTES 128

#define ULL(x) ((unsigned long long)(x))

struct group groups[DEPLOYMENT_GROUPS_MAX];
unsigned group_count;
uint32_t group_starts_due;

static unsigned deployed; /* groups of the deployment: the first ones */

static void define_stubs(struct group *g)
{
    const struct deployment_group *c = g->config;
    for (uint32_t i = c->count + c->reserve; i > 0; i--) {
        vm_define(g, c->first_vm + i - 1, i <= c->count);
    }
}

static void tell(const struct group *g, enum toklat_journal kind)
{
    journal_add(kind, 0, g->index, g->config->name, strlen(g->config->name));
}

void group_fail(struct group *g)
{
    g->state = GROUP_FAILED;
    g->template = NULL;
    log_error("group %s: no template, its VMs do not start", g->config->name);
    tell(g, TOKLAT_JOURNAL_FAILED);
}

void group_freeze(struct group *g)
{
    struct vm *vm = g->template;
    context_retire(&vm->context, true);
    space_freeze(&vm->space, FRAME_OWNER_TEMPLATE + g->index);
    vm->wait = WAIT_NONE;
    g->state = GROUP_READY;
    log_info("group %s: template of %u KiB in %u pages, %u VMs", g->config->name,
             vm->space.shared_pages * 4, vm->space.shared_pages, g->config->count);
    tell(g, TOKLAT_JOURNAL_IMAGE);
    if (g->config->start_at_boot && g->config->count) {
        g->start_next = 1;
        group_starts_due++;
    }
    residence_note(); /* it is to be saved */
}

/* A template is written once, when it is made: without it the records of its VMs are worth nothing.
 */
bool group_save_templates(void)
{
    bool saved = false;
    for (unsigned i = 0; i < group_count; i++) {
        struct group *g = &groups[i];
        if (g->state != GROUP_READY || g->template_id || g->unsavable || !store_takes_records()) {
            continue;
        }
        enum err e = snapshot_write_template(g);
        if (e == ERR_RANGE) {
            g->unsavable = true;
            log_warn(
                "group %s: its template is too large for a record: its VMs stay in memory, and "
                "are lost with it",
                g->config->name);
        }
        saved |= e == OK;
    }
    return saved;
}

/* Of all that a template is made from: an image that changes, or is told something else, makes
 * another one. */
static uint32_t image_key(const struct group *g, const void *file, size_t bytes)
{
    const struct deployment_group *c = g->config;
    const struct switch_config *net = switch_get_config();
    uint32_t crc = checksum(0, file, bytes);
    crc = checksum(crc, c->name, sizeof(c->name));
    crc = checksum(crc, c->args, sizeof(c->args));
    crc = checksum(crc, &g->image.layout.pages, sizeof(g->image.layout.pages));
    crc = checksum(crc, net, sizeof(*net));
    for (uint32_t i = 0; i < c->peer_count; i++) {
        const struct deployment_group *peer = groups[c->peers[i]].config;
        crc = checksum(crc, peer->name, sizeof(peer->name));
        crc = checksum(crc, &peer->first_vm, sizeof(peer->first_vm));
        crc = checksum(crc, &peer->count, sizeof(peer->count));
    }
    return crc;
}

static enum err read_image(struct group *g, const void *file, size_t bytes, struct refusal *why)
{
    enum err e = image_parse(file, bytes, g->config->memory_bytes, &g->image, why);
    if (e == OK) {
        g->image_key = image_key(g, file, bytes);
    }
    return e;
}

void group_refusal_text(const struct refusal *why, char *out, size_t size)
{
    fmt_snprintf(out, size, "%s%s%s: %llu (0x%llx): limit %llu (0x%llx)",
                 why->where ? why->where : "", why->where ? ": " : "",
                 why->what ? why->what : "file", ULL(why->value), ULL(why->value), ULL(why->limit),
                 ULL(why->limit));
}

BOOT static enum err find_image(struct group *g, const void *archive, size_t bytes)
{
    const void *file;
    size_t file_bytes;
    struct refusal why = {0};
    char text[REFUSAL_BYTES];
    const char *name = g->config->image;
    enum err e = archive_find(archive, bytes, name, &file, &file_bytes, &why);
    if (e == ERR_NOT_FOUND) {
        log_error("group %s: image = \"%s\": not in the archive", g->config->name, name);
        return e;
    }
    if (e == OK) {
        e = read_image(g, file, file_bytes, &why);
    }
    if (e != OK) {
        group_refusal_text(&why, text, sizeof(text));
        log_error("group %s: %s: %s: %s", g->config->name, name, text, err_name(e));
    }
    return e;
}

/* A VM of number 0 that holds the image and stands at its entry. */
static enum err load(struct group *g)
{
    g->boot = (struct stub){.group = g->index, .state = VM_LIVE};
    enum err e = vm_allocate(&g->boot, g->image.flags & TOKLAT_IMAGE_MMU);
    if (e != OK) {
        return e;
    }
    struct vm *vm = g->boot.vm;
    space_init(&vm->space, &g->image.layout, FRAME_OWNER_NONE);
    e = image_load(&g->image, &vm->space);
    if (e == OK) {
        e = identity_first(vm);
    }
    if (e != OK) {
        vm_free(vm);
        return e;
    }
    context_init(&vm->context, g->image.entry, (uint64_t)g->image.layout.pages << PAGE_SHIFT,
                 TOKLAT_SYSTEM_PAGE, g->image.flags & TOKLAT_IMAGE_MMU, vm->context.extra);
    sched_entry_init(&vm->sched, g->weight, KEEPER);
    g->template = vm;
    return OK;
}

/* The template as it is in the store. False: it has none that can be used. */
BOOT static bool load_stored(struct group *g)
{
    if (!bringback_template_is_stored(g)) {
        return false;
    }
    g->boot = (struct stub){.group = g->index, .state = VM_LIVE};
    if (vm_allocate(&g->boot, false) != OK) {
        return false;
    }
    struct vm *vm = g->boot.vm;
    space_init(&vm->space, &g->image.layout, FRAME_OWNER_NONE);
    if (bringback_template(g, vm) != OK) {
        vm_free(vm);
        return false;
    }
    g->template = vm;
    return true;
}

/* The template that was loaded boots, or needs not. */
static void begin(struct group *g)
{
    if (g->image.flags & TOKLAT_IMAGE_CHECKPOINT) {
        run_wake(g->template);
    } else {
        group_freeze(g);
    }
}

BOOT static void prepare(struct group *g, const void *archive, size_t bytes)
{
    enum err e = find_image(g, archive, bytes);
    if (e == OK && load_stored(g)) {
        group_freeze(g);
        return;
    }
    if (e == OK) {
        e = load(g);
        if (e != OK) {
            log_error("group %s: loading %s: %s", g->config->name, g->config->image, err_name(e));
        }
    }
    if (e != OK) {
        group_fail(g);
    } else {
        begin(g);
    }
}

BOOT enum err group_define_all(const struct deployment *d)
{
    enum err e = vm_table_init(d->vm_count);
    if (e != OK) {
        return e;
    }
    group_count = deployed = d->group_count;
    for (unsigned i = 0; i < group_count; i++) {
        groups[i].config = &d->groups[i];
        groups[i].index = (uint8_t)i;
        groups[i].weight = d->groups[i].weight;
        define_stubs(&groups[i]);
    }
    return OK;
}

BOOT void group_prepare_all(const void *archive, size_t bytes)
{
    for (unsigned i = 0; i < group_count; i++) {
        prepare(&groups[i], archive, bytes);
    }
}

/* --- while the machine runs --------------------------------------------------------------- */

bool group_is_loaded(unsigned index)
{
    return index >= deployed;
}

/* Of group `index` there is none. */
static void set_absent(unsigned index)
{
    const struct deployment_group *last = groups[index].config;
    groups[index] = (struct group){.config = last, .index = (uint8_t)index, .state = GROUP_ABSENT};
    while (group_count > deployed && groups[group_count - 1].state == GROUP_ABSENT) {
        group_count--;
    }
}

/* Whether there are frames for all that the file has, each page with a table at most, beyond those
 * that admission leaves. */
static bool fits(const struct image *image)
{
    uint64_t frames = gatekeeper.limits.floor + STAGE2_ROOT_ENTRIES;
    for (unsigned i = 0; i < image->segment_count; i++) {
        frames += (image->segments[i].file_bytes >> PAGE_SHIFT) + 1;
    }
    return frame_count(FRAME_FREE) > frames;
}

/* The fences: whoever finds a stub that points to the group finds what it says, and whoever finds a
 * VM that was created of it finds its stub. Partner: the address dependency in network.c, exists(),
 * where a stub that is read too early names a group that was there before. */
enum err group_load(unsigned index, const struct deployment_group *config, const void *file,
                    size_t bytes, struct refusal *why)
{
    struct group *g = &groups[index];
    *g = (struct group){
        .config = config, .index = (uint8_t)index, .state = GROUP_ABSENT, .weight = config->weight};
    enum err e = read_image(g, file, bytes, why);
    if (e == OK) {
        e = fits(&g->image) ? load(g) : ERR_NO_MEMORY;
    }
    if (e != OK) {
        set_absent(index);
        return e;
    }
    g->state = GROUP_BOOTING;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    define_stubs(g);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    group_count = MAX(group_count, index + 1);
    begin(g);
    residence_look();
    return OK;
}

static bool has_vms(const struct group *g)
{
    const struct deployment_group *c = g->config;
    uint32_t n = c->first_vm, end = n + c->count + c->reserve;
    while (n < end && !vm_find(n)) {
        n++;
    }
    return n < end;
}

static void forget_template(struct group *g)
{
    uint32_t slot = store_template_slot(g->index);
    if (store_is_open() && (g->template_place.sector != STORE_NOTHING || store_is_pending(slot))) {
        store_mark(slot, STORE_NOTHING);
        residence_note();
    }
}

/* What the template shares with VMs is its own again: there are none. */
enum err group_delete(unsigned index)
{
    struct group *g = group_find(index);
    if (!g) {
        return ERR_NOT_FOUND;
    }
    if (!group_is_loaded(index)) {
        return ERR_DENIED;
    }
    if (has_vms(g)) {
        return ERR_BUSY;
    }
    if (g->template) {
        mux_remove(&run_this()->mux, &g->template->sched, counter_now());
        vm_free(g->template);
    }
    forget_template(g);
    log_info("group %s: deleted", g->config->name);
    tell(g, TOKLAT_JOURNAL_DELETED);
    set_absent(index);
    return OK;
}

/* --- at boot ------------------------------------------------------------------------------- */

static void start_next(struct group *g)
{
    struct stub *s = vm_find(g->config->first_vm + g->start_next - 1);
    if (s && s->state == VM_DEFINED) {
        enum err e = residence_start(s);
        if (e != OK) {
            log_error("group %s: instance %u and those after it do not start: %s", g->config->name,
                      g->start_next, err_name(e));
            g->start_next = g->config->count;
        }
    }
    if (g->start_next++ >= g->config->count) {
        g->start_next = 0;
        group_starts_due--;
    }
}

void group_start_batch(void)
{
    unsigned left = STARTS_AT_ONCE;
    for (unsigned i = 0; i < group_count; i++) {
        while (left && groups[i].start_next) {
            start_next(&groups[i]);
            left--;
        }
    }
}
