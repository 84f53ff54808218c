/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The switch. A frame is parsed once (struct frame) and then goes one of few ways:
 *
 *      from a VM      ARP request for a VM or the switch ........ answered
 *                     ARP request for outside ................... uplink; answered for a peer
 *                     IPv4 to a VM's MAC, or to ours by address . that VM
 *                     IPv4 to another MAC ....................... uplink
 *      from outside   ARP request for a VM or the switch ........ answered
 *                     ARP reply to a VM's MAC ................... that VM
 *                     IPv4 to a VM's MAC, or to ours by address . that VM
 *      either         IPv4 to the switch itself ................. answered if it is a ping
 *      all else       dropped and counted
 *
 * Invariants: what a VM sends carries its own MAC and IPv4 address, or goes nowhere; nothing passes
 * between a VM of NIC_CONTROL and another; what comes from outside never carries a VM's IPv4
 * address; every frame is counted exactly once.
 */
#include "dev/virtual/switch.h"

#include "arch/cpu.h"
#include "core/base/string.h"

#define MAC_PREFIX 0x02544Bull          /* locally administered */
#define MAC_MULTICAST 0x010000000000ull /* the group bit */

/* Ethernet II: offsets and types. */
#define ETH_DST 0
#define ETH_SRC 6
#define ETH_TYPE 12
#define ETH_BYTES 14
#define ETH_TYPE_IPV4 0x0800
#define ETH_TYPE_ARP 0x0806

/* ARP over Ethernet and IPv4 (RFC 826), offsets from the frame's start. */
#define ARP_FIXED 14
#define ARP_OPER 20
#define ARP_SHA 22
#define ARP_SPA 28
#define ARP_THA 32
#define ARP_TPA 38
#define ARP_END 42
#define ARP_REQUEST 1
#define ARP_REPLY 2

/* IPv4 (RFC 791), offsets from the frame's start. */
#define IP_VERSION_IHL 14
#define IP_TOTAL 16
#define IP_FRAGMENT 20
#define IP_FRAGMENT_MASK 0x3FFF /* offset and "more fragments" */
#define IP_TTL 22
#define IP_PROTOCOL 23
#define IP_CHECKSUM 24
#define IP_SRC 26
#define IP_DST 30
#define IP_HEADER_MIN 20
#define IP_PROTOCOL_ICMP 1
#define IP_TTL_DEFAULT 64

/* ICMP (RFC 792), offsets from its header. */
#define ICMP_TYPE 0
#define ICMP_CODE 1
#define ICMP_CHECKSUM 2
#define ICMP_BYTES 8
#define ICMP_ECHO 8
#define ICMP_ECHO_REPLY 0

/* Where a frame came from: a VM's number, or outside. */
#define OUTSIDE 0

/* A frame and what was read from it; the addresses are ARP's or IPv4's. */
struct frame {
    uint8_t *p;
    size_t bytes;
    uint32_t from;
    enum nic_reach reach; /* of the VM that it is from */
    uint64_t dst_mac;
    uint64_t src_mac;
    uint32_t src_ip;
    uint32_t dst_ip;
};

static struct switch_config config;
static uint64_t peer; /* the MAC of all that is outside; 0: the outside has ARP */
static const struct switch_ops *ops;
static struct switch_counters counters[CPUS_MAX];

static struct switch_counters *count(void)
{
    return &counters[cpu_index()];
}

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static uint64_t get_mac(const uint8_t *p)
{
    return (uint64_t)get16(p) << 32 | get32(p + 2);
}

static void put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, (uint16_t)(v >> 16));
    put16(p + 2, (uint16_t)v);
}

static void put_mac(uint8_t *p, uint64_t mac)
{
    put16(p, (uint16_t)(mac >> 32));
    put32(p + 2, (uint32_t)mac);
}

static uint64_t mac_of(uint32_t n)
{
    return MAC_PREFIX << 24 | n;
}

