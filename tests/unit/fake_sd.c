// SPDX-License-Identifier: BSD-2-Clause
/*
 * A model of an SD card (SD Physical Layer Simplified Specification 6.00, chapter 4).
 */
#include "tests/unit/fake_sd.h"

#include <stdlib.h>
#include <string.h>

#include "arch/memory.h"
#include "arch/time.h"

#define OUT_OF_RANGE (1u << 31)
#define ILLEGAL_COMMAND (1u << 22)

struct fake_sd fake_sd;
struct fake_host fake_host;

void fake_sd_init(void)
{
    memset(&fake_sd, 0, sizeof(fake_sd));
    for (unsigned i = 0; i < sizeof(fake_sd.disk); i++) {
        fake_sd.disk[i] = (uint8_t)(i / 512 + i);
    }
    fake_sd.present = true;
    fake_sd.ready_after = 3;
    fake_sd.csd_version = 1;
    fake_sd.c_size = FAKE_SD_SECTORS / 1024 - 1;
    fake_sd.mute_after = UINT32_MAX;
    fake_host = (struct fake_host){.available = UINT32_MAX, .now = 12345};
}

static uint32_t status_of(void)
{
    static const uint32_t ready = 1u << 8;
    return (uint32_t)fake_sd.state << 9 | ready | (fake_sd.app ? 1u << 5 : 0);
}

static unsigned answer_csd(uint32_t answer[4])
{
    uint32_t c_size = fake_sd.c_size;
    answer[0] = fake_sd.csd_version << 30 | 0x000E0032u;
    answer[1] = 0x5B590000u | c_size >> 16;
    answer[2] = c_size << 16 | 0x7F80u;
    answer[3] = 0x0A400001u | (fake_sd.locked ? 1u << 12 : 0);
    return 4;
}

/* Data commands: those with a sector. */
static unsigned begin_data(enum fake_sd_state state, uint32_t argument, uint32_t answer[4])
{
    if (fake_sd.state != CARD_TRAN) {
        return 0;
    }
    answer[0] = status_of();
    if (fake_sd.status_times > 0 && fake_sd.status) {
        fake_sd.status_times--;
        answer[0] |= fake_sd.status;
        return 1;
    }
    fake_sd.sector = argument;
    fake_sd.state = state;
    return 1;
}

static unsigned stop(uint32_t answer[4])
{
    if (fake_sd.state != CARD_DATA && fake_sd.state != CARD_RECEIVE) {
        return 0;
    }
    answer[0] = status_of();
    if (fake_sd.state == CARD_DATA && fake_sd.sector >= FAKE_SD_SECTORS) {
        answer[0] |= OUT_OF_RANGE; /* it had read ahead */
    }
    if (fake_sd.status_times > 0 && fake_sd.stop_status) {
        fake_sd.status_times--;
        answer[0] |= fake_sd.stop_status;
    }
    bool stays = fake_sd.state == CARD_RECEIVE && fake_sd.stuck;
    fake_sd.state = stays ? CARD_PROGRAM : CARD_TRAN;
    return 1;
}

static unsigned identify(unsigned index, uint32_t argument, uint32_t answer[4])
{
    switch (index) {
    case 8:
        answer[0] = (argument & 0xFFF) ^ (fake_sd.echo_wrong ? 0xFF : 0);
        return fake_sd.old ? 0 : 1;
    case 0x80 | 41:
        answer[0] = 0x00FF8000u;
        if (fake_sd.ready_after == 0 || --fake_sd.ready_after == 0) {
            answer[0] |= 1u << 31 | (fake_sd.standard || fake_sd.old ? 0 : argument & 1u << 30);
            fake_sd.state = CARD_READY;
        }
        return 1;
    case 2:
        fake_sd.state = CARD_IDENT;
        answer[0] = answer[1] = answer[2] = answer[3] = 0x12345678;
        return 4;
    case 3:
        fake_sd.state = CARD_STANDBY;
        fake_sd.rca = FAKE_SD_RCA;
        answer[0] = fake_sd.rca << 16 | 0x500;
        return 1;
    default:
        return 0;
    }
}

static unsigned work(unsigned index, uint32_t argument, uint32_t answer[4])
{
    answer[0] = status_of();
    switch (index) {
    case 7:
        fake_sd.state = CARD_TRAN;
        return argument >> 16 == fake_sd.rca;
    case 9:
        return argument >> 16 == fake_sd.rca ? answer_csd(answer) : 0;
    case 12:
        return stop(answer);
    case 13:
        return argument >> 16 == fake_sd.rca;
    case 18:
        return begin_data(CARD_DATA, argument, answer);
    case 25:
        return begin_data(CARD_RECEIVE, argument, answer);
    case 6:
        if (argument != 0x80FFFFF1u || fake_sd.state != CARD_TRAN) {
            abort();
        }
        fake_sd.switch_bytes = 64;
        fake_sd.fast = !fake_sd.slow;
        return 1;
    case 0x80 | 6:
        fake_sd.wide = argument == 2;
        return 1;
    default:
        return identify(index, argument, answer);
    }
}

unsigned fake_sd_command(unsigned index, uint32_t argument, uint32_t answer[4])
{
    unsigned known = index | (fake_sd.app ? 0x80u : 0);
    fake_sd.log[fake_sd.commands++ % FAKE_SD_LOG] = (uint8_t)known;
    if (!fake_sd.present || fake_sd.commands > fake_sd.mute_after) {
        return 0;
    }
    fake_sd.app = index == 55;
    memset(answer, 0, 16);
    unsigned words = 0;
    if (index == 0) {
        fake_sd.state = CARD_IDLE;
        fake_sd.rca = 0;
    } else if (index == 55) {
        answer[0] = status_of();
        words = argument >> 16 == fake_sd.rca;
    } else {
        words = work(known, argument, answer);
    }
    if (fake_sd.nonsense) {
        memset(answer, 0xFF, 16);
    }
    return words;
}

void fake_sd_get(uint8_t *p, size_t bytes)
{
    memset(p, 0xEE, bytes);
    if (fake_sd.switch_bytes > 0) {
        memset(p, 0, bytes);
        p[16] = fake_sd.slow ? 0 : 1;
        fake_sd.switch_bytes = 0;
    } else if (fake_sd.state == CARD_DATA && fake_sd.sector < FAKE_SD_SECTORS) {
        memcpy(p, fake_sd.disk + fake_sd.sector++ * 512, bytes);
    }
}

void fake_sd_put(const uint8_t *p, size_t bytes)
{
    if (fake_sd.state != CARD_RECEIVE || fake_sd.sector >= FAKE_SD_SECTORS || bytes != 512) {
        abort();
    }
    memcpy(fake_sd.disk + fake_sd.sector++ * 512, p, bytes);
}

bool fake_host_fails(unsigned n)
{
    bool fails = fake_host.fail_times > 0 && n == fake_host.fail_block;
    fake_host.fail_times -= fails;
    return fails;
}

/* What drivers take from below. */

void *arch_ptr(pa_t pa)
{
    return (void *)(uintptr_t)pa.v;
}

uint64_t fake_sd_now(void)
{
    return fake_host.now;
}

uint64_t counter_now(void)
{
    return ++fake_host.now;
}

uint64_t ticks_from_ns(uint64_t ns)
{
    return (ns + FAKE_SD_TICK_NS - 1) / FAKE_SD_TICK_NS;
}
