// SPDX-License-Identifier: BSD-2-Clause
// sources: tests/unit/fake_genet.c arch/host/memory.c arch/host/time.c arch/host/cpu.c
// sources: core/base/error.c core/base/fmt.c core/base/log.c core/base/string_copy.c
/*
 * The GENET driver against a model of the controller, its PHY and its incoherent memory.
 *
 * The driver is included as text, with the model's registers, cache maintenance and clock.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define DEV_DRIVERS_MMIO_H
#include "tests/unit/fake_genet.h"

#include "abi/virtq.h"
#include "arch/host/host.h"
#include "arch/memory.h"
#include "arch/time.h"
#include "core/base/log.h"

#define mmio_read32 fake_genet_read32
#define mmio_write32 fake_genet_write32
#define dcache_clean_poc fake_genet_clean
#define counter_now fake_genet_now
#include "dev/drivers/genet_phy.c"
#include "dev/drivers/genet.c"
#undef counter_now

/* libfdt has functions of these names. */
#define fdt_string build_string
#define fdt_property build_property
#include "tests/unit/fdt_build.h"

static struct fdt_build tree;
static struct device device;
static struct uplink *uplink;
static char said[4096];
static size_t said_bytes;
static unsigned frames;
static uint8_t last[2048];
static size_t last_bytes;
static unsigned late;        /* frames that arrive while the driver drains its ring */
static unsigned last_moment; /* and once it found its ring empty */

static void sink(const char *text, size_t n)
{
    if (said_bytes + n < sizeof(said)) {
        memcpy(said + said_bytes, text, n);
        said_bytes += n;
        said[said_bytes] = '\0';
    }
}

static unsigned said_times(const char *what)
{
    unsigned n = 0;
    for (const char *p = said; (p = strstr(p, what)); p += strlen(what)) {
        n++;
    }
    return n;
}

static void take(uint8_t *frame, size_t bytes)
{
    frames++;
    memcpy(last, frame, bytes);
    last_bytes = bytes;
    memset(frame, 0xEE, bytes);
}

static void describe(const char *mode, const void *mac, uint32_t mac_bytes, uint32_t phy)
{
    fdt_begin(&tree);
    fdt_node(&tree, "ethernet");
    if (mode) {
        fdt_text(&tree, "phy-mode", mode);
    }
    if (mac) {
        fdt_property(&tree, "local-mac-address", mac, mac_bytes);
    }
    fdt_cell(&tree, "phy-handle", 7);
    fdt_node(&tree, "mdio");
    fdt_node(&tree, "ethernet-phy");
    fdt_cell(&tree, "phandle", 7);
    fdt_cell(&tree, "reg", phy);
    fdt_node_end(&tree);
    fdt_node_end(&tree);
    fdt_node_end(&tree);
    (void)fdt_end(&tree);
    device = (struct device){.fdt = tree.blob,
                             .node = fdt_path_offset(tree.blob, "/ethernet"),
                             .base = FAKE_GENET_BASE,
                             .bytes = FAKE_GENET_BYTES,
                             .irq = 189};
}

static const uint8_t tree_mac[6] = {0xDC, 0xA6, 0x32, 0xAA, 0xBB, 0xCC};

static int setup(void **state)
{
    (void)state;
    fake_genet_init();
    memset(&genet, 0, sizeof(genet));
    describe("rgmii-rxid", tree_mac, 6, 1);
    frames = late = last_moment = 0;
    said_bytes = 0;
    said[0] = '\0';
    log_set_sink(sink);
    return 0;
}

/* As the switch and the interrupt handler do. */
static unsigned interrupt(void)
{
    assert_true(fake_genet_irq());
    uplink->ops->ack(uplink);
    return uplink->ops->poll(uplink, 64, take);
}

static void plug(unsigned mbit, bool full_duplex)
{
    fake_genet_cable(mbit, full_duplex);
    assert_int_equal(interrupt(), 0);
}

static int setup_running(void **state)
{
    setup(state);
    assert_int_equal(genet_probe(&device, &uplink), OK);
    plug(1000, true);
    return 0;
}

