/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The line: a serial port, QEMU's socket, or a pseudoterminal for another program.
 */
#include "tools/slip/slip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#define OPEN_FLAGS (O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
#define UNIX_PREFIX "unix:"

static const struct {
    unsigned baud;
    speed_t speed;
} speeds[] = {
    {9600, B9600},     {19200, B19200},   {38400, B38400},   {57600, B57600},
    {115200, B115200}, {230400, B230400}, {460800, B460800}, {921600, B921600},
};

static speed_t speed_of(unsigned baud)
{
    for (size_t i = 0; i < ARRAY_SIZE(speeds); i++) {
        if (speeds[i].baud == baud) {
            return speeds[i].speed;
        }
    }
    return B0;
}

bool line_knows_baud(unsigned baud)
{
    return speed_of(baud) != B0;
}

/* Eight bits, no parity, one stop bit, no flow control, every byte as it is. A byte that came
 * damaged is left out: the packet is then too short, which is seen. */
static int make_raw(int fd, speed_t speed)
{
    struct termios t;
    if (tcgetattr(fd, &t) != 0) {
        return -1;
    }
    cfmakeraw(&t);
    t.c_iflag &= ~(tcflag_t)(IXOFF | IXANY);
    t.c_iflag |= INPCK | IGNPAR | IGNBRK;
    t.c_cflag &= ~(tcflag_t)(CRTSCTS | CSTOPB);
    t.c_cflag |= CLOCAL | CREAD;
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    if (cfsetispeed(&t, speed) != 0 || cfsetospeed(&t, speed) != 0 ||
        tcsetattr(fd, TCSANOW, &t) != 0 || tcgetattr(fd, &t) != 0) {
        return -1;
    }
    if (cfgetospeed(&t) != speed) { /* tcsetattr is content when it could do a part */
        errno = EINVAL;
        return -1;
    }
    return tcflush(fd, TCIOFLUSH);
}

static int open_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

static int open_terminal(const struct line *l)
{
    int fd = open(l->name, OPEN_FLAGS);
    if (fd < 0) {
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 || make_raw(fd, speed_of(l->baud)) != 0) {
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

/* The side that stays open here says its name on stdout. */
static int open_pty(struct line *l)
{
    int fd = posix_openpt(OPEN_FLAGS);
    char name[64];
    if (fd < 0 || grantpt(fd) != 0 || unlockpt(fd) != 0 || ptsname_r(fd, name, sizeof(name)) != 0) {
        return -1;
    }
    l->peer = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (l->peer < 0 || make_raw(l->peer, speed_of(l->baud)) != 0) {
        return -1;
    }
    printf("%s\n", name);
    fflush(stdout);
    return fd;
}

/* Errors of something that may still come: QEMU's socket, an adapter that is not plugged in. */
static bool may_come(int why)
{
    return why == ENOENT || why == ECONNREFUSED || why == ENXIO || why == ENODEV || why == EIO ||
           why == EAGAIN;
}

bool line_open(struct line *l, bool *fatal)
{
    if (strncmp(l->name, UNIX_PREFIX, sizeof(UNIX_PREFIX) - 1) == 0) {
        l->fd = open_unix(l->name + sizeof(UNIX_PREFIX) - 1);
    } else if (strcmp(l->name, "pty") == 0) {
        l->fd = open_pty(l);
    } else {
        l->fd = open_terminal(l);
    }
    if (l->fd >= 0) {
        say("%s: the line is there", l->name);
        l->waiting_said = false;
        return true;
    }
    int why = errno;
    const char *what = why == EAGAIN ? "another program has it" : strerror(why);
    *fatal = !may_come(why);
    if (!l->waiting_said) {
        say("%s: %s%s", l->name, what, *fatal ? "" : "; waiting for it");
        l->waiting_said = true;
    }
    return false;
}

void line_close(struct line *l)
{
    if (l->fd >= 0) {
        close(l->fd);
    }
    if (l->peer >= 0) {
        close(l->peer);
    }
    l->fd = l->peer = -1;
}
