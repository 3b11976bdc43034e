"""The one command of a checkout: makes ``.venv`` from the lock and goes on inside it. Standard library only.

    python3 dev.py run [options of firstcome up]    everything on this machine, from nothing
    python3 dev.py test [arguments of pytest]       all tests, on servers of their own
    python3 dev.py check                            format, lint, strict types, import contracts
    python3 dev.py lock                             for developers: make both locks again, with uv

The lock names no registry: packages come from wherever pip is configured to look.
"""

# ruff: noqa: T201  # a command prints

import sys

if sys.version_info < (3, 11):  # noqa: UP036  # an older Python must get a sentence, not a traceback
    sys.exit("firstcome needs Python 3.11 or later, and this is %d.%d." % sys.version_info[:2])  # noqa: UP031

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import venv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.lock"
RUNTIME_LOCK = ROOT / "requirements.runtime.lock"
"""What a container needs: the same versions, without the tools and the servers from wheels."""
STAMP = VENV / "made-from"
WRONG = 2
"""Exit code of a use or a start that was refused, with one sentence why."""

PIP = "26.3"
PIP_WHEEL = ROOT / "bundled" / f"pip-{PIP}-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
"""pip comes with the checkout: a machine may lack ``ensurepip``, and no index has to be known by name."""

MOST_CORES = 4
"""Cores that the tests take: each has servers of its own, which want memory."""

CHECKS = (
    ("format", ["ruff", "format", "--check", "."]),
    ("lint", ["ruff", "check", "."]),
    ("types", ["mypy"]),
    ("imports", ["lint-imports"]),
)


Words = Sequence[str | Path]
"""A command line."""


class Refused(Exception):
    """Why it does not go on, in one sentence."""


def main() -> int:
    """Read the command line, see to the environment, go on inside it."""
    arguments = command_line().parse_args()
    command = COMMANDS[arguments.command]
    if arguments.rest and command in (check, lock):
        command_line().error(f"{arguments.command} takes no arguments")
    try:
        return command(arguments.rest)
    except Refused as refused:
        print(f"dev.py: {refused}", file=sys.stderr)
        return WRONG
    except OSError as error:
        print(f"dev.py: {error.filename or VENV}: {error.strerror}.", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        return 130


def command_line() -> argparse.ArgumentParser:
    """What ``--help`` shows."""
    parser = argparse.ArgumentParser(
        prog="dev.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=COMMANDS, help="What to do.")
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="...", help="Arguments of the command.")
    return parser


def run(rest: Sequence[str]) -> int:
    """Start everything."""
    make_environment()
    return become([PYTHON, "-P", "-m", "cli.main", "up", *rest])


def test(rest: Sequence[str]) -> int:
    """Run the tests: all of them on every core, a file at a time, each core with servers of its own."""
    make_environment()
    os.chdir(ROOT)
    spread: Words = [] if rest else ["-n", str(min(os.cpu_count() or 1, MOST_CORES)), "--dist", "loadfile"]
    return become([PYTHON, "-m", "pytest", *spread, *rest])


def check(_: Sequence[str]) -> int:
    """Run every check, also after one that failed."""
    make_environment()
    failed = []
    for name, (tool, *options) in CHECKS:
        print(f"== {name}", flush=True)
        if subprocess.run([VENV / "bin" / tool, *options], cwd=ROOT, check=False).returncode != 0:  # noqa: S603
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "all checks passed", flush=True)
    return 1 if failed else 0


def lock(_: Sequence[str]) -> int:
    """Resolve what pyproject.toml asks for, for every platform at once."""
    uv = shutil.which("uv")
    if uv is None:
        raise Refused("uv is not on the PATH, and only it resolves for every platform at once.")
    options = ["--universal", "--generate-hashes", "--no-header", "--quiet"]
    for more in (["--all-extras", "-o", LOCK.name], ["-c", LOCK.name, "-o", RUNTIME_LOCK.name]):
        command = [uv, "pip", "compile", *options, *more, "pyproject.toml"]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603
        if code != 0:
            return code
    return 0


COMMANDS = {"run": run, "test": test, "check": check, "lock": lock}


