"""Become a server that does not outlive its owner. Run by path, standard library only, never imported.

    python launch.py LIFELINE LOCK IDENTITY DATA ENDING program argument ...

LIFELINE  read end of a pipe whose write end only the owner holds: it closes when the owner dies, however.
LOCK      descriptor that keeps the data folder locked until the server is gone, or -1.
IDENTITY  ``keep``, ``namespace``, ``nobody``, or ``auto``: whichever lets PostgreSQL run when we are root.
DATA      the folder that the server must own, or ``-``.
ENDING    signals with seconds to wait after each: ``INT:10,QUIT:3,KILL:3``.

This process replaces itself by the program, so the program's process id is the one that the owner was
given. Before that it leaves a watcher behind: a grandchild in a session of its own, which sleeps until the
server ends, or until the lifeline closes and it has to end the server. The death signal of Linux would
not do: it is cleared when a process changes its credentials, and tied to a thread of the owner.

With the program ``--remove`` there is no server: the watcher waits for the lifeline, then for everybody
who holds the lock of the folder DATA, and removes the folder.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

NOBODY = 65534
CLONE_NEWUSER = 0x10000000
PR_SET_KEEPCAPS = 8
PR_SET_SECUREBITS = 28
NO_SETUID_FIXUP = 1 << 2
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522
LOOK_MS = 500


def main(arguments: list[str]) -> None:
    """Leave the watcher behind, then become the program."""
    lifeline, lock = int(arguments[0]), int(arguments[1])
    identity, data, ending, program = arguments[2], arguments[3], arguments[4], arguments[5:]
    os.set_inheritable(lifeline, False)
    if lock >= 0:
        os.set_inheritable(lock, False)
    if program == ["--remove"]:
        leave_behind(lambda: remove_folder(lifeline, Path(data)))
        return
    server = os.getpid()
    handle = process_handle(server)
    leave_behind(lambda: watch(lifeline, server, handle, ending))
    assume(identity, data)
    os.execv(program[0], program)  # noqa: S606  # replacing ourselves without a shell is the point


def leave_behind(duty: Callable[[], None]) -> None:
    """Run ``duty`` in a grandchild, so that the server is never the parent of a process it does not know."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        os.chdir("/")
        duty()
    finally:
        os._exit(0)


def process_handle(process: int) -> int:
    """A handle that cannot come to mean another process; -1 where the system has none."""
    try:
        return os.pidfd_open(process)
    except (AttributeError, OSError):
        return -1


def watch(lifeline: int, server: int, handle: int, ending: str) -> None:
    """Sleep until the server has ended, or until the owner has and the server must."""
    if not ended_before_owner(lifeline, server, handle):
        for step in ending.split(","):
            name, seconds = step.split(":")
            send(server, handle, getattr(signal, "SIG" + name))
            if ended_within(float(seconds), server, handle):
                return


def ended_before_owner(lifeline: int, server: int, handle: int) -> bool:
    """Wait for whichever comes first."""
    events = select.poll()
    events.register(lifeline, select.POLLIN | select.POLLHUP)
    if handle >= 0:
        events.register(handle, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in events.poll(None if handle >= 0 else LOOK_MS)}
        if has_ended(server, handle):
            return True
        if lifeline in ready:
            return False


def ended_within(seconds: float, server: int, handle: int) -> bool:
    """Wait a bounded time for the server's end."""
    deadline = time.monotonic() + seconds
    while not has_ended(server, handle):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def has_ended(server: int, handle: int) -> bool:
    """Whether the server is gone."""
    if handle >= 0:
        return bool(select.select([handle], [], [], 0)[0])
    try:
        os.kill(server, 0)
    except ProcessLookupError:
        return True
    return False


def send(server: int, handle: int, number: int) -> None:
    """Signal the server, and nobody who got its number after it."""
    try:
        if handle >= 0:
            signal.pidfd_send_signal(handle, number)
        else:
            os.kill(server, number)
    except ProcessLookupError:
        return


def remove_folder(lifeline: int, folder: Path) -> None:
    """Remove a folder when its owner and all who hold its lock are gone."""
    select.select([lifeline], [], [])
    with (folder / "lock").open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(folder, ignore_errors=True)


def assume(identity: str, data: str) -> None:
    """Be somebody whom PostgreSQL accepts: it refuses to run as root."""
    if identity == "keep" or os.geteuid() != 0:
        return
    if identity == "auto":
        identity = "namespace" if namespace_possible() else "nobody"
    own(data, 0 if identity == "namespace" else NOBODY)
    if identity == "namespace":
        enter_namespace()
    else:
        drop_to_nobody()


def own(data: str, user: int) -> None:
    """Hand the folder to ``user``: a start may find it as another identity left it."""
    if data == "-" or not Path(data).exists() or Path(data).stat().st_uid == user:
        return
    for folder, _, files in os.walk(data):
        os.chown(folder, user, user)
        for name in files:
            os.lchown(os.path.join(folder, name), user, user)  # noqa: PTH118  # a walk yields texts


def namespace_possible() -> bool:
    """Try in a child: entering cannot be undone."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    try:
        enter_namespace()
    except (OSError, AttributeError):  # not allowed here, or not Linux
        os._exit(1)
    os._exit(0)


def enter_namespace() -> None:
    """A user namespace in which we are called nobody, while our files stay ours.

    Source: user_namespaces(7).
    """
    group = os.getegid()
    if libc().unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    Path("/proc/self/uid_map").write_text(f"{NOBODY} 0 1")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} {group} 1")


def drop_to_nobody() -> None:
    """Become nobody, and keep the one capability that reaches folders below root's home.

    Whoever may not keep it can still run in folders that everybody reaches.
    Source: capabilities(7), ambient capability set.
    """
    linux = sys.platform == "linux"
    # Without the first, access(2) forgets the capabilities of whoever is not root, and initdb uses it to
    # look for its programs; not every container allows it.
    if linux and libc().prctl(PR_SET_SECUREBITS, NO_SETUID_FIXUP, 0, 0, 0) != 0:
        libc().prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    if linux:
        bit = 1 << CAP_DAC_OVERRIDE
        libc().capset((ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0))
        libc().prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def libc() -> ctypes.CDLL:
    """The C library that Python itself runs on."""
    return ctypes.CDLL(None, use_errno=True)


if __name__ == "__main__":
    main(sys.argv[1:])
