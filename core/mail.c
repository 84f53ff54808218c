/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages between CPUs.
 *
 *        taken          given
 *          v              v
 *   ring [ . m m m m m m m . . . ]      indices run on and are masked; a message lies in one piece
 *
 * Invariants: given - taken <= ring_bytes; `given` is written by the sender alone, `taken` by the
 * receiver alone. A receiver's `called` is cleared before it looks at its rings, and set after
 * something was put into one: what is not seen by this look has a call of its own.
 */
#include "core/mail.h"
#include "arch/cpu.h"
#include "arch/irq.h"
#include "arch/memory.h"
#include "core/base/string.h"
#include "mm/frame.h"

/* A ring is as large as memory allows, of which all together take no more than a share. */
#define RING_ORDER_MIN 2
#define RING_ORDER_MAX 5
#define RINGS_SHARE 64

/* What frames, and VMs, leave free. */
#define FRAMES_LEAVE (ring_bytes / 8 + VMS_LEAVE)
#define VMS_LEAVE 2048u

struct ring {
    uint8_t *data; /* NULL: there is no such pair */
    uint32_t given __attribute__((aligned(64)));
    uint32_t taken __attribute__((aligned(64)));
};

static struct ring rings[CPUS_MAX][CPUS_MAX]; /* from, to */
static uint32_t ring_bytes;

static struct {
    bool called; /* its interrupt is on its way */
    struct mail_counters counters;
} __attribute__((aligned(64))) boxes[CPUS_MAX];

static unsigned choose_order(unsigned pairs)
{
    unsigned order = RING_ORDER_MAX;
    while (order > RING_ORDER_MIN && (uint64_t)pairs << order > frame_total() / RINGS_SHARE) {
        order--;
    }
    return order;
}

static enum err ring_init(struct ring *r, unsigned order)
{
    pa_t pa;
    enum err e = frame_alloc_block(FRAME_EL2, FRAME_OWNER_NONE, order, &pa);
    *r = (struct ring){.data = e == OK ? arch_ptr(pa) : NULL};
    return e;
}

BOOT enum err mail_init(unsigned cpus)
{
    enum err e = OK;
    unsigned order = choose_order(cpus * (cpus - 1));
    ring_bytes = (uint32_t)PAGE_SIZE << order;
    memset(rings, 0, sizeof(rings));
    memset(boxes, 0, sizeof(boxes));
    for (unsigned pair = 0; e == OK && pair < cpus * cpus; pair++) {
        if (pair / cpus != pair % cpus) {
            e = ring_init(&rings[pair / cpus][pair % cpus], order);
        }
    }
    return e;
}

static uint32_t left_free(enum mail_kind kind)
{
    return kind == MAIL_FRAME || kind == MAIL_UPLINK ? FRAMES_LEAVE
           : kind == MAIL_VM                         ? VMS_LEAVE
                                                     : 0;
}

static void call(unsigned to)
{
    /* After the message, before the look at whether it is called already; partner: mail_take. */
    if (!__atomic_exchange_n(&boxes[to].called, true, __ATOMIC_SEQ_CST)) {
        boxes[cpu_index()].counters.interrupts++;
        irq_send(to);
    }
}

enum err mail_send(unsigned to, enum mail_kind kind, uint8_t detail, uint32_t number,
                   const void *data, size_t bytes)
{
    unsigned self = cpu_index();
    struct ring *r = &rings[self][to];
    uint32_t size = (uint32_t)ALIGN_UP(sizeof(struct mail) + bytes, sizeof(struct mail));
    uint32_t given = r->given, at = given & (ring_bytes - 1);
    uint32_t skip = size > ring_bytes - at ? ring_bytes - at : 0;
    /* The receiver has read what it gives back; partner: the release in mail_take. */
    uint32_t used = given - __atomic_load_n(&r->taken, __ATOMIC_ACQUIRE);
    if (!r->data || skip + size + left_free(kind) > ring_bytes - used) {
        boxes[self].counters.refused++;
        return ERR_BUSY;
    }
    if (skip) {
        *(struct mail *)(void *)(r->data + at) = (struct mail){.kind = MAIL_SKIP};
        given += skip;
        at = 0;
    }
    struct mail *m = (void *)(r->data + at);
    *m = (struct mail){(uint16_t)bytes, (uint8_t)kind, detail, number};
    if (bytes) {
        memory_copy(m->data, data, bytes);
    }
    __atomic_store_n(&r->given, given + size, __ATOMIC_RELEASE); /* partner: take_ring */
    boxes[self].counters.sent++;
    call(to);
    return OK;
}

static void take_ring(unsigned from, struct ring *r,
                      void (*handle)(unsigned from, const struct mail *m))
{
    uint32_t given = __atomic_load_n(&r->given, __ATOMIC_ACQUIRE); /* partner: mail_send */
    while (r->taken != given) {
        uint32_t at = r->taken & (ring_bytes - 1);
        const struct mail *m = (const void *)(r->data + at);
        uint32_t size = (uint32_t)ALIGN_UP(sizeof(*m) + m->bytes, sizeof(*m));
        if (m->kind == MAIL_SKIP) {
            size = ring_bytes - at;
        } else {
            handle(from, m);
        }
        __atomic_store_n(&r->taken, r->taken + size, __ATOMIC_RELEASE); /* partner: mail_send */
    }
}

void mail_take(void (*handle)(unsigned from, const struct mail *m))
{
    unsigned self = cpu_index();
    (void)__atomic_exchange_n(&boxes[self].called, false, __ATOMIC_SEQ_CST); /* partner: call */
    for (unsigned from = 0; from < CPUS_MAX; from++) {
        if (rings[from][self].data) {
            take_ring(from, &rings[from][self], handle);
        }
    }
}

uint32_t mail_ring_bytes(void)
{
    return ring_bytes;
}

struct mail_counters mail_get_counters(unsigned cpu)
{
    return boxes[cpu].counters;
}
