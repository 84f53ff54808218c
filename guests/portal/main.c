/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The portal: an unprivileged VM that listens where the outside can reach it and passes requests
 * on to the VMs behind it (guests/portal/route.h).
 */
#include "guests/portal/session.h"
#include "guests/rt/console.h"
#include "guests/rt/hypercall.h"
#include "guests/rt/image.h"
#include "guests/rt/net.h"

TOKLAT_IMAGE(8 * 1024 * 1024, 32 * 1024, TOKLAT_IMAGE_CHECKPOINT);

int guest_main(void)
{
    if (!net_init()) {
        return 1;
    }
    if (!session_listen()) {
        console_printf("the portal cannot listen\n");
        return 2;
    }
    checkpoint();
    net_run();
    return RT_EXIT_OK;
}
