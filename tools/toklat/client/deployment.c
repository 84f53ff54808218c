/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deployments: what tools/make-deployment does to a source, and what the groups say.
 */
#include <errno.h>
#include <fcntl.h>
#include <libfdt.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/toklat/client/clean.h"
#include "tools/toklat/client/deployment.h"
#include "tools/toklat/toklat.h"

#define ARGUMENTS_MAX 64
#define PATH_BYTES 256

/* What was started has ended, without an error. `out`: where its output goes. */
static bool run_program(const char *program, const char *const *arguments, const char *out)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out, O_WRONLY | O_CREAT | O_TRUNC,
                                     0600);
    int error =
        posix_spawnp(&pid, program, &actions, NULL, (char *const *)(uintptr_t)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error) {
        errno = error;
        return false;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    errno = 0;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool preprocess(const char *source, char *const *defines, size_t count, const char *out)
{
    static const char *const usual[] = {"aarch64-linux-gnu-", ""};
    const char *cross = getenv("CROSS");
    const char *arguments[ARGUMENTS_MAX] = {"cpp",    "-E", "-nostdinc",
                                            "-undef", "-x", "assembler-with-cpp"};
    size_t n = 6;
    for (size_t i = 0; i < count && n < ARGUMENTS_MAX - 2; i++) {
        arguments[n++] = defines[i];
    }
    arguments[n++] = source;
    for (size_t i = 0; i < ARRAY_SIZE(usual); i++) {
        char program[PATH_BYTES];
        snprintf(program, sizeof(program), "%sgcc", cross && i == 0 ? cross : usual[i]);
        if (run_program(program, arguments, out)) {
            return true;
        }
        if (errno != ENOENT) {
            complain("%s: the C preprocessor fails", source);
            return false;
        }
    }
    complain("no gcc is there, whose preprocessor deployments need");
    return false;
}

/* dtc speaks of what is wrong on stderr; what it warns about is wrong as well. */
static bool compile(const char *source, const char *from, const char *to, const char *log)
{
    const char *const arguments[] = {
        "sh", "-c", "exec dtc -I dts -O dtb -o \"$1\" \"$2\" 2>&1", "dtc", to, from, NULL};
    char line[PATH_BYTES];
    bool well = run_program("sh", arguments, log), silent = true;
    FILE *f = fopen(log, "r");
    while (f && fgets(line, sizeof(line), f)) {
        clean_put(line, stderr);
        silent = false;
    }
    if (f) {
        fclose(f);
    }
    if (!well || !silent) {
        complain("%s: dtc %s", source,
                 well ? "warns about it" : "does not compile it, or is absent");
    }
    return well && silent;
}

static bool read_blob(const char *path, void *blob, size_t bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, blob, bytes) : -1;
    if (fd >= 0) {
        close(fd);
    }
    if (n == (ssize_t)bytes) {
        complain("the compiled deployment is too large: at most %d bytes", UP_BLOB_BYTES_MAX);
    }
    return n > 0 && n < (ssize_t)bytes;
}

bool deployment_compile(const char *source, char *const *defines, size_t count, void *blob,
                        size_t blob_bytes)
{
    const char *temporary = getenv("TMPDIR");
    char folder[PATH_BYTES - 16], dts[PATH_BYTES], dtb[PATH_BYTES], log[PATH_BYTES];
    snprintf(folder, sizeof(folder), "%s/toklat-up-XXXXXX", temporary ? temporary : "/tmp");
    if (access(source, R_OK) != 0 || !mkdtemp(folder)) {
        complain("%s: %s", access(source, R_OK) != 0 ? source : folder, strerror(errno));
        return false;
    }
    snprintf(dts, sizeof(dts), "%s/dts", folder);
    snprintf(dtb, sizeof(dtb), "%s/dtb", folder);
    snprintf(log, sizeof(log), "%s/log", folder);
    bool well = preprocess(source, defines, count, dts) && compile(source, dts, dtb, log) &&
                read_blob(dtb, blob, blob_bytes);
    unlink(dts);
    unlink(dtb);
    unlink(log);
    rmdir(folder);
    return well;
}

/* --- groups -------------------------------------------------------------------------------------
 */

static bool refuse(const struct up_group *g, const char *property, const char *limit)
{
    complain("%s: %s: %s", *g->name ? g->name : "deployment", property, limit);
    return false;
}

