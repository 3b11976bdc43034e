"""Every key in Redis: its name, what it holds, and when it goes.

The scripts in ``lua/`` compose the same names; this table is their documentation and is compared with
them in a test. All of it can be lost: the protocol's guarantees rest on the ledger (DESIGN.md, section 4
of the design; ARCHITECTURE.md, "What may fail"). One Redis, not a cluster: a script touches the keys of
many resources.

=========================  ======  ==========================================================================
key                        type    holds; lifetime
=========================  ======  ==========================================================================
fc:memory                  string  memory id: random, made when it is missing. For as long as the data live
fc:queue:<resource>        list    entries, head first. Gone when it is drained
fc:state:<resource>        hash    next (ticket), owner (token of the turn; + while on the ready list; none
                                   while idle), tries_of, tries, attempt (of the head),
                                   doubt_to, alone_to (last tickets that a batch which failed may have read),
                                   marked (1 once somebody joined, withdrew or was given
                                   the address of an entry), and for each queued
                                   command its field -> ticket and request id. A day after it is drained
fc:waiting:<resource>      hash    request id -> further API processes that wait. Gone when it is drained
fc:withdrawn:<resource>    set     request ids that are not to be decided. Gone when it is drained
fc:request:<request id>    string  resource, field and caller of a command whose caller was given an address.
                                   Until it is trimmed, at most a day
fc:rate:<policy>:<who>     string  when, in microseconds, all of a quota is there again: of a person, an
                                   address or the hash of an account. Until then: an hour at most
fc:flushing                string  who forces a flush now (flushing.py). 2 s at most
fc:everysec                string  run id of the server that is to be set back to ``appendfsync everysec``.
                                   Until it is, by its owner or the next flush
fc:ready                   list    resources with work and no owner, each once
fc:turns                   zset    living turns, <worker>:<turn> -> deadline
fc:turn:<token>            set     resources that a turn holds. Gone when the turn ends or is swept
fc:workers                 zset    <turns it can run>:<worker> -> deadline
fc:announced               zset    turns that were announced and have not begun -> deadline
fc:wake:turns              list    at most 8 tokens; a turn that waits takes one and looks
fc:wake:workers            list    at most 8 tokens; a worker that waits takes one and looks for jobs
fc:jobs                    zset    arq's queue: ids of jobs that have not ended
fc:jobs:health-check       string  arq's counts for whoever looks. 4 s
arq:job:<job>              string  what the job is. A minute, or until it has ended
arq:in-progress:<job>      string  1 while a worker runs the job, at most 70 s
arq:retry:<job>            string  how often the job was begun. Until it has ended, at most a day
fc:reply:<api>             channel outcomes for an API process, a batch in one message
=========================  ======  ==========================================================================

Deadlines are Redis's own TIME in microseconds; one further away than its span counts as expired, so a
clock that goes back cannot keep the dead alive.
"""

from __future__ import annotations

MEMORY = "fc:memory"
FLUSHING = "fc:flushing"
WAKE_TURNS = "fc:wake:turns"
WAKE_WORKERS = "fc:wake:workers"


def queue(resource: int) -> str:
    """The list of a resource's waiting entries."""
    return f"fc:queue:{resource}"


def reply_channel(api: str) -> str:
    """The channel on which an API process hears outcomes."""
    return f"fc:reply:{api}"
