/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine whose guests are played by a test: core/ and all below it in a process. A test deploys
 * images, makes the traps that the loaded VM would make, and looks at what is entered next.
 */
#ifndef TESTS_UNIT_MACHINE_H
#define TESTS_UNIT_MACHINE_H

#include "abi/hypercall.h"
#include "arch/host/host.h"
#include "core/group.h"
#include "core/hypercall.h"
#include "core/network.h"
#include "core/residence.h"
#include "core/run.h"
#include "core/transit.h"
#include "tests/unit/elf_maker.h"
#include "tests/unit/fake_block.h"

#define MACHINE_GROUPS 4
#define MACHINE_UPLINK_IRQ 40
#define MACHINE_DISK_IRQ 41
#define MACHINE_GATEWAY 0x0A7FFFFDu
#define MACHINE_ADDRESS 0x0A7FFFFEu
#define MACHINE_BASE 0x0A400000u
#define MACHINE_VBAR 0x3800u

/* Where a guest that machine_boot plays has its queues and buffers: zero memory of the image. */
#define GUEST_QUEUE_SIZE 8u
#define GUEST_RX 0x10000u /* desc, avail and used, each on a page of its own */
#define GUEST_TX 0x13000u
#define GUEST_RX_BUFFERS 0x20000u /* a page for each */
#define GUEST_TX_BUFFERS 0x30000u
#define GUEST_UNUSED 0x40000u /* zero memory that nothing has touched, to the stack's guard */

/* A machine with nothing deployed; whatever was before is gone. Aborts in here and below mean that
 * an invariant does not hold. */
void machine_init(size_t ram_bytes);

/* One more group, to be changed before machine_start: its deployment, its image. The image is that
 * of tests/unit/elf_maker.h, which checkpoints. */
struct deployment_group *machine_add(const char *name, uint32_t count, uint32_t reserve);
struct elf_file *machine_image(const struct deployment_group *g);

/* The deployment leaves `n` numbers spare: after all groups were added. */
void machine_spare(uint32_t n);

/* `n` CPUs in all, until the next machine_init: before machine_start. The thread plays one at a
 * time, CPU 0 at first; what is said of "the current VM" and "the CPU" is said of that one. */
void machine_add_cpus(unsigned n);
void machine_on(unsigned cpu);
extern unsigned machine_cpus;

/* Has every CPU handle its interrupts until none has any. Time stands still, guests do nothing. */
void machine_turn(void);

/* What core/main.c does. Templates stand at their entry afterwards, those from a store are frozen.
 */
void machine_start(void);

/* A disk with an empty store of `segments` segments for `vms` VMs, that the machine has at each
 * machine_start from now on, until it is removed. */
extern struct fake_block *machine_disk;
void machine_add_disk(unsigned segments, uint32_t vms, uint64_t seed);
void machine_remove_disk(void);

/* The disk's interrupt, on CPU 0. What it has done is taken, unless it is held. */
void machine_disk_turn(void);

/* Shuts down, and turns the disk until the machine has switched itself off, or never will. */
void machine_shutdown(void);

/* How often the machine switched itself off; nothing runs then until the next machine_init. */
extern unsigned machine_power_offs;

/* Plays all templates to their checkpoint: queues set up, `rx_buffers` offered, VBAR_EL1 set. */
void machine_boot(unsigned rx_buffers);

/* The VM that is entered, or NULL when the CPU sleeps. */
struct vm *machine_current(void);
struct vm *machine_vm(uint32_t number); /* it must be live */

/* Has the current VM call; machine_call expects it to be current still, and returns x0. */
void machine_trap(uint64_t function, uint64_t x1, uint64_t x2);
int64_t machine_call(uint64_t function, uint64_t x1, uint64_t x2);
int64_t machine_call_queue(uint64_t queue, uint64_t size, uint64_t desc, uint64_t avail,
                           uint64_t used);

/* The current VM traps otherwise. */
void machine_abort(ipa_t ipa, enum access access);
void machine_fault(enum trap_kind kind);

/* Handles the interrupts that are pending, whoever runs. */
void machine_interrupt(void);

/* Time passes, and its interrupts are handled, by all CPUs; or passes until the armed timer. */
void machine_advance(uint64_t ns);
void machine_sleep(void);

/* Idles with every VM until all CPUs sleep. machine_quiet: and until the disk has nothing to do. */
void machine_settle(void);
void machine_quiet(void);

/* The driver of a guest's queues, seen from the guest. */
void guest_offer_rx(struct vm *vm, unsigned buffers);
void guest_offer_tx(struct vm *vm, const void *frame, size_t bytes);
uint16_t guest_used(struct vm *vm, uint64_t ring);

/* An IPv4 frame for VM `to`, 0 for outside; from VM `from`, or outside; at least 42 bytes. */
void frame_make(uint8_t *frame, size_t bytes, uint32_t from, uint32_t to);

/* What comes from the wire, and what went out. */
void machine_receive(const uint8_t *frame, size_t bytes);
extern unsigned machine_sent;

/* Takes all free frames but `left`, and gives them back. */
void machine_hold_frames(uint64_t left);
void machine_release_frames(void);

/* Frames of all kinds. */
struct machine_frames {
    uint64_t of[FRAME_KINDS];
};
struct machine_frames machine_frames(void);
bool machine_frames_equal(const struct machine_frames *a, const struct machine_frames *b);

/* Aborts unless the books are straight: sums of frames, of VMs' accounts, of groups' and queues'
 * counts, of each CPU's. `waiting`: also that nobody sleeps who has an event to be told of. */
void machine_check(bool waiting);

/* The same when nothing is under way between CPUs: no VM moves, no question is open. */
void machine_check_settled(void);

/* The last lines of the log and of the consoles, for a test to look at. */
extern char machine_output[8192];
void machine_output_clear(void);

#endif
