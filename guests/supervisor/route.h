/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From method and path to what is asked for. Pure.
 */
#ifndef GUESTS_SUPERVISOR_ROUTE_H
#define GUESTS_SUPERVISOR_ROUTE_H

#include "guests/supervisor/request.h"

/* Sets endpoint, number and name. HEAD is taken for GET. False with a problem: 400, 404 or 405. */
bool route_find(struct request *r, struct http_text method, struct http_text path,
                struct problem *p);

#endif
