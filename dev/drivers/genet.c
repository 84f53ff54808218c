/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Broadcom GENET v5 as an uplink. Written for the BCM2711 without having run on one.
 *
 * Each DMA has 256 descriptors in its own registers and 17 rings over them. All of them belong to
 * ring 16, the default. Descriptor i has the buffer of 2 KiB at i for ever. An index of a ring
 * counts frames modulo 65536, "theirs" is the device's, "ours" the driver's: what lies between are
 * received frames, or frames to be sent.
 *
 * The device is not coherent. A buffer is whole cache lines, and clean in the caches while the
 * device has it: cleaning and invalidating it before it is read writes nothing back, but drops what
 * the CPU fetched ahead. The device's addresses are the CPU's: dma-ranges of its bus, "scb" in
 * bcm2711.dtsi, maps RAM to itself.
 *
 * The MAC is promiscuous, for every VM has a MAC address of its own and the device has 17 filters;
 * the switch drops what is nobody's, multicast too. The 64-byte status blocks are off. Frames begin
 * 2 bytes into their buffer, as with every known driver: that nobody is known to have turned off.
 *
 * Context: one CPU at a time, the one that owns the uplink. Invariant: nothing that the device says
 * is used as an index or a length before it is checked. A bad frame is counted in `refused`; a ring
 * that cannot be is the end: the device is stopped.
 */
#include "dev/drivers/genet.h"

#include <libfdt.h>

#include "arch/memory.h"
#include "arch/time.h"
#include "core/base/cells.h"
#include "core/base/log.h"
#include "core/base/string.h"
#include "dev/drivers/genet_phy.h"
#include "dev/drivers/genet_regs.h"
#include "dev/drivers/mmio.h"
#include "mm/frame.h"

#define RING_SIZE 256u
#define RX_FLOW (5u << 16 | RING_SIZE >> 4) /* frames: pause below 5, go on from 16 free */
#define IN_FLIGHT_MAX (RING_SIZE - 1)       /* no known driver fills the last */
#define BUFFER_BYTES 2048u
#define BUFFERS_ORDER 8 /* both rings */
_Static_assert(2 * RING_SIZE * BUFFER_BYTES == PAGE_SIZE << BUFFERS_ORDER, "a buffer each");

#define ALIGN_BYTES 2u
#define FRAME_BYTES_MIN 14u
#define FRAME_BYTES_PADDED 60u /* IEEE 802.3, 3.2.7, without FCS */
#define FRAME_BYTES_MAX 1532u  /* without FCS */
#define FCS_BYTES 4u

#define DMA_STOP_NS (5 * NS_PER_MS)
#define LOOK_NS (500 * NS_PER_MS)

struct ring {
    uint32_t dma; /* RX_DMA or TX_DMA */
    pa_t buffers;
    uint16_t theirs, ours;
};

struct genet {
    struct uplink uplink;
    uintptr_t base; /* 0: there is none */
    unsigned phy;
    struct ring rx, tx;
    struct genet_link link;
    bool link_event; /* the device told of a change: the link is looked at before uplink.poll_by */
    bool unflushed;  /* frames were queued that the device was not told of */
    bool stopped;    /* given up */
};

static struct genet genet;

static struct genet *of(struct uplink *u)
{
    return container_of(u, struct genet, uplink);
}

static uint32_t read(const struct genet *d, uint32_t at)
{
    return mmio_read32(d->base + at);
}

static void write(const struct genet *d, uint32_t at, uint32_t v)
{
    mmio_write32(d->base + at, v);
}

static void change(const struct genet *d, uint32_t at, uint32_t clear, uint32_t set)
{
    write(d, at, (read(d, at) & ~clear) | set);
}

static void pause_us(uint64_t us)
{
    uint64_t end = counter_now() + ticks_from_ns(us * NS_PER_US);
    while (counter_now() < end) {
    }
}

static uint8_t *buffer(const struct ring *r, uint16_t index)
{
    return arch_ptr(PA(r->buffers.v + index % RING_SIZE * BUFFER_BYTES));
}

static uint32_t descriptor(const struct ring *r, uint16_t index)
{
    return r->dma + index % RING_SIZE * DESC_BYTES;
}

