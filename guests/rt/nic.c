/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames go both ways without a copy where they can. A received frame is a pbuf over the buffer
 * that EL2 filled, and the buffer is posted again when lwIP frees it; if lwIP keeps so many that
 * EL2 would run out, the frame is copied instead. A quiet VM has few buffers, because each one
 * that EL2 writes into costs memory; when all of them were filled at once, more are added, up to
 * the size of the ring, and they go when the VM is quiet again. A frame to send that lies in one
 * piece is sent from where it is, with virtio's header written into the room that lwIP leaves
 * before it.
 *
 *      virtio header 12        Ethernet 14    IP ...
 *   |........................|--------------|--------
 *                        ^ pad: lwIP's frame begins with ETH_PAD_SIZE bytes, inside the header
 */
#include "guests/rt/nic.h"

#include <stdlib.h>
#include <string.h>

#include "abi/virtq.h"
#include "guests/rt/hypercall.h"
#include "guests/rt/timers.h"
#include "lwip/etharp.h"
#include "lwip/pbuf.h"
#include "lwip/prot/ethernet.h"
#include "netif/ethernet.h"

#define HEADER_BYTES sizeof(struct virtio_net_hdr)
#define HEADER_ROOM (HEADER_BYTES - ETH_PAD_SIZE) /* before lwIP's frame */
#define FRAME_BYTES_MIN 14
#define FRAME_BYTES_MAX 1514
#define VMS_MAX 1048576                     /* on one machine */
#define RX_KEEP_POSTED (NET_RX_BUFFERS / 2) /* with fewer the frame is copied */
#define RX_GROWTH (RING - NET_RX_BUFFERS)   /* added when EL2 ran out: bursts come again */
#define RING NET_RING_SIZE

_Static_assert(NET_RX_BUFFERS <= RING, "every receive buffer can be posted");
_Static_assert(HEADER_ROOM <= PBUF_LINK_ENCAPSULATION_HLEN, "the header fits before a frame");

/* `lead` puts the IP header, HEADER_BYTES + 14 bytes into `data`, on a multiple of 8. */
struct rx_buffer {
    struct pbuf_custom pbuf;
    uint8_t lead[6] __attribute__((aligned(8)));
    uint8_t data[HEADER_BYTES + FRAME_BYTES_MAX];
};

/* Written in this order while a request is served: it is what makes a clone's pages private. */
static struct {
    struct virtq_desc rx_desc[RING] __attribute__((aligned(VIRTQ_DESC_ALIGN)));
    struct virtq_desc tx_desc[RING];
    uint8_t rx_avail[VIRTQ_AVAIL_BYTES(RING)] __attribute__((aligned(8)));
    uint8_t tx_avail[VIRTQ_AVAIL_BYTES(RING)] __attribute__((aligned(8)));
    uint8_t rx_used[VIRTQ_USED_BYTES(RING)] __attribute__((aligned(8)));
    uint8_t tx_used[VIRTQ_USED_BYTES(RING)] __attribute__((aligned(8)));
    struct virtq rx;
    struct virtq tx;
    struct rx_buffer *rx_owner[RING]; /* by descriptor */
    struct pbuf *tx_owner[RING];
    uint32_t rx_posted;
    uint32_t rx_buffers; /* in all */
    bool calm;
    uint32_t bells; /* queues to ring for */
    struct rx_buffer buffers[NET_RX_BUFFERS];
} nic __attribute__((section(".bss.hot.nic")));

static void rx_post(struct rx_buffer *buffer)
{
    int id = virtq_add(&nic.rx, (uintptr_t)buffer->data, sizeof(buffer->data), true);
    LWIP_ASSERT("a descriptor for every receive buffer", id >= 0);
    nic.rx_owner[id] = buffer;
    nic.rx_posted++;
    if (virtq_wants_notify(&nic.rx)) {
        nic.bells |= 1u << TOKLAT_QUEUE_NET_RX;
    }
}

