/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One table says which number of the snapshot is which sample. A family is one name; it has a row
 * of samples for the machine, or for each CPU, image or VM.
 *
 * No sample is of a single VM unless ?top=N asks for it: a time series for each of 100,000 VMs is
 * more than Prometheus is for.
 */
#include "guests/supervisor/metrics.h"

#include <stddef.h>

enum type { GAUGE, COUNTER };

/* What a row of samples is of. STORE: the machine, if it has one. */
enum scope { MACHINE, STORE, CPU, IMAGE, VM };

enum scale {
    ONE,
    PAGES,   /* number of pages; said in bytes */
    SECONDS, /* nanoseconds; said in seconds */
    READY,   /* enum toklat_group_state; 1: ready */
    USS,     /* of the VM */
};

struct sample {
    const char *label; /* name="value", or empty */
    uint16_t offset;   /* in metrics_source, of the first of its scope */
    uint8_t bytes;
};

struct family {
    const char *name; /* without toklat_ and _total */
    const char *unit; /* that the name ends in, or empty */
    const char *help;
    const struct sample *samples;
    uint8_t count;
    uint8_t type;
    uint8_t scope;
    uint8_t scale;
};

#define FIELD(member)                                                                              \
    offsetof(struct metrics_source, member), sizeof(((struct metrics_source *)0)->member)
#define LABELLED(label, member)                                                                    \
    {                                                                                              \
        label, FIELD(member)                                                                       \
    }
#define SAMPLES(...)                                                                               \
    (const struct sample[]){__VA_ARGS__},                                                          \
        sizeof((const struct sample[]){__VA_ARGS__}) / sizeof(struct sample)
#define ONLY(member) SAMPLES({"", FIELD(member)})

