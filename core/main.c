/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The boot, in order, and what is said of it.
 */
#include "arch/cpu.h"
#include "arch/machine.h"
#include "arch/time.h"
#include "core/archive.h"
#include "core/base/log.h"
#include "core/bringback.h"
#include "core/devices.h"
#include "core/group.h"
#include "core/identity.h"
#include "core/journal.h"
#include "core/keys.h"
#include "core/load.h"
#include "core/mail.h"
#include "core/network.h"
#include "core/options.h"
#include "core/residence.h"
#include "core/run.h"
#include "core/start.h"
#include "dev/drivers/uart.h"

/* Of all frames, the part that starting VMs leaves to those that live. */
#define KEPT_SHARE 32

/* A CPU that has come up is given VMs once it is ready, which is waited for no longer than this. */
#define CPU_READY_NS (100 * NS_PER_MS)

static struct deployment deployment;

void machine_wrong_level(const struct machine *m, unsigned level)
{
    devices_start_console(m);
    log_error("entered at EL%u: EL2 is needed (QEMU: -machine virt,virtualization=on)", level);
    cpu_halt();
}

static uint64_t ram_bytes(const struct machine *m)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < m->ram_count; i++) {
        sum += m->ram[i].bytes;
    }
    return sum;
}

static void say_machine(const struct machine *m)
{
    log_info("Toklat on %s, %s, %s, counter at %llu Hz", m->model[0] ? m->model : "unknown board",
             machine_cpu_name(), machine_interrupt_controller(), (unsigned long long)counter_hz());
    log_info("%llu MiB of RAM; EL2: text %llu KiB, rodata %llu KiB, data %llu KiB; "
             "boot code %llu KiB, to be given back",
             (unsigned long long)(ram_bytes(m) >> 20),
             (unsigned long long)(m->el2_text_bytes >> 10),
             (unsigned long long)(m->el2_rodata_bytes >> 10),
             (unsigned long long)(m->el2_data_bytes >> 10),
             (unsigned long long)(m->el2_boot_bytes >> 10));
}

static void start_memory(const struct machine *m)
{
    struct frame_range ram[MACHINE_RAM_MAX], used[MACHINE_USED_MAX];
    for (unsigned i = 0; i < m->ram_count; i++) {
        ram[i] = (struct frame_range){PA(m->ram[i].base), m->ram[i].bytes};
    }
    for (unsigned i = 0; i < m->used_count; i++) {
        used[i] = (struct frame_range){PA(m->used[i].base), m->used[i].bytes};
    }
    start_need(frame_init(ram, m->ram_count, used, m->used_count), "memory");
    vm_keep_frames(frame_total() / KEPT_SHARE);
}

static void start_time_and_chance(const struct machine *m)
{
    uint64_t seconds = devices_read_clock(m);
    if (seconds) {
        identity_set_wall_base(seconds * NS_PER_S - ns_from_ticks(counter_now()));
    } else {
        log_warn("no clock on this board: VMs see no date");
    }
    size_t entropy = devices_gather_entropy(m);
    if (entropy < 16) {
        log_warn("%zu bytes of entropy: what VMs draw from it can be guessed", entropy);
    }
}

static bool start_cpu(const struct machine *m, unsigned cpu)
{
    int why;
    gate_add_pool(&gatekeeper, cpu, &runs[cpu].other_pool);
    enum err e = machine_start_cpu(m, cpu, &why);
    if (e != OK) {
        log_warn("CPU %u, reg %llx, does not start: %s, firmware answers %d", cpu,
                 (unsigned long long)m->cpu_affinity[cpu], err_name(e), why);
        return false;
    }
    uint64_t end = counter_now() + ticks_from_ns(CPU_READY_NS);
    while (!__atomic_load_n(&runs[cpu].online, __ATOMIC_ACQUIRE) && counter_now() < end) {
    }
    return true;
}

static void start_cpus(const struct machine *m)
{
    unsigned started = 1;
    runs[KEEPER].online = true;
    if (m->cpu_count > 1 && mail_init(m->cpu_count) != OK) {
        log_warn("no memory for messages between CPUs: 1 CPU of %u", m->cpu_count);
        return;
    }
    run_cpus = m->cpu_count;
    uart_share();
    for (unsigned cpu = 1; cpu < m->cpu_count; cpu++) {
        started += start_cpu(m, cpu);
    }
    if (started < m->cpu_count) {
        log_info("%u CPUs of %u", started, m->cpu_count);
    } else {
        log_info("%u CPU%s", started, started == 1 ? "" : "s");
    }
}

static void refuse(const char *text)
{
    log_error("%s", text);
}

/* Reads the deployment from the archive; an empty one if that cannot be. */
static void read_deployment(const struct machine *m)
{
    const void *blob;
    size_t bytes;
    struct refusal why = {0};
    if (!m->initrd.bytes) {
        log_error("no initrd: nothing is deployed");
        return;
    }
    enum err e = archive_find((const void *)m->initrd.base, m->initrd.bytes, DEPLOYMENT_FILE, &blob,
                              &bytes, &why);
    if (e == ERR_NOT_FOUND) {
        log_error("initrd: no file \"%s\": nothing is deployed", DEPLOYMENT_FILE);
    } else if (e != OK) {
        log_error("initrd: %s is %llu, limit %llu: nothing is deployed",
                  why.what ? why.what : err_name(e), (unsigned long long)why.value,
                  (unsigned long long)why.limit);
    } else if (deployment_parse(blob, bytes, &deployment, refuse) != OK) {
        log_error("nothing is deployed");
    }
}

static void deploy(const struct machine *m)
{
    read_deployment(m);
    load_init(&deployment);
    network_init(&deployment.network);
    devices_start_network(m);
    devices_start_block(m, residence_interrupt);
    enum err e = group_define_all(&deployment);
    if (e != OK) {
        log_error("%u VMs: %s for their stubs; nothing is deployed", deployment.vm_count,
                  err_name(e));
    } else {
        bringback(devices_block(), &deployment);
        group_prepare_all((const void *)m->initrd.base, m->initrd.bytes);
    }
    if (m->initrd.bytes) {
        frame_release_range((struct frame_range){PA(m->initrd.base), m->initrd.bytes});
    }
    log_info("%u VMs defined in %u groups; press h for help",
             deployment.vm_count - deployment.spare, group_count);
}

void machine_main(const struct machine *m)
{
    panic_set_halt(machine_halt);
    devices_start_console(m);
    start_need(machine_start_interrupts(m), "interrupt controller and timers");
    say_machine(m);
    start_memory(m);
    journal_init();
    start_time_and_chance(m);
    residence_init();
    start_this_cpu();
    options_apply(m->bootargs);
    start_cpus(m);
    devices_start_keys(m, keys_press);
    keys_init();
    deploy(m);
    start_running();
}