static void assert_refused(enum err expected, const char *why)
{
    uplink = NULL;
    assert_int_equal(genet_probe(&device, &uplink), expected);
    assert_null(uplink);
    assert_int_equal(fake_genet.frames_live, 0);
    assert_true(*why ? said_times(why) == 1 : said_bytes == 0);
}

/* --- probing ------------------------------------------------------------------------------ */

static void test_probe(void **state)
{
    (void)state;
    assert_int_equal(genet_probe(&device, &uplink), OK);
    assert_int_equal(uplink->irq, 189);
    assert_memory_equal(uplink->mac, tree_mac, 6);
    assert_int_equal(*fake_genet_reg(0x80C), 0xDCA632AA);
    assert_int_equal(*fake_genet_reg(0x810), 0xBBCC);
    assert_int_equal(*fake_genet_reg(0x004), 3);
    assert_int_equal(*fake_genet_reg(0x08C), 1u << 6); /* RGMII, the MAC delays, no link */
    assert_int_equal(*fake_genet_reg(0x300), 2);
    assert_int_equal(*fake_genet_reg(0x600), 0);
    assert_int_equal(*fake_genet_reg(0x808), 1u << 28 | 1u << 8 | 1u << 4 | 2u << 2 | 3);
    assert_int_equal(*fake_genet_reg(0x814), 1536);
    assert_int_equal(fake_genet.phy[4], 0x01E1);
    assert_int_equal(fake_genet.phy[9], 0x0200);
    assert_int_equal(fake_genet.phy[0], 0x1200);
    assert_int_equal(fake_genet.masked, ~(1u << 13 | 3u << 4));
    assert_int_equal(*fake_genet_reg(0x250), UINT32_MAX); /* the other rings are masked */
    assert_int_equal(fake_genet.frames_live, 256);
    assert_true(host_counts.dcache_clean_bytes >= 2 * 256 * 2048);
    assert_string_equal(said, "");
    struct uplink *second;
    assert_int_equal(genet_probe(&device, &second), ERR_NO_MEMORY);
}

static void test_rings_go_on_where_they_are(void **state)
{
    (void)state;
    fake_genet_set_theirs(FAKE_GENET_RX, 65535);
    fake_genet_set_theirs(FAKE_GENET_TX, 300);
    assert_int_equal(genet_probe(&device, &uplink), OK);
    assert_int_equal(fake_genet_ours(FAKE_GENET_RX), 65535);
    assert_int_equal(*fake_genet_reg(FAKE_GENET_RX + 0x1000), 255 * 3);
    assert_int_equal(*fake_genet_reg(FAKE_GENET_RX + 0x102C), 255 * 3);
    assert_int_equal(fake_genet_ours(FAKE_GENET_TX), 300);
    assert_int_equal(*fake_genet_reg(FAKE_GENET_TX + 0x1000), 44 * 3);
    plug(100, true);
    uint8_t frame[60] = {1};
    assert_true(fake_genet_receive(frame, sizeof(frame)));
    assert_true(fake_genet_receive(frame, sizeof(frame)));
    assert_int_equal(interrupt(), 2);
    assert_int_equal(uplink->ops->send(uplink, frame, sizeof(frame)), OK);
    uplink->ops->flush(uplink);
    assert_int_equal(fake_genet_transmit(), 1);
}

static void test_wrong_revision(void **state)
{
    (void)state;
    *fake_genet_reg(0) = 0x05000000;
    assert_refused(ERR_UNSUPPORTED, "revision 5, not 6");
}

static void test_few_registers(void **state)
{
    (void)state;
    device.bytes = 0x5000;
    assert_refused(ERR_RANGE, "20480 bytes, at least 24576");
}

static void test_phy_modes(void **state)
{
    (void)state;
    describe("rgmii", tree_mac, 6, 1);
    assert_int_equal(genet_probe(&device, &uplink), OK);
    assert_int_equal(*fake_genet_reg(0x08C), 1u << 16 | 1u << 6);
    setup(state);
    describe("internal", tree_mac, 6, 1);
    assert_refused(ERR_UNSUPPORTED, "phy-mode internal, not rgmii");
    setup(state);
    describe("rgmii-id", tree_mac, 6, 1);
    assert_refused(ERR_UNSUPPORTED, "phy-mode rgmii-id, not rgmii");
    setup(state);
    describe(NULL, tree_mac, 6, 1);
    assert_refused(ERR_UNSUPPORTED, "phy-mode absent");
}

