/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine object, the version, and the page.
 */
#include <stdio.h>

#include "guests/supervisor/endpoints.h"
#include "guests/supervisor/keys.h"

#define SOFTWARE_VERSION "0.5"

enum step step_health(struct exchange *x, struct out *out)
{
    (void)x;
    out_text(out, "{\"status\":\"ok\"}\n");
    return STEP_DONE;
}

enum step step_version(struct exchange *x, struct out *out)
{
    (void)x;
    out_text(out, "{\"version\":\"" SOFTWARE_VERSION "\",\"abi\":\"");
    out_u64(out, TOKLAT_ABI_MAJOR);
    out_field(out, ".", TOKLAT_ABI_MINOR);
    out_text(out, "\",\"api\":\"v1\"}\n");
    return STEP_DONE;
}

void page_etag(char etag[ETAG_BYTES])
{
    struct http_text page = platform_page();
    static uint64_t hash; /* the page never changes */
    if (hash == 0) {
        hash = keys_hash(KEYS_HASH, page.at, page.length);
    }
    snprintf(etag, ETAG_BYTES, "\"%016lx\"", (unsigned long)hash);
}

enum step step_page(struct exchange *x, struct out *out)
{
    struct http_text page = platform_page();
    if (x->unchanged) {
        x->status = 304;
        return STEP_DONE;
    }
    size_t left = page.length - x->sent;
    size_t part = left < out_room(out) ? left : out_room(out);
    x->length = page.length;
    out_bytes(out, page.at + x->sent, part);
    x->sent += part;
    return x->sent == page.length ? STEP_DONE : STEP_MORE;
}

static uint64_t frame_bytes(enum toklat_frames kind)
{
    return groups.machine.frames[kind] * TOKLAT_PAGE_BYTES;
}

void memory_write(struct out *out)
{
    out_field(out, "{\"ram_bytes\":", groups.machine.ram_pages * TOKLAT_PAGE_BYTES);
    out_field(out, ",\"el2_bytes\":", frame_bytes(TOKLAT_FRAMES_EL2));
    out_field(out, ",\"stubs_bytes\":", frame_bytes(TOKLAT_FRAMES_STUBS));
    out_field(out, ",\"shared_bytes\":", frame_bytes(TOKLAT_FRAMES_SHARED));
    out_field(out, ",\"private_bytes\":", frame_bytes(TOKLAT_FRAMES_PRIVATE));
    out_field(out, ",\"stage2_bytes\":", frame_bytes(TOKLAT_FRAMES_TABLES));
    out_field(out, ",\"descriptors_bytes\":", frame_bytes(TOKLAT_FRAMES_DESCRIPTORS));
    out_field(out, ",\"free_bytes\":", frame_bytes(TOKLAT_FRAMES_FREE));
    out_char(out, '}');
}

static void put_cpus(struct out *out)
{
    const struct toklat_machine *m = &groups.machine;
    out_text(out, ",\"cpus\":[");
    for (uint32_t i = 0; i < m->cpus; i++) {
        out_text(out, i > 0 ? ",{\"idle_seconds\":" : "{\"idle_seconds\":");
        out_seconds(out, m->cpu[i].idle_ns);
        out_field(out, ",\"turns\":", m->cpu[i].turns);
        out_field(out, ",\"home_of\":", m->cpu[i].residents);
        out_field(out, ",\"ready\":", m->cpu[i].ready);
        out_char(out, '}');
    }
    out_char(out, ']');
}

static void put_vms(struct out *out)
{
    struct toklat_group sum = {0};
    uint64_t total = 0;
    for (uint32_t i = 0; i < groups.count; i++) {
        const struct toklat_group *g = &groups.at[i];
        if (!groups_exists(i)) {
            continue;
        }
        sum.defined += g->defined;
        sum.live += g->live;
        sum.stored += g->stored;
        sum.paused += g->paused;
        sum.dead += g->dead;
        total += groups_existing(g);
    }
    out_field(out, ",\"vms\":{\"defined\":", sum.defined);
    out_field(out, ",\"live\":", sum.live);
    out_field(out, ",\"stored\":", sum.stored);
    out_field(out, ",\"paused\":", sum.paused);
    out_field(out, ",\"dead\":", sum.dead);
    out_field(out, ",\"total\":", total);
    out_char(out, '}');
}

