/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a CPU does with a VM that is its own: core/run.c, core/residence.c, core/fetch.c,
 * core/arrival.c, core/ending.c, sched/gatekeeper.c. `self` is the CPU; an inline has the name of
 * the C function that it stands for, or says which. All of these run inside a trap, undisturbed by
 * others, as nobody else touches the VM: that is what touch() asserts.
 */
#define touch(v) assert(vm[v].owner == self)

/* move_is_here */
#define is_here(v) (vm[v].where == self)

inline gate_quit(v)
{
    if
    :: vm[v].gate > MOVING -> vm[v].spared = (vm[v].gate == SPARED); vm[v].gate = MOVING
    :: else
    fi
}

inline gate_join(v)
{
    if
    :: vm[v].gate == MOVING -> vm[v].gate = (vm[v].spared -> SPARED : BUSY)
    :: else
    fi
}

inline gate_wake(v)
{
    if
    :: vm[v].gate > BUSY -> vm[v].gate = BUSY
    :: else
    fi
}

inline gate_idle(v)
{
    if
    :: vm[v].gate > MOVING -> vm[v].gate = IDLE
    :: else
    fi
}

inline mux_remove(v)
{
    touch(v);
    vm[v].sched = BLOCKED;
    vm[v].mux = 0
}

/* With gate_kept. */
inline residence_keep(v)
{
    vm[v].leaving = 0;
    if
    :: vm[v].gate == LEAVING -> vm[v].gate = BUSY
    :: else
    fi
}

inline residence_want(v)
{
    if
    :: vm[v].state == STORED || vm[v].state == COMING ->
        vm[v].state = COMING;
        vm[v].waiter = 1
    :: else
    fi
}

/* event_ready: afterwards `pending` says it. */
inline event_gather(v)
{
    vm[v].pending = vm[v].pending || vm[v].events;
    vm[v].events = 0
}

/* What a step ends with: `then`. Written once, as inlines are copied to where they are used. */
#define POST 1     /* event_post */
#define GO_ON 2    /* run_go_on */
#define ARRIVED 3  /* run_arrived */
#define AWAKE 4    /* wake */
#define WAKE 5     /* run_wake: go, send_home, mux_wake */
#define MOVE 6     /* move_later(v, reason) */
#define STOP_IT 7  /* vm_kill: stop */
#define FREE 8     /* vm_free; the stub becomes `reason` */

inline finish(v)
{
    if
    :: then != 0 -> touch(v)
    :: else
    fi;
    if
    :: then == POST ->
        then = 0;
        if
        :: vm[v].events
        :: else ->
            vm[v].events = 1;
            if
            :: vm[v].state != LIVE -> residence_want(v)
            :: vm[v].state == LIVE && vm[v].wait >= WAIT_IDLE &&
               (vm[v].why == NOT || mutation == 1) ->
                then = AWAKE
            :: else
            fi
        fi
    :: then == GO_ON ->
        then = 0;
        if
        :: vm[v].wait == WAIT_PAGE || vm[v].wait == WAIT_ROOM ->
            vm[v].wait = WAIT_NONE;
            gate_wake(v);
            then = WAKE
        :: else
        fi
    :: then == ARRIVED ->
        then = 0;
        if
        :: vm[v].ended || vm[v].sched != BLOCKED
        :: else ->
            if
            :: vm[v].wait == WAIT_NONE -> then = WAKE
            :: else ->
                event_gather(v);
                if
                :: vm[v].wait >= WAIT_IDLE && vm[v].pending && mutation != 4 -> then = AWAKE
                :: else -> gate_idle(v)
                fi
            fi
        fi
    :: else
    fi;
    if
    :: then == AWAKE ->
        vm[v].wheel = 0;
        if
        :: vm[v].leaving && mutation != 3 -> residence_keep(v)
        :: else
        fi;
        gate_wake(v);
        then = WAKE
    :: then == STOP_IT ->
        vm[v].wheel = 0;
        mux_remove(v);
        vm[v].ended = 1;
        vm[v].wait = WAIT_NONE;
        gate_quit(v);
        vm[v].departing = 1
    :: then == FREE ->
        mux_remove(v);
        vm_discard(v);
        vm[v].wheel = 0;
        vm[v].events = 0;
        vm[v].pending = 0;
        vm[v].waiter = 0;
        vm[v].state = reason
    :: else
    fi;
    if
    :: then == WAKE && vm[v].home == self && vm[v].sched == BLOCKED ->
        vm[v].sched = READY;
        vm[v].mux = self + 1
    :: then == WAKE && vm[v].home != self && !vm[v].fetch ->
        if
        :: !stopping -> then = MOVE; reason = HOME
        :: stopping && (vm[v].wait == WAIT_NONE || mutation != 19) -> /* with give_result */
            if
            :: vm[v].wait == WAIT_IDLE -> event_gather(v); vm[v].pending = 0
            :: else
            fi;
            vm[v].wait = WAIT_ROOM
        :: else
        fi
    :: else
    fi;
    if
    :: then == MOVE ->
        gate_quit(v);
        vm[v].why = reason;
        vm[v].departing = 1
    :: else
    fi;
    then = 0
}

inline run_stop(v, for_what)
{
    touch(v);
    if
    :: vm[v].sched != BLOCKED ->
        mux_remove(v);
        if
        :: vm[v].wait == WAIT_IDLE -> event_gather(v); vm[v].pending = 0
        :: else
        fi;
        vm[v].wait = for_what
    :: else
    fi
}