static void test_mac_of_firmware(void **state)
{
    static const uint8_t left[6] = {0xDC, 0xA6, 0x32, 0x01, 0x02, 0x03};
    static const uint8_t odd[][6] = {{0}, {1, 0, 0x5E, 1, 2, 3}, {2, 1, 2, 3, 4, 5}};
    for (unsigned i = 0; i < 3; i++) {
        setup(state);
        describe("rgmii-rxid", odd[i], i == 2 ? 5 : 6, 1);
        assert_int_equal(genet_probe(&device, &uplink), OK);
        assert_memory_equal(uplink->mac, left, 6);
    }
    setup(state);
    describe("rgmii-rxid", NULL, 0, 1);
    *fake_genet_reg(0x80C) = *fake_genet_reg(0x810) = 0;
    assert_int_equal(genet_probe(&device, &uplink), OK);
    assert_int_equal(said_times("local-mac-address"), 1);
}

static void test_phy_absent_or_mute(void **state)
{
    describe("rgmii-rxid", tree_mac, 6, 3);
    assert_refused(ERR_NOT_FOUND, "PHY 3");
    setup(state);
    fake_genet.mdio_stuck = true;
    assert_refused(ERR_IO, "PHY 1");
    setup(state);
    fake_genet.mdio_fails = true;
    assert_refused(ERR_IO, "PHY 1");
}

/* It is waited for only if it runs: whether it says so that never ran is not known. */
static void test_dma_that_does_not_stop(void **state)
{
    fake_genet.dma_runs_on = true;
    *fake_genet_reg(FAKE_GENET_TX + 0x1044) = 0;
    assert_refused(ERR_IO, "runs on after 5 ms");
    setup(state);
    fake_genet.dma_runs_on = true;
    *fake_genet_reg(FAKE_GENET_TX + 0x1044) = *fake_genet_reg(FAKE_GENET_RX + 0x1044) = 0x20000;
    assert_int_equal(genet_probe(&device, &uplink), OK);
}

static void test_no_memory(void **state)
{
    (void)state;
    fake_genet.allocations_left = 0;
    assert_refused(ERR_NO_MEMORY, "");
    fake_genet.allocations_left = 1;
    assert_int_equal(genet_probe(&device, &uplink), OK); /* once there is some */
}

/* --- sending ------------------------------------------------------------------------------ */

static void test_send(void **state)
{
    (void)state;
    uint8_t frame[1532];
    for (unsigned i = 0; i < sizeof(frame); i++) {
        frame[i] = (uint8_t)(i * 7);
    }
    unsigned cleans = host_counts.dcache_cleans;
    assert_int_equal(uplink->ops->send(uplink, frame, sizeof(frame)), OK);
    assert_int_equal(fake_genet_transmit(), 0); /* not before it is told */
    uplink->ops->flush(uplink);
    assert_int_equal(fake_genet_transmit(), 1);
    assert_int_equal(host_counts.dcache_cleans, cleans + 1);
    assert_int_equal(fake_genet.sent_bytes, sizeof(frame));
    assert_memory_equal(fake_genet.sent, frame, sizeof(frame));
    assert_int_equal(uplink->tx_frames, 1);
}

/* Nothing of a frame before it is in the padding. */
static void test_send_pads(void **state)
{
    (void)state;
    uint8_t frame[1500];
    static const uint8_t zero[46];
    memset(frame, 0x5A, sizeof(frame));
    for (unsigned i = 0; i < 257; i++) {
        assert_int_equal(uplink->ops->send(uplink, frame, i < 256 ? sizeof(frame) : 14), OK);
        uplink->ops->flush(uplink);
        assert_int_equal(fake_genet_transmit(), 1);
    }
    assert_int_equal(fake_genet.sent_bytes, 60);
    assert_memory_equal(fake_genet.sent, frame, 14);
    assert_memory_equal(fake_genet.sent + 14, zero, 46);
}

