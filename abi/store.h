/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The format of a store, version 1: where VMs are that are not resident. docs/store-format.md says
 * what the fields mean together; this header is what EL2 and host tools share.
 *
 *   sector 0      8            checkpoint[0]   checkpoint[1]   first_segment
 *   +-----------+-----------+----------------+---------------+---------+---------+----
 *   | super     | its copy  | index          | index         | segment | segment | ...
 *   +-----------+-----------+----------------+---------------+---------+---------+----
 *
 *   segment   = batch, batch, ...                          each written at once, then flushed
 *   batch     = header of 4 KiB with an entry a record, then the records
 *   record    = head (registers, table of pages), then the pages' bytes, the hot ones first
 *
 * Numbers are little-endian. Sectors have 512 bytes and are counted from the device's start. Every
 * checksum is CRC32C (RFC 3720, appendix B.4) over the whole structure with `crc` as 0.
 */
#ifndef ABI_STORE_H
#define ABI_STORE_H

#include <stdint.h>

#define STORE_VERSION 1
#define STORE_SECTOR_BYTES 512u
#define STORE_SUPER_SECTOR 0u
#define STORE_SUPER_COPY_SECTOR 8u

#define STORE_SUPER_MAGIC 0x727075536b6c6f54ull      /* "TolkSupr" in memory order */
#define STORE_CHECKPOINT_MAGIC 0x6b6368436b6c6f54ull /* "TolkChck" */
#define STORE_BATCH_MAGIC 0x686374426b6c6f54ull      /* "TolkBtch" */
#define STORE_RECORD_MAGIC 0x726363526b6c6f54ull     /* "TolkRccr" */

#define STORE_SEGMENT_SECTORS_MIN 2048u   /* 1 MiB */
#define STORE_SEGMENT_SECTORS_MAX 131072u /* 64 MiB */
#define STORE_SEGMENTS_MIN 8u
#define STORE_SEGMENTS_MAX 65536u
#define STORE_VMS_MAX 1048576u
#define STORE_TEMPLATES_MAX 32u /* slots after those of the VMs */
#define STORE_RECORD_SECTORS_MAX 2040u

struct store_super {
    uint64_t magic;
    uint32_t version;
    uint32_t crc;
    uint8_t uuid[16];
    uint64_t created_ns; /* Unix time */
    uint64_t sectors;    /* that the store takes of its device */
    uint64_t first_segment;
    uint64_t checkpoint[2];      /* where the two checkpoints are, checkpoint_sectors each */
    uint32_t checkpoint_sectors; /* store_checkpoint_sectors(vms) or more */
    uint32_t segment_sectors;    /* a power of two */
    uint32_t segments;
    uint32_t vms;        /* slots 1 to vms are VMs, the STORE_TEMPLATES_MAX after them templates */
    uint64_t deployment; /* whose store it is (core/bringback.h); 0: nobody's yet */
    uint64_t boots;      /* machines that have opened it; the newer of the two copies has more */
    uint8_t reserved[408];
};

/*
 * Where a slot's record is: all that EL2 keeps of a VM that is out. `sector` 0: there is none.
 * The markers below stand where a sector would.
 */
struct store_place {
    uint32_t sector;
    uint16_t sectors; /* of the whole record */
    uint8_t hot;      /* store_size code: sectors to read at first, of head and hot pages */
    uint8_t frames;   /* store_size code: frames that these take in memory, and tables */
};

#define STORE_NOTHING 0u /* no record: never ran, or begins anew from its template */
#define STORE_DEAD 1u    /* ended, and does not begin again by itself */
#define STORE_EXISTS 2u  /* no record, but of the reserve: it was created */
#define STORE_MARKERS 8u /* below this there are no records */

/* An entry of the index in a checkpoint, for slot i + 1. */
struct store_index {
    struct store_place place;
    uint64_t deadline_ns; /* Unix time at which its idle() ends; 0: not by itself */
};

