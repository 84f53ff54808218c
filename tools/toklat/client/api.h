/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests to the API (docs/api.yaml), one at a time on a connection that is kept. A request that
 * did not succeed has been complained about when its function returns.
 */
#ifndef TOKLAT_API_H
#define TOKLAT_API_H

#include <curl/curl.h>
#include <jansson.h>

#include "tools/toklat/client/endpoint.h"
#include "tools/toklat/toklat.h"

#define API_ANSWER_BYTES_MAX (64u * 1024 * 1024)
#define API_PATH_BYTES 4096

/* Takes what arrives; false ends the request, which then fails unless `stopped`. */
typedef bool (*api_sink)(void *context, const char *bytes, size_t n);

struct api {
    struct endpoint endpoint;
    CURLM *multi;
    CURL *easy;
    long limit_ms;     /* of a request; 0: as long as something comes */
    const char *about; /* what a complaint begins with; NULL: nothing */
    bool quiet;        /* nothing is complained about */
    bool stopped;      /* set by a sink: what it has is enough */
    /* Called ten times a second while a request lasts, and as it goes up. */
    void (*tick)(void *context, uint64_t sent, uint64_t all);
    void *tick_context;
    int extra_fd;                 /* -1; else its input is waited for as well */
    void (*extra)(void *context); /* it has some */
    void *extra_context;
};

struct api_request {
    const char *method; /* NULL: GET */
    const char *path;   /* after the URL, with its query; escaped */
    const char *body;   /* NULL: none */
    size_t body_bytes;
    const char *type; /* of the body; NULL: application/json */
    const char *key;  /* Idempotency-Key; NULL: none */
    api_sink sink;    /* NULL: the answer is JSON */
    void *context;
    bool endless; /* no answer for a long time is well */
};

/* EXIT_CLEAN, or the exit code. */
int api_open(struct api *a);
int api_open_quiet(struct api *a, bool quiet);
void api_close(struct api *a);

/* The exit code. *answer, unless NULL or there is none, is the caller's to json_decref(). */
int api_do(struct api *a, const struct api_request *r, json_t **answer);
int api_get(struct api *a, json_t **answer, const char *format, ...) PRINTF(3, 4);
/* `body` is taken; it may be NULL. */
int api_post(struct api *a, json_t *body, json_t **answer, const char *format, ...) PRINTF(4, 5);

/* Text as part of a path or a query: `to` has API_PART_BYTES, enough for 85 characters; more are
 * cut. */
#define API_PART_BYTES 256
char *api_part(char *to, const char *text);

/* Members of an object, with what stands for one that is absent. */
const char *member_text(const json_t *object, const char *name);
uint64_t member_number(const json_t *object, const char *name);
double member_real(const json_t *object, const char *name);

/* On stdout as printable ASCII; flags of jansson's besides. */
void put_json(const json_t *j, size_t flags);
/* The same, indented, and a line feed. */
void show_json(const json_t *j);

#endif
