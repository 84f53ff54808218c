/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM's network interface: two rings and what was counted.
 */
#ifndef DEV_VIRTUAL_NIC_H
#define DEV_VIRTUAL_NIC_H

#include "abi/hypercall.h"
#include "dev/virtual/vring.h"

#define NIC_MTU 1500
#define NIC_FRAME_MAX (NIC_MTU + 14)
#define NIC_FRAME_MIN 14 /* an Ethernet header; no padding is asked of a virtual wire */

/* Who a VM may talk to (deployment property "network"): VMs, VMs and the outside, or the outside
 * alone. */
enum nic_reach { NIC_NONE, NIC_INTERNAL, NIC_UPLINK, NIC_CONTROL };

struct nic {
    struct vring rx, tx;
    uint32_t rx_frames, rx_dropped;
    uint32_t tx_frames, tx_dropped;
};

/* Copies one Ethernet frame into the receive ring behind a zero virtio_net_hdr (num_buffers 1).
 * OK: delivered. Otherwise the frame is dropped and counted. ERR_BUSY: no buffer was posted, or it
 * was too small and is returned with nothing in it. ERR_INVALID: the guest's ring is broken.
 * ERR_NO_MEMORY: the guest's buffer has no frame and none is free. ERR_AWAY: a page of it is in the
 * store; nothing has happened and the frame may be offered again. `*event` says in every case
 * whether the driver wants to hear of it. */
enum err nic_deliver(struct nic *n, struct space *s, const void *frame, size_t bytes,
                     bool *event) MUST_USE;

/* What nic_transmit does with each frame: `frame` may be changed, and is gone afterwards. */
typedef void (*nic_emit_fn)(void *context, uint8_t *frame, size_t bytes);

/* Takes up to `budget` frames from the transmit ring, checks them and emits each; returns their
 * chains. `*event` says whether the driver wants to hear of it, `*more` whether any are left; both
 * are valid in every case. Frames of a wrong size or with an offload that was never offered are
 * dropped and counted. ERR_INVALID: the guest's ring is broken. ERR_NO_MEMORY: a page of it has no
 * frame and none is free, ERR_AWAY: or is in the store; no frame is lost, call again later. */
enum err nic_transmit(struct nic *n, struct space *s, unsigned budget, nic_emit_fn emit,
                      void *context, bool *event, bool *more) MUST_USE;

#endif
