/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the faulty guest can do, by its deployment's "args".
 */
#ifndef TESTS_GUESTS_FAULTY_MODES_H
#define TESTS_GUESTS_FAULTY_MODES_H

#include <stdbool.h>
#include <stdint.h>

/* Modes that survive return whether everything was as it should be. They say "FAIL what" for each
 * thing that was not. */
bool mode_bad_hypercall(void);
bool mode_smc(void);
bool mode_odd_frames(void);
bool mode_fp(void);
bool mode_virtual_time(void);
bool mode_events(void);
bool mode_page_release(void);
bool mode_flood_console(void);

/* These need others, or do not end: frames.c. */
bool mode_listen(void);
bool mode_spoof(void);
bool mode_mute(void);
bool mode_loud(void);
bool mode_flood_for_ever(void);

/* Modes that are meant to end the VM, or never to end; they return only if they failed to. */
void mode_write_outside(void);
void mode_read_outside(void);
void mode_far_address(void);
void mode_gap(void);
void mode_write_text(void);
void mode_write_rodata(void);
void mode_execute_data(void);
void mode_null_jump(void);
void mode_stack_overflow(void);
void mode_heap_exhaust(void);
void mode_set_way(void);
void mode_sysreg(void);
void mode_debug_register(void);
void mode_physical_timer(void);
void mode_spin(void);
void mode_wild_ring(const char *kind); /* what stands after "wild-ring" in the mode's name */

/* Says "FAIL what" unless it holds; returns whether it does. */
bool check(bool holds, const char *what);

/* As check, for a number that should be another. */
bool check_number(int64_t is, int64_t should_be, const char *what);

/* probe.S: whether x4 to x30 survive a hypercall; 0 if so, else the number of the first that did
 * not. */
uint64_t probe_registers(void);

/* probe.S: fills v0 to v31 from `seed`, gives the CPU away `rounds` times and counts registers that
 * came back otherwise. */
uint64_t probe_fp(uint64_t seed, uint64_t rounds);

/* probe.S: SMC with this function identifier; its x0. */
int64_t probe_smc(uint64_t function);

/* probe.S: pushes until it faults. */
void probe_push(void);

#endif