static void test_send_refuses_sizes(void **state)
{
    (void)state;
    uint8_t frame[2048] = {0};
    assert_int_equal(uplink->ops->send(uplink, frame, 13), ERR_INVALID);
    assert_int_equal(uplink->ops->send(uplink, frame, 1533), ERR_INVALID);
    assert_int_equal(uplink->tx_dropped, 2);
}

static void test_send_until_full_and_wrap(void **state)
{
    (void)state;
    uint8_t frame[64] = {0};
    for (unsigned round = 0; round < 600; round++) { /* the indices wrap twice */
        for (unsigned i = 0; i < 255; i++) {
            frame[20] = (uint8_t)round;
            frame[21] = (uint8_t)i;
            assert_int_equal(uplink->ops->send(uplink, frame, sizeof(frame)), OK);
        }
        uplink->ops->flush(uplink);
        assert_int_equal(uplink->ops->send(uplink, frame, sizeof(frame)), ERR_BUSY);
        assert_int_equal(fake_genet_transmit(), 255);
        assert_memory_equal(fake_genet.sent, frame, sizeof(frame));
    }
    assert_int_equal(uplink->tx_dropped, 600);
    assert_int_equal(uplink->refused, 0);
}

/* --- receiving ---------------------------------------------------------------------------- */

static void test_receive(void **state)
{
    (void)state;
    uint8_t frame[1514];
    for (unsigned i = 0; i < 40000; i++) {
        size_t bytes = i & 1 ? 60 : sizeof(frame) - i % 64;
        if (i % 1000 == 0) {
            memset(frame, (int)(i / 1000 + 1), sizeof(frame));
        }
        frame[12] = (uint8_t)i;
        frame[bytes - 1] = (uint8_t)(i >> 8);
        assert_true(fake_genet_receive(frame, bytes));
        assert_true(fake_genet_receive(frame, bytes));
        assert_int_equal(interrupt(), 2);
        assert_int_equal(last_bytes, bytes);
        assert_memory_equal(last, frame, bytes);
        assert_false(fake_genet_irq());
        assert_int_equal(fake_genet_ours(FAKE_GENET_RX), fake_genet_theirs(FAKE_GENET_RX));
    }
    assert_int_equal(uplink->rx_frames, 80000);
    assert_int_equal(uplink->refused, 0);
}

/* Two for each frame, over no more than its lines. */
static void test_receive_maintains_caches(void **state)
{
    (void)state;
    uint8_t frame[60] = {0};
    unsigned cleans = host_counts.dcache_cleans;
    uint64_t bytes = host_counts.dcache_clean_bytes;
    assert_true(fake_genet_receive(frame, sizeof(frame)));
    assert_int_equal(interrupt(), 1);
    assert_int_equal(host_counts.dcache_cleans, cleans + 2);
    assert_int_equal(host_counts.dcache_clean_bytes, bytes + 2 * 62);
}

static void test_receive_in_batches(void **state)
{
    (void)state;
    uint8_t frame[60] = {0};
    for (unsigned i = 0; i < 256; i++) {
        assert_true(fake_genet_receive(frame, 60));
    }
    assert_false(fake_genet_receive(frame, 60));
    assert_int_equal(uplink->ops->poll(uplink, 200, take), 200);
    assert_false(fake_genet_irq_on()); /* there may be more: the caller polls again */
    assert_true(fake_genet_receive(frame, 60));
    assert_false(fake_genet_irq());
    assert_int_equal(uplink->ops->poll(uplink, 200, take), 57);
    assert_true(fake_genet_irq_on());
    assert_false(fake_genet_irq());
    assert_true(fake_genet_receive(frame, 60));
    assert_true(fake_genet_irq());
}

