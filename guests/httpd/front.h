/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The front of lwIP's HTTP server: reads requests, writes heads.
 */
#ifndef GUESTS_HTTPD_FRONT_H
#define GUESTS_HTTPD_FRONT_H

/* Limits: a longer request line is answered with 414, a longer head with 431. A connection without
 * a whole request for 8 s is closed, by lwIP's server. */
#define FRONT_LINE_MAX 512
#define FRONT_HEAD_MAX 2048

/* Starts lwIP's server on port 80 and puts the front before it. Call once, after net_init(). */
void front_init(void);

/* lwIP's hooks for files, which it declares nowhere (LWIP_HTTPD_CUSTOM_FILES). */
struct fs_file;
int fs_open_custom(struct fs_file *file, const char *name);
void fs_close_custom(struct fs_file *file);

#endif