static bool is_vm_number(uint32_t n)
{
    return n >= 1 && n <= SWITCH_VMS_MAX;
}

/* Whether VM `n` exists and has a network at all. */
static bool reachable(uint32_t n, enum nic_reach *reach)
{
    return is_vm_number(n) && ops->exists(n, reach) && *reach != NIC_NONE;
}

/* The existing VM with an IPv4 address, or 0. */
static uint32_t vm_at(uint32_t ip, enum nic_reach *reach)
{
    uint32_t n = ip - config.base;
    bool same_net = ((ip ^ config.base) & config.netmask) == 0;
    return same_net && reachable(n, reach) ? n : 0;
}

void switch_init(const struct switch_config *c, const struct switch_ops *o)
{
    config = *c;
    ops = o;
    peer = 0;
    memset(counters, 0, sizeof(counters));
}

void switch_set_peer(const uint8_t mac[6])
{
    peer = get_mac(mac);
}

void switch_mac(uint32_t n, uint8_t mac[6])
{
    put_mac(mac, mac_of(n));
}

uint32_t switch_ipv4(uint32_t n)
{
    return config.base + n;
}

const struct switch_config *switch_get_config(void)
{
    return &config;
}

struct switch_counters switch_get_counters(void)
{
    struct switch_counters sum = {0};
    for (unsigned i = 0; i < CPUS_MAX; i++) {
        const struct switch_counters *c = &counters[i];
        sum.vm_to_vm += c->vm_to_vm;
        sum.vm_to_uplink += c->vm_to_uplink;
        sum.uplink_to_vm += c->uplink_to_vm;
        sum.arp_answered += c->arp_answered;
        sum.echo_answered += c->echo_answered;
        sum.announced += c->announced;
        sum.dropped_spoofed += c->dropped_spoofed;
        sum.dropped_reach += c->dropped_reach;
        sum.dropped_unknown += c->dropped_unknown;
        sum.dropped_malformed += c->dropped_malformed;
    }
    return sum;
}

/* Hands an answer back to where `f` came from. */
static void answer(const struct frame *f)
{
    if (f->from == OUTSIDE) {
        ops->uplink(f->p, f->bytes);
    } else {
        ops->deliver(f->from, f->p, f->bytes);
    }
}

/* Hands `f` to VM `to`, which exists and may talk as far as `reach`. */
static void deliver(const struct frame *f, uint32_t to, enum nic_reach reach)
{
    bool outside = f->from == OUTSIDE;
    if (outside ? reach < NIC_UPLINK : reach == NIC_CONTROL || f->reach == NIC_CONTROL) {
        count()->dropped_reach++;
        return;
    }
    if (outside) {
        count()->uplink_to_vm++;
    } else {
        count()->vm_to_vm++;
    }
    ops->deliver(to, f->p, f->bytes);
}

/* Sends `f`, which is from a VM, outside. */
static void send_out(const struct frame *f)
{
    if (f->reach < NIC_UPLINK) {
        count()->dropped_reach++;
        return;
    }
    count()->vm_to_uplink++;
    ops->uplink(f->p, f->bytes);
}

/* Turns an ARP request into the reply that its target has `mac`. */
static void arp_answer(struct frame *f, uint64_t mac)
{
    uint8_t *p = f->p;
    f->bytes = ARP_END;
    put_mac(p + ETH_DST, f->src_mac);
    put_mac(p + ETH_SRC, mac);
    put16(p + ARP_OPER, ARP_REPLY);
    memmove(p + ARP_THA, p + ARP_SHA, 10); /* MAC and address of who asked */
    put_mac(p + ARP_SHA, mac);
    put32(p + ARP_SPA, f->dst_ip);
    count()->arp_answered++;
    answer(f);
}

