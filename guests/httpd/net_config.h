/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP for the web guest: the small defaults, and its HTTP server as the sender of bodies. Heads
 * and routing are this guest's own (front.c), so most of the server's options are off.
 */
#ifndef GUESTS_HTTPD_NET_CONFIG_H
#define GUESTS_HTTPD_NET_CONFIG_H

#include "guests/rt/image.h"

#define LWIP_TCP_PCB_NUM_EXT_ARGS 2 /* front.c keeps its state of a connection there */

#define LWIP_HTTPD_CUSTOM_FILES 1
#define LWIP_HTTPD_DYNAMIC_HEADERS 0
#define LWIP_HTTPD_SUPPORT_11_KEEPALIVE 1
#define LWIP_HTTPD_SUPPORT_REQUESTLIST 0
#define LWIP_HTTPD_SUPPORT_V09 0
#define LWIP_HTTPD_MAX_REQUEST_URI_LEN 0
#define LWIP_HTTPD_ABORT_ON_CLOSE_MEM_ERROR 1
#define HTTPD_LIMIT_SENDING_TO_2MSS 0
#define HTTPD_FSDATA_FILE "guests/httpd/fsdata.h"

/* Constant bodies are sent from where they lie; the others are gone when lwIP sends again. */
#define HTTP_IS_DATA_VOLATILE(hs) (image_constant((hs)->file) ? 0 : TCP_WRITE_FLAG_COPY)

#endif
