/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Images that the supervisor brings while the machine runs.
 *
 *   1 ... | VMs of the deployment's groups | loaded | free | loaded | free ... | vm_count
 *                                          first_spare()
 *
 * Invariant: frames are held exactly from load_begin() to load_commit() or load_forget().
 */
#include "core/load.h"
#include "arch/memory.h"
#include "core/base/log.h"
#include "core/base/string.h"
#include "core/group.h"
#include "core/residence.h"

_Static_assert(DEPLOYMENT_GROUPS_MAX == TOKLAT_GROUPS_MAX, "as published");
_Static_assert(DEPLOYMENT_IMAGE_NAME_BYTES == TOKLAT_FILE_BYTES, "as published");
_Static_assert(TOKLAT_IMAGE_BYTES_MAX <= PAGE_SIZE << FRAME_ORDER_MAX, "one block of frames");
_Static_assert(NIC_NONE == (int)TOKLAT_NETWORK_NONE &&
                   NIC_INTERNAL == (int)TOKLAT_NETWORK_INTERNAL &&
                   NIC_UPLINK == (int)TOKLAT_NETWORK_UPLINK,
               "as published");

static struct deployment *deployment;
static struct {
    uint8_t *memory; /* NULL: there is no file, and all is 0 */
    uint32_t bytes;  /* announced */
    uint32_t used;
} file;

BOOT void load_init(struct deployment *d)
{
    deployment = d;
    file.memory = NULL;
    file.bytes = file.used = 0;
}

/* --- the file ----------------------------------------------------------------------------- */

void load_forget(void)
{
    for (uint32_t at = 0; at < file.bytes; at += PAGE_SIZE) {
        (void)frame_unref(arch_pa(file.memory + at));
    }
    file.memory = NULL;
    file.bytes = file.used = 0;
}

enum err load_begin(uint64_t bytes)
{
    pa_t pa;
    unsigned order = 0;
    load_forget();
    if (bytes == 0 || bytes > TOKLAT_IMAGE_BYTES_MAX) {
        return ERR_RANGE;
    }
    while (PAGE_SIZE << order < bytes) {
        order++;
    }
    enum err e = frame_alloc_block(FRAME_EL2, FRAME_OWNER_NONE, order, &pa);
    if (e != OK) {
        return e;
    }
    file.memory = arch_ptr(pa);
    file.bytes = (uint32_t)bytes;
    for (uint64_t at = ALIGN_UP(bytes, PAGE_SIZE); at < PAGE_SIZE << order; at += PAGE_SIZE) {
        (void)frame_unref(PA(pa.v + at)); /* a page more than it takes is given back */
    }
    residence_look();
    return OK;
}

enum err load_write(struct vm *supervisor, ipa_t from, uint64_t bytes, uint64_t *so_far)
{
    enum err e = OK;
    uint64_t done = 0;
    if (!file.memory) {
        return ERR_NOT_FOUND;
    }
    if (bytes > file.bytes - file.used) {
        return ERR_RANGE;
    }
    while (e == OK && done < bytes) {
        ipa_t at = IPA(from.v + done);
        size_t n = (size_t)MIN(bytes - done, PAGE_SIZE - (at.v & PAGE_MASK));
        e = guest_read(&supervisor->space, at, file.memory + file.used, n);
        if (e == OK) {
            file.used += (uint32_t)n;
            done += n;
        }
    }
    *so_far = file.used;
    return done ? OK : e;
}

/* --- numbers ------------------------------------------------------------------------------ */

static uint32_t first_spare(void)
{
    return deployment->vm_count - deployment->spare + 1;
}

/* Free numbers from `first` on, to the next loaded group's or the end. */
static uint32_t run_from(uint32_t first)
{
    uint32_t end = deployment->vm_count + 1;
    for (unsigned i = deployment->group_count; i < group_count; i++) {
        const struct group *g = group_find(i);
        uint32_t behind = g ? g->config->first_vm + g->config->reserve : 0;
        if (behind > first) {
            end = MIN(end, g->config->first_vm);
        }
    }
    return end > first ? end - first : 0;
}

/* The longest run of free numbers; it begins behind a group's numbers. */
static uint32_t longest_run(uint32_t *first)
{
    uint32_t best = run_from(first_spare());
    *first = first_spare();
    for (unsigned i = deployment->group_count; i < group_count; i++) {
        const struct group *g = group_find(i);
        uint32_t behind = g ? g->config->first_vm + g->config->reserve : 0;
        uint32_t run = g ? run_from(behind) : 0;
        if (run > best) {
            best = run;
            *first = behind;
        }
    }
    return best;
}

uint32_t load_spare(void)
{
    uint32_t first;
    return deployment && deployment->spare ? longest_run(&first) : 0;
}

/* --- what is said of it ------------------------------------------------------------------- */

static enum err PRINTF(3, 4) refuse(struct toklat_load *l, enum err e, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fmt_vsnprintf(l->problem, sizeof(l->problem), fmt, args);
    va_end(args);
    return e;
}

/* Whether the bytes are a string with its end in them; what is behind that is not looked at. */
static bool is_text(const char *text, size_t size)
{
    size_t n = 0;
    while (n < size && text[n] != '\0' && deployment_is_printable(text[n])) {
        n++;
    }
    return n < size && text[n] == '\0';
}

