/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of `toklat-slip` share.
 */
#ifndef TOOLS_SLIP_H
#define TOOLS_SLIP_H

#include <net/if.h>
#include <sys/types.h>

#include "core/base/types.h"

/* As `toklat` has them. */
enum {
    EXIT_CLEAN = 0,
    EXIT_OPERATIONAL = 8,
    EXIT_USAGE = 16,
};

/* "toklat-slip: ..." on stderr. */
void say(const char *format, ...) PRINTF(1, 2);

/* An IPv4 network, in network byte order. */
struct network {
    uint32_t address, mask;
    const char *text;
};

#define ROUTES_MAX 8

struct device_config {
    const char *name;
    bool tap; /* Ethernet, not IP alone */
    struct network address;
    struct network routes[ROUTES_MAX];
    unsigned route_count;
};

struct device {
    int fd; /* does not block */
    bool tap;
    uint8_t mac[6]; /* of a TAP device */
};

/* Makes the device (or takes a persistent one) and sets its address, MTU and routes. False: it has
 * said why not. Who may use a device but not configure it is told the commands, and goes on. */
bool device_open(struct device *d, const struct device_config *c);

/* One IPv4 packet that the host sends: its length, which is at most SLIP_MTU, or 0 when there is
 * none. What else the host sends is counted in `*others`; ARP requests on a TAP device are
 * answered, whatever they ask for. */
size_t device_read(const struct device *d, uint8_t *packet, uint64_t *others);

/* Hands a packet to the host. False: it does not take it. */
bool device_write(const struct device *d, const uint8_t *packet, size_t bytes);

/* The line: a terminal, `unix:PATH` or `pty`. */
struct line {
    const char *name;
    unsigned baud;
    int fd;   /* -1: it is away */
    int peer; /* of a pty: kept open, so that its users may come and go */
    bool waiting_said;
};

/* Whether that speed is one that terminals have. */
bool line_knows_baud(unsigned baud);

/* Tries to open the line. False, with line->fd -1: it is not there, try again later; what is in the
 * way is said once. `*fatal` when it will never be a line. */
bool line_open(struct line *l, bool *fatal);
void line_close(struct line *l);

/* Carries packets between the device and the line until a signal ends it or, if `command` is not
 * NULL, until that command, started when the line is there, has ended. Returns the exit status. */
int bridge_run(const struct device *device, struct line *line, char **command,
               bool with_statistics);

#endif
