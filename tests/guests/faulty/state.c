/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * State that must be a VM's own: FP registers, the two clocks, its events, its memory.
 */
#include <string.h>

#include "guests/rt/console.h"
#include "guests/rt/events.h"
#include "guests/rt/hypercall.h"
#include "guests/rt/memory.h"
#include "guests/rt/time.h"
#include "tests/guests/faulty/modes.h"

#define FP_ROUNDS 300
#define SLEEP_NS (50 * NS_PER_MS)
#define BUSY_NS (200 * NS_PER_MS)
#define TIMER_NS (2 * NS_PER_MS)
#define PATIENCE_NS (2 * NS_PER_SECOND)
#define RELEASED_PAGES 16

/* Two instances or more of the group make the registers change hands. */
bool mode_fp(void)
{
    uint64_t seed = (uint64_t)system_page()->vm_number << 32;

    return check_number((int64_t)probe_fp(seed, FP_ROUNDS), 0, "FP registers changed");
}

static bool time_across_sleep(void)
{
    uint64_t virtual_before = time_virtual_ns();
    uint64_t wall_before = time_machine_ns();
    idle(SLEEP_NS);
    uint64_t virtual_ns = time_virtual_ns() - virtual_before;
    uint64_t wall_ns = time_machine_ns() - wall_before;

    console_printf("sleep: virtual %lu ns, wall %lu ns\n", virtual_ns, wall_ns);
    bool fine = check(wall_ns >= SLEEP_NS, "slept as long as it asked");
    return check(virtual_ns < wall_ns / 4, "virtual time stood still") && fine;
}

/* With neighbours, virtual time is the share of the CPU; alone it is nearly all of it. */
static bool time_across_work(void)
{
    uint64_t wall_before = time_machine_ns();
    uint64_t virtual_before = time_virtual_ns();
    while (time_machine_ns() - wall_before < BUSY_NS) {
    }
    uint64_t virtual_ns = time_virtual_ns() - virtual_before;
    uint64_t wall_ns = time_machine_ns() - wall_before;

    console_printf("busy: virtual %lu ns, wall %lu ns\n", virtual_ns, wall_ns);
    return check(virtual_ns <= wall_ns, "virtual time is not ahead of wall time");
}

bool mode_virtual_time(void)
{
    events_take(TOKLAT_EVENT_RESUMED);
    bool fine = time_across_sleep();
    return time_across_work() && fine;
}

static volatile uint64_t upcalls;
static volatile uint64_t upcall_events;

static void count_upcall(uint64_t events)
{
    upcalls++;
    upcall_events |= events;
}

static void timer_start(uint64_t after_ns)
{
    uint64_t ticks = after_ns * system_page()->counter_hz / NS_PER_SECOND;

    __asm__ volatile("msr cntv_tval_el0, %0\n\t"
                     "msr cntv_ctl_el0, %1\n\t"
                     "isb" ::"r"(ticks),
                     "r"(1ull));
}

static bool timer_masked_itself(void)
{
    uint64_t control;

    __asm__ volatile("mrs %0, cntv_ctl_el0" : "=r"(control));
    return (control & 2) != 0;
}

static bool wait_for(const volatile uint64_t *word, uint64_t bits)
{
    uint64_t begun = time_machine_ns();

    while ((*word & bits) == 0 && time_machine_ns() - begun < PATIENCE_NS) {
    }
    return (*word & bits) != 0;
}

/* PSTATE.I set: the bit arrives, nothing else happens, idle takes it. */
static bool events_by_idle(void)
{
    events_upcall(NULL);
    __asm__ volatile("msr daifset, #2");
    timer_start(TIMER_NS);
    bool fine = check(wait_for(&system_page()->events_pending, TOKLAT_EVENT_TIMER), "timer posted");
    fine &= check(timer_masked_itself(), "CNTV_CTL_EL0.IMASK set");
    fine &= check_number((int64_t)idle(TOKLAT_IDLE_FOREVER), TOKLAT_EVENT_TIMER, "idle's result");
    return check_number((int64_t)system_page()->events_pending, 0, "taken by idle") && fine;
}

