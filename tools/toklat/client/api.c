/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTTP with libcurl. No redirection is followed and no proxy used: the token goes where the
 * endpoint says and nowhere else.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/toklat/client/api.h"
#include "tools/toklat/client/clean.h"
#include "tools/toklat/client/problem.h"

#define CONNECT_S 5L
#define SILENCE_S 60L
#define POLL_MS 100
#define LONGEST_TEXT 256

struct transfer {
    struct api *api;
    const struct api_request *request;
    char *bytes; /* of an answer that no sink takes */
    size_t used, room, sent;
    bool no_memory, refused; /* refused: the sink said no */
    char error[CURL_ERROR_SIZE];
};

int api_open(struct api *a)
{
    return api_open_quiet(a, false);
}

int api_open_quiet(struct api *a, bool quiet)
{
    *a = (struct api){.extra_fd = -1, .quiet = quiet};
    if (!endpoint_find(&a->endpoint, quiet)) {
        return EXIT_UNREACHED;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    a->multi = curl_multi_init();
    a->easy = curl_easy_init();
    if (!a->multi || !a->easy) {
        complain("not enough memory");
        api_close(a);
        return EXIT_OPERATIONAL;
    }
    return EXIT_CLEAN;
}

void api_close(struct api *a)
{
    curl_easy_cleanup(a->easy);
    curl_multi_cleanup(a->multi);
    a->easy = NULL;
    a->multi = NULL;
    explicit_bzero(a->endpoint.token, sizeof(a->endpoint.token));
}

static bool keep(struct transfer *t, const char *bytes, size_t n)
{
    if (t->room - t->used < n) {
        size_t room = MAX(t->room * 2, t->used + n + 4096);
        char *more = room <= API_ANSWER_BYTES_MAX ? realloc(t->bytes, room) : NULL;
        if (!more) {
            t->no_memory = true;
            return false;
        }
        t->bytes = more;
        t->room = room;
    }
    memcpy(t->bytes + t->used, bytes, n);
    t->used += n;
    return true;
}

static size_t arrived(char *bytes, size_t one, size_t n, void *context)
{
    struct transfer *t = context;
    long status = 0;
    (void)one;
    curl_easy_getinfo(t->api->easy, CURLINFO_RESPONSE_CODE, &status);
    bool well = t->request->sink && status == 200 ? t->request->sink(t->request->context, bytes, n)
                                                  : keep(t, bytes, n);
    t->refused = !well;
    return well ? n : CURL_WRITEFUNC_ERROR;
}

static size_t body_part(char *bytes, size_t one, size_t n, void *context)
{
    struct transfer *t = context;
    size_t left = t->request->body_bytes - t->sent, part = MIN(one * n, left);
    memcpy(bytes, t->request->body + t->sent, part);
    t->sent += part;
    return part;
}

/* An answer that comes before the body is sent, or a connection that had been closed. */
static int rewind_body(void *context, curl_off_t offset, int origin)
{
    struct transfer *t = context;
    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > t->request->body_bytes) {
        return CURL_SEEKFUNC_FAIL;
    }
    t->sent = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

static struct curl_slist *headers_of(const struct api *a, const struct api_request *r)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    char text[ENDPOINT_TOKEN_BYTES + 64];
    if (*a->endpoint.token) {
        snprintf(text, sizeof(text), "Authorization: Bearer %s", a->endpoint.token);
        list = curl_slist_append(list, text);
    }
    const char *type = r->type ? r->type : "application/json";
    snprintf(text, sizeof(text), "Content-Type:%s%s", r->body ? " " : "", r->body ? type : "");
    list = curl_slist_append(list, text); /* without a value: none is sent */
    if (r->key) {
        snprintf(text, sizeof(text), "Idempotency-Key: %s", r->key);
        list = curl_slist_append(list, text);
    }
    return list;
}

static void prepare_body(struct transfer *t)
{
    const struct api_request *r = t->request;
    CURL *easy = t->api->easy;
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method ? r->method : "GET");
    if (r->body) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_bytes);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, body_part);
        curl_easy_setopt(easy, CURLOPT_READDATA, t);
        curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, rewind_body);
        curl_easy_setopt(easy, CURLOPT_SEEKDATA, t);
    } else if (r->method && !strcmp(r->method, "POST")) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
    }
}