static void test_bad_frames(void **state)
{
    (void)state;
    uint8_t frame[2046] = {0};
    assert_true(fake_genet_receive_as(frame, 60, 15, FAKE_GENET_GOOD));
    assert_true(fake_genet_receive_as(frame, 60, 0, FAKE_GENET_GOOD));
    assert_true(fake_genet_receive_as(frame, 2046, 1535, FAKE_GENET_GOOD));
    assert_true(fake_genet_receive_as(frame, 2046, 4095, FAKE_GENET_GOOD));
    assert_true(fake_genet_receive_as(frame, 60, 62, 0x4000)); /* no begin, no end */
    assert_true(fake_genet_receive_as(frame, 60, 62, 0x2000));
    for (unsigned bit = 0; bit < 5; bit++) {
        assert_true(fake_genet_receive_as(frame, 60, 62, FAKE_GENET_GOOD | 1u << bit));
    }
    assert_true(fake_genet_receive_as(frame, 14, 16, FAKE_GENET_GOOD | 0x8060)); /* sound */
    assert_true(fake_genet_receive_as(frame, 1532, 1534, FAKE_GENET_GOOD));
    assert_int_equal(interrupt(), 13);
    assert_int_equal(frames, 2);
    assert_int_equal(uplink->refused, 11);
    assert_int_equal(uplink->rx_frames, 2);
}

static void take_and_send_more(uint8_t *frame, size_t bytes)
{
    uint8_t more[60] = {0};
    take(frame, bytes);
    assert_false(fake_genet_irq_on());
    if (late > 0) {
        late--;
        assert_true(fake_genet_receive(more, sizeof(more)));
    }
}

static void test_frames_during_poll(void **state)
{
    (void)state;
    uint8_t frame[60] = {0};
    late = 10;
    assert_true(fake_genet_receive(frame, 60));
    assert_int_equal(uplink->ops->poll(uplink, 64, take_and_send_more), 11);
    assert_true(fake_genet_irq_on());
}

static void at_the_last_moment(void)
{
    uint8_t frame[60] = {0};
    if (last_moment > 0) {
        last_moment--;
        assert_true(fake_genet_receive(frame, sizeof(frame)));
        fake_genet.interrupts &= ~(1u << 13); /* worse than it is: it tells nobody */
    }
}

static void test_frames_at_the_last_moment(void **state)
{
    (void)state;
    last_moment = 3;
    fake_genet.before_unmask = at_the_last_moment;
    assert_int_equal(uplink->ops->poll(uplink, 64, take_and_send_more), 3);
    assert_true(fake_genet_irq_on());
}

/* --- nonsense ----------------------------------------------------------------------------- */

static void assert_stopped(void)
{
    uint8_t frame[60] = {0};
    assert_int_equal(said_times("stopped"), 1);
    assert_int_equal(fake_genet.masked, UINT32_MAX);
    assert_int_equal(*fake_genet_reg(0x808) & 3, 0);
    assert_int_equal(*fake_genet_reg(FAKE_GENET_RX + 0x1044) & 1, 0);
    assert_int_equal(*fake_genet_reg(FAKE_GENET_TX + 0x1044) & 1, 0);
    uint64_t dropped = uplink->tx_dropped;
    unsigned accesses = fake_genet.phy_accesses, ours = fake_genet_ours(FAKE_GENET_TX);
    for (unsigned i = 0; i < 300; i++) {
        host_time_advance(ticks_from_ns(NS_PER_S));
        fake_genet_set_theirs(FAKE_GENET_RX, (uint16_t)(i * 1000));
        uplink->ops->ack(uplink);
        assert_int_equal(uplink->ops->poll(uplink, 64, take), 0);
        assert_int_equal(uplink->ops->send(uplink, frame, 60), ERR_IO);
        uplink->ops->flush(uplink);
    }
    assert_int_equal(uplink->tx_dropped, dropped + 300);
    assert_int_equal(uplink->refused, 1);
    assert_int_equal(uplink->poll_by, 0);
    assert_int_equal(fake_genet_ours(FAKE_GENET_TX), ours);
    assert_int_equal(fake_genet.phy_accesses, accesses);
    assert_int_equal(said_times("stopped"), 1);
}

static void test_wild_receive_index(void **state)
{
    (void)state;
    uint8_t frame[60] = {0};
    assert_true(fake_genet_receive(frame, 60));
    assert_int_equal(interrupt(), 1);
    fake_genet_set_theirs(FAKE_GENET_RX, (uint16_t)(fake_genet_theirs(FAKE_GENET_RX) + 257));
    assert_int_equal(uplink->ops->poll(uplink, 64, take), 0);
    assert_int_equal(said_times("received frames 257, limit 256"), 1);
    assert_stopped();
}

