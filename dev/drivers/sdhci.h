/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SD Host Controller (SD Host Controller Simplified Specification 3.00): the Arasan controller of
 * BCM2835 to BCM2837, and EMMC2 of BCM2711.
 */
#ifndef DEV_DRIVERS_SDHCI_H
#define DEV_DRIVERS_SDHCI_H

#include "dev/drivers/device.h"
#include "dev/drivers/sd_card.h"

/* Finds the card on the controller; answers as sd_card_start. ERR_NO_MEMORY: a card was found on
 * one before. Waits. Boot CPU only. */
enum err sdhci_probe(const struct device *d, struct block_device **out) MUST_USE;

#endif
