/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rings that no sound driver would make. Each must be answered with a refusal, or be harmless.
 */
#include <string.h>

#include "abi/virtq.h"
#include "guests/rt/console.h"
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

/* The doorbell must refuse what `spoil` did to a sound ring, and a new set-up must cure it. */
static bool refused(const char *what, void (*spoil)(void), uint16_t head)
{
    bool fine = check(fresh(), "queue_setup");
    spoil();
    int64_t result = offer(head);
    if (result < 0) {
        console_printf("ring with %s: refused %ld\n", what, result);
        return fine;
    }
    return check(false, what);
}

/* A frame that is dropped, not an error: its buffer must come back. */
static bool dropped(const char *what, uint32_t bytes)
{
    bool fine = check(fresh(), "queue_setup");
    ring.desc[0].len = bytes;
    fine &= check_number(offer(0), 0, what);
    return check_number(used_idx(), 1, what) && fine;
}

static void nothing(void)
{
}

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

static void index_ahead(void)
{
    avail()->idx = (uint16_t)(SIZE + 1);
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

static bool wild_index(void)
{
    bool fine = check(fresh(), "queue_setup");
    index_ahead();
    int64_t result = doorbell(1u << TOKLAT_QUEUE_NET_TX);
    return check(result < 0, "index ahead of the ring") && fine;
}

/* Parts of the ring where nothing is mapped, or where the device may not write. */
static bool parts_elsewhere(void)
{
    uint64_t gap = TOKLAT_SYSTEM_PAGE + TOKLAT_PAGE_BYTES;
    uint64_t text = (uintptr_t)&mode_wild_ring & ~4095ull;
    const uint64_t places[][3] = {
        {gap, (uintptr_t)ring.avail, (uintptr_t)ring.used},
        {(uintptr_t)ring.desc, gap, (uintptr_t)ring.used},
        {(uintptr_t)ring.desc, (uintptr_t)ring.avail, gap},
        {(uintptr_t)ring.desc, (uintptr_t)ring.avail, text},
    };
    bool fine = true;

    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        fine &= check(fresh(), "queue_setup");
        int64_t set = hypercall(TOKLAT_QUEUE_SETUP, TOKLAT_QUEUE_NET_TX, SIZE, places[i][0],
                                places[i][1], places[i][2]);
        fine &= check(set < 0 || offer(0) < 0, "ring in foreign memory");
    }
    return fine;
}

bool mode_wild_ring(void)
{
    bool fine = refused("a loop", loop, 0);

    fine &= refused("a loop of nothing", empty_loop, 0);
    fine &= refused("a wild descriptor", wild_next, 0);
    fine &= refused("a wild head", nothing, SIZE);
    fine &= refused("a very wild head", nothing, 0xFFFF);
    fine &= refused("a buffer outside", outside, 0);
    fine &= refused("a buffer that wraps", wraps, 0);
    fine &= refused("a buffer at 0", null_buffer, 0);
    fine &= refused("a device-writable buffer to send", wrong_direction, 0);
    fine &= refused("an indirect descriptor", indirect, 0);
    fine &= wild_index();
    fine &= parts_elsewhere();
    fine &= dropped("oversized frame", 8000);
    fine &= dropped("short frame", 5);
    fine &= dropped("empty frame", 0);
    fine &= check(fresh() && offer(0) == 0 && used_idx() == 1, "a sound ring afterwards");
    return fine;
}
