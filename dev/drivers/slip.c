/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A serial line as uplink: IPv4 packets as SLIP, from and to the one peer at its other end.
 *
 *   send  -> output[sent ... queued) -> transmitter, by flush and at each interrupt
 *   receiver -> decoder -> frame     -> receive(), at each interrupt
 *
 * The switch speaks Ethernet: the header is taken off what goes out and put before what comes in.
 * Only IPv4 passes. Packets are at most SLIP_MTU long. Nothing waits: output that finds no room is
 * dropped, input that makes no sense is dropped and counted in `refused`. A cable may be pulled at
 * any time: the first END afterwards begins anew.
 *
 * A byte that the receiver loses leaves its packet shorter than it says, and the decoder refuses
 * it: nothing has to be known of overruns and framing errors, which not every UART reports.
 *
 * Context: one CPU at a time, the one that owns the uplink.
 */
#include "dev/drivers/slip.h"

#include "arch/time.h"
#include "core/base/log.h"
#include "core/base/slip.h"
#include "core/base/string.h"

#define ETH_BYTES 14u
#define ETH_TYPE 12
#define ETH_TYPE_IPV4 0x0800

/* Four of the largest packets: half a second at 115,200 baud. More would only be later. */
#define OUTPUT_BYTES 8192u
/* Bytes of one poll: more than any receiver holds, and an end to one that never runs dry. */
#define POLL_BYTES 4096u

/* Of a line that turns bad and good again, no more is said than this often; and it is good when so
 * many packets have come without noise between them. */
#define QUIET_NS (10 * NS_PER_S)
#define GOOD_PACKETS 8u

struct slip {
    struct uplink uplink;
    const struct uart_ops *uart; /* NULL: not started */
    uintptr_t base;
    size_t sent, queued;
    bool waits_for_room;
    struct slip_decoder decoder;
    bool noisy;      /* as was said last */
    uint32_t good;   /* packets since the last noise */
    uint64_t silent; /* until this counter value */
    uint8_t frame[ETH_BYTES + SLIP_MTU];
    uint8_t output[OUTPUT_BYTES];
};

static struct slip line;

/* Locally administered; the switch's own begin otherwise. */
static const uint8_t peer[6] = {0x02, 'S', 'L', 'I', 'P', 1};

static struct slip *of(struct uplink *u)
{
    return container_of(u, struct slip, uplink);
}

/* Gives the transmitter what it has room for; the interrupt goes on with the rest. */
static void transmit(struct slip *s)
{
    while (s->sent < s->queued && s->uart->put(s->base, (char)s->output[s->sent])) {
        s->sent++;
    }
    bool more = s->sent < s->queued;
    if (more != s->waits_for_room) {
        s->waits_for_room = more;
        s->uart->interrupt_on_room(s->base, more);
    }
}

static enum err send(struct uplink *u, const uint8_t *frame, size_t bytes)
{
    struct slip *s = of(u);
    size_t packet = 0;
    if (bytes > ETH_BYTES && frame[ETH_TYPE] == ETH_TYPE_IPV4 >> 8 && frame[ETH_TYPE + 1] == 0) {
        packet = slip_ipv4_bytes(frame + ETH_BYTES, bytes - ETH_BYTES); /* without padding */
    }
    if (packet == 0 || packet > SLIP_MTU) {
        u->tx_dropped++;
        return ERR_INVALID;
    }
    if (SLIP_ENCODED_MAX(packet) > OUTPUT_BYTES - (s->queued - s->sent)) {
        u->tx_dropped++;
        return ERR_BUSY;
    }
    if (SLIP_ENCODED_MAX(packet) > OUTPUT_BYTES - s->queued) {
        memmove(s->output, s->output + s->sent, s->queued - s->sent);
        s->queued -= s->sent;
        s->sent = 0;
    }
    s->queued += slip_encode(s->output + s->queued, frame + ETH_BYTES, packet);
    u->tx_frames++;
    return OK;
}

static void flush(struct uplink *u)
{
    transmit(of(u));
}

/* Hands on the packet that the decoder has just completed. */
static void hand_over(struct slip *s, size_t bytes, uplink_receive_fn receive)
{
    memcpy(s->frame, s->uplink.mac, 6);
    memcpy(s->frame + 6, peer, 6);
    s->frame[ETH_TYPE] = ETH_TYPE_IPV4 >> 8;
    s->frame[ETH_TYPE + 1] = 0;
    s->uplink.rx_frames++;
    s->good++;
    receive(s->frame, ETH_BYTES + bytes);
}

/* Says it when the line has changed. */
static void judge(struct slip *s)
{
    uint64_t refused = s->decoder.refused - s->uplink.refused;
    s->uplink.refused = s->decoder.refused;
    if (refused) {
        s->good = 0;
    }
    bool noisy = refused || (s->noisy && s->good < GOOD_PACKETS);
    if (likely(noisy == s->noisy) || counter_now() < s->silent) {
        return;
    }
    s->noisy = noisy;
    s->silent = counter_now() + ticks_from_ns(QUIET_NS);
    if (noisy) {
        log_warn("slip: the line brings what is no packet; %llu refused so far",
                 (unsigned long long)s->uplink.refused);
    } else {
        log_info("slip: the line is good again");
    }
}

static unsigned poll(struct uplink *u, unsigned budget, uplink_receive_fn receive)
{
    struct slip *s = of(u);
    unsigned taken = 0;
    unsigned left = POLL_BYTES;
    int c = 0;
    u->polls++;
    transmit(s);
    for (; left > 0 && taken < budget && (c = s->uart->get(s->base)) >= 0; left--) {
        size_t bytes = slip_decode(&s->decoder, (uint8_t)c);
        if (bytes > 0) {
            hand_over(s, bytes, receive);
            taken++;
        }
    }
    judge(s);
    return c >= 0 ? budget : taken; /* not taken to the last byte: there may be more */
}

static void ack(struct uplink *u)
{
    of(u)->uart->ack(of(u)->base);
}

static const struct uplink_ops slip_ops = {.send = send, .flush = flush, .poll = poll, .ack = ack};

enum err slip_start(const struct uart_ops *ops, uintptr_t base, uint32_t irq, struct uplink **out)
{
    struct slip *s = &line;
    if (s->uart) {
        return ERR_BUSY;
    }
    *s = (struct slip){.uplink = {.ops = &slip_ops, .name = "slip", .irq = irq},
                       .uart = ops,
                       .base = base,
                       .decoder = {.packet = line.frame + ETH_BYTES}};
    memcpy(s->uplink.peer, peer, sizeof(peer));
    ops->start(base);
    *out = &s->uplink;
    return OK;
}
