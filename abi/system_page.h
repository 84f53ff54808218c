/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system page: the virtual registers of a VM, read without a trap.
 *
 * It is mapped readable and writable at TOKLAT_SYSTEM_PAGE and belongs to the VM: what a guest
 * writes over EL2's fields hurts only itself, because EL2 never reads them back. The two words
 * that EL2 does read, events_pending and events_masked, may hold any value.
 *
 *   0x0000 +----------------+ never mapped: a NULL pointer faults
 *   0x1000 | system page    |
 *   0x2000 +----------------+ never mapped
 *   0x3000 | image          | text RX, rodata R, data RW, as the ELF segments say
 *          | zero pages     | RW, on demand
 *          +----------------+ one page, never mapped: the stack's guard
 *          | stack          | RW, on demand; SP starts at memory_bytes
 *          +----------------+ memory_bytes, at most TOKLAT_MEMORY_MAX
 */
#ifndef ABI_SYSTEM_PAGE_H
#define ABI_SYSTEM_PAGE_H

#include <stdint.h>

#define TOKLAT_PAGE_BYTES 4096
#define TOKLAT_SYSTEM_PAGE 0x1000
#define TOKLAT_IMAGE_BASE 0x3000
#define TOKLAT_MEMORY_MAX (32 * 1024 * 1024)
#define TOKLAT_SYSTEM_MAGIC 0x744c6b54 /* "TkLt" in memory order */
#define TOKLAT_PEERS_MAX 8
#define TOKLAT_ARGS_BYTES 256
#define TOKLAT_NAME_BYTES 24
#define TOKLAT_CONSOLE_IN_BYTES 128

/* Events. A set bit says that something happened at least once since the bit was last taken. */
#define TOKLAT_EVENT_TIMER (1ull << 0)    /* idle's timeout passed, or CNTV fired */
#define TOKLAT_EVENT_NET_RX (1ull << 1)   /* the receive queue has used buffers */
#define TOKLAT_EVENT_NET_TX (1ull << 2)   /* the transmit queue has used buffers */
#define TOKLAT_EVENT_DISK (1ull << 3)     /* reserved */
#define TOKLAT_EVENT_CONSOLE (1ull << 4)  /* console_in has bytes; the journal has (supervisor) */
#define TOKLAT_EVENT_PRESSURE (1ull << 5) /* EL2 wants frames back: release what you can */
#define TOKLAT_EVENT_RESUMED (1ull << 6)  /* the identity below is new: clone or restore */
#define TOKLAT_EVENT_SHUTDOWN (1ull << 7) /* please exit */
#define TOKLAT_EVENTS_ALL (~(1ull << 63)) /* bit 63 is never set: idle's result is >= 0 */

/* A named group of VMs that this VM was told about (deployment property "peers"). */
struct toklat_peer {
    char name[TOKLAT_NAME_BYTES]; /* NUL-terminated */
    uint8_t ipv4_first[4];        /* address of instance 1; instance n has this plus n - 1 */
    uint32_t count;
};

struct toklat_system_page {
    uint32_t magic;        /* TOKLAT_SYSTEM_MAGIC */
    uint32_t abi_version;  /* TOKLAT_ABI_VERSION of this EL2 */
    uint32_t vm_number;    /* on this machine, from 1; 0 while a template boots */
    uint32_t instance;     /* within its deployment node, from 1; 0 while a template boots */
    uint64_t generation;   /* changes on every clone, restart and restore; never 0 */
    uint64_t memory_bytes; /* end of the VM's memory */
    uint64_t counter_hz;   /* of CNTVCT_EL0 */
    uint64_t wall_base_ns; /* Unix time at physical counter 0; 0: no clock on this board */
    volatile uint64_t wall_offset;    /* CNTVCT_EL0 + wall_offset = physical counter, in ticks */
    volatile uint64_t events_pending; /* EL2 sets bits; the guest clears those that it takes */
    volatile uint64_t events_masked;  /* the guest's; masked events stay pending */
    volatile uint32_t private_pages;  /* guest pages that only this VM holds, this one included */
    volatile uint32_t shared_pages;   /* guest pages mapped from the template */
    volatile uint32_t table_pages;    /* stage-2 table frames that only this VM holds */
    uint32_t descriptor_bytes;        /* what EL2 keeps for this VM beside those */
    uint8_t mac[6];
    uint16_t mtu; /* largest IP packet, in bytes; 0: this VM has no network */
    uint8_t ipv4[4];
    uint8_t netmask[4];
    uint8_t gateway[4];
    uint8_t seed[32];             /* fresh for every generation; unpredictable to other VMs */
    char name[TOKLAT_NAME_BYTES]; /* of the deployment node, NUL-terminated */
    char args[TOKLAT_ARGS_BYTES]; /* deployment property "args", NUL-terminated */
    uint32_t peer_count;
    struct toklat_peer peers[TOKLAT_PEERS_MAX];
    uint32_t reserved[2];
    volatile uint32_t console_in_put;   /* bytes that EL2 has put into console_in, modulo 2^32 */
    volatile uint32_t console_in_taken; /* the guest's: that it has taken */
    volatile char console_in[TOKLAT_CONSOLE_IN_BYTES]; /* a ring: byte n is at n % its size */
};

_Static_assert(sizeof(struct toklat_peer) == 32, "published layout");
_Static_assert(sizeof(struct toklat_system_page) == 824, "published layout");
_Static_assert(sizeof(struct toklat_system_page) <= TOKLAT_PAGE_BYTES, "fits its page");

#endif
