"""Files and databases: each migration once, in order, whole, and as it was when it landed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from migrations.runner import ADVISORY_LOCK, FILES, MigrationError, down, status, up
from tests.connections import connected
from tests.schema.dump import dump
from tests.support import wait_until

OURS = [path.stem for path in sorted(FILES.glob("*.sql"))]


def write(folder: Path, name: str, apply: str, rollback: str = "SELECT 1;") -> Path:
    path = folder / f"{name}.sql"
    path.write_text(f"-- A test.\n-- migrate: apply\n{apply}\n-- migrate: rollback\n{rollback}\n", encoding="utf-8")
    return path


async def ask(database_url: str, statement: str) -> list[object]:
    async with connected(database_url) as connection:
        return [row[0] for row in await connection.fetch(statement)]


async def schema(database_url: str) -> str:
    async with connected(database_url) as connection:
        return await dump(connection)


async def test_up_applies_everything_and_up_again_nothing(empty_url: str) -> None:
    assert [(each.name, each.applied_at) for each in await status(empty_url)] == [(name, None) for name in OURS]
    assert await up(empty_url) == OURS
    assert await up(empty_url) == []
    assert all(each.applied_at is not None for each in await status(empty_url))


async def test_status_changes_nothing(empty_url: str) -> None:
    await status(empty_url)
    assert "CREATE TABLE" not in await schema(empty_url)


async def test_down_and_up_again_gives_the_same_schema(empty_url: str) -> None:
    await up(empty_url)
    first = await schema(empty_url)
    assert await down(empty_url, steps=len(OURS) + 1) == OURS[::-1]
    nothing = await schema(empty_url)
    assert [line for line in nothing.splitlines() if line.startswith("CREATE")] == [
        "CREATE EXTENSION btree_gist;",
        "CREATE TABLE schema_migration (",
    ]
    assert await up(empty_url) == OURS
    assert await schema(empty_url) == first


async def test_down_takes_back_the_last_steps_only(empty_url: str, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        write(tmp_path, f"000{number}_t", f"CREATE TABLE t{number} ();", f"DROP TABLE t{number};")
    await up(empty_url, files=tmp_path)
    assert await down(empty_url, files=tmp_path) == ["0003_t"]
    assert await down(empty_url, steps=2, files=tmp_path) == ["0002_t", "0001_t"]
    assert await down(empty_url, files=tmp_path) == []


async def test_two_that_start_at_once_apply_each_migration_once(empty_url: str) -> None:
    """Both stand at the lock, which a third holds, before either may act."""
    holder = await asyncpg.connect(empty_url)
    await holder.execute("SELECT pg_advisory_lock($1)", ADVISORY_LOCK)
    both = asyncio.gather(up(empty_url), up(empty_url))

    async def both_wait() -> bool:
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        return bool(
            await holder.fetchval(
                f"{waiting} AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            == 2
        )

    await wait_until(both_wait)
    await holder.close()
    first, second = await both
    assert sorted(first + second) == OURS, "whoever comes to the lock first applies the next one"


async def test_an_edited_migration_is_refused(empty_url: str, tmp_path: Path) -> None:
    path = write(tmp_path, "0001_t", "CREATE TABLE t ();", "DROP TABLE t;")
    await up(empty_url, files=tmp_path)
    write(tmp_path, "0002_u", "CREATE TABLE u ();")
    path.write_text(path.read_text(encoding="utf-8").replace("A test", "An edited test"), encoding="utf-8")
    with pytest.raises(MigrationError, match="0001_t was edited"):
        await up(empty_url, files=tmp_path)
    with pytest.raises(MigrationError, match="0001_t was edited"):
        await down(empty_url, files=tmp_path)
    assert await ask(empty_url, "SELECT relname FROM pg_class WHERE relname IN ('t', 'u')") == ["t"]


async def test_a_migration_that_fails_leaves_nothing_and_what_came_before_it(empty_url: str, tmp_path: Path) -> None:
    write(tmp_path, "0001_t", "CREATE TABLE t ();")
    write(tmp_path, "0002_u", "CREATE TABLE u (); SELECT 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await up(empty_url, files=tmp_path)
    assert await ask(empty_url, "SELECT relname FROM pg_class WHERE relname IN ('t', 'u')") == ["t"]
    assert [each.applied_at is not None for each in await status(empty_url, files=tmp_path)] == [True, False]
    write(tmp_path, "0002_u", "CREATE TABLE u ();")
    assert await up(empty_url, files=tmp_path) == ["0002_u"]


async def test_a_new_migration_that_sorts_before_an_applied_one_is_refused(empty_url: str, tmp_path: Path) -> None:
    write(tmp_path, "0002_u", "CREATE TABLE u ();")
    await up(empty_url, files=tmp_path)
    write(tmp_path, "0001_t", "CREATE TABLE t ();")
    with pytest.raises(MigrationError, match="0001_t is new but sorts before 0002_u"):
        await up(empty_url, files=tmp_path)


async def test_an_older_release_leaves_a_later_migration_alone(empty_url: str, tmp_path: Path) -> None:
    write(tmp_path, "0001_t", "CREATE TABLE t ();")
    later = write(tmp_path, "0002_u", "CREATE TABLE u ();")
    await up(empty_url, files=tmp_path)
    later.unlink()
    assert await up(empty_url, files=tmp_path) == []
    assert [each.name for each in await status(empty_url, files=tmp_path)] == ["0001_t", "0002_u"]
    with pytest.raises(MigrationError, match="0002_u is applied, but its file is not"):
        await down(empty_url, files=tmp_path)


async def test_text_reaches_the_server_as_it_is_written(empty_url: str, tmp_path: Path) -> None:
    body = "\nBEGIN\n-- it's kept; so is this\n    RETURN 'a\n-- b\n;c';\nEND\n"
    write(
        tmp_path,
        "0001_t",
        f"CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $f${body}$f$;\nCREATE TABLE t ();",
    )
    await up(empty_url, files=tmp_path)
    assert await ask(empty_url, "SELECT prosrc FROM pg_proc WHERE proname = 'f'") == [body]
    assert await ask(empty_url, "SELECT f()") == ["a\n-- b\n;c"]


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE t ();\n",
        "-- migrate: apply\nCREATE TABLE t ();\n",
        "-- migrate: rollback\n-- migrate: apply\n",
        "-- migrate: apply\n-- migrate: rollback\n-- migrate: rollback\n",
    ],
)
async def test_a_file_without_its_two_marks_is_refused(empty_url: str, tmp_path: Path, text: str) -> None:
    (tmp_path / "0001_t.sql").write_text(text, encoding="utf-8")
    with pytest.raises(MigrationError, match=r"0001_t\.sql needs the lines"):
        await up(empty_url, files=tmp_path)