static const struct family families[] = {
    {"uptime_seconds", "seconds", "Time since the machine started.", ONLY(machine.uptime_ns), GAUGE,
     MACHINE, SECONDS},
    {"ram_bytes", "bytes", "Memory of the machine.", ONLY(machine.ram_pages), GAUGE, MACHINE,
     PAGES},
    {"memory_bytes", "bytes", "What the machine's memory holds; adds up to toklat_ram_bytes.",
     SAMPLES(LABELLED("kind=\"free\"", machine.frames[TOKLAT_FRAMES_FREE]),
             LABELLED("kind=\"el2\"", machine.frames[TOKLAT_FRAMES_EL2]),
             LABELLED("kind=\"stubs\"", machine.frames[TOKLAT_FRAMES_STUBS]),
             LABELLED("kind=\"shared\"", machine.frames[TOKLAT_FRAMES_SHARED]),
             LABELLED("kind=\"private\"", machine.frames[TOKLAT_FRAMES_PRIVATE]),
             LABELLED("kind=\"stage2\"", machine.frames[TOKLAT_FRAMES_TABLES]),
             LABELLED("kind=\"descriptors\"", machine.frames[TOKLAT_FRAMES_DESCRIPTORS])),
     GAUGE, MACHINE, PAGES},
    {"faults", "", "Faults of VMs that EL2 looked into.", ONLY(machine.faults), COUNTER, MACHINE,
     ONE},
    {"kills", "", "VMs that EL2 ended for what they did.", ONLY(machine.kills), COUNTER, MACHINE,
     ONE},
    {"interrupts", "", "Interrupts of devices and timers.", ONLY(machine.interrupts), COUNTER,
     MACHINE, ONE},
    {"console_dropped_lines", "", "Lines of VMs that the console had no room for.",
     ONLY(machine.console_dropped), COUNTER, MACHINE, ONE},
    {"journal_bytes", "bytes", "What was written to the journal of events and console lines.",
     ONLY(machine.journal_next), COUNTER, MACHINE, ONE},
    {"spare_vm_numbers", "", "Numbers that are left for VMs of images yet to be loaded.",
     ONLY(machine.spare_vms), GAUGE, MACHINE, ONE},

    {"cpu_idle_seconds", "seconds", "Time in which the CPU had no VM to run.",
     ONLY(machine.cpu[0].idle_ns), COUNTER, CPU, SECONDS},
    {"cpu_turns", "", "Turns that VMs got on the CPU.", ONLY(machine.cpu[0].turns), COUNTER, CPU,
     ONE},
    {"cpu_vms", "", "VMs in memory whose home is the CPU.", ONLY(machine.cpu[0].residents), GAUGE,
     CPU, ONE},
    {"cpu_ready_vms", "", "Of them, those that wait for their turn.", ONLY(machine.cpu[0].ready),
     GAUGE, CPU, ONE},

    {"vms", "", "VMs of the image, by what has become of them.",
     SAMPLES(LABELLED(",state=\"defined\"", groups[0].defined),
             LABELLED(",state=\"live\"", groups[0].live),
             LABELLED(",state=\"stored\"", groups[0].stored),
             LABELLED(",state=\"paused\"", groups[0].paused),
             LABELLED(",state=\"dead\"", groups[0].dead)),
     GAUGE, IMAGE, ONE},
    {"vms_started", "", "VMs of the image that were started.", ONLY(groups[0].started), COUNTER,
     IMAGE, ONE},
    {"vms_exited", "", "VMs of the image that ended by themselves.", ONLY(groups[0].exited),
     COUNTER, IMAGE, ONE},
    {"vms_killed", "", "VMs of the image that were ended.", ONLY(groups[0].killed), COUNTER, IMAGE,
     ONE},
    {"image_ready", "", "Whether the image's template is made: 1, or 0.", ONLY(groups[0].state),
     GAUGE, IMAGE, READY},
    {"image_template_bytes", "bytes", "Memory that holds the image's template, tables included.",
     ONLY(groups[0].template_pages), GAUGE, IMAGE, PAGES},
    {"image_weight", "", "Share of the CPU that VMs of the image get, relative to others.",
     ONLY(groups[0].weight), GAUGE, IMAGE, ONE},
    {"image_memory_limit_bytes", "bytes", "Own memory that a VM of the image may have; 0: all.",
     ONLY(groups[0].limit_pages), GAUGE, IMAGE, PAGES},

    {"gatekeeper_vms", "", "VMs that the gatekeeper lets be in memory, or on their way.",
     SAMPLES(LABELLED("state=\"resident\"", machine.gatekeeper.resident),
             LABELLED("state=\"waiting\"", machine.gatekeeper.waiting),
             LABELLED("state=\"arriving\"", machine.gatekeeper.arriving),
             LABELLED("state=\"leaving\"", machine.gatekeeper.leaving)),
     GAUGE, MACHINE, ONE},
    {"gatekeeper_admitted", "", "VMs that were let into memory.", ONLY(machine.gatekeeper.admitted),
     COUNTER, MACHINE, ONE},
    {"gatekeeper_evicted", "", "VMs that were sent out of memory, by what they did then.",
     SAMPLES(LABELLED("while=\"idle\"", machine.gatekeeper.evicted_idle),
             LABELLED("while=\"timed\"", machine.gatekeeper.evicted_timed),
             LABELLED("while=\"busy\"", machine.gatekeeper.evicted_busy)),
     COUNTER, MACHINE, ONE},
    {"gatekeeper_kept", "", "Evictions that were taken back.", ONLY(machine.gatekeeper.kept),
     COUNTER, MACHINE, ONE},
    {"gatekeeper_refused", "", "Evictions that were not possible.",
     ONLY(machine.gatekeeper.refused), COUNTER, MACHINE, ONE},
    {"gatekeeper_held", "", "Runs of the gatekeeper that left the first VM waiting, by reason.",
     SAMPLES(LABELLED("reason=\"frames\"", machine.gatekeeper.held[TOKLAT_HELD_FRAMES]),
             LABELLED("reason=\"transit\"", machine.gatekeeper.held[TOKLAT_HELD_TRANSIT]),
             LABELLED("reason=\"buffers\"", machine.gatekeeper.held[TOKLAT_HELD_BUFFERS]),
             LABELLED("reason=\"turn\"", machine.gatekeeper.held[TOKLAT_HELD_TURN])),
     COUNTER, MACHINE, ONE},
    {"gatekeeper_wait_seconds", "seconds", "Time that VMs waited to be let in, all together.",
     ONLY(machine.gatekeeper.waited_ns), COUNTER, MACHINE, SECONDS},
    {"gatekeeper_longest_wait_seconds", "seconds", "The longest time that one VM waited.",
     ONLY(machine.gatekeeper.waited_longest_ns), GAUGE, MACHINE, SECONDS},
    {"gatekeeper_wakes", "", "VMs that came back from the store.", ONLY(machine.gatekeeper.wakes),
     COUNTER, MACHINE, ONE},
    {"gatekeeper_dropped_frames", "", "Frames for VMs that could not come.",
     ONLY(machine.gatekeeper.dropped), COUNTER, MACHINE, ONE},

    {"store_capacity_bytes", "bytes", "Room of the store.", ONLY(machine.store.capacity_bytes),
     GAUGE, STORE, ONE},
    {"store_live_bytes", "bytes", "What the newest records of all VMs take.",
     ONLY(machine.store.live_bytes), GAUGE, STORE, ONE},
    {"store_records", "", "Records that were written.", ONLY(machine.store.records), COUNTER, STORE,
     ONE},
    {"store_written_bytes", "bytes", "Bytes that were written to the store.",
     ONLY(machine.store.written_bytes), COUNTER, STORE, ONE},
    {"store_reads", "", "Reads of the store.", ONLY(machine.store.reads), COUNTER, STORE, ONE},
    {"store_read_bytes", "bytes", "Bytes that were read from the store.",
     ONLY(machine.store.read_bytes), COUNTER, STORE, ONE},
    {"store_errors", "", "Requests that the store's device failed, or gave damaged.",
     SAMPLES(LABELLED("operation=\"read\"", machine.store.read_errors),
             LABELLED("operation=\"write\"", machine.store.write_errors)),
     COUNTER, STORE, ONE},
    {"store_refused", "", "Records that the store had no room for.",
     ONLY(machine.store.refused_full), COUNTER, STORE, ONE},

    {"network_frames", "", "Frames that the switch passed on, by where from and where to.",
     SAMPLES(LABELLED("path=\"vm_to_vm\"", machine.network.vm_to_vm),
             LABELLED("path=\"vm_to_uplink\"", machine.network.vm_to_uplink),
             LABELLED("path=\"uplink_to_vm\"", machine.network.uplink_to_vm)),
     COUNTER, MACHINE, ONE},
    {"network_arp_answers", "", "ARP requests that the switch answered for VMs.",
     ONLY(machine.network.arp_answered), COUNTER, MACHINE, ONE},
    {"network_dropped_frames", "", "Frames that the switch dropped, by reason.",
     SAMPLES(LABELLED("reason=\"spoofed\"", machine.network.dropped_spoofed),
             LABELLED("reason=\"reach\"", machine.network.dropped_reach),
             LABELLED("reason=\"unknown\"", machine.network.dropped_unknown),
             LABELLED("reason=\"malformed\"", machine.network.dropped_malformed),
             LABELLED("reason=\"not_ready\"", machine.network.dropped_not_ready),
             LABELLED("reason=\"uplink\"", machine.network.dropped_uplink)),
     COUNTER, MACHINE, ONE},

    {"api_requests", "", "Requests to the control API.", ONLY(api_requests), COUNTER, MACHINE, ONE},
    {"api_refused", "", "Of them, those that were answered with 4xx or 5xx.", ONLY(api_refused),
     COUNTER, MACHINE, ONE},
    {"api_connections", "", "Connections to the control API, the one that asks included.",
     ONLY(connections), GAUGE, MACHINE, ONE},

    {"vm_uss_bytes", "bytes", "Memory of the VM alone, tables and descriptor included.",
     ONLY(top[0].private_pages), GAUGE, VM, USS},
    {"vm_cpu_seconds", "seconds", "CPU time of the VM since it was cloned.", ONLY(top[0].cpu_ns),
     COUNTER, VM, SECONDS},
};

