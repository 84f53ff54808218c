/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypercall behind control().
 */
#include "guests/supervisor/control.h"

#include "guests/rt/hypercall.h"

int64_t control(uint64_t operation, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                struct control_more *more)
{
    struct hypercall_more results;
    int64_t result = hypercall_with_more(TOKLAT_VM_CONTROL, operation, a, b, c, d, &results);
    *more = (struct control_more){results.x1, results.x2};
    return result;
}
