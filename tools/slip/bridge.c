/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets between the device and the line.
 *
 *   device -> output[sent ... queued) -> line     line -> decoder -> device
 *
 * Nothing is read that there is no room for: what is too much waits, and is lost, in the kernel's
 * queue before the device, as on any wire. While the line is away packets are read and dropped, so
 * that what leaves when it is back is not old.
 */
#include "tools/slip/slip.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/slip.h"

#define OUTPUT_BYTES 8192u
#define INPUT_BYTES 4096u
/* Between two looks whether the line is back. */
#define RETRY_MS 250

static volatile sig_atomic_t stop_signal, report_wanted, child_changed;

struct bridge {
    const struct device *device;
    struct line *line;
    pid_t child; /* 0: none */
    struct slip_decoder decoder;
    size_t sent, queued;
    uint64_t in_packets, in_bytes, out_packets, out_bytes, dropped, not_ipv4, connections;
    uint8_t packet[SLIP_MTU];
    uint8_t output[OUTPUT_BYTES];
};

static void on_signal(int number)
{
    if (number == SIGUSR1) {
        report_wanted = 1;
    } else if (number == SIGCHLD) {
        child_changed = 1;
    } else {
        stop_signal = number;
    }
}

/* Signals come only while ppoll waits; `during` is its mask. */
static void prepare_signals(sigset_t *during)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGCHLD};
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t blocked;
    sigemptyset(&blocked);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        sigaddset(&blocked, numbers[i]);
        sigaction(numbers[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &blocked, during);
}

static void report(const struct bridge *b)
{
    say("in: %llu packets, %llu bytes, %llu refused; out: %llu packets, %llu bytes, %llu dropped, "
        "%llu not IPv4; the line came %llu times",
        (unsigned long long)b->in_packets, (unsigned long long)b->in_bytes,
        (unsigned long long)b->decoder.refused, (unsigned long long)b->out_packets,
        (unsigned long long)b->out_bytes, (unsigned long long)b->dropped,
        (unsigned long long)b->not_ipv4, (unsigned long long)b->connections);
}

static void lose_line(struct bridge *b, const char *why)
{
    say("%s: the line is gone: %s", b->line->name, why);
    line_close(b->line);
    b->sent = b->queued = 0;
    (void)slip_decode(&b->decoder, SLIP_END); /* half a packet is none */
}

static bool has_room(const struct bridge *b)
{
    return OUTPUT_BYTES - (b->queued - b->sent) >= SLIP_ENCODED_MAX(SLIP_MTU);
}

/* One packet from the device. */
static void from_device(struct bridge *b)
{
    uint8_t packet[SLIP_MTU];
    size_t n = device_read(b->device, packet, &b->not_ipv4);
    if (n == 0) {
        return;
    }
    if (b->line->fd < 0) {
        b->dropped++;
        return;
    }
    memmove(b->output, b->output + b->sent, b->queued - b->sent);
    b->queued -= b->sent;
    b->sent = 0;
    b->queued += slip_encode(b->output + b->queued, packet, n);
    b->out_packets++;
    b->out_bytes += n;
}

static void to_line(struct bridge *b)
{
    ssize_t n = write(b->line->fd, b->output + b->sent, b->queued - b->sent);
    if (n > 0) {
        b->sent += (size_t)n;
    } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
        lose_line(b, strerror(errno));
    }
}

static void to_device(struct bridge *b, size_t bytes)
{
    if (device_write(b->device, b->packet, bytes)) {
        b->in_packets++;
        b->in_bytes += bytes;
    } else { /* it is down, or short of memory */
        b->dropped++;
    }
}

static void from_line(struct bridge *b)
{
    uint8_t input[INPUT_BYTES];
    ssize_t n = read(b->line->fd, input, sizeof(input));
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        lose_line(b, n == 0 ? "end of file" : strerror(errno));
        return;
    }
    for (ssize_t i = 0; i < n; i++) {
        size_t bytes = slip_decode(&b->decoder, input[i]);
        if (bytes > 0) {
            to_device(b, bytes);
        }
    }
}

