/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Queries: which parameters each request may have, what they may be, and what they are when they
 * are not given. An unknown parameter, or one given twice, is refused.
 */
#include "guests/supervisor/groups.h"
#include "guests/supervisor/metrics.h"
#include "guests/supervisor/query.h"
#include "guests/supervisor/request.h"

#define VALUE_MAX 2048 /* 64 ranges of the highest numbers are 1,023 characters */

struct parameter {
    enum endpoint endpoint;
    const char *name;
    bool (*set)(struct request *r, const struct parameter *self, struct http_text value,
                struct problem *p);
    uint64_t least;
    uint64_t most;
};

static const char *const state_names[TOKLAT_VM_STATES] = {"defined", "running", "runnable", "idle",
                                                          "waiting", "stored",  "paused",   "dead"};
static const char *const sort_names[] = {"number", "uss", "cpu", "rx", "stored", NULL};
static const char *const order_names[] = {"asc", "desc", NULL};
static const char *const fields_names[] = {"full", "list", "brief", NULL};
static const char *const network_names[] = {"none", "internal", "uplink", NULL};

static bool read_number(const struct parameter *self, struct http_text value, uint64_t *number,
                        struct problem *p)
{
    if (!http_number(value, number) || *number < self->least || *number > self->most) {
        return problem_field(p, 400, self->name, value, "from %lu to %lu",
                             (unsigned long)self->least, (unsigned long)self->most);
    }
    return true;
}

/* The index of a word in a list that NULL ends; at its end if it is not there. */
static unsigned find_word(const char *const *words, struct http_text value)
{
    unsigned i = 0;
    while (words[i] != NULL && !http_is(value, words[i])) {
        i++;
    }
    return i;
}

static bool read_name(const struct parameter *self, struct http_text value,
                      char to[TOKLAT_NAME_BYTES], struct problem *p)
{
    return request_name(to, value) ||
           problem_field(p, 400, self->name, value, "1 to %u letters, digits, '-', '_' or '.'",
                         TOKLAT_NAME_BYTES - 1);
}

static bool set_list_image(struct request *r, const struct parameter *self, struct http_text value,
                           struct problem *p)
{
    return read_name(self, value, r->list.image, p);
}

static bool set_state(struct request *r, const struct parameter *self, struct http_text value,
                      struct problem *p)
{
    for (unsigned i = 0; i < TOKLAT_VM_STATES; i++) {
        if (http_is(value, state_names[i])) {
            r->list.state = (uint8_t)i;
            return true;
        }
    }
    return problem_field(p, 400, self->name, value,
                         "defined, running, runnable, idle, waiting, stored, paused or dead");
}

static bool set_after(struct request *r, const struct parameter *self, struct http_text value,
                      struct problem *p)
{
    uint64_t number = 0;
    bool sound = read_number(self, value, &number, p);
    r->list.after = (uint32_t)number;
    return sound;
}

static bool set_limit(struct request *r, const struct parameter *self, struct http_text value,
                      struct problem *p)
{
    uint64_t number = 0;
    bool sound = read_number(self, value, &number, p);
    r->list.limit = (uint32_t)number;
    return sound;
}

static bool set_sort(struct request *r, const struct parameter *self, struct http_text value,
                     struct problem *p)
{
    r->list.sort = (uint8_t)find_word(sort_names, value);
    return sort_names[r->list.sort] != NULL ||
           problem_field(p, 400, self->name, value, "number, uss, cpu, rx or stored");
}

static bool set_order(struct request *r, const struct parameter *self, struct http_text value,
                      struct problem *p)
{
    unsigned i = find_word(order_names, value);
    r->list.order = (uint8_t)(ORDER_ASCENDING + i);
    return order_names[i] != NULL || problem_field(p, 400, self->name, value, "asc or desc");
}

static bool set_fields(struct request *r, const struct parameter *self, struct http_text value,
                       struct problem *p)
{
    r->list.fields = (uint8_t)find_word(fields_names, value);
    return fields_names[r->list.fields] != NULL ||
           problem_field(p, 400, self->name, value, "full, list or brief");
}

static bool set_numbers(struct request *r, const struct parameter *self, struct http_text value,
                        struct problem *p)
{
    return ranges_parse(&r->ranges, value) ||
           problem_field(p, 400, self->name, value,
                         "1 to %u ascending numbers or ranges, as 2-100,105, of numbers from 1 "
                         "to %u",
                         RANGES_MAX, RANGES_NUMBER_MAX);
}

