/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of each endpoint, in one table.
 */
#ifndef GUESTS_SUPERVISOR_ENDPOINTS_H
#define GUESTS_SUPERVISOR_ENDPOINTS_H

#include "guests/supervisor/steps.h"

enum body_kind { BODY_NONE, BODY_JSON, BODY_OPTIONAL /* JSON or nothing */, BODY_IMAGE, BODY_TEXT };

struct endpoint_info {
    step_fn step;
    const char *type; /* of the answer */
    uint16_t status;
    uint8_t body;  /* enum body_kind */
    bool open;     /* without a token */
    bool finishes; /* what was begun is brought to an end when the client has gone */
    const char *body_type;
    uint32_t body_max;
};

/* Of a request that was routed. */
const struct endpoint_info *endpoint_of(const struct exchange *x);

/* The dashboard's entity tag, with its quotation marks. */
#define ETAG_BYTES 20
void page_etag(char etag[ETAG_BYTES]);

/* The cursor of an event stream from Last-Event-ID. False with a problem. */
bool events_resume(struct exchange *x, const struct http_head *head);

/* Console input: what the VM takes of it now. */
size_t console_take(struct exchange *x, const char *data, size_t length);

#endif
