/* SPDX-License-Identifier: BSD-2-Clause */
// sources: machine
/*
 * A VM as a record and back; and records that somebody made up.
 */
#include "core/snapshot.h"
#include "arch/time.h"
#include "tests/unit/machine_disk_test.h"

static union {
    struct store_record head;
    uint8_t bytes[STORE_RECORD_SECTORS_MAX * STORE_SECTOR_BYTES];
} record;

/* A VM with something in every part of it, idle. */
static struct vm *make_vm(void)
{
    live(WEB, 0xABCD, FOREVER);
    struct vm *vm = machine_vm(WEB);
    struct context *c = &vm->context;
    assert_int_equal(vm_give_extra(vm), OK);
    for (unsigned i = 0; i < 31; i++) {
        c->x[i] = 0x100 + i;
    }
    uint64_t *system[] = {&c->sp_el0,      &c->sp_el1,        &c->elr_el1,      &c->spsr_el1,
                          &c->esr_el1,     &c->far_el1,       &c->vbar_el1,     &c->tpidr_el1,
                          &c->tpidr_el0,   &c->tpidrro_el0,   &c->par_el1,      &c->cpacr_el1,
                          &c->cntkctl_el1, &c->cntv_cval_el0, &c->cntv_ctl_el0, &c->pc};
    for (unsigned i = 0; i < ARRAY_SIZE(system); i++) {
        *system[i] = 0x1000 + 4 * i;
    }
    c->pstate = 0x80401005; /* EL1h, with PAN and SSBS */
    memset(c->extra, 0x5A, sizeof(*c->extra));
    vm->console.used = 5;
    memcpy(vm->console.line, "hello", 5);
    vm->nic.rx_frames = 11;
    vm->nic.rx_dropped = 12;
    vm->nic.tx_frames = 13;
    vm->nic.tx_dropped = 14;
    vm->sched.virtual_ticks = 987654;
    return vm;
}

static void read_record(void)
{
    const struct store_place *p = &vm_find(WEB)->place;
    assert_true(p->sector >= STORE_MARKERS);
    memcpy(&record, machine_disk->durable + (uint64_t)p->sector * STORE_SECTOR_BYTES,
           p->sectors * STORE_SECTOR_BYTES);
}

static enum err try_record(void)
{
    struct stub *s = vm_find(WEB);
    record_seal(&record.head);
    enum err e = snapshot_read(s, &record.head, record.head.sectors * STORE_SECTOR_BYTES, false);
    if (e == OK) {
        vm_discard(s->vm);
    }
    assert_null(s->vm);
    machine_check(true);
    return e;
}

static void test_round_trip(void **state)
{
    (void)state;
    struct vm before = *make_vm();
    struct context_extra extra = *before.context.extra;
    press_out(WEB);
    read_record();
    struct stub *s = vm_find(WEB);
    assert_int_equal(
        snapshot_read(s, &record.head, record.head.sectors * STORE_SECTOR_BYTES, false), OK);
    const struct vm *vm = s->vm;
    assert_memory_equal(vm->context.x, before.context.x, sizeof(before.context.x));
    size_t first = offsetof(struct context, pc), end = offsetof(struct context, vttbr_el2);
    assert_memory_equal((const uint8_t *)&vm->context + first,
                        (const uint8_t *)&before.context + first, end - first);
    assert_int_equal(vm->context.cntkctl_el1, before.context.cntkctl_el1);
    assert_int_equal(vm->context.cntv_cval_el0, before.context.cntv_cval_el0);
    assert_int_equal(vm->context.cntv_ctl_el0, before.context.cntv_ctl_el0);
    assert_memory_equal(vm->context.extra, &extra, sizeof(extra));
    assert_memory_equal(&vm->nic, &before.nic, sizeof(before.nic));
    assert_memory_equal(&vm->console, &before.console, 6);
    assert_int_equal(vm->sched.virtual_ticks, 987654);
    assert_int_equal(vm->wait, WAIT_IDLE);
    vm_discard(s->vm);
}

static void test_made_up_registers(void **state)
{
    (void)state;
    static const uint64_t modes[] = {0x8, 0x9, 0xC, 0xD, 0x10, 0x13, 0x1F, 1ull << 32 | 5};
    make_vm();
    press_out(WEB);
    read_record();
    assert_int_equal(try_record(), OK);
    for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
        record.head.registers.pstate = modes[i];
        assert_int_equal(try_record(), ERR_INVALID);
    }
    record.head.registers.pstate = 0x3C4;
    assert_int_equal(try_record(), OK);
    record.head.counter_hz++;
    assert_int_equal(try_record(), ERR_INVALID);
}

static void test_made_up_devices(void **state)
{
    (void)state;
    make_vm();
    press_out(WEB);
    read_record();
    struct store_record *r = &record.head;
    struct store_queue sound = r->rx;
    r->rx.desc = ELF_MEMORY;
    assert_int_equal(try_record(), ERR_INVALID);
    r->rx = sound;
    r->rx.used = UINT64_MAX - 7;
    assert_int_equal(try_record(), ERR_INVALID);
    r->rx = sound;
    r->tx.size = 3;
    assert_int_equal(try_record(), ERR_INVALID);
    r->tx.size = 2048;
    assert_int_equal(try_record(), ERR_INVALID);
    r->tx.size = 0;
    assert_int_equal(try_record(), OK);
    r->console_used = 101;
    assert_int_equal(try_record(), ERR_INVALID);
    r->console_used = 100;
    assert_int_equal(try_record(), OK);
    r->template ++;
    assert_int_equal(try_record(), ERR_NOT_FOUND);
}

/* The record of another VM stands where this one's should. */
static void test_another_ones_record(void **state)
{
    (void)state;
    make_vm();
    press_out(WEB);
    read_record();
    record.head.slot = WEB + 1;
    record_seal(&record.head);
    fake_block_put(machine_disk, vm_find(WEB)->place.sector, &record,
                   record.head.sectors * STORE_SECTOR_BYTES);
    frame_for(WEB);
    machine_quiet();
    assert_int_equal(residence_counters.wakes_damaged, 1);
    assert_int_equal(state_of(WEB), VM_LIVE);
    assert_int_equal(mark_of(WEB), 0);
}

static void test_nothing_is_written_without_a_template(void **state)
{
    (void)state;
    struct vm *vm = make_vm();
    uint64_t id = groups[1].template_id;
    groups[1].template_id = 0;
    assert_int_equal(snapshot_write(vm, vm->stub->number), ERR_BUSY);
    groups[1].unsavable = true;
    assert_int_equal(snapshot_write(vm, vm->stub->number), ERR_RANGE);
    groups[1].template_id = id;
    assert_int_equal(snapshot_write(vm, vm->stub->number), OK);
    machine_quiet();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        disk_test(test_round_trip),
        disk_test(test_made_up_registers),
        disk_test(test_made_up_devices),
        disk_test(test_another_ones_record),
        disk_test(test_nothing_is_written_without_a_template),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
