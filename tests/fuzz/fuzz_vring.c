// SPDX-License-Identifier: BSD-2-Clause
// sources: dev/virtual/nic.c dev/virtual/vring.c tests/unit/fake_space.c arch/host/memory.c
/*
 * A guest whose memory is the fuzzer's: rings anywhere in it, any content, single pages unmapped,
 * read-only or without a frame. Whatever the interface makes of it, it stays in that memory, ends,
 * and keeps its books.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dev/virtual/nic.h"
#include "tests/unit/fake_space.h"

#define PAGES 8
#define OFFERED_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *p;
    size_t left;
};

static uint64_t number(struct input *in, unsigned bytes)
{
    uint64_t v = 0;
    while (bytes-- > 0 && in->left > 0) {
        v = v << 8 | *in->p++;
        in->left--;
    }
    return v;
}

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

static unsigned emitted;

static void emit(void *context, uint8_t *frame, size_t bytes)
{
    must(context == &emitted && bytes >= NIC_FRAME_MIN && bytes <= NIC_FRAME_MAX);
    memset(frame, 0xEE, bytes);
    emitted++;
}

/* Mostly a ring that is accepted: on a fresh input, nearly nothing else would be tried. */
static void setup_ring(struct input *in, struct space *s, struct vring *r)
{
    uint64_t desc = number(in, 2) & 0x7FF0;
    uint64_t avail = number(in, 2) & 0x7FFE;
    uint64_t used = number(in, 2) & 0x7FFC;
    uint64_t odd = number(in, 1);
    uint64_t entries = 1ull << (number(in, 1) % 9);
    if (odd > 250) {
        desc = number(in, 8);
        used = number(in, 8);
    }
    enum err e = vring_setup(r, s, entries, IPA(desc), IPA(avail), IPA(used));
    must(e == OK || r->size == 0);
}

/* What a driver would have written: an index a little ahead, and chains that start plausibly. */
static void offer(struct input *in, struct fake_space *f, const struct vring *r)
{
    if (r->size == 0) {
        return;
    }
    uint16_t idx = (uint16_t)(r->next_avail + number(in, 1) % OFFERED_MAX);
    fake_write(f, r->avail.v + 2, &idx, sizeof(idx));
    for (unsigned i = 0; i < 4; i++) {
        uint16_t id = (uint16_t)(number(in, 1) % r->size);
        uint16_t slot = (uint16_t)((r->next_avail + i) % r->size);
        struct virtq_desc d = {.addr = number(in, 2) & 0x7FFF,
                               .len = (uint32_t)number(in, 2) & 0xFFF,
                               .flags = (uint16_t)number(in, 1) & 3,
                               .next = (uint16_t)(number(in, 1) % r->size)};
        fake_write(f, r->avail.v + 4 + 2u * slot, &id, sizeof(id));
        fake_write(f, r->desc.v + 16u * id, &d, sizeof(d));
    }
}

static void check_result(enum err e)
{
    must(e == OK || e == ERR_BUSY || e == ERR_INVALID || e == ERR_NO_MEMORY);
}

static void step(struct input *in, struct fake_space *f, struct nic *n)
{
    static const uint8_t frame[NIC_FRAME_MAX];
    bool event, more;
    unsigned before = n->rx_frames + n->rx_dropped;
    switch (number(in, 1) % 6) {
    case 0:
        check_result(nic_deliver(n, &f->space, frame, number(in, 2) % sizeof(frame), &event));
        must(n->rx_frames + n->rx_dropped == before + 1);
        break;
    case 1:
        emitted = 0;
        before = n->tx_frames;
        check_result(
            nic_transmit(n, &f->space, (unsigned)number(in, 1), emit, &emitted, &event, &more));
        must(n->tx_frames == before + emitted);
        break;
    case 2:
        offer(in, f, &n->rx);
        break;
    case 3:
        offer(in, f, &n->tx);
        break;
    case 4:
        f->copies_on_write[number(in, 1) % PAGES] = true;
        f->page[number(in, 1) % PAGES] = (enum fake_page)(number(in, 1) % 4);
        break;
    default: {
        uint8_t byte = (uint8_t)number(in, 1);
        fake_write(f, number(in, 2) % (PAGES * PAGE_SIZE), &byte, 1);
        break;
    }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fake_space fake;
    struct input in = {data, size};
    struct nic nic = {0};
    fake_space_init(&fake, PAGES);
    setup_ring(&in, &fake.space, &nic.rx);
    setup_ring(&in, &fake.space, &nic.tx);
    while (in.left > 0) {
        step(&in, &fake, &nic);
    }
    fake_space_free(&fake);
    return 0;
}
