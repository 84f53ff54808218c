/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toklat push: an ELF file becomes an image of the running machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/toklat/client/clean.h"
#include "tools/toklat/client/commands.h"
#include "tools/toklat/client/image.h"
#include "tools/toklat/client/options.h"

const char push_usage[] =
    "Usage: toklat push FILE [--name N] [--reserve R] [--network none|internal|uplink]\n"
    "                   [--weight W] [--memory BYTES] [--args TEXT] [--peer IMAGE[,IMAGE...]]\n"
    "                   [--no-wait] [--json]\n"
    "\n"
    "Uploads a guest, an ELF file of at most 2 MiB, as a new image, and waits until VMs can be "
    "made\n"
    "of it: `toklat run N` does.\n"
    "\n"
    "  --name N      normally the file's name without .elf\n"
    "  --reserve R   VM numbers that it takes, normally 100\n"
    "  --network     how far its VMs may talk, normally internal\n"
    "  --weight W    share of the CPU, 1 to 65535, normally 256\n"
    "  --memory B    bytes of each VM's memory, with K or M, normally as the file says\n"
    "  --args TEXT   for the guest\n"
    "  --peer I      images whose addresses the guest is told\n"
    "  --no-wait     returns when it is uploaded\n"
    "  --json        the image\n";

#define RESERVE_NORMAL 100u
#define RESERVE_MAX 1048576u
#define POLL_MS 50

/* At most one byte more than an image may have. */
static int read_file(const char *path, char **bytes, size_t *n)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = 0;
    *n = 0;
    *bytes = fd >= 0 ? malloc(IMAGE_BYTES_MAX + 1) : NULL;
    if (fd < 0 || fstat(fd, &status) != 0 || !*bytes) {
        complain("%s: %s", path, strerror(errno));
    } else {
        while (*n <= IMAGE_BYTES_MAX &&
               (got = read(fd, *bytes + *n, IMAGE_BYTES_MAX + 1 - *n)) > 0) {
            *n += (size_t)got;
        }
        if (got < 0) {
            complain("%s: %s", path, strerror(errno));
        } else if (*n > IMAGE_BYTES_MAX) {
            complain("%s: size: %jd bytes: at most %u", path, (intmax_t)status.st_size,
                     IMAGE_BYTES_MAX);
            got = -1;
        }
    }
    bool well = fd >= 0 && *bytes && got >= 0;
    if (fd >= 0) {
        close(fd);
    }
    return well ? EXIT_CLEAN : EXIT_OPERATIONAL;
}

static void bar(void *context, uint64_t sent, uint64_t all)
{
    struct progress *p = context;
    p->total = all ? all : 1;
    progress_show(p, sent);
}

static void add_text(char *path, const char *name, const char *value)
{
    char part[API_PART_BYTES * 4];
    size_t n = strlen(path), used = 0;
    /* A part of a query at a time: api_part() cuts what is long. */
    for (const char *p = value; p && *p && used + API_PART_BYTES < sizeof(part);) {
        char piece[65], escaped[API_PART_BYTES];
        size_t take = MIN(strlen(p), sizeof(piece) - 1);
        memcpy(piece, p, take);
        piece[take] = 0;
        used += (size_t)sprintf(part + used, "%s", api_part(escaped, piece));
        p += take;
    }
    if (value) {
        part[used] = 0;
        snprintf(path + n, API_PATH_BYTES - n, "&%s=%s", name, part);
    }
}

static void add_number(char *path, const char *name, uint64_t value)
{
    size_t n = strlen(path);
    if (value) {
        snprintf(path + n, API_PATH_BYTES - n, "&%s=%ju", name, (uintmax_t)value);
    }
}

/* Until it is no longer booting: *image is what is said of it then. */
static int wait_ready(struct api *a, const char *name, json_t **image)
{
    char part[API_PART_BYTES];
    uint64_t end = time_now_ns() + IMAGE_WAIT_S * NS_PER_S;
    const struct timespec pause = {.tv_nsec = POLL_MS * (long)NS_PER_MS};
    int code = EXIT_CLEAN;
    while (code == EXIT_CLEAN && !strcmp(member_text(*image, "state"), "booting")) {
        if (time_now_ns() > end) {
            complain("%s: not ready within %u s", name, IMAGE_WAIT_S);
            return EXIT_REFUSED;
        }
        nanosleep(&pause, NULL);
        json_decref(*image);
        *image = NULL;
        code = api_get(a, image, "/v1/images/%s", api_part(part, name));
    }
    if (code == EXIT_CLEAN && strcmp(member_text(*image, "state"), "ready") != 0) {
        complain("%s: its template did not reach checkpoint(): `toklat events` may say why", name);
        return EXIT_REFUSED;
    }
    return code;
}

