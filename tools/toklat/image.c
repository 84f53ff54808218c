/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A store in a file or on a block device. Who writes holds flock(LOCK_EX), and respects the locks
 * that QEMU has on its images: open file description locks of single bytes from 100 on.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/toklat/image.h"
#include "tools/toklat/toklat.h"

#define QEMU_LOCK_FIRST 100
#define QEMU_LOCK_BYTES 200

static bool file_read(struct image *im, uint64_t offset, void *to, size_t n)
{
    struct image_file *f = container_of(im, struct image_file, image);
    char *p = to;
    while (n > 0) {
        ssize_t got = pread(f->fd, p, n, (off_t)offset);
        if (got < 0 && errno == EINTR && !cancelled()) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        p += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return true;
}

static bool file_write(struct image *im, uint64_t offset, const void *from, size_t n)
{
    struct image_file *f = container_of(im, struct image_file, image);
    const char *p = from;
    while (n > 0) {
        ssize_t put = pwrite(f->fd, p, n, (off_t)offset);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return false;
        }
        p += put;
        offset += (uint64_t)put;
        n -= (size_t)put;
    }
    return true;
}

static bool file_flush(struct image *im)
{
    return fdatasync(container_of(im, struct image_file, image)->fd) == 0;
}

static uint64_t file_next_data(struct image *im, uint64_t offset)
{
    off_t at = lseek(container_of(im, struct image_file, image)->fd, (off_t)offset, SEEK_DATA);
    if (at >= 0) {
        return (uint64_t)at;
    }
    return errno == ENXIO ? im->bytes : offset;
}

static bool held_by_qemu(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    lock.l_start = QEMU_LOCK_FIRST;
    lock.l_len = QEMU_LOCK_BYTES;
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static bool lock(const struct image_file *f, bool to_write)
{
    const char *who = NULL;
    if (flock(f->fd, LOCK_NB | (to_write ? LOCK_EX : LOCK_SH)) != 0 && errno == EWOULDBLOCK) {
        who = to_write ? "another toklat" : "a toklat that writes to it";
    } else if (held_by_qemu(f->fd)) {
        who = "QEMU (its image lock is held)";
    }
    if (who && to_write) {
        complain("%s: in use by %s", f->path, who);
    } else if (who) {
        complain("%s: in use by %s: what is read may change meanwhile", f->path, who);
    }
    return !who || !to_write;
}

bool image_file_open(struct image_file *f, const char *path, enum image_mode mode)
{
    static const int flags[] = {
        [IMAGE_READ] = O_RDONLY, [IMAGE_WRITE] = O_RDWR, [IMAGE_CREATE] = O_RDWR | O_CREAT};
    struct stat status;
    *f = (struct image_file){.path = path, .fd = open(path, flags[mode] | O_CLOEXEC, 0666)};
    if (f->fd < 0 || fstat(f->fd, &status) != 0) {
        complain("%s: %s", path, strerror(errno));
        image_file_close(f);
        return false;
    }
    off_t end = lseek(f->fd, 0, SEEK_END);
    if ((!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) || end < 0) {
        complain("%s: neither a file nor a block device", path);
        image_file_close(f);
        return false;
    }
    if (!lock(f, mode != IMAGE_READ)) {
        image_file_close(f);
        return false;
    }
    f->regular = S_ISREG(status.st_mode);
    f->image = (struct image){file_read, file_write, file_flush, file_next_data, (uint64_t)end};
    return true;
}

void image_file_close(struct image_file *f)
{
    if (f->fd >= 0) {
        close(f->fd);
    }
    f->fd = -1;
}
