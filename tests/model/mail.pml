/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/mail.c: two senders, one receiver that sleeps. No message waits while the receiver sleeps
 * and no interrupt is on its way; each is taken once, and those of a sender in order.
 *
 * irq is the pending state of the SGI: one for all senders, as GICv3 keeps it (GICv2 has one for
 * each sender, which is more). WFI returns when it is set, although it is masked (Arm ARM D1.6.2).
 *
 * What sequential consistency hides. `called` is changed by exchanges alone, so all of them are in
 * one order. Sender: `given` is stored before the exchange releases; receiver: its exchange
 * acquires before it loads `given`. A sender's exchange before the receiver's: the message is seen.
 * After it: the sender read false and sends. Neither needs more than release and acquire; the store
 * of `called` is before the SGI by the DSB in the driver's send(), and the acknowledge is before
 * the receiver's exchange by the DSB there.
 *
 * Mutations, from pan's environment: 1 the receiver clears `called` after the look; 2 the sender
 * looks at `called` before it writes the message; 3 room is given back before the message was read.
 */
c_decl {
\#include <stdlib.h>
}
hidden byte mutation;

#define MESSAGES 3
#define SLOTS 2

byte data[2 * SLOTS], given[2], taken[2], seen[2];
bit called, irq, asleep;

#define DATA(from, i) data[(from) * SLOTS + (i) % SLOTS]

/* mail_send, call. A ring that is full is tried again. */
proctype sender(byte self)
{
    byte i;
    bit was;
    for (i : 1 .. MESSAGES) {
        given[self] - taken[self] < SLOTS;
        if
        :: mutation == 2 -> atomic { was = called; called = 1 }
        :: else
        fi;
        DATA(self, given[self]) = i;
        given[self] = given[self] + 1; /* release */
        if
        :: mutation != 2 -> atomic { was = called; called = 1 }
        :: else
        fi;
        if
        :: !was -> irq = 1
        :: else
        fi
    }
}

/* sleep, irq_dispatch, mail_take, take_ring */
proctype receiver()
{
    byte from, last, m;
sleeps:
    asleep = 1;
end:
    irq;
    atomic { asleep = 0; irq = 0 };
    if
    :: mutation != 1 -> called = 0
    :: else
    fi;
    for (from : 0 .. 1) {
        last = given[from]; /* acquire */
        do
        :: taken[from] != last ->
            if
            :: mutation == 3 -> taken[from] = taken[from] + 1; m = DATA(from, taken[from] - 1)
            :: else -> m = DATA(from, taken[from]); taken[from] = taken[from] + 1 /* release */
            fi;
            assert(m == seen[from] + 1); /* each once, in order */
            seen[from] = m
        :: else -> break
        od
    }
    if
    :: mutation == 1 -> called = 0
    :: else
    fi;
    goto sleeps
}

init
{
    c_code { mutation = getenv("MUTATION") ? atoi(getenv("MUTATION")) : 0; };
    atomic { run sender(0); run sender(1); run receiver() };
    timeout ->
    assert(seen[0] == MESSAGES && seen[1] == MESSAGES)
}