static bool is_spare(const struct rx_buffer *buffer)
{
    return buffer < nic.buffers || buffer >= nic.buffers + NET_RX_BUFFERS;
}

static void rx_freed(struct pbuf *pbuf)
{
    struct rx_buffer *buffer = (struct rx_buffer *)(void *)pbuf;
    if (nic.calm && is_spare(buffer)) {
        free(buffer);
        nic.rx_buffers--;
        return;
    }
    rx_post(buffer);
}

static void rx_add_spare(void)
{
    struct rx_buffer *buffer = nic.rx_buffers < RING ? malloc(sizeof(*buffer)) : NULL;
    if (buffer == NULL) {
        return;
    }
    nic.rx_buffers++;
    nic.calm = false;
    buffer->pbuf.custom_free_function = rx_freed;
    rx_post(buffer);
}

void nic_calm(void)
{
    nic.calm = true;
}

bool nic_init(void)
{
    virtq_init(&nic.rx, RING, nic.rx_desc, nic.rx_avail, nic.rx_used);
    virtq_init(&nic.tx, RING, nic.tx_desc, nic.tx_avail, nic.tx_used);
    virtq_interrupts(&nic.tx, false);
    if (queue_setup(TOKLAT_QUEUE_NET_RX, RING, nic.rx_desc, nic.rx_avail, nic.rx_used) < 0 ||
        queue_setup(TOKLAT_QUEUE_NET_TX, RING, nic.tx_desc, nic.tx_avail, nic.tx_used) < 0) {
        return false;
    }
    for (unsigned i = 0; i < NET_RX_BUFFERS; i++) {
        nic.buffers[i].pbuf.custom_free_function = rx_freed;
        rx_post(&nic.buffers[i]);
    }
    nic.rx_buffers = NET_RX_BUFFERS;
    nic_flush();
    return true;
}

/* Wraps or copies a frame whose header and length EL2 wrote; NULL if there is no memory. */
static struct pbuf *rx_wrap(struct rx_buffer *buffer, uint16_t frame_bytes)
{
    uint16_t length = (uint16_t)(frame_bytes + ETH_PAD_SIZE);
    uint8_t *frame = buffer->data + HEADER_ROOM;
    if (nic.rx_posted >= RX_KEEP_POSTED) {
        return pbuf_alloced_custom(PBUF_RAW, length, PBUF_REF, &buffer->pbuf, frame, length);
    }
    struct pbuf *copy = pbuf_alloc(PBUF_RAW, length, PBUF_RAM);
    if (copy != NULL) {
        memcpy(copy->payload, frame, length);
    }
    rx_post(buffer);
    return copy;
}

static void rx_take(struct netif *netif)
{
    uint32_t length = 0;
    int id = virtq_take(&nic.rx, &length);
    if (id < 0) {
        return;
    }
    struct rx_buffer *buffer = nic.rx_owner[id];
    nic.rx_posted--;
    if (length < HEADER_BYTES + FRAME_BYTES_MIN || length > sizeof(buffer->data)) {
        rx_post(buffer);
        return;
    }
    struct pbuf *frame = rx_wrap(buffer, (uint16_t)(length - HEADER_BYTES));
    if (frame != NULL && netif->input(frame, netif) != ERR_OK) {
        pbuf_free(frame);
    }
}

static void tx_reap(void)
{
    uint32_t length = 0;
    while (virtq_has_used(&nic.tx)) {
        int id = virtq_take(&nic.tx, &length);
        if (id >= 0 && nic.tx_owner[id] != NULL) {
            pbuf_free(nic.tx_owner[id]);
            nic.tx_owner[id] = NULL;
        }
    }
}

/* The frame in one piece with room for the header before it, with a reference of its own. */
static struct pbuf *tx_flatten(struct pbuf *frame)
{
    if (frame->next == NULL && pbuf_add_header(frame, HEADER_ROOM) == 0) {
        pbuf_remove_header(frame, HEADER_ROOM);
        pbuf_ref(frame);
        return frame;
    }
    struct pbuf *copy = pbuf_alloc(PBUF_RAW_TX, frame->tot_len, PBUF_RAM);
    if (copy != NULL) {
        pbuf_copy(copy, frame);
    }
    return copy;
}