/* PSTATE.I clear: a busy guest is interrupted. */
static bool events_by_exception(void)
{
    upcalls = 0;
    upcall_events = 0;
    events_upcall(count_upcall);
    timer_start(TIMER_NS);
    bool fine = check(wait_for(&upcall_events, TOKLAT_EVENT_TIMER), "upcall while busy");
    fine &= check_number((int64_t)upcalls, 1, "one upcall");
    return check_number((int64_t)system_page()->events_pending, 0, "taken by upcall") && fine;
}

/* Masked: stays pending, causes no exception and does not end idle; then is taken after all. */
static bool events_masked(void)
{
    volatile struct toklat_system_page *page = system_page();

    upcalls = 0;
    upcall_events = 0;
    events_mask(TOKLAT_EVENT_TIMER);
    timer_start(TIMER_NS);
    bool fine = check(wait_for(&page->events_pending, TOKLAT_EVENT_TIMER), "timer posted masked");
    doorbell(0);
    fine &= check_number((int64_t)upcalls, 0, "no upcall while masked");
    page->events_masked = 0; /* and no look: the next entry must deliver it */
    doorbell(0);
    fine &= check_number((int64_t)upcalls, 1, "upcall at the next entry");
    return check_number((int64_t)upcall_events, TOKLAT_EVENT_TIMER, "the masked event") && fine;
}

/* A masked event that is pending neither ends idle nor is lost by it. */
static bool events_masked_in_idle(void)
{
    volatile struct toklat_system_page *page = system_page();

    events_upcall(NULL);
    __asm__ volatile("msr daifset, #2");
    page->events_masked = TOKLAT_EVENT_SHUTDOWN;
    page->events_pending = TOKLAT_EVENT_SHUTDOWN;
    uint64_t begun = time_machine_ns();
    uint64_t events = idle(SLEEP_NS);
    bool fine = check_number((int64_t)events, TOKLAT_EVENT_TIMER, "idle with a masked event");
    fine &= check(time_machine_ns() - begun >= SLEEP_NS, "a masked event does not wake");
    fine &= check_number((int64_t)page->events_pending, TOKLAT_EVENT_SHUTDOWN, "still pending");
    page->events_masked = 0;
    events = idle(TOKLAT_IDLE_FOREVER);
    return check_number((int64_t)events, TOKLAT_EVENT_SHUTDOWN, "taken when unmasked") && fine;
}

/* WFI ends at an event and leaves it where it is. */
static bool events_by_wfi(void)
{
    volatile struct toklat_system_page *page = system_page();

    page->events_pending = TOKLAT_EVENT_SHUTDOWN;
    __asm__ volatile("wfi" ::: "memory");
    __asm__ volatile("wfe" ::: "memory");
    bool fine =
        check_number((int64_t)page->events_pending, TOKLAT_EVENT_SHUTDOWN, "WFI takes none");
    page->events_pending = 0;
    return fine;
}

bool mode_events(void)
{
    events_take(TOKLAT_EVENT_RESUMED);
    bool fine = events_by_idle();

    fine &= events_by_exception();
    fine &= events_masked();
    fine &= events_masked_in_idle();
    fine &= events_by_wfi();
    return fine;
}

bool mode_page_release(void)
{
    static uint8_t pages[RELEASED_PAGES][TOKLAT_PAGE_BYTES] __attribute__((aligned(4096)));
    volatile struct toklat_system_page *page = system_page();
    bool fine = true;

    memset(pages, 0xA5, sizeof(pages));
    idle(0);
    uint32_t held = page->private_pages;
    fine &= check_number(page_release(pages, RELEASED_PAGES), RELEASED_PAGES, "pages released");
    idle(0);
    fine &= check_number(page->private_pages, (int64_t)held - RELEASED_PAGES, "pages held");
    fine &= check_number(page_release(pages, RELEASED_PAGES), 0, "released again");
    for (unsigned i = 0; i < RELEASED_PAGES; i++) {
        fine &= check(pages[i][0] == 0 && pages[i][4095] == 0, "released page reads as zero");
        pages[i][7] = 1;
    }
    return fine;
}

bool mode_flood_console(void)
{
    static char text[3000];

    for (unsigned i = 0; i < sizeof(text); i++) {
        text[i] = (char)(i * 7 + 3); /* every byte value, few newlines */
    }
    for (unsigned i = 0; i < 20; i++) {
        if (!console_write(text, sizeof(text))) {
            return check(false, "console_write");
        }
    }
    return console_write("\n", 1);
}
