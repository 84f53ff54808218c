/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What passes between CPUs: core/move.c, core/network.c, and what of core/fetch.c and
 * core/shutdown.c sends or asks. An inline has the name of the C function that it stands for.
 */
#define room(a, b, slots) (len(RING(a, b)) < (slots))

inline must_send(to, kind, v)
{
    assert(room(self, to, ring_slots));
    RING(self, to) ! kind, 0, v, 0
}

/* To `stop_at`. */
inline move_next_stop(v)
{
    stop_at = vm[v].where & 15;
    if
    :: stop_at == self && (vm[v].where >> GOES_SHIFT) -> stop_at = (vm[v].where >> GOES_SHIFT) - 1
    :: else
    fi
}

inline send_frame(to, v, n)
{
    assert(to != self);
    if
    :: room(self, to, (mutation == 18 -> ring_slots : frame_slots)) ->
        RING(self, to) ! FRAME, 0, v, n
    :: else -> frames[n] = DROPPED
    fi
}

/* residence_park, park_elsewhere: the page for a frame is not there. */
inline residence_park(v, n)
{
    if
    :: self != KEEPER ->
        if
        :: vm[v].why == NOT || mutation == 2 -> stop_and_move(v, WAIT_PAGE, PAGE)
        :: else
        fi;
        send_frame(KEEPER, v, n)
    :: else ->
        fetch_begin(v);
        if
        :: vm[v].fetch -> transit_park(v, n)
        :: else -> frames[n] = DROPPED
        fi
    fi
}

#define refuses(v) (vm[v].state == LIVE && \
                    (vm[v].ended || vm[v].leaving && vm[v].wait == WAIT_ROOM && mutation != 22))
#define accepts(v) (vm[v].state == LIVE && !refuses(v))

/* network_deliver, with residence_receive. One that is not here is passed on in the next step. */
inline network_deliver(v, n)
{
    assert(frames[n] == SENT);
    if
    :: stopping -> frames[n] = DROPPED
    :: !stopping && !is_here(v) -> phase = PASS_ON
    :: else ->
        touch(v);
        if
        :: vm[v].state == STORED || vm[v].state == COMING -> residence_want(v); transit_park(v, n)
        :: vm[v].state == ABSENT || vm[v].state == DEAD -> frames[n] = DROPPED
        :: refuses(v) -> frames[n] = DROPPED
        :: accepts(v) && (vm[v].cold || len(parked[v]) > 0) -> residence_park(v, n)
        :: accepts(v) && !vm[v].cold && ends > 0 ->
            ends--;
            frames[n] = DROPPED;
            then = STOP_IT /* its receive queue is broken */
        :: accepts(v) && len(parked[v]) == 0 ->
            frames[n] = TAKEN;
            vm[v].ran = 1;
            then = POST
        fi
    fi
}

/* --- departing ---------------------------------------------------------------------------- */

#define departs(v) (vm[v].owner == self && vm[v].departing && !tried[v])

/* One of move_depart_all's, up to the store of vm.where; pack, stay. */
inline depart(v)
{
    if
    :: self == KEEPER && vm[v].ended -> then = FREE; reason = DEAD
    :: self == KEEPER && !vm[v].ended && (vm[v].fetch || stopping) && mutation != 9 -> /* stay */
        vm[v].departing = 0;
        vm[v].why = NOT;
        gate_join(v);
        if
        :: stopping && !vm[v].fetch -> then = ARRIVED
        :: else
        fi
    :: else ->
        touch(v);
        assert(vm[v].sched == BLOCKED && vm[v].mux == 0 && !vm[v].leaving && !vm[v].fetch);
        to = (self == KEEPER -> vm[v].home : KEEPER);
        why = (vm[v].ended && vm[v].why != WANTED && vm[v].why != EVICT -> ENDED : vm[v].why);
        vm[v].until = vm[v].wheel != 0;
        vm[v].wheel = 0;
        gate_quit(v);
        vm[v].why = NOT;
        if
        :: mutation != 13 -> vm[v].where = self | ((to + 1) << GOES_SHIFT)
        :: else
        fi;
        phase = SEND_VM
    fi
}

/* Its message. */
inline send_vm(v)
{
    if
    :: room(self, to, (mutation == 18 -> ring_slots : vm_slots)) ->
        vm[v].owner = NOBODY_S;
        vm[v].departing = 0;
        RING(self, to) ! VM, why, v, 0;
        phase = (mutation == 13 -> LATE_WHERE : 0)
    :: else ->
        vm[v].where = self;
        vm[v].why = why;
        vm[v].wheel = (vm[v].until -> self + 1 : 0);
        vm[v].departing = (mutation != 15);
        tried[v] = 1;
        phase = 0
    fi
}

/* --- coming ------------------------------------------------------------------------------- */

