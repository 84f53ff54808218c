/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bare rings. EL2 takes a transmitted frame before the doorbell returns, so there is one transmit
 * buffer, and a received frame can be sent back from where it lies.
 */
#include "tests/guests/bench/wire.h"

#include <string.h>

#include "guests/rt/hypercall.h"

#define HEADER_BYTES sizeof(struct virtio_net_hdr)
#define BUFFER_BYTES 128
#define ETH_BYTES 14
#define IP_BYTES 20
#define UDP_BYTES 8
#define IP ETH_BYTES
#define UDP (IP + IP_BYTES)
#define DATA (UDP + UDP_BYTES)

/* The header's 12 bytes and Ethernet's 14 put the IP header at 26: `lead` makes that 32. */
struct buffer {
    uint8_t lead[6];
    uint8_t header[HEADER_BYTES];
    uint8_t frame[BUFFER_BYTES - 6 - HEADER_BYTES];
};

struct virtq wire_rx, wire_tx;

static struct {
    struct virtq_desc rx_desc[WIRE_RING];
    uint8_t rx_avail[VIRTQ_AVAIL_BYTES(WIRE_RING)] __attribute__((aligned(8)));
    uint8_t rx_used[VIRTQ_USED_BYTES(WIRE_RING)] __attribute__((aligned(8)));
    struct virtq_desc tx_desc[WIRE_RING];
    uint8_t tx_avail[VIRTQ_AVAIL_BYTES(WIRE_RING)] __attribute__((aligned(8)));
    uint8_t tx_used[VIRTQ_USED_BYTES(WIRE_RING)] __attribute__((aligned(8)));
} rings __attribute__((aligned(4096)));

static struct buffer rx_buffers[WIRE_RING] __attribute__((aligned(BUFFER_BYTES)));
static struct buffer tx_buffer __attribute__((aligned(BUFFER_BYTES)));
static struct buffer *received; /* not yet released */

static void post(struct buffer *b)
{
    virtq_add(&wire_rx, (uintptr_t)b->header, sizeof(b->header) + sizeof(b->frame), true);
}

void wire_init(void)
{
    memset(&rings, 0, sizeof(rings));
    virtq_init(&wire_rx, WIRE_RING, rings.rx_desc, rings.rx_avail, rings.rx_used);
    virtq_init(&wire_tx, WIRE_RING, rings.tx_desc, rings.tx_avail, rings.tx_used);
    virtq_interrupts(&wire_tx, false);
    queue_setup(TOKLAT_QUEUE_NET_RX, WIRE_RING, rings.rx_desc, rings.rx_avail, rings.rx_used);
    queue_setup(TOKLAT_QUEUE_NET_TX, WIRE_RING, rings.tx_desc, rings.tx_avail, rings.tx_used);
    for (unsigned i = 0; i < WIRE_RING; i++) {
        post(&rx_buffers[i]);
    }
    received = NULL;
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v);
}

/* Addresses and VM numbers differ by the same everywhere. */
static uint32_t address_of(uint32_t vm)
{
    const struct toklat_system_page *page = system_page();
    return get32(page->ipv4) - page->vm_number + vm;
}

uint32_t wire_peer(unsigned index)
{
    const struct toklat_system_page *page = system_page();
    return get32(page->peers[index].ipv4_first) - get32(page->ipv4) + page->vm_number;
}

static void put_mac(uint8_t *p, uint32_t vm)
{
    memcpy(p, system_page()->mac, 3);
    p[3] = (uint8_t)(vm >> 16);
    put16(p + 4, vm);
}

static uint16_t checksum(const uint8_t *p)
{
    uint32_t sum = 0;
    for (unsigned i = 0; i < IP_BYTES; i += 2) {
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    }
    sum = (sum & 0xFFFF) + (sum >> 16);
    return (uint16_t) ~(sum + (sum >> 16));
}

static void build(uint32_t to, uint32_t command, uint64_t number, uint32_t frame_bytes)
{
    uint8_t *f = tx_buffer.frame;
    uint32_t self = system_page()->vm_number;
    struct wire_message m = {command, self, number};

    memset(&tx_buffer, 0, sizeof(tx_buffer));
    put_mac(f, to);
    put_mac(f + 6, self);
    put16(f + 12, 0x0800);
    f[IP] = 0x45;
    put16(f + IP + 2, frame_bytes - ETH_BYTES);
    f[IP + 8] = 64;
    f[IP + 9] = 17;
    put32(f + IP + 12, address_of(self));
    put32(f + IP + 16, address_of(to));
    put16(f + IP + 10, checksum(f + IP));
    put16(f + UDP, WIRE_PORT);
    put16(f + UDP + 2, WIRE_PORT);
    put16(f + UDP + 4, frame_bytes - UDP);
    memcpy(f + DATA, &m, sizeof(m));
}

static uint64_t bells(void)
{
    return virtq_wants_notify(&wire_rx) ? 3 : 1u << TOKLAT_QUEUE_NET_TX;
}

static void transmit(const struct buffer *b, uint32_t frame_bytes)
{
    uint32_t length;
    virtq_add(&wire_tx, (uintptr_t)b->header, (uint32_t)HEADER_BYTES + frame_bytes, false);
    doorbell(bells());
    virtq_take(&wire_tx, &length);
}

void wire_send(uint32_t to, uint32_t command, uint64_t number, uint32_t frame_bytes)
{
    build(to, command, number, frame_bytes);
    transmit(&tx_buffer, frame_bytes);
}

void wire_again(uint32_t frame_bytes)
{
    transmit(&tx_buffer, frame_bytes);
}

static struct buffer *take(void)
{
    uint32_t length;
    int id = virtq_take(&wire_rx, &length);
    return id < 0 ? NULL
                  : (struct buffer *)(uintptr_t)(rings.rx_desc[id].addr & ~(BUFFER_BYTES - 1ull));
}

struct wire_message *wire_receive(void)
{
    while (!virtq_has_used(&wire_rx)) {
        idle(TOKLAT_IDLE_FOREVER);
    }
    received = take();
    return (struct wire_message *)(void *)(received->frame + DATA);
}

void wire_release(void)
{
    post(received);
    received = NULL;
}

/* Unaligned, because addresses lie where Ethernet and IP put them. */
struct halves {
    uint16_t part[3];
};

static void swap_mac(uint8_t *frame)
{
    struct halves *macs = (struct halves *)(void *)frame;
    struct halves first = macs[0];
    macs[0] = macs[1];
    macs[1] = first;
}

static void swap_addresses(uint8_t *frame)
{
    uint32_t *addresses = (uint32_t *)(void *)(frame + IP + 12);
    uint32_t first = addresses[0];
    addresses[0] = addresses[1];
    addresses[1] = first;
}

/* The received header is sent as it is: EL2 looks at the fields that ask for something only. */
void wire_return(void)
{
    swap_mac(received->frame);
    swap_addresses(received->frame);
    transmit(received, WIRE_FRAME_MIN);
    wire_release();
}

void wire_drain(void)
{
    while (virtq_has_used(&wire_rx)) {
        received = take();
        wire_release();
    }
}

/* A zeroed avail.ring names descriptor 0 in every entry. */
void wire_repeat(uint32_t to, uint32_t frame_bytes)
{
    wire_init();
    build(to, WIRE_DONE, 0, frame_bytes);
    rings.tx_desc[0] = (struct virtq_desc){(uintptr_t)tx_buffer.header,
                                           (uint32_t)HEADER_BYTES + frame_bytes, 0, 0};
}
