/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The HTTP client of the bench: asked by a datagram, it sends one request after another on one
 * connection to the first web server of its first peer group, and prints what one request took the
 * whole machine: both guests, the switch and everything between. Then it answers the datagram.
 *
 * Nothing waits for a timer in between, so all of the time is instructions.
 */
#include <string.h>

#include "guests/rt/console.h"
#include "guests/rt/http.h"
#include "guests/rt/hypercall.h"
#include "guests/rt/image.h"
#include "guests/rt/net.h"
#include "guests/rt/time.h"
#include "lwip/pbuf.h"
#include "lwip/tcp.h"
#include "lwip/udp.h"

#define PORT_BEGIN 9
#define PORT_HTTP 80
#define WARM_UP 16
#define REQUESTS 256
#define HEAD_BYTES_MAX 1024
#define EXIT_REFUSED 1

TOKLAT_IMAGE(256 * 1024, 8192, TOKLAT_IMAGE_CHECKPOINT);

static const char request[] = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n";

static struct {
    struct udp_pcb *udp;
    ip_addr_t asker;
    u16_t asker_port;
    unsigned answered;
    uint64_t begun; /* ns */
    char head[HEAD_BYTES_MAX];
    size_t head_bytes;
    uint64_t body_left;
    bool in_body;
} client;

static void answer(void)
{
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, 64, PBUF_RAM);
    if (p != NULL) {
        memset(p->payload, 0, p->len);
        udp_sendto(client.udp, p, &client.asker, client.asker_port);
        pbuf_free(p);
    }
}

static void give_up(const char *why)
{
    console_printf("bench: http_request: %s\n", why);
    answer();
}

static void report(void)
{
    uint64_t tenths = (time_machine_ns() - client.begun) * 10 / REQUESTS;
    console_printf("bench: http_request %lu.%lu instructions\n", tenths / 10, tenths % 10);
    console_printf("bench: http_request.whole %lu.%lu instructions\n", tenths / 10, tenths % 10);
}

static void ask(struct tcp_pcb *pcb)
{
    client.head_bytes = 0;
    client.in_body = false;
    if (tcp_write(pcb, request, sizeof(request) - 1, 0) != ERR_OK || tcp_output(pcb) != ERR_OK) {
        give_up("the request cannot be sent");
    }
}

/* A response is complete. */
static void next(struct tcp_pcb *pcb)
{
    client.answered++;
    if (client.answered == WARM_UP) {
        client.begun = time_machine_ns();
    }
    if (client.answered == WARM_UP + REQUESTS) {
        report();
        tcp_close(pcb);
        answer();
    } else {
        ask(pcb);
    }
}

/* Takes bytes of the head; returns how many, or 0 if there is no making sense of them. */
static size_t take_head(const char *data, size_t length)
{
    struct http_response response;
    size_t before = client.head_bytes;
    size_t room = HEAD_BYTES_MAX - before;
    size_t part = length < room ? length : room;

    memcpy(client.head + before, data, part);
    int status = http_parse_response(&response, client.head, before + part, HEAD_BYTES_MAX);
    if (status == HTTP_INCOMPLETE) {
        client.head_bytes += part;
        return part;
    }
    if (status != HTTP_OK || response.status != 200 || !response.head.has_length ||
        !response.head.keep_alive) {
        return 0;
    }
    client.in_body = true;
    client.body_left = response.head.length;
    return response.head.bytes - before;
}

static bool take(struct tcp_pcb *pcb, const char *data, size_t length)
{
    while (length > 0) {
        size_t part = length;
        if (client.in_body) {
            part = length < client.body_left ? length : client.body_left;
            client.body_left -= part;
        } else {
            part = take_head(data, length);
        }
        if (part == 0) {
            return false;
        }
        data += part;
        length -= part;
        if (client.in_body && client.body_left == 0) {
            next(pcb);
        }
    }
    return true;
}

static err_t on_receive(void *context, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    LWIP_UNUSED_ARG(context);
    LWIP_UNUSED_ARG(error);
    if (p == NULL) {
        if (client.answered < WARM_UP + REQUESTS) {
            give_up("the server closed the connection");
        }
        tcp_close(pcb);
        return ERR_OK;
    }
    bool sound = true;
    for (const struct pbuf *part = p; part != NULL; part = part->next) {
        sound = sound && take(pcb, part->payload, part->len);
    }
    tcp_recved(pcb, p->tot_len);
    pbuf_free(p);
    if (!sound) {
        give_up("a response that is not 200 with a length, kept alive");
        tcp_abort(pcb);
        return ERR_ABRT;
    }
    return ERR_OK;
}

static err_t on_connected(void *context, struct tcp_pcb *pcb, err_t error)
{
    LWIP_UNUSED_ARG(context);
    LWIP_UNUSED_ARG(error);
    tcp_nagle_disable(pcb);
    ask(pcb);
    return ERR_OK;
}

static void on_error(void *context, err_t error)
{
    LWIP_UNUSED_ARG(context);
    LWIP_UNUSED_ARG(error);
    give_up("the connection failed");
}

static void on_begin(void *context, struct udp_pcb *udp, struct pbuf *p, const ip_addr_t *from,
                     u16_t port)
{
    ip4_addr_t server;

    LWIP_UNUSED_ARG(context);
    LWIP_UNUSED_ARG(udp);
    pbuf_free(p);
    ip_addr_copy(client.asker, *from);
    client.asker_port = port;
    memcpy(&server, system_page()->peers[0].ipv4_first, sizeof(server));
    struct tcp_pcb *pcb = tcp_new();
    if (pcb == NULL) {
        give_up("no memory for a connection");
        return;
    }
    tcp_recv(pcb, on_receive);
    tcp_err(pcb, on_error);
    if (tcp_connect(pcb, &server, PORT_HTTP, on_connected) != ERR_OK) {
        give_up("no connection");
    }
}

int guest_main(void)
{
    if (!net_init()) {
        return EXIT_REFUSED;
    }
    client.udp = udp_new();
    if (client.udp == NULL || udp_bind(client.udp, IP_ADDR_ANY, PORT_BEGIN) != ERR_OK) {
        return EXIT_REFUSED;
    }
    udp_recv(client.udp, on_begin, NULL);
    checkpoint();
    net_run();
    return RT_EXIT_OK;
}
