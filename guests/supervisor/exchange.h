/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An exchange: one request and its answer, without the network. Bytes go in, pieces of the answer
 * come out, and nothing of either is kept as a whole:
 *
 *   exchange_begin(head) -> BODY: exchange_body()... -> ANSWER: exchange_answer()... -> OVER
 *
 * What an answer needs is asked of EL2 in batches while it is written. An exchange that has to
 * wait says until when, or for what; exchange_answer() is then called again.
 */
#ifndef GUESTS_SUPERVISOR_EXCHANGE_H
#define GUESTS_SUPERVISOR_EXCHANGE_H

#include "guests/supervisor/json.h"
#include "guests/supervisor/metrics.h"
#include "guests/supervisor/request.h"
#include "guests/supervisor/token.h"

#define API_HEAD_MAX 4096                /* of a request: else 431 */
#define API_LINE_MAX 3072                /* its first line: else 414 */
#define API_BODY_MAX 65536               /* else 413, but for an image: TOKLAT_IMAGE_BYTES_MAX */
#define API_CONSOLE_MAX 4096             /* console input: else 413 */
#define API_BUSY_NS 2000000000ull        /* for what another change of a VM makes wait: else 409 */
#define API_CHECKPOINT_NS 10000000000ull /* until a record is safe: else 504 */
#define API_RETRY_NS 5000000ull          /* between attempts */
#define API_ALIVE_NS 15000000000ull      /* between signs of life of an event stream */
#define API_INPUT_NS 1000000000ull   /* a VM that takes no console input for that long is full */
#define API_BATCH TOKLAT_VM_READ_MAX /* VMs that one step changes */
#define API_STEP_READS 16            /* batches that one step looks at */

enum step {
    STEP_MORE,  /* at once, when there is room */
    STEP_LATER, /* at wake_ns, or when the journal has more */
    STEP_DONE
};

enum exchange_phase { EXCHANGE_BODY, EXCHANGE_ANSWER, EXCHANGE_OVER };

#define NEVER UINT64_MAX
#define LENGTH_UNKNOWN UINT64_MAX

/* Where a list of VMs is. */
struct list_cursor {
    uint32_t next; /* number to read from; 0: at the end */
    uint32_t end;  /* this number and those above are not listed */
    uint32_t written;
    uint32_t last; /* number that was written last */
    uint8_t stage;
};

struct map_cursor {
    uint32_t group;
    uint32_t next; /* number */
    uint32_t run;  /* its length so far */
    char letter;
    uint8_t stage;
};

struct footprint_cursor {
    uint32_t group;
    uint32_t next;
    uint8_t stage;
};

struct action_cursor {
    uint32_t done;  /* VMs made */
    uint32_t range; /* of request.ranges, and the number in it */
    uint32_t next;
    uint32_t deleted;
    uint32_t group;
    uint64_t record;   /* before a checkpoint */
    uint32_t starting; /* made, and still to be started */
    uint8_t stage;
    struct problem refusal; /* what stopped the making */
    struct ranges made;
};

struct journal_cursor {
    uint64_t at;
    uint64_t end;  /* of what is counted first */
    uint32_t skip; /* lines */
    uint64_t machine_due_ns;
    uint64_t alive_due_ns;
    uint8_t stage;
};

struct metrics_state {
    struct metrics_cursor cursor;
    uint32_t next; /* number */
    uint8_t stage;
};

struct exchange {
    struct request request;
    struct problem problem;
    uint8_t phase; /* enum exchange_phase */
    bool keep_alive;
    bool head_only;
    bool minor_0; /* HTTP/1.0: no chunks */
    bool head_sent;
    bool chunked;
    bool flush;         /* the head goes out though nothing follows it yet */
    bool wants_journal; /* to be called when TOKLAT_EVENT_CONSOLE came */
    bool holds_area;    /* work_area.h */
    bool holds_upload;
    bool must_finish; /* goes on when the client has gone */
    bool classic;     /* metrics in their older format */
    bool unchanged;   /* If-None-Match names what we have */
    bool counted;     /* among those that were refused */
    uint16_t status;  /* of the answer, if it is no problem */
    uint64_t length;  /* of the answer, if it is known before its end */
    uint64_t body_left;
    uint64_t body_hash;
    uint64_t wake_ns;
    uint64_t give_up_ns; /* 0: not waiting yet */
    uint32_t taken;      /* bytes of console input */
    size_t sent;         /* bytes of the page, or items */
    union {
        struct json json; /* while the body comes */
        struct list_cursor list;
        struct map_cursor map;
        struct footprint_cursor footprint;
        struct action_cursor action;
        struct journal_cursor journal;
        struct metrics_state metrics;
        uint32_t index;
    } at;
};

/* What all exchanges share. */
struct api {
    bool has_token;
    char token[TOKEN_CHARACTERS];
    struct bucket guesses;
    uint64_t requests;
    uint64_t refused;
    uint32_t own_number; /* the supervisor's */
    uint8_t own_ipv4[4];
    uint32_t connections;
};
extern struct api api;

/* Takes the token from the VM's args and says who we are. */
void api_begin(const char *args, uint32_t own_number, const uint8_t own_ipv4[4]);

void exchange_begin(struct exchange *x, const struct http_request *head);

/* A head that cannot be understood: `status` is http_parse_request()'s. Or any other answer
 * without a request. */
void exchange_refuse(struct exchange *x, unsigned status, const char *detail);

/* Takes bytes of the body; returns how many. Fewer than there are: the rest at wake_ns, or, if the
 * phase is another now, not at all. */
size_t exchange_body(struct exchange *x, const char *data, size_t length);

/* Writes the next piece of the answer, framed, into `buffer`. `size` is at least ANSWER_MIN. A
 * piece may be empty. After STEP_DONE the phase is OVER; keep_alive says whether another request
 * may follow. */
#define ANSWER_ROOM 700 /* for head and framing */
#define ANSWER_MIN (ANSWER_ROOM + OUT_ITEM_MAX)
enum step exchange_answer(struct exchange *x, char *buffer, size_t size, struct http_text *piece);

/* Gives back what it holds. */
void exchange_end(struct exchange *x);

/* --- what the machine that it runs on provides --- */

uint64_t platform_now_ns(void);
bool platform_date(char date[30]); /* as HTTP writes it; false if nobody knows */
struct http_text platform_page(void);

#endif