static void prepare(struct transfer *t, struct curl_slist *headers)
{
    const struct api *a = t->api;
    char url[ENDPOINT_URL_BYTES + API_PATH_BYTES];
    snprintf(url, sizeof(url), "%s%s", a->endpoint.url, t->request->path);
    curl_easy_reset(a->easy); /* keeps the connection */
    curl_easy_setopt(a->easy, CURLOPT_URL, url);
    curl_easy_setopt(a->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(a->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(a->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(a->easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(a->easy, CURLOPT_USERAGENT, "toklat/" TOKLAT_VERSION);
    curl_easy_setopt(a->easy, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(a->easy, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
    curl_easy_setopt(a->easy, CURLOPT_BUFFERSIZE, 262144L);
    curl_easy_setopt(a->easy, CURLOPT_TCP_NODELAY, 1L);
    if (!t->request->endless) {
        curl_easy_setopt(a->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(a->easy, CURLOPT_LOW_SPEED_TIME, SILENCE_S);
    }
    curl_easy_setopt(a->easy, CURLOPT_TIMEOUT_MS, a->limit_ms);
    curl_easy_setopt(a->easy, CURLOPT_WRITEFUNCTION, arrived);
    curl_easy_setopt(a->easy, CURLOPT_WRITEDATA, t);
    prepare_body(t);
}

static void wait_for_more(struct api *a)
{
    struct curl_waitfd extra = {.fd = a->extra_fd, .events = CURL_WAIT_POLLIN};
    unsigned count = a->extra_fd >= 0;
    curl_multi_poll(a->multi, count ? &extra : NULL, count, POLL_MS, NULL);
    if (count && extra.revents) {
        a->extra(a->extra_context);
    }
}

static CURLcode perform(struct api *a, struct transfer *t)
{
    CURLcode result = CURLE_ABORTED_BY_CALLBACK;
    int running = 1;
    curl_multi_add_handle(a->multi, a->easy);
    while (!cancelled() && !a->stopped) {
        if (curl_multi_perform(a->multi, &running) != CURLM_OK) {
            result = CURLE_FAILED_INIT;
            break;
        }
        int left;
        CURLMsg *message = curl_multi_info_read(a->multi, &left);
        if (message && message->msg == CURLMSG_DONE) {
            result = message->data.result;
            break;
        }
        if (a->tick) {
            a->tick(a->tick_context, t->sent, t->request->body_bytes);
        }
        wait_for_more(a);
    }
    curl_multi_remove_handle(a->multi, a->easy);
    return result;
}

static int curl_failure(const struct api *a, const struct transfer *t, CURLcode result)
{
    const char *why = *t->error ? t->error : curl_easy_strerror(result);
    if (t->no_memory) {
        complain("the answer is too long: at most %u bytes", API_ANSWER_BYTES_MAX);
        return EXIT_OPERATIONAL;
    }
    if (t->refused && result == CURLE_WRITE_ERROR) {
        return EXIT_OPERATIONAL; /* the sink has said what is wrong */
    }
    if (!a->quiet) {
        complain("%s cannot be reached: %s", a->endpoint.url, why);
    }
    return EXIT_UNREACHED;
}

/* The answer of a request that was well; EXIT_OPERATIONAL: it is no JSON. */
static int parse(const struct transfer *t, json_t **answer)
{
    json_error_t error;
    if (!answer || t->used == 0) {
        return EXIT_CLEAN;
    }
    *answer = json_loadb(t->bytes, t->used, JSON_REJECT_DUPLICATES, &error);
    if (!*answer) {
        char text[LONGEST_TEXT];
        complain("%s: the answer is not JSON: %s", t->request->path,
                 clean_cell(text, sizeof(text), error.text));
        return EXIT_OPERATIONAL;
    }
    return EXIT_CLEAN;
}

int api_do(struct api *a, const struct api_request *r, json_t **answer)
{
    struct transfer t = {.api = a, .request = r};
    struct curl_slist *headers = headers_of(a, r);
    long status = 0;
    int code;
    if (answer) {
        *answer = NULL;
    }
    a->stopped = false;
    prepare(&t, headers);
    CURLcode result = perform(a, &t);
    curl_easy_getinfo(a->easy, CURLINFO_RESPONSE_CODE, &status);
    if (cancelled()) {
        code = EXIT_CANCELLED;
    } else if (a->stopped) {
        code = EXIT_CLEAN;
    } else if (result != CURLE_OK) {
        code = curl_failure(a, &t, result);
    } else if (status / 100 != 2) {
        code = problem_exit(a->quiet, a->about, status, t.bytes, t.used);
    } else {
        code = parse(&t, answer);
    }
    curl_slist_free_all(headers);
    free(t.bytes);
    return code;
}

int api_get(struct api *a, json_t **answer, const char *format, ...)
{
    char path[API_PATH_BYTES];
    struct api_request r = {.path = path};
    va_list args;
    va_start(args, format);
    vsnprintf(path, sizeof(path), format, args);
    va_end(args);
    int code = api_do(a, &r, answer);
    if (code == EXIT_CLEAN && answer && !json_is_object(*answer)) {
        complain("%s: the answer is not a JSON object", path);
        json_decref(*answer);
        *answer = NULL;
        return EXIT_OPERATIONAL;
    }
    return code;
}

int api_post(struct api *a, json_t *body, json_t **answer, const char *format, ...)
{
    char path[API_PATH_BYTES];
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    struct api_request r = {.method = "POST", .path = path, .body = text};
    va_list args;
    va_start(args, format);
    vsnprintf(path, sizeof(path), format, args);
    va_end(args);
    r.body_bytes = text ? strlen(text) : 0;
    int code = api_do(a, &r, answer);
    free(text);
    json_decref(body);
    return code;
}

char *api_part(char *to, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    size_t n = 0;
    for (; *text && n + 4 <= API_PART_BYTES; text++) {
        if (strchr(plain, *text)) {
            to[n++] = *text;
        } else {
            to[n++] = '%';
            to[n++] = hex[(uint8_t)*text >> 4];
            to[n++] = hex[(uint8_t)*text & 15];
        }
    }
    to[n] = 0;
    return to;
}

const char *member_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

uint64_t member_number(const json_t *object, const char *name)
{
    json_int_t n = json_integer_value(json_object_get(object, name));
    return n > 0 ? (uint64_t)n : 0;
}

double member_real(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

/* Of control characters, jansson lets DEL pass; it can only be in a string. */
static int put_part(const char *text, size_t n, void *context)
{
    (void)context;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == 0x7F) {
            fputs("\\u007f", stdout);
        } else {
            putc_unlocked(text[i], stdout);
        }
    }
    return 0;
}

void put_json(const json_t *j, size_t flags)
{
    json_dump_callback(j, put_part, NULL, flags | JSON_ENSURE_ASCII);
}

void show_json(const json_t *j)
{
    put_json(j, JSON_INDENT(2));
    putchar('\n');
}
