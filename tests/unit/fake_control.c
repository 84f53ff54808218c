/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine behind vm_control.
 */
#include "tests/unit/fake_control.h"

#include <stdio.h>
#include <string.h>

#include "guests/supervisor/exchange.h"
#include "guests/supervisor/groups.h"

struct fake fake;

static const char page[] = "<html>a page</html>";

uint64_t platform_now_ns(void)
{
    fake.now_ns += 1000000;
    return fake.now_ns;
}

bool platform_date(char date[30])
{
    memcpy(date, "Thu, 29 Feb 2024 23:59:59 GMT", 30);
    return true;
}

struct http_text platform_page(void)
{
    return (struct http_text){page, sizeof(page) - 1};
}

static void set_group(uint32_t i, const char *name, uint32_t first, uint32_t count,
                      uint32_t reserve, uint32_t flags)
{
    struct toklat_group *g = &fake.groups[i];
    *g = (struct toklat_group){.state = TOKLAT_GROUP_READY,
                               .flags = flags,
                               .network = TOKLAT_NETWORK_INTERNAL,
                               .first_vm = first,
                               .count = count,
                               .reserve = reserve,
                               .weight = 256,
                               .memory_pages = 1024,
                               .template_pages = 23};
    snprintf(g->name, sizeof(g->name), "%s", name);
    snprintf(g->file, sizeof(g->file), "%s.elf", name);
}

static void set_vm(uint32_t number, uint8_t group, enum toklat_vm_state state)
{
    fake.vms[number] =
        (struct toklat_vm){.brief = {.number = number, .group = group, .state = (uint8_t)state}};
}

void fake_begin(void)
{
    memset(&fake, 0, sizeof(fake));
    set_group(0, "supervisor", 1, 1, 0, TOKLAT_GROUP_SUPERVISOR);
    set_group(1, "web", 2, 10, 99, 0);
    set_group(2, "extra", 111, 0, 10, TOKLAT_GROUP_LOADED);
    fake.groups[3].state = TOKLAT_GROUP_ABSENT;
    fake.machine.groups = FAKE_GROUPS;
    fake.machine.cpus = 2;
    fake.machine.vms = FAKE_VMS;
    fake.machine.spare_vms = 50;
    fake.machine.ram_pages = 262144;
    fake.machine.store.capacity_bytes = 1 << 30;
    fake.journal_base = 1000;
    fake.machine.journal_first = fake.machine.journal_next = fake.journal_base;
    fake.input_room = sizeof(fake.input);
    for (uint32_t n = 2; n <= 11; n++) {
        set_vm(n, 1, TOKLAT_VM_DEFINED);
    }
    set_vm(1, 0, TOKLAT_VM_DEFINED);
    fake_live(1, TOKLAT_VM_RUNNING, 50);
}

void fake_live(uint32_t number, enum toklat_vm_state state, uint32_t private_pages)
{
    struct toklat_vm *vm = &fake.vms[number];
    vm->brief.state = (uint8_t)state;
    vm->private_pages = private_pages;
    vm->shared_pages = 20;
    vm->table_pages = 1;
    vm->descriptor_bytes = 1024;
    vm->pss_bytes = private_pages * TOKLAT_PAGE_BYTES + 100;
    vm->cpu_ns = number * 1000000ull;
}

void fake_note(enum toklat_journal kind, uint32_t vm, int64_t value, const char *text)
{
    size_t length = strlen(text);
    size_t bytes = (sizeof(struct toklat_journal_entry) + length + 7) / 8 * 8;
    char *at = (char *)fake.journal + (fake.machine.journal_next - fake.journal_base);
    struct toklat_journal_entry *e = (void *)at;
    if (at + bytes > (char *)fake.journal + sizeof(fake.journal)) {
        return;
    }
    *e = (struct toklat_journal_entry){.bytes = (uint16_t)bytes,
                                       .kind = (uint8_t)kind,
                                       .text_bytes = (uint8_t)length,
                                       .vm = vm,
                                       .time_ns = 5000000000,
                                       .value = value};
    memcpy(e + 1, text, length);
    fake.machine.journal_next += bytes;
}

