/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMs between CPUs: core/move.c, core/network.c and what of core/run.c, core/fetch.c,
 * core/residence.c, core/ending.c and core/shutdown.c moves VMs. Three CPUs: the keeper 0, homes 1
 * and 2; frames come from outside, at CPU 0, and from a VM that stays at CPU 2.
 *
 * What tools/check-model shows, in all states of each of its proofs, whose bounds stand there:
 *   touch()      only the CPU that a VM belongs to touches it (vm.owner, a ghost), so vm.where says
 *                the truth wherever it names the CPU that reads it;
 *   frames[]     no frame is handed over twice, and each is handed over or dropped where the code
 *                counts it, or because the machine stops;
 *   quiet()      when nothing more can happen, every event was seen, all questions are answered,
 *                each once, no message waits, and a machine that stops has written every VM;
 *   written      nothing has changed in who goes out since its record was made, and an event that
 *                is in the record wakes it (residence_written);
 *   must_send()  short messages fit.
 *
 * And of the proofs that say so, that there is no cycle: every run ends, so it ends in a state that
 * is quiet, and what was posted, sent and asked for has been seen. No fairness is needed but that a
 * CPU with something to do does something, and that a trap ends: it takes no more mail than there
 * was as it began (mail_take reads `given` once). That irq_dispatch is not kept from returning by
 * one call after the other is not shown; mutation 21 is what happens then.
 *
 * Not so, and not promised: that frames from one sender come in order. One that is passed on by a
 * VM's last CPU may come after one that was sent later, straight to the new.
 *
 * Left out: the order of evictions, `hungry` and lack of frames (a read that cannot begin is tried
 * again at once), frames that raise no event, the uplink, MAIL_POKE and MAIL_SPILL, VMs whose home
 * is the keeper, and vm_control's callers.
 *
 * An atomic block is what a CPU does between two looks at what others write: a ring, vm.where,
 * `stopping`. One that sends what it has read vm.where for may do so at once, since the message
 * waits in its ring for any time. Promela is sequentially consistent and the machine is not. What
 * carries over: all of a VM is written before the release of its message (mail_send) and read after
 * the acquire of it (take_ring). vm.where itself is released and acquired alone; who reads an old
 * value sends to a CPU that the VM has left, which passes on. For that, only the CPU that a VM
 * leaves has to know it at once, and that CPU wrote it.
 *
 * A mutation is a model that is wrong in one place. All must be found wrong:
 *    1  event_post wakes a VM that departs          12  GONE is not asked about again
 *    2  park_elsewhere overwrites why MOVE_EVICT    13  the VM's message before vm.where
 *    3  wake does not take an eviction back         14  take does not set vm.where
 *    4  run_arrived does not look at events         15  a refused departure is forgotten
 *    5  MOVE_LOAD: run_go_on in place of run_wake   16  give_all does not find the spared
 *    6  an ended VM that was asked for is kept      17  give_first says nothing for nobody
 *    7  two GIVEs, one answer                       18  a frame's slot is a VM's, too: no reserve
 *    8  come_to_leave does not look at events       19  send_home of one that idles, stopping
 *    9  move_depart while pages are read            20  keep of MOVE_ALL does not look at events
 *   10  next_slow takes no mail while rings are     21  a trap takes mail while there is any
 *       full                                            (a cycle)
 *   11  GIVE of a VM that departs for EVICT: no    22  a frame for one that leaves and does not
 *       GONE                                            idle
 */
#include "state.pml"
#include "vm.pml"
#include "between.pml"

/* --- a CPU -------------------------------------------------------------------------------- */

/* The VM that runs does something, until it idles or stops. */
inline guest(v)
{
    if
    :: vm[v].cold -> mux_remove(v); vm[v].wait = WAIT_PAGE; then = MOVE; reason = PAGE
    :: loads > 0 -> loads--; mux_remove(v); then = MOVE; reason = LOAD /* preempt */
    :: ends > 0 -> ends--; then = STOP_IT
    :: event_gather(v);
        if
        :: vm[v].pending -> vm[v].pending = 0 /* sees its events, and comes to idle again */
        :: else -> /* run_block */
            mux_remove(v);
            vm[v].wait = WAIT_IDLE;
            vm[v].wheel = (timers > 0 -> self + 1 : 0);
            gate_idle(v)
        fi
    fi
}

