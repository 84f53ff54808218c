/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a request's head to the steps of its answer. Who has no token learns nothing but that:
 * routes, arguments and VMs are looked at after it.
 */
#include "guests/supervisor/exchange.h"

#include "guests/supervisor/keys.h"
#include "guests/supervisor/query.h"
#include "guests/supervisor/route.h"
#include "guests/supervisor/steps.h"
#include "guests/supervisor/upload.h"
#include "guests/supervisor/work_area.h"
#include "guests/supervisor/endpoints.h"

#define KEY_CHARACTERS_MAX 64

struct api api;

void api_begin(const char *args, uint32_t own_number, const uint8_t own_ipv4[4])
{
    api.has_token = token_from_args(api.token, args);
    api.own_number = own_number;
    memcpy(api.own_ipv4, own_ipv4, sizeof(api.own_ipv4));
}

/* A header that occurs once; false with a problem if it occurs again. */
static bool find_header(struct exchange *x, const struct http_head *head, const char *name,
                        struct http_text *value)
{
    struct http_text rest = head->headers;
    struct http_header header;
    bool found = false;
    *value = (struct http_text){"", 0};
    while (http_next_header(&rest, &header)) {
        if (!http_is_word(header.name, name)) {
            continue;
        }
        if (found) {
            return problem_field(&x->problem, 400, name, header.value, "given once");
        }
        found = true;
        *value = header.value;
    }
    return true;
}

static bool authorize(struct exchange *x, const struct http_head *head)
{
    struct http_text given;
    if (!api.has_token) {
        return problem_field(&x->problem, 503, "args", text_of(""),
                             "the supervisor's args in the deployment: token= and %u hexadecimal "
                             "digits",
                             TOKEN_CHARACTERS);
    }
    if (!find_header(x, head, "authorization", &given)) {
        return false;
    }
    if (token_matches(api.token, given)) {
        return true;
    }
    if (!bucket_take(&api.guesses, platform_now_ns())) {
        problem_plain(&x->problem, 429, "more than %u requests a second without the token",
                      BUCKET_SIZE);
        x->problem.retry_s = 1;
        return false;
    }
    return problem_plain(&x->problem, 401, "%s",
                         given.length == 0 ? "Authorization: Bearer and the token are needed"
                                           : "the token is not the one of this machine");
}

static bool read_key(struct exchange *x, const struct http_head *head)
{
    struct http_text key;
    if (!find_header(x, head, "idempotency-key", &key)) {
        return false;
    }
    if (key.length == 0) {
        return true;
    }
    for (size_t i = 0; i < key.length; i++) {
        if (key.length > KEY_CHARACTERS_MAX || key.at[i] < '!' || key.at[i] > '~') {
            return problem_field(&x->problem, 400, "Idempotency-Key", key,
                                 "1 to %u printable characters of ASCII", KEY_CHARACTERS_MAX);
        }
    }
    x->request.key = keys_hash(KEYS_HASH, key.at, key.length);
    return true;
}

static bool check_type(struct exchange *x, const struct http_head *head, const char *wanted)
{
    struct http_text type;
    if (!find_header(x, head, "content-type", &type)) {
        return false;
    }
    const char *mark = memchr(type.at, ';', type.length);
    struct http_text given = {type.at, mark != NULL ? (size_t)(mark - type.at) : type.length};
    while (given.length > 0 && given.at[given.length - 1] == ' ') {
        given.length--;
    }
    return given.length == 0 || http_is_word(given, wanted) ||
           problem_field(&x->problem, 415, "Content-Type", type, "%s", wanted);
}

/* Whether the body is one that this request may have. */
static bool check_body(struct exchange *x, const struct http_head *head)
{
    const struct endpoint_info *info = endpoint_of(x);
    if (head->has_coding) {
        x->keep_alive = false;
        return problem_plain(&x->problem, 411, "a body has a Content-Length, and no coding");
    }
    if (info->body_type == NULL) {
        return head->length == 0 || problem_number(&x->problem, 400, "Content-Length", head->length,
                                                   "no body belongs here");
    }
    if (!head->has_length && info->body != BODY_OPTIONAL) {
        return problem_plain(&x->problem, 411, "Content-Length has to be given");
    }
    if (head->length > info->body_max) {
        return problem_number(&x->problem, 413, "Content-Length", head->length, "at most %u",
                              info->body_max);
    }
    return (head->length == 0 && !head->has_length) || check_type(x, head, info->body_type);
}

static bool understand(struct exchange *x, const struct http_request *request)
{
    struct http_text path = request->target;
    struct http_text query = {"", 0};
    const char *mark = memchr(path.at, '?', path.length);
    if (mark != NULL) {
        path.length = (size_t)(mark - path.at);
        query = (struct http_text){mark + 1, request->target.length - path.length - 1};
    }
    x->request.endpoint = API_ENDPOINTS;
    bool found = route_find(&x->request, request->method, path, &x->problem);
    bool is_open = found && endpoint_of(x)->open;
    if (!is_open) {
        struct problem nowhere = x->problem;
        if (!authorize(x, &request->head)) {
            return false;
        }
        x->problem = nowhere;
    }
    if (!found) {
        return false;
    }
    groups_read();
    if (!arguments_read(&x->request, query, &x->problem) || !read_key(x, &request->head) ||
        !check_body(x, &request->head)) {
        return false;
    }
    return x->request.endpoint != API_EVENTS || events_resume(x, &request->head);
}