static const struct {
    const char *what;
    uint32_t offset, size;
} texts[] = {
    {"name", offsetof(struct toklat_load, name), TOKLAT_NAME_BYTES},
    {"file", offsetof(struct toklat_load, file), TOKLAT_FILE_BYTES},
    {"args", offsetof(struct toklat_load, args), TOKLAT_ARGS_BYTES},
};

static enum err check_strings(struct toklat_load *l)
{
    for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
        if (!is_text((const char *)l + texts[i].offset, texts[i].size)) {
            return refuse(l, ERR_INVALID, "%s: not printable ASCII, or more than %u characters",
                          texts[i].what, texts[i].size - 1);
        }
    }
    if (l->file[0] == '\0') {
        return refuse(l, ERR_INVALID, "file: \"\": from 1 to %zu characters", sizeof(l->file) - 1);
    }
    if (!deployment_is_name(l->name)) {
        return refuse(l, ERR_INVALID,
                      "name: \"%s\": 1 or more letters, digits and " DEPLOYMENT_NAME_CHARS,
                      l->name);
    }
    return OK;
}

static enum err check_peers(struct toklat_load *l)
{
    for (uint32_t i = 0; i < l->peer_count; i++) {
        if (!group_find(l->peers[i])) {
            return refuse(l, ERR_RANGE, "peers: %u: below %u, and there", l->peers[i], group_count);
        }
    }
    return OK;
}

/* The memory's size is checked with the image. */
static const struct {
    const char *what;
    uint32_t offset, min, max;
} numbers[] = {
    {"reserve", offsetof(struct toklat_load, reserve), 1, DEPLOYMENT_VMS_MAX},
    {"weight", offsetof(struct toklat_load, weight), SCHED_WEIGHT_MIN, SCHED_WEIGHT_MAX},
    {"network", offsetof(struct toklat_load, network), NIC_NONE, NIC_UPLINK},
    {"peer_count", offsetof(struct toklat_load, peer_count), 0, TOKLAT_PEERS_MAX},
};

static enum err check_numbers(struct toklat_load *l)
{
    for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++) {
        uint32_t value, min = numbers[i].min, max = numbers[i].max;
        memcpy(&value, (const char *)l + numbers[i].offset, sizeof(value));
        if (value < min || value > max) {
            return refuse(l, ERR_RANGE, "%s: %u: from %u to %u", numbers[i].what, value, min, max);
        }
    }
    return check_peers(l);
}

static enum err find_place(struct toklat_load *l, unsigned *index, uint32_t *first)
{
    unsigned i = 0;
    for (unsigned k = 0; k < group_count; k++) {
        if (group_find(k) && strcmp(groups[k].config->name, l->name) == 0) {
            return refuse(l, ERR_BUSY, "name: \"%s\": a group of this name exists: limit 1",
                          l->name);
        }
    }
    while (group_find(i)) {
        i++;
    }
    if (i == DEPLOYMENT_GROUPS_MAX) {
        return refuse(l, ERR_NO_MEMORY, "groups: %u: at most %u", i + 1, DEPLOYMENT_GROUPS_MAX);
    }
    uint32_t most = longest_run(first);
    if (l->reserve > most) {
        return refuse(l, ERR_NO_MEMORY, "reserve: %u: at most %u spare numbers are left in a row",
                      l->reserve, most);
    }
    *index = i;
    return OK;
}

/* --- the group ---------------------------------------------------------------------------- */

static enum err check(struct toklat_load *l, unsigned *index, uint32_t *first)
{
    if (file.used == 0 || file.used < file.bytes) {
        return refuse(l, file.memory ? ERR_INVALID : ERR_NOT_FOUND,
                      "file: %u bytes are there: %u were announced", file.used, file.bytes);
    }
    l->weight = l->weight ? l->weight : SCHED_WEIGHT_NORMAL;
    enum err e = check_strings(l);
    if (e == OK) {
        e = check_numbers(l);
    }
    return e == OK ? find_place(l, index, first) : e;
}

static const struct deployment_group *describe(const struct toklat_load *l, unsigned index,
                                               uint32_t first)
{
    struct deployment_group *c = &deployment->groups[index];
    *c = (struct deployment_group){.first_vm = first,
                                   .reserve = l->reserve,
                                   .memory_bytes = l->memory_bytes,
                                   .weight = (uint16_t)l->weight,
                                   .reach = (enum nic_reach)l->network,
                                   .peer_count = l->peer_count};
    memcpy(c->name, l->name, sizeof(c->name));
    memcpy(c->image, l->file, sizeof(c->image));
    memcpy(c->args, l->args, sizeof(c->args));
    memcpy(c->peers, l->peers, sizeof(c->peers));
    return c;
}

/* Its template is logged when it is ready, or ended, as any other's. */
static enum err commit(struct toklat_load *l, unsigned index, uint32_t first)
{
    struct refusal why = {0};
    enum err e = group_load(index, describe(l, index, first), file.memory, file.bytes, &why);
    if (e == ERR_NO_MEMORY) {
        return refuse(l, e, "frames: %llu are free: too few for the image",
                      (unsigned long long)frame_count(FRAME_FREE));
    }
    if (e != OK) {
        group_refusal_text(&why, l->problem, sizeof(l->problem));
    }
    return e;
}

enum err load_commit(struct toklat_load *l, unsigned *group)
{
    uint32_t first = 0;
    l->problem[0] = '\0';
    enum err e = check(l, group, &first);
    if (e == OK) {
        e = commit(l, *group, first);
    }
    load_forget();
    return e;
}
