/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RAM and caches of the process that plays a machine.
 */
#include "arch/memory.h"
#include "arch/host/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define DEFAULT_BYTES MIB(64)

struct host_counts host_counts;

static uint8_t *ram;
static size_t ram_bytes;

static void die(const char *what, uint64_t value)
{
    fprintf(stderr, "host: %s: 0x%llx\n", what, (unsigned long long)value);
    abort();
}

void host_memory_init(size_t bytes)
{
    if (ram && ram_bytes != bytes) {
        munmap(ram, ram_bytes);
        ram = NULL;
    }
    if (!ram) {
        ram = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    if (ram == MAP_FAILED) {
        die("no memory", bytes);
    }
    memset(ram, HOST_RAM_PATTERN, bytes); /* quick when it is there already: fuzzers do it often */
    ram_bytes = bytes;
    memset(&host_counts, 0, sizeof(host_counts));
}

size_t host_memory_bytes(void)
{
    if (!ram) {
        host_memory_init(DEFAULT_BYTES);
    }
    return ram_bytes;
}

void *arch_ptr(pa_t pa)
{
    if (pa.v < HOST_RAM_BASE || pa.v - HOST_RAM_BASE >= host_memory_bytes()) {
        die("not RAM", pa.v);
    }
    return ram + (pa.v - HOST_RAM_BASE);
}

pa_t arch_pa(const void *ptr)
{
    size_t offset = (size_t)((const uint8_t *)ptr - ram);
    if (offset >= host_memory_bytes()) {
        die("pointer outside RAM", (uintptr_t)ptr);
    }
    return PA(HOST_RAM_BASE + offset);
}

static void require_page(const void *page)
{
    if (arch_pa(page).v & PAGE_MASK) {
        die("not a page", (uintptr_t)page);
    }
}

void page_zero(void *page)
{
    require_page(page);
    memset(page, 0, PAGE_SIZE);
    HOST_COUNT(page_zeros, 1);
}

void page_copy(void *restrict dst, const void *restrict src)
{
    require_page(dst);
    require_page(src);
    memcpy(dst, src, PAGE_SIZE);
    HOST_COUNT(page_copies, 1);
}

size_t page_differs(const void *a, const void *b, size_t from)
{
    const uint8_t *x = a, *y = b;
    while (from < PAGE_SIZE && memcmp(x + from, y + from, PAGE_GROUP_BYTES) == 0) {
        from += PAGE_GROUP_BYTES;
    }
    return from;
}

void icache_sync(const void *p, size_t n)
{
    (void)p;
    (void)n;
    HOST_COUNT(icache_syncs, 1);
}

void dcache_clean_poc(const void *p, size_t n)
{
    (void)p;
    HOST_COUNT(dcache_cleans, 1);
    HOST_COUNT(dcache_clean_bytes, n);
}

void memory_copy(void *restrict dst, const void *restrict src, size_t n)
{
    memcpy(dst, src, n);
}
