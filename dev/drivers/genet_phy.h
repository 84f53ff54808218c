/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PHY behind a GENET: the registers that every one has (IEEE 802.3, clause 22.2.4), over the
 * MDIO master of the controller.
 *
 * A transaction takes some 30 us and is waited for, at most MDIO_NS. Context: the owner of the
 * controller.
 */
#ifndef DEV_DRIVERS_GENET_PHY_H
#define DEV_DRIVERS_GENET_PHY_H

#include "core/base/error.h"

struct genet_link {
    bool up;
    bool full_duplex;
    uint16_t mbit; /* 10, 100 or 1000; 0: it is down */
};
_Static_assert(sizeof(struct genet_link) == 4, "compared as bytes");

/* Begins to negotiate a link. ERR_NOT_FOUND: no PHY has address `phy`; ERR_IO: no answer. */
enum err genet_phy_start(uintptr_t base, unsigned phy) MUST_USE;

/* Brings `*link` up to date. ERR_IO: the PHY does not answer; `*link` is as it was. */
enum err genet_phy_look(uintptr_t base, unsigned phy, struct genet_link *link) MUST_USE;

#endif
