/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm_control: what the supervisor may ask of EL2, and what it is told.
 *
 * All structures but toklat_load are EL2's to write, at any address of the supervisor's memory;
 * what is said of a VM is so at one moment, and may be past when the call returns. Operations that
 * act on a VM return when it is done, if need be after other VMs have run.
 */
#ifndef ABI_CONTROL_H
#define ABI_CONTROL_H

/* --- operations: x1; arguments from x2 on --------------------------------------------------- */

#define TOKLAT_VM_CREATE 0  /* (group) -> number of a new VM; nothing of it runs yet */
#define TOKLAT_VM_START 1   /* (VM) -> 0; a defined one becomes runnable, a dead one begins anew */
#define TOKLAT_VM_DESTROY 2 /* (VM) -> 0; its memory is free when the call returns */
#define TOKLAT_VM_PAUSE 3   /* (VM) -> 0; it keeps what it has, and runs no more until RESUME */
#define TOKLAT_VM_RESUME 4  /* (VM) -> 0 */
#define TOKLAT_VM_RESTART 5 /* (VM) -> 0; begins anew from its template, with a new generation */
#define TOKLAT_VM_CHECKPOINT 6 /* (VM) -> 0; its record is being written: toklat_vm.record */
#define TOKLAT_VM_CLONE 7      /* (VM) -> number of a new VM that goes on from where this one is */
#define TOKLAT_VM_INPUT 8      /* (VM, address, bytes) -> bytes that its console took */
#define TOKLAT_VM_READ 9       /* (first VM, address, count, flags) -> structs; x1: next VM, or 0 */
#define TOKLAT_GROUP_READ 10   /* (group, address of struct toklat_group) -> 0 */
#define TOKLAT_GROUP_SET 11    /* (group, what, value) -> 0 */
#define TOKLAT_GROUP_DELETE 12 /* (group) -> 0; one that was loaded, and of which no VM exists */
#define TOKLAT_MACHINE_READ 13 /* (address of struct toklat_machine) -> 0 */
#define TOKLAT_JOURNAL_READ 14 /* (cursor, address, bytes) -> bytes; x1: next cursor, x2: first */
#define TOKLAT_IMAGE_BEGIN 15  /* (bytes) -> 0; memory for an image file; forgets an earlier one */
#define TOKLAT_IMAGE_WRITE 16  /* (address, bytes) -> bytes of the file that are there now */
#define TOKLAT_IMAGE_LOAD 17   /* (address of struct toklat_load) -> group; it boots its template */
#define TOKLAT_OPERATIONS 18

#ifndef __ASSEMBLER__

#include "abi/system_page.h"

/* --- VMs ------------------------------------------------------------------------------------ */

enum toklat_vm_state {
    TOKLAT_VM_DEFINED,  /* exists, and has not run yet */
    TOKLAT_VM_RUNNING,  /* on a CPU, now */
    TOKLAT_VM_RUNNABLE, /* waits for a CPU */
    TOKLAT_VM_IDLE,     /* in memory, waits for an event */
    TOKLAT_VM_WAITING,  /* for memory, or for the store */
    TOKLAT_VM_STORED,   /* out of memory */
    TOKLAT_VM_PAUSED,
    TOKLAT_VM_DEAD, /* ended, and was not destroyed */
    TOKLAT_VM_STATES
};

/* VM_READ: one call looks at no more VMs than this. */
#define TOKLAT_VM_READ_MAX 64
/* VM_READ flags. */
#define TOKLAT_VM_READ_PSS 1u   /* count proportional pages, which takes a walk of each live VM */
#define TOKLAT_VM_READ_STATE 2u /* number, group, state and cpu only: struct toklat_vm_brief */

struct toklat_vm_brief {
    uint32_t number;
    uint8_t group;
    uint8_t state; /* enum toklat_vm_state */
    uint8_t cpu;   /* that it is at */
    uint8_t reserved;
};

/* Sizes are of this VM alone unless it says otherwise; all zero but the first four and the record's
 * while it is not in memory. */
