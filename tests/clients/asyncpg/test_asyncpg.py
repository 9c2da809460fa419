"""asyncpg: everything binary, type introspection, cursors, COPY, pools."""

import asyncio
import datetime as dt
import decimal
import io
import uuid

import asyncpg
import pytest

UTC = dt.timezone.utc


@pytest.fixture
def ask(db):
    """Runs a coroutine with a new connection."""

    def run(body):
        async def with_connection():
            connection = await asyncpg.connect(
                host=db.host, port=db.port, user=db.user, password=db.password, database=db.name
            )
            try:
                return await body(connection)
            finally:
                await connection.close()

        return asyncio.run(with_connection())

    return run


VALUES = {
    "int2": 3, "int4": -5, "int8": 2**60, "float4": 0.5, "float8": 1e-300, "numeric": decimal.Decimal("1.2300"),
    "text": "ü'\\", "varchar(9)": "abc", "bool": False, "date": dt.date(2024, 2, 29), "time": dt.time(1, 2, 3, 4),
    "timestamp": dt.datetime(2024, 1, 1, 1, 2, 3, 4), "timestamptz": dt.datetime(2024, 1, 1, tzinfo=UTC),
    "interval": dt.timedelta(days=400, seconds=3, microseconds=7), "uuid": uuid.UUID(int=5),
    "bytea": b"\x00\xff", "json": '{"a": 1}', "jsonb": '{"a": 1}', "int4[]": [1, None, 2], "text[]": ["a", None, ""],
    "int8[]": [[1, 2], [3, 4]], "numeric[]": [decimal.Decimal("1.5")], "timestamptz[]": [dt.datetime(2024, 1, 1, tzinfo=UTC)],
    "uuid[]": [uuid.UUID(int=5)], "bool[]": [True, None], "oid": 23, "name": "abc",
}


@pytest.mark.parametrize("kind", VALUES)
def test_value_goes_and_comes_back(ask, kind):
    async def body(connection):
        return await connection.fetchval(f"SELECT $1::{kind}", VALUES[kind])

    assert ask(body) == VALUES[kind]


def test_more_types_come_back(ask, same):
    async def body(connection):
        row = await connection.fetchrow(
            """SELECT 'a'::"char" AS c, 'pg_class'::regclass AS r, ROW(1, 'x'::text) AS w, '1 2'::int2vector AS v,
            '-infinity'::date AS d, 'infinity'::timestamptz AS t, 'NaN'::numeric AS n"""
        )
        return [repr(value) for value in row.values()]

    same(ask(body))


def test_statement_tells_its_types(ask, same):
    async def body(connection):
        await connection.execute("CREATE TABLE IF NOT EXISTS told (a int, b varchar(5), c numeric(8, 2), d text[], e timestamptz)")
        found = []
        for query in [
            "SELECT * FROM told WHERE a = $1 AND b = $2 AND c > $3 AND e < $4",
            "INSERT INTO told VALUES ($1, $2, $3, $4, $5)",
            "UPDATE told SET b = $1, c = c + $2 WHERE a = ANY($3)",
            "SELECT a + $1, b || $2, coalesce($3, a), $4 LIKE 'x' FROM told LIMIT $5",
            "SELECT e + $1, now() - $2::timestamptz, date_trunc($3, e) FROM told",
        ]:
            statement = await connection.prepare(query)
            found.append([(p.name, p.kind) for p in statement.get_parameters()])
            found.append([(a.name, a.type.name, a.type.kind) for a in statement.get_attributes()])
        return found

    same(ask(body))


def test_enum_is_introspected(db, ask):
    db.load("enums")

    async def body(connection):
        await connection.execute("INSERT INTO kinds.person VALUES ($1, $2)", "cid", "ok")
        return await connection.fetch("SELECT name, mood, array[mood] AS moods FROM kinds.person ORDER BY mood, name")

    rows = ask(body)
    assert [(row["name"], row["mood"], row["moods"]) for row in rows] == [
        ("bob", "sad", ["sad"]), ("cid", "ok", ["ok"]), ("ann", "happy", ["happy"])]