static bool set_follow(struct request *r, const struct parameter *self, struct http_text value,
                       struct problem *p)
{
    uint64_t number = 0;
    bool sound = read_number(self, value, &number, p);
    r->console.follow = number != 0;
    return sound;
}

static bool set_lines(struct request *r, const struct parameter *self, struct http_text value,
                      struct problem *p)
{
    uint64_t number = 0;
    bool sound = read_number(self, value, &number, p);
    r->console.has_lines = true;
    r->console.lines = (uint32_t)number;
    return sound;
}

static bool set_cursor(struct request *r, const struct parameter *self, struct http_text value,
                       struct problem *p)
{
    r->events.has_after = true;
    return read_number(self, value, &r->events.after, p);
}

static bool set_machine(struct request *r, const struct parameter *self, struct http_text value,
                        struct problem *p)
{
    uint64_t number = 0;
    bool sound = read_number(self, value, &number, p);
    r->events.machine_s = (uint32_t)number;
    return sound;
}

static bool set_top(struct request *r, const struct parameter *self, struct http_text value,
                    struct problem *p)
{
    uint64_t number = 0;
    bool sound = read_number(self, value, &number, p);
    r->top = (uint32_t)number;
    return sound;
}

static bool set_load_name(struct request *r, const struct parameter *self, struct http_text value,
                          struct problem *p)
{
    return read_name(self, value, r->load.name, p);
}

static bool set_text(const struct parameter *self, struct http_text value, char *to, size_t size,
                     struct problem *p)
{
    if (value.length >= size) {
        return problem_field(p, 400, self->name, value, "at most %zu bytes", size - 1);
    }
    memcpy(to, value.at, value.length);
    return true;
}

static bool set_file(struct request *r, const struct parameter *self, struct http_text value,
                     struct problem *p)
{
    return set_text(self, value, r->load.file, sizeof(r->load.file), p);
}

static bool set_args(struct request *r, const struct parameter *self, struct http_text value,
                     struct problem *p)
{
    return set_text(self, value, r->load.args, sizeof(r->load.args), p);
}

static bool set_load_number(struct request *r, const struct parameter *self, struct http_text value,
                            struct problem *p)
{
    uint64_t number = 0;
    bool sound = read_number(self, value, &number, p);
    switch (self->name[0]) {
    case 'r':
        r->load.reserve = (uint32_t)number;
        break;
    case 'w':
        r->load.weight = (uint32_t)number;
        break;
    default:
        r->load.memory_bytes = (uint32_t)number;
        sound = sound &&
                (number % TOKLAT_PAGE_BYTES == 0 ||
                 problem_number(p, 400, self->name, number, "a multiple of %u", TOKLAT_PAGE_BYTES));
        break;
    }
    return sound;
}

static bool set_network(struct request *r, const struct parameter *self, struct http_text value,
                        struct problem *p)
{
    r->load.network = find_word(network_names, value);
    return network_names[r->load.network] != NULL ||
           problem_field(p, 400, self->name, value, "none, internal or uplink");
}

static bool set_peers(struct request *r, const struct parameter *self, struct http_text value,
                      struct problem *p)
{
    bool more = true;
    while (more) {
        const char *comma = memchr(value.at, ',', value.length);
        struct http_text name = {value.at, comma ? (size_t)(comma - value.at) : value.length};
        int group = groups_find(name);
        if (group < 0) {
            return problem_field(p, 400, self->name, name, "names of images that there are");
        }
        if (r->load.peer_count == TOKLAT_PEERS_MAX) {
            return problem_field(p, 400, self->name, name, "at most %u images", TOKLAT_PEERS_MAX);
        }
        r->load.peers[r->load.peer_count++] = (uint8_t)group;
        more = comma != NULL;
        value.at += name.length + (more ? 1 : 0);
        value.length -= name.length + (more ? 1 : 0);
    }
    return true;
}