struct toklat_vm {
    struct toklat_vm_brief brief;
    uint32_t private_pages; /* USS: private_pages + table_pages pages + descriptor_bytes */
    uint32_t shared_pages;  /* mapped from its template */
    uint32_t table_pages;
    uint32_t descriptor_bytes;
    uint32_t pss_bytes;    /* of guest pages; only with TOKLAT_VM_READ_PSS */
    uint32_t record_bytes; /* in the store; 0: it has no record */
    uint64_t record;       /* where: changes with each record that is safely written */
    uint64_t cpu_ns;       /* virtual time since it was cloned */
    uint32_t rx_frames, tx_frames, rx_dropped, tx_dropped;
};

/* --- groups --------------------------------------------------------------------------------- */

enum toklat_group_state {
    TOKLAT_GROUP_BOOTING, /* its template has not called checkpoint() yet */
    TOKLAT_GROUP_READY,
    TOKLAT_GROUP_FAILED,
    TOKLAT_GROUP_ABSENT, /* of this index there is none now; others may follow */
};

#define TOKLAT_GROUPS_MAX 32
#define TOKLAT_FILE_BYTES 64

#define TOKLAT_GROUP_SUPERVISOR 1u
#define TOKLAT_GROUP_LOADED 2u /* by IMAGE_LOAD; otherwise by the deployment */
#define TOKLAT_GROUP_START_AT_BOOT 4u

enum toklat_network {
    TOKLAT_NETWORK_NONE,
    TOKLAT_NETWORK_INTERNAL,
    TOKLAT_NETWORK_UPLINK,
    TOKLAT_NETWORK_CONTROL, /* the outside alone: nothing passes between it and another VM */
};

struct toklat_group {
    char name[TOKLAT_NAME_BYTES];
    char file[TOKLAT_FILE_BYTES];
    uint32_t state; /* enum toklat_group_state */
    uint32_t flags;
    uint32_t network;  /* enum toklat_network */
    uint32_t first_vm; /* instance n is VM first_vm + n - 1 */
    uint32_t count;    /* instances that exist always */
    uint32_t reserve;  /* more that may be created */
    uint32_t weight;
    uint32_t limit_pages;    /* own pages, tables included, of a VM; 0: only its memory's size */
    uint32_t memory_pages;   /* of a VM's address space */
    uint32_t template_pages; /* frames that hold it, tables included */
    uint32_t defined, live, stored, paused, dead; /* each VM that exists is in one of them */
    uint32_t reserved;
    uint64_t started, killed, exited;
};

/* GROUP_SET: what. */
#define TOKLAT_SET_WEIGHT 0      /* 1 to 65,535; when a VM's next slice begins */
#define TOKLAT_SET_LIMIT_PAGES 1 /* 0: none; a VM that needs more ends */

struct toklat_load {
    char name[TOKLAT_NAME_BYTES]; /* as in a deployment, and unlike any group's */
    char file[TOKLAT_FILE_BYTES];
    char args[TOKLAT_ARGS_BYTES];
    uint32_t reserve;      /* VMs that may be created of it, at least 1 */
    uint32_t memory_bytes; /* 0: as the image says */
    uint32_t weight;       /* 0: normal */
    uint32_t network;
    uint32_t peer_count;
    uint8_t peers[TOKLAT_PEERS_MAX]; /* groups */
    char problem[128]; /* written by EL2 when the image is refused: field, value and limit */
};

/* IMAGE_BEGIN: the largest file. */
#define TOKLAT_IMAGE_BYTES_MAX (2u * 1024 * 1024)

/* --- the machine ---------------------------------------------------------------------------- */

#define TOKLAT_CPUS_MAX 8

enum toklat_frames {
    TOKLAT_FRAMES_FREE,
    TOKLAT_FRAMES_EL2,
    TOKLAT_FRAMES_STUBS,
    TOKLAT_FRAMES_SHARED, /* templates, and pages that several VMs hold */
    TOKLAT_FRAMES_PRIVATE,
    TOKLAT_FRAMES_TABLES,
    TOKLAT_FRAMES_DESCRIPTORS,
    TOKLAT_FRAMES_KINDS
};

enum toklat_held { /* why the first of the gatekeeper's queue waits: runs that left it there */
                   TOKLAT_HELD_FRAMES,
                   TOKLAT_HELD_TRANSIT,
                   TOKLAT_HELD_BUFFERS,
                   TOKLAT_HELD_TURN,
                   TOKLAT_HELD_REASONS
};

