/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The initial archive (cpio "newc", as Linux's initramfs: magic 070701): the deployment and the
 * guest images. Nothing in it is trusted.
 */
#ifndef CORE_ARCHIVE_H
#define CORE_ARCHIVE_H

#include "core/base/error.h"

/* Finds the regular file `name` and points into the archive at its content. ERR_NOT_FOUND: the
 * archive is sound up to its trailer and has no such file; ERR_INVALID: it is malformed or cut
 * off, and `why` says where (value: offset). */
enum err archive_find(const void *archive, size_t bytes, const char *name, const void **data,
                      size_t *data_bytes, struct refusal *why) MUST_USE;

#endif