/* Its DMA stops at the end of a frame. */
static void stop(const struct genet *d)
{
    change(d, UMAC_CMD, CMD_TX_EN | CMD_RX_EN, 0);
    change(d, TX_DMA + DMA_CTRL, DMA_CTRL_EN, 0);
    change(d, RX_DMA + DMA_CTRL, DMA_CTRL_EN, 0);
    for (uint32_t block = INTRL2_0; block <= INTRL2_1; block += INTRL2_1 - INTRL2_0) {
        write(d, block + INTR_MASK_SET, UINT32_MAX);
        write(d, block + INTR_CLEAR, UINT32_MAX);
    }
}

/* The device makes no sense: it is stopped, and keeps its memory, for it may go on writing. */
static void give_up(struct genet *d, const char *what, unsigned value)
{
    log_error("genet: %s %u, limit %u: stopped", what, value, RING_SIZE);
    d->uplink.refused++;
    d->stopped = true;
    d->uplink.poll_by = 0;
    d->link.up = false;
    stop(d);
}

/* --- link --------------------------------------------------------------------------------- */

static void link_changed(struct genet *d)
{
    const struct genet_link *l = &d->link;
    if (!l->up) {
        change(d, EXT_RGMII_OOB_CTRL, RGMII_LINK, 0);
        log_warn("%s: link down", d->uplink.name);
        return;
    }
    uint32_t speed = l->mbit == 1000 ? 2 : l->mbit == 100 ? 1 : 0;
    change(d, EXT_RGMII_OOB_CTRL, 0, RGMII_LINK);
    change(d, UMAC_CMD, 3u << CMD_SPEED_SHIFT | CMD_HALF_DUPLEX,
           speed << CMD_SPEED_SHIFT | (l->full_duplex ? 0 : CMD_HALF_DUPLEX));
    log_info("%s: link up, %u Mbit/s, %s duplex", d->uplink.name, l->mbit,
             l->full_duplex ? "full" : "half");
}

/* Looks at the link when the device told of a change or it is time. */
static void look(struct genet *d)
{
    uint64_t now = counter_now();
    if (d->stopped || (!d->link_event && now < d->uplink.poll_by)) {
        return;
    }
    struct genet_link link = d->link;
    d->link_event = false;
    d->uplink.poll_by = now + ticks_from_ns(LOOK_NS);
    if (genet_phy_look(d->base, d->phy, &link) != OK) {
        d->uplink.refused++;
    } else if (memcmp(&link, &d->link, sizeof(link)) != 0) {
        d->link = link;
        link_changed(d);
    }
}

/* --- frames ------------------------------------------------------------------------------- */

/* Reads how far the device has come. False: it makes no sense, and is given up. */
static bool catch_up(struct genet *d, struct ring *r)
{
    r->theirs = (uint16_t)read(d, r->dma + RING_THEIR_INDEX);
    virtq_barrier(); /* the index is read before the buffers that it is about are touched; the
                      * partner is the device, which is done with a frame before it counts it */
    uint16_t ahead = (uint16_t)(r->theirs - r->ours);
    uint16_t count = r == &d->rx ? ahead : (uint16_t)-ahead;
    if (count > RING_SIZE) {
        give_up(d, r == &d->rx ? "received frames" : "frames in flight", count);
        return false;
    }
    return true;
}

/* As far as is known. */
static uint16_t in_flight(const struct genet *d)
{
    return (uint16_t)(d->tx.ours - d->tx.theirs);
}

static uint16_t received(const struct genet *d)
{
    return (uint16_t)(d->rx.theirs - d->rx.ours);
}

static enum err send(struct uplink *u, const uint8_t *frame, size_t bytes)
{
    struct genet *d = of(u);
    struct ring *r = &d->tx;
    enum err e = bytes < FRAME_BYTES_MIN || bytes > FRAME_BYTES_MAX ? ERR_INVALID : OK;
    if (e == OK && !d->link.up) {
        look(d);
        e = d->link.up ? OK : ERR_IO;
    }
    if (e == OK && in_flight(d) >= IN_FLIGHT_MAX &&
        (!catch_up(d, r) || in_flight(d) >= IN_FLIGHT_MAX)) {
        e = ERR_BUSY;
    }
    if (e != OK) {
        u->tx_dropped++;
        return e;
    }
    uint8_t *p = buffer(r, r->ours);
    memory_copy(p, frame, bytes);
    if (bytes < FRAME_BYTES_PADDED) {
        memset(p + bytes, 0, FRAME_BYTES_PADDED - bytes);
        bytes = FRAME_BYTES_PADDED;
    }
    dcache_clean_poc(p, bytes); /* ends with a barrier: the frame is in memory before the index that
                                 * flush() writes; the partner is the device's read of the index */
    write(d, descriptor(r, r->ours) + DESC_STATUS,
          (uint32_t)bytes << STATUS_LENGTH_SHIFT | STATUS_SOP | STATUS_EOP | STATUS_TX_QTAG |
              STATUS_TX_APPEND_CRC);
    r->ours++;
    d->unflushed = true;
    u->tx_frames++;
    return OK;
}

