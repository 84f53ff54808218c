/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP's server knows GET, few statuses and one request at a time. So the front stands between it
 * and TCP: it takes the server's receive and sent callbacks, parses and answers requests, writes
 * the head, and hands the server a plain request for the body, which that then sends, keeping the
 * connection or closing it.
 *
 *   TCP -> front_recv -> head to TCP, "GET /" -> lwIP's server -> fs_open_custom -> body to TCP
 *
 * Per connection it keeps, in the pcb's extension arguments, what was received but not answered
 * (a block from malloc, or nothing) and two flags. After an answer that leaves the rest of the
 * stream without meaning, the connection is drained: our half is closed, input is thrown away
 * until the peer closes or lwIP's server has waited long enough, so that no reset overtakes the
 * answer.
 */
#include "guests/httpd/front.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guests/httpd/site.h"
#include "guests/rt/image.h"
#include "guests/rt/tcp.h"
#include "guests/rt/time.h"
#include "lwip/apps/fs.h"
#include "lwip/apps/httpd.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"

#define HEAD_BYTES_MAX 320 /* of a response */
#define QUEUE_ROOM 4       /* segments that a head and the start of a body may need */

#define BUSY 1u  /* lwIP's server has not yet passed the whole body to TCP */
#define DRAIN 2u /* nothing more is answered */

/* Received bytes that were not answered yet. */
struct stash {
    size_t length;
    char data[];
};

static struct {
    tcp_accept_fn accept; /* lwIP's server's own callbacks */
    tcp_recv_fn recv;
    tcp_sent_fn sent;
    uint8_t stash_id; /* extension arguments */
    uint8_t flags_id;
    const struct document *opening; /* for fs_open_custom, during one call of the server */
    struct tcp_pcb *opener;
} front;

static uintptr_t flags_of(const struct tcp_pcb *pcb)
{
    return (uintptr_t)tcp_ext_arg_get(pcb, front.flags_id);
}

static void set_flags(struct tcp_pcb *pcb, uintptr_t flags)
{
    tcp_ext_arg_set(pcb, front.flags_id, (void *)flags);
}

/* lwIP's server clears the callback argument when it closes a connection. */
static bool can_serve(const struct tcp_pcb *pcb)
{
    return pcb->callback_arg != NULL && flags_of(pcb) == 0 && tcp_sndbuf(pcb) >= HEAD_BYTES_MAX &&
           tcp_sndqueuelen(pcb) + QUEUE_ROOM <= TCP_SND_QUEUELEN;
}

static void document_free(const char *body)
{
    if (!image_constant(body)) {
        free((void *)(uintptr_t)body);
    }
}

int fs_open_custom(struct fs_file *file, const char *name)
{
    LWIP_UNUSED_ARG(name);
    const struct document *document = front.opening;
    file->data = document->body;
    file->len = (int)document->length;
    file->index = file->len;
    file->flags = FS_FILE_FLAGS_HEADER_INCLUDED | FS_FILE_FLAGS_HEADER_PERSISTENT;
    file->pextension = front.opener;
    set_flags(front.opener, flags_of(front.opener) | BUSY);
    return 1;
}

void fs_close_custom(struct fs_file *file)
{
    struct tcp_pcb *pcb = file->pextension;
    document_free(file->data);
    if (pcb->callback_arg == NULL) {
        return; /* the connection is gone, or going */
    }
    set_flags(pcb, flags_of(pcb) & ~(uintptr_t)BUSY);
    if (flags_of(pcb) & DRAIN) {
        tcp_shutdown(pcb, 0, 1);
    }
}

static int write_head(char head[HEAD_BYTES_MAX], const struct document *document, bool close)
{
    char date[TIME_HTTP_BYTES] = "";
    uint64_t wall_ns = time_wall_ns();
    if (wall_ns != 0) {
        time_format_http(date, wall_ns);
    }
    return snprintf(head, HEAD_BYTES_MAX,
                    "HTTP/1.1 %u %s\r\n%s%s%sContent-Type: %s\r\nContent-Length: %zu\r\n"
                    "Cache-Control: %s\r\n%sConnection: %s\r\n\r\n",
                    document->status, http_reason(document->status), date[0] ? "Date: " : "", date,
                    date[0] ? "\r\n" : "", document->type, document->length,
                    image_constant(document->body) ? "max-age=3600" : "no-store",
                    document->status == 405 ? "Allow: GET, HEAD\r\n" : "",
                    close ? "close" : "keep-alive");
}

/* Lets lwIP's server send the body: as the answer to a request of our own making. */
static bool send_body(struct tcp_pcb *pcb, const struct document *document, bool keep)
{
    static const char keeping[] = "GET / HTTP/1.1\r\nConnection: keep-alive\r\n\r\n";
    static const char closing[] = "GET / HTTP/1.1\r\n\r\n";
    const char *text = keep ? keeping : closing;
    uint16_t length = (uint16_t)strlen(text);
    struct pbuf *request = pbuf_alloc(PBUF_RAW, length, PBUF_RAM);
    if (request == NULL) {
        return false;
    }
    pbuf_take(request, text, length);
    front.opening = document;
    front.opener = pcb;
    front.recv(pcb->callback_arg, pcb, request, ERR_OK);
    return true;
}

/* Sends a document. False, with nothing sent and the document freed, if there is no memory: what
 * was received stays, and lwIP's server closes the connection if that lasts. */
