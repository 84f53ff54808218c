/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtual machines: the sum of their parts, and their lives.
 *
 *   ABSENT --create--> DEFINED --start--> LIVE --exit, fault--> DEAD
 *      ^                  ^                |  ^
 *      +----- destroy ----+---- reset -----+  |
 *                                          v  |
 *                                        STORED      by way of COMING (core/residence.h)
 *
 * Every VM is a stub; only one that lives has a descriptor. A stub is at most 64 bytes, because a
 * machine has a million of them.
 *
 * A stub and what hangs off it belong to one CPU at a time (core/move.h): a VM that can run to its
 * home, all others to the keeper, CPU 0.
 */
#ifndef CORE_VM_H
#define CORE_VM_H

#include "abi/system_page.h"
#include "arch/context.h"
#include "core/base/list.h"
#include "core/deployment.h"
#include "dev/virtual/console.h"
#include "dev/virtual/nic.h"
#include "mm/image.h"
#include "mm/space.h"
#include "mm/store.h"
#include "sched/gatekeeper.h"
#include "sched/mux.h"
#include "sched/wheel.h"

enum vm_state {
    VM_ABSENT,
    VM_DEFINED,
    VM_LIVE,
    VM_DEAD,
    VM_STORED,
    VM_COMING,
    VM_PAUSED,  /* was LIVE or STORED, and does not run nor come until it is resumed */
    VM_CLONING, /* its first record, made of another VM, is being written */
};

struct vm;
struct transit;

struct stub {
    struct timeout timeout; /* of idle(); of a STORED one it passes earlier: residence_timeout */
    union {
        struct vm *vm;           /* LIVE; PAUSED: NULL if it is in the store */
        struct stub *next_free;  /* ABSENT */
        struct transit *transit; /* COMING */
    };
    uint64_t events;          /* posted, not yet in the system page */
    struct store_place place; /* of its newest record */
    uint64_t deadline_ns;     /* in that record */
    uint32_t number;          /* 0: a template that boots */
    uint8_t group;
    uint8_t state;
    uint16_t where; /* the CPU that it belongs to: stub_where(), core/move.h */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct stub) <= 64, "budget: a VM that is not resident");

/* What a VM that is not running waits for, and so what it is given when it goes on. */
enum vm_wait {
    WAIT_NONE,
    WAIT_ROOM, /* it can run, and is on its way out so that others can */
    WAIT_PAGE, /* a page of it is being read */
    WAIT_VM,   /* another VM is asked for, to be changed for it */
    WAIT_IDLE, /* idle(): events, as its result */
    WAIT_WFI,  /* WFI: nothing, once an event is there */
};

enum vm_end { VM_GOES_ON, VM_KILLED, VM_EXITED, VM_RESET };

struct vm {
    struct context context;          /* first: a trap's context is its VM */
    struct toklat_system_page *page; /* EL2's view of the VM's own */
    struct stub *stub;
    struct list link;      /* run.departing or run.hungry */
    uint64_t until;        /* while it moves: its timeout's deadline, or TICKS_NEVER */
    uint32_t scratch[2];   /* the debug keys' */
    struct transit *fetch; /* reads pages of it, and keeps frames for it meanwhile */
    uint8_t wait;          /* enum vm_wait */
    bool leaving;          /* its record is being written; freed when that is durable */
    uint8_t ended;         /* enum vm_end: no longer runs; freed when the trap is over */
    uint8_t why;           /* enum move_why: it changes CPUs when the trap is over */
    uint32_t
        limit_pages; /* own pages and tables above which it ends, 0: none; the keeper sets it */
    struct gate_resident gate;
    struct space space;
    struct sched_entry sched;
    struct nic nic;
    struct console console;
};

_Static_assert(sizeof(struct vm) <= 1024, "budget: descriptor of a resident VM");

/* ABSENT: of this index there is no group, though there are of later ones. */
enum group_state { GROUP_BOOTING, GROUP_READY, GROUP_FAILED, GROUP_ABSENT };

/* A deployment node at run time. */
struct group {
    const struct deployment_group *config;
    struct image image;
    struct vm *template; /* boots, then is frozen and cloned */
    struct stub boot;    /* the template's, while it boots */
    struct stub *free;   /* ABSENT stubs of the reserve */
    uint32_t start_next; /* instance to start at boot next; 0: none */
    uint8_t state;
    uint8_t index;
    struct store_place template_place;
    uint64_t template_id; /* of its record in the store; 0: it has none yet */
    uint32_t image_key;   /* of all that the template is made from */
    bool unsavable;       /* its template is too large for a record */
    uint32_t foreign;     /* VMs that were stored with another template */
    uint32_t defined, live, dead, stored;
    uint32_t paused, paused_stored; /* of the live and the stored; of the stored alone */
    uint32_t limit_pages;           /* own pages and tables of a VM, above which it ends; 0: none */
    uint16_t weight;
    uint64_t started, killed, exited;
};