static const struct parameter parameters[] = {
    {API_VMS, "image", set_list_image, 0, 0},
    {API_VMS, "state", set_state, 0, 0},
    {API_VMS, "after", set_after, 0, UINT32_MAX},
    {API_VMS, "limit", set_limit, 1, LIST_LIMIT_MAX},
    {API_VMS, "sort", set_sort, 0, 0},
    {API_VMS, "order", set_order, 0, 0},
    {API_VMS, "fields", set_fields, 0, 0},
    {API_VMS_DELETE, "numbers", set_numbers, 0, 0},
    {API_CONSOLE, "follow", set_follow, 0, 1},
    {API_CONSOLE, "lines", set_lines, 0, 1000000},
    {API_EVENTS, "after", set_cursor, 0, INT64_MAX},
    {API_EVENTS, "machine", set_machine, 1, 60},
    {API_METRICS, "top", set_top, 0, METRICS_TOP_MAX},
    {API_IMAGE_UPLOAD, "name", set_load_name, 0, 0},
    {API_IMAGE_UPLOAD, "reserve", set_load_number, 1, 1048576},
    {API_IMAGE_UPLOAD, "file", set_file, 0, 0},
    {API_IMAGE_UPLOAD, "network", set_network, 0, 0},
    {API_IMAGE_UPLOAD, "weight", set_load_number, 1, 65535},
    {API_IMAGE_UPLOAD, "memory", set_load_number, 0, TOKLAT_MEMORY_MAX},
    {API_IMAGE_UPLOAD, "args", set_args, 0, 0},
    {API_IMAGE_UPLOAD, "peers", set_peers, 0, 0},
};
#define PARAMETERS (sizeof(parameters) / sizeof(parameters[0]))

_Static_assert(PARAMETERS <= 32, "a bit of request.given for each");

static void set_defaults(struct request *r)
{
    r->given = 0;
    switch (r->endpoint) {
    case API_VMS:
        r->list = (struct list_request){.limit = LIST_LIMIT_DEFAULT, .state = STATE_ANY};
        break;
    case API_IMAGE_UPLOAD:
        memset(&r->load, 0, sizeof(r->load));
        r->load.network = TOKLAT_NETWORK_INTERNAL;
        break;
    case API_VMS_CREATE:
    case API_VM_CLONE:
        r->create = (struct create_request){.count = 1};
        break;
    default:
        memset(&r->events, 0, sizeof(r->events));
        memset(&r->console, 0, sizeof(r->console));
        r->ranges.count = 0;
        break;
    }
}

static bool take_parameter(struct request *r, struct http_text name, struct http_text encoded,
                           struct problem *p)
{
    static char value[VALUE_MAX];
    size_t length = 0;
    for (size_t i = 0; i < PARAMETERS; i++) {
        const struct parameter *self = &parameters[i];
        if (self->endpoint != r->endpoint || !http_is(name, self->name)) {
            continue;
        }
        if ((r->given & 1u << i) != 0) {
            return problem_field(p, 400, self->name, encoded, "given once");
        }
        if (!query_decode(encoded, value, sizeof(value), &length)) {
            return problem_field(p, 400, self->name, encoded,
                                 "UTF-8 without control characters, percent-encoded, at most %u "
                                 "bytes",
                                 VALUE_MAX - 1);
        }
        r->given |= 1u << i;
        return self->set(r, self, (struct http_text){value, length}, p);
    }
    return problem_field(p, 400, "query", name, "no such parameter here");
}

static bool check_whole(const struct request *r, struct problem *p)
{
    switch (r->endpoint) {
    case API_VMS_DELETE:
        return r->ranges.count > 0 ||
               problem_field(p, 400, "numbers", text_of(""), "has to be given");
    case API_IMAGE_UPLOAD:
        return (r->load.name[0] != '\0' ||
                problem_field(p, 400, "name", text_of(""), "has to be given")) &&
               (r->load.reserve != 0 ||
                problem_field(p, 400, "reserve", text_of(""), "has to be given"));
    case API_VMS:
        if ((r->list.sort != SORT_NUMBER || r->list.order == ORDER_DESCENDING) &&
            r->list.after != 0) {
            return problem_number(p, 400, "after", r->list.after, "only in order of number");
        }
        return true;
    default:
        return true;
    }
}

bool arguments_read(struct request *r, struct http_text query, struct problem *p)
{
    struct http_text name;
    struct http_text value;
    set_defaults(r);
    while (query_next(&query, &name, &value)) {
        if (name.length + value.length > 0 && !take_parameter(r, name, value, p)) {
            return false;
        }
    }
    if (r->endpoint == API_IMAGE_UPLOAD && r->load.file[0] == '\0') {
        memcpy(r->load.file, r->load.name, sizeof(r->load.name));
    }
    return check_whole(r, p);
}