/* mux_start, enter, event_deliver */
inline enter(v)
{
    touch(v);
    assert(!vm[v].departing && !vm[v].leaving && vm[v].home == self);
    vm[v].sched = RUNNING;
    vm[v].ran = 1;
    if
    :: vm[v].wait == WAIT_IDLE -> event_gather(v); vm[v].pending = 0
    :: else
    fi;
    vm[v].wait = WAIT_NONE
}

/* Guests run between traps; a trap is over when all have departed, or were tried. */
#define runs(u) (phase == 0 && !trap && vm[u].mux == self + 1)
#define waits(u) (phase == 0 && vm[u].owner == self && vm[u].departing && tried[u])
#define mail(a) (phase == 0 && len(RING(a, self)) > 0 && left != NO_MORE && \
                 !(mutation == 10 && !trap && (waits(0) || waits(vms - 1))))
#define keeps(u) (phase == 0 && self == KEEPER && vm[u].owner == KEEPER)
#define gate_may(u) (keeps(u) && evicts > 0 && !stopping && vm[u].state == LIVE && \
                     (vm[u].gate == IDLE || vm[u].gate == BUSY))

inline choose(u)
{
    if
    :: phase == 0 && trap && departs(u) -> op = DEPART
    :: runs(u) && vm[u].sched == READY -> op = ENTER
    :: runs(u) && vm[u].sched == RUNNING -> op = GUEST
    :: phase == 0 && timers > 0 && vm[u].wheel == self + 1 -> op = EXPIRE
    :: keeps(u) && vm[u].fetch && vm[u].state == LIVE -> op = FETCHED
    :: phase == 0 && self == KEEPER && vm[u].writing -> op = WRITTEN
    :: phase == 0 && self == KEEPER && vm[u].writing && evicts > 0 -> op = FAILED
    :: gate_may(u) -> op = EVICT_OWN
    :: keeps(u) && vm[u].state == COMING && vm[u].waiter && !stopping -> op = ARRIVE
    :: self == KEEPER && phase == 0 && to_write(u) -> op = WRITE_OUT
    :: self == KEEPER && phase == 0 && gives > 0 && !stopping -> op = DESTROY
    :: waits(u) && !trap && room(self, (self == KEEPER -> vm[u].home : KEEPER), vm_slots) ->
        op = NO_OP; tried[u] = 0; trap = 1
    fi;
    v = u
}

/* The environment does less than it could. */
#define budget (asks + gives + stops + timers + evicts + fails + loads + ends)
inline give_back()
{
    if
    :: asks > 0 -> asks--
    :: gives > 0 -> gives--
    :: stops > 0 -> stops--
    :: timers > 0 -> timers--
    :: evicts > 0 -> evicts--
    :: fails > 0 -> fails--
    :: loads > 0 -> loads--
    :: ends > 0 -> ends--
    fi
}

/* gate_run, for a home */
inline ask(cpu)
{
    asks--;
    asked[cpu]++;
    must_send(cpu, ASK, 0)
}

#define may_ask(cpu) (phase == 0 && self == KEEPER && asks > 0 && !stopping && \
                      asked[cpu] < ASKED_MAX)

inline handle()
{
    RING(from, self) ? < k, d, v, n >;
    phase = POP;
    if
    :: batches && left == 0 ->
        left = len(RING((self + 1) % 3, self)) + len(RING((self + 2) % 3, self))
    :: else
    fi;
    if
    :: k == FRAME -> network_deliver(v, n)
    :: k == VM -> take(v)
    :: k == GIVE -> give(v)
    :: k == GONE -> answer(v)
    :: k == ASK -> give_first()
    :: k == NOBODY -> gate_given()
    :: k == ALL -> give_all()
    fi
}

