/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of a VM that is on its way in, or whose pages are: who waits, what is being read,
 * and the frames that came for it meanwhile. Bounded in all; what does not fit is dropped and
 * counted.
 */
#ifndef CORE_TRANSIT_H
#define CORE_TRANSIT_H

#include "core/vm.h"

#define PARKED_PER_VM 16
#define PARKED_BYTES_MAX MIB(4) /* over all VMs, with what keeps them */

struct parked;

struct transit {
    struct gate_waiter waiter;
    struct store_io io;
    struct stub *stub; /* NULL: nobody waits for it any more */
    uint32_t sector;   /* of the record that is read */
    uint32_t page;     /* of a live VM: the one that is needed, or RECORD_ALL_PAGES */
    uint32_t offset;   /* ... and where in the record the bytes are that are read */
    uint32_t bytes;    /* that are read; 0: nothing is */
    pa_t buffer;       /* of 2^order frames */
    struct parked *first, *last;
    uint8_t parked;
    uint8_t retries;
};

void transit_init(void);

/* Memory for what is read: as many small buffers as fit in a MiB, and one for the largest record,
 * so that nobody depends on free frames that lie side by side. ERR_NO_MEMORY. */
enum err transit_open(void) MUST_USE;

/* A new one for `s`, or NULL: there is no memory. */
struct transit *transit_new(struct stub *s);

/* Frees it, with all that is parked in it. Not while it reads. */
void transit_free(struct transit *t);

/* A live VM's pages are not waited for any more: it ends. */
void transit_abandon(struct vm *vm);

/* Keeps a copy of a frame; or drops and counts it. */
void transit_park(struct transit *t, const uint8_t *frame, size_t bytes);

/* Hands the frames that were parked to `take`, in order, as long as it says so. */
void transit_unpark(struct transit *t, bool (*take)(struct vm *vm, const uint8_t *frame, size_t n),
                    struct vm *vm);

/* Takes a buffer for `bytes` bytes and reads them from `sector` of the device on. ERR_BUSY: none is
 * left; it is when another is given back. */
enum err transit_read(struct transit *t, uint64_t sector, uint32_t bytes,
                      void (*done)(struct store_io *io, enum err e)) MUST_USE;

/* Gives the buffer of what was read back. */
void transit_read_done(struct transit *t);

/* How many reads are under way. */
unsigned transit_reads(void);

struct transit_counters {
    uint64_t parked, dropped_full, dropped_vm, handed_over;
    uint64_t bytes; /* taken now */
    uint32_t live;
};
struct transit_counters transit_get_counters(void);

/* The lock under which memory for VMs on their way is taken, for the debug keys. */
const struct lock *transit_lock(void);

#endif
