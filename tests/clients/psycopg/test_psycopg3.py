"""psycopg 3: parameters both ways, pipelines, cursors, COPY, errors, transactions."""

import datetime as dt
import decimal
import ipaddress
import uuid

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row, namedtuple_row
from psycopg.types.json import Json, Jsonb

UTC = dt.timezone.utc

VALUES = {
    "int2": ("int2", 7),
    "int4": ("int4", -2147483648),
    "int8": ("int8", 9223372036854775807),
    "float4": ("float4", 1.5),
    "float8": ("float8", 1e300),
    "infinite": ("float8", float("inf")),
    "numeric": ("numeric", decimal.Decimal("12345678901234567890.000123")),
    "numeric_nan": ("numeric(6,2)", decimal.Decimal("1.50")),
    "text": ("text", "grüße 日本 ' \\ \n"),
    "varchar": ("varchar(10)", "abc"),
    "bpchar": ("char(5)", "ab   "),
    "bool": ("bool", True),
    "date": ("date", dt.date(2024, 2, 29)),
    "early": ("date", dt.date(1, 1, 1)),
    "time": ("time", dt.time(23, 59, 59, 999999)),
    "timestamp": ("timestamp", dt.datetime(1999, 12, 31, 23, 59, 59, 1)),
    "timestamptz": ("timestamptz", dt.datetime(2026, 7, 1, 12, tzinfo=UTC)),
    "interval": ("interval", dt.timedelta(days=3, hours=4, microseconds=5)),
    "uuid": ("uuid", uuid.UUID(int=12345)),
    "bytea": ("bytea", b"\x00\xff'\\"),
    "int_list": ("int4[]", [1, None, 3]),
    "text_list": ("text[]", ["a", 'b"c', None, "", "NULL", "{}"]),
    "nested": ("int4[]", [[1, 2], [3, 4]]),
    "empty_list": ("int4[]", []),
    "date_list": ("date[]", [dt.date(2020, 1, 1)]),
    "numeric_list": ("numeric[]", [decimal.Decimal("1.10"), None]),
    "uuid_list": ("uuid[]", [uuid.UUID(int=1)]),
    "null": ("text", None),
}


@pytest.fixture
def connection(db):
    with psycopg.connect(**db.options) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.commit()
        yield connection
        connection.rollback()


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize("name", VALUES)
def test_value_goes_and_comes_back(connection, same, name, binary):
    kind, value = VALUES[name]
    percent = "%b" if binary else "%t"
    if name in ("bpchar", "interval") and binary:
        percent = "%s"
    cursor = connection.cursor(binary=binary)
    row = cursor.execute(f"SELECT {percent}::{kind}, pg_typeof({percent}::{kind})::text", (value, value)).fetchone()
    assert row[0] == value
    column = cursor.description[0]
    same((row[1], column.type_code, column.internal_size, column.precision, column.scale, column.name))


def test_json_goes_and_comes_back(connection):
    for wrapper, kind in ((Json, "json"), (Jsonb, "jsonb")):
        value = {"a": [1, 2.5, None, {"b": "ü"}]}
        assert connection.execute(f"SELECT %s::{kind}", (wrapper(value),)).fetchone() == (value,)


@pytest.mark.parametrize(
    "query, parameters",
    [
        ("SELECT %s + 1", (1,)),
        ("SELECT %s || 'x'", ("a",)),
        ("SELECT * FROM generate_series(1, 10) AS n WHERE n = ANY(%s) ORDER BY n", ([2, 3],)),
        ("SELECT * FROM generate_series(1, 10) AS n ORDER BY n LIMIT %s OFFSET %s", (2, 3)),
        ("SELECT coalesce(%s, 'none')", (None,)),
        ("SELECT date '2024-01-31' + %s", (dt.timedelta(days=1),)),
        ("SELECT %s = 'x', %s::text IS NULL", ("x", None)),
        ("SELECT CASE WHEN %s THEN 1 ELSE 2 END", (False,)),
        ("SELECT %s::text, %s::int, cast(%s AS date)", ("1", "2", "2024-01-01")),
        ("SELECT (%s, %s) = (1, 'a')", (1, "a")),
        ("SELECT greatest(%s, 3), least(%s, 3)", (5, 5)),
        ("SELECT x FROM (VALUES (1), (2)) AS v(x) WHERE x IN (%s, %s)", (2, 3)),
        ("SELECT x FROM (VALUES ('a'), ('b')) AS v(x) WHERE x LIKE %s", ("a%",)),
        ("SELECT extract(year FROM %s::timestamp)", (dt.datetime(2024, 5, 1),)),
        ("SELECT round(%s::numeric, %s)", (decimal.Decimal("1.256"), 2)),
        ("SELECT to_char(%s::date, 'YYYY-MM')", (dt.date(2024, 5, 1),)),
        ("SELECT now() - %s < now()", (dt.timedelta(seconds=1),)),
        ("SELECT x BETWEEN %s AND %s FROM (VALUES (5)) AS v(x)", (1, 9)),
        ("VALUES (%s, %s)", (1, "x")),
        ("SELECT array[%s, %s]", (1, 2)),
        ("SELECT %s::int[] || %s::int", ([1], 2)),
    ],
)
def test_parameters_find_their_types(connection, same, query, parameters):
    cursor = connection.execute(query, parameters)
    same(([column.type_code for column in cursor.description], cursor.fetchall()))