def become(command: Words) -> int:
    """Replace this process, so that signals and the exit code are the command's own."""
    sys.stdout.flush()
    os.execv(command[0], [str(word) for word in command])  # noqa: S606


def make_environment() -> None:
    """Make ``.venv`` what the lock says, unless it is."""
    if os.name != "posix":
        raise Refused("firstcome runs on Linux and macOS.")
    wanted = stamp()
    if read(STAMP) == wanted:
        return
    with alone():
        if read(STAMP) == wanted:  # somebody else was making it while we waited
            return
        if read(STAMP).splitlines()[:1] != wanted.splitlines()[:1]:
            shutil.rmtree(VENV, ignore_errors=True)
        STAMP.unlink(missing_ok=True)
        if not has_pip(PYTHON):
            make_venv()
        install()
        STAMP.write_text(wanted)


def stamp() -> str:
    """What an environment depends on: the interpreter and the place on one line, then the lock."""
    content = LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes()
    return f"{sys.version} {ROOT}".replace("\n", " ") + f"\n{hashlib.sha256(content).hexdigest()}\n"


def read(file: Path) -> str:
    """A file's text, empty where there is none."""
    return file.read_text() if file.exists() else ""


@contextmanager
def alone() -> Iterator[None]:
    """Hold the checkout: two that make one environment at once would break each other."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another dev.py, which is making .venv.", flush=True)
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def make_venv() -> None:
    """Make the environment, with the bundled pip in it."""
    print(f"Making {VENV.relative_to(ROOT)}.", flush=True)
    if hashlib.sha256(PIP_WHEEL.read_bytes()).hexdigest() != PIP_SHA256:
        raise Refused(f"{PIP_WHEEL.relative_to(ROOT)} is not the file that it should be; check the checkout out again.")
    venv.EnvBuilder(symlinks=True, clear=True, with_pip=False).create(VENV)
    succeed([PYTHON, PIP_WHEEL / "pip", "install", "--no-index", PIP_WHEEL], "pip could not be installed")


def has_pip(python: str | Path) -> bool:
    """Whether an interpreter has pip."""
    if shutil.which(python) is None:
        return False
    result = subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False)  # noqa: S603
    return result.returncode == 0


def install() -> None:
    """Install the lock, then the project itself, editable."""
    count = len([line for line in read(LOCK).splitlines() if "==" in line.partition(" ;")[0] and line[0] != " "])
    print(f"Installing up to {count} packages; this happens once for each lock.", flush=True)
    pip: Words = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    locked: Words = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", LOCK]
    succeed([*pip, *locked], "the packages of the lock could not be installed", heard=progress(count))
    own: Words = ["--no-deps", "--no-build-isolation", "--quiet", "-e", ROOT]
    succeed([*pip, *own], "the project itself could not be installed")


def progress(count: int) -> Callable[[str], None]:
    """Tell what pip is at: on one line of a terminal, else a line for each package."""
    terminal = sys.stdout.isatty()
    number = 0

    def show(told: str, end: str) -> None:
        width = shutil.get_terminal_size().columns - 1  # a line that fills the last column may wrap
        print(f"\r{told[:width].ljust(width)}" if terminal else told, end=end, flush=True)

    def hear(line: str) -> None:
        nonlocal number
        if line.startswith(("Collecting ", "Processing ")):
            number += 1
            told = f"[{number}/{count}] {Path(line.split(maxsplit=2)[1]).name}"
            show(told, end="" if terminal else "\n")
        elif line.startswith("Installing collected"):
            show("Unpacking.", end="\n")

    return hear


def succeed(command: Words, trouble: str, *, heard: Callable[[str], None] = lambda _: None) -> None:
    """Run a program and listen to it; where it fails, show what it said last."""
    environment = {**os.environ, "PIP_USER": "0", "PYTHONNOUSERSITE": "1"}
    said: list[str] = []
    with subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as program:
        assert program.stdout is not None
        for line in program.stdout:
            said = [*said[-20:], line]
            heard(line)
    if program.returncode != 0:
        raise Refused(f"{trouble}:\n{''.join(said)}")


if __name__ == "__main__":
    sys.exit(main())
