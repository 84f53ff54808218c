/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `toklat`, the host's command. A subcommand is a row of the table.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/toklat/client/commands.h"
#include "tools/toklat/toklat.h"

#define ROW(name, summary)                                                                         \
    {                                                                                              \
#name, summary, name##_command, name##_usage                                               \
    }

const struct command toklat_commands[] = {
    ROW(ps, "the VMs, one a line"),
    ROW(run, "creates and starts VMs of an image"),
    ROW(rm, "deletes VMs"),
    ROW(start, "starts VMs"),
    ROW(pause, "holds VMs until resume"),
    ROW(resume, "paused VMs go on"),
    ROW(restart, "VMs begin anew"),
    ROW(checkpoint, "writes VMs into the store"),
    ROW(clone, "new VMs that go on from where one is"),
    ROW(logs, "what VMs said on their consoles"),
    ROW(attach, "a terminal on a VM's console"),
    ROW(top, "the machine and its busiest VMs, live"),
    ROW(footprint, "where the memory is"),
    ROW(images, "the images"),
    ROW(push, "uploads a guest as an image"),
    ROW(rmi, "deletes an image"),
    ROW(set, "weight and memory limit of an image"),
    ROW(inspect, "all about one VM or image"),
    ROW(events, "what happened, and what happens"),
    ROW(up, "brings a deployment onto the machine"),
    {"store", "makes, shows, checks and copies stores of VMs", store_command, NULL},
    ROW(completion, "a script for bash or zsh"),
    ROW(version, "prints the version"),
    {0},
};

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    cancel_prepare();
    int code = command_dispatch(
        toklat_commands,
        "Usage: toklat COMMAND ...   (COMMAND --help says more; the manual is toklat(1))\n\n"
        "Exit codes: 0 well, 1 refused by the machine, 3 no machine, 5 no such VM or image,\n"
        "6 not authorised, 8 a file or an answer is unusable, 16 wrong usage, 32 interrupted;\n"
        "of `toklat store`: 4 errors in the store.",
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
