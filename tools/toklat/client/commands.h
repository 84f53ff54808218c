/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands that ask a running machine.
 */
#ifndef TOKLAT_COMMANDS_H
#define TOKLAT_COMMANDS_H

/* Each with its command's usage beside it. */
#define CLIENT_COMMAND(name)                                                                       \
    int name##_command(int argc, char **argv);                                                     \
    extern const char name##_usage[]

CLIENT_COMMAND(ps);
CLIENT_COMMAND(run);
CLIENT_COMMAND(rm);
CLIENT_COMMAND(start);
CLIENT_COMMAND(pause);
CLIENT_COMMAND(resume);
CLIENT_COMMAND(restart);
CLIENT_COMMAND(checkpoint);
CLIENT_COMMAND(clone);
CLIENT_COMMAND(logs);
CLIENT_COMMAND(attach);
CLIENT_COMMAND(top);
CLIENT_COMMAND(footprint);
CLIENT_COMMAND(images);
CLIENT_COMMAND(push);
CLIENT_COMMAND(rmi);
CLIENT_COMMAND(set);
CLIENT_COMMAND(inspect);
CLIENT_COMMAND(events);
CLIENT_COMMAND(up);
CLIENT_COMMAND(completion);
CLIENT_COMMAND(version);

#endif