struct toklat_machine {
    uint64_t uptime_ns;
    uint64_t wall_ns; /* Unix time; 0: the board has no clock */
    uint64_t ram_pages;
    uint64_t frames[TOKLAT_FRAMES_KINDS]; /* they add up to ram_pages */
    uint32_t cpus;
    uint32_t groups;    /* indices in use are below */
    uint32_t vms;       /* numbers in use are up to */
    uint32_t spare_vms; /* numbers that loaded images may still get */
    struct {
        uint64_t idle_ns; /* of uptime_ns */
        uint64_t turns;
        uint32_t residents; /* VMs whose home it is */
        uint32_t ready;
    } cpu[TOKLAT_CPUS_MAX];
    struct {
        uint32_t resident, waiting, arriving, leaving;
        uint64_t admitted, evicted_idle, evicted_timed, evicted_busy, kept, refused;
        uint64_t held[TOKLAT_HELD_REASONS];
        uint64_t waited_ns, waited_longest_ns;
        uint64_t wakes, dropped;
    } gatekeeper;
    struct {
        uint64_t capacity_bytes, live_bytes; /* capacity 0: there is no store */
        uint64_t records, written_bytes, reads, read_bytes, read_errors, write_errors, refused_full;
    } store;
    struct {
        uint64_t vm_to_vm, vm_to_uplink, uplink_to_vm, arp_answered;
        uint64_t dropped_spoofed, dropped_reach, dropped_unknown, dropped_malformed;
        uint64_t dropped_not_ready, dropped_uplink;
    } network;
    uint64_t faults, kills, interrupts, console_dropped;
    uint64_t journal_first, journal_next; /* cursors */
};

/* --- the journal ---------------------------------------------------------------------------- */

/* What happened, in order: a ring of entries of 8-byte alignment, the oldest of which go first. A
 * cursor counts bytes since the machine started. JOURNAL_READ gives whole entries from `cursor` on,
 * or from the first that is still there. When nothing is there to read, TOKLAT_EVENT_CONSOLE is
 * posted to the supervisor once there is. */
enum toklat_journal {
    TOKLAT_JOURNAL_LINE,       /* text: a VM's console */
    TOKLAT_JOURNAL_LOG,        /* text: EL2's own */
    TOKLAT_JOURNAL_CREATED,    /* vm: the last one; value: how many, one after the other.
                                  These and what follows have no text unless it says so */
    TOKLAT_JOURNAL_STARTED,    /* vm: one that had ended, by START */
    TOKLAT_JOURNAL_EXITED,     /* vm; value: status */
    TOKLAT_JOURNAL_KILLED,     /* vm; text: why */
    TOKLAT_JOURNAL_DESTROYED,  /* vm */
    TOKLAT_JOURNAL_PAUSED,     /* vm */
    TOKLAT_JOURNAL_RESUMED,    /* vm */
    TOKLAT_JOURNAL_RESTARTED,  /* vm */
    TOKLAT_JOURNAL_CHECKPOINT, /* vm: its record is asked for */
    TOKLAT_JOURNAL_CLONED,     /* vm: the new one; value: of whom */
    TOKLAT_JOURNAL_IMAGE,      /* value: group; text: its name; its template is ready */
    TOKLAT_JOURNAL_FAILED,     /* value: group; text: its name; it has no template */
    TOKLAT_JOURNAL_DELETED,    /* value: group; text: its name */
    TOKLAT_JOURNAL_KINDS
};

struct toklat_journal_entry {
    uint16_t bytes; /* of the entry, a multiple of 8 */
    uint8_t kind;
    uint8_t text_bytes; /* that follow the entry; no NUL */
    uint32_t vm;        /* number; 0: none */
    uint64_t time_ns;   /* machine time, as toklat_machine.uptime_ns */
    int64_t value;
};

#define TOKLAT_JOURNAL_ENTRY_MAX (sizeof(struct toklat_journal_entry) + 256)

_Static_assert(sizeof(struct toklat_vm_brief) == 8, "published layout");
_Static_assert(sizeof(struct toklat_vm) == 64, "published layout");
_Static_assert(sizeof(struct toklat_group) == 176, "published layout");
_Static_assert(sizeof(struct toklat_load) == 500, "published layout");
_Static_assert(sizeof(struct toklat_machine) == 616, "published layout");
_Static_assert(sizeof(struct toklat_journal_entry) == 24, "published layout");

#endif
#endif
