/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The deployment: which images run how many times, with what. A device tree blob, bound by
 * docs/deployment.md. Nothing in it is trusted: a wrong group is refused and said, the others run.
 */
#ifndef CORE_DEPLOYMENT_H
#define CORE_DEPLOYMENT_H

#include "abi/system_page.h"
#include "core/base/error.h"
#include "dev/virtual/switch.h"

#define DEPLOYMENT_FILE "deployment.dtb"
#define DEPLOYMENT_GROUPS_MAX 32
#define DEPLOYMENT_VMS_MAX 1048576u /* over all groups, reserves included */
#define DEPLOYMENT_IMAGE_NAME_BYTES 64
#define DEPLOYMENT_NAME_CHARS ",._+-@" /* of a name, with letters and digits */

/* One node: `count` instances of one image. */
struct deployment_group {
    char name[TOKLAT_NAME_BYTES];
    char image[DEPLOYMENT_IMAGE_NAME_BYTES]; /* file in the archive */
    uint32_t first_vm;     /* VM number of instance 1; groups are numbered in the order of nodes */
    uint32_t count;        /* instances that exist from the start */
    uint32_t reserve;      /* more that the supervisor may create; numbered after them */
    uint64_t memory_bytes; /* 0: as the image says */
    uint16_t weight;       /* SCHED_WEIGHT_NORMAL if not said */
    enum nic_reach reach;
    bool restart;       /* after a power cut its VMs begin anew */
    bool start_at_boot; /* otherwise the first packet or the supervisor starts an instance */
    bool background;    /* runs while nobody else can; otherwise no more than a share */
    bool supervisor;    /* may use vm_control; one group with one instance at most */
    char args[TOKLAT_ARGS_BYTES];
    uint32_t peer_count;
    uint8_t peers[TOKLAT_PEERS_MAX]; /* group indices */
};

struct deployment {
    struct switch_config network;
    uint32_t vm_count; /* VM numbers are 1 to vm_count, of reserves and spare ones included */
    uint32_t spare;    /* the last of them are for images that are loaded later (core/load.h) */
    uint32_t group_count;
    struct deployment_group groups[DEPLOYMENT_GROUPS_MAX];
};

/* Where a refusal goes: one line that names node, property, value and limit. */
typedef void (*deployment_refuse_fn)(const char *text);

/* Reads the blob. OK with the sound groups, which may be none, each unsound one refused by a line;
 * ERR_INVALID: the blob as a whole is unusable (said too). The blob is not needed afterwards. */
enum err deployment_parse(const void *blob, size_t bytes, struct deployment *out,
                          deployment_refuse_fn refuse) MUST_USE;

/* Whether a name is of 1 or more letters, digits and DEPLOYMENT_NAME_CHARS; how long it is at most
 * is not looked at. And what strings are made of. */
bool deployment_is_name(const char *name);
bool deployment_is_printable(char c);

#endif
