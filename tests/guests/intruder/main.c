/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that tries to connect where its "args" say: words "ADDRESS:PORT" or "ADDRESS:PORT/WAY".
 * Ways are "direct", to the MAC address that follows from the VM's number; "arp", to whatever MAC
 * address answers for it; and "gateway", to the gateway's, which is to pass it on.
 *
 * Says "ADDRESS:PORT/WAY: " and "CONNECTED", "refused" or "no answer" of each, then "done".
 */
#include <string.h>

#include "guests/rt/console.h"
#include "guests/rt/events.h"
#include "guests/rt/hypercall.h"
#include "guests/rt/image.h"
#include "guests/rt/nic.h"
#include "guests/rt/random.h"
#include "guests/rt/timers.h"
#include "lwip/etharp.h"
#include "lwip/init.h"
#include "lwip/netif.h"
#include "lwip/prot/ip4.h"
#include "lwip/tcp.h"
#include "netif/ethernet.h"

#define ATTEMPTS_MAX 16
#define FIRST_PORT 50000 /* of this side; the attempt's index is added */
#define PATIENCE 4       /* half seconds */
#define EXIT_REFUSED 1
#define EXIT_ARGS 2

TOKLAT_IMAGE(256 * 1024, 8192, TOKLAT_IMAGE_CHECKPOINT);

enum way { DIRECT, ARP, GATEWAY, WAYS };
static const char *const ways[WAYS] = {"direct", "arp", "gateway"};

struct attempt {
    ip4_addr_t address;
    uint16_t port;
    enum way way;
    bool decided;
};

static struct {
    struct netif netif;
    netif_output_fn direct;
    struct attempt attempts[ATTEMPTS_MAX];
    unsigned count, decided;
} intruder;

/* --- what is tried ----------------------------------------------------------------------------
 */

static bool take_number(const char **at, unsigned most, unsigned *value)
{
    const char *begin = *at;
    *value = 0;
    while (**at >= '0' && **at <= '9' && *value <= most) {
        *value = *value * 10 + (unsigned)(*(*at)++ - '0');
    }
    return *at != begin && *value <= most;
}

static bool take_char(const char **at, char wanted)
{
    bool is = **at == wanted;
    *at += is;
    return is;
}

static bool take_way(const char **at, enum way *way)
{
    for (unsigned i = 0; i < WAYS; i++) {
        size_t length = strlen(ways[i]);
        if (strncmp(*at, ways[i], length) == 0) {
            *at += length;
            *way = (enum way)i;
            return true;
        }
    }
    return false;
}

static bool take_attempt(const char **at, struct attempt *attempt)
{
    unsigned part[4];
    unsigned port;
    for (unsigned i = 0; i < 4; i++) {
        if (!take_number(at, 255, &part[i]) || !take_char(at, i < 3 ? '.' : ':')) {
            return false;
        }
    }
    if (!take_number(at, 65535, &port)) {
        return false;
    }
    *attempt = (struct attempt){.port = (uint16_t)port, .way = DIRECT};
    IP4_ADDR(&attempt->address, part[0], part[1], part[2], part[3]);
    return !take_char(at, '/') || take_way(at, &attempt->way);
}

static bool take_args(const char *args)
{
    while (intruder.count < ATTEMPTS_MAX && *args != '\0') {
        if (!take_attempt(&args, &intruder.attempts[intruder.count++])) {
            return false;
        }
        while (take_char(&args, ' ')) {
        }
    }
    return *args == '\0';
}

/* --- how it goes out --------------------------------------------------------------------------
 */

/* The way of the attempt whose segment this is. */
static enum way way_of(const struct pbuf *packet)
{
    const uint8_t *ip = packet->payload;
    size_t header = (ip[0] & 15u) * 4u;
    unsigned port = packet->len >= header + 2 ? (unsigned)(ip[header] << 8 | ip[header + 1]) : 0;
    unsigned index = port - FIRST_PORT;
    return index < intruder.count ? intruder.attempts[index].way : DIRECT;
}