static struct toklat_vm *find(uint64_t number)
{
    bool exists = number >= 1 && number <= FAKE_VMS && fake.vms[number].brief.number != 0;
    return exists ? &fake.vms[number] : NULL;
}

static int64_t create(uint64_t group)
{
    const struct toklat_group *g = &fake.groups[group];
    if (group >= FAKE_GROUPS) {
        return TOKLAT_E_NOT_FOUND;
    }
    if (fake.fail_create_after != 0 && --fake.fail_create_after == 0) {
        return TOKLAT_E_NO_MEMORY;
    }
    for (uint32_t n = g->first_vm + g->count; n < g->first_vm + g->count + g->reserve; n++) {
        if (fake.vms[n].brief.number == 0) {
            set_vm(n, (uint8_t)group, TOKLAT_VM_DEFINED);
            return n;
        }
    }
    return TOKLAT_E_NO_MEMORY;
}

static int64_t destroy(struct toklat_vm *vm)
{
    const struct toklat_group *g = &fake.groups[vm->brief.group];
    uint32_t number = vm->brief.number;
    if (number == 1) {
        return TOKLAT_E_DENIED;
    }
    memset(vm, 0, sizeof(*vm));
    if (number < g->first_vm + g->count) {
        set_vm(number, 1, TOKLAT_VM_DEFINED);
    }
    return 0;
}

static int64_t set_state(struct toklat_vm *vm, enum toklat_vm_state state)
{
    vm->brief.state = (uint8_t)state;
    return 0;
}

static int64_t input(uint64_t address, uint64_t bytes)
{
    size_t room = fake.input_room - fake.input_length;
    size_t taken = bytes < room ? bytes : room;
    memcpy(&fake.input[fake.input_length], (const void *)(uintptr_t)address, taken);
    fake.input_length += taken;
    return (int64_t)taken;
}

static int64_t read_vms(uint64_t first, uint64_t to, uint64_t count, uint64_t flags, uint64_t *next)
{
    int64_t n = 0;
    uint64_t number = first;
    if (count > TOKLAT_VM_READ_MAX || to % 8 != 0) {
        return TOKLAT_E_INVALID;
    }
    for (; number <= FAKE_VMS && (uint64_t)n < count; number++) {
        if (fake.vms[number].brief.number == 0) {
            continue;
        }
        if ((flags & TOKLAT_VM_READ_STATE) != 0) {
            ((struct toklat_vm_brief *)(uintptr_t)to)[n++] = fake.vms[number].brief;
        } else {
            ((struct toklat_vm *)(uintptr_t)to)[n++] = fake.vms[number];
        }
    }
    *next = number <= FAKE_VMS ? number : 0;
    return n;
}

static int64_t read_group(uint64_t group, uint64_t to)
{
    if (group >= FAKE_GROUPS) {
        return TOKLAT_E_NOT_FOUND;
    }
    struct toklat_group *g = &fake.groups[group];
    g->defined = g->live = g->stored = g->paused = g->dead = 0;
    for (uint32_t n = 1; n <= FAKE_VMS; n++) {
        const struct toklat_vm_brief *b = &fake.vms[n].brief;
        if (b->number != 0 && b->group == group) {
            g->defined += b->state == TOKLAT_VM_DEFINED;
            g->stored += b->state == TOKLAT_VM_STORED;
            g->paused += b->state == TOKLAT_VM_PAUSED;
            g->dead += b->state == TOKLAT_VM_DEAD;
            g->live += b->state >= TOKLAT_VM_RUNNING && b->state <= TOKLAT_VM_WAITING;
        }
    }
    memcpy((void *)(uintptr_t)to, g, sizeof(*g));
    return 0;
}

