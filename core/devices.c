/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding the machine's devices in its device tree. A device that is described wrongly is left
 * alone and said; the rest comes up.
 */
#include "core/devices.h"

#include <libfdt.h>

#include "arch/irq.h"
#include "arch/time.h"
#include "core/base/cells.h"
#include "core/base/log.h"
#include "core/base/random.h"
#include "core/base/string.h"
#include "core/network.h"
#include "dev/drivers/rtc.h"
#include "dev/drivers/uart.h"
#include "dev/drivers/virtio_blk.h"
#include "dev/drivers/virtio_mmio.h"
#include "dev/drivers/virtio_net.h"

#define PATH_MAX 128

static int uart_node = -1;
static void (*on_key)(char c);
static struct uplink *uplink;
static struct block_device *block;
static void (*on_block_done)(void);

/* The first register range of `node`, mapped. */
static enum err map_registers(const void *fdt, int node, uintptr_t *base)
{
    int parent = fdt_parent_offset(fdt, node);
    int ac = fdt_address_cells(fdt, parent);
    int sc = fdt_size_cells(fdt, parent);
    int bytes;
    const uint32_t *reg = fdt_getprop(fdt, node, "reg", &bytes);
    if (!reg || ac < 1 || ac > 2 || sc < 1 || sc > 2 || bytes < 4 * (ac + sc)) {
        return ERR_INVALID;
    }
    *base = cells_read(reg, ac);
    return machine_map_device(*base, cells_read(reg + ac, sc));
}

static enum err interrupt_of(const void *fdt, int node, uint32_t *irq)
{
    int bytes;
    const void *p = fdt_getprop(fdt, node, "interrupts", &bytes);
    return p ? irq_decode(p, (size_t)bytes, irq) : ERR_NOT_FOUND;
}

/* --- console ------------------------------------------------------------------------------ */

static const struct uart_ops *driver_of(const void *fdt, int node)
{
    int count = fdt_stringlist_count(fdt, node, "compatible");
    for (int i = 0; i < count; i++) {
        const char *name = fdt_stringlist_get(fdt, node, "compatible", i, NULL);
        const struct uart_ops *ops = name ? uart_find(name) : NULL;
        if (ops) {
            return ops;
        }
    }
    return NULL;
}

/* /chosen/stdout-path: a path or an alias, perhaps followed by ":" and line settings. */
static int stdout_node(const void *fdt)
{
    char path[PATH_MAX];
    int chosen = fdt_path_offset(fdt, "/chosen");
    const char *text = chosen >= 0 ? fdt_getprop(fdt, chosen, "stdout-path", NULL) : NULL;
    if (!text || !string_copy(path, sizeof(path), text)) {
        return -1;
    }
    char *settings = strchr(path, ':');
    if (settings) {
        *settings = '\0';
    }
    return fdt_path_offset(fdt, path); /* resolves aliases too */
}

static int first_uart(const void *fdt)
{
    int node = -1;
    do {
        node = fdt_next_node(fdt, node, NULL);
    } while (node >= 0 && !driver_of(fdt, node));
    return node;
}

bool devices_start_console(const struct machine *m)
{
    int node = stdout_node(m->fdt);
    if (node < 0 || !driver_of(m->fdt, node)) {
        node = first_uart(m->fdt);
    }
    uintptr_t base;
    if (node < 0 || map_registers(m->fdt, node, &base) != OK) {
        return false;
    }
    uart_node = node;
    uart_use(driver_of(m->fdt, node), base);
    log_set_sink(uart_write);
    return true;
}

static void on_uart(uint32_t irq)
{
    (void)irq;
    uart_interrupt(on_key);
}

void devices_start_keys(const struct machine *m, void (*key)(char c))
{
    uint32_t irq;
    if (uart_node < 0) {
        return;
    }
    on_key = key;
    enum err e = interrupt_of(m->fdt, uart_node, &irq);
    if (e == OK) {
        e = irq_register(irq, on_uart);
    }
    if (e != OK) {
        log_warn("console: no interrupt (%s), so no debug keys", err_name(e));
        return;
    }
    uart_start_interrupts();
}

