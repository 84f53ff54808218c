/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP's own table of files is empty: front.c opens every document.
 */
#ifndef GUESTS_HTTPD_FSDATA_H
#define GUESTS_HTTPD_FSDATA_H

#define FS_ROOT ((const struct fsdata_file *)0)

#endif
