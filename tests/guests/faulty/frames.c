/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames that must not arrive, and one that must. The first peer of whoever sends is a listener; a
 * word in each frame says what it is, so that whoever looks on outside can tell as well.
 */
#include <string.h>

#include "abi/virtq.h"
#include "guests/rt/console.h"
#include "guests/rt/hypercall.h"
#include "guests/rt/time.h"
#include "tests/guests/faulty/modes.h"

#define SIZE 8
#define HEADER_BYTES sizeof(struct virtio_net_hdr)
#define FRAME_BYTES 64
#define BUFFER_BYTES 128
#define TRIES 20
#define TRY_NS (20 * NS_PER_MS)
#define WORD 42 /* offset of the word, after ARP's and IPv4's headers */
#define WORD_BYTES 6
#define SOUND "SOUND!"
#define WRONG "WRONG!"

struct queue {
    struct virtq_desc desc[SIZE];
    uint8_t avail[VIRTQ_AVAIL_BYTES(SIZE)] __attribute__((aligned(8)));
    uint8_t used[VIRTQ_USED_BYTES(SIZE)] __attribute__((aligned(8)));
    uint8_t buffers[SIZE][BUFFER_BYTES] __attribute__((aligned(16)));
    struct virtq virtq;
};

static struct queue queue;

static bool queue_start(unsigned number)
{
    virtq_init(&queue.virtq, SIZE, queue.desc, queue.avail, queue.used);
    virtq_interrupts(&queue.virtq, number == TOKLAT_QUEUE_NET_RX);
    return check(queue_setup(number, SIZE, queue.desc, queue.avail, queue.used) == 0,
                 "queue_setup");
}

/* What the addresses of a frame are, before a frame is made to lie. */
struct frame {
    uint16_t type;
    uint32_t from_mac, to_mac; /* VM numbers, or NOT_A_VM */
    uint32_t from_ip, to_ip;
    uint32_t arp_mac;
    const char *word;
};

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

#define NOT_A_VM 0xFFFFFF

static void put_mac(uint8_t *p, uint32_t number)
{
    put16(p, 0x0254);
    put32(p + 2, number == NOT_A_VM ? number : 0x4B000000 | number);
}

static void write_frame(uint8_t *p, const struct frame *f)
{
    static const uint8_t arp[] = {0, 1, 8, 0, 6, 4, 0, 1};
    static const uint8_t ipv4[] = {0x45, 0, 0, 50, 0, 0, 0, 0, 64, 17, 0, 0};

    memset(p, 0, FRAME_BYTES);
    put_mac(p, f->to_mac);
    put_mac(p + 6, f->from_mac);
    put16(p + 12, f->type);
    if (f->type == 0x0806) {
        memcpy(p + 14, arp, sizeof(arp));
        put_mac(p + 22, f->arp_mac);
        put32(p + 28, f->from_ip);
        put32(p + 38, f->to_ip);
    } else {
        memcpy(p + 14, ipv4, sizeof(ipv4));
        put32(p + 26, f->from_ip);
        put32(p + 30, f->to_ip);
    }
    memcpy(p + WORD, f->word, WORD_BYTES);
}

static bool transmit(const struct frame *f)
{
    uint32_t bytes;
    uint8_t *p = queue.buffers[0];

    memset(p, 0, HEADER_BYTES);
    write_frame(p + HEADER_BYTES, f);
    virtq_add(&queue.virtq, (uintptr_t)p, HEADER_BYTES + FRAME_BYTES, false);
    bool fine = check_number(doorbell(1u << TOKLAT_QUEUE_NET_TX), 0, "doorbell");
    return check(virtq_take(&queue.virtq, &bytes) >= 0, "the buffer comes back") && fine;
}

/* The network's base is a multiple of 65536 and VM numbers are small. */
static uint32_t address(uint32_t number)
{
    const uint8_t *a = system_page()->peers[0].ipv4_first;

    return (uint32_t)a[0] << 24 | (uint32_t)a[1] << 16 | number;
}

/* From this VM to the listener, with nothing wrong. */
static struct frame sound(void)
{
    uint32_t self = system_page()->vm_number;
    const uint8_t *a = system_page()->peers[0].ipv4_first;
    uint32_t peer = (uint32_t)a[2] << 8 | a[3];

    return (struct frame){0x0800, self, peer, address(self), address(peer), self, SOUND};
}

/* Three that name another sender, two that the switch does not know, and three for outside. The
 * test counts them. */
static bool transmit_wrong_ones(void)
{
    struct frame base = sound();
    base.word = WRONG;
    struct frame f[8];
    for (unsigned i = 0; i < 8; i++) {
        f[i] = base;
    }
    f[0].from_mac = base.to_mac;
    f[1].from_ip = base.to_ip;
    f[2].type = 0x0806;
    f[2].from_ip = base.to_ip;
    f[2].to_ip = address(0xFFFF);
    f[3].type = 0x86DD;
    f[4].type = 0x8100;
    f[5].to_mac = NOT_A_VM;
    f[6].to_mac = NOT_A_VM;
    f[6].to_ip = 0x08080808;
    f[7].type = 0x0806;
    f[7].to_ip = 0x0A000002;
    bool fine = true;
    for (unsigned i = 0; i < 8; i++) {
        fine &= transmit(&f[i]);
    }
    return fine;
}

/* Several times, for a listener that is late. */
static bool transmit_sound_ones(uint32_t to_mac)
{
    struct frame f = sound();
    bool fine = true;

    f.to_mac = to_mac;
    for (unsigned i = 0; i < TRIES && fine; i++) {
        fine = transmit(&f);
        idle(TRY_NS);
    }
    return fine;
}

bool mode_spoof(void)
{
    return queue_start(TOKLAT_QUEUE_NET_TX) && transmit_wrong_ones() &&
           transmit_sound_ones(sound().to_mac);
}

/* A VM whose deployment gave it no network. */
bool mode_mute(void)
{
    struct frame f = sound();

    f.word = WRONG;
    return check_number(system_page()->mtu, 0, "mtu without a network") &&
           queue_start(TOKLAT_QUEUE_NET_TX) && transmit(&f);
}

/* Talks to outside: shows that what is to be seen there is seen. */
bool mode_loud(void)
{
    return queue_start(TOKLAT_QUEUE_NET_TX) && transmit_sound_ones(NOT_A_VM);
}

static void offer_buffer(unsigned i)
{
    virtq_add(&queue.virtq, (uintptr_t)queue.buffers[i], BUFFER_BYTES, true);
}

static bool take_frame(void)
{
    uint32_t bytes;
    int i = virtq_take(&queue.virtq, &bytes);

    if (i < 0) {
        idle(TOKLAT_IDLE_FOREVER);
        return true;
    }
    const uint8_t *word = queue.buffers[i] + HEADER_BYTES + WORD;
    bool fine = check_number(bytes, HEADER_BYTES + FRAME_BYTES, "length of a frame");
    fine &= check(memcmp(word, SOUND, WORD_BYTES) == 0, "what arrives was sound");
    offer_buffer((unsigned)i);
    return fine;
}

bool mode_listen(void)
{
    if (!queue_start(TOKLAT_QUEUE_NET_RX)) {
        return false;
    }
    for (unsigned i = 0; i < SIZE; i++) {
        offer_buffer(i);
    }
    while (queue.virtq.last_used < TRIES / 2) {
        if (!take_frame()) {
            return false;
        }
    }
    return true;
}

bool mode_flood_for_ever(void)
{
    static char text[TOKLAT_CONSOLE_MAX];

    memset(text, 'x', sizeof(text));
    for (;;) {
        console_write(text, sizeof(text));
    }
}