static void begin_answer(struct exchange *x)
{
    x->phase = EXCHANGE_ANSWER;
    x->wake_ns = 0;
    x->give_up_ns = 0;
    memset(&x->at, 0, sizeof(x->at));
    if (x->problem.status == 0) {
        x->status = endpoint_of(x)->status;
        x->must_finish = endpoint_of(x)->finishes;
    }
}

static void note_etag(struct exchange *x, const struct http_head *head)
{
    struct http_text etag;
    char own[ETAG_BYTES];
    page_etag(own);
    if (x->request.endpoint == API_DASHBOARD && find_header(x, head, "if-none-match", &etag)) {
        x->unchanged = http_is(etag, own) || http_is(etag, "*");
    }
}

static bool contains(struct http_text text, const char *wanted)
{
    size_t length = strlen(wanted);
    for (size_t i = 0; i + length <= text.length; i++) {
        if (http_is_word((struct http_text){text.at + i, length}, wanted)) {
            return true;
        }
    }
    return false;
}

/* Prometheus's older format is for who wants text and does not name the other. */
static void note_accept(struct exchange *x, const struct http_head *head)
{
    struct http_text rest = head->headers;
    struct http_header header;
    bool text = false;
    bool open = false;
    while (x->request.endpoint == API_METRICS && http_next_header(&rest, &header)) {
        if (http_is_word(header.name, "accept")) {
            text |= contains(header.value, "text/plain");
            open |= contains(header.value, "application/openmetrics-text");
        }
    }
    x->classic = text && !open;
}

void exchange_begin(struct exchange *x, const struct http_request *request)
{
    memset(x, 0, sizeof(*x));
    api.requests++;
    x->length = LENGTH_UNKNOWN;
    x->keep_alive = request->head.keep_alive;
    x->minor_0 = request->head.minor == 0;
    x->head_only = http_is(request->method, "HEAD");
    x->body_left = request->head.has_length ? request->head.length : 0;
    x->body_hash = KEYS_HASH;
    if (request->head.has_coding) {
        x->keep_alive = false;
    }
    if (!understand(x, request)) {
        begin_answer(x);
        return;
    }
    note_etag(x, &request->head);
    note_accept(x, &request->head);
    if (x->problem.status == 0 && endpoint_of(x)->body == BODY_IMAGE) {
        upload_begin(x);
    }
    json_begin(&x->at.json);
    x->phase = EXCHANGE_BODY;
    if (x->body_left == 0 || x->problem.status != 0) {
        (void)exchange_body(x, "", 0);
    }
}

void exchange_refuse(struct exchange *x, unsigned status, const char *detail)
{
    memset(x, 0, sizeof(*x));
    api.requests++;
    x->length = LENGTH_UNKNOWN;
    problem_plain(&x->problem, status, "%s", detail);
    begin_answer(x);
}

static void judge_json(struct exchange *x)
{
    const struct json *j = &x->at.json;
    switch (j->error) {
    case JSON_REFUSED: /* the field's function has said why */
        break;
    case JSON_NESTED:
        problem_field(&x->problem, 400, j->key, text_of(""), "no array and no object");
        break;
    case JSON_LONG:
        problem_field(&x->problem, 400, "body", text_of(j->key),
                      "a key has at most %u bytes, a value %u", JSON_KEY_MAX, JSON_TEXT_MAX);
        break;
    default:
        problem_plain(&x->problem, 400, "body: no JSON object at byte %lu",
                      (unsigned long)j->bytes);
        break;
    }
}

static void take_json(struct exchange *x, const char *data, size_t length)
{
    struct body_context context = {&x->request, &x->problem};
    x->body_hash = keys_hash(x->body_hash, data, length);
    if (!json_feed(&x->at.json, data, length, body_field, &context)) {
        judge_json(x);
    }
}

static void end_body(struct exchange *x)
{
    bool optional = endpoint_of(x)->body == BODY_OPTIONAL && x->at.json.bytes == 0;
    bool json = endpoint_of(x)->body == BODY_JSON || endpoint_of(x)->body == BODY_OPTIONAL;
    if (x->problem.status == 0 && json && !optional && !json_whole(&x->at.json)) {
        judge_json(x);
    }
    if (x->problem.status == 0 && json) {
        (void)body_complete(&x->request, &x->problem);
    }
    begin_answer(x);
}

size_t exchange_body(struct exchange *x, const char *data, size_t length)
{
    size_t taken = length < x->body_left ? length : (size_t)x->body_left;
    if (x->problem.status == 0 && taken > 0) {
        switch (endpoint_of(x)->body) {
        case BODY_IMAGE:
            taken = upload_take(x, data, taken);
            break;
        case BODY_TEXT:
            taken = console_take(x, data, taken);
            break;
        default:
            take_json(x, data, taken);
            break;
        }
    }
    x->body_left -= taken;
    if (x->body_left == 0 || x->problem.status != 0 || x->phase == EXCHANGE_ANSWER) {
        end_body(x);
    }
    return taken;
}

void exchange_end(struct exchange *x)
{
    work_area_leave(x);
    upload_leave(x);
    x->phase = EXCHANGE_OVER;
}
