/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Boot arguments. What they switch off are Toklat's own ideas, to measure what each is worth. One
 * names a device: the UART that is the uplink.
 */
#include "core/options.h"
#include "core/base/log.h"
#include "core/base/string.h"
#include "core/devices.h"
#include "core/residence.h"
#include "core/run.h"

#define WORD_MAX 64
#define SLIP_OPTION "slip="

static void set_uncompensated(bool on)
{
    run_this()->mux.compensate = !on; /* the other CPUs copy it when they start */
}

static const struct {
    const char *usual, *variant;
    void (*set)(bool variant);
} options[] = {
    {"events=batched", "events=synchronous", run_set_synchronous},
    {"compensation=on", "compensation=off", set_uncompensated},
    {"idle=timeout", "idle=no-timeout", run_set_no_timeout},
    {"store=working-set", "store=one-page", residence_set_one_page},
};

static unsigned unknown; /* arguments; firmware of the Raspberry Pi adds some for Linux */

static void apply(const char *word)
{
    if (!strncmp(word, SLIP_OPTION, sizeof(SLIP_OPTION) - 1)) {
        devices_use_slip(word + sizeof(SLIP_OPTION) - 1);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        if (!strcmp(word, options[i].usual) || !strcmp(word, options[i].variant)) {
            options[i].set(!strcmp(word, options[i].variant));
            return;
        }
    }
    if (unknown++ == 0) {
        log_warn("boot argument \"%s\" is none of events=batched|synchronous, "
                 "compensation=on|off, idle=timeout|no-timeout, store=working-set|one-page, "
                 "slip=UART|off",
                 word);
    }
}

void options_apply(const char *bootargs)
{
    char word[WORD_MAX];
    size_t n = 0;
    for (const char *p = bootargs;; p++) {
        if (*p != ' ' && *p != '\0') {
            word[MIN(n, sizeof(word) - 1)] = *p;
            n++;
            continue;
        }
        if (n) {
            word[MIN(n, sizeof(word) - 1)] = '\0';
            apply(word);
            n = 0;
        }
        if (*p == '\0') {
            break;
        }
    }
    if (unknown > 1) {
        log_warn("%u more boot arguments are not Toklat's", unknown - 1);
    }
}
