/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding the machine's devices in its device tree. A device that is described wrongly is left
 * alone and said; the rest comes up.
 */
#include "core/devices.h"

#include <libfdt.h>

#include "arch/irq.h"
#include "arch/time.h"
#include "core/base/devicetree.h"
#include "core/base/log.h"
#include "core/base/random.h"
#include "core/base/string.h"
#include "core/journal.h"
#include "core/keys.h"
#include "core/network.h"
#include "dev/drivers/genet.h"
#include "dev/drivers/partition.h"
#include "dev/drivers/rng.h"
#include "dev/drivers/rtc.h"
#include "dev/drivers/sdhci.h"
#include "dev/drivers/sdhost.h"
#include "dev/drivers/slip.h"
#include "dev/drivers/uart.h"
#include "dev/drivers/virtio_blk.h"
#include "dev/drivers/virtio_mmio.h"
#include "dev/drivers/virtio_net.h"

#define PATH_MAX 128

#define NO_IRQ UINT32_MAX

static int uart_node = -1; /* the console's */
static uint32_t uart_irq = NO_IRQ;
static char slip_uart[PATH_MAX]; /* boot argument; empty: none was given */
static void (*on_key)(char c);
static struct uplink *uplink;
static struct block_device *block;
static bool block_has_store; /* a place for it */
static void (*on_block_done)(void);

/* The first register range of `node`, mapped. */
static enum err map_registers(const void *fdt, int node, struct device *d)
{
    *d = (struct device){.fdt = fdt, .node = node};
    enum err e = dt_reg(fdt, node, 0, &d->base, &d->bytes);
    return e == OK ? machine_map_device(d->base, d->bytes) : e;
}

static bool is_enabled(const void *fdt, int node)
{
    const char *status = fdt_getprop(fdt, node, "status", NULL);
    return !status || !strcmp(status, "okay") || !strcmp(status, "ok");
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

/* /chosen/stdout-path: a path or an alias, perhaps followed by ":" and line settings. Where it is
 * missing, the alias serial0 (Devicetree Specification, 3.3). */
static int stdout_node(const void *fdt)
{
    char path[PATH_MAX];
    int chosen = fdt_path_offset(fdt, "/chosen");
    const char *text = chosen >= 0 ? fdt_stringlist_get(fdt, chosen, "stdout-path", 0, NULL) : NULL;
    if (!string_copy(path, sizeof(path), text ? text : "serial0")) {
        return -1;
    }
    char *settings = strchr(path, ':');
    if (settings) {
        *settings = '\0';
    }
    return fdt_path_offset(fdt, path); /* resolves aliases too */
}

static bool is_uart(const void *fdt, int node)
{
    return driver_of(fdt, node) && is_enabled(fdt, node);
}

static int first_uart(const void *fdt)
{
    int node = -1;
    do {
        node = fdt_next_node(fdt, node, NULL);
    } while (node >= 0 && !is_uart(fdt, node));
    return node;
}

bool devices_start_console(const struct machine *m)
{
    int node = stdout_node(m->fdt);
    if (node < 0 || !driver_of(m->fdt, node)) {
        node = first_uart(m->fdt);
    }
    struct device d;
    if (node < 0 || map_registers(m->fdt, node, &d) != OK) {
        return false;
    }
    uart_node = node;
    uart_use(driver_of(m->fdt, node), d.base);
    log_set_sink(keys_say);
    return true;
}

RESIDENT static void on_uart(uint32_t irq)
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
    enum err e = irq_of_node(m->fdt, uart_node, 0, &irq);
    if (e == OK) {
        e = irq_register(irq, on_uart);
    }
    if (e != OK) {
        log_warn("console: no interrupt (%s), so no debug keys", err_name(e));
        return;
    }
    uart_irq = irq;
    uart_start_interrupts();
}

/* --- network and store ---------------------------------------------------------------------- */