/* What was asked for is destroyed, or it is changed and goes on. */
inline answer(v)
{
    if
    :: !is_here(v) && mutation != 12 ->
        move_next_stop(v);
        must_send(stop_at, GIVE, v)
    :: else -> /* control_finish */
        if
        :: vm[v].state != ABSENT -> then = FREE; reason = ABSENT
        :: true
        fi;
        assert(summoned > 0);
        summoned--
    fi
}

inline settle(v)
{
    if
    :: vm[v].leaving
    :: !vm[v].leaving && vm[v].ended && mutation != 6 -> then = MOVE; reason = ENDED
    :: !vm[v].leaving && !vm[v].ended && vm[v].wait >= WAIT_IDLE && mutation != 8 -> then = ARRIVED
    :: else ->
        if
        :: then == 0 -> then = GO_ON
        :: else
        fi
    fi
}

inline come_when_wanted(v)
{
    answer(v);
    if
    :: then == 0 -> settle(v)
    :: else
    fi
}

inline gate_given()
{
    assert(asked[from] > 0);
    asked[from]--
}

inline come_to_leave(v)
{
    if
    :: vm[v].wait >= WAIT_IDLE -> gate_idle(v)
    :: else
    fi;
    gate_given();
    if
    :: vm[v].gate == BUSY -> evict(v)
    :: else
    fi;
    settle(v)
}

inline keep(v)
{
    if
    :: d == PAGE ->
        fetch_begin(v);
        if
        :: !vm[v].fetch && vm[v].wait == WAIT_PAGE -> then = GO_ON /* wait_for_room, fetch_work */
        :: !vm[v].fetch && vm[v].wait >= WAIT_IDLE -> then = ARRIVED
        :: else
        fi
    :: d == ENDED -> then = MOVE; reason = ENDED
    :: d == EVICT -> come_to_leave(v)
    :: d == WANTED -> come_when_wanted(v)
    :: d == LOAD ->
        choose_home(v);
        then = (mutation == 5 -> GO_ON : WAKE)
    :: d == STOP -> /* it is written like all others; perhaps as one that has woken */
        if
        :: vm[v].wait >= WAIT_IDLE && mutation != 20 -> then = ARRIVED
        :: else
        fi
    fi
}

inline take(v)
{
    assert(vm[v].owner == NOBODY_S);
    vm[v].owner = self;
    if
    :: mutation != 14 -> vm[v].where = self
    :: else
    fi;
    gate_join(v);
    vm[v].wheel = (vm[v].until -> self + 1 : 0);
    if
    :: self == KEEPER -> keep(v)
    :: else -> then = ARRIVED
    fi
}

/* --- what the keeper asks for ------------------------------------------------------------- */

inline give(v)
{
    if
    :: !is_here(v) || (vm[v].why == EVICT && mutation != 11) ||
       (vm[v].why == WANTED && mutation != 7) ->
        must_send(KEEPER, GONE, v)
    :: else -> stop_and_move(v, WAIT_ROOM, WANTED)
    fi
}

#define in_pool(u) (vm[u].owner == self && (vm[u].gate == IDLE || vm[u].gate == BUSY))

/* Any of those that gate_first may find: both the idle and the busy were asked for. */
inline give_first()
{
    if
    :: in_pool(0) -> v = 0; stop_and_move(v, WAIT_ROOM, EVICT)
    :: in_pool(vms - 1) -> v = vms - 1; stop_and_move(v, WAIT_ROOM, EVICT)
    :: !in_pool(0) && !in_pool(vms - 1) ->
        if
        :: mutation != 17 -> must_send(KEEPER, NOBODY, 0)
        :: else
        fi
    fi
}

/* One VM a step; until there is nobody, the message is not given back. */
#define stays(u) (vm[u].owner == self && vm[u].why == NOT && !vm[u].ended && \
                  (vm[u].gate != SPARED || mutation != 16))
inline give_all()
{
    if
    :: stays(0) -> v = 0; stop_and_move(v, WAIT_ROOM, STOP); phase = 0
    :: stays(vms - 1) -> v = vms - 1; stop_and_move(v, WAIT_ROOM, STOP); phase = 0
    :: else
    fi
}

/* --- the keeper's own --------------------------------------------------------------------- */

/* vm_control of a supervisor: destroy here, move_summon elsewhere */
inline destroy(v)
{
    gives--;
    if
    :: is_here(v) && vm[v].state != ABSENT -> then = FREE; reason = ABSENT
    :: is_here(v) && vm[v].state == ABSENT
    :: else ->
        summoned++;
        move_next_stop(v);
        must_send(stop_at, GIVE, v)
    fi
}

/* core/shutdown.c: pass_on, write_out */
#define to_write(v) (stopping && is_here(v) && vm[v].state == LIVE && vm[v].why == NOT && \
                     !vm[v].ended && !vm[v].leaving && !vm[v].fetch)
inline write_out(v)
{
    vm[v].gate = APART;
    if
    :: vm[v].cold -> fetch_begin(v)
    :: else -> run_stop(v, WAIT_ROOM); snapshot_write(v)
    fi
}