/* Groups have indices below group_count; core/group.h, group_find. */
extern struct group groups[DEPLOYMENT_GROUPS_MAX];
extern unsigned group_count;

/* Makes room for VMs 1 to `count`, all ABSENT. ERR_NO_MEMORY: it does not fit. Boot CPU, once. */
enum err vm_table_init(uint32_t count) MUST_USE;

/* The stub of VM `number`, or NULL if there is no such number or it is ABSENT. */
struct stub *vm_find(uint32_t number);
uint32_t vm_table_size(void);

/* The stub of a number below vm_table_size(), whatever its state. */
struct stub *vm_stub(uint32_t number);

/* Says what VM `number` is at first: DEFINED, or ABSENT and in the group's reserve. Reserves are
 * handed out in the reverse of the order of these calls. The keeper. */
void vm_define(struct group *g, uint32_t number, bool exists);

/* Puts a stub that has no descriptor back into its group's reserve. */
void vm_put_absent(struct group *g, struct stub *s);

/* A zeroed descriptor for the stub, with room for lazily saved registers if `extra`. */
enum err vm_allocate(struct stub *s, bool extra) MUST_USE;

/* Frees a descriptor and all that it holds; the stub has none afterwards. vm_discard leaves what
 * the stub itself waits for, and the events that were posted to it. */
void vm_free(struct vm *vm);
void vm_discard(struct vm *vm);

/* Gives the group's next free number a stub that is DEFINED. ERR_NO_MEMORY: the reserve is used
 * up; ERR_BUSY: the group's template is not ready. */
enum err vm_create(struct group *g, uint32_t *number) MUST_USE;

/* No VM is started with fewer free frames than this: those that live may need them. Boot CPU. */
void vm_keep_frames(uint64_t frames);

/* Clones a DEFINED VM from its template and makes it runnable. ERR_BUSY: not DEFINED, or the
 * template is not ready; ERR_NO_MEMORY: nothing was changed. */
enum err vm_start(struct stub *s) MUST_USE;

/* Takes a VM that is not current away and frees all that it holds; it is ABSENT afterwards if it
 * is of the reserve, otherwise DEFINED. */
void vm_destroy(struct stub *s);

/* The same, but it exists on, and starts again as soon as it can: errors of residence_start. */
enum err vm_begin_anew(struct stub *s) MUST_USE;

/* A VM ends: for what it did (`fmt` says what, for the console), of its own will, or to begin
 * anew. It never runs again; what it holds is freed by vm_reap. */
void vm_kill(struct vm *vm, const char *fmt, ...) PRINTF(2, 3);
void vm_exit(struct vm *vm, uint64_t status);
void vm_reset(struct vm *vm);

/* Starts a DEFINED VM that ran before; says so if it does not. */
void vm_start_again(struct stub *s);

/* Frees a VM that ended. The keeper, when the trap is over. */
void vm_reap(struct vm *vm);

/* Its home is CPU `cpu` from now on. The keeper. */
void vm_set_home(struct vm *vm, unsigned cpu);

/* The CPU that a VM of the group should have as its home now, by load. The keeper. */
unsigned vm_choose_home(const struct group *g);

static inline struct group *vm_group(const struct vm *vm)
{
    return &groups[vm->stub->group];
}

/* From 1; 0 for a template that boots. */
static inline uint32_t vm_instance(const struct stub *s)
{
    return s->number ? s->number - groups[s->group].config->first_vm + 1 : 0;
}

/* The descriptor of a VM that is in memory, or NULL. */
static inline struct vm *vm_of(const struct stub *s)
{
    return s->state == VM_LIVE || s->state == VM_PAUSED ? s->vm : NULL;
}

static inline struct console_owner vm_console_owner(const struct vm *vm)
{
    return (struct console_owner){vm_group(vm)->config->name, vm_instance(vm->stub),
                                  vm->stub->number};
}

/* Shows the guest what it holds, after that changed. */
void vm_show_account(struct vm *vm);

uint32_t vm_descriptor_bytes(const struct vm *vm);

/* The lock under which descriptors are taken and given, for the debug keys. */
const struct lock *vm_lock(void);

/* Memory for the lazily saved registers of a VM that needs them. ERR_NO_MEMORY: none. */
enum err vm_give_extra(struct vm *vm) MUST_USE;

#endif
