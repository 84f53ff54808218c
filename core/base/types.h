/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scalars that must not be mixed, and the few macros that everything uses.
 */
#ifndef CORE_BASE_TYPES_H
#define CORE_BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A physical address, and an intermediate physical address: an address as a guest uses it. */
typedef struct {
    uint64_t v;
} pa_t;

typedef struct {
    uint64_t v;
} ipa_t;

#define PA(x) ((pa_t){(x)})
#define IPA(x) ((ipa_t){(x)})

#define PAGE_SHIFT 12
#define PAGE_SIZE (1ull << PAGE_SHIFT)
#define PAGE_MASK (PAGE_SIZE - 1)
#define BLOCK_SHIFT 21
#define BLOCK_SIZE (1ull << BLOCK_SHIFT)

/* CPUs that one machine may have; per-CPU state is an array of this many, or hangs off it. */
#define CPUS_MAX 8

#define KIB(n) ((n)*1024ull)
#define MIB(n) (KIB(n) * 1024)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define ALIGN_DOWN(x, a) ((x) & ~((a)-1))
#define ALIGN_UP(x, a) ALIGN_DOWN((x) + (a)-1, a)
#define IS_ALIGNED(x, a) (((x) & ((a)-1)) == 0)
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define MUST_USE __attribute__((warn_unused_result))
#define NORETURN __attribute__((noreturn))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Code that runs at boot alone: its memory is given back after boot. Whole files of it, with their
 * strings and tables, are listed in el2.mk (EL2_BOOT); there RESIDENT marks functions that stay,
 * which hold no strings. What is BOOT elsewhere leaves its strings behind, for -flto has functions
 * share them. Neither what stays nor data that lives on may point to what goes:
 * tools/check-boot-code sees what is linked, not what boot code stores. */
#define BOOT __attribute__((section(".text_boot")))
#define RESIDENT __attribute__((section(".text_resident")))

#define NS_PER_S 1000000000ull
#define NS_PER_MS 1000000ull
#define NS_PER_US 1000ull

#endif