/* In the order in which they are tried: of several, the fastest is used. */
static const struct {
    const char *compatible;
    enum err (*probe)(const struct device *d, struct uplink **out);
} uplink_drivers[] = {
    {VIRTIO_MMIO_COMPATIBLE, virtio_net_probe},
    {GENET_COMPATIBLE, genet_probe},
};

static const struct {
    const char *compatible;
    enum err (*probe)(const struct device *d, struct block_device **out);
} block_drivers[] = {
    {VIRTIO_MMIO_COMPATIBLE, virtio_blk_probe},
    {"brcm,bcm2711-emmc2", sdhci_probe},
    {"brcm,bcm2835-sdhost", sdhost_probe},
    {"brcm,bcm2835-sdhci", sdhci_probe},
};

static enum err probe_uplink(const struct device *d, size_t driver)
{
    return uplink_drivers[driver].probe(d, &uplink);
}

static enum err probe_block(const struct device *d, size_t driver)
{
    return block_drivers[driver].probe(d, &block);
}

static enum err try_node(const void *fdt, int node, size_t driver,
                         enum err (*probe)(const struct device *d, size_t driver), irq_fn handler)
{
    struct device d;
    enum err e = map_registers(fdt, node, &d);
    if (e == OK) {
        e = irq_of_node(fdt, node, 0, &d.irq);
    }
    if (e == OK) {
        e = probe(&d, driver);
    }
    return e == OK ? irq_register(d.irq, handler) : e;
}

/* The first node whose device works with the driver. A node may stand for a slot that says itself
 * what it holds: no two drivers take the same. */
static bool find(const void *fdt, const char *compatible, size_t driver,
                 enum err (*probe)(const struct device *d, size_t driver), irq_fn handler)
{
    int node = -1;
    while ((node = fdt_node_offset_by_compatible(fdt, node, compatible)) >= 0) {
        enum err e =
            is_enabled(fdt, node) ? try_node(fdt, node, driver, probe, handler) : ERR_NOT_FOUND;
        if (e == OK) {
            return true;
        }
        if (e != ERR_NOT_FOUND) {
            log_warn("device tree: %s: %s", fdt_get_name(fdt, node, NULL), err_name(e));
        }
    }
    return false;
}

RESIDENT static void on_uplink(uint32_t irq)
{
    (void)irq;
    uplink->ops->ack(uplink);
    network_interrupt();
}

void devices_use_slip(const char *uart)
{
    if (!string_copy(slip_uart, sizeof(slip_uart), uart ? uart : "")) {
        log_warn("boot argument slip: longer than %u", PATH_MAX - 1);
    }
}

/* On boards with several UARTs of a kind these share an interrupt. */
RESIDENT static void on_slip(uint32_t irq)
{
    if (irq == uart_irq) {
        uart_interrupt(on_key);
    }
    on_uplink(irq);
}

/* A UART that leads outside: its children are what is soldered to it (a Bluetooth chip). */
static bool leads_outside(const void *fdt, int node)
{
    return is_uart(fdt, node) && fdt_first_subnode(fdt, node) < 0;
}

static int slip_node(const void *fdt)
{
    int node = -1;
    if (slip_uart[0]) {
        node = fdt_path_offset(fdt, slip_uart);
        return node >= 0 && leads_outside(fdt, node) ? node : -1;
    }
    do {
        node = fdt_next_node(fdt, node, NULL);
    } while (node >= 0 && (node == uart_node || !leads_outside(fdt, node)));
    return node;
}

/* Nothing is written to the console's UART any more; the log is kept as far as it has room. */
static void give_up_console(void)
{
    log_info("the console's UART becomes the uplink: no more is said here");
    log_set_sink(journal_log);
    uart_use(NULL, 0);
    uart_node = -1;
    uart_irq = NO_IRQ;
}

