/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `toklat-slip`: the other end of Toklat's serial uplink (dev/drivers/slip.h).
 */
#include "tools/slip/slip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS_DEFAULT "10.0.0.2/30"
#define ROUTE_DEFAULT "10.64.0.0/10"

static const char usage[] =
    "Usage: toklat-slip [OPTION...] LINE [-- COMMAND [ARGUMENT...]]\n"
    "\n"
    "Bridges a serial line that speaks SLIP (RFC 1055) to a network device, until it is ended by\n"
    "SIGINT or SIGTERM, or until COMMAND, started when the line is there, has ended.\n"
    "\n"
    "LINE is a serial port (/dev/ttyUSB0), unix:PATH for the socket of QEMU's -serial or "
    "-chardev,\n"
    "or pty: a pseudoterminal whose name is printed. One that goes away is waited for.\n"
    "\n"
    "  --device NAME    the network device, made if it is not there: toklat0\n"
    "  --tap            makes it an Ethernet (TAP, with ARP answered here), not IP alone (TUN)\n"
    "  --address A/P    its address and network: " ADDRESS_DEFAULT "\n"
    "  --route N/P      what is reached through it, several times: " ROUTE_DEFAULT ", all VMs\n"
    "  --baud N         of a serial port, 9600 to 921600: 115200\n"
    "  --stats          says at the end what was carried; SIGUSR1 asks for it at any time\n"
    "\n"
    "Needs CAP_NET_ADMIN: root's, or that of a network namespace of one's own\n"
    "(tools/slip-namespace). Exit status: 0, that of COMMAND, 8 when something failed, 16 usage.\n";

struct wish {
    struct device_config device;
    struct line line;
    char **command;
    bool with_statistics;
};

void say(const char *format, ...)
{
    va_list args;
    fputs("toklat-slip: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

static bool parse_number(const char *text, unsigned most, unsigned *number)
{
    char *end;
    if (*text < '0' || *text > '9') {
        return false;
    }
    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    *number = (unsigned)n;
    return errno == 0 && *end == 0 && n <= most;
}

static bool parse_network(const char *text, struct network *n)
{
    char address[INET_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : strlen(text);
    unsigned prefix = 32;
    if (length >= sizeof(address) || (slash && !parse_number(slash + 1, 32, &prefix))) {
        return false;
    }
    memcpy(address, text, length);
    address[length] = 0;
    n->text = text;
    n->mask = htonl(prefix ? UINT32_MAX << (32 - prefix) : 0);
    return inet_pton(AF_INET, address, &n->address) == 1;
}

static bool wrong(const char *option, const char *value, const char *right)
{
    say("--%s: \"%s\" is not %s", option, value, right);
    return false;
}

static bool take_option(struct wish *w, int c, const char *value)
{
    struct device_config *d = &w->device;
    switch (c) {
    case 'd':
        d->name = value;
        return (*value && strlen(value) < IFNAMSIZ) || wrong("device", value, "a name of 1 to 15");
    case 't':
        d->tap = true;
        return true;
    case 'a':
        return parse_network(value, &d->address) || wrong("address", value, "ADDRESS/PREFIX");
    case 'r':
        if (d->route_count == ROUTES_MAX) {
            say("--route: more than %d", ROUTES_MAX);
            return false;
        }
        return parse_network(value, &d->routes[d->route_count++]) ||
               wrong("route", value, "ADDRESS/PREFIX");
    case 'b':
        return (parse_number(value, 1000000, &w->line.baud) && line_knows_baud(w->line.baud)) ||
               wrong("baud", value, "one of 9600, 19200, ... 115200, 230400, 460800, 921600");
    case 's':
        w->with_statistics = true;
        return true;
    default:
        return false;
    }
}

/* Returns an exit status, or -1 to go on. */
static int parse(struct wish *w, int argc, char **argv)
{
    static const struct option options[] = {
        {"device", required_argument, NULL, 'd'}, {"address", required_argument, NULL, 'a'},
        {"route", required_argument, NULL, 'r'},  {"baud", required_argument, NULL, 'b'},
        {"stats", no_argument, NULL, 's'},        {"tap", no_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},         {0},
    };
    int c;
    while ((c = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
        if (c == 'h') {
            fputs(usage, stdout);
            return EXIT_CLEAN;
        }
        if (!take_option(w, c, optarg)) {
            fprintf(stderr, "%.*s\n", (int)strcspn(usage, "\n"), usage);
            return EXIT_USAGE;
        }
    }
    int left = argc - optind;
    char **rest = argv + optind;
    if (left < 1 || (left > 1 && (strcmp(rest[1], "--") != 0 || left == 2))) {
        fprintf(stderr, "%.*s\n", (int)strcspn(usage, "\n"), usage);
        return EXIT_USAGE;
    }
    w->line.name = rest[0];
    w->command = left > 2 ? rest + 2 : NULL;
    return -1;
}

int main(int argc, char **argv)
{
    struct wish w = {
        .device = {.name = "toklat0"},
        .line = {.baud = 115200, .fd = -1, .peer = -1},
    };
    (void)parse_network(ADDRESS_DEFAULT, &w.device.address);
    int status = parse(&w, argc, argv);
    if (status >= 0) {
        return status;
    }
    if (w.device.route_count == 0) {
        (void)parse_network(ROUTE_DEFAULT, &w.device.routes[w.device.route_count++]);
    }
    struct device device = {0};
    if (!device_open(&device, &w.device)) {
        return EXIT_OPERATIONAL;
    }
    return bridge_run(&device, &w.line, w.command, w.with_statistics);
}