static int64_t read_journal(uint64_t cursor, uint64_t to, uint64_t bytes, struct control_more *more)
{
    uint64_t first = fake.machine.journal_first;
    uint64_t at = cursor < first ? first : cursor;
    uint64_t done = 0;
    more->x2 = first;
    while (at < fake.machine.journal_next) {
        const char *from = (const char *)fake.journal + (at - fake.journal_base);
        const struct toklat_journal_entry *e = (const void *)from;
        if (e->bytes > bytes - done) {
            break;
        }
        memcpy((char *)(uintptr_t)to + done, from, e->bytes);
        at += e->bytes;
        done += e->bytes;
    }
    more->x1 = at;
    return (int64_t)done;
}

static int64_t load(uint64_t address)
{
    struct toklat_load *l = (void *)(uintptr_t)address;
    fake.load = *l;
    if (fake.load_problem != NULL) {
        snprintf(l->problem, sizeof(l->problem), "%s", fake.load_problem);
        return TOKLAT_E_INVALID;
    }
    set_group(3, l->name, 200, 0, l->reserve, TOKLAT_GROUP_LOADED);
    fake.groups[3].state = TOKLAT_GROUP_BOOTING;
    return 3;
}

static int64_t on_vm(uint64_t operation, struct toklat_vm *vm, uint64_t b, uint64_t c)
{
    int64_t clone;
    switch (operation) {
    case TOKLAT_VM_START:
        return set_state(vm, TOKLAT_VM_RUNNABLE);
    case TOKLAT_VM_DESTROY:
        return destroy(vm);
    case TOKLAT_VM_PAUSE:
        return set_state(vm, TOKLAT_VM_PAUSED);
    case TOKLAT_VM_RESUME:
    case TOKLAT_VM_RESTART:
        return set_state(vm, TOKLAT_VM_RUNNABLE);
    case TOKLAT_VM_CHECKPOINT:
        vm->record += 8;
        vm->record_bytes = 4096;
        return 0;
    case TOKLAT_VM_CLONE:
        clone = create(vm->brief.group);
        return clone;
    default:
        return input(b, c);
    }
}

static bool refuses(uint64_t operation, int64_t *result)
{
    *result = fake.refuse[operation];
    if (*result != 0 && fake.refusals[operation] != 0 && --fake.refusals[operation] == 0) {
        fake.refuse[operation] = 0;
    }
    return *result != 0;
}

int64_t control(uint64_t operation, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                struct control_more *more)
{
    int64_t result;
    *more = (struct control_more){0};
    if (operation >= TOKLAT_OPERATIONS) {
        return TOKLAT_E_INVALID;
    }
    fake.calls[operation]++;
    if (refuses(operation, &result)) {
        return result;
    }
    switch (operation) {
    case TOKLAT_VM_CREATE:
        return create(a);
    case TOKLAT_VM_READ:
        return read_vms(a, b, c, d, &more->x1);
    case TOKLAT_GROUP_READ:
        return read_group(a, b);
    case TOKLAT_GROUP_SET:
        *(b == TOKLAT_SET_WEIGHT ? &fake.groups[a].weight : &fake.groups[a].limit_pages) =
            (uint32_t)c;
        return 0;
    case TOKLAT_GROUP_DELETE:
        fake.groups[a].state = TOKLAT_GROUP_ABSENT;
        return 0;
    case TOKLAT_MACHINE_READ:
        memcpy((void *)(uintptr_t)a, &fake.machine, sizeof(fake.machine));
        return 0;
    case TOKLAT_JOURNAL_READ:
        return read_journal(a, b, c, more);
    case TOKLAT_IMAGE_BEGIN:
        fake.image_bytes = a;
        fake.image_written = 0;
        return a == 0 ? TOKLAT_E_RANGE : 0;
    case TOKLAT_IMAGE_WRITE:
        fake.image_written += b;
        return (int64_t)fake.image_written;
    case TOKLAT_IMAGE_LOAD:
        return load(a);
    default:
        return find(a) == NULL ? TOKLAT_E_NOT_FOUND : on_vm(operation, find(a), b, c);
    }
}
