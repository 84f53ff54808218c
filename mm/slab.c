/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects of one size. Every free object of every frame that is in use is on one list, so taking
 * one and giving one back take constant time; a frame that becomes empty takes its objects off
 * the list, at most PAGE_SIZE / 64 of them.
 *
 * Invariant, while the lock is free: a frame's count of references is its number of live objects,
 * and is not 0. The frame table's counts are changed under the lock; they take none themselves.
 */
#include "mm/slab.h"
#include "arch/memory.h"
#include "core/base/log.h"
#include "core/base/string.h"

#define OBJECT_BYTES_MIN 64

void slab_init(struct slab *s, uint32_t object_bytes, enum frame_kind kind)
{
    CHECK(IS_ALIGNED(object_bytes, object_bytes) && object_bytes >= OBJECT_BYTES_MIN &&
          object_bytes <= PAGE_SIZE);
    *s = (struct slab){.object_bytes = object_bytes, .kind = kind};
    list_init(&s->partial);
}

static pa_t frame_of(const void *object)
{
    return PA(ALIGN_DOWN(arch_pa(object).v, PAGE_SIZE));
}

/* Takes a frame into use: its first object is handed out, the others are free. */
static enum err grow(struct slab *s, void **out)
{
    pa_t pa;
    enum err e = frame_alloc(s->kind, FRAME_OWNER_NONE, &pa);
    if (e != OK) {
        return e;
    }
    uint8_t *page = arch_ptr(pa);
    lock_take(&s->lock);
    for (uint32_t at = s->object_bytes; at < PAGE_SIZE; at += s->object_bytes) {
        list_push_back(&s->partial, (struct list *)(void *)(page + at));
    }
    s->frames++;
    s->live++;
    lock_release(&s->lock);
    *out = page;
    return OK;
}

static void *take(struct slab *s)
{
    void *object = NULL;
    lock_take(&s->lock);
    if (!list_empty(&s->partial)) {
        object = s->partial.next;
        list_remove(object);
        frame_ref(frame_of(object));
        s->live++;
    }
    lock_release(&s->lock);
    return object;
}

enum err slab_alloc(struct slab *s, void **out)
{
    void *object = take(s);
    if (!object) {
        enum err e = grow(s, &object);
        if (e != OK) {
            return e;
        }
    }
    memset(object, 0, s->object_bytes);
    *out = object;
    return OK;
}

/* Takes all objects of an empty frame, but the one that was live last, off the list. */
static void forget_frame(struct slab *s, const void *last)
{
    uint8_t *page = arch_ptr(frame_of(last));
    for (uint32_t at = 0; at < PAGE_SIZE; at += s->object_bytes) {
        if (page + at != (const uint8_t *)last) {
            list_remove((struct list *)(void *)(page + at));
        }
    }
    s->frames--;
}

void slab_free(struct slab *s, void *object)
{
    pa_t pa = frame_of(object);
    CHECK(IS_ALIGNED((uintptr_t)object, s->object_bytes) && frame_kind(pa) == s->kind);
    lock_take(&s->lock);
    s->live--;
    bool others_live = frame_unref_unless_last(pa);
    if (others_live) {
        list_push_front(&s->partial, object);
    } else {
        forget_frame(s, object);
    }
    lock_release(&s->lock);
    if (!others_live) {
        (void)frame_unref(pa);
    }
}
