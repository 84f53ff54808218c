/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clients. A connection is watched edge-triggered from its start: when it can be written the
 * request goes out, when it can be read the answer is taken as far as it has come. It is we who
 * close, as browsers do, so that the VM has nothing to remember.
 */
#define _GNU_SOURCE
#include "tests/bench/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/response.h"

#define RESPONSE_ROOM 4096
#define REQUEST_ROOM 320
#define EVENTS_AT_ONCE 256
#define FILES_RESERVED 32 /* descriptors for everything else */

struct connection {
    struct list link; /* in idle or busy */
    int fd;
    uint32_t vm;
    uint64_t due_ns;
    bool sent;
    size_t received;
    char response[RESPONSE_ROOM];
};

const char *const outcome_names[OUTCOMES] = {
    "answered",    "timed_out",  "unsent",    "refused",  "reset",
    "unreachable", "bad_status", "malformed", "wrong_vm", "local",
};

static void __attribute__((noreturn)) no_means(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(2);
}

static uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t client_now(const struct client *c)
{
    return clock_ns() - c->origin_ns;
}

/* As many connections as were asked for or, if that is not said, as there may be files. */
static uint32_t room_for(const struct options *options)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
        no_means("RLIMIT_NOFILE");
    }
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    getrlimit(RLIMIT_NOFILE, &files);
    rlim_t most = files.rlim_cur > FILES_RESERVED ? files.rlim_cur - FILES_RESERVED : 1;
    most = MIN(most, 1000000);
    uint32_t wanted = options->open_max ? options->open_max : options->concurrency;
    if (wanted > most) {
        fprintf(stderr, "load: %u connections were asked for, RLIMIT_NOFILE allows %u\n", wanted,
                (unsigned)most);
        exit(2);
    }
    return wanted ? wanted : (uint32_t)most;
}

void client_init(struct client *c, const struct options *options, struct result *result)
{
    *c = (struct client){.options = options, .result = result, .room = room_for(options)};
    c->timeout_ns = (uint64_t)(options->timeout * 1e9);
    c->connections = calloc(c->room, sizeof(*c->connections));
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!c->connections || c->epoll < 0) {
        no_means("connections");
    }
    list_init(&c->idle);
    list_init(&c->busy);
    for (uint32_t i = 0; i < c->room; i++) {
        list_push_back(&c->idle, &c->connections[i].link);
    }
    c->origin_ns = clock_ns();
}

void client_free(struct client *c)
{
    close(c->epoll);
    free(c->connections);
}

static void count(struct client *c, uint64_t due_ns, enum outcome outcome)
{
    struct result *r = c->result;
    uint64_t now = client_now(c);
    r->outcomes[outcome]++;
    r->answered_in_time += outcome == ANSWERED && (double)now <= c->options->seconds * 1e9;
    r->end_ns = now;
    if (outcome == ANSWERED || outcome == TIMED_OUT || outcome == UNSENT) {
        histogram_add(&r->latency_us, (now - due_ns) / NS_PER_US);
    }
}

static void finish(struct client *c, struct connection *k, enum outcome outcome)
{
    count(c, k->due_ns, outcome);
    if (k->fd >= 0) {
        close(k->fd);
    }
    list_remove(&k->link);
    list_push_front(&c->idle, &k->link);
    c->open--;
}

static enum outcome outcome_of_errno(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return REFUSED;
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED:
        return RESET;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
        return UNREACHABLE;
    case ETIMEDOUT:
        return TIMED_OUT;
    default:
        return LOCAL;
    }
}

bool client_overdue(const struct client *c, uint64_t due_ns, uint64_t now_ns)
{
    return now_ns >= due_ns && now_ns - due_ns >= c->timeout_ns;
}

/* A socket that is connecting and watched. False: errno says why there is none. */
static bool open_socket(struct client *c, struct connection *k)
{
    const struct options *o = c->options;
    struct sockaddr_in to = {
        .sin_family = AF_INET,
        .sin_port = htons(o->port),
        .sin_addr.s_addr = htonl(o->via ? o->via : o->base + k->vm),
    };
    struct epoll_event watch = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = k};
    k->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return k->fd >= 0 &&
           (connect(k->fd, (const struct sockaddr *)&to, sizeof(to)) == 0 ||
            errno == EINPROGRESS) &&
           epoll_ctl(c->epoll, EPOLL_CTL_ADD, k->fd, &watch) == 0;
}

