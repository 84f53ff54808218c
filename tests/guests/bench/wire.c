/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bare rings, with as few instructions as they can be served with.
 *
 * EL2 takes a frame before the doorbell returns, so one transmit descriptor is enough: every entry
 * of the available ring is 0. Receive descriptor n always has buffer n.
 */
#include "tests/guests/bench/wire.h"

#include <string.h>

#include "abi/virtq.h"
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

static struct {
    struct virtq_desc rx_desc[WIRE_RING];
    uint8_t rx_avail[VIRTQ_AVAIL_BYTES(WIRE_RING)] __attribute__((aligned(8)));
    uint8_t rx_used[VIRTQ_USED_BYTES(WIRE_RING)] __attribute__((aligned(8)));
    struct virtq_desc tx_desc[WIRE_RING];
    uint8_t tx_avail[VIRTQ_AVAIL_BYTES(WIRE_RING)] __attribute__((aligned(8)));
    uint8_t tx_used[VIRTQ_USED_BYTES(WIRE_RING)] __attribute__((aligned(8)));
    uint16_t rx_taken; /* used entries */
    uint16_t received; /* the buffer that is not yet released */
} rings __attribute__((aligned(4096)));

static struct buffer rx_buffers[WIRE_RING] __attribute__((aligned(BUFFER_BYTES)));
static struct buffer tx_buffer __attribute__((aligned(BUFFER_BYTES)));

static volatile struct virtq_avail *rx_avail(void)
{
    return (volatile struct virtq_avail *)(void *)rings.rx_avail;
}

static volatile struct virtq_avail *tx_avail(void)
{
    return (volatile struct virtq_avail *)(void *)rings.tx_avail;
}

static volatile struct virtq_used *rx_used(void)
{
    return (volatile struct virtq_used *)(void *)rings.rx_used;
}

volatile uint16_t *wire_tx_idx(void)
{
    return &tx_avail()->idx;
}

volatile uint16_t *wire_rx_idx(void)
{
    return &rx_avail()->idx;
}

void wire_want_events(bool on)
{
    rx_avail()->flags = on ? 0 : VIRTQ_AVAIL_F_NO_INTERRUPT;
}

static void post(uint16_t n)
{
    uint16_t idx = rx_avail()->idx;
    rx_avail()->ring[idx % WIRE_RING] = n;
    virtq_barrier(); /* the entry is there before the index that shows it */
    rx_avail()->idx = (uint16_t)(idx + 1);
}

void wire_init(void)
{
    memset(&rings, 0, sizeof(rings));
    tx_avail()->flags = VIRTQ_AVAIL_F_NO_INTERRUPT;
    queue_setup(TOKLAT_QUEUE_NET_RX, WIRE_RING, rings.rx_desc, rings.rx_avail, rings.rx_used);
    queue_setup(TOKLAT_QUEUE_NET_TX, WIRE_RING, rings.tx_desc, rings.tx_avail, rings.tx_used);
    for (uint16_t i = 0; i < WIRE_RING; i++) {
        struct buffer *b = &rx_buffers[i];
        rings.rx_desc[i] = (struct virtq_desc){
            (uintptr_t)b->header, sizeof(b->header) + sizeof(b->frame), VIRTQ_DESC_F_WRITE, 0};
        post(i);
    }
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

/* One bell for both queues, unless the device wants none for buffers to receive into. */
static void transmit(const struct buffer *b, uint32_t frame_bytes)
{
    uint16_t idx = tx_avail()->idx;
    rings.tx_desc[0].addr = (uintptr_t)b->header;
    rings.tx_desc[0].len = (uint32_t)HEADER_BYTES + frame_bytes;
    virtq_barrier(); /* the descriptor is there before the index that shows it */
    tx_avail()->idx = (uint16_t)(idx + 1);
    doorbell(rx_used()->flags & VIRTQ_USED_F_NO_NOTIFY ? 2 : 3);
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

static bool has_received(void)
{
    return rx_used()->idx != rings.rx_taken;
}

static struct buffer *take(void)
{
    virtq_barrier(); /* the index was read before the entry that it shows */
    rings.received = (uint16_t)(rx_used()->ring[rings.rx_taken % WIRE_RING].id % WIRE_RING);
    rings.rx_taken++;
    return &rx_buffers[rings.received];
}

struct wire_message *wire_receive(void)
{
    while (!has_received()) {
        idle(TOKLAT_IDLE_FOREVER);
    }
    return (struct wire_message *)(void *)(take()->frame + DATA);
}

void wire_release(void)
{
    post(rings.received);
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
    struct buffer *b = &rx_buffers[rings.received];
    swap_mac(b->frame);
    swap_addresses(b->frame);
    transmit(b, WIRE_FRAME_MIN);
    wire_release();
}

void wire_drain(void)
{
    while (has_received()) {
        take();
        wire_release();
    }
}

void wire_repeat(uint32_t to, uint32_t frame_bytes)
{
    wire_init();
    build(to, WIRE_DONE, 0, frame_bytes);
    rings.tx_desc[0].addr = (uintptr_t)tx_buffer.header;
    rings.tx_desc[0].len = (uint32_t)HEADER_BYTES + frame_bytes;
}
