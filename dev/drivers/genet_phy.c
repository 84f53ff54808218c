/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PHY behind a GENET.
 *
 * The PHY is not reset: what the firmware set in registers of its maker, such as the delay of its
 * receive clock, stays. Pause frames are not negotiated: nobody outside stops this end. Speed and
 * duplex are what both ends offer (IEEE 802.3, annexes 28B and 40C); that a PHY fell back to less
 * by itself only registers of its maker tell.
 */
#include "dev/drivers/genet_phy.h"

#include "arch/time.h"
#include "dev/drivers/mmio.h"

/* The MDIO master, in the UniMAC. */
#define MDIO_CMD 0xE14u
#define MDIO_BUSY (1u << 29) /* written: start */
#define MDIO_READ_FAIL (1u << 28)
#define MDIO_READ (2u << 26)
#define MDIO_WRITE (1u << 26)
#define MDIO_PHY_SHIFT 21
#define MDIO_REGISTER_SHIFT 16
#define MDIO_NS NS_PER_MS

/* IEEE 802.3, 22.2.4. */
#define BMCR 0
#define BMCR_NEGOTIATE                                                                             \
    (1u << 12 | 1u << 9) /* enabled, and begun again; no power-down, isolation                     \
                          */
#define BMSR 1
#define BMSR_NEGOTIATED (1u << 5)
#define BMSR_LINK (1u << 2) /* latches 0 until it is read */
#define PHY_ID_1 2
#define ADVERTISE 4
#define PARTNER 5
#define ABLE_100_FULL (1u << 8)
#define ABLE_100_HALF (1u << 7)
#define ABLE_10_FULL (1u << 6)
#define ABLE_10_HALF (1u << 5)
#define SELECTOR_802_3 1u
#define ABILITIES (ABLE_100_FULL | ABLE_100_HALF | ABLE_10_FULL | ABLE_10_HALF)
#define CONTROL_1000 9
#define CONTROL_1000_FULL (1u << 9)
#define STATUS_1000 10
#define STATUS_1000_FULL (1u << 11) /* the partner's */

#define NOBODY 0xFFFFu /* read when nobody drives the line */

static enum err mdio(uintptr_t base, unsigned phy, unsigned reg, uint32_t command, uint16_t *value)
{
    uint32_t v = command | phy << MDIO_PHY_SHIFT | reg << MDIO_REGISTER_SHIFT | MDIO_BUSY;
    uint64_t deadline = counter_now() + ticks_from_ns(MDIO_NS);
    mmio_write32(base + MDIO_CMD, v);
    do {
        v = mmio_read32(base + MDIO_CMD);
    } while (v & MDIO_BUSY && counter_now() < deadline);
    *value = (uint16_t)v;
    return v & MDIO_BUSY || (command == MDIO_READ && v & MDIO_READ_FAIL) ? ERR_IO : OK;
}

static enum err phy_read(uintptr_t base, unsigned phy, unsigned reg, uint16_t *value)
{
    return mdio(base, phy, reg, MDIO_READ, value);
}

static enum err phy_write(uintptr_t base, unsigned phy, unsigned reg, uint16_t value)
{
    uint16_t ignored;
    return mdio(base, phy, reg, MDIO_WRITE | value, &ignored);
}

BOOT enum err genet_phy_start(uintptr_t base, unsigned phy)
{
    static const uint16_t values[][2] = {
        {ADVERTISE, ABILITIES | SELECTOR_802_3},
        {CONTROL_1000, CONTROL_1000_FULL},
        {BMCR, BMCR_NEGOTIATE},
    };
    uint16_t id;
    enum err e = phy_read(base, phy, PHY_ID_1, &id);
    if (e == OK && (id == 0 || id == NOBODY)) {
        e = ERR_NOT_FOUND;
    }
    for (unsigned i = 0; e == OK && i < ARRAY_SIZE(values); i++) {
        e = phy_write(base, phy, values[i][0], values[i][1]);
    }
    return e;
}

/* The best that both ends can do; no link if there is nothing. */
static struct genet_link negotiated(uint16_t partner, uint16_t partner_1000)
{
    if (partner_1000 & STATUS_1000_FULL) {
        return (struct genet_link){true, true, 1000};
    }
    if (partner & (ABLE_100_FULL | ABLE_100_HALF)) {
        return (struct genet_link){true, partner & ABLE_100_FULL, 100};
    }
    if (partner & (ABLE_10_FULL | ABLE_10_HALF)) {
        return (struct genet_link){true, partner & ABLE_10_FULL, 10};
    }
    return (struct genet_link){0};
}

enum err genet_phy_look(uintptr_t base, unsigned phy, struct genet_link *link)
{
    uint16_t status, partner, partner_1000;
    enum err e = phy_read(base, phy, BMSR, &status);
    if (e == OK && link->up && status != NOBODY && status & BMSR_LINK) {
        return OK; /* and has not been down since the last look */
    }
    if (e == OK) {
        e = phy_read(base, phy, BMSR, &status); /* the first told of the past */
    }
    if (e == OK && status == NOBODY) {
        e = ERR_IO;
    }
    if (e == OK && !(status & BMSR_LINK && status & BMSR_NEGOTIATED)) {
        *link = (struct genet_link){0};
        return OK;
    }
    if (e == OK) {
        e = phy_read(base, phy, PARTNER, &partner);
    }
    if (e == OK) {
        e = phy_read(base, phy, STATUS_1000, &partner_1000);
    }
    if (e == OK) {
        *link = negotiated(partner, partner_1000);
    }
    return e;
}
