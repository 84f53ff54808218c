/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The web guest: everything is set up before the checkpoint, so that a clone only has to learn
 * who it is.
 */
#include "guests/httpd/front.h"
#include "guests/rt/hypercall.h"
#include "guests/rt/image.h"
#include "guests/rt/net.h"

TOKLAT_IMAGE(256 * 1024, 16 * 1024, TOKLAT_IMAGE_CHECKPOINT);

int guest_main(void)
{
    if (!net_init()) {
        return 1;
    }
    front_init();
    checkpoint();
    net_run();
    return RT_EXIT_OK;
}