proctype cpu(byte self; byte to_send)
{
    byte v, n, k, d, g, from, to, why, stop_at, op, phase, then, reason;
    byte left; /* with `batches`: messages that this trap may still take; 0: it has taken none */
    bit trap, popping, tried[VMS_MAX];
end:
    do
    :: atomic {
           if
           :: mail((self + 1) % 3) -> from = (self + 1) % 3; op = MAIL
           :: mail((self + 2) % 3) -> from = (self + 2) % 3; op = MAIL
           :: choose(0)
           :: choose(vms - 1)
           :: phase == 0 && to_send > 0 -> op = DELIVER
           :: may_ask(1) -> ask(1); op = NO_OP; trap = 1
           :: may_ask(2) -> ask(2); op = NO_OP; trap = 1
           :: phase == 0 && self == KEEPER && stops > 0 -> /* residence_shutdown, move_ask_all */
               stops--;
               stopping = 1;
               must_send(1, ALL, 0);
               must_send(2, ALL, 0);
               op = NO_OP;
               trap = 1
           :: phase == 0 && self == KEEPER && budget > 0 -> give_back(); op = NO_OP
           :: phase == 0 && trap && !departs(0) && !departs(vms - 1) ->
               trap = 0;
               left = 0;
               op = NO_OP
           :: phase == PASS_ON ->
               move_next_stop(v);
               send_frame(stop_at, v, n);
               phase = (popping -> POP : 0);
               op = NO_OP
           :: phase == SEND_VM -> send_vm(v); op = NO_OP
           :: phase == LATE_WHERE ->
               vm[v].where = self | ((to + 1) << GOES_SHIFT);
               phase = 0;
               op = NO_OP
           :: phase == POP ->
               RING(from, self) ? _, _, _, _;
               popping = 0;
               phase = 0;
               op = NO_OP;
               if
               :: left > 1 -> left--
               :: left == 1 -> left = NO_MORE
               :: else
               fi
           fi;
           if
           :: op == MAIL || op >= EXPIRE -> trap = 1; tried[0] = 0; tried[vms - 1] = 0
           :: op == GUEST -> trap = 1; tried[0] = 0; tried[vms - 1] = 0
           :: else
           fi;
           if
           :: op == MAIL -> popping = 1; handle()
           :: op == DEPART -> depart(v)
           :: op == ENTER -> enter(v)
           :: op == GUEST -> guest(v)
           :: op == EXPIRE -> timers--; vm[v].wheel = 0; then = POST
           :: op == FETCHED -> fetched(v)
           :: op == WRITTEN -> residence_written(v, 1)
           :: op == FAILED -> evicts--; residence_written(v, 0)
           :: op == EVICT_OWN -> evicts--; evict(v)
           :: op == ARRIVE -> arrive(v)
           :: op == WRITE_OUT -> write_out(v)
           :: op == DESTROY -> destroy(v)
           :: op == DELIVER ->
               to_send--;
               n = (self == KEEPER -> to_send : FRAMES_MAX / 2 + to_send);
               v = to_send % vms;
               frames[n] = SENT;
               network_deliver(v, n)
           :: op == NO_OP
           fi;
           finish(v);
           op = NO_OP;
           g = 0;
           stop_at = 0;
           reason = 0;
           if
           :: phase == 0 -> v = 0; n = 0; k = 0; d = 0; from = 0; to = 0; why = 0
           :: phase == POP -> v = 0; n = 0; k = 0; d = 0
           :: else
           fi
       }
    od
}

/* --- what holds when nothing more happens ------------------------------------------------- */

inline vm_is_quiet(u)
{
    assert(vm[u].owner != NOBODY_S && vm[u].where == vm[u].owner && !vm[u].departing);
    assert(!vm[u].leaving && !vm[u].fetch && !vm[u].ended && len(parked[u]) == 0 || stopping);
    if
    :: vm[u].state == LIVE ->
        assert(!stopping); /* all are written */
        assert(vm[u].sched == BLOCKED && vm[u].wait == WAIT_IDLE);
        assert(!vm[u].events && !vm[u].pending);
        assert(vm[u].gate >= BUSY) /* busy: when its record could not be written (gate_kept) */
    :: vm[u].state == STORED -> assert(stopping || !vm[u].events && !vm[u].can_run)
    :: vm[u].state == COMING -> assert(stopping)
    :: else
    fi
}

proctype quiet()
{
    byte i;
    timeout ->
    atomic {
        for (i : 0 .. FRAMES_MAX - 1) {
            assert(frames[i] == UNSENT || frames[i] == TAKEN || frames[i] == DROPPED || stopping)
        }
        for (i : 0 .. 8) {
            assert(len(ring[i]) == 0)
        }
        assert(asked[1] == 0 && asked[2] == 0 && summoned == 0);
        vm_is_quiet(0);
        if
        :: vms > 1 -> vm_is_quiet(1)
        :: else
        fi
    }
}

init
{
    byte i;
    atomic {
        set_up();
        for (i : 0 .. vms - 1) {
            vm[i].where = 1;
            vm[i].owner = 1;
            vm[i].home = 1;
            vm[i].state = LIVE;
            vm[i].sched = READY;
            vm[i].mux = 2;
            vm[i].gate = BUSY;
            vm[i].cold = cold
        }
        run cpu(KEEPER, frames_out);
        run cpu(1, 0);
        run cpu(2, frames_peer);
        run quiet()
    }
}