static bool is_arp(const struct pbuf *frame)
{
    const struct eth_hdr *eth = frame->payload;
    return eth->type == PP_HTONS(ETHTYPE_ARP);
}

static err_t tx_frame(struct netif *netif, struct pbuf *frame)
{
    LWIP_UNUSED_ARG(netif);
    tx_reap();
    if (nic.tx.free_count == 0) {
        nic_flush();
        tx_reap();
    }
    if (nic.tx.free_count == 0) {
        return ERR_MEM;
    }
    struct pbuf *flat = tx_flatten(frame);
    if (flat == NULL) {
        return ERR_MEM;
    }
    if (is_arp(flat)) {
        timers_arp_asked();
    }
    uint8_t *start = (uint8_t *)flat->payload - HEADER_ROOM;
    memset(start, 0, HEADER_BYTES);
    int id = virtq_add(&nic.tx, (uintptr_t)start, HEADER_ROOM + flat->tot_len, false);
    nic.tx_owner[id] = flat;
    nic.bells |= virtq_wants_notify(&nic.tx) ? 1u << TOKLAT_QUEUE_NET_TX : 0;
    return ERR_OK;
}

/* The number of the VM that has this address, or 0. Addresses follow from numbers (the virtual
 * architecture, "The switch"), so those of VMs need not be asked for. */
static uint32_t vm_of(const struct netif *netif, const ip4_addr_t *address)
{
    uint32_t own = lwip_ntohl(ip4_addr_get_u32(netif_ip4_addr(netif)));
    uint32_t number = lwip_ntohl(ip4_addr_get_u32(address)) - own + system_page()->vm_number;
    bool near = ip4_addr_netcmp(address, netif_ip4_addr(netif), netif_ip4_netmask(netif));
    return near && number <= VMS_MAX ? number : 0;
}

static err_t output(struct netif *netif, struct pbuf *packet, const ip4_addr_t *to)
{
    uint32_t number = vm_of(netif, to);
    if (number == 0) {
        return etharp_output(netif, packet, to);
    }
    struct eth_addr mac = {
        {0x02, 0x54, 0x4b, (u8_t)(number >> 16), (u8_t)(number >> 8), (u8_t)number}};
    return ethernet_output(netif, packet, (const struct eth_addr *)(const void *)netif->hwaddr,
                           &mac, ETHTYPE_IP);
}

err_t nic_netif_init(struct netif *netif)
{
    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->mtu = FRAME_BYTES_MAX - FRAME_BYTES_MIN;
    netif->hwaddr_len = ETH_HWADDR_LEN;
    netif->flags = NETIF_FLAG_BROADCAST;
    netif->output = output;
    netif->linkoutput = tx_frame;
    return ERR_OK;
}

/* Frames that EL2 has delivered and nobody took yet. */
static unsigned rx_waiting(void)
{
    return (uint16_t)(nic.rx.used->idx - nic.rx.last_used);
}

bool nic_poll(struct netif *netif)
{
    unsigned frames = 0;
    bool starved = nic.rx_posted > 0 && rx_waiting() >= nic.rx_posted;
    tx_reap();
    for (; virtq_has_used(&nic.rx) && frames < 2 * RING; frames++) {
        rx_take(netif);
    }
    for (unsigned i = 0; starved && i < RX_GROWTH; i++) {
        rx_add_spare();
    }
    return virtq_has_used(&nic.rx);
}

void nic_flush(void)
{
    if (nic.bells != 0) {
        doorbell(nic.bells);
        nic.bells = 0;
        tx_reap();
    }
    bool waiting = nic.tx.free_count < RING;
    if (waiting == ((nic.tx.avail->flags & VIRTQ_AVAIL_F_NO_INTERRUPT) != 0)) {
        virtq_interrupts(&nic.tx, waiting);
        tx_reap();
    }
}
