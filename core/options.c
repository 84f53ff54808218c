/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Boot arguments. What they switch off are Toklat's own ideas, to measure what each is worth.
 */
#include "core/options.h"
#include "core/base/log.h"
#include "core/base/string.h"
#include "core/run.h"

#define WORD_MAX 64

static void apply(const char *word)
{
    if (!strcmp(word, "events=batched")) {
        run_set_synchronous(false);
    } else if (!strcmp(word, "events=synchronous")) {
        run_set_synchronous(true);
    } else if (!strcmp(word, "compensation=on")) {
        run_this()->mux.compensate = true;
    } else if (!strcmp(word, "compensation=off")) {
        run_this()->mux.compensate = false;
    } else {
        log_warn("boot argument \"%s\" is none of events=batched|synchronous, compensation=on|off",
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
            return;
        }
    }
}