/* At the start of its area; the index follows at the next sector. Of two sound ones the one with
 * the higher sequence counts. */
struct store_checkpoint {
    uint64_t magic;
    uint32_t version;
    uint32_t crc;
    uint8_t uuid[16];
    uint64_t sequence; /* counts checkpoints; `create` writes 1 and 2, the log begins at batch 1 */
    uint64_t batch;    /* sequence of the first batch that is not in the index */
    uint32_t segment;  /* where that batch is, or will be */
    uint32_t offset;   /* in sectors from the segment's start */
    uint64_t wall_ns;  /* Unix time when it was begun, 0: not known */
    uint64_t ticks_ns; /* machine time (docs/virtual-architecture.md), continued over boots */
    uint32_t entries;  /* vms + STORE_TEMPLATES_MAX */
    uint32_t entries_crc;
    uint32_t clean;        /* 1: nothing was resident: written at shutdown */
    uint32_t next_segment; /* where the log goes on when there is no room behind `offset` */
    uint64_t boots;        /* of the machine that wrote it: `clean` is over when another boots */
    uint8_t reserved[416];
};

enum store_kind {
    STORE_KIND_RECORD = 1, /* of a VM */
    STORE_KIND_TEMPLATE = 2,
    STORE_KIND_MARK = 3, /* no record: `place.sector` is a marker */
};

struct store_entry {
    uint32_t slot;
    uint8_t kind; /* enum store_kind */
    uint8_t reserved[3];
    struct store_place place; /* as the index will have it */
    uint64_t deadline_ns;
};

#define STORE_BATCH_HEADER_BYTES 4096u
#define STORE_BATCH_HEADER_SECTORS (STORE_BATCH_HEADER_BYTES / STORE_SECTOR_BYTES)
#define STORE_BATCH_ENTRIES 166u

/* Batches follow each other without gaps: the next one is behind this one or, when there was no
 * room for it, at the start of `next_segment`. */
struct store_batch {
    uint64_t magic;
    uint32_t version;
    uint32_t crc; /* of these 4,096 bytes */
    uint8_t uuid[16];
    uint64_t sequence;   /* counts batches, over all boots, without gaps */
    uint64_t checkpoint; /* sequence of the newest checkpoint that was complete */
    uint32_t segment;    /* where it is */
    uint32_t
        next_segment; /* where the log goes on when this segment is full; all ones: not known */
    uint32_t sectors; /* with the header; a multiple of 8 */
    uint32_t count;   /* of entries */
    uint64_t wall_ns;
    uint64_t ticks_ns;
    uint64_t boots;
    uint8_t reserved[8];
    struct store_entry entries[STORE_BATCH_ENTRIES];
    uint8_t padding[16];
};

/* A virtqueue of the VM's network interface. */
struct store_queue {
    uint64_t desc, avail, used;
    uint16_t size, next_avail, next_used, reserved;
};

/* Registers by their names in the Arm ARM. */
struct store_registers {
    uint64_t x[31];
    uint64_t pc, pstate;
    uint64_t sp_el0, sp_el1, elr_el1, spsr_el1, esr_el1, far_el1, vbar_el1;
    uint64_t tpidr_el1, tpidr_el0, tpidrro_el0, par_el1, cpacr_el1;
    uint64_t cntkctl_el1, cntv_cval_el0, cntv_ctl_el0;
};

/* Those of a VM that used FP/SIMD, or translates by itself. */
struct store_extra {
    uint8_t v[32][16];
    uint64_t fpcr, fpsr;
    uint64_t sctlr_el1, ttbr0_el1, ttbr1_el1, tcr_el1, mair_el1, amair_el1, contextidr_el1;
};

/* A page of the VM's own. Pages follow each other in the order of this table, each `length` * 8
 * bytes, from head_bytes on. */