static bool start_slip(const void *fdt)
{
    struct device d;
    int node = slip_node(fdt);
    enum err e = node >= 0 ? map_registers(fdt, node, &d) : ERR_NOT_FOUND;
    if (e == OK) {
        e = irq_of_node(fdt, node, 0, &d.irq);
    }
    if (e == OK) {
        e = irq_register(d.irq, on_slip); /* masked until the boot is done */
    }
    if (e != OK) {
        if (slip_uart[0]) {
            log_warn("slip=%s: %s, or no UART that leads outside", slip_uart, err_name(e));
        }
        return false;
    }
    log_info("slip on %s", fdt_get_name(fdt, node, NULL));
    if (node == uart_node) {
        give_up_console();
    }
    e = slip_start(driver_of(fdt, node), d.base, d.irq, &uplink);
    if (e == OK) {
        switch_mac(SWITCH_NUMBER, uplink->mac);
    }
    return e == OK;
}

static bool start_uplink(const void *fdt)
{
    bool off = !strcmp(slip_uart, "off");
    bool found = slip_uart[0] && !off && start_slip(fdt);
    for (size_t i = 0; i < ARRAY_SIZE(uplink_drivers) && !found; i++) {
        found = find(fdt, uplink_drivers[i].compatible, i, probe_uplink, on_uplink);
    }
    return found || (!slip_uart[0] && start_slip(fdt));
}

void devices_start_network(const struct machine *m)
{
    if (!start_uplink(m->fdt)) {
        log_warn("no uplink: VMs reach only each other");
        return;
    }
    network_set_uplink(uplink);
    const uint8_t *a = uplink->mac;
    log_info("uplink %s at %02x:%02x:%02x:%02x:%02x:%02x", uplink->name, a[0], a[1], a[2], a[3],
             a[4], a[5]);
}

RESIDENT static void on_block(uint32_t irq)
{
    (void)irq;
    block->ack(block);
    on_block_done();
}

void devices_start_block(const struct machine *m, void (*interrupt)(void))
{
    bool found = false;
    on_block_done = interrupt;
    for (size_t i = 0; i < ARRAY_SIZE(block_drivers) && !found; i++) {
        found = find(m->fdt, block_drivers[i].compatible, i, probe_block, on_block);
    }
    block_has_store = found && partition_open(block) == OK;
    if (!block_has_store) {
        return;
    }
    log_info("store device %s: %llu MiB", block->name,
             (unsigned long long)(block->sectors / (MIB(1) / BLOCK_SECTOR_BYTES)));
}

struct block_device *devices_block(void)
{
    return block_has_store ? block : NULL;
}

/* --- clock and entropy -------------------------------------------------------------------- */

uint64_t devices_read_clock(const struct machine *m)
{
    struct device d;
    int node = fdt_node_offset_by_compatible(m->fdt, -1, RTC_PL031_COMPATIBLE);
    return node >= 0 && map_registers(m->fdt, node, &d) == OK ? rtc_pl031_read(d.base) : 0;
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

static size_t add_generator(const void *fdt, const char *compatible, enum rng_kind kind)
{
    struct device d;
    uint8_t drawn[RANDOM_KEY_BYTES];
    int node = fdt_node_offset_by_compatible(fdt, -1, compatible);
    if (node < 0 || !is_enabled(fdt, node) || map_registers(fdt, node, &d) != OK) {
        return 0;
    }
    size_t n = rng_read(kind, d.base, drawn, sizeof(drawn));
    random_add_entropy(drawn, n);
    return n;
}

size_t devices_gather_entropy(const struct machine *m)
{
    uint8_t cpu[RANDOM_KEY_BYTES];
    size_t n = machine_entropy(cpu, sizeof(cpu));
    random_add_entropy(cpu, n);
    n += add_seed(m->fdt, "rng-seed");
    n += add_seed(m->fdt, "kaslr-seed");
    n += add_generator(m->fdt, RNG_BCM2835_COMPATIBLE, RNG_BCM2835);
    n += add_generator(m->fdt, RNG_200_COMPATIBLE, RNG_200);
    uint64_t now = counter_now();
    random_add_entropy(&now, sizeof(now));
    return n;
}