static bool send(struct tcp_pcb *pcb, struct document *document, bool close, bool head_only)
{
    char head[HEAD_BYTES_MAX];
    bool drain = flags_of(pcb) & DRAIN;
    int length = write_head(head, document, close);
    if (head_only) {
        document_free(document->body);
        document->body = "";
        document->length = 0;
    }
    if (tcp_write(pcb, head, (u16_t)length, TCP_WRITE_FLAG_COPY | TCP_WRITE_FLAG_MORE) != ERR_OK) {
        document_free(document->body);
        return false;
    }
    if (!send_body(pcb, document, drain || !close)) {
        document_free(document->body);
        tcp_shutdown(pcb, 0, 1); /* the head cannot be taken back: the body is cut */
        set_flags(pcb, DRAIN);
    }
    return true;
}

/* Answers the request at the front of the data; returns how many bytes it took. */
static size_t serve_one(struct tcp_pcb *pcb, const char *data, size_t length)
{
    struct http_request request;
    struct document document = {0};
    int status = http_parse_request(&request, data, length, FRONT_LINE_MAX, FRONT_HEAD_MAX);
    if (status == HTTP_INCOMPLETE) {
        return 0;
    }
    bool has_body = request.head.has_coding || request.head.length > 0;
    bool drain = status != HTTP_OK || has_body;
    if (status == HTTP_OK) {
        site_answer(&document, &request);
    } else {
        site_refuse(&document, (unsigned)status);
    }
    set_flags(pcb, drain ? DRAIN : 0);
    bool close = drain || !request.head.keep_alive;
    if (!send(pcb, &document, close, status == HTTP_OK && http_is(request.method, "HEAD"))) {
        set_flags(pcb, 0);
        return 0;
    }
    return drain ? length : request.head.bytes;
}

static size_t serve(struct tcp_pcb *pcb, const char *data, size_t length)
{
    size_t used = 0;
    while (used < length && can_serve(pcb)) {
        size_t taken = serve_one(pcb, &data[used], length - used);
        if (taken == 0) {
            break;
        }
        used += taken;
    }
    return flags_of(pcb) & DRAIN || pcb->callback_arg == NULL ? length : used;
}

static void stash_set(struct tcp_pcb *pcb, struct stash *stash)
{
    free(tcp_ext_arg_get(pcb, front.stash_id));
    tcp_ext_arg_set(pcb, front.stash_id, stash);
}

static struct stash *stash_of(const struct tcp_pcb *pcb)
{
    return tcp_ext_arg_get(pcb, front.stash_id);
}

/* Puts what was stashed before and what came now into a new block. At most FRONT_HEAD_MAX bytes
 * and a window: with more than that, a request is answered or refused. */
static bool stash_append(struct tcp_pcb *pcb, const struct pbuf *p, size_t skip)
{
    const struct stash *old = stash_of(pcb);
    size_t before = old != NULL ? old->length : 0;
    size_t added = p->tot_len - skip;
    struct stash *stash = malloc(sizeof(*stash) + before + added);
    if (stash == NULL) {
        return false;
    }
    stash->length = before + added;
    if (old != NULL) {
        memcpy(stash->data, old->data, before);
    }
    pbuf_copy_partial(p, &stash->data[before], (u16_t)added, (u16_t)skip);
    stash_set(pcb, stash);
    return true;
}

static void serve_stash(struct tcp_pcb *pcb)
{
    struct stash *stash = stash_of(pcb);
    if (stash == NULL) {
        return;
    }
    size_t used = serve(pcb, stash->data, stash->length);
    if (used == stash->length) {
        stash_set(pcb, NULL);
    } else {
        stash->length -= used;
        memmove(stash->data, &stash->data[used], stash->length);
    }
}

static err_t front_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    if (p == NULL || err != ERR_OK || arg == NULL) {
        return front.recv(arg, pcb, p, err);
    }
    bool drain = flags_of(pcb) & DRAIN;
    if (!drain && !can_serve(pcb)) {
        return ERR_MEM; /* lwIP keeps it, and offers it again */
    }
    size_t used = p->tot_len;
    if (!drain && stash_of(pcb) == NULL && p->next == NULL) {
        tcp_recved(pcb, p->tot_len);
        used = serve(pcb, p->payload, p->len);
    } else if (!drain) {
        used = 0;
        tcp_recved(pcb, p->tot_len);
    } else {
        tcp_recved(pcb, p->tot_len);
    }
    if (used < p->tot_len) {
        if (!stash_append(pcb, p, used)) {
            pbuf_free(p);
            tcp_abort(pcb);
            return ERR_ABRT;
        }
        serve_stash(pcb);
    }
    pbuf_free(p);
    return ERR_OK;
}

static err_t front_sent(void *arg, struct tcp_pcb *pcb, u16_t length)
{
    err_t err = front.sent(arg, pcb, length);
    if (err == ERR_OK && can_serve(pcb)) {
        serve_stash(pcb);
    }
    return err;
}

static void stash_destroyed(u8_t id, void *stash)
{
    LWIP_UNUSED_ARG(id);
    free(stash);
}

static err_t front_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
    static const struct tcp_ext_arg_callbacks callbacks = {.destroy = stash_destroyed};
    err_t accepted = front.accept(arg, pcb, err);
    if (accepted != ERR_OK) {
        return accepted;
    }
    tcp_ext_arg_set_callbacks(pcb, front.stash_id, &callbacks);
    tcp_set_first_rto(pcb, RTO_STANDARD_MS);
    front.recv = pcb->recv;
    front.sent = pcb->sent;
    tcp_recv(pcb, front_recv);
    tcp_sent(pcb, front_sent);
    return ERR_OK;
}

void front_init(void)
{
    front.stash_id = tcp_ext_arg_alloc_id();
    front.flags_id = tcp_ext_arg_alloc_id();
    httpd_init();
    struct tcp_pcb_listen *listener = tcp_listen_pcbs.listen_pcbs;
    front.accept = listener->accept;
    listener->accept = front_accept;
}
