/* SPDX-License-Identifier: Apache-2.0
 *
 * New rules on their way to the workers, and what becomes of open connections and kept sessions:
 * src/gateway/reload.c and trials.c (the parent), worker.c, tryout.c and tls.c (a worker),
 * lib/session/resume.c (sessions).
 *
 * One peer per worker stands for all. A generation of rules allows it or does not, as the operator
 * likes, and its certificates work or do not: one worker tries them before any uses them. Workers fail to build rules, crash, hang and are replaced; each of these a bounded number of
 * times, at any moment.
 *
 * Defines take a part of the design away; with any of them a property must be violated:
 *   NO_SWEEP         a worker does not judge open connections by new rules
 *   NO_RELAY_CHECK   the relay goes on by the verdict that it has
 *   NO_RESUME_CHECK  a session that is offered counts as admitted
 *   NO_ROLL_BACK     workers keep rules that were refused
 *   NO_LATE_ANSWER   who answers late to rules that were refused meanwhile keeps them
 *   NO_TRIAL         the certificates of new rules are not tried
 *   NO_TRIAL_NUMBER  what is said of one trial counts for whatever is coming now
 *   NO_FIRST_ANSWER  a replacement whose first rules are refused is left without any
 */
#define WORKERS 2
#define LAST    3 /* rules 1 are those of the start; the operator has two more */
#define NOBODY  0

mtype = { IDLE, KEYS, TRY, TELL };         /* the parent's phases                        */
mtype = { CLOSED, HANDSHAKE, RELAY };      /* a connection                               */

chan to[WORKERS] = [4] of { byte, bool };  /* GENERATION, or TRIALS: id, whether to try  */
chan from[WORKERS] = [4] of { byte, bool, bool }; /* GENERATION_DONE, or TRIED: id, whether it is
                                              used or works, whether it was tried        */

bool allows[LAST + 1];
bool works[LAST + 1];                      /* its certificates                           */
mtype phase = IDLE;
byte in_force = 1;                         /* parent->current                            */
byte coming = NOBODY;
byte next = 2;
byte done[WORKERS];                        /* what each worker answered last; 0: nothing */
bool ready[WORKERS];
byte uses[WORKERS];                        /* worker->current                            */
bool sweep[WORKERS];                       /* worker->sweep is deferred                  */
mtype conn[WORKERS] = CLOSED;
byte judged[WORKERS];                      /* by which rules the verdict was made        */
bool resumed[WORKERS];
bool kept[WORKERS];                        /* a session that the peer may offer          */
byte failures = 1, crashes = 1, hangs = 1;
byte tester = WORKERS;                     /* trials->worker; WORKERS: none              */
bool lost;                                 /* a worker that tried                        */
hidden byte i, gone;


/* A worker is no more: its connections, sessions and channels with it. */
inline die(w) {
    ready[w] = false; uses[w] = NOBODY; sweep[w] = false;
    conn[w] = CLOSED; kept[w] = false; resumed[w] = false; judged[w] = 0;
    do
    :: to[w]?gone,_
    :: empty(to[w]) -> break
    od;
    do
    :: from[w]?gone,_,_
    :: empty(from[w]) -> break
    od;
    gone = 0
}

/* ---- a worker ------------------------------------------------------------------------------ */

/* mutual_admit by the rules in use now, for the first time or again. */
inline judge(w) {
    if
    :: allows[uses[w]] -> judged[w] = uses[w]
    :: else -> conn[w] = CLOSED; resumed[w] = false; judged[w] = 0
    fi
}

proctype Worker(byte w) {
    byte id;
end:
    do
    /* on_generation, swap: answered, then what is open is judged in a later turn */
    :: atomic { to[w]?id,false ->
           if
           :: failures > 0 -> failures--; from[w]!id,false,false
           :: assert(works[id]); /* nobody is shown what works for nobody */
              uses[w] = id; from[w]!id,true,false;
#ifndef NO_SWEEP
              sweep[w] = true
#endif
           fi; id = 0 }
    /* tryout_message, on_work: nothing is used yet */
    :: atomic { to[w]?id,true -> from[w]!id,works[id],true; id = 0 }
    /* on_sweep */
    :: atomic { sweep[w] -> sweep[w] = false;
           if
           :: conn[w] == RELAY -> judge(w)
           :: else
           fi }
    /* somebody comes, and shows a session if there is one: find_session */
    :: atomic { uses[w] != NOBODY && conn[w] == CLOSED ->
           conn[w] = HANDSHAKE; resumed[w] = false;
           if
           :: kept[w] ->
#ifdef NO_RESUME_CHECK
              resumed[w] = true
#else
              resumed[w] = allows[uses[w]]
#endif
           :: true
           fi }
    /* conn_stage_admit */
    :: atomic { uses[w] != NOBODY && conn[w] == HANDSHAKE -> conn[w] = RELAY;
#ifdef NO_RESUME_CHECK
           if
           :: resumed[w] -> judged[w] = uses[w]
           :: else -> judge(w)
           fi;
#else
           judge(w);
#endif
           if
           :: conn[w] == RELAY ->
              assert(!resumed[w] || allows[uses[w]]); /* no session opens what is refused */
              kept[w] = true
           :: else
           fi }
    /* conn_stage_relay: a byte comes */
    :: atomic { conn[w] == RELAY ->
#ifndef NO_RELAY_CHECK
           if
           :: judged[w] != uses[w] -> judge(w)
           :: else
           fi;
#endif
           if
           :: conn[w] == RELAY -> assert(allows[uses[w]]) /* no byte by rules that are gone */
           :: else
           fi }
    :: atomic { conn[w] == RELAY -> conn[w] = CLOSED; resumed[w] = false; judged[w] = 0 }
    :: atomic { ready[w] && crashes > 0 -> crashes--; die(w) }
    od
}

