/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `toklat`, the host's command. A subcommand is a row of the table.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "abi/store.h"
#include "tools/toklat/toklat.h"

static int version_command(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("toklat %s (store version %d)\n", TOKLAT_VERSION, STORE_VERSION);
    return EXIT_CLEAN;
}

static const struct command commands[] = {
    {"store", "makes, shows, checks and copies stores of VMs", store_command},
    {"version", "prints the version", version_command},
    {0},
};

int main(int argc, char **argv)
{
    cancel_prepare();
    int code = command_dispatch(commands, "Usage: toklat COMMAND ...   (COMMAND --help says more)",
                                argc, argv);
    if (cancelled()) {
        return EXIT_CANCELLED;
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        complain("standard output cannot be written");
        return EXIT_OPERATIONAL;
    }
    return code;
}
