/* SPDX-License-Identifier: BSD-2-Clause */
// sources: machine
/*
 * Any bytes as what the supervisor says of an image, and as the image: refused with a reason, or a
 * group whose VMs run; nothing is left of it in either case. The first bytes say what becomes of a
 * sound request and of a sound image; the rest goes over one of them, or both.
 */
#include <stdlib.h>

#include "core/load.h"
#include "tests/unit/machine.h"

#define SPARE 12u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void start(void)
{
    machine_init(MIB(8));
    struct deployment_group *boss = machine_add("boss", 1, 0);
    boss->supervisor = boss->start_at_boot = true;
    machine_add("web", 3, 2);
    machine_spare(SPARE);
    machine_start();
    machine_boot(0);
}

/* Bytes of the input, and zeros behind them. */
struct input {
    const uint8_t *data;
    size_t size;
};

static uint32_t take(struct input *in, uint8_t *out, size_t n)
{
    size_t have = MIN(n, in->size);
    memcpy(out, in->data, have);
    in->data += have;
    in->size -= have;
    return (uint32_t)have;
}

static void change(struct input *in, void *object, size_t bytes, size_t where)
{
    uint8_t head[3] = {0};
    (void)take(in, head, sizeof(head));
    size_t at = (head[0] | (size_t)head[1] << 8) % where;
    (void)take(in, (uint8_t *)object + at, MIN(head[2], bytes - at));
}

static void write_file(const void *file, size_t bytes, size_t announced)
{
    struct vm *boss = machine_vm(1);
    uint64_t so_far;
    must(guest_write(&boss->space, IPA(GUEST_UNUSED), file, bytes) == OK);
    if (load_begin(announced) == OK) {
        enum err e = load_write(boss, IPA(GUEST_UNUSED), bytes, &so_far);
        must(e == (bytes > announced ? ERR_RANGE : OK));
    }
}

/* A sound group: its template plays, and a VM of it. */
static void try_group(unsigned index, const struct toklat_load *l)
{
    struct group *g = group_find(index);
    uint32_t number;
    must(g && group_is_loaded(index) && strcmp(g->config->name, l->name) == 0);
    must(load_spare() <= SPARE - l->reserve || l->reserve > SPARE);
    machine_check(true);
    for (unsigned i = 0; g->state == GROUP_BOOTING && i < 8; i++) {
        machine_trap(machine_current()->stub->number ? TOKLAT_IDLE : TOKLAT_CHECKPOINT, 0, 0);
    }
    must(g->state == GROUP_READY);
    must(vm_create(g, &number) == OK && vm_start(vm_find(number)) == OK);
    must(group_delete(index) == ERR_BUSY);
    machine_check(true);
    vm_destroy(vm_find(number));
    must(group_delete(index) == OK);
}

static void try_load(struct input *in)
{
    static struct elf_file image;
    struct toklat_load l = {.name = "new", .file = "new.elf", .reserve = 2, .network = 2};
    uint8_t how = 0;
    unsigned index;
    (void)take(in, &how, 1);
    elf_make(&image);
    if (how & 1) {
        change(in, &l, sizeof(l), sizeof(l));
    }
    if (how & 2) {
        change(in, &image, sizeof(image), offsetof(struct elf_file, pad));
    }
    size_t bytes = how & 4 ? take(in, (uint8_t *)&image, sizeof(image)) : sizeof(image);
    write_file(&image, bytes, how & 8 ? bytes + how % 32 : bytes);
    if (load_commit(&l, &index) == OK) {
        try_group(index, &l);
    } else {
        must(memchr(l.problem, '\0', sizeof(l.problem)) && l.problem[0] != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;
    struct input in = {data, size};
    if (!started) {
        start();
        started = true;
    }
    struct vm *boss = machine_vm(1);
    for (uint64_t page = 0; page < 6; page++) { /* which the first file would else take */
        uint8_t zero = 0;
        must(guest_write(&boss->space, IPA(GUEST_UNUSED + page * PAGE_SIZE), &zero, 1) == OK);
    }
    struct machine_frames before = machine_frames(), after;
    try_load(&in);
    machine_check(true);
    after = machine_frames();
    must(machine_frames_equal(&before, &after) && group_count == 2 && load_spare() == SPARE);
    return 0;
}
