/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SDHOST, the second controller for SD cards of BCM2835 to BCM2837. It has no published manual.
 */
#ifndef DEV_DRIVERS_SDHOST_H
#define DEV_DRIVERS_SDHOST_H

#include "dev/drivers/device.h"
#include "dev/drivers/sd_card.h"

/* As sdhci_probe. */
enum err sdhost_probe(const struct device *d, struct block_device **out) MUST_USE;

#endif
