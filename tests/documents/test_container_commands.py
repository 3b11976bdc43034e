"""The commands of docker-compose.yml, run on this machine: the same words, at other addresses."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import asyncpg
import httpx
import pytest

from engine.embedded import Postgres
from engine.embedded.binaries import postgresql_folder
from engine.embedded.server import Process, free_port
from tests.documents.containers import Service, unpack_image
from tests.documents.pages import ROOT, blocks
from tests.documents.test_container_files import PASSWORDS, VALUES
from tests.support import wait_until, wait_until_blocking

NGINX = shutil.which("nginx", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/usr/local/sbin"]))
RESOLVES_SINCE = (1, 27, 3)
"""The first nginx that looks names of an upstream up again."""


class Machine:
    """What the compose file describes, as far as it was started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.values = {**VALUES, **{name: secrets.token_hex(8) for name in PASSWORDS}}
        self.ports = {name: free_port() for name in ("primary", "replica", "redis", "api-1", "api-2", "nginx")}
        self.image = unpack_image(folder)
        self.servers: dict[str, Process] = {}

    def service(self, name: str) -> Service:
        """A service of the file, at this machine's addresses."""
        ports = self.ports
        places = {f"@{host}:{port}": f"@127.0.0.1:{ports[host]}" for host, port in
                  (("primary", 5432), ("replica", 5432), ("redis", 6379))}  # fmt: skip
        places |= {"--port=5432": f"--port={ports.get(name, 0)}", "-p 6379": f"-p {ports['redis']}"}
        places |= {"0.0.0.0": "127.0.0.1", "8000": str(ports.get(name, 0)), ":8080": f":{ports['nginx']}"}
        places |= {"/var/lib/postgresql/18/docker": str(self.data(name))}
        return Service(name, self.values, self.folder, places)

    def data(self, name: str) -> Path:
        """The folder of a server."""
        return self.folder / "data" / name / "docker"

    def start(self, name: str, *more: str, **environment: str) -> Process:
        """Start a server with its command; ``more`` is what has to differ on one machine."""
        service = self.service(name)
        program, *arguments = service.command
        given = {**service.environment, **environment}
        found = shutil.which(program, path=given["PATH"])
        env = shutil.which("env")
        assert found is not None
        assert env is not None
        process = Process(name, log=self.folder / f"{name}.log")
        words = [env, "-i", *(f"{key}={value}" for key, value in given.items()), found, *arguments, *more]
        own = self.data(name) if name in ("primary", "replica") else None
        process.spawn(words, ending="INT:10,QUIT:3,KILL:3", identity="auto" if own else "keep", own=own)
        self.servers[name] = process
        return process

    def healthy(self, name: str) -> bool:
        """Run the health check."""
        return self.run(self.service(name).health_check, name).returncode == 0

    def run(self, command: list[str], name: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the place of a container."""
        given = {**self.service(name).environment, **environment}
        program = shutil.which(command[0], path=given["PATH"])
        assert program is not None, command
        return subprocess.run(
            [program, *command[1:]],
            cwd=self.image,
            env=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @contextmanager
    def running(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        """A process of ours, told to stop at the end."""
        service = self.service(name)
        program = shutil.which(service.command[0], path=service.environment["PATH"])
        assert program is not None
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [program, *service.command[1:]], cwd=self.image, env=service.environment, stdout=log, stderr=log
            )
        try:
            yield process
        finally:
            process.terminate()
            assert process.wait(20) == 0, f"{name} did not stop as it should"

    def stop(self) -> None:
        """Stop the servers, the replica before the primary."""
        for process in reversed(self.servers.values()):
            if process.alive:
                process.end([(signal.SIGINT, 20), (signal.SIGKILL, 5)])

    async def ask(self, name: str, statement: str) -> object:
        """One value from a PostgreSQL server."""
        password = self.values["POSTGRES_PASSWORD"]
        url = f"postgresql://firstcome:{password}@127.0.0.1:{self.ports[name]}/firstcome"
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()


def here(port: int) -> list[str]:
    """What a PostgreSQL server on this machine needs beside its command."""
    settings = {"port": str(port), "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """The servers, started in the order of the file and with its commands."""
    machine = Machine(tmp_path_factory.mktemp("containers"))
    try:
        start_primary(machine)
        start_replica(machine)
        start_redis(machine)
        yield machine
    finally:
        machine.stop()


def start_primary(machine: Machine) -> None:
    """Make a cluster as the image does, serve it, run the script of the first start."""
    data, password = machine.data("primary"), machine.values["POSTGRES_PASSWORD"]
    data.parent.mkdir(parents=True)
    cluster = Postgres(data, binaries=postgresql_folder(), password=password, log=machine.folder / "initdb.log")
    cluster.create(durable=False)
    (data / "postgresql.conf").write_text("")  # the command names another
    machine.start("primary", *here(machine.ports["primary"]))
    wait_until_blocking(lambda: machine.healthy("primary"), 60)
    prepare(machine)


def prepare(machine: Machine) -> None:
    """Run the script that lets the replica in. The image runs it over its socket."""
    script = str(ROOT / "deploy/postgresql/primary.sh")
    place = {"PGHOST": "127.0.0.1", "PGPORT": str(machine.ports["primary"]), "REPLICA_NAME": "second"}
    place["PGPASSWORD"] = machine.values["POSTGRES_PASSWORD"]
    said = machine.run([script], "primary", **place)
    assert said.returncode == 0, said.stderr


def start_replica(machine: Machine) -> None:
    machine.data("replica").parent.mkdir(parents=True, exist_ok=True)
    place = {"PRIMARY_HOST": "127.0.0.1", "PRIMARY_PORT": str(machine.ports["primary"]), "REPLICA_NAME": "second"}
    machine.start("replica", *here(machine.ports["replica"]), **place)
    wait_until_blocking(lambda: machine.healthy("replica"), 60)


def start_redis(machine: Machine) -> None:
    data = machine.folder / "data/redis"
    data.mkdir(parents=True, exist_ok=True)
    machine.start("redis", "--port", str(machine.ports["redis"]), "--bind", "127.0.0.1", "--dir", str(data))


async def streams(machine: Machine) -> bool:
    state = await machine.ask("primary", "SELECT state FROM pg_stat_replication WHERE usename = 'second'")
    return state == "streaming"


async def test_the_replica_streams_from_a_slot_of_its_own(machine: Machine) -> None:
    await wait_until(lambda: streams(machine))
    assert await machine.ask("primary", "SELECT active FROM pg_replication_slots WHERE slot_name = 'second'")
    assert await machine.ask("replica", "SELECT pg_is_in_recovery()")
    secret = machine.data("replica") / "postgresql.auto.conf"
    assert machine.values["REPLICA_PASSWORD"] in secret.read_text()
    assert secret.stat().st_mode & 0o077 == 0


async def test_the_script_of_the_first_start_may_run_again(machine: Machine) -> None:
    before = (machine.data("primary") / "pg_hba.conf").read_text()
    prepare(machine)
    assert (machine.data("primary") / "pg_hba.conf").read_text() == before
    assert await machine.ask("primary", "SELECT count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL") == 0
    rule = "SELECT count(*) FROM pg_hba_file_rules WHERE user_name = '{second}' AND database = '{replication}'"
    assert await machine.ask("primary", rule) == 1


async def test_a_replica_that_died_goes_on_and_one_whose_copy_was_cut_off_is_copied_again(machine: Machine) -> None:
    machine.servers["replica"].end([(signal.SIGKILL, 10)])
    assert not machine.healthy("replica")
    kept = machine.data("replica") / "kept"
    kept.touch()
    start_replica(machine)
    await wait_until(lambda: streams(machine))
    assert kept.exists(), "what was there was kept"
    machine.servers["replica"].end([(signal.SIGINT, 20)])
    machine.data("replica").rename(machine.data("replica").with_name("docker.making"))
    start_replica(machine)
    await wait_until(lambda: streams(machine))
    assert not kept.exists(), "the rest of a copy is no copy"


@pytest.mark.parametrize("name", ["primary", "replica"])
async def test_the_settings_of_a_server_are_those_of_the_file(machine: Machine, name: str) -> None:
    text = (ROOT / "deploy/postgresql/postgresql.conf").read_text()
    wanted = dict(re.findall(r"^(\w+) = '?([^'\n]*)'?$", text, re.MULTILINE))
    assert wanted.pop("listen_addresses") == "*"
    for setting, value in wanted.items():
        assert await machine.ask(name, f"SELECT current_setting('{setting}')") == value


def test_the_queue_asks_for_its_password(machine: Machine) -> None:
    import redis  # noqa: PLC0415  # here it is the client of an operator

    port, password = machine.ports["redis"], machine.values["REDIS_PASSWORD"]
    with redis.Redis(port=port, password=password) as client:
        wait_until_blocking(client.ping)
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    with redis.Redis(port=port) as client, pytest.raises(redis.AuthenticationError):
        client.ping()
    written = machine.folder / "redis.conf"
    assert written.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(shutil.which("valkey-cli") is None, reason="valkey-cli, which the image has, is not installed")
def test_the_health_check_of_the_queue(machine: Machine) -> None:
    wait_until_blocking(lambda: machine.healthy("redis"))


def test_two_apis_and_two_workers_serve_on_them(machine: Machine) -> None:
    migrate = machine.service("migrate").command
    assert "applied" in machine.run(migrate, "migrate").stdout
    assert machine.run(migrate, "migrate").stdout == "nothing to do\n"
    with ExitStack() as stack:
        for name in ("worker", "worker", "api-1", "api-2"):
            stack.enter_context(machine.running(name))
        for name in ("api-1", "api-2"):
            wait_until_blocking(lambda name=name: machine.healthy(name), 30)  # type: ignore[misc]
        addresses = [f"http://127.0.0.1:{machine.ports[name]}" for name in ("api-1", "api-2")]
        book_through(addresses)
        if NGINX is not None:
            with proxied(machine) as address:
                book_through([address], resource="through nginx/1")
    assert not machine.healthy("api-1"), "a health check that cannot fail tells nothing"
    assert read_only_was_enough(machine)


def book_through(addresses: list[str], resource: str = "room") -> None:
    """Book at the first address, see it at the last, and read what is free from the replica."""
    times = {"start_time": "2035-05-07T09:00:00Z", "end_time": "2035-05-07T10:00:00Z"}
    key = {"Idempotency-Key": f"one {resource}"}
    with httpx.Client(trust_env=False, timeout=30) as client:
        first, last = (f"{address}/api/v1" for address in (addresses[0], addresses[-1]))
        account = {
            "email": f"{resource}@example.org".replace(" ", "-").replace("/", "-"),
            "password": secrets.token_hex(8),
        }
        signed_up = client.post(f"{first}/users", json={**account, "name": "Host", "roles": ["host"]})
        assert signed_up.status_code == 201, signed_up.text
        token = client.post(f"{last}/login", json=account).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        assert client.post(f"{first}/resources", json={"name": "A room", "resource_id": resource}).status_code == 201
        made = client.post(f"{first}/bookings", json={"resource_id": resource, **times}, headers=key)
        assert made.status_code == 201, made.text
        again = client.post(f"{last}/bookings", json={"resource_id": resource, **times}, headers=key)
        assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
        taken = client.post(f"{last}/bookings", json={"resource_id": resource, **times})
        assert taken.status_code == 409
        day = {"resource_id": resource, "start_date": "2035-05-07", "end_date": "2035-05-07"}

        def from_replica() -> bool:
            seen = {"Firstcome-Seen": made.headers["Firstcome-Seen"]}
            free = client.get(f"{last}/availability", params=day, headers=seen).json()
            assert len(free["available_slots"]) == 2
            return bool(free["source"] == "replica")

        wait_until_blocking(from_replica)
        ready = client.get(f"{last}/health/ready").json()
        assert ready["status"] == "ready"
        assert ready["replica"]["ok"]


@contextmanager
def proxied(machine: Machine, more: str = "") -> Iterator[str]:
    """The nginx of the file. One that is older than the file asks for is told the addresses once.

    more  lines that are added under ``http``.
    """
    assert NGINX is not None
    settings = machine.folder / "nginx.conf"
    settings.write_text(nginx_settings(machine).replace("http {", f"http {{\n{more}"))
    command = [word.replace("nginx", NGINX) for word in machine.service("nginx").command[:1]]
    command += [*machine.service("nginx").command[1:], "-c", str(settings), "-p", str(machine.folder)]
    said = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert "[warn]" not in said.stderr, said.stderr
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{machine.ports['nginx']}"

    try:
        wait_until_blocking(lambda: is_ready(address))
        yield address
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(20)


def is_ready(address: str) -> bool:
    """Whether an API answers behind an address."""
    try:
        return httpx.get(f"{address}/api/v1/health/ready", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def nginx_settings(machine: Machine) -> str:
    """deploy/nginx/nginx.conf at this machine's addresses."""
    text = (ROOT / "deploy/nginx/nginx.conf").read_text()
    places = {"listen 8080": f"listen 127.0.0.1:{machine.ports['nginx']}", "/tmp/": f"{machine.folder}/nginx-"}
    for name in ("api-1", "api-2"):
        places[f"server {name}:8000 resolve;"] = f"server 127.0.0.1:{machine.ports[name]};"
    said = subprocess.run([str(NGINX), "-v"], capture_output=True, text=True, check=True).stderr
    if tuple(map(int, re.findall(r"\d+", said)[:3])) < RESOLVES_SINCE:
        places["resolver 127.0.0.11 valid=2s;"] = ""
    for there, here in places.items():
        assert there in text, there
        text = text.replace(there, here)
    return text


class Echo(BaseHTTPRequestHandler):
    """Answers with the header fields of the request."""

    def do_GET(self) -> None:
        said = json.dumps({name.lower(): self.headers.get_all(name) for name in self.headers}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def echoing(port: int) -> Iterator[None]:
    """An API that tells what nginx passes on to it."""
    with ThreadingHTTPServer(("127.0.0.1", port), Echo) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield
        finally:
            server.shutdown()
            serving.join()


def lines_for_another_proxy(address: str) -> str:
    """What the page tells to add where another proxy stands before nginx."""
    (lines,) = (block.text for block in blocks((ROOT / "docs/operations.md").read_text()) if block.kind == "nginx")
    said = re.sub(r"(?<=set_real_ip_from )[\d.]+(?=;)", address, lines)
    assert address in said
    return said


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
@pytest.mark.parametrize(
    ("proxy", "client"),
    [(None, "127.0.0.1"), ("127.0.0.1", "198.51.100.7"), ("192.0.2.1", "127.0.0.1")],
    ids=["outermost", "behind a proxy", "beside a proxy"],
)
def test_nginx_passes_on_no_callers_word_of_who_or_where_it_is(tmp_path: Path, proxy: str | None, client: str) -> None:
    machine = Machine(tmp_path)
    told = {"X-Forwarded-For": "203.0.113.5, 198.51.100.7", "X-User-Id": "019e0c38-11c0-7e40-9d24-5ab8c7e6f012"}
    more = "" if proxy is None else lines_for_another_proxy(proxy)
    with echoing(machine.ports["api-1"]), proxied(machine, more) as address:
        heard = httpx.get(address, headers=told, trust_env=False).json()
    assert heard["x-forwarded-for"] == [client]
    assert "x-user-id" not in heard


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
def test_nginx_takes_its_settings(machine: Machine) -> None:
    settings = machine.folder / "nginx-alone.conf"
    settings.write_text(nginx_settings(machine))
    said = subprocess.run([str(NGINX), "-t", "-c", str(settings)], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr


def read_only_was_enough(machine: Machine) -> bool:
    """Whether no process of ours wrote into its image."""
    return not [file for file in machine.image.rglob("*") if file.suffix == ".pyc" or file.name == "core"]