#define FAMILIES (sizeof(families) / sizeof(families[0]))

_Static_assert(sizeof(struct metrics_source) <= UINT16_MAX, "offsets of samples");

static uint32_t objects(const struct metrics_source *source, enum scope scope)
{
    uint32_t count = scope == CPU     ? source->machine.cpus
                     : scope == IMAGE ? source->machine.groups
                     : scope == VM    ? source->top_count
                     : scope == STORE ? source->machine.store.capacity_bytes != 0
                                      : 1;
    uint32_t most = scope == CPU     ? TOKLAT_CPUS_MAX
                    : scope == IMAGE ? TOKLAT_GROUPS_MAX
                                     : METRICS_TOP_MAX;
    return count < most ? count : most;
}

static size_t stride(enum scope scope)
{
    return scope == CPU     ? sizeof(((struct toklat_machine *)0)->cpu[0])
           : scope == IMAGE ? sizeof(struct toklat_group)
                            : sizeof(struct toklat_vm);
}

static bool has_object(const struct metrics_source *source, enum scope scope, uint32_t object)
{
    return scope != IMAGE || source->groups[object].state != TOKLAT_GROUP_ABSENT;
}

/* A group's name is letters, digits and ,._+-@ (docs/deployment.md): nothing to escape. */
static void put_name(struct out *out, const struct toklat_group *group)
{
    out_bytes(out, group->name, strnlen(group->name, sizeof(group->name)));
}

