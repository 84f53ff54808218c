/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The search for a running machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/toklat/client/endpoint.h"
#include "tools/toklat/client/scan.h"
#include "tools/toklat/toklat.h"

bool endpoint_parse(const char *text, struct endpoint_run *run)
{
    struct scan_member m;
    *run = (struct endpoint_run){0};
    while (scan_member(&text, &m)) {
        if (scan_key_is(&m, "url") && m.string) {
            scan_text(&m, run->url, sizeof(run->url));
        } else if (scan_key_is(&m, "token_file") && m.string) {
            scan_text(&m, run->token_file, sizeof(run->token_file));
        } else if (scan_key_is(&m, "pid")) {
            run->pid = scan_number(&m);
        }
    }
    return *run->url && *run->token_file && run->pid > 1 && run->pid <= INT_MAX;
}

static void add(struct endpoint_places *p, const char *folder, size_t length, const char *rest)
{
    char *path = p->path[p->count];
    int n = snprintf(path, PATH_MAX, "%.*s%s", (int)length, folder, rest);
    p->count += n > 0 && n < PATH_MAX;
}

void endpoint_list(struct endpoint_places *p, const char *exe, const char *runtime_dir,
                   const char *home)
{
    p->count = 0;
    add(p, "build", 5, "/run.json");
    const char *slash = exe ? strrchr(exe, '/') : NULL;
    if (slash) {
        add(p, exe, (size_t)(slash - exe), "/run.json");
        const char *above = slash;
        while (above > exe && *--above != '/') {
        }
        if (above < slash) {
            add(p, exe, (size_t)(above - exe), "/build/run.json");
        }
    }
    if (runtime_dir && *runtime_dir) {
        add(p, runtime_dir, strlen(runtime_dir), "/toklat/run.json");
    }
    if (home && *home) {
        add(p, home, strlen(home), "/.local/state/toklat/run.json");
    }
}

/* A small file of this user's or of root's, with a NUL after it. False: errno; EFBIG it is longer,
 * EPERM it is somebody else's, who could have this user's secrets sent somewhere. */
static bool read_small(const char *path, char *text, size_t size)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return false;
    }
    ssize_t n = -1;
    if (fstat(fd, &status) == 0 && status.st_uid != 0 && status.st_uid != geteuid()) {
        errno = EPERM;
    } else {
        n = read(fd, text, size);
    }
    int error = n == (ssize_t)size ? EFBIG : errno;
    close(fd);
    if (n < 0 || n == (ssize_t)size) {
        errno = error;
        return false;
    }
    text[n] = 0;
    return true;
}

/* Every character may stand in a header. */
static bool token_read(const char *path, char *token)
{
    if (!read_small(path, token, ENDPOINT_TOKEN_BYTES)) {
        return false;
    }
    size_t n = strcspn(token, "\r\n");
    token[n] = 0;
    for (size_t i = 0; i < n; i++) {
        if (token[i] <= 0x20 || token[i] >= 0x7F) {
            n = 0;
        }
    }
    errno = EINVAL;
    return n > 0;
}

static bool alive(uint64_t pid)
{
    return kill((pid_t)pid, 0) == 0 || errno == EPERM;
}

static enum endpoint_result look(const char *path, struct endpoint *e, char *why, size_t why_bytes)
{
    char text[ENDPOINT_FILE_BYTES];
    struct endpoint_run run;
    if (!read_small(path, text, sizeof(text))) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return ENDPOINT_NONE;
        }
        snprintf(why, why_bytes, "%s: %s", path, strerror(errno));
        return ENDPOINT_BAD;
    }
    if (!endpoint_parse(text, &run)) {
        snprintf(why, why_bytes, "%s: url, token_file or pid is missing", path);
        return ENDPOINT_BAD;
    }
    if (!alive(run.pid)) {
        snprintf(why, why_bytes, "%s is of process %ju, which has ended", path, (uintmax_t)run.pid);
        return ENDPOINT_STALE;
    }
    if (!token_read(run.token_file, e->token)) {
        snprintf(why, why_bytes, "token_file %s: %s", run.token_file, strerror(errno));
        return ENDPOINT_BAD;
    }
    memcpy(e->url, run.url, sizeof(e->url));
    return ENDPOINT_FOUND;
}

enum endpoint_result endpoint_search(const struct endpoint_places *p, struct endpoint *e, char *why,
                                     size_t why_bytes)
{
    enum endpoint_result worst = ENDPOINT_NONE;
    for (unsigned i = 0; i < p->count; i++) {
        char text[PATH_MAX + 128];
        enum endpoint_result result = look(p->path[i], e, text, sizeof(text));
        if (result == ENDPOINT_FOUND) {
            return result;
        }
        if (worst == ENDPOINT_NONE && result != ENDPOINT_NONE) {
            worst = result;
            snprintf(why, why_bytes, "%s", text);
        }
    }
    return worst;
}

static bool token_from_environment(struct endpoint *e, const char *token)
{
    bool well = strlen(token) < sizeof(e->token);
    for (const char *p = token; *p; p++) {
        well = well && *p > 0x20 && *p < 0x7F;
    }
    if (!well) {
        complain("TOKLAT_TOKEN: at most %zu printable characters", sizeof(e->token) - 1);
        return false;
    }
    strcpy(e->token, token);
    return true;
}

static bool from_environment(struct endpoint *e, const char *url)
{
    const char *token = getenv("TOKLAT_TOKEN");
    size_t n = strlen(url);
    if (n >= sizeof(e->url) ||
        (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)) {
        complain("TOKLAT_URL: %s: http:// or https://, at most %zu characters", url,
                 sizeof(e->url) - 1);
        return false;
    }
    strcpy(e->url, url);
    for (; e->url[n - 1] == '/'; n--) {
        e->url[n - 1] = 0;
    }
    return token_from_environment(e, token ? token : "");
}

static void say(enum endpoint_result result, const char *why)
{
    if (result == ENDPOINT_NONE) {
        complain("no machine is running: there is no build/run.json here, nor beside this "
                 "command; `make run` writes one, TOKLAT_URL and TOKLAT_TOKEN name another");
    } else {
        complain("%s%s", result == ENDPOINT_STALE ? "no machine is running: " : "", why);
    }
}

bool endpoint_find(struct endpoint *e, bool quiet)
{
    const char *url = getenv("TOKLAT_URL"), *token = getenv("TOKLAT_TOKEN");
    char exe[PATH_MAX], why[PATH_MAX + 256] = "";
    struct endpoint_places places;
    *e = (struct endpoint){0};
    if (url && *url) {
        return from_environment(e, url);
    }
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    exe[n > 0 ? n : 0] = 0;
    endpoint_list(&places, exe, getenv("XDG_RUNTIME_DIR"), getenv("HOME"));
    enum endpoint_result result = endpoint_search(&places, e, why, sizeof(why));
    if (result != ENDPOINT_FOUND && !quiet) {
        say(result, why);
    }
    if (result == ENDPOINT_FOUND && token && *token) {
        return token_from_environment(e, token);
    }
    return result == ENDPOINT_FOUND;
}
