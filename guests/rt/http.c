/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parsing of HTTP/1 heads. Every function works within a struct http_text and cannot leave it.
 */
#include "guests/rt/http.h"

#include <string.h>

static const char token_marks[] = "!#$%&'*+-.^_`|~";

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_token(struct http_text text)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        bool letter = lower(c) >= 'a' && lower(c) <= 'z';
        bool digit = c >= '0' && c <= '9';
        if (!letter && !digit && (c == '\0' || strchr(token_marks, c) == NULL)) {
            return false;
        }
    }
    return text.length > 0;
}

static bool is_visible(struct http_text text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] <= ' ' || text.at[i] == 0x7f) {
            return false;
        }
    }
    return text.length > 0;
}

bool http_is(struct http_text text, const char *wanted)
{
    return text.length == strlen(wanted) && memcmp(text.at, wanted, text.length) == 0;
}

bool http_is_word(struct http_text text, const char *wanted)
{
    for (size_t i = 0; i < text.length; i++) {
        if (wanted[i] == '\0' || lower(text.at[i]) != lower(wanted[i])) {
            return false;
        }
    }
    return wanted[text.length] == '\0';
}

bool http_number(struct http_text text, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        if (c < '0' || c > '9' || *value > (INT64_MAX - 9) / 10) {
            return false;
        }
        *value = *value * 10 + (uint64_t)(c - '0');
    }
    return text.length > 0;
}

/* Splits at the first `mark`: returns what is before it, leaves what is behind. Without a mark it
 * takes everything. */
static struct http_text take_until(struct http_text *rest, char mark)
{
    struct http_text taken = *rest;
    const char *found = memchr(rest->at, mark, rest->length);
    if (found != NULL) {
        taken.length = (size_t)(found - rest->at);
    }
    size_t skip = taken.length + (found != NULL ? 1 : 0);
    rest->at += skip;
    rest->length -= skip;
    return taken;
}

static struct http_text trim(struct http_text text)
{
    while (text.length > 0 && (*text.at == ' ' || *text.at == '\t')) {
        text.at++;
        text.length--;
    }
    while (text.length > 0 &&
           (text.at[text.length - 1] == ' ' || text.at[text.length - 1] == '\t')) {
        text.length--;
    }
    return text;
}

/* Takes a line without its CRLF. False if there is no whole line, or CR, LF or NUL within it. */
static bool take_line(struct http_text *rest, struct http_text *line)
{
    if (memchr(rest->at, '\n', rest->length) == NULL) {
        return false;
    }
    *line = take_until(rest, '\n');
    if (line->length == 0 || line->at[line->length - 1] != '\r') {
        return false;
    }
    line->length--;
    return memchr(line->at, '\r', line->length) == NULL &&
           memchr(line->at, '\0', line->length) == NULL;
}

bool http_next_header(struct http_text *lines, struct http_header *header)
{
    struct http_text line;
    if (!take_line(lines, &line) || memchr(line.at, ':', line.length) == NULL) {
        return false;
    }
    header->name = take_until(&line, ':');
    header->value = trim(line);
    return is_token(header->name);
}

static void apply_connection(struct http_head *head, struct http_text value)
{
    while (value.length > 0) {
        struct http_text option = trim(take_until(&value, ','));
        if (http_is_word(option, "close")) {
            head->keep_alive = false;
            return;
        }
        head->keep_alive |= http_is_word(option, "keep-alive");
    }
}

/* False if the header makes the message's end uncertain. */
static bool apply_header(struct http_head *head, const struct http_header *header)
{
    if (http_is_word(header->name, "connection")) {
        apply_connection(head, header->value);
    } else if (http_is_word(header->name, "host")) {
        head->hosts++;
    } else if (http_is_word(header->name, "transfer-encoding")) {
        head->has_coding = true;
    } else if (http_is_word(header->name, "content-length")) {
        bool again = head->has_length;
        head->has_length = true;
        return !again && http_number(header->value, &head->length);
    }
    return true;
}

static bool parse_headers(struct http_head *head)
{
    struct http_text rest = head->headers;
    struct http_header header;
    head->keep_alive = head->minor >= 1;
    while (rest.length > 0) {
        if (!http_next_header(&rest, &header) || !apply_header(head, &header)) {
            return false;
        }
    }
    return !(head->has_coding && head->has_length);
}

/* Where the head ends, its empty line included; 0 if it does not yet. */
static size_t find_end(const char *data, size_t length)
{
    for (size_t i = 3; i < length; i++) {
        if (data[i] == '\n' && memcmp(&data[i - 3], "\r\n\r\n", 4) == 0) {
            return i + 1;
        }
    }
    return 0;
}

