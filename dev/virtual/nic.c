/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM's network interface. Invariant: a frame is copied in once, to this CPU's buffer; what is
 * checked there is what is switched, whatever the guest does to its own copy.
 */
#include "dev/virtual/nic.h"

#include "arch/cpu.h"

#define HEADER_BYTES sizeof(struct virtio_net_hdr)

/* What a guest sends: header and frame. Too large for EL2's stack. */
struct bounce {
    uint8_t bytes[HEADER_BYTES + NIC_FRAME_MAX];
} __attribute__((aligned(64)));

static struct bounce bounces[CPUS_MAX];

enum err nic_deliver(struct nic *n, struct space *s, const void *frame, size_t bytes, bool *event)
{
    static const struct virtio_net_hdr header = {.num_buffers = 1};
    struct vring_chain chain;
    *event = false;
    enum err e = vring_pop_write(&n->rx, s, &header, sizeof(header), frame, bytes, &chain);
    if (e == OK || e == ERR_RANGE) {
        uint32_t written = e == OK ? (uint32_t)(sizeof(header) + bytes) : 0;
        enum err pushed = vring_push(&n->rx, s, chain.head, written);
        if (pushed == OK) {
            *event = chain.wants_event;
        } else {
            vring_unpop(&n->rx);
            e = pushed;
        }
    }
    if (e == OK) {
        n->rx_frames++;
        return OK;
    }
    n->rx_dropped += e != ERR_AWAY;
    return e == ERR_NOT_FOUND || e == ERR_RANGE ? ERR_BUSY : e;
}

/* Whether `b` holds a frame that may go on the wire as it is. */
static bool acceptable(const struct bounce *b, size_t n)
{
    const struct virtio_net_hdr *header = (const void *)b->bytes;
    return n >= HEADER_BYTES + NIC_FRAME_MIN && header->flags == 0 && header->gso_type == 0;
}

/* Takes one chain into `b` and returns it; `*n` is what it held, 0 when that was too much. */
static enum err take(struct nic *nic, struct space *s, struct bounce *b, struct vring_chain *chain,
                     size_t *n)
{
    enum err e = vring_pop_read(&nic->tx, s, b->bytes, sizeof(b->bytes), chain, n);
    if (e == ERR_RANGE) {
        *n = 0;
    } else if (e != OK) {
        return e;
    }
    e = vring_push(&nic->tx, s, chain->head, 0);
    if (e != OK) {
        vring_unpop(&nic->tx);
    }
    return e;
}

enum err nic_transmit(struct nic *n, struct space *s, unsigned budget, nic_emit_fn emit,
                      void *context, bool *event, bool *more)
{
    struct bounce *b = &bounces[cpu_index()];
    struct vring_chain chain;
    size_t bytes;
    *event = false;
    *more = true;
    for (unsigned taken = 0; *more && taken < budget; taken++) {
        enum err e = take(n, s, b, &chain, &bytes);
        if (e != OK) {
            *more = false;
            return e == ERR_NOT_FOUND ? OK : e;
        }
        *event = chain.wants_event;
        *more = chain.left > 0;
        if (acceptable(b, bytes)) {
            n->tx_frames++;
            emit(context, b->bytes + HEADER_BYTES, bytes - HEADER_BYTES);
        } else {
            n->tx_dropped++;
        }
    }
    return OK;
}
