/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hypercalls: HVC #0 under the SMC Calling Convention 1.1 (Arm DEN0028).
 *
 * The function identifier is in x0 (w0), arguments in x1-x7, results in x0-x3; x4-x30 are
 * preserved. Toklat's own calls are fast SMC64 calls of the vendor-specific hypervisor
 * service (owner 6). A call that EL2 does not know returns TOKLAT_E_NOT_SUPPORTED.
 *
 * This header is included by C and by assembly.
 */
#ifndef ABI_HYPERCALL_H
#define ABI_HYPERCALL_H

/* Version of the virtual architecture: major in the upper half, minor in the lower. A guest runs
 * on an EL2 of the same major and of the same or a later minor. */
#define TOKLAT_ABI_MAJOR 1
#define TOKLAT_ABI_MINOR 1
#define TOKLAT_ABI_VERSION ((TOKLAT_ABI_MAJOR << 16) | TOKLAT_ABI_MINOR)

#define TOKLAT_CALL(n) (0xC6000000 + (n))

#define TOKLAT_VERSION TOKLAT_CALL(0)       /* () -> version */
#define TOKLAT_IDLE TOKLAT_CALL(1)          /* (timeout_ns) -> events */
#define TOKLAT_EXIT TOKLAT_CALL(2)          /* (status), does not return */
#define TOKLAT_CHECKPOINT TOKLAT_CALL(3)    /* () -> instance number */
#define TOKLAT_QUEUE_SETUP TOKLAT_CALL(4)   /* (queue, size, desc, avail, used) -> status */
#define TOKLAT_DOORBELL TOKLAT_CALL(5)      /* (queue mask) -> status */
#define TOKLAT_CONSOLE_WRITE TOKLAT_CALL(6) /* (address, length) -> bytes written or status */
#define TOKLAT_PAGE_RELEASE TOKLAT_CALL(7)  /* (address, pages) -> pages freed or status */
#define TOKLAT_VM_CONTROL TOKLAT_CALL(8)    /* (operation, ...): abi/control.h */
#define TOKLAT_CALLS 9

/* Discovery of the service by the calls that the convention sets aside for it. */
#define TOKLAT_CALL_COUNT 0x8600FF00
#define TOKLAT_CALL_UID 0x8600FF01
#define TOKLAT_CALL_REVISION 0x8600FF03
/* UID a1d2e6c4-3f0b-4c7e-9b1d-746f6b6c6174 as the four words that TOKLAT_CALL_UID returns. */
#define TOKLAT_UID_0 0xc4e6d2a1
#define TOKLAT_UID_1 0x7e4c0b3f
#define TOKLAT_UID_2 0x6f741d9b
#define TOKLAT_UID_3 0x74616c6b /* the last word, in memory order, spells "klat" */

/* The architecture's own calls (DEN0028, DEN0022) that EL2 answers for a guest. */
#define SMCCC_VERSION 0x80000000
#define SMCCC_ARCH_FEATURES 0x80000001
#define PSCI_VERSION 0x84000000
#define PSCI_SYSTEM_OFF 0x84000008   /* the VM ends, as by exit(0) */
#define PSCI_SYSTEM_RESET 0x84000009 /* the VM starts again from its template */
#define PSCI_FEATURES 0x8400000A

/* Results. Zero and above are success; the call says what the number means. */
#define TOKLAT_E_NOT_SUPPORTED (-1) /* unknown call, or one that this image did not ask for */
#define TOKLAT_E_INVALID (-2)       /* an argument is malformed: alignment, size, reserved bits */
#define TOKLAT_E_RANGE (-3)         /* an address or a number is outside what the VM owns */
#define TOKLAT_E_DENIED (-4)        /* the VM has no right to this */
#define TOKLAT_E_NO_MEMORY (-5)     /* no free frame or stub; the call may be repeated later */
#define TOKLAT_E_NOT_FOUND (-6)     /* no such image or VM */
#define TOKLAT_E_BUSY (-7)          /* not in this state; the call may be repeated later */

/* TOKLAT_IDLE: the longest timeout, and the one that never ends. Zero gives the CPU away once. */
#define TOKLAT_IDLE_FOREVER 0xFFFFFFFFFFFFFFFF

/* TOKLAT_CONSOLE_WRITE takes at most this many bytes in one call and reports how many it took. */
#define TOKLAT_CONSOLE_MAX 1024

/* TOKLAT_QUEUE_SETUP and TOKLAT_DOORBELL: queue numbers, and the largest queue (a power of 2). */
#define TOKLAT_QUEUE_NET_RX 0
#define TOKLAT_QUEUE_NET_TX 1
#define TOKLAT_QUEUES 2
#define TOKLAT_QUEUE_SIZE_MAX 256

#endif