/* Reads the ARP part. False: it is none over Ethernet and IPv4. */
static bool arp_parse(struct frame *f)
{
    static const uint8_t fixed[] = {0, 1, 8, 0, 6, 4};
    if (f->bytes < ARP_END || memcmp(f->p + ARP_FIXED, fixed, sizeof(fixed)) != 0 ||
        get_mac(f->p + ARP_SHA) != f->src_mac) {
        return false;
    }
    f->src_ip = get32(f->p + ARP_SPA);
    f->dst_ip = get32(f->p + ARP_TPA);
    return true;
}

/* Answers a request for the switch or for VM `to` (0: none). False: it is for neither. */
static bool arp_answer_known(struct frame *f, uint32_t to)
{
    if (f->dst_ip == config.address) {
        arp_answer(f, mac_of(SWITCH_NUMBER));
    } else if (to) {
        arp_answer(f, mac_of(to));
    } else {
        return false;
    }
    return true;
}

static void arp_from_vm(struct frame *f)
{
    enum nic_reach reach;
    uint16_t oper = get16(f->p + ARP_OPER);
    if (f->dst_ip == f->src_ip) {
        count()->announced++; /* nobody has to be told: the switch knows */
    } else if (oper != ARP_REQUEST) {
        count()->dropped_unknown++; /* nobody asked: the switch answers for VMs */
    } else if (arp_answer_known(f, vm_at(f->dst_ip, &reach))) {
        return;
    } else if (peer && f->reach >= NIC_UPLINK) {
        arp_answer(f, peer);
    } else {
        send_out(f);
    }
}

static void arp_from_uplink(struct frame *f)
{
    enum nic_reach reach;
    if (get16(f->p + ARP_OPER) == ARP_REQUEST) {
        uint32_t to = vm_at(f->dst_ip, &reach);
        if (!arp_answer_known(f, to && reach >= NIC_UPLINK ? to : 0)) {
            count()->dropped_unknown++;
        }
        return;
    }
    uint32_t to = (uint32_t)(f->dst_mac & 0xFFFFFF);
    if (f->dst_mac == mac_of(to) && reachable(to, &reach)) {
        deliver(f, to, reach);
    } else {
        count()->dropped_unknown++;
    }
}

/* Reads the IPv4 header. False: it is malformed. */
static bool ipv4_parse(struct frame *f)
{
    if (f->bytes < ETH_BYTES + IP_HEADER_MIN) {
        return false;
    }
    size_t header = (f->p[IP_VERSION_IHL] & 0xFu) * 4u;
    size_t total = get16(f->p + IP_TOTAL);
    if (f->p[IP_VERSION_IHL] >> 4 != 4 || header < IP_HEADER_MIN || total < header ||
        total > f->bytes - ETH_BYTES) {
        return false;
    }
    f->src_ip = get32(f->p + IP_SRC);
    f->dst_ip = get32(f->p + IP_DST);
    return true;
}

/* The ones' complement sum of RFC 1071, folded, of an even number of bytes. */
static uint16_t sum16(const uint8_t *p, size_t bytes)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < bytes; i += 2) {
        sum += get16(p + i);
    }
    sum = (sum & 0xFFFF) + (sum >> 16);
    return (uint16_t)(sum + (sum >> 16));
}

