/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A request as it was understood: everything that its head, its query and its body say, as values.
 * Nothing points into what was received.
 */
#ifndef GUESTS_SUPERVISOR_REQUEST_H
#define GUESTS_SUPERVISOR_REQUEST_H

#include "abi/control.h"
#include "guests/supervisor/problem.h"
#include "guests/supervisor/ranges.h"

enum endpoint {
    API_DASHBOARD,
    API_HEALTH,
    API_VERSION,
    API_MACHINE,
    API_IMAGES,
    API_IMAGE_UPLOAD,
    API_IMAGE,
    API_IMAGE_PATCH,
    API_IMAGE_DELETE,
    API_VMS,
    API_VMS_CREATE,
    API_VMS_DELETE,
    API_VM,
    API_VM_DELETE,
    API_VM_START,
    API_VM_PAUSE,
    API_VM_RESUME,
    API_VM_RESTART,
    API_VM_CHECKPOINT,
    API_VM_CLONE,
    API_CONSOLE,
    API_CONSOLE_WRITE,
    API_FOOTPRINT,
    API_MAP,
    API_HISTOGRAM,
    API_EVENTS,
    API_METRICS,
    API_ENDPOINTS
};

enum list_sort { SORT_NUMBER, SORT_USS, SORT_CPU, SORT_RX, SORT_STORED };
enum list_order { ORDER_DEFAULT, ORDER_ASCENDING, ORDER_DESCENDING };
enum list_fields { FIELDS_FULL, FIELDS_LIST, FIELDS_BRIEF };

#define LIST_LIMIT_MAX 100000
#define LIST_LIMIT_DEFAULT 100
#define CREATE_COUNT_MAX 100000
#define STATE_ANY 0xff

struct list_request {
    char image[TOKLAT_NAME_BYTES]; /* "": all */
    uint32_t after;
    uint32_t limit;
    uint8_t state; /* enum toklat_vm_state or STATE_ANY */
    uint8_t sort;
    uint8_t order;
    uint8_t fields;
};

struct create_request {
    char image[TOKLAT_NAME_BYTES];
    uint32_t count;
    bool start;
};

struct patch_request {
    bool has_weight;
    bool has_limit;
    uint32_t weight;
    uint64_t limit_bytes;
};

struct console_request {
    bool follow;
    bool has_lines;
    uint32_t lines;
};

struct events_request {
    bool has_after;
    uint64_t after;
    uint32_t machine_s; /* 0: never */
};

struct request {
    uint8_t endpoint;             /* enum endpoint */
    uint32_t number;              /* of the VM that the path names */
    char name[TOKLAT_NAME_BYTES]; /* of the image that the path names */
    uint64_t key;                 /* of Idempotency-Key; 0: none */
    uint32_t given;               /* parameters, and fields of the body, that were there */
    union {
        struct list_request list;
        struct create_request create;
        struct patch_request patch;
        struct console_request console;
        struct events_request events;
        struct toklat_load load;
        struct ranges ranges;
        uint32_t top;
    };
};

/* A name of a group, as in deployments: letters, digits, '-', '_', '.', at most
 * TOKLAT_NAME_BYTES - 1 of them. */
bool request_name(char to[TOKLAT_NAME_BYTES], struct http_text text);

/* Takes the query apart and sets everything else to its default. False with a problem. */
bool arguments_read(struct request *r, struct http_text query, struct problem *p);

/* A field of a JSON body; `context` is a struct body_context. */
struct json_value;
struct body_context {
    struct request *request;
    struct problem *problem;
};
bool body_field(void *context, const char *key, const struct json_value *value);

/* After the body: whether all that has to be there is. False with a problem. */
bool body_complete(struct request *r, struct problem *p);

#endif