static err_t output(struct netif *netif, struct pbuf *packet, const ip4_addr_t *to)
{
    enum way way = way_of(packet);
    if (way == DIRECT) {
        return intruder.direct(netif, packet, to);
    }
    return etharp_output(netif, packet, way == ARP ? to : netif_ip4_gw(netif));
}

/* --- attempts ---------------------------------------------------------------------------------
 */

static void decide(struct attempt *attempt, const char *what)
{
    const uint8_t *a = (const uint8_t *)&attempt->address;
    if (!attempt->decided) {
        console_printf("%u.%u.%u.%u:%u/%s: %s\n", a[0], a[1], a[2], a[3], attempt->port,
                       ways[attempt->way], what);
        attempt->decided = true;
        intruder.decided++;
    }
}

static err_t on_connected(void *context, struct tcp_pcb *pcb, err_t error)
{
    LWIP_UNUSED_ARG(error);
    decide(context, "CONNECTED");
    tcp_abort(pcb);
    return ERR_ABRT;
}

static void on_error(void *context, err_t error)
{
    decide(context, error == ERR_RST ? "refused" : "no answer");
}

/* lwIP says the rest by on_error(). */
static err_t on_poll(void *context, struct tcp_pcb *pcb)
{
    LWIP_UNUSED_ARG(context);
    tcp_abort(pcb);
    return ERR_ABRT;
}

static void begin(unsigned index)
{
    struct attempt *attempt = &intruder.attempts[index];
    struct tcp_pcb *pcb = tcp_new();
    if (pcb == NULL) {
        decide(attempt, "no memory");
        return;
    }
    tcp_arg(pcb, attempt);
    tcp_err(pcb, on_error);
    tcp_poll(pcb, on_poll, PATIENCE);
    if (tcp_bind(pcb, IP4_ADDR_ANY, (u16_t)(FIRST_PORT + index)) != ERR_OK ||
        tcp_connect(pcb, &attempt->address, attempt->port, on_connected) != ERR_OK) {
        tcp_abort(pcb);
    }
}

/* --- the guest --------------------------------------------------------------------------------
 */

static ip4_addr_t address_of(const uint8_t bytes[4])
{
    ip4_addr_t address;
    memcpy(&address, bytes, sizeof(address));
    return address;
}

static void take_identity(void)
{
    const struct toklat_system_page *page = system_page();
    ip4_addr_t address = address_of(page->ipv4);
    ip4_addr_t netmask = address_of(page->netmask);
    ip4_addr_t gateway = address_of(page->gateway);
    events_take(TOKLAT_EVENT_RESUMED);
    random_reseed();
    memcpy(intruder.netif.hwaddr, page->mac, sizeof(page->mac));
    netif_set_addr(&intruder.netif, &address, &netmask, &gateway);
    intruder.netif.flags |= NETIF_FLAG_ETHARP | NETIF_FLAG_LINK_UP;
    intruder.direct = intruder.netif.output;
    intruder.netif.output = output;
    timers_restart();
}

static void run(void)
{
    while (intruder.decided < intruder.count) {
        bool more = nic_poll(&intruder.netif);
        timers_run();
        nic_flush();
        if (intruder.decided < intruder.count) {
            idle(more ? 0 : timers_sleep_ns());
        }
    }
}

int guest_main(void)
{
    lwip_init();
    if (!nic_init()) {
        return EXIT_REFUSED;
    }
    netif_add_noaddr(&intruder.netif, NULL, nic_netif_init, ethernet_input);
    netif_set_default(&intruder.netif);
    netif_set_up(&intruder.netif);
    checkpoint();
    take_identity();
    if (!take_args(system_page()->args)) {
        console_printf("args: %s: ADDRESS:PORT/WAY and at most %u of them\n", system_page()->args,
                       ATTEMPTS_MAX);
        return EXIT_ARGS;
    }
    for (unsigned i = 0; i < intruder.count; i++) {
        begin(i);
    }
    run();
    console_printf("done\n");
    return RT_EXIT_OK;
}
