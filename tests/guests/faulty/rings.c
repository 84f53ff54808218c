/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rings that no sound driver would make, which end the VM, and frames that are only dropped.
 */
#include <string.h>

#include "abi/virtq.h"
#include "guests/rt/hypercall.h"
#include "tests/guests/faulty/modes.h"

#define SIZE 8
#define FRAME_BYTES 64
#define HEADER_BYTES sizeof(struct virtio_net_hdr)
#define HUGE UINT64_MAX

static struct {
    struct virtq_desc desc[SIZE];
    uint8_t avail[VIRTQ_AVAIL_BYTES(SIZE)] __attribute__((aligned(8)));
    uint8_t used[VIRTQ_USED_BYTES(SIZE)] __attribute__((aligned(8)));
} ring __attribute__((aligned(4096)));

static uint8_t buffer[8192] __attribute__((aligned(16)));

static struct virtq_avail *avail(void)
{
    return (struct virtq_avail *)(void *)ring.avail;
}

static uint16_t used_idx(void)
{
    return ((volatile struct virtq_used *)(void *)ring.used)->idx;
}

/* A sound transmit queue with one descriptor of one frame, not yet made available. */
static bool fresh(void)
{
    memset(&ring, 0, sizeof(ring));
    ring.desc[0] = (struct virtq_desc){(uintptr_t)buffer, HEADER_BYTES + FRAME_BYTES, 0, 0};
    return queue_setup(TOKLAT_QUEUE_NET_TX, SIZE, ring.desc, ring.avail, ring.used) == 0;
}

static int64_t offer(uint16_t head)
{
    avail()->ring[0] = head;
    virtq_barrier();
    avail()->idx = 1;
    return doorbell(1u << TOKLAT_QUEUE_NET_TX);
}

/* A frame that is dropped, not an error: its buffer must come back. */
static bool dropped(const char *what, uint32_t bytes)
{
    bool fine = check(fresh(), "queue_setup");
    ring.desc[0].len = bytes;
    fine &= check_number(offer(0), 0, what);
    return check_number(used_idx(), 1, what) && fine;
}

/* What a ring can be spoiled with, one a mode: "wild-ring" and "wild-ring-NAME". */
static void loop(void)
{
    ring.desc[0].flags = VIRTQ_DESC_F_NEXT;
    ring.desc[0].len = 1;
    ring.desc[0].next = 0;
}

static void empty_loop(void)
{
    loop();
    ring.desc[0].len = 0;
}

static void wild_next(void)
{
    ring.desc[0].flags = VIRTQ_DESC_F_NEXT;
    ring.desc[0].next = SIZE;
}

static void outside(void)
{
    ring.desc[0].addr = system_page()->memory_bytes - 16;
}

static void wraps(void)
{
    ring.desc[0].addr = HUGE - 8;
}

static void null_buffer(void)
{
    ring.desc[0].addr = 0;
}

static void wrong_direction(void)
{
    ring.desc[0].flags = VIRTQ_DESC_F_WRITE;
}

static void indirect(void)
{
    ring.desc[0].flags = VIRTQ_DESC_F_INDIRECT;
}

static const struct {
    const char *name;
    void (*spoil)(void);
} spoils[] = {
    {"", loop},
    {"-empty-loop", empty_loop},
    {"-next", wild_next},
    {"-outside", outside},
    {"-wraps", wraps},
    {"-null", null_buffer},
    {"-direction", wrong_direction},
    {"-indirect", indirect},
};

/* Parts of the ring where nothing is mapped, or where the device may not write. */
static void parts_elsewhere(const char *part)
{
    uint64_t gap = TOKLAT_SYSTEM_PAGE + TOKLAT_PAGE_BYTES;
    uint64_t text = (uintptr_t)&mode_wild_ring & ~4095ull;
    uint64_t desc = strcmp(part, "-desc") == 0 ? gap : (uintptr_t)ring.desc;
    uint64_t avail_at = strcmp(part, "-avail") == 0 ? gap : (uintptr_t)ring.avail;
    uint64_t used = strcmp(part, "-used") == 0   ? gap
                    : strcmp(part, "-text") == 0 ? text
                                                 : (uintptr_t)ring.used;

    hypercall(TOKLAT_QUEUE_SETUP, TOKLAT_QUEUE_NET_TX, SIZE, desc, avail_at, used);
    offer(0);
}

void mode_wild_ring(const char *kind)
{
    check(fresh(), "queue_setup");
    for (unsigned i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
        if (strcmp(kind, spoils[i].name) == 0) {
            spoils[i].spoil();
            offer(0);
            return;
        }
    }
    if (strcmp(kind, "-head") == 0) {
        offer(SIZE);
    } else if (strcmp(kind, "-index") == 0) {
        avail()->idx = SIZE + 1;
        doorbell(1u << TOKLAT_QUEUE_NET_TX);
    } else {
        parts_elsewhere(kind);
    }
}

bool mode_odd_frames(void)
{
    bool fine = dropped("oversized frame", 8000);

    fine &= dropped("short frame", 5);
    fine &= dropped("empty frame", 0);
    fine &= check(fresh() && offer(0) == 0 && used_idx() == 1, "a sound ring afterwards");
    return fine;
}
