// SPDX-License-Identifier: BSD-2-Clause
// sources: tests/unit/fake_sd.c tests/unit/fake_sdhci.c dev/drivers/block_request.c
// sources: core/base/log.c core/base/fmt.c core/base/error.c core/base/string_copy.c
/*
 * SD cards, and the SDHCI driver, against models of both, which behave or do not.
 *
 * The drivers are included as text, with the model's registers instead of dev/drivers/mmio.h.
 */
#include <stdarg.h>
#include <stddef.h>

#define DEV_DRIVERS_MMIO_H
#include "tests/unit/fake_sd.h"

#define mmio_read32 fake_sdhci_read32
#define mmio_write32 fake_sdhci_write32
#include "dev/drivers/sd_card.c"
#include "dev/drivers/sdhci.c"

#define HOST_BASE FAKE_SDHCI_BASE
#define host_probe sdhci_probe
#define host_init fake_sdhci_init
#define host_interrupts fake_sdhci_interrupts
#define host_fail_bits (1u << 21) /* CRC of data */
#include "tests/unit/sd_test.h"

int main(void)
{
    const struct CMUnitTest tests[] = {SD_TESTS};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