static void test_wild_transmit_index(void **state)
{
    (void)state;
    uint8_t frame[60] = {0};
    for (unsigned i = 0; i < 255; i++) {
        assert_int_equal(uplink->ops->send(uplink, frame, 60), OK);
    }
    fake_genet_set_theirs(FAKE_GENET_TX, (uint16_t)(fake_genet_ours(FAKE_GENET_TX) + 256));
    assert_int_equal(uplink->ops->send(uplink, frame, 60), ERR_BUSY);
    assert_int_equal(said_times("frames in flight 65535"), 1);
    assert_stopped();
}

static void take_and_answer(uint8_t *frame, size_t bytes)
{
    take(frame, bytes);
    (void)uplink->ops->send(uplink, last, bytes);
}

/* What is received is answered, which shows that the other ring makes no sense. */
static void test_stopped_while_receiving(void **state)
{
    (void)state;
    uint8_t frame[60] = {0};
    for (unsigned i = 0; i < 255; i++) {
        assert_int_equal(uplink->ops->send(uplink, frame, 60), OK);
    }
    fake_genet_set_theirs(FAKE_GENET_TX, (uint16_t)(fake_genet_ours(FAKE_GENET_TX) - 2));
    for (unsigned i = 0; i < 5; i++) {
        assert_true(fake_genet_receive(frame, 60));
    }
    assert_int_equal(uplink->ops->poll(uplink, 64, take_and_answer), 1);
    assert_stopped();
}

/* --- link --------------------------------------------------------------------------------- */

static void test_speeds(void **state)
{
    (void)state;
    static const struct {
        unsigned mbit;
        bool full;
        uint32_t command; /* speed and half duplex */
        const char *said;
    } cases[] = {
        {1000, true, 2u << 2, "link up, 1000 Mbit/s, full duplex"},
        {100, true, 1u << 2, "link up, 100 Mbit/s, full duplex"},
        {100, false, 1u << 2 | 1u << 10, "link up, 100 Mbit/s, half duplex"},
        {10, true, 0, "link up, 10 Mbit/s, full duplex"},
        {10, false, 1u << 10, "link up, 10 Mbit/s, half duplex"},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        setup(state);
        assert_int_equal(genet_probe(&device, &uplink), OK);
        plug(cases[i].mbit, cases[i].full);
        assert_int_equal(*fake_genet_reg(0x808) & (3u << 2 | 1u << 10), cases[i].command);
        assert_int_equal(*fake_genet_reg(0x08C), 1u << 6 | 1u << 4);
        assert_int_equal(said_times(cases[i].said), 1);
        assert_int_equal(said_times("link"), 1);
    }
}

static void test_no_link_before_it_is_negotiated(void **state)
{
    (void)state;
    uint8_t frame[60] = {0};
    assert_int_equal(genet_probe(&device, &uplink), OK);
    fake_genet_cable(1000, true);
    fake_genet.phy[1] &= (uint16_t) ~(1u << 5);
    assert_int_equal(interrupt(), 0);
    assert_int_equal(uplink->ops->send(uplink, frame, 60), ERR_IO);
    fake_genet.phy[1] |= 1u << 5;
    host_time_advance(ticks_from_ns(LOOK_NS)); /* nothing tells of it: it is looked for */
    assert_int_equal(uplink->ops->send(uplink, frame, 60), OK);
    assert_int_equal(uplink->tx_dropped, 1);
}

static void test_cable_pulled_and_put_back(void **state)
{
    (void)state;
    uint8_t frame[60] = {0};
    for (unsigned i = 1; i <= 3; i++) {
        plug(0, false);
        assert_int_equal(said_times("link down"), i);
        assert_int_equal(*fake_genet_reg(0x08C), 1u << 6);
        for (unsigned k = 0; k < 1000; k++) {
            assert_int_equal(uplink->ops->send(uplink, frame, 60), ERR_IO);
        }
        uplink->ops->flush(uplink);
        assert_int_equal(uplink->tx_dropped, i * 1000);
        assert_int_equal(fake_genet_transmit(), 0);
        plug(100, true);
        assert_int_equal(uplink->ops->send(uplink, frame, 60), OK);
        uplink->ops->flush(uplink);
        assert_int_equal(fake_genet_transmit(), 1);
        assert_true(fake_genet_receive(frame, 60));
        assert_int_equal(interrupt(), 1);
    }
    assert_int_equal(said_times("link down"), 3);
    assert_int_equal(said_times("link up"), 4); /* setup's */
}

