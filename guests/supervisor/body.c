/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fields of JSON bodies.
 */
#include "guests/supervisor/json.h"
#include "guests/supervisor/request.h"

enum { GIVEN_IMAGE = 1, GIVEN_COUNT = 2, GIVEN_START = 4, GIVEN_WEIGHT = 8, GIVEN_LIMIT = 16 };

static bool set_image(struct request *r, const struct json_value *v, struct problem *p)
{
    struct http_text text = {v->text, v->length};
    return (v->type == JSON_STRING && request_name(r->create.image, text)) ||
           problem_field(p, 400, "image", text, "an image's name");
}

static bool set_count(struct request *r, const struct json_value *v, struct problem *p)
{
    if (v->type != JSON_INTEGER || v->integer < 1 || v->integer > CREATE_COUNT_MAX) {
        return problem_field(p, 400, "count", (struct http_text){v->text, v->length},
                             "from 1 to %u", CREATE_COUNT_MAX);
    }
    r->create.count = (uint32_t)v->integer;
    return true;
}

static bool set_start(struct request *r, const struct json_value *v, struct problem *p)
{
    r->create.start = v->type == JSON_TRUE;
    return v->type == JSON_TRUE || v->type == JSON_FALSE ||
           problem_field(p, 400, "start", (struct http_text){v->text, v->length}, "true or false");
}

static bool set_weight(struct request *r, const struct json_value *v, struct problem *p)
{
    if (v->type != JSON_INTEGER || v->integer < 1 || v->integer > UINT16_MAX) {
        return problem_field(p, 400, "weight", (struct http_text){v->text, v->length},
                             "from 1 to %u", UINT16_MAX);
    }
    r->patch.has_weight = true;
    r->patch.weight = (uint32_t)v->integer;
    return true;
}

static bool set_limit(struct request *r, const struct json_value *v, struct problem *p)
{
    bool sound = v->type == JSON_INTEGER && v->integer <= TOKLAT_MEMORY_MAX &&
                 v->integer % TOKLAT_PAGE_BYTES == 0;
    r->patch.has_limit = true;
    r->patch.limit_bytes = v->integer;
    return sound ||
           problem_field(p, 400, "memory_limit_bytes", (struct http_text){v->text, v->length},
                         "a multiple of %u from 0, which is none, to %u", TOKLAT_PAGE_BYTES,
                         TOKLAT_MEMORY_MAX);
}

static const struct field {
    enum endpoint endpoint;
    const char *key;
    uint32_t given;
    bool (*set)(struct request *r, const struct json_value *v, struct problem *p);
} fields[] = {
    {API_VMS_CREATE, "image", GIVEN_IMAGE, set_image},
    {API_VMS_CREATE, "count", GIVEN_COUNT, set_count},
    {API_VMS_CREATE, "start", GIVEN_START, set_start},
    {API_VM_CLONE, "count", GIVEN_COUNT, set_count},
    {API_IMAGE_PATCH, "weight", GIVEN_WEIGHT, set_weight},
    {API_IMAGE_PATCH, "memory_limit_bytes", GIVEN_LIMIT, set_limit},
};

bool body_field(void *context, const char *key, const struct json_value *value)
{
    struct body_context *body = context;
    struct request *r = body->request;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i].endpoint != r->endpoint || strcmp(fields[i].key, key) != 0) {
            continue;
        }
        if ((r->given & fields[i].given) != 0) {
            return problem_field(body->problem, 400, key,
                                 (struct http_text){value->text, value->length}, "given once");
        }
        r->given |= fields[i].given;
        return fields[i].set(r, value, body->problem);
    }
    return problem_field(body->problem, 400, "body", text_of(key), "no such field here");
}

bool body_complete(struct request *r, struct problem *p)
{
    if (r->endpoint == API_VMS_CREATE && (r->given & GIVEN_IMAGE) == 0) {
        return problem_field(p, 400, "image", text_of(""), "has to be given");
    }
    if (r->endpoint == API_IMAGE_PATCH && r->given == 0) {
        return problem_field(p, 400, "body", text_of(""), "weight, memory_limit_bytes or both");
    }
    return true;
}