/* run_stop(vm, wait); move_later(vm, why) */
inline stop_and_move(v, wait_for, because)
{
    run_stop(v, wait_for);
    then = MOVE;
    reason = because
}

/* transit_abandon, transit_free */
inline unpark_none(v)
{
    do
    :: len(parked[v]) > 0 -> parked[v] ? g; frames[g] = DROPPED
    :: else -> break
    od
}

/* What hangs off the stub, but for its events and timeout. */
inline vm_discard(v)
{
    vm[v].fetch = 0;
    unpark_none(v);
    vm[v].leaving = 0;
    vm[v].gate = APART;
    vm[v].departing = 0;
    vm[v].why = NOT;
    vm[v].wait = WAIT_NONE;
    vm[v].ended = 0
}

inline transit_park(v, n)
{
    if
    :: len(parked[v]) < PARKED -> parked[v] ! n
    :: else -> frames[n] = DROPPED
    fi
}

/* Whether the pages are being read is vm.fetch. */
inline fetch_begin(v)
{
    if
    :: vm[v].fetch
    :: !vm[v].fetch && fails > 0 -> fails--
    :: !vm[v].fetch -> vm[v].fetch = 1
    fi
}

/* transit_unpark with network_hand_over; what finds its page away stays. The event that each posts
 * is seen by who calls this, in run_arrived. */
inline transit_unpark(v)
{
    do
    :: len(parked[v]) > 0 ->
        parked[v] ? g;
        assert(frames[g] == SENT);
        frames[g] = TAKEN;
        vm[v].events = 1
    :: len(parked[v]) > 0 && vm[v].cold -> break
    :: len(parked[v]) == 0 -> break
    od
}

inline fetched(v)
{
    touch(v);
    vm[v].cold = (vm[v].cold -> vm[v].cold - 1 : 0);
    if
    :: vm[v].ended -> unpark_none(v)
    :: else -> transit_unpark(v)
    fi;
    vm[v].fetch = len(parked[v]) > 0;
    if
    :: vm[v].wait == WAIT_PAGE -> then = GO_ON
    :: vm[v].sched == BLOCKED && vm[v].wait != WAIT_PAGE && vm[v].wait != WAIT_ROOM ->
        then = ARRIVED
    :: else -> gate_wake(v)
    fi
}

/* With residence_write_out. */
inline snapshot_write(v)
{
    event_gather(v);
    vm[v].can_run = vm[v].wait < WAIT_IDLE;
    vm[v].writing = 1;
    vm[v].ran = 0;
    vm[v].leaving = 1
}

/* What residence_write_out ends with when it fails, and its VM can run: run_go_on; under
 * GATE_LEAVING, where gate_wake does nothing. */
inline evict_failed(v)
{
    if
    :: vm[v].wait == WAIT_ROOM ->
        vm[v].wait = WAIT_NONE;
        if
        :: stopping -> then = WAKE
        :: else -> then = MOVE; reason = HOME
        fi
    :: else
    fi
}

/* evict of the gatekeeper, leave, residence_write_out. A write that fails: the store is busy
 * (GATE_LATER), or full, or the VM is too large for it (GATE_NEVER). */
inline evict(v)
{
    touch(v);
    if
    :: vm[v].why != NOT /* GATE_LATER */
    :: vm[v].why == NOT && (vm[v].ended || vm[v].fetch || vm[v].wheel != 0) ->
        vm[v].gate = SPARED /* GATE_NEVER; with a timeout: it passes soon */
    :: vm[v].why == NOT && !vm[v].ended && !vm[v].fetch ->
        run_stop(v, WAIT_ROOM);
        if
        :: vm[v].cold ->
            evict_failed(v);
            fetch_begin(v);
            vm[v].gate = (vm[v].fetch -> SPARED : vm[v].gate)
        :: !vm[v].cold && evicts > 0 -> evicts--; evict_failed(v)
        :: !vm[v].cold && evicts > 0 -> evicts--; evict_failed(v); vm[v].gate = SPARED
        :: !vm[v].cold ->
            snapshot_write(v);
            vm[v].gate = LEAVING
        fi
    fi
}

/* residence_written, go_out. `ok`: the record is durable. */
inline residence_written(v, ok)
{
    vm[v].writing = 0;
    if
    :: !is_here(v) || vm[v].state != LIVE || !vm[v].leaving || vm[v].ended
    :: else ->
        touch(v);
        if
        :: ok && !(vm[v].events && stopping) ->
            assert(!vm[v].ran); /* all is in the record */
            assert(vm[v].can_run == (vm[v].wait == WAIT_ROOM)); /* the index says so, too */
            assert(vm[v].can_run || !vm[v].pending); /* or nothing would wake it */
            vm[v].wheel = 0;
            vm_discard(v);
            vm[v].state = STORED;
            if
            :: (vm[v].can_run || vm[v].events) && !stopping -> residence_want(v)
            :: else
            fi
        :: else ->
            residence_keep(v);
            if
            :: vm[v].wait == WAIT_ROOM -> then = GO_ON
            :: else
            fi
        fi
    fi
}

inline choose_home(v)
{
    if
    :: vm[v].home = 1
    :: vm[v].home = 2
    fi
}

/* core/arrival.c: end_read, take, arrive */
inline arrive(v)
{
    touch(v);
    vm[v].waiter = 0;
    vm[v].state = LIVE;
    vm[v].gate = BUSY;
    vm[v].wait = (vm[v].can_run -> WAIT_NONE : WAIT_IDLE);
    choose_home(v);
    transit_unpark(v);
    vm[v].fetch = len(parked[v]) > 0;
    then = ARRIVED
}