def test_prepared_statements_are_used_again(connection):
    for number in range(10):
        assert connection.execute("SELECT %s::int * 2", (number,), prepare=True).fetchone() == (number * 2,)
    found = connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
    assert found == (1,)


def test_a_statement_is_planned_again_after_ddl(connection, db, same):
    db.run("CREATE TABLE replanned (a int); INSERT INTO replanned VALUES (1)")
    assert connection.execute("SELECT a FROM replanned", prepare=True).fetchall() == [(1,)]
    assert connection.execute("SELECT * FROM replanned", prepare=True).fetchall() == [(1,)]
    connection.commit()
    db.run("ALTER TABLE replanned ADD COLUMN b text DEFAULT 'b'")
    assert connection.execute("SELECT a FROM replanned", prepare=True).fetchall() == [(1,)]
    with pytest.raises(psycopg.errors.FeatureNotSupported) as raised:
        connection.execute("SELECT * FROM replanned", prepare=True)
    same((raised.value.sqlstate, raised.value.diag.message_primary))


def test_a_pipeline_answers_in_order(connection):
    connection.execute("CREATE TABLE piped (n int)")
    with connection.pipeline() as pipeline:
        cursors = [connection.execute("INSERT INTO piped VALUES (%s) RETURNING n", (n,)) for n in range(5)]
        pipeline.sync()
        total = connection.execute("SELECT sum(n) FROM piped")
    assert [cursor.fetchone() for cursor in cursors] == [(n,) for n in range(5)]
    assert total.fetchone() == (10,)