struct store_page {
    uint16_t number; /* address / 4096 */
    uint16_t code;   /* enum store_coding << 12 | length / 8 */
    uint32_t crc;    /* of the coded bytes */
};

enum store_coding {
    STORE_RAW = 0,   /* the page itself */
    STORE_DELTA = 1, /* against the template's page of that number, or zeroes */
    STORE_LZ4 = 2,   /* a block of LZ4, a 64-bit length of it before, padded with zeroes */
    STORE_HOLE = 3,  /* nothing: the template has a page there, the VM gave it back */
};

#define STORE_PAGE_CODE(coding, bytes) ((uint16_t)((coding) << 12 | (bytes) / 8))
#define STORE_PAGE_CODING(code) ((code) >> 12)
#define STORE_PAGE_BYTES(code) (((code)&0xFFFu) * 8u)

#define STORE_RECORD_EXTRA 1u    /* struct store_extra follows struct store_record */
#define STORE_RECORD_RUNNABLE 2u /* it did not wait for an event */
#define STORE_RECORD_WFI 4u      /* it waits in WFI, not in idle() */

/* A record's head: this, then perhaps a struct store_extra, then `pages` of struct store_page.
 * `crc` covers all of it. */
struct store_record {
    uint64_t magic;
    uint32_t version;
    uint32_t crc;
    uint8_t uuid[16];
    uint64_t sequence; /* of the batch that it was first written in */
    uint64_t template; /* whose pages it is a change of; of a template: its own */
    uint64_t boots;    /* of the machine that wrote it first */
    uint32_t slot;
    uint32_t flags;
    uint32_t sectors;
    uint32_t head_bytes; /* with room of zeroes behind the table; the pages begin here */
    uint32_t hot_bytes;  /* from the record's start to the end of its hot pages */
    uint16_t pages;      /* all */
    uint16_t hot_pages;  /* those that were touched while it was resident last: the first ones */
    uint64_t wall_ns;
    uint64_t deadline_ns;
    uint64_t generation;
    uint64_t virtual_ticks;
    uint64_t counter_hz;
    struct store_queue rx, tx;
    uint32_t rx_frames, rx_dropped, tx_frames, tx_dropped;
    uint8_t console_used;
    char console_line[103];
    struct store_registers registers;
};

_Static_assert(sizeof(struct store_super) == 512, "published layout");
_Static_assert(sizeof(struct store_place) == 8, "published layout");
_Static_assert(sizeof(struct store_index) == 16, "published layout");
_Static_assert(sizeof(struct store_checkpoint) == 512, "published layout");
_Static_assert(sizeof(struct store_entry) == 24, "published layout");
_Static_assert(sizeof(struct store_batch) == STORE_BATCH_HEADER_BYTES, "published layout");
_Static_assert(sizeof(struct store_page) == 8, "published layout");
_Static_assert(sizeof(struct store_extra) == 584, "published layout");
_Static_assert(sizeof(struct store_record) == 688, "published layout");

/* Sizes in one byte: 5 bits of number and 3 of exponent, never less than what was put in, at most
 * STORE_SIZE_MAX. */
#define STORE_SIZE_MAX (31u << 7)

static inline uint8_t store_size_code(uint32_t size)
{
    uint32_t exponent = 0, number = size;
    while (number > 31 && exponent < 7) {
        exponent++;
        number = (size + (1u << exponent) - 1) >> exponent;
    }
    return (uint8_t)(exponent << 5 | (number > 31 ? 31 : number));
}

static inline uint32_t store_size(uint8_t code)
{
    return (code & 31u) << (code >> 5);
}

/* Sectors of a checkpoint of `vms` VMs: its header and the index. */
static inline uint64_t store_checkpoint_sectors(uint64_t vms)
{
    uint64_t bytes = (vms + STORE_TEMPLATES_MAX) * sizeof(struct store_index);
    return 1 + (bytes + STORE_SECTOR_BYTES - 1) / STORE_SECTOR_BYTES;
}

#endif