static void put_gatekeeper(struct out *out)
{
    const struct toklat_machine *m = &groups.machine;
    out_field(out, ",\"gatekeeper\":{\"resident\":", m->gatekeeper.resident);
    out_field(out, ",\"waiting\":", m->gatekeeper.waiting);
    out_field(out, ",\"arriving\":", m->gatekeeper.arriving);
    out_field(out, ",\"leaving\":", m->gatekeeper.leaving);
    out_field(out, ",\"admitted\":", m->gatekeeper.admitted);
    out_field(out, ",\"evicted_idle\":", m->gatekeeper.evicted_idle);
    out_field(out, ",\"evicted_timed\":", m->gatekeeper.evicted_timed);
    out_field(out, ",\"evicted_busy\":", m->gatekeeper.evicted_busy);
    out_field(out, ",\"kept\":", m->gatekeeper.kept);
    out_field(out, ",\"refused\":", m->gatekeeper.refused);
    out_field(out, ",\"held\":{\"frames\":", m->gatekeeper.held[TOKLAT_HELD_FRAMES]);
    out_field(out, ",\"transit\":", m->gatekeeper.held[TOKLAT_HELD_TRANSIT]);
    out_field(out, ",\"buffers\":", m->gatekeeper.held[TOKLAT_HELD_BUFFERS]);
    out_field(out, ",\"turn\":", m->gatekeeper.held[TOKLAT_HELD_TURN]);
    out_text(out, "},\"waited_seconds\":");
    out_seconds(out, m->gatekeeper.waited_ns);
    out_text(out, ",\"waited_longest_seconds\":");
    out_seconds(out, m->gatekeeper.waited_longest_ns);
    out_field(out, ",\"wakes\":", m->gatekeeper.wakes);
    out_field(out, ",\"dropped\":", m->gatekeeper.dropped);
    out_char(out, '}');
}

static void put_store(struct out *out)
{
    const struct toklat_machine *m = &groups.machine;
    if (m->store.capacity_bytes == 0) {
        out_text(out, ",\"store\":null");
        return;
    }
    out_field(out, ",\"store\":{\"capacity_bytes\":", m->store.capacity_bytes);
    out_field(out, ",\"live_bytes\":", m->store.live_bytes);
    out_field(out, ",\"records\":", m->store.records);
    out_field(out, ",\"written_bytes\":", m->store.written_bytes);
    out_field(out, ",\"reads\":", m->store.reads);
    out_field(out, ",\"read_bytes\":", m->store.read_bytes);
    out_field(out, ",\"read_errors\":", m->store.read_errors);
    out_field(out, ",\"write_errors\":", m->store.write_errors);
    out_field(out, ",\"refused_full\":", m->store.refused_full);
    out_char(out, '}');
}

static void put_network(struct out *out)
{
    const struct toklat_machine *m = &groups.machine;
    out_field(out, ",\"network\":{\"vm_to_vm\":", m->network.vm_to_vm);
    out_field(out, ",\"vm_to_uplink\":", m->network.vm_to_uplink);
    out_field(out, ",\"uplink_to_vm\":", m->network.uplink_to_vm);
    out_field(out, ",\"arp_answered\":", m->network.arp_answered);
    out_field(out, ",\"dropped_spoofed\":", m->network.dropped_spoofed);
    out_field(out, ",\"dropped_reach\":", m->network.dropped_reach);
    out_field(out, ",\"dropped_unknown\":", m->network.dropped_unknown);
    out_field(out, ",\"dropped_malformed\":", m->network.dropped_malformed);
    out_field(out, ",\"dropped_not_ready\":", m->network.dropped_not_ready);
    out_field(out, ",\"dropped_uplink\":", m->network.dropped_uplink);
    out_char(out, '}');
}

void machine_write(struct out *out)
{
    const struct toklat_machine *m = &groups.machine;
    out_text(out, "{\"uptime_seconds\":");
    out_seconds(out, m->uptime_ns);
    out_text(out, ",\"wall_seconds\":");
    out_seconds(out, m->wall_ns);
    out_text(out, ",\"memory\":");
    memory_write(out);
    put_cpus(out);
    put_vms(out);
    put_gatekeeper(out);
    put_store(out);
    put_network(out);
    out_field(out, ",\"faults\":", m->faults);
    out_field(out, ",\"kills\":", m->kills);
    out_field(out, ",\"interrupts\":", m->interrupts);
    out_field(out, ",\"console_dropped\":", m->console_dropped);
    out_field(out, ",\"api\":{\"requests\":", api.requests);
    out_field(out, ",\"refused\":", api.refused);
    out_text(out, "}}");
}

enum step step_machine(struct exchange *x, struct out *out)
{
    (void)x;
    groups_read();
    machine_write(out);
    out_char(out, '\n');
    return STEP_DONE;
}
