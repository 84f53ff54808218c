/* SPDX-License-Identifier: BSD-2-Clause */
/* Offsets that assembly uses; arch/arm64/cpu.c asserts them. */
#ifndef ARCH_ARM64_OFFSETS_H
#define ARCH_ARM64_OFFSETS_H

#define CONTEXT_X0 0
#define CONTEXT_X30 240
#define CONTEXT_PC 248
#define CONTEXT_PSTATE 256
#define CPU_BYTES 128 /* sizeof(struct cpu) */
#define CPU_LOADED 0
#define CPU_HYPERCALL 8
#define CPU_INTERRUPT 16

#define CPU_STACK_BYTES 8192 /* per CPU, above a guard page of the same 4 KiB as all */
#define CPU_STRIDE (4096 + CPU_STACK_BYTES)

#endif