/* ---- what must hold ------------------------------------------------------------------------------
 * When the parent waits for nothing, every worker lives and has said what it has to say, and no
 * sweep is due, then all use the rules in force, and nothing is open that these refuse. */
#define QUIET                                                                 \
    (phase == IDLE && ready[0] && ready[1] && empty(to[0]) && empty(to[1]) && \
     empty(from[0]) && empty(from[1]) && !sweep[0] && !sweep[1])
#define AGREED (uses[0] == in_force && uses[1] == in_force)
#define HELD \
    ((conn[0] != RELAY || allows[in_force]) && (conn[1] != RELAY || allows[in_force]))

/* ---- the parent ------------------------------------------------------------------------------ */

inline send_in_force(w) {
    to[w]!in_force,false
}

/* reload_refuse: the old rules stay; whoever says that he uses others is sent the old ones. */
inline refuse() {
    coming = NOBODY; phase = IDLE; tester = WORKERS; lost = false;
#ifndef NO_ROLL_BACK
    i = 0;
    do
    :: i < WORKERS ->
       if
       :: ready[i] && done[i] != NOBODY && done[i] != in_force -> send_in_force(i)
       :: else
       fi;
       i++
    :: else -> break
    od;
    i = 0
#endif
}

/* send_to_workers */
inline tell() {
    phase = TELL; tester = WORKERS; lost = false; w = 0;
    do
    :: w < WORKERS ->
       if
       :: ready[w] -> to[w]!coming,false
       :: else
       fi; w++
    :: else -> break
    od; w = 0
}

/* trials_give: to the first who is ready */
inline give() {
    if
    :: ready[0] -> tester = 0; to[0]!coming,true
    :: !ready[0] && ready[1] -> tester = 1; to[1]!coming,true
    :: else
    fi
}

active proctype Parent() {
    byte w, id;
    bool ok, tried;
    atomic {
        allows[1] = true; works[1] = true;
        do
        :: w < WORKERS -> run Worker(w); ready[w] = true; uses[w] = 1; done[w] = 1; w++
        :: else -> break
        od; w = 0 }
end:
    do
    /* SIGHUP: rules of any kind */
    :: atomic { phase == IDLE && next <= LAST -> coming = next; next++; phase = KEYS;
           if
           :: works[coming] = true; allows[coming] = true
           :: works[coming] = true
           :: true
           fi }
    /* the key process has loaded the keys, or could not */
    :: atomic { phase == KEYS ->
           if
           :: failures > 0 -> failures--; refuse()
#ifdef NO_TRIAL
           :: tell()
#else
           :: phase = TRY; give()
#endif
           fi }
    /* trials_keys_died; on_patience does the same, and what it ends may end by itself as well */
    :: atomic { phase == TRY && failures > 0 -> failures--; refuse() }
    /* trials_worker_died: the first is tried again by another, the second is the certificates' */
    :: atomic { phase == TRY && tester < WORKERS && !ready[tester] -> tester = WORKERS;
           if
           :: !lost -> lost = true; give()
           :: else -> refuse()
           fi }
    /* reload_worker_done */
    :: atomic { from[0]?id,ok,tried -> w = 0; goto answered }
    :: atomic { from[1]?id,ok,tried -> w = 1; goto answered }
    /* on_patience: whoever has not answered is replaced */
    :: atomic { phase == TELL && hangs > 0 -> hangs--;
           do
           :: w < WORKERS ->
              if
              :: ready[w] && done[w] != coming -> die(w)
              :: else
              fi; w++
           :: else -> break
           od; w = 0;
           refuse() }
    :: atomic { QUIET -> assert(AGREED && HELD) }
    /* reload_worker_ready: a replacement */
    :: atomic { !ready[0] -> w = 0; goto replaced }
    :: atomic { !ready[1] -> w = 1; goto replaced }
    od;

answered:
    atomic {
        if
        /* trials_read */
        :: tried ->
           if
#ifdef NO_TRIAL_NUMBER
           :: phase == TRY ->
#else
           :: phase == TRY && id == coming && w == tester ->
#endif
              if
              :: ok -> tell()
              :: else -> refuse()
              fi
           :: else
           fi
        :: !tried && ok ->
           done[w] = id;
           if
           :: phase == TELL && done[0] == coming && done[1] == coming ->
              assert(!ready[0] || uses[0] == coming); /* "reloaded" is true when it is told */
              assert(!ready[1] || uses[1] == coming);
              in_force = coming; coming = NOBODY; phase = IDLE
#ifndef NO_LATE_ANSWER
           :: phase != TELL && id != in_force -> send_in_force(w)
#endif
           :: else
           fi
        :: !tried && !ok && id == coming ->
#ifndef NO_FIRST_ANSWER
           done[w] = id;
#endif
           refuse()
        :: !tried && !ok && id != coming -> die(w)
        fi;
        w = 0; id = 0; ok = false; tried = false;
        goto end
    }

replaced:
    atomic {
        ready[w] = true; done[w] = NOBODY;
        if
        :: phase == TELL -> to[w]!coming,false
        :: phase == TRY && tester == WORKERS -> give(); send_in_force(w)
        :: else -> send_in_force(w)
        fi;
        w = 0;
        goto end
    }
}