/* --- virtio ------------------------------------------------------------------------------- */

/* Tries the driver `probe` on what is in the slot `node`, whose interrupt goes to `handler`. */
static enum err try_slot(const void *fdt, int node, enum err (*probe)(uintptr_t base, uint32_t irq),
                         irq_fn handler)
{
    uintptr_t base;
    uint32_t irq;
    enum err e = map_registers(fdt, node, &base);
    if (e == OK) {
        e = interrupt_of(fdt, node, &irq);
    }
    if (e == OK) {
        e = probe(base, irq);
    }
    if (e == OK) {
        e = irq_register(irq, handler);
    }
    return e;
}

/* The first slot whose device works with the driver. A slot says of what kind its device is: no
 * two drivers take the same. */
static bool find_virtio(const void *fdt, enum err (*probe)(uintptr_t base, uint32_t irq),
                        irq_fn handler)
{
    int node = -1;
    while ((node = fdt_node_offset_by_compatible(fdt, node, VIRTIO_MMIO_COMPATIBLE)) >= 0) {
        enum err e = try_slot(fdt, node, probe, handler);
        if (e == OK) {
            return true;
        }
        if (e != ERR_NOT_FOUND) {
            log_warn("device tree: %s: %s", fdt_get_name(fdt, node, NULL), err_name(e));
        }
    }
    return false;
}

static void on_uplink(uint32_t irq)
{
    (void)irq;
    virtio_net_ack(uplink);
    network_interrupt();
}

static enum err probe_uplink(uintptr_t base, uint32_t irq)
{
    enum err e = virtio_net_probe(base, irq, &uplink);
    if (e == OK) {
        network_set_uplink(uplink);
    }
    return e;
}

void devices_start_network(const struct machine *m)
{
    if (!find_virtio(m->fdt, probe_uplink, on_uplink)) {
        log_warn("no uplink: VMs reach only each other");
        return;
    }
    const uint8_t *a = uplink->mac;
    log_info("uplink %s at %02x:%02x:%02x:%02x:%02x:%02x", uplink->name, a[0], a[1], a[2], a[3],
             a[4], a[5]);
}

static void on_block(uint32_t irq)
{
    (void)irq;
    virtio_blk_ack(block);
    on_block_done();
}

static enum err probe_block(uintptr_t base, uint32_t irq)
{
    (void)irq;
    return virtio_blk_probe(base, &block);
}

void devices_start_block(const struct machine *m, void (*interrupt)(void))
{
    on_block_done = interrupt;
    if (!find_virtio(m->fdt, probe_block, on_block)) {
        block = NULL;
        return;
    }
    log_info("store device %s: %llu MiB", block->name,
             (unsigned long long)(block->sectors / (MIB(1) / BLOCK_SECTOR_BYTES)));
}

struct block_device *devices_block(void)
{
    return block;
}

/* --- clock and entropy -------------------------------------------------------------------- */

uint64_t devices_read_clock(const struct machine *m)
{
    uintptr_t base;
    int node = fdt_node_offset_by_compatible(m->fdt, -1, RTC_PL031_COMPATIBLE);
    return node >= 0 && map_registers(m->fdt, node, &base) == OK ? rtc_pl031_read(base) : 0;
}

static size_t add_seed(const void *fdt, const char *name)
{
    int bytes;
    int chosen = fdt_path_offset(fdt, "/chosen");
    const void *seed = chosen >= 0 ? fdt_getprop(fdt, chosen, name, &bytes) : NULL;
    if (!seed || bytes <= 0) {
        return 0;
    }
    random_add_entropy(seed, (size_t)bytes);
    return (size_t)bytes;
}

size_t devices_gather_entropy(const struct machine *m)
{
    uint8_t cpu[RANDOM_KEY_BYTES];
    size_t n = machine_entropy(cpu, sizeof(cpu));
    random_add_entropy(cpu, n);
    n += add_seed(m->fdt, "rng-seed");
    n += add_seed(m->fdt, "kaslr-seed");
    uint64_t now = counter_now();
    random_add_entropy(&now, sizeof(now));
    return n;
}
