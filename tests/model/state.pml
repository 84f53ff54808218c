/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What tests/model/move.pml is made of: the kinds of messages and the states of VMs as in the C
 * files, and the budgets of the environment. A budget may be given back unspent at any time: what
 * holds for some asks, faults and timeouts holds for fewer.
 *
 * Budgets, sizes and the mutation come from pan's environment, so that one pan serves all proofs;
 * what is not named is as set_up says. `hidden` is constant in a run, and no part of a state.
 */
c_decl {
\#include <stdlib.h>
static int value(const char *name, int otherwise)
{
    const char *v = getenv(name);
    return v ? atoi(v) : otherwise;
}
}

hidden byte mutation; /* see move.pml */
hidden byte vms, frame_slots, vm_slots, ring_slots;
hidden byte frames_out;  /* that come from outside, at the keeper */
hidden byte frames_peer; /* from a VM of CPU 2 */
hidden byte cold;        /* pages of each VM that are in the store at first */
hidden byte batches;      /* a trap takes no more mail than there is as it begins: cpu.left */

/* Budgets. */
byte timers;
byte asks;
byte evicts; /* of VMs that are the keeper's, and writes that fail */
byte gives;
byte fails; /* reads that cannot begin */
byte loads;
byte ends;
byte stops;

#define set_up() c_code { \
    mutation = value("MUTATION", 0); \
    vms = value("VMS", 1); \
    frame_slots = value("FRAME_SLOTS", 2); \
    vm_slots = value("VM_SLOTS", 3); \
    ring_slots = vm_slots + value("SHORT_SLOTS", ASKED_MAX + value("GIVES", 0) + 1); \
    frames_out = value("FRAMES_OUT", 1); \
    frames_peer = value("FRAMES_PEER", 1); \
    cold = value("COLD", 0); \
    batches = value("BATCHES", 0) && mutation != 21; \
    now.timers = value("TIMERS", 0); \
    now.asks = value("ASKS", 0); \
    now.evicts = value("EVICTS", 0); \
    now.gives = value("GIVES", 0); \
    now.fails = value("FAILS", 0); \
    now.loads = value("LOADS", 0); \
    now.ends = value("ENDS", 0); \
    now.stops = value("STOPS", 0); \
}

#define CPUS 3
#define KEEPER 0
#define VMS_MAX 2
#define FRAMES_MAX 4 /* the first half from outside */

/* core/mail.c: a ring takes frames, VMs and short messages up to different marks. What is left for
 * short ones holds all questions, or all answers, that can be under way at a time. */
#define RING_SLOTS_MAX 7
#define ASKED_MAX 1

/* enum mail_kind */
#define FRAME 1
#define VM 2
#define GIVE 3
#define GONE 4
#define ASK 5
#define NOBODY 6
#define ALL 7

/* enum move_why */
#define NOT 0
#define HOME 1
#define PAGE 2
#define ENDED 3
#define EVICT 4
#define WANTED 5
#define LOAD 6
#define STOP 7 /* MOVE_ALL */

/* enum vm_wait, as far as they differ here; in this order */
#define WAIT_NONE 0
#define WAIT_ROOM 1
#define WAIT_PAGE 2
#define WAIT_IDLE 3

/* enum gate_residence, in this order */
#define APART 0
#define LEAVING 1
#define MOVING 2
#define BUSY 3
#define IDLE 4
#define SPARED 5

/* enum vm_state */
#define ABSENT 0
#define LIVE 1
#define STORED 2
#define COMING 3
#define DEAD 4

/* sched.state */
#define BLOCKED 0
#define READY 1
#define RUNNING 2

/* What became of a frame. DROPPED: counted by the code, or the machine stops. */
#define UNSENT 0
#define SENT 1
#define TAKEN 2
#define DROPPED 3

typedef stub {
    byte where;  /* as in core/move.h, with a shift of 4 */
    byte owner;  /* ghost: the CPU that may touch it; NOBODY_S: it is in a ring */
    byte state;
    byte home;   /* vm->sched.cpu */
    byte sched;
    byte mux;    /* ghost: the CPU in whose multiplexer it is, plus 1 */
    byte wheel;  /* the CPU in whose wheel its timeout is, plus 1 */
    byte wait;
    byte why;
    byte gate;
    byte cold;   /* pages that are in the store */
    bit spared;
    bit until;   /* it takes a timeout along */
    bit departing;
    bit leaving;
    bit ended;
    bit fetch;
    bit waiter;  /* the gatekeeper admits it */
    bit events;  /* posted, in the stub */
    bit pending; /* in the system page */
    bit writing; /* the newest record is not durable yet */
    bit ran;     /* ghost: it ran, or got a frame, since that record was made */
    bit can_run; /* in the record */
};
#define NOBODY_S 7

stub vm[VMS_MAX];
chan ring[9] = [RING_SLOTS_MAX] of { byte, byte, byte, byte }; /* kind, detail, VM, frame */
#define PARKED 1
chan parked[VMS_MAX] = [PARKED] of { byte };
byte frames[FRAMES_MAX];
byte asked[CPUS];
byte summoned;
bit stopping;

#define RING(a, b) ring[(a) * 3 + (b)]
#define GOES_SHIFT 4

/* Where a step goes on. */
#define PASS_ON 1    /* a frame whose VM is not here: vm.where is read again */
#define SEND_VM 2    /* the message of a VM that departs */
#define LATE_WHERE 3 /* mutation 13 */
#define POP 4        /* a message has been handled, and its room is given back */

/* Which step: `op`, of VM `v`. */
#define DEPART 1
#define ENTER 2
#define GUEST 3
#define EXPIRE 4
#define FETCHED 5
#define WRITTEN 6
#define FAILED 7
#define EVICT_OWN 8
#define ARRIVE 9
#define WRITE_OUT 10
#define DESTROY 11
#define MAIL 12
#define DELIVER 13
#define NO_OP 0

#define NO_MORE 255 /* cpu.left */