/* Waits for something to do, and does it. False: the device is gone, which is said. */
static bool step(struct bridge *b, const sigset_t *during)
{
    bool away = b->line->fd < 0;
    bool more = b->queued > b->sent;
    struct timespec retry = {.tv_nsec = RETRY_MS * (long)NS_PER_MS};
    struct pollfd fds[] = {
        {.fd = b->device->fd, .events = away || has_room(b) ? POLLIN : 0},
        {.fd = b->line->fd, .events = (short)(POLLIN | (more ? POLLOUT : 0))},
    };
    if (ppoll(fds, ARRAY_SIZE(fds), away ? &retry : NULL, during) <= 0) {
        return true;
    }
    if (fds[1].revents & (POLLIN | POLLHUP | POLLERR)) {
        from_line(b);
    }
    if (fds[1].revents & POLLOUT && b->line->fd >= 0) {
        to_line(b);
    }
    if (fds[0].revents & POLLIN) {
        from_device(b);
    }
    if (fds[0].revents & (POLLERR | POLLNVAL)) {
        say("the device is gone");
        return false;
    }
    return true;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / NS_PER_MS;
}

/* Looks for a line that is away, not too often. False: there will never be one. */
static bool find_line(struct bridge *b, uint64_t *next_ms)
{
    bool fatal = false;
    if (b->line->fd >= 0 || now_ms() < *next_ms) {
        return true;
    }
    *next_ms = now_ms() + RETRY_MS;
    b->connections += line_open(b->line, &fatal);
    return !fatal || b->connections > 0;
}

static pid_t start(char **command, const sigset_t *mask)
{
    pid_t parent = getpid();
    pid_t child = fork();
    if (child != 0) {
        return child;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    sigprocmask(SIG_SETMASK, mask, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (getppid() == parent) {
        execvp(command[0], command);
        say("%s: %s", command[0], strerror(errno));
    }
    _exit(127);
}

/* Starts the command when the line is there for the first time. False: it cannot be. */
static bool start_once(struct bridge *b, char ***command, const sigset_t *mask)
{
    if (!*command || b->connections == 0) {
        return true;
    }
    b->child = start(*command, mask);
    if (b->child < 0) {
        say("%s: %s", **command, strerror(errno));
    }
    *command = NULL;
    return b->child >= 0;
}

/* Whether the command has ended; its exit status, as a shell has it. */
static bool ended(struct bridge *b, int *status)
{
    int how;
    child_changed = 0;
    if (b->child == 0 || waitpid(b->child, &how, WNOHANG) != b->child) {
        return false;
    }
    *status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
    b->child = 0;
    return true;
}

/* What signals asked for. True: it is the end. */
static bool obey(struct bridge *b, int *status)
{
    if (report_wanted) {
        report_wanted = 0;
        report(b);
    }
    if (child_changed && ended(b, status)) {
        return true;
    }
    if (stop_signal && b->child) { /* with its command, whose end is ours */
        kill(b->child, stop_signal);
        stop_signal = 0;
        return false;
    }
    return stop_signal != 0;
}

int bridge_run(const struct device *device, struct line *line, char **command, bool with_statistics)
{
    static struct bridge bridge;
    struct bridge *b = &bridge;
    sigset_t during;
    int status = EXIT_CLEAN;
    uint64_t next_ms = 0;
    b->device = device;
    b->line = line;
    b->decoder.packet = b->packet;
    prepare_signals(&during);
    while (!obey(b, &status)) {
        if (!find_line(b, &next_ms) || !start_once(b, &command, &during) || !step(b, &during)) {
            status = EXIT_OPERATIONAL;
            break;
        }
    }
    if (with_statistics) {
        report(b);
    }
    line_close(line);
    return status;
}