static bool has_bare_newline(const char *data, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (data[i] == '\n' && (i == 0 || data[i - 1] != '\r')) {
            return true;
        }
    }
    return false;
}

/* "HTTP/1.x" gives OK and the x; another HTTP version 505; anything else 400. */
static int parse_version(struct http_text text, unsigned *minor)
{
    if (text.length != 8 || memcmp(text.at, "HTTP/", 5) != 0 || text.at[6] != '.' ||
        text.at[5] < '0' || text.at[5] > '9' || text.at[7] < '0' || text.at[7] > '9') {
        return 400;
    }
    *minor = (unsigned)(text.at[7] - '0');
    return text.at[5] == '1' ? HTTP_OK : 505;
}

/* Turns the absolute form into the origin form (RFC 9112, 3.2.2). */
static bool to_origin_form(struct http_text *target)
{
    static const char scheme[] = "http://";
    if (!is_visible(*target)) {
        return false;
    }
    if (*target->at == '/' || http_is(*target, "*")) {
        return true;
    }
    if (target->length < sizeof(scheme) || memcmp(target->at, scheme, sizeof(scheme) - 1) != 0) {
        return false;
    }
    target->at += sizeof(scheme) - 1;
    target->length -= sizeof(scheme) - 1;
    const char *path = memchr(target->at, '/', target->length);
    if (path == NULL) {
        *target = (struct http_text){"/", 1};
        return true;
    }
    target->length -= (size_t)(path - target->at);
    target->at = path;
    return true;
}

static int parse_request_line(struct http_request *request, struct http_text line)
{
    request->method = take_until(&line, ' ');
    request->target = take_until(&line, ' ');
    if (!is_token(request->method) || !to_origin_form(&request->target)) {
        return 400;
    }
    return parse_version(line, &request->head.minor);
}

/* For a head whose end is not there: does it still have a chance? */
static int judge_incomplete(const char *data, size_t length, size_t line_max, size_t head_max)
{
    size_t line = length;
    const char *end = memchr(data, '\n', length);
    if (end != NULL) {
        line = (size_t)(end - data);
    }
    if (line > line_max + 1) {
        return 414;
    }
    if (has_bare_newline(data, length)) {
        return 400;
    }
    return length > head_max ? 431 : HTTP_INCOMPLETE;
}

int http_parse_request(struct http_request *request, const char *data, size_t length,
                       size_t line_max, size_t head_max)
{
    size_t skip = 0;
    *request = (struct http_request){0};
    while (length - skip >= 2 && memcmp(&data[skip], "\r\n", 2) == 0) {
        skip += 2; /* empty lines before a request are ignored (RFC 9112, 2.2) */
    }
    size_t end = find_end(&data[skip], length - skip);
    if (end == 0) {
        return judge_incomplete(&data[skip], length - skip, line_max, head_max);
    }
    struct http_text rest = {&data[skip], end - 2};
    struct http_text line;
    bool whole = take_line(&rest, &line);
    if (whole && line.length > line_max) {
        return 414;
    }
    if (end > head_max) {
        return 431;
    }
    request->head.bytes = skip + end;
    request->head.headers = rest;
    int status = whole ? parse_request_line(request, line) : 400;
    if (status != HTTP_OK) {
        return status;
    }
    bool sound = parse_headers(&request->head) && request->head.hosts <= 1 &&
                 (request->head.minor == 0 || request->head.hosts == 1);
    return sound ? HTTP_OK : 400;
}

int http_parse_response(struct http_response *response, const char *data, size_t length,
                        size_t head_max)
{
    *response = (struct http_response){0};
    size_t end = find_end(data, length);
    if (end == 0) {
        return length > head_max ? 502 : HTTP_INCOMPLETE;
    }
    struct http_text rest = {data, end - 2};
    struct http_text line;
    if (end > head_max || !take_line(&rest, &line)) {
        return 502;
    }
    response->head.bytes = end;
    response->head.headers = rest;
    uint64_t status = 0;
    struct http_text version = take_until(&line, ' ');
    struct http_text code = take_until(&line, ' ');
    if (parse_version(version, &response->head.minor) != HTTP_OK || code.length != 3 ||
        !http_number(code, &status) || !parse_headers(&response->head)) {
        return 502;
    }
    response->status = (unsigned)status;
    return HTTP_OK;
}

const char *http_reason(unsigned status)
{
    static const struct {
        unsigned status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {201, "Created"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {303, "See Other"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "Error";
}
