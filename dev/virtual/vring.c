/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Split virtqueue, device side.
 *
 *      avail: flags idx ring[size]      written by the driver, read here
 *      desc:  size x (addr len flags next)     likewise
 *      used:  flags idx ring[size]      written here
 *
 * Invariants: every word of the guest is read once, checked, and then used as read; no pointer
 * into the guest is kept across an access that could change its space; a call ends after at most
 * `size` descriptors. The driver runs on the CPU that runs this code, never at the same time, so
 * program order is all the order that its barriers need as partner; the atomic accesses to the
 * indices keep the compiler to it.
 */
#include "dev/virtual/vring.h"

#include "abi/hypercall.h"
#include "arch/memory.h"

/* Offsets in the parts (struct virtq_avail, struct virtq_used). */
#define AVAIL_FLAGS 0u
#define AVAIL_IDX 2u
#define AVAIL_RING(i) (4u + 2u * (i))
#define USED_IDX 2u
#define USED_RING(i) (4u + 8u * (i))

/* The page of the guest that was translated last, and nothing older: a translation may change the
 * space, and with it what earlier pointers meant. */
struct window {
    struct space *space;
    uint64_t page;
    uint8_t *base; /* NULL: none yet */
    bool writable;
};

/* Walks the buffers of one chain. */
struct walk {
    struct window window;
    const struct vring *ring;
    uint8_t *here; /* the next bytes, `here_bytes` of them */
    size_t here_bytes;
    uint64_t addr; /* the guest's address of what follows in this buffer, `left` bytes */
    uint32_t left;
    bool more; /* the chain goes on at descriptor `next` */
    uint16_t next;
    uint16_t followed;
    uint16_t direction; /* VIRTQ_DESC_F_WRITE when the device is to write, else 0 */
};

static bool inside(const struct space *s, ipa_t at, uint64_t bytes)
{
    uint64_t end = (uint64_t)s->layout->pages << PAGE_SHIFT;
    return at.v < end && bytes <= end - at.v;
}

enum err vring_setup(struct vring *r, const struct space *s, uint64_t size, ipa_t desc, ipa_t avail,
                     ipa_t used)
{
    if (size == 0) {
        *r = (struct vring){0};
        return OK;
    }
    if (size > TOKLAT_QUEUE_SIZE_MAX || (size & (size - 1)) != 0) {
        return ERR_INVALID;
    }
    if (!IS_ALIGNED(desc.v, VIRTQ_DESC_ALIGN) || !IS_ALIGNED(avail.v, VIRTQ_AVAIL_ALIGN) ||
        !IS_ALIGNED(used.v, VIRTQ_USED_ALIGN)) {
        return ERR_INVALID;
    }
    if (!inside(s, desc, VIRTQ_DESC_BYTES(size)) || !inside(s, avail, VIRTQ_AVAIL_BYTES(size)) ||
        !inside(s, used, VIRTQ_USED_BYTES(size))) {
        return ERR_RANGE;
    }
    *r = (struct vring){.desc = desc, .avail = avail, .used = used, .size = (uint16_t)size};
    return OK;
}

/* Out of memory is nobody's fault, nor is a page in the store; any other refusal means that the
 * driver named a place that it does not have, which leaves ERR_RANGE to say that a chain is too
 * small or too large. */
static enum err blame(enum err e)
{
    return e == OK || e == ERR_NO_MEMORY || e == ERR_AWAY ? e : ERR_INVALID;
}

/* Inlined into every look: call frames here are a twentieth of what a packet costs. */
static inline __attribute__((always_inline)) enum err translate(struct window *w, uint64_t at,
                                                                enum access access)
{
    void *p = NULL;
    enum err e = space_resolve(w->space, IPA(at), access, &p);
    if (e == OK) {
        w->page = at >> PAGE_SHIFT;
        w->base = (uint8_t *)p - (at & PAGE_MASK);
        w->writable = access == ACCESS_WRITE;
    }
    return blame(e);
}

/* EL2's pointer to the guest's byte at `at`, valid to the end of its page and until the next call.
 * No translation when it is the page of the last call. */
static inline enum err look(struct window *w, uint64_t at, enum access access, uint8_t **out)
{
    bool same = w->base && w->page == at >> PAGE_SHIFT;
    if (!same || (access == ACCESS_WRITE && !w->writable)) {
        enum err e = translate(w, at, access);
        if (e != OK) {
            return e;
        }
    }
    *out = w->base + (at & PAGE_MASK);
    return OK;
}

static uint16_t load16(const uint8_t *p)
{
    return __atomic_load_n((const uint16_t *)(const void *)p, __ATOMIC_ACQUIRE);
}

/* Finds the next chain; it is not taken yet, and `head` is unchecked until it is followed. */
static enum err peek(const struct vring *r, struct window *w, struct vring_chain *chain)
{
    uint8_t *p;
    if (r->size == 0) {
        return ERR_NOT_FOUND;
    }
    enum err e = look(w, r->avail.v + AVAIL_FLAGS, ACCESS_READ, &p);
    if (e == OK) {
        chain->wants_event = !(load16(p) & VIRTQ_AVAIL_F_NO_INTERRUPT);
        e = look(w, r->avail.v + AVAIL_IDX, ACCESS_READ, &p);
    }
    if (e != OK) {
        return e;
    }
    uint16_t available = (uint16_t)(load16(p) - r->next_avail);
    if (available == 0 || available > r->size) {
        return available == 0 ? ERR_NOT_FOUND : ERR_INVALID;
    }
    uint32_t slot = r->next_avail & (r->size - 1u);
    e = look(w, r->avail.v + AVAIL_RING(slot), ACCESS_READ, &p);
    if (e == OK) {
        chain->head = load16(p);
        chain->left = (uint16_t)(available - 1);
    }
    return e;
}

