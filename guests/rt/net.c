/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network guest's life: an identity from the system page, then events. Nothing runs between
 * events except lwIP's timers, and those only while they are needed (guests/rt/timers.h).
 */
#include "guests/rt/net.h"

#include <string.h>

#include "guests/rt/console.h"
#include "guests/rt/events.h"
#include "guests/rt/hypercall.h"
#include "guests/rt/memory.h"
#include "guests/rt/nic.h"
#include "guests/rt/random.h"
#include "guests/rt/timers.h"
#include "lwip/init.h"
#include "lwip/netif.h"
#include "netif/ethernet.h"

static net_work_fn guest_work;
static struct netif netif __attribute__((section(".bss.hot.netif")));

bool net_init(void)
{
    lwip_init();
    if (!nic_init()) {
        console_printf("EL2 refuses the network queues\n");
        return false;
    }
    netif_add_noaddr(&netif, NULL, nic_netif_init, ethernet_input);
    netif_set_default(&netif);
    netif_set_up(&netif);
    return true;
}

static ip4_addr_t address_of(const uint8_t bytes[4])
{
    ip4_addr_t address;
    memcpy(&address, bytes, sizeof(address));
    return address;
}

/* The flags come last: lwIP would announce the address if the link were up before it is set, and
 * the switch knows it already. */
static void take_identity(void)
{
    const struct toklat_system_page *page = system_page();
    random_reseed();
    ip4_addr_t address = address_of(page->ipv4);
    ip4_addr_t netmask = address_of(page->netmask);
    ip4_addr_t gateway = address_of(page->gateway);
    netif.flags &= (u8_t) ~(NETIF_FLAG_ETHARP | NETIF_FLAG_LINK_UP);
    memcpy(netif.hwaddr, page->mac, sizeof(page->mac));
    netif_set_addr(&netif, &address, &netmask, &gateway);
    if (page->mtu != 0) {
        netif.mtu = page->mtu < netif.mtu ? page->mtu : netif.mtu;
        netif.flags |= NETIF_FLAG_ETHARP | NETIF_FLAG_LINK_UP;
    }
    timers_restart();
}

void net_work(net_work_fn work)
{
    guest_work = work;
}

void net_run(void)
{
    uint64_t events = 0;
    events_take(TOKLAT_EVENT_RESUMED);
    take_identity();
    while ((events & TOKLAT_EVENT_SHUTDOWN) == 0) {
        bool more = nic_poll(&netif);
        timers_run();
        uint64_t work_ns = guest_work != NULL ? guest_work(events) : TOKLAT_IDLE_FOREVER;
        nic_flush();
        uint64_t sleep_ns = more ? 0 : timers_sleep_ns();
        sleep_ns = work_ns < sleep_ns ? work_ns : sleep_ns;
        if (sleep_ns == TOKLAT_IDLE_FOREVER) {
            nic_calm();
        }
        events = idle(sleep_ns);
        if ((events & TOKLAT_EVENT_RESUMED) != 0) {
            take_identity();
        }
        if ((events & TOKLAT_EVENT_PRESSURE) != 0) {
            heap_release();
        }
    }
}