static void put_vm(struct out *out, const struct metrics_source *source,
                   const struct toklat_vm_brief *vm)
{
    const struct toklat_group *group = &source->groups[vm->group % TOKLAT_GROUPS_MAX];
    out_text(out, "image=\"");
    put_name(out, group);
    out_text(out, "\",vm=\"");
    put_name(out, group);
    out_char(out, '/');
    out_u64(out, (uint32_t)(vm->number - group->first_vm + 1));
    out_text(out, "\",number=\"");
    out_u64(out, vm->number);
    out_char(out, '"');
}

static void put_labels(struct out *out, const struct metrics_source *source, enum scope scope,
                       uint32_t object, const char *label)
{
    if (scope <= STORE && *label == '\0') {
        return;
    }
    out_char(out, '{');
    if (scope == CPU) {
        out_text(out, "cpu=\"");
        out_u64(out, object);
        out_char(out, '"');
    } else if (scope == IMAGE) {
        out_text(out, "image=\"");
        put_name(out, &source->groups[object]);
        out_char(out, '"');
    } else if (scope == VM) {
        put_vm(out, source, &source->top[object].brief);
    }
    out_text(out, label);
    out_char(out, '}');
}

static void put_value(struct out *out, const void *at, unsigned bytes, enum scale scale)
{
    uint32_t low;
    uint64_t value;
    memcpy(&low, at, sizeof(low));
    value = low;
    if (bytes == sizeof(value)) {
        memcpy(&value, at, sizeof(value));
    }
    if (scale == SECONDS) {
        out_seconds(out, value);
    } else if (scale == PAGES) {
        out_u64(out, value * TOKLAT_PAGE_BYTES);
    } else {
        out_u64(out, scale == READY ? value == TOKLAT_GROUP_READY : value);
    }
}

static uint64_t uss_of(const struct toklat_vm *vm)
{
    uint64_t pages = (uint64_t)vm->private_pages + vm->table_pages;
    return pages * TOKLAT_PAGE_BYTES + vm->descriptor_bytes;
}

static void put_family_name(struct out *out, const struct family *family, bool total)
{
    out_text(out, "toklat_");
    out_text(out, family->name);
    out_text(out, total && family->type == COUNTER ? "_total" : "");
}

static void put_sample(struct out *out, const struct metrics_source *source,
                       const struct family *family, uint32_t item)
{
    uint32_t object = item / family->count;
    const struct sample *sample = &family->samples[item % family->count];
    size_t offset = sample->offset + object * stride(family->scope);
    put_family_name(out, family, true);
    put_labels(out, source, family->scope, object, sample->label);
    out_char(out, ' ');
    if (family->scale == USS) {
        out_u64(out, uss_of(&source->top[object]));
    } else {
        put_value(out, (const char *)source + offset, sample->bytes, family->scale);
    }
    out_char(out, '\n');
}

static void put_comment(struct out *out, const char *what, const struct family *family,
                        bool classic, const char *text)
{
    out_text(out, what);
    put_family_name(out, family, classic);
    out_char(out, ' ');
    out_text(out, text);
    out_char(out, '\n');
}

static void put_head(struct out *out, const struct family *family, bool classic)
{
    put_comment(out, "# HELP ", family, classic, family->help);
    put_comment(out, "# TYPE ", family, classic, family->type == COUNTER ? "counter" : "gauge");
    if (!classic && *family->unit != '\0') {
        put_comment(out, "# UNIT ", family, classic, family->unit);
    }
}

/* False if there is more. */
static bool put_family(struct out *out, uint32_t *item, const struct family *family,
                       const struct metrics_source *source)
{
    uint32_t items = objects(source, family->scope) * family->count;
    for (; *item < items; ++*item) {
        if (!out_has_room(out)) {
            return false;
        }
        if (*item == 0) {
            put_head(out, family, source->classic);
        }
        if (has_object(source, family->scope, *item / family->count)) {
            put_sample(out, source, family, *item);
        }
    }
    return true;
}

bool metrics_write(struct out *out, struct metrics_cursor *cursor,
                   const struct metrics_source *source)
{
    for (; cursor->family < FAMILIES; cursor->family++) {
        if (!put_family(out, &cursor->item, &families[cursor->family], source)) {
            return false;
        }
        cursor->item = 0;
    }
    if (!out_has_room(out)) {
        return false;
    }
    out_text(out, source->classic ? "" : "# EOF\n");
    return true;
}