static void flush(struct uplink *u)
{
    struct genet *d = of(u);
    if (d->unflushed && !d->stopped) {
        write(d, d->tx.dma + RING_OUR_INDEX, d->tx.ours);
    }
    d->unflushed = false;
}

/* Takes the next received frame, hands it on, and readies its buffer for another. */
static void receive_one(struct genet *d, uplink_receive_fn receive)
{
    struct ring *r = &d->rx;
    uint32_t status = read(d, descriptor(r, r->ours) + DESC_STATUS);
    uint32_t bytes = status >> STATUS_LENGTH_SHIFT & STATUS_LENGTH_MASK;
    uint32_t whole = STATUS_SOP | STATUS_EOP;
    if ((status & (whole | STATUS_RX_ERRORS)) == whole && bytes >= ALIGN_BYTES + FRAME_BYTES_MIN &&
        bytes <= ALIGN_BYTES + FRAME_BYTES_MAX) {
        uint8_t *p = buffer(r, r->ours);
        dcache_clean_poc(p, bytes); /* drops what was fetched ahead */
        d->uplink.rx_frames++;
        receive(p + ALIGN_BYTES, bytes - ALIGN_BYTES);
        dcache_clean_poc(p, bytes); /* nothing is left to be written over the next frame */
    } else {
        d->uplink.refused++;
    }
    r->ours++;
}

/* Whether the receive ring is empty, with interrupts on again if so. Registers of one device are
 * accessed in order: what comes after the second look raises an interrupt. */
static bool drained(struct genet *d)
{
    if (received(d) > 0 || (catch_up(d, &d->rx) && received(d) > 0)) {
        return false;
    }
    if (d->stopped) {
        return true;
    }
    write(d, INTRL2_0 + INTR_CLEAR, IRQ_RECEIVED);
    write(d, INTRL2_0 + INTR_MASK_CLEAR, IRQ_RECEIVED);
    if (!catch_up(d, &d->rx) || received(d) == 0) {
        return true;
    }
    write(d, INTRL2_0 + INTR_MASK_SET, IRQ_RECEIVED);
    return false;
}

static unsigned poll(struct uplink *u, unsigned budget, uplink_receive_fn receive)
{
    struct genet *d = of(u);
    unsigned taken = 0;
    u->polls++;
    look(d);
    write(d, INTRL2_0 + INTR_MASK_SET, IRQ_RECEIVED);
    while (taken < budget && !d->stopped && !drained(d)) {
        receive_one(d, receive);
        taken++;
    }
    if (taken > 0 && !d->stopped) {
        /* After the barrier at the end of dcache_clean_poc(): nothing of ours reaches a buffer once
         * the device, the partner, reads the index. */
        write(d, d->rx.dma + RING_OUR_INDEX, d->rx.ours);
    }
    return taken;
}

static void ack(struct uplink *u)
{
    struct genet *d = of(u);
    uint32_t pending = read(d, INTRL2_0 + INTR_STAT);
    write(d, INTRL2_0 + INTR_CLEAR, pending);
    d->link_event |= (pending & IRQ_LINK) != 0;
}

/* --- start -------------------------------------------------------------------------------- */

BOOT static bool is_station(const uint8_t mac[6])
{
    static const uint8_t none[6];
    return !(mac[0] & 1) && memcmp(mac, none, 6) != 0;
}

/* The address that the device tree has, or the one that the firmware left in the MAC. */
BOOT static void find_mac(struct genet *d, const struct device *dev)
{
    uint8_t *mac = d->uplink.mac;
    int bytes;
    const void *p = fdt_getprop(dev->fdt, dev->node, "local-mac-address", &bytes);
    if (p && bytes == 6 && is_station(p)) {
        memcpy(mac, p, 6);
        return;
    }
    uint64_t left = (uint64_t)read(d, UMAC_MAC0) << 16 | (read(d, UMAC_MAC1) & 0xFFFF);
    for (unsigned i = 0; i < 6; i++) {
        mac[i] = (uint8_t)(left >> (40 - 8 * i));
    }
    if (!is_station(mac)) {
        log_warn("genet: local-mac-address: no station's, nor is the MAC's");
    }
}

