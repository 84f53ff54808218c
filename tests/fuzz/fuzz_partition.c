// SPDX-License-Identifier: BSD-2-Clause
// sources: dev/drivers/partition.c arch/host/memory.c arch/host/time.c arch/host/cpu.c
// sources: core/base/log.c core/base/fmt.c core/base/error.c
/*
 * Anything as a master boot record: what is found lies on the device and in one of its entries, and
 * what is refused is said.
 *
 *   input = the device's size (4 bytes), the four entries, the first 8 bytes of the sector
 */
#include <string.h>

#include "core/base/log.h"
#include "dev/drivers/partition.h"
#include "mm/frame.h"

#define ENTRIES_BYTES 64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum err frame_alloc(enum frame_kind kind, uint32_t owner, pa_t *out)
{
    (void)kind;
    (void)owner;
    (void)out;
    return ERR_NO_MEMORY;
}

bool frame_unref(pa_t pa)
{
    (void)pa;
    return false;
}

static bool is_entry(const uint8_t *sector, const struct partition *p)
{
    bool is = false;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t first, sectors;
        memcpy(&first, sector + 446 + 16 * i + 8, 4);
        memcpy(&sectors, sector + 446 + 16 * i + 12, 4);
        is |= sector[446 + 16 * i + 4] == PARTITION_STORE && p->first == first &&
              p->sectors == sectors;
    }
    return is;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t sector[512] = {0};
    uint32_t sectors;
    struct partition p;
    struct refusal why = {0};
    if (size < sizeof(sectors) + ENTRIES_BYTES) {
        return 0;
    }
    memcpy(&sectors, data, sizeof(sectors));
    memcpy(sector + 446, data + sizeof(sectors), ENTRIES_BYTES);
    size -= sizeof(sectors) + ENTRIES_BYTES;
    memcpy(sector, data + sizeof(sectors) + ENTRIES_BYTES, MIN(size, 8u));
    sector[510] = 0x55;
    sector[511] = 0xAA;
    if (partition_find(sector, sectors, &p, &why) != OK) {
        CHECK(why.what);
        return 0;
    }
    CHECK(p.first <= sectors && p.sectors <= sectors - p.first);
    CHECK((p.first == 0 && p.sectors == sectors) || is_entry(sector, &p));
    return 0;
}