/* The link was down and is up again, at another speed, before anybody looked. */
static void test_link_renegotiated_unseen(void **state)
{
    (void)state;
    fake_genet_cable(0, false);
    fake_genet_cable(100, true);
    assert_int_equal(interrupt(), 0);
    assert_int_equal(said_times("link up, 100 Mbit/s"), 1);
    assert_int_equal(said_times("link down"), 0);
    assert_int_equal(*fake_genet_reg(0x808) >> 2 & 3, 1);
}

/* Without the interrupt the link is looked at as time passes, and not at each poll. */
static void test_link_is_polled(void **state)
{
    (void)state;
    fake_genet_cable(0, false);
    fake_genet.interrupts = 0;
    unsigned accesses = fake_genet.phy_accesses;
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(uplink->ops->poll(uplink, 64, take), 0);
    }
    assert_int_equal(fake_genet.phy_accesses, accesses);
    assert_true(uplink->poll_by > counter_now());
    host_time_set(uplink->poll_by);
    assert_int_equal(uplink->ops->poll(uplink, 64, take), 0);
    assert_int_equal(said_times("link down"), 1);
    assert_true(uplink->poll_by > counter_now());
}

static void test_phy_falls_silent(void **state)
{
    (void)state;
    uint8_t frame[60] = {0};
    for (unsigned i = 1; i < 10; i++) {
        fake_genet.mdio_stuck = i % 3 == 0;
        fake_genet.mdio_fails = i % 3 == 1;
        fake_genet.phy[1] = i % 3 == 2 ? 0xFFFF : 0x796D;
        host_time_advance(ticks_from_ns(LOOK_NS));
        uint64_t before = counter_now();
        assert_int_equal(uplink->ops->poll(uplink, 64, take), 0);
        assert_true(counter_now() - before < ticks_from_ns(2 * NS_PER_MS));
        assert_int_equal(uplink->refused, i);
        assert_int_equal(uplink->ops->send(uplink, frame, 60), OK); /* the link may well be up */
    }
}

static void test_ack(void **state)
{
    (void)state;
    uint8_t frame[60] = {0};
    assert_false(fake_genet_irq());
    assert_true(fake_genet_receive(frame, 60));
    assert_true(fake_genet_irq());
    uplink->ops->ack(uplink);
    assert_false(fake_genet_irq());
    assert_int_equal(uplink->ops->poll(uplink, 64, take), 1);
}

#define PROBE(f) cmocka_unit_test_setup(f, setup)
#define RUN(f) cmocka_unit_test_setup(f, setup_running)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROBE(test_probe),
        PROBE(test_rings_go_on_where_they_are),
        PROBE(test_wrong_revision),
        PROBE(test_few_registers),
        PROBE(test_phy_modes),
        PROBE(test_mac_of_firmware),
        PROBE(test_phy_absent_or_mute),
        PROBE(test_dma_that_does_not_stop),
        PROBE(test_no_memory),
        RUN(test_send),
        RUN(test_send_pads),
        RUN(test_send_refuses_sizes),
        RUN(test_send_until_full_and_wrap),
        RUN(test_receive),
        RUN(test_receive_maintains_caches),
        RUN(test_receive_in_batches),
        RUN(test_bad_frames),
        RUN(test_frames_during_poll),
        RUN(test_frames_at_the_last_moment),
        RUN(test_wild_receive_index),
        RUN(test_wild_transmit_index),
        RUN(test_stopped_while_receiving),
        PROBE(test_speeds),
        PROBE(test_no_link_before_it_is_negotiated),
        RUN(test_cable_pulled_and_put_back),
        RUN(test_link_renegotiated_unseen),
        RUN(test_link_is_polled),
        RUN(test_phy_falls_silent),
        RUN(test_ack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