/* The address of the PHY on the MDIO bus; 1 if it is not said. */
BOOT static unsigned find_phy(const struct device *dev)
{
    int bytes;
    const void *p = fdt_getprop(dev->fdt, dev->node, "phy-handle", &bytes);
    int node =
        p && bytes == 4 ? fdt_node_offset_by_phandle(dev->fdt, (uint32_t)cells_read(p, 1)) : -1;
    p = node >= 0 ? fdt_getprop(dev->fdt, node, "reg", &bytes) : NULL;
    return p && bytes == 4 ? (unsigned)cells_read(p, 1) & 31 : 1;
}

/* "rgmii": the MAC does not delay its transmit clock; "rgmii-rxid", "rgmii-txid": it does. What the
 * PHY delays is its own setting. */
BOOT static enum err find_mode(const struct device *dev, uint32_t *oob)
{
    int bytes;
    const char *mode = fdt_getprop(dev->fdt, dev->node, "phy-mode", &bytes);
    if (!mode || (bytes != 6 && bytes != 11) || memcmp(mode, "rgmii", 5) != 0) {
        log_warn("genet: phy-mode %.*s, not rgmii", mode ? bytes : 6, mode ? mode : "absent");
        return ERR_UNSUPPORTED;
    }
    *oob = RGMII_MODE_EN | (mode[5] == '\0' ? RGMII_NO_DELAY : 0);
    return OK;
}

/* Stops what a firmware may have left running. */
BOOT static enum err stop_and_wait(const struct genet *d)
{
    bool runs = (read(d, TX_DMA + DMA_CTRL) | read(d, RX_DMA + DMA_CTRL)) & DMA_CTRL_EN;
    uint64_t deadline = counter_now() + ticks_from_ns(DMA_STOP_NS);
    stop(d);
    while (runs && counter_now() < deadline) {
        runs = !(read(d, TX_DMA + DMA_STATUS) & read(d, RX_DMA + DMA_STATUS) & DMA_DISABLED);
    }
    if (runs) {
        log_warn("genet: DMA runs on after %llu ms", DMA_STOP_NS / NS_PER_MS);
        return ERR_IO;
    }
    return OK;
}

/* With the MAC's output looped to its input there is a receive clock without a link. */
BOOT static void reset(const struct genet *d, uint32_t oob)
{
    write(d, UMAC_TX_FLUSH, 1);
    pause_us(10);
    write(d, UMAC_TX_FLUSH, 0);
    write(d, SYS_PORT_CTRL, PORT_EXTERNAL_GIGABIT);
    change(d, EXT_RGMII_OOB_CTRL, RGMII_OOB_DISABLE | RGMII_LINK | RGMII_NO_DELAY, oob);
    write(d, SYS_RBUF_FLUSH_CTRL, RBUF_FLUSH_RESET);
    pause_us(10);
    write(d, SYS_RBUF_FLUSH_CTRL, 0);
    pause_us(10);
    write(d, UMAC_CMD, 0);
    write(d, UMAC_CMD, CMD_SW_RESET | CMD_LOCAL_LOOP);
    pause_us(10);
    write(d, UMAC_CMD, 0);
}

BOOT static void start_mac(const struct genet *d)
{
    const uint8_t *mac = d->uplink.mac;
    write(d, UMAC_MAC0,
          (uint32_t)mac[0] << 24 | (uint32_t)mac[1] << 16 | (uint32_t)mac[2] << 8 | mac[3]);
    write(d, UMAC_MAC1, (uint32_t)mac[4] << 8 | mac[5]);
    write(d, UMAC_MAX_FRAME_LEN, FRAME_BYTES_MAX + FCS_BYTES);
    write(d, UMAC_MDF_CTRL, 0);
    change(d, RBUF_CTRL, BUF_STATUS_BLOCK, RBUF_ALIGN_2B);
    change(d, TBUF_CTRL, BUF_STATUS_BLOCK, 0);
    write(d, RBUF_TBUF_SIZE_CTRL, 1);
    write(d, UMAC_CMD,
          2u << CMD_SPEED_SHIFT | CMD_PROMISCUOUS | CMD_RX_PAUSE_IGNORE | CMD_TX_PAUSE_IGNORE |
              CMD_TX_EN | CMD_RX_EN);
}

