/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMs on their way in, and frames that wait for them.
 *
 * Invariant: counters.bytes is what all parked frames take, and at most PARKED_BYTES_MAX.
 */
#include "core/transit.h"
#include "arch/memory.h"
#include "core/residence.h"
#include "mm/slab.h"

#define SMALL_BYTES 128u /* a SYN or an ACK with its link fits */
#define LARGE_BYTES 2048u

struct parked {
    struct parked *next;
    uint16_t bytes;
    uint8_t frame[];
};

_Static_assert(sizeof(struct transit) <= 256, "one slab size");
_Static_assert(sizeof(struct parked) + NIC_FRAME_MAX <= LARGE_BYTES, "any frame fits");

static struct slab transits, small, large;

#define BUFFERS_ORDER 8 /* of all small ones together, and of the large one */
#define BUFFER_BYTES KIB(16)
#define BUFFERS ((PAGE_SIZE << BUFFERS_ORDER) / BUFFER_BYTES)

static pa_t buffers, large_buffer; /* 0: there are none */
static uint64_t buffers_free;      /* a bit each */
static bool large_free;
static unsigned reads;

_Static_assert(BUFFERS == 64, "a bit each");
_Static_assert(STORE_RECORD_SECTORS_MAX *STORE_SECTOR_BYTES <= PAGE_SIZE << BUFFERS_ORDER, "fits");
static struct transit_counters counters;

void transit_init(void)
{
    slab_init(&transits, 256, FRAME_DESCRIPTOR);
    slab_init(&small, SMALL_BYTES, FRAME_DESCRIPTOR);
    slab_init(&large, LARGE_BYTES, FRAME_DESCRIPTOR);
    counters = (struct transit_counters){0};
    buffers_free = 0;
    large_free = false;
    reads = 0;
}

const struct lock *transit_lock(void)
{
    return &transits.lock;
}

unsigned transit_reads(void)
{
    return reads;
}

enum err transit_open(void)
{
    enum err e = frame_alloc_block(FRAME_EL2, FRAME_OWNER_NONE, BUFFERS_ORDER, &buffers);
    if (e == OK) {
        e = frame_alloc_block(FRAME_EL2, FRAME_OWNER_NONE, BUFFERS_ORDER, &large_buffer);
    }
    if (e == OK) {
        buffers_free = UINT64_MAX;
        large_free = true;
    }
    return e;
}

static bool buffer_take(struct transit *t, uint32_t bytes)
{
    if (bytes <= BUFFER_BYTES && buffers_free) {
        unsigned i = (unsigned)__builtin_ctzll(buffers_free);
        buffers_free &= buffers_free - 1;
        t->buffer = PA(buffers.v + i * BUFFER_BYTES);
        return true;
    }
    if (large_free) {
        large_free = false;
        t->buffer = large_buffer;
        return true;
    }
    return false;
}

struct transit_counters transit_get_counters(void)
{
    return counters;
}

struct transit *transit_new(struct stub *s)
{
    void *memory;
    if (slab_alloc(&transits, &memory) != OK) {
        return NULL;
    }
    struct transit *t = memory;
    t->stub = s;
    counters.live++;
    return t;
}

static struct slab *slab_of(size_t bytes)
{
    return sizeof(struct parked) + bytes <= SMALL_BYTES ? &small : &large;
}

static void drop_first(struct transit *t)
{
    struct parked *p = t->first;
    struct slab *slab = slab_of(p->bytes);
    t->first = p->next;
    t->parked--;
    counters.bytes -= slab->object_bytes;
    slab_free(slab, p);
}

void transit_free(struct transit *t)
{
    residence_counters.dropped += t->parked;
    while (t->first) {
        drop_first(t);
    }
    counters.live--;
    slab_free(&transits, t);
}

void transit_abandon(struct vm *vm)
{
    struct transit *t = vm->fetch;
    vm->fetch = NULL;
    if (t && t->bytes) {
        t->stub = NULL; /* it is freed when it has been read */
    } else if (t) {
        transit_free(t);
    }
}

void transit_park(struct transit *t, const uint8_t *frame, size_t bytes)
{
    struct slab *slab = slab_of(bytes);
    void *memory;
    if (t->parked == PARKED_PER_VM) {
        counters.dropped_vm++;
        return;
    }
    if (counters.bytes + slab->object_bytes > PARKED_BYTES_MAX || slab_alloc(slab, &memory) != OK) {
        counters.dropped_full++;
        return;
    }
    struct parked *p = memory;
    p->bytes = (uint16_t)bytes;
    memory_copy(p->frame, frame, bytes);
    if (t->first) {
        t->last->next = p;
    } else {
        t->first = p;
    }
    t->last = p;
    t->parked++;
    counters.parked++;
    counters.bytes += slab->object_bytes;
}

void transit_unpark(struct transit *t, bool (*take)(struct vm *vm, const uint8_t *frame, size_t n),
                    struct vm *vm)
{
    while (t->first && take(vm, t->first->frame, t->first->bytes)) {
        counters.handed_over++;
        drop_first(t);
    }
}

enum err transit_read(struct transit *t, uint64_t sector, uint32_t bytes,
                      void (*done)(struct store_io *io, enum err e))
{
    if (!buffer_take(t, bytes)) {
        return ERR_BUSY;
    }
    reads++;
    t->bytes = bytes;
    t->sector = (uint32_t)sector;
    residence_note(); /* the device is to be told */
    store_read(&t->io, sector, bytes / STORE_SECTOR_BYTES, t->buffer, done);
    return OK;
}

void transit_read_done(struct transit *t)
{
    if (t->buffer.v == large_buffer.v) {
        large_free = true;
    } else {
        buffers_free |= 1ull << (t->buffer.v - buffers.v) / BUFFER_BYTES;
    }
    t->bytes = 0;
    reads--;
    gate_poke(&gatekeeper);
}