def test_arrays_of_enums_and_domains_are_parameters(ask, same):
    async def body(connection):
        await connection.execute("CREATE TYPE level AS ENUM ('low', 'high')")
        await connection.execute("CREATE DOMAIN small AS int CHECK (VALUE < 10)")
        await connection.execute("CREATE TABLE rated (l level, all_l level[], n small)")
        await connection.executemany("INSERT INTO rated VALUES ($1, $2, $3)", [("high", ["low", None], 1), ("low", [], 2)])
        found = await connection.fetch("SELECT * FROM rated WHERE l = ANY($1) AND l >= $2 ORDER BY l DESC", ["low", "high"], "low")
        try:
            await connection.execute("INSERT INTO rated (n) VALUES ($1)", 11)
        except asyncpg.CheckViolationError as error:
            return [tuple(row) for row in found], error.sqlstate, str(error)

    same(ask(body))


def test_composite_of_a_table_is_introspected(ask):
    async def body(connection):
        await connection.execute("CREATE TABLE pair (a int, b text[])")
        await connection.execute("INSERT INTO pair VALUES (1, '{x}')")
        return await connection.fetchval("SELECT p FROM pair AS p")

    assert tuple(ask(body).values()) == (1, ["x"])


def test_codec_is_set(ask):
    import json

    async def body(connection):
        await connection.set_type_codec("json", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
        return await connection.fetchval("SELECT $1::json", {"a": [1, None]})

    assert ask(body) == {"a": [1, None]}


def test_builtin_codec_of_numbers_as_floats(ask):
    async def body(connection):
        await connection.set_type_codec(
            "numeric", encoder=str, decoder=float, schema="pg_catalog", format="text"
        )
        return await connection.fetchval("SELECT 1.25::numeric")

    assert ask(body) == 1.25


def test_cursor_in_a_transaction(ask):
    async def body(connection):
        async with connection.transaction():
            found = []
            async for row in connection.cursor("SELECT n FROM generate_series(1, 250) AS n", prefetch=40):
                found.append(row["n"])
            cursor = await connection.cursor("SELECT n FROM generate_series(1, 20) AS n")
            await cursor.forward(5)
            return found, [row["n"] for row in await cursor.fetch(3)], await cursor.fetchrow()

    found, three, one = ask(body)
    assert found == list(range(1, 251))
    assert three == [6, 7, 8] and one["n"] == 9


def test_two_cursors_interleave(ask):
    async def body(connection):
        async with connection.transaction():
            a = await connection.cursor("SELECT n FROM generate_series(1, 9) AS n")
            b = await connection.cursor("SELECT -n AS n FROM generate_series(1, 9) AS n")
            return [(await c.fetchrow())["n"] for c in (a, b, a, b, a)]

    assert ask(body) == [1, -1, 2, -2, 3]


@pytest.mark.parametrize("level", ["read_committed", "repeatable_read", "serializable"])
def test_transactions_nest(ask, level):
    async def body(connection):
        await connection.execute("DROP TABLE IF EXISTS nested; CREATE TABLE nested (n int)")
        async with connection.transaction(isolation=level, readonly=False):
            await connection.execute("INSERT INTO nested VALUES (1)")
            try:
                async with connection.transaction():
                    await connection.execute("INSERT INTO nested VALUES (2)")
                    raise ZeroDivisionError
            except ZeroDivisionError:
                pass
        return await connection.fetch("SELECT n FROM nested")

    assert [row["n"] for row in ask(body)] == [1]


def test_read_only_and_deferrable(ask):
    async def body(connection):
        async with connection.transaction(isolation="serializable", readonly=True, deferrable=True):
            await connection.execute("CREATE TABLE refused (n int)")

    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        ask(body)


def test_executemany(ask):
    async def body(connection):
        await connection.execute("CREATE TABLE many (a int PRIMARY KEY, b text)")
        await connection.executemany("INSERT INTO many VALUES ($1, $2)", [(n, str(n)) for n in range(500)])
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.executemany("INSERT INTO many VALUES ($1, $2)", [(1000, "a"), (1, "b")])
        return await connection.fetchval("SELECT count(*) FROM many")

    assert ask(body) == 500


def test_fetchmany_returns_rows(ask):
    async def body(connection):
        await connection.execute("CREATE TABLE returned (id serial, a int)")
        return await connection.fetchmany("INSERT INTO returned (a) VALUES ($1) RETURNING id, a", [(5,), (6,)])

    assert [tuple(row) for row in ask(body)] == [(1, 5), (2, 6)]


def test_copy_goes_in_and_out(ask):
    rows = [(1, "a\tb", dt.datetime(2024, 1, 1, tzinfo=UTC), decimal.Decimal("1.50"), ["x", None]), (2, None, None, None, None)]

    async def body(connection):
        await connection.execute("CREATE TABLE copied (a int, b text, c timestamptz, d numeric(10,2), e text[])")
        said = await connection.copy_records_to_table("copied", records=rows)
        out = io.BytesIO()
        await connection.copy_from_table("copied", output=out, format="csv", columns=["a", "b"])
        await connection.copy_from_query("SELECT a FROM copied WHERE a > $1", 1, output=out, format="csv")
        back = io.BytesIO(b"3;z\n")
        await connection.copy_to_table("copied", source=back, columns=["a", "b"], format="csv", delimiter=";")
        return said, out.getvalue(), await connection.fetch("SELECT * FROM copied WHERE a < 3 ORDER BY a")

    said, text, found = ask(body)
    assert said == "COPY 2" and text == b"1,a\tb\n2,\n2\n"
    assert [tuple(row) for row in found] == rows


ERRORS = {
    "syntax": "SELEC 1", "table": "SELECT * FROM nowhere", "value": "SELECT 'x'::int", "zero": "SELECT 1 / 0", "function": "SELECT nothing(1)",
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_have_their_classes(ask, same, name):
    async def body(connection):
        try:
            await connection.fetch(ERRORS[name])
        except asyncpg.PostgresError as error:
            return type(error).__name__, error.sqlstate, error.message, error.position

    same(ask(body))


def test_wrong_arguments(ask):
    async def body(connection):
        with pytest.raises(asyncpg.DataError):
            await connection.fetch("SELECT $1::int", "x")
        with pytest.raises(asyncpg.InterfaceError):
            await connection.fetch("SELECT $1::int", 1, 2)
        with pytest.raises(asyncpg.IndeterminateDatatypeError):
            await connection.fetch("SELECT $1 IS NULL", None)

    async def lenient(connection):
        return await connection.fetchval("SELECT $1::text IS NULL", None)

    assert ask(lenient) is True
    ask(body)


def test_timeout_cancels(ask):
    async def body(connection):
        with pytest.raises(asyncio.TimeoutError):
            await connection.fetch("SELECT pg_sleep(30)", timeout=0.3)
        return await connection.fetchval("SELECT 1")

    assert ask(body) == 1


def test_a_cached_statement_survives_ddl(ask):
    async def body(connection):
        await connection.execute("CREATE TABLE changing (a int); INSERT INTO changing VALUES (1)")
        first = await connection.fetch("SELECT * FROM changing")
        await connection.execute("ALTER TABLE changing ADD COLUMN b text")
        second = await connection.fetch("SELECT * FROM changing")
        return [tuple(row) for row in first + second]

    assert ask(body) == [(1,), (1, None)]


def test_pool_resets_what_it_lends(db, same):
    async def body():
        async with asyncpg.create_pool(db.url(), min_size=1, max_size=3) as pool:
            async with pool.acquire() as connection:
                await connection.execute("SET search_path = nowhere")
            async with pool.acquire() as connection:
                path = await connection.fetchval("SHOW search_path")
            sums = await asyncio.gather(*(pool.fetchval("SELECT $1::int + 1", n) for n in range(20)))
            return path, sums

    path, sums = asyncio.run(body())
    assert sums == list(range(1, 21))
    same(path)


def test_listener_hears(db):
    async def body():
        heard = asyncio.get_running_loop().create_future()
        listener = await asyncpg.connect(db.url())
        await listener.add_listener("news", lambda *said: heard.done() or heard.set_result(said[2:]))
        speaker = await asyncpg.connect(db.url())
        await speaker.execute("SELECT pg_notify('news', 'hello')")
        try:
            return await asyncio.wait_for(heard, 5)
        finally:
            await listener.close()
            await speaker.close()

    assert asyncio.run(body()) == ("news", "hello")


def test_log_listener_hears_notices(ask, same):
    async def body(connection):
        heard = []
        connection.add_log_listener(lambda _, notice: heard.append((notice.severity, notice.sqlstate, notice.message)))
        await connection.execute("DROP TABLE IF EXISTS never_there")
        await connection.execute("SELECT 1")
        return heard

    same(ask(body))


def test_settings_and_version(ask):
    async def body(connection):
        settings = connection.get_settings()
        return settings.server_encoding, connection.get_server_version().major, connection.is_in_transaction()

    assert ask(body) == ("UTF8", 15, False)


def test_advisory_locks_are_taken(ask):
    async def body(connection):
        return await connection.fetchval("SELECT pg_try_advisory_lock(1)")

    assert ask(body) is True