/* The device's index goes on from where it is: it cannot be set while there is no clock. */
BOOT static void start_ring(const struct genet *d, struct ring *r, uint32_t flow)
{
    dcache_clean_poc(arch_ptr(r->buffers), RING_SIZE * BUFFER_BYTES);
    for (uint16_t i = 0; i < RING_SIZE; i++) {
        uint64_t pa = r->buffers.v + i * BUFFER_BYTES;
        write(d, descriptor(r, i) + DESC_ADDRESS_LO, (uint32_t)pa);
        write(d, descriptor(r, i) + DESC_ADDRESS_HI, (uint32_t)(pa >> 32));
    }
    r->theirs = r->ours = (uint16_t)read(d, r->dma + RING_THEIR_INDEX);
    uint32_t pointer = r->ours % RING_SIZE * (DESC_BYTES / 4);
    const uint32_t values[][2] = {
        {RING_OUR_INDEX, r->ours},
        {RING_THEIR_POINTER, pointer},
        {RING_THEIR_POINTER + 4, 0},
        {RING_OUR_POINTER, pointer},
        {RING_OUR_POINTER + 4, 0},
        {RING_START, 0},
        {RING_START + 4, 0},
        {RING_END, RING_SIZE * (DESC_BYTES / 4) - 1},
        {RING_END + 4, 0},
        {RING_SIZES, RING_SIZE << 16 | BUFFER_BYTES},
        {RING_THRESHOLD, 1},
        {RING_FLOW, flow},
        {DMA_SCB_BURST, BURST_BCM2711},
        {DMA_RING_CFG, DEFAULT_RING},
        {DMA_CTRL, DEFAULT_RING_EN | DMA_CTRL_EN},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(values); i++) {
        write(d, r->dma + values[i][0], values[i][1]);
    }
}

/* Leaves the device stopped, with a PHY that negotiates. */
BOOT static enum err prepare(struct genet *d, const struct device *dev)
{
    uint32_t oob, major = REV_MAJOR(read(d, SYS_REV_CTRL));
    if (major != REV_MAJOR_V5) {
        log_warn("genet: revision %u, not %u", major, REV_MAJOR_V5);
        return ERR_UNSUPPORTED;
    }
    enum err e = find_mode(dev, &oob);
    if (e != OK) {
        return e;
    }
    find_mac(d, dev);
    d->phy = find_phy(dev);
    e = stop_and_wait(d);
    if (e != OK) {
        return e;
    }
    reset(d, oob);
    e = genet_phy_start(d->base, d->phy);
    if (e != OK) {
        log_warn("genet: PHY %u: %s", d->phy, err_name(e));
    }
    return e;
}

BOOT enum err genet_probe(const struct device *dev, struct uplink **out)
{
    static const struct uplink_ops ops = {send, flush, poll, ack};
    struct genet *d = &genet;
    if (d->base) {
        return ERR_NO_MEMORY;
    }
    if (dev->bytes < REGISTER_BYTES) {
        log_warn("genet: reg: %u bytes, at least %u", (unsigned)dev->bytes, REGISTER_BYTES);
        return ERR_RANGE;
    }
    *d = (struct genet){.uplink = {.ops = &ops, .name = "genet", .irq = dev->irq},
                        .base = dev->base,
                        .rx = {.dma = RX_DMA},
                        .tx = {.dma = TX_DMA}};
    enum err e = prepare(d, dev);
    if (e == OK) {
        e = frame_alloc_block(FRAME_EL2, FRAME_OWNER_NONE, BUFFERS_ORDER, &d->rx.buffers);
    }
    if (e != OK) {
        d->base = 0;
        return e;
    }
    d->tx.buffers = PA(d->rx.buffers.v + RING_SIZE * BUFFER_BYTES);
    start_ring(d, &d->rx, RX_FLOW);
    start_ring(d, &d->tx, 0);
    start_mac(d);
    d->uplink.poll_by = counter_now() + ticks_from_ns(LOOK_NS);
    write(d, INTRL2_0 + INTR_MASK_CLEAR, IRQ_RECEIVED | IRQ_LINK);
    *out = &d->uplink;
    return OK;
}