void client_start(struct client *c, const struct request *request, uint64_t now_ns)
{
    if (client_overdue(c, request->due_ns, now_ns)) {
        count(c, request->due_ns, UNSENT);
        return;
    }
    struct connection *k = container_of(list_pop(&c->idle), struct connection, link);
    k->vm = request->vm;
    k->due_ns = request->due_ns;
    k->sent = false;
    k->received = 0;
    list_push_back(&c->busy, &k->link);
    c->open++;
    c->result->open_peak = MAX(c->result->open_peak, c->open);
    if (!open_socket(c, k)) {
        finish(c, k, outcome_of_errno(errno));
    }
}

/* Sends the request, which always fits an empty socket's buffer. False: the connection has
 * finished. */
static bool send_request(struct client *c, struct connection *k)
{
    const struct options *o = c->options;
    struct in_addr host = {htonl(o->via ? o->via : o->base + k->vm)};
    char text[REQUEST_ROOM], prefix[24] = "", name[INET_ADDRSTRLEN];
    if (o->via) {
        snprintf(prefix, sizeof(prefix), "/vm/%u", k->vm);
    }
    inet_ntop(AF_INET, &host, name, sizeof(name));
    int n = snprintf(text, sizeof(text), "GET %s%s HTTP/1.1\r\nHost: %s\r\n\r\n", prefix, o->path,
                     name);
    if (send(k->fd, text, (size_t)n, MSG_NOSIGNAL) == n) {
        k->sent = true;
    } else if (errno != EAGAIN && errno != ENOTCONN) {
        finish(c, k, outcome_of_errno(errno));
        return false;
    }
    return true;
}

static enum outcome judge(const struct options *o, const struct connection *k,
                          const struct response *r)
{
    if (r->status != 200) {
        return BAD_STATUS;
    }
    const char *member = o->via ? "instance" : "vm";
    bool right =
        !o->check_instance || response_has(k->response + r->body, r->length, member, k->vm);
    return right ? ANSWERED : WRONG_VM;
}

/* Takes what has come. */
static void receive(struct client *c, struct connection *k)
{
    struct response response;
    enum response_state state = RESPONSE_MORE;
    while (state == RESPONSE_MORE) {
        ssize_t n = recv(k->fd, k->response + k->received, RESPONSE_ROOM - k->received, 0);
        if (n < 0) {
            if (errno != EAGAIN) {
                finish(c, k, outcome_of_errno(errno));
            }
            return;
        }
        k->received += (size_t)n;
        state = response_parse(k->response, k->received, RESPONSE_ROOM, n == 0, &response);
        if (n == 0 && state != RESPONSE_COMPLETE) {
            finish(c, k, RESET);
            return;
        }
    }
    finish(c, k, state == RESPONSE_COMPLETE ? judge(c->options, k, &response) : MALFORMED);
}

static void handle(struct client *c, const struct epoll_event *event)
{
    struct connection *k = event->data.ptr;
    if (event->events & EPOLLERR) {
        int error = 0;
        socklen_t bytes = sizeof(error);
        getsockopt(k->fd, SOL_SOCKET, SO_ERROR, &error, &bytes);
        finish(c, k, outcome_of_errno(error));
        return;
    }
    if (!k->sent && (event->events & EPOLLOUT) && !send_request(c, k)) {
        return;
    }
    if (event->events & (EPOLLIN | EPOLLHUP)) {
        receive(c, k);
    }
}

static void expire(struct client *c)
{
    uint64_t now = client_now(c);
    while (!list_empty(&c->busy)) {
        struct connection *k = list_first(&c->busy, struct connection, link);
        if (!client_overdue(c, k->due_ns, now)) {
            return;
        }
        finish(c, k, TIMED_OUT);
    }
}

void client_wait(struct client *c, uint64_t until_ns)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    uint64_t now = client_now(c);
    if (!list_empty(&c->busy)) {
        struct connection *k = list_first(&c->busy, struct connection, link);
        until_ns = MIN(until_ns, k->due_ns + c->timeout_ns);
    }
    uint64_t wait = until_ns > now ? until_ns - now : 0;
    struct timespec time = {(time_t)(wait / NS_PER_S), (long)(wait % NS_PER_S)};
    int n = epoll_pwait2(c->epoll, events, EVENTS_AT_ONCE, &time, NULL);
    for (int i = 0; i < n; i++) {
        handle(c, &events[i]);
    }
    expire(c);
}