int image_push(struct api *a, const struct image_new *new, bool wait, json_t **image)
{
    char path[API_PATH_BYTES];
    struct api_request r = {.method = "POST", .path = path, .type = "application/octet-stream"};
    static struct progress p;
    char *bytes;
    const char *file = strrchr(new->path, '/');
    int code = read_file(new->path, &bytes, &r.body_bytes);
    *image = NULL;
    if (code == EXIT_CLEAN) {
        snprintf(path, sizeof(path), "/v1/images?reserve=%ju", (uintmax_t) new->reserve);
        add_text(path, "name", new->name);
        add_text(path, "file", new->file ? new->file : file ? file + 1 : new->path);
        add_text(path, "network", new->network);
        add_text(path, "args", new->args);
        add_text(path, "peers", new->peers);
        add_number(path, "weight", new->weight);
        add_number(path, "memory", new->memory);
        r.body = bytes;
        progress_begin(&p, new->name, r.body_bytes);
        a->tick = bar;
        a->tick_context = &p;
        a->about = new->name;
        code = api_do(a, &r, image);
        a->tick = NULL;
        progress_end(&p);
        if (code == EXIT_CLEAN && wait) {
            code = wait_ready(a, new->name, image);
        }
        a->about = NULL;
    }
    free(bytes);
    return code;
}

/* "folder/web.elf" -> "web" */
static void name_of(const char *path, char *name, size_t size)
{
    const char *slash = strrchr(path, '/');
    snprintf(name, size, "%s", slash ? slash + 1 : path);
    size_t n = strlen(name);
    if (n > 4 && !strcmp(name + n - 4, ".elf")) {
        name[n - 4] = 0;
    }
}

static void show(const struct image_new *new, const json_t *image)
{
    uint64_t first = member_number(image, "first_vm");
    uint64_t count = member_number(image, "instances") + member_number(image, "reserve");
    clean_put(new->name, stdout);
    printf(" is ");
    clean_put(member_text(image, "state"), stdout);
    printf(": VMs %ju-%ju; `toklat run %s` makes one\n", (uintmax_t)first,
           (uintmax_t)(first + count - 1), new->name);
}

int push_command(int argc, char **argv)
{
    char name[64];
    struct image_new new = {.reserve = RESERVE_NORMAL};
    bool no_wait = false;
    json_t *image;
    struct api a;
    const struct option_row rows[] = {
        {"name", 0, OPTION_TEXT, &new.name, 0, 0},
        {"reserve", 0, OPTION_NUMBER, &new.reserve, 1, RESERVE_MAX},
        {"network", 0, OPTION_TEXT, &new.network, 0, 0},
        {"weight", 0, OPTION_NUMBER, &new.weight, 1, UINT16_MAX},
        {"memory", 0, OPTION_SIZE, &new.memory, 1, UINT32_MAX},
        {"args", 0, OPTION_TEXT, &new.args, 0, 0},
        {"peer", 0, OPTION_TEXT, &new.peers, 0, 0},
        {"no-wait", 0, OPTION_FLAG, &no_wait, 0, 0},
    };
    int code = options_parse(argc, argv, push_usage, rows, ARRAY_SIZE(rows), 1, 1);
    if (code != OPTIONS_GO || (code = api_open(&a)) != EXIT_CLEAN) {
        return code;
    }
    new.path = argv[optind];
    if (!new.name) {
        name_of(new.path, name, sizeof(name));
        new.name = name;
    }
    code = image_push(&a, &new, !no_wait, &image);
    if (image && options_json) {
        show_json(image);
    } else if (image && code == EXIT_CLEAN) {
        show(&new, image);
    }
    json_decref(image);
    api_close(&a);
    return code;
}
