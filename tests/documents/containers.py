"""docker-compose.yml and Dockerfile, read as an engine reads them, and their commands as this machine can run them."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from engine.embedded.binaries import postgresql_folder, redis_server
from tests.documents.pages import ROOT

COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "Dockerfile"
VARIABLE = re.compile(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}")
"""What compose puts in: a name, how it is required, and the default or the sentence that says it is missing."""


def interpolate(text: str, values: Mapping[str, str]) -> str:
    """Put variables in as compose does. Raises KeyError with the sentence of one that is required and empty."""

    def value(found: re.Match[str]) -> str:
        name, rule, word = found.groups()
        given = values.get(name, "")
        if not given and rule == ":?":
            raise KeyError(f"{name}: {word}")
        return given or (word if rule == ":-" else "")

    return VARIABLE.sub(value, text)


def read_compose(values: Mapping[str, str]) -> dict[str, Any]:
    """The compose file, with its variables put in and its anchors resolved."""
    content: dict[str, Any] = yaml.safe_load(interpolate(COMPOSE.read_text(encoding="utf-8"), values))
    return content


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, as (word, rest), continued lines joined."""
    text = re.sub(r"\\\n\s*", "", DOCKERFILE.read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in lines]


def last_stage() -> list[tuple[str, str]]:
    """The instructions that make the image itself."""
    found = instructions()
    begin = max(number for number, (word, _) in enumerate(found) if word == "FROM")
    return found[begin:]


def instruction(word: str) -> str:
    """The only instruction of a kind in the last stage."""
    (rest,) = (rest for found, rest in last_stage() if found == word)
    return rest


def copied() -> list[tuple[str, str]]:
    """What the last stage copies from the checkout: (source, destination)."""
    pairs = []
    for word, rest in last_stage():
        if word == "COPY" and not rest.startswith("--from"):
            *sources, destination = rest.split()
            pairs += [
                (source, destination + Path(source).name if destination.endswith("/") else destination)
                for source in sources
            ]
    return pairs


def unpack_image(folder: Path) -> Path:
    """Lay out the image's /opt/firstcome in a folder, and beside it the programs that the images bring."""
    for source, destination in copied():
        target = folder / "image" / destination
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, target)
    programs = folder / "bin"
    programs.mkdir()
    (programs / "valkey-server").symlink_to(redis_server())
    # A link would lose the environment that the interpreter is in.
    (programs / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (programs / "python").chmod(0o755)
    return folder / "image"


class Service:
    """A service of the compose file on this machine.

    places  what its addresses, ports and folders are here: text by text.
    """

    def __init__(self, name: str, values: Mapping[str, str], folder: Path, places: Mapping[str, str]) -> None:
        self._service = read_compose(values)["services"][name]
        self._folder = folder
        mounted = [volume.split(":")[:2] for volume in self._service.get("volumes", ()) if volume.startswith("./")]
        self._places = {**{inside: str(ROOT / outside) for outside, inside in mounted}, **places}

    @property
    def command(self) -> list[str]:
        """What the container runs."""
        entrypoint = self._service.get("entrypoint")
        if entrypoint is None:
            entrypoint = json.loads(instruction("ENTRYPOINT")) if "build" in self._service else []
        return [self._placed(word) for word in (*entrypoint, *self._service.get("command", ()))]

    @property
    def health_check(self) -> list[str]:
        """What the engine runs to see whether the container is well."""
        kind, *words = self._service["healthcheck"]["test"]
        return [self._placed(word) for word in (["sh", "-c", *words] if kind == "CMD-SHELL" else words)]

    @property
    def environment(self) -> dict[str, str]:
        """What the processes in the container find."""
        image = self._folder / "image"
        path = [image / "deploy", self._folder / "bin", postgresql_folder(), *os.environ["PATH"].split(os.pathsep)]
        given = {name: self._placed(value) for name, value in self._service.get("environment", {}).items()}
        return {
            "PATH": os.pathsep.join(map(str, path)),
            "PYTHONPATH": str(image),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(self._folder),
            "LC_ALL": "C",
            **given,
        }

    def _placed(self, word: str) -> str:
        for there, here in self._places.items():
            word = word.replace(there, here)
        return word
