/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The supervisor: the one VM that may use vm_control, and an API over HTTP for it. Its memory is
 * what bounds it: with the pages that it shares with its template taken off, all of it is less
 * than 512 KiB.
 */
#include "guests/rt/console.h"
#include "guests/rt/hypercall.h"
#include "guests/rt/image.h"
#include "guests/rt/net.h"
#include "guests/rt/time.h"
#include "guests/supervisor/connection.h"

TOKLAT_IMAGE(676 * 1024, 16 * 1024, TOKLAT_IMAGE_CHECKPOINT);

extern const char page_data[];
extern const char page_data_end[];

uint64_t platform_now_ns(void)
{
    return time_machine_ns();
}

bool platform_date(char date[30])
{
    uint64_t wall_ns = time_wall_ns();
    _Static_assert(TIME_HTTP_BYTES == 30, "as platform_date() says");
    if (wall_ns != 0) {
        time_format_http(date, wall_ns);
    }
    return wall_ns != 0;
}

struct http_text platform_page(void)
{
    return (struct http_text){page_data, (size_t)(page_data_end - page_data)};
}

int guest_main(void)
{
    if (!net_init()) {
        return 1;
    }
    if (!server_listen()) {
        console_printf("the supervisor cannot listen\n");
        return 2;
    }
    net_work(server_work);
    checkpoint();
    const struct toklat_system_page *page = system_page();
    api_begin(page->args, page->vm_number, page->ipv4);
    if (!api.has_token) {
        console_printf("no token= and 64 hexadecimal digits in args: only health is answered\n");
    }
    net_run();
    return RT_EXIT_OK;
}
