"""The schema that the migrations build is the one that is kept beside this file.

To renew it: run this test; it names a file with the schema as it is now. Read the difference, and copy it.
"""

from __future__ import annotations

from pathlib import Path

from tests.schema.dump import Connection, dump

KEPT = Path(__file__).parent / "schema.sql"

TIMES = """
SELECT format('%s.%s', relname, attname), format_type(atttypid, NULL)
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
    AND (attname ~ '_(at|time)$' OR format_type(atttypid, NULL) ~ '^(time|date|ts|interval)')
ORDER BY 1
"""


async def test_the_schema_is_the_one_that_is_kept(database: Connection, tmp_path: Path) -> None:
    schema = await dump(database)
    present = tmp_path / "schema.sql"
    present.write_text(schema, encoding="utf-8")
    assert schema == KEPT.read_text(encoding="utf-8"), f"if this is meant: cp {present} {KEPT}"


async def test_every_time_has_a_zone(database: Connection) -> None:
    types = {row[0]: row[1] for row in await database.fetch(TIMES)}
    assert [types.pop(f"{table}.during") for table in ("booking", "slot")] == ["tstzrange"] * 2
    # What a rule says on the wall of its zone, whatever the offset of a day is: the only times without a zone.
    walls = [types.pop(f"{table}.wall_clock") for table in ("series", "slot_rule")]
    assert walls == ["timestamp without time zone"] * 2
    assert [types.pop(name) for name in ("series.excluded", "series.extra")] == ["timestamp with time zone[]"] * 2
    assert len(types) > 10
    assert set(types.values()) == {"timestamp with time zone"}, types