/* Answers a ping for the switch's own address; drops all else that is for it. */
static void answer_echo(struct frame *f)
{
    uint8_t *p = f->p;
    size_t header = (p[IP_VERSION_IHL] & 0xFu) * 4u;
    size_t total = get16(p + IP_TOTAL);
    uint8_t *icmp = p + ETH_BYTES + header;
    if (p[IP_PROTOCOL] != IP_PROTOCOL_ICMP || total < header + ICMP_BYTES ||
        get16(p + IP_FRAGMENT) & IP_FRAGMENT_MASK || icmp[ICMP_TYPE] != ICMP_ECHO ||
        icmp[ICMP_CODE] != 0) {
        count()->dropped_unknown++;
        return;
    }
    f->bytes = ETH_BYTES + total;
    put_mac(p + ETH_DST, f->src_mac);
    put_mac(p + ETH_SRC, mac_of(SWITCH_NUMBER));
    put32(p + IP_SRC, f->dst_ip);
    put32(p + IP_DST, f->src_ip);
    p[IP_TTL] = IP_TTL_DEFAULT;
    put16(p + IP_CHECKSUM, 0);
    put16(p + IP_CHECKSUM, (uint16_t)~sum16(p + ETH_BYTES, header));

    /* Type 8 became 0, so the checksum grows by 0x0800 (RFC 1624). */
    icmp[ICMP_TYPE] = ICMP_ECHO_REPLY;
    uint32_t sum = get16(icmp + ICMP_CHECKSUM) + (uint32_t)ICMP_ECHO * 256;
    put16(icmp + ICMP_CHECKSUM, (uint16_t)(sum + (sum >> 16)));
    count()->echo_answered++;
    answer(f);
}

/* A frame for the switch's own MAC: routed by its IPv4 destination. */
static void ipv4_route(struct frame *f)
{
    enum nic_reach reach;
    if (f->dst_ip == config.address) {
        answer_echo(f);
        return;
    }
    uint32_t to = vm_at(f->dst_ip, &reach);
    if (!to) {
        count()->dropped_unknown++;
        return;
    }
    put_mac(f->p + ETH_DST, mac_of(to));
    put_mac(f->p + ETH_SRC, mac_of(SWITCH_NUMBER));
    deliver(f, to, reach);
}

static void ipv4(struct frame *f)
{
    enum nic_reach reach;
    uint32_t to = (uint32_t)(f->dst_mac & 0xFFFFFF);
    if (f->dst_mac == mac_of(SWITCH_NUMBER)) {
        ipv4_route(f);
    } else if (f->dst_mac == mac_of(to)) {
        if (reachable(to, &reach)) {
            deliver(f, to, reach);
        } else {
            count()->dropped_unknown++;
        }
    } else if (f->from != OUTSIDE && !(f->dst_mac & MAC_MULTICAST)) {
        send_out(f);
    } else {
        count()->dropped_unknown++;
    }
}

/* Whether `f` names a sender that it is not from. */
static bool spoofed(const struct frame *f)
{
    enum nic_reach reach;
    if (f->from != OUTSIDE) {
        return f->src_mac != mac_of(f->from) || f->src_ip != switch_ipv4(f->from);
    }
    return f->src_ip == config.address || vm_at(f->src_ip, &reach) != 0;
}

static void forward(struct frame *f)
{
    if (f->bytes < ETH_BYTES || f->bytes > NIC_FRAME_MAX) {
        count()->dropped_malformed++;
        return;
    }
    f->dst_mac = get_mac(f->p + ETH_DST);
    f->src_mac = get_mac(f->p + ETH_SRC);
    uint16_t type = get16(f->p + ETH_TYPE);
    if (type != ETH_TYPE_IPV4 && type != ETH_TYPE_ARP) {
        count()->dropped_unknown++;
    } else if (!(type == ETH_TYPE_ARP ? arp_parse(f) : ipv4_parse(f))) {
        count()->dropped_malformed++;
    } else if (spoofed(f)) {
        count()->dropped_spoofed++;
    } else if (type == ETH_TYPE_IPV4) {
        ipv4(f);
    } else if (f->from == OUTSIDE) {
        arp_from_uplink(f);
    } else {
        arp_from_vm(f);
    }
}

void switch_from_vm(uint32_t n, uint8_t *p, size_t bytes)
{
    struct frame f = {.p = p, .bytes = bytes, .from = n};
    if (reachable(n, &f.reach)) {
        forward(&f);
    } else {
        count()->dropped_reach++;
    }
}

void switch_from_uplink(uint8_t *p, size_t bytes)
{
    struct frame f = {.p = p, .bytes = bytes, .from = OUTSIDE};
    forward(&f);
}