/* Begins to walk the next chain. */
static enum err begin(struct walk *w, const struct vring *r, struct space *s, uint16_t direction,
                      struct vring_chain *chain)
{
    *w = (struct walk){.window.space = s, .ring = r, .more = true, .direction = direction};
    enum err e = peek(r, &w->window, chain);
    if (e == OK) {
        w->next = chain->head;
    }
    return e;
}

/* Reads the descriptor that follows in the chain. */
static enum err follow(struct walk *w)
{
    uint8_t *p;
    if (w->next >= w->ring->size || w->followed == w->ring->size) {
        return ERR_INVALID;
    }
    uint64_t at = w->ring->desc.v + VIRTQ_DESC_BYTES((uint32_t)w->next);
    enum err e = look(&w->window, at, ACCESS_READ, &p);
    if (e != OK) {
        return e;
    }
    struct virtq_desc d = *(const volatile struct virtq_desc *)(void *)p;
    if (d.flags & VIRTQ_DESC_F_INDIRECT || (d.flags & VIRTQ_DESC_F_WRITE) != w->direction) {
        return ERR_INVALID;
    }
    w->addr = d.addr;
    w->left = d.len;
    w->more = d.flags & VIRTQ_DESC_F_NEXT;
    w->next = d.next;
    w->followed++;
    return OK;
}

/* Makes `here` point to the next bytes of the chain. ERR_NOT_FOUND: it has ended. */
static enum err advance(struct walk *w)
{
    while (w->left == 0) {
        if (!w->more) {
            return ERR_NOT_FOUND;
        }
        enum err e = follow(w);
        if (e != OK) {
            return e;
        }
    }
    enum access access = w->direction ? ACCESS_WRITE : ACCESS_READ;
    enum err e = look(&w->window, w->addr, access, &w->here);
    if (e != OK) {
        return e;
    }
    uint64_t to_page_end = PAGE_SIZE - (w->addr & PAGE_MASK);
    w->here_bytes = MIN(w->left, to_page_end);
    w->addr += w->here_bytes;
    w->left -= (uint32_t)w->here_bytes;
    return OK;
}

enum err vring_pop_read(struct vring *r, struct space *s, void *buf, size_t max,
                        struct vring_chain *chain, size_t *n)
{
    *n = 0;
    struct walk w;
    enum err e = begin(&w, r, s, 0, chain);
    if (e != OK) {
        return e;
    }
    while ((e = advance(&w)) == OK) {
        if (w.here_bytes > max - *n) {
            e = ERR_RANGE;
            break;
        }
        memory_copy((uint8_t *)buf + *n, w.here, w.here_bytes);
        *n += w.here_bytes;
    }
    if (e == ERR_NOT_FOUND) { /* the chain's end, as it should be */
        e = OK;
    }
    if (e == OK || e == ERR_RANGE) {
        r->next_avail++;
    }
    return e;
}

/* Copies `n` bytes into the chain. ERR_NOT_FOUND: it ended before. */
static enum err fill(struct walk *w, const void *src, size_t n)
{
    const uint8_t *from = src;
    while (n > 0) {
        enum err e = w->here_bytes ? OK : advance(w);
        if (e != OK) {
            return e;
        }
        size_t part = MIN(n, w->here_bytes);
        memory_copy(w->here, from, part);
        w->here += part;
        w->here_bytes -= part;
        from += part;
        n -= part;
    }
    return OK;
}

enum err vring_pop_write(struct vring *r, struct space *s, const void *header, size_t header_bytes,
                         const void *body, size_t body_bytes, struct vring_chain *chain)
{
    struct walk w;
    enum err e = begin(&w, r, s, VIRTQ_DESC_F_WRITE, chain);
    if (e != OK) {
        return e;
    }
    e = fill(&w, header, header_bytes);
    if (e == OK) {
        e = fill(&w, body, body_bytes);
    }
    if (e == ERR_NOT_FOUND) {
        e = ERR_RANGE;
    }
    if (e == OK || e == ERR_RANGE) {
        r->next_avail++;
    }
    return e;
}

void vring_unpop(struct vring *r)
{
    r->next_avail--;
}

/* Writes a used entry: 8 bytes on a boundary of 4, so that it may cross a page. */
static enum err write_elem(struct window *w, uint64_t at, const struct virtq_used_elem *elem)
{
    uint8_t *p;
    if ((at & PAGE_MASK) + sizeof(*elem) > PAGE_SIZE) {
        return blame(guest_write(w->space, IPA(at), elem, sizeof(*elem)));
    }
    enum err e = look(w, at, ACCESS_WRITE, &p);
    if (e == OK) {
        *(struct virtq_used_elem *)(void *)p = *elem;
    }
    return e;
}

enum err vring_push(struct vring *r, struct space *s, uint16_t head, uint32_t len)
{
    uint8_t *p;
    struct window w = {.space = s};
    struct virtq_used_elem elem = {.id = head, .len = len};
    uint64_t at = r->used.v + USED_RING(r->next_used & (r->size - 1u));
    enum err e = write_elem(&w, at, &elem);
    if (e == OK) {
        e = look(&w, r->used.v + USED_IDX, ACCESS_WRITE, &p);
    }
    if (e != OK) {
        return e;
    }
    r->next_used++;
    /* The entry is there before the index that shows it; partner: the driver's virtq_barrier. */
    __atomic_store_n((uint16_t *)(void *)p, r->next_used, __ATOMIC_RELEASE);
    return OK;
}