/* A string property into `to`, which keeps what it has when there is none. */
static bool text(const void *blob, int node, const struct up_group *g, const char *property,
                 char *to, size_t size)
{
    int n;
    const char *value = fdt_getprop(blob, node, property, &n);
    if (!value) {
        return true;
    }
    if (n < 1 || (size_t)n > size || strnlen(value, (size_t)n) != (size_t)n - 1) {
        char limit[48];
        snprintf(limit, sizeof(limit), "a string of at most %zu characters", size - 1);
        return refuse(g, property, limit);
    }
    memcpy(to, value, (size_t)n);
    return true;
}

static bool cell(const void *blob, int node, const struct up_group *g, const char *property,
                 uint32_t *to)
{
    int n;
    const fdt32_t *value = fdt_getprop(blob, node, property, &n);
    if (!value) {
        return true;
    }
    if (n != sizeof(*value)) {
        return refuse(g, property, "one cell");
    }
    *to = fdt32_ld(value);
    return true;
}

static bool name_of(const void *blob, int node, char *to)
{
    int n;
    const char *name = fdt_get_name(blob, node, &n);
    if (!name || n < 1 || n >= TOKLAT_NAME_BYTES) {
        return false;
    }
    memcpy(to, name, (size_t)n + 1);
    return true;
}

static bool peers(const void *blob, int node, struct up_group *g)
{
    int n;
    const fdt32_t *value = fdt_getprop(blob, node, "peers", &n);
    if (!value) {
        return true;
    }
    if (n % (int)sizeof(*value) || n / (int)sizeof(*value) > TOKLAT_PEERS_MAX) {
        return refuse(g, "peers", "up to 8 phandles of groups");
    }
    for (int i = 0; i < n / (int)sizeof(*value); i++) {
        int peer = fdt_node_offset_by_phandle(blob, fdt32_ld(value + i));
        if (peer < 0 || !name_of(blob, peer, g->peers[g->peer_count])) {
            return refuse(g, "peers", "phandles of groups");
        }
        g->peer_count++;
    }
    return true;
}

static bool read_group(const void *blob, int node, struct up_group *g)
{
    char start[16] = "demand", recovery[16] = "resume";
    *g = (struct up_group){.instances = 1, .network = "none"};
    if (!name_of(blob, node, g->name)) {
        return refuse(g, "name of a group", "1 to 23 characters");
    }
    bool well = text(blob, node, g, "image", g->file, sizeof(g->file)) &&
                text(blob, node, g, "network", g->network, sizeof(g->network)) &&
                text(blob, node, g, "args", g->args, sizeof(g->args)) &&
                text(blob, node, g, "start", start, sizeof(start)) &&
                text(blob, node, g, "recovery", recovery, sizeof(recovery)) &&
                cell(blob, node, g, "instances", &g->instances) &&
                cell(blob, node, g, "reserve", &g->reserve) &&
                cell(blob, node, g, "memory", &g->memory) &&
                cell(blob, node, g, "weight", &g->weight) && peers(blob, node, g);
    g->start = !strcmp(start, "boot");
    g->restart = !strcmp(recovery, "restart");
    g->supervisor = fdt_getprop(blob, node, "supervisor", NULL) != NULL;
    if (well && (!*g->file || strchr(g->file, '/'))) {
        return refuse(g, "image", "the name of a file");
    }
    return well;
}

bool deployment_read(const void *blob, size_t bytes, struct up_deployment *d)
{
    struct up_group none = {0};
    int node;
    d->count = 0;
    if (fdt_check_full(blob, bytes) != 0 ||
        fdt_node_check_compatible(blob, 0, "toklat,deployment-v1") != 0) {
        return refuse(&none, "compatible", "toklat,deployment-v1");
    }
    fdt_for_each_subnode(node, blob, 0)
    {
        if (fdt_node_check_compatible(blob, node, "toklat,group") != 0) {
            continue; /* the network is the machine's */
        }
        if (d->count == UP_GROUPS_MAX) {
            return refuse(&none, "groups", "at most 32");
        }
        if (!read_group(blob, node, &d->groups[d->count++])) {
            return false;
        }
    }
    return d->count > 0 || refuse(&none, "groups", "at least one");
}
