/* SPDX-License-Identifier: Apache-2.0
 *
 * Signatures asked of the key process and its answers, while either end crashes, requests are given
 * up, and another worker is hostile: src/keys/client.c (the worker's end), serve.c (the key process).
 *
 * A signature is right when it is over the bytes that were asked about; bytes are a number here.
 *
 * Defines take a part of the design away; with any of them a property must be violated:
 *   NO_GENERATION   an answer is given to whoever has the slot now
 *   NO_UNSENT       what was asked of a dead key process counts as asked
 *   NO_LIMIT        a request is asked again and again
 *   NO_NEW_CHANNEL  a worker's replacement is given what the old one asked
 *   NO_EXPEL        who sends a malformed message is served on
 */
#define SLOTS 2
#define LAST  3                              /* requests, numbered from 1                  */
#define NONE  0

chan asked = [2] of { byte, byte, byte };    /* KEY_SIGN: slot, generation, bytes          */
chan answered = [4] of { byte, byte, byte };   /* KEY_SIGNED: slot, generation, signature    */
chan evil = [1] of { bool };                 /* of the hostile worker: is it well-formed?  */

bool attached = true;                        /* the worker has a channel                   */
bool alive = true;                           /* the key process, and its end of it         */
byte epoch = 1;                              /* which channel it is                        */
byte pending[SLOTS], generation[SLOTS];
bool sent[SLOTS], retried[SLOTS];
byte next = 1;
byte times[LAST + 1];                        /* how often it was asked                     */
bool over[LAST + 1];                         /* answered, failed or given up               */
byte answers[LAST + 1];
byte keys_crashes = 2, worker_crashes = 1, given_up = 1;
bool malformed, heard, evil_open = true;
byte a, b, c;

inline drop(queue) {
    do
    :: queue?a,b,c
    :: empty(queue) -> break
    od;
    a = 0; b = 0; c = 0
}

/* complete: the slot is free, and its next owner has another number. */
inline complete(s) {
    over[pending[s]] = true;
    pending[s] = NONE; sent[s] = false; retried[s] = false;
    generation[s] = generation[s] + 1
}

inline send(s) {
    times[pending[s]]++;
    assert(times[pending[s]] <= 2);          /* once, and once more                        */
    asked!s,generation[s],pending[s];
    sent[s] = true
}

inline lose_one(s) {
    if
    :: pending[s] != NONE && sent[s] ->
#ifndef NO_UNSENT
       sent[s] = false;
#endif
       if
#ifndef NO_LIMIT
       :: retried[s] -> complete(s)
#endif
       :: else -> retried[s] = true
       fi
    :: else
    fi
}

inline lose_channel() {
    attached = false;
    drop(asked); drop(answered);
    lose_one(0); lose_one(1)
}

active proctype Worker() {
    byte s, g, signature;
    byte at;
    do
    /* keys_client_sign */
    :: atomic { next <= LAST && (pending[0] == NONE || pending[1] == NONE) ->
           at = (pending[0] == NONE -> 0 : 1);
           pending[at] = next; next++;
           if
           :: attached && nfull(asked) -> send(at)
           :: !attached                     /* it waits for the replacement              */
           :: attached && full(asked) -> complete(at)
           fi;
           at = 0 }
    /* receive_all, on_signed */
    :: atomic { answered?s,g,signature ->
           if
#ifdef NO_GENERATION
           :: pending[s] != NONE ->
#else
           :: pending[s] != NONE && generation[s] == g ->
#endif
              assert(signature == pending[s]);       /* never over anything else          */
              answers[pending[s]]++;
              assert(answers[pending[s]] == 1);      /* at most one                       */
              complete(s)
           :: else                                   /* given up meanwhile                */
           fi;
           s = 0; g = 0; signature = 0 }
    /* the end of the channel is read behind the last answer */
    :: atomic { attached && !alive && empty(answered) -> lose_channel() }
    /* keys_client_attach: the parent brings a channel to the replacement; the old one may be there */
    :: atomic { alive && !attached ->
           attached = true;
           if
           :: pending[0] != NONE && !sent[0] -> send(0)
           :: else
           fi;
           if
           :: pending[1] != NONE && !sent[1] -> send(1)
           :: else
           fi }
    /* keys_waiter_cancel */
    :: atomic { given_up > 0 && pending[0] != NONE -> given_up--; complete(0) }
    :: atomic { given_up > 0 && pending[1] != NONE -> given_up--; complete(1) }
    /* the worker dies with its handshakes; its replacement counts from the beginning */
    :: atomic { worker_crashes > 0 -> worker_crashes--;
           if
           :: pending[0] != NONE -> complete(0)
           :: else
           fi;
           if
           :: pending[1] != NONE -> complete(1)
           :: else
           fi;
           generation[0] = 0; generation[1] = 0;
#ifndef NO_NEW_CHANNEL
           attached = false; drop(asked); drop(answered); epoch++
#endif
       }
    /* nobody waits for ever: to be here with a request would be no valid end */
    :: atomic { next > LAST && pending[0] == NONE && pending[1] == NONE -> break }
    od
}

active proctype Keys() {
    byte s, g, bytes, channel;
end:
    do
    /* on_sign: reads, judges and signs, answers; it may die in between */
    :: atomic { alive && nempty(asked) -> asked?s,g,bytes; channel = epoch };
       if
       :: atomic { alive ->
              if
              :: channel == epoch -> answered!s,g,bytes
              :: else
              fi;
              s = 0; g = 0; bytes = 0; channel = 0 }
       :: atomic { keys_crashes > 0 -> keys_crashes--; alive = false;
              s = 0; g = 0; bytes = 0; channel = 0 }
       fi
    /* a malformed message ends its sender */
    :: atomic { alive && evil_open && nempty(evil) ->
           evil?malformed;
           assert(!heard);
           if
           :: malformed -> heard = true;
#ifndef NO_EXPEL
              evil_open = false
#endif
           :: else
           fi;
           malformed = false }
    :: atomic { alive && keys_crashes > 0 -> keys_crashes--; alive = false }
    /* the parent starts another, with channels of its own, when the worker knows of the end */
    :: atomic { !alive && !attached -> alive = true; epoch++ }
    od
}

/* Another worker, taken over. */
active proctype Hostile() {
end:
    do
    :: evil_open && nfull(evil) ->
       if
       :: evil!false
       :: evil!true
       fi
    od
}
