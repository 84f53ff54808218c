/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network device, and what is set of it. TUN carries IP packets as SLIP does; TAP is Ethernet,
 * and device_frame.c takes its headers off and puts them on.
 */
#include "tools/slip/slip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/slip.h"

#define TUN_PATH "/dev/net/tun"
/* Packets that wait in the kernel: at 115,200 baud the last leaves two seconds later. */
#define QUEUE_PACKETS 16

static void set_address(struct sockaddr *where, uint32_t address)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = address};
    memcpy(where, &in, sizeof(in));
}

static int add_route(int fd, struct ifreq *r, const struct network *n)
{
    struct rtentry route = {.rt_flags = RTF_UP, .rt_dev = r->ifr_name};
    set_address(&route.rt_dst, n->address & n->mask);
    set_address(&route.rt_genmask, n->mask);
    return ioctl(fd, SIOCADDRT, &route) == 0 || errno == EEXIST ? 0 : -1;
}

static int bring_up(int fd, struct ifreq *r)
{
    if (ioctl(fd, SIOCGIFFLAGS, r) != 0) {
        return -1;
    }
    r->ifr_flags |= IFF_UP | IFF_RUNNING;
    return ioctl(fd, SIOCSIFFLAGS, r);
}

/* By netlink: the ioctl of the same purpose is not for namespaces. A queue that stays long costs
 * time, not packets. */
static void shorten_queue(const char *name)
{
    struct {
        struct nlmsghdr header;
        struct ifinfomsg info;
        struct rtattr attribute;
        uint32_t packets;
    } m = {
        .header = {.nlmsg_len = sizeof(m), .nlmsg_type = RTM_NEWLINK, .nlmsg_flags = NLM_F_REQUEST},
        .info = {.ifi_family = AF_UNSPEC, .ifi_index = (int)if_nametoindex(name)},
        .attribute = {.rta_len = RTA_LENGTH(sizeof(m.packets)), .rta_type = IFLA_TXQLEN},
        .packets = QUEUE_PACKETS,
    };
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd >= 0) {
        (void)!send(fd, &m, sizeof(m), 0);
        close(fd);
    }
}

/* Returns what could not be done, or NULL. */
static const char *configure(int fd, struct ifreq *r, const struct device_config *c)
{
    r->ifr_mtu = (int)SLIP_MTU;
    if (ioctl(fd, SIOCSIFMTU, r) != 0) {
        return "MTU";
    }
    shorten_queue(r->ifr_name);
    set_address(&r->ifr_addr, c->address.address);
    if (ioctl(fd, SIOCSIFADDR, r) != 0) {
        return "address";
    }
    set_address(&r->ifr_netmask, c->address.mask);
    if (ioctl(fd, SIOCSIFNETMASK, r) != 0) {
        return "netmask";
    }
    if (bring_up(fd, r) != 0) {
        return "state";
    }
    for (unsigned i = 0; i < c->route_count; i++) {
        if (add_route(fd, r, &c->routes[i]) != 0) {
            return c->routes[i].text;
        }
    }
    return NULL;
}

static void tell_commands(const struct device_config *c)
{
    say("it carries packets once root has done this:");
    fprintf(stderr, "  ip link set %s mtu %u txqueuelen %d up\n", c->name, SLIP_MTU, QUEUE_PACKETS);
    fprintf(stderr, "  ip address add %s dev %s\n", c->address.text, c->name);
    for (unsigned i = 0; i < c->route_count; i++) {
        fprintf(stderr, "  ip route add %s dev %s\n", c->routes[i].text, c->name);
    }
}

static int attach(const struct device_config *c, struct ifreq *r)
{
    int tun = open(TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tun < 0) {
        say("%s: %s", TUN_PATH, strerror(errno));
        return -1;
    }
    r->ifr_flags = (short)((c->tap ? IFF_TAP : IFF_TUN) | IFF_NO_PI);
    if (ioctl(tun, TUNSETIFF, r) != 0) {
        say("device %s: %s%s", c->name, strerror(errno),
            errno == EPERM ? "; root may make it, or anybody in a namespace (tools/slip-namespace)"
                           : "");
        close(tun);
        return -1;
    }
    return tun;
}

bool device_open(struct device *d, const struct device_config *c)
{
    struct ifreq r = {0};
    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", c->name);
    d->tap = c->tap;
    d->fd = attach(c, &r);
    int fd = d->fd < 0 ? -1 : socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    if (c->tap && ioctl(fd, SIOCGIFHWADDR, &r) == 0) {
        memcpy(d->mac, r.ifr_hwaddr.sa_data, sizeof(d->mac));
    }
    const char *failed = configure(fd, &r, c);
    int why = errno;
    close(fd);
    if (failed) {
        say("device %s: %s: %s", c->name, failed, strerror(why));
    }
    if (failed && why == EPERM) {
        tell_commands(c);
    } else if (failed) {
        close(d->fd);
        return false;
    }
    return true;
}