def test_a_pipeline_skips_to_its_sync_after_an_error(connection):
    connection.autocommit = True
    connection.execute("CREATE TABLE half (n int PRIMARY KEY)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        with connection.pipeline():
            for n in (1, 2, 1, 3):
                connection.execute("INSERT INTO half VALUES (%s)", (n,))
    assert connection.execute("SELECT count(*) FROM half").fetchone() == (0,)
    with connection.pipeline() as pipeline:
        connection.execute("INSERT INTO half VALUES (1)")
        pipeline.sync()
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("SELECT 1 / 0")
            pipeline.sync()
        last = connection.execute("INSERT INTO half VALUES (2)")
        pipeline.sync()
    assert last.rowcount == 1
    assert connection.execute("SELECT n FROM half ORDER BY n").fetchall() == [(1,), (2,)]


def test_executemany_and_returning(connection):
    connection.execute("CREATE TABLE many (id serial PRIMARY KEY, word text)")
    cursor = connection.cursor()
    cursor.executemany("INSERT INTO many (word) VALUES (%s) RETURNING id, word", [("a",), ("b",), ("c",)], returning=True)
    rows = []
    while True:
        rows += cursor.fetchall()
        if not cursor.nextset():
            break
    assert rows == [(1, "a"), (2, "b"), (3, "c")]
    cursor.executemany("UPDATE many SET word = %s WHERE id = %s", [("x", 1), ("y", 2)])
    assert cursor.rowcount == 2


def test_named_cursor_reads_in_portions(connection):
    with connection.cursor("portions") as cursor:
        cursor.itersize = 7
        cursor.execute("SELECT n, n::text FROM generate_series(1, 50) AS n")
        assert [row[0] for row in cursor] == list(range(1, 51))


def test_named_cursor_scrolls(connection):
    with connection.cursor("scrolled", scrollable=True) as cursor:
        cursor.execute("SELECT n FROM generate_series(1, 10) AS n")
        assert cursor.fetchmany(3) == [(1,), (2,), (3,)]
        cursor.scroll(-2)
        assert cursor.fetchone() == (2,)
        cursor.scroll(0, mode="absolute")
        assert cursor.fetchone() == (1,)


def test_named_cursor_with_hold_outlives_its_transaction(connection):
    cursor = connection.cursor("held", withhold=True)
    cursor.execute("SELECT n FROM generate_series(1, 3) AS n")
    connection.commit()
    assert cursor.fetchall() == [(1,), (2,), (3,)]
    cursor.close()


def test_server_cursor_streams_one_row_at_a_time(connection):
    cursor = connection.cursor()
    rows = cursor.stream("SELECT n FROM generate_series(1, 1000) AS n")
    assert sum(row[0] for row in rows) == 500500


@pytest.mark.parametrize("form", ["text", "csv", "binary"])
def test_copy_goes_in_and_out(connection, form):
    connection.execute("CREATE TABLE copied (a int, b text, c numeric, d timestamptz, e text[])")
    rows = [
        (1, "x\ty", decimal.Decimal("1.50"), dt.datetime(2024, 1, 1, tzinfo=UTC), ["a", None]),
        (None, None, None, None, None),
        (3, 'q"q\\n', decimal.Decimal("-2"), dt.datetime(1970, 1, 1, tzinfo=UTC), []),
    ]
    if form == "csv":
        with connection.cursor().copy("COPY copied FROM STDIN (FORMAT csv, HEADER)") as copy:
            copy.write('a,b,c,d,e\n1,"x\ty",1.50,2024-01-01 00:00:00+00,"{a,NULL}"\n,,,,\n')
            copy.write('3,"q""q\\n",-2,1970-01-01 00:00:00+00,{}\n')
    else:
        with connection.cursor().copy(f"COPY copied FROM STDIN (FORMAT {form})") as copy:
            copy.set_types(["int4", "text", "numeric", "timestamptz", "text[]"])
            for row in rows:
                copy.write_row(row)
    assert connection.execute("SELECT * FROM copied").fetchall() == rows
    with connection.cursor().copy(f"COPY (SELECT * FROM copied) TO STDOUT (FORMAT {form})") as copy:
        if form == "csv":
            text = b"".join(copy).decode()
            assert text.splitlines()[1] == ",,,,"
        else:
            copy.set_types(["int4", "text", "numeric", "timestamptz", "text[]"])
            assert list(copy.rows()) == rows


def test_a_bad_row_undoes_the_copy(connection, same):
    connection.execute("CREATE TABLE refused (a int)")
    connection.commit()
    with pytest.raises(psycopg.errors.InvalidTextRepresentation) as raised:
        with connection.cursor().copy("COPY refused FROM STDIN") as copy:
            copy.write("1\n2\nthree\n")
    same((raised.value.diag.message_primary, raised.value.diag.context))
    connection.rollback()
    assert connection.execute("SELECT count(*) FROM refused").fetchone() == (0,)


def test_an_aborted_copy_leaves_nothing(connection):
    connection.execute("CREATE TABLE aborted (a int)")
    connection.commit()
    with pytest.raises(ZeroDivisionError):
        with connection.cursor().copy("COPY aborted FROM STDIN") as copy:
            copy.write("1\n")
            raise ZeroDivisionError
    connection.rollback()
    assert connection.execute("SELECT count(*) FROM aborted").fetchone() == (0,)


ERRORS = {
    "syntax": "SELEC 1",
    "table": "SELECT * FROM nowhere",
    "column": "SELECT nothing FROM (VALUES (1)) AS v(x)",
    "function": "SELECT nothing(1)",
    "operator": "SELECT 1 + true",
    "division": "SELECT 1 / 0",
    "number": "SELECT 'x'::int",
    "range": "SELECT 32768::int2",
    "date": "SELECT '2024-02-30'::date",
    "json": "SELECT '{'::json",
    "uuid": "SELECT 'x'::uuid",
    "not_null": "INSERT INTO strict VALUES (1, NULL, 'x', 1)",
    "unique": "INSERT INTO strict VALUES (1, 'a', 'x', 1), (1, 'b', 'x', 1)",
    "check": "INSERT INTO strict VALUES (1, 'a', 'x', -1)",
    "length": "INSERT INTO strict VALUES (1, 'a', 'too long', 1)",
    "exists": "CREATE TABLE strict (a int)",
    "schema": "SELECT * FROM nowhere.nothing",
    "drop": "DROP TABLE nowhere",
    "grouping": "SELECT word, count(*) FROM strict",
    "ambiguous": "SELECT x FROM (VALUES (1)) AS a(x), (VALUES (2)) AS b(x)",
    "type": "SELECT 1::nothing",
    "cursor": "FETCH 1 FROM nothing",
    "savepoint": "ROLLBACK TO nothing",
    "many": "SELECT (SELECT * FROM (VALUES (1), (2)) AS v)",
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_has_its_code_and_fields(connection, same, name):
    connection.execute("CREATE TABLE IF NOT EXISTS strict (id int PRIMARY KEY, word text NOT NULL, short varchar(3), n int CHECK (n > 0))")
    connection.commit()
    with pytest.raises(psycopg.Error) as raised:
        connection.execute(ERRORS[name])
    d = raised.value.diag
    same((d.severity, d.sqlstate, d.message_primary, d.message_detail, d.statement_position,
          d.schema_name, d.table_name, d.column_name, d.constraint_name))


def test_transactions_and_savepoints_nest(connection):
    connection.execute("CREATE TABLE nested (n int)")
    connection.commit()
    with connection.transaction():
        connection.execute("INSERT INTO nested VALUES (1)")
        with pytest.raises(ZeroDivisionError), connection.transaction():
            connection.execute("INSERT INTO nested VALUES (2)")
            raise ZeroDivisionError
        with connection.transaction("inner") as inner:
            connection.execute("INSERT INTO nested VALUES (3)")
            raise psycopg.Rollback(inner)
        connection.execute("INSERT INTO nested VALUES (4)")
    assert connection.execute("SELECT n FROM nested ORDER BY n").fetchall() == [(1,), (4,)]


@pytest.mark.parametrize("level", list(psycopg.IsolationLevel))
def test_isolation_level_is_taken(connection, same, level):
    connection.rollback()
    connection.isolation_level = level
    same(connection.execute("SHOW transaction_isolation").fetchone())


def test_read_only_refuses_writes(connection):
    connection.execute("CREATE TABLE readable (n int)")
    connection.commit()
    connection.read_only = True
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("INSERT INTO readable VALUES (1)")


def test_a_failed_transaction_refuses_until_rollback(connection):
    with pytest.raises(psycopg.errors.DivisionByZero):
        connection.execute("SELECT 1 / 0")
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        connection.execute("SELECT 1")
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
    connection.rollback()
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_notices_come(connection, same):
    notices = []
    connection.add_notice_handler(lambda notice: notices.append((notice.severity, notice.sqlstate, notice.message_primary)))
    connection.execute("DROP TABLE IF EXISTS never_there")
    connection.execute("CREATE TABLE there (n int)")
    connection.execute("CREATE TABLE IF NOT EXISTS there (n int)")
    same(notices)
    connection.execute("SET client_min_messages = warning")
    connection.execute("DROP TABLE IF EXISTS never_there")
    assert len(notices) == 2


def test_cancel_ends_the_statement(connection):
    import threading

    timer = threading.Timer(0.3, connection.cancel)
    timer.start()
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute("SELECT count(*) FROM generate_series(1, 1000000000000) AS a")
    connection.rollback()
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_cancel_safe_ends_a_sleep(connection):
    import threading

    timer = threading.Timer(0.3, connection.cancel_safe)
    timer.start()
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute("SELECT pg_sleep(60)")


def test_rows_come_as_dicts_and_tuples(connection):
    query = "SELECT 1 AS a, 'x' AS \"B c\""
    assert connection.cursor(row_factory=dict_row).execute(query).fetchone() == {"a": 1, "B c": "x"}
    assert connection.cursor(row_factory=namedtuple_row).execute("SELECT 1 AS a").fetchone().a == 1


def test_composed_sql_quotes_names(connection):
    name = 'Odd "name"'
    connection.execute(sql.SQL("CREATE TABLE {} ({} int)").format(sql.Identifier(name), sql.Identifier("Ä b")))
    connection.execute(sql.SQL("INSERT INTO {} VALUES ({})").format(sql.Identifier(name), 5))
    row = connection.execute(sql.SQL("SELECT {} FROM {}").format(sql.Identifier("Ä b"), sql.Identifier(name))).fetchone()
    assert row == (5,)


def test_client_side_binding(db, same):
    with psycopg.connect(**db.options, cursor_factory=psycopg.ClientCursor) as connection:
        row = connection.execute(
            "SELECT %s, %s, %s, %s, %s, %s",
            (1, "it's", [1, 2], dt.date(2024, 1, 1), None, decimal.Decimal("1.5")),
        ).fetchone()
        same(row)


def test_type_info_is_fetched(connection, same):
    info = psycopg.types.TypeInfo.fetch(connection, "int4")
    same((info.name, info.oid, info.array_oid, info.regtype, info.delimiter))
    assert psycopg.types.TypeInfo.fetch(connection, "nothing_such") is None


def test_enum_info_is_fetched(db, connection):
    from psycopg.types.enum import EnumInfo, register_enum

    db.load("enums")
    info = EnumInfo.fetch(connection, "kinds.mood")
    register_enum(info, connection)
    rows = connection.execute("SELECT mood FROM kinds.person WHERE mood > 'sad'").fetchall()
    assert [row[0].name for row in rows] == ["happy"]


def test_enums_go_as_python_enums_and_lists(connection, same):
    import enum

    from psycopg.types.enum import EnumInfo, register_enum

    class Level(enum.Enum):
        LOW = "low"
        HIGH = "high"

    connection.execute("CREATE TYPE level AS ENUM ('low', 'high')")
    connection.execute("CREATE TABLE rated (l level, ls level[])")
    info = EnumInfo.fetch(connection, "level")
    register_enum(info, connection, Level, mapping={Level.LOW: "low", Level.HIGH: "high"})
    for binary in (False, True):
        with connection.cursor(binary=binary) as cursor:
            cursor.execute("INSERT INTO rated VALUES (%s, %s)", (Level.HIGH, [Level.LOW, Level.HIGH]))
            cursor.execute("INSERT INTO rated VALUES (%b, %b)", (Level.LOW, [Level.LOW]))
            rows = cursor.execute("SELECT l, ls FROM rated WHERE l >= %s ORDER BY l DESC", (Level.LOW,)).fetchall()
            assert rows[0] == (Level.HIGH, [Level.LOW, Level.HIGH])
            same([str(row) for row in rows])
    same((info.labels, info.name))


def test_composite_info_of_a_table_is_fetched(connection):
    from psycopg.types.composite import CompositeInfo, register_composite

    connection.execute("CREATE TABLE pair (a int, b text)")
    info = CompositeInfo.fetch(connection, "pair")
    assert list(zip(info.field_names, info.field_types)) == [("a", 23), ("b", 25)]
    register_composite(info, connection)
    connection.execute("INSERT INTO pair VALUES (1, 'x')")
    assert connection.execute("SELECT p FROM pair AS p").fetchone()[0] == (1, "x")


def test_a_row_comes_as_a_tuple(connection):
    assert connection.execute("SELECT ROW(1, 'x', NULL)").fetchone()[0] == ("1", "x", None)


def test_notifications_come(connection, db):
    connection.autocommit = True
    connection.execute("LISTEN news")
    with psycopg.connect(**db.options, autocommit=True) as other:
        other.execute("NOTIFY news, 'hello'")
    found = next(connection.notifies(timeout=5))
    assert (found.channel, found.payload) == ("news", "hello")


def test_connection_says_who_it_is(connection, same):
    info = connection.info
    parameters = ["server_encoding", "client_encoding", "is_superuser", "DateStyle", "IntervalStyle",
                  "TimeZone", "integer_datetimes", "standard_conforming_strings", "session_authorization"]
    same([info.parameter_status(name) for name in parameters])
    same((info.dbname, info.user, info.encoding, info.server_version // 10000))


def test_startup_options_are_taken(db, same):
    options = "-c search_path=a,b -c statement_timeout=5s -cTimeZone=Europe/Berlin --extra-float-digits=0"
    with psycopg.connect(**db.options, options=options, application_name="app") as connection:
        names = ["search_path", "statement_timeout", "TimeZone", "extra_float_digits", "application_name"]
        same([connection.execute(f"SHOW {name}").fetchone()[0] for name in names])


def test_async_connection(db):
    import asyncio

    async def ask():
        async with await psycopg.AsyncConnection.connect(**db.options) as connection:
            async with connection.cursor() as cursor:
                await cursor.execute("SELECT n FROM generate_series(1, %s) AS n", (3,))
                return await cursor.fetchall()

    assert asyncio.run(ask()) == [(1,), (2,), (3,)]


def test_a_pool_lends_clean_connections(db):
    from psycopg_pool import ConnectionPool

    def reset(connection):
        connection.autocommit = True
        connection.execute("DISCARD ALL")
        connection.autocommit = False

    with ConnectionPool(db.url(), min_size=1, max_size=2, reset=reset, open=True) as pool:
        for number in range(5):
            with pool.connection() as connection:
                assert connection.execute("SELECT %s::int", (number,)).fetchone() == (number,)
