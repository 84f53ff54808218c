// SPDX-License-Identifier: BSD-2-Clause
// sources: tests/unit/fake_sd.c tests/unit/fake_sdhost.c dev/drivers/block_request.c
// sources: core/base/log.c core/base/fmt.c core/base/error.c core/base/string_copy.c
/*
 * The SDHOST driver, against models of it and of a card, which behave or do not.
 *
 * The drivers are included as text, with the model's registers instead of dev/drivers/mmio.h.
 */
#include <stdarg.h>
#include <stddef.h>

#define DEV_DRIVERS_MMIO_H
#include "tests/unit/fake_sd.h"

#define mmio_read32 fake_sdhost_read32
#define mmio_write32 fake_sdhost_write32
#include "dev/drivers/sd_card.c"
#include "dev/drivers/sdhost.c"

#define HOST_BASE FAKE_SDHOST_BASE
#define host_probe sdhost_probe
#define host_init fake_sdhost_init
#define host_interrupts fake_sdhost_interrupts
#define host_fail_bits (1u << 5) /* CRC16 */
#include "tests/unit/sd_test.h"

int main(void)
{
    const struct CMUnitTest tests[] = {SD_TESTS};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
