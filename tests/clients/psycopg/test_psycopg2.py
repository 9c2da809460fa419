"""psycopg 2: text parameters, adapters, named cursors, COPY, isolation, errors."""

import datetime as dt
import decimal
import io
import uuid

import psycopg2
import psycopg2.extensions
import psycopg2.extras
import pytest


@pytest.fixture
def connection(db):
    connection = psycopg2.connect(**db.options)
    yield connection
    connection.close()


@pytest.fixture
def cursor(connection):
    with connection.cursor() as cursor:
        yield cursor


VALUES = {
    "int": (1, "int"), "big": (2**62, "bigint"), "float": (1.25, "float8"), "decimal": (decimal.Decimal("1.20"), "numeric"),
    "text": ("it's \\ ü", "text"), "bool": (True, "bool"), "null": (None, "text"), "date": (dt.date(2024, 2, 29), "date"),
    "time": (dt.time(1, 2, 3), "time"), "timestamp": (dt.datetime(2024, 1, 1, 1, 1, 1, 5), "timestamp"),
    "timestamptz": (dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc), "timestamptz"),
    "interval": (dt.timedelta(days=1, seconds=2), "interval"), "list": ([1, 2, None], "int[]"), "texts": (["a", 'b"', None], "text[]"),
    "bytes": (b"\x00\x01\xff", "bytea"),
}


@pytest.mark.parametrize("name", VALUES)
def test_value_goes_and_comes_back(cursor, same, name):
    value, kind = VALUES[name]
    cursor.execute(f"SELECT %s::{kind}", (psycopg2.Binary(value) if name == "bytes" else value,))
    found = cursor.fetchone()[0]
    assert (bytes(found) if name == "bytes" else found) == value
    same(tuple(cursor.description[0])[:6])


def test_uuid_and_json(cursor):
    psycopg2.extras.register_uuid(conn_or_curs=cursor)
    value = uuid.UUID(int=7)
    cursor.execute("SELECT %s, %s::jsonb, %s::json", (value, psycopg2.extras.Json({"a": 1}), psycopg2.extras.Json([1])))
    assert cursor.fetchone() == (value, {"a": 1}, [1])


def test_execute_values_and_batch(cursor):
    cursor.execute("CREATE TABLE valued (a int, b text)")
    found = psycopg2.extras.execute_values(
        cursor, "INSERT INTO valued VALUES %s RETURNING a", [(n, str(n)) for n in range(250)], page_size=100, fetch=True
    )
    assert [row[0] for row in found] == list(range(250))
    psycopg2.extras.execute_batch(cursor, "UPDATE valued SET b = %s WHERE a = %s", [("x", n) for n in range(10)])
    cursor.execute("SELECT count(*) FROM valued WHERE b = 'x'")
    assert cursor.fetchone() == (10,)


def test_dict_and_named_rows(connection):
    with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
        cursor.execute("SELECT 1 AS a, 'x' AS b")
        assert cursor.fetchone() == {"a": 1, "b": "x"}
    with connection.cursor(cursor_factory=psycopg2.extras.NamedTupleCursor) as cursor:
        cursor.execute("SELECT 1 AS a")
        assert cursor.fetchone().a == 1


@pytest.mark.parametrize("hold", [False, True], ids=["within", "hold"])
def test_named_cursor_reads_in_portions(connection, hold):
    with connection.cursor("named", withhold=hold) as cursor:
        cursor.itersize = 100
        cursor.execute("SELECT n FROM generate_series(1, 1000) AS n")
        assert cursor.fetchmany(3) == [(1,), (2,), (3,)]
        if hold:
            connection.commit()
        assert sum(row[0] for row in cursor) == 500500 - 6


def test_named_cursor_scrolls(connection):
    with connection.cursor("scrolled", scrollable=True) as cursor:
        cursor.execute("SELECT n FROM generate_series(1, 10) AS n")
        cursor.fetchmany(5)
        cursor.scroll(-3)
        assert cursor.fetchone() == (3,)


def test_copy_goes_in_and_out(connection, cursor):
    cursor.execute("CREATE TABLE copied (a int, b text)")
    cursor.copy_from(io.StringIO("1\tx\n2\t\\N\n"), "copied")
    cursor.copy_expert("COPY copied (b, a) FROM STDIN WITH CSV HEADER", io.StringIO("b,a\n\"q,\"\"q\",3\n"))
    out = io.StringIO()
    cursor.copy_to(out, "copied", sep="|", null="-", columns=("b", "a"))
    assert sorted(out.getvalue().splitlines()) == ["-|2", 'q,"q|3', "x|1"]
    out = io.StringIO()
    cursor.copy_expert("COPY (SELECT * FROM copied WHERE a > 1 ORDER BY a) TO STDOUT CSV HEADER NULL 'none'", out)
    assert out.getvalue() == 'a,b\n2,none\n3,"q,""q"\n'


@pytest.mark.parametrize("level", ["READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_isolation_level_is_taken(connection, cursor, same, level):
    connection.set_session(isolation_level=level, readonly=True, deferrable=False)
    cursor.execute("SHOW transaction_isolation")
    first = cursor.fetchone()
    cursor.execute("SHOW transaction_read_only")
    same((first, cursor.fetchone()))
    connection.rollback()
    connection.autocommit = True
    connection.set_session(readonly=False)
    cursor.execute("SHOW default_transaction_read_only")
    assert cursor.fetchone() == ("off",)


def test_errors_have_classes_and_fields(connection, cursor, same):
    cursor.execute("CREATE TABLE strict (id int PRIMARY KEY)")
    cursor.execute("INSERT INTO strict VALUES (1)")
    connection.commit()
    with pytest.raises(psycopg2.errors.UniqueViolation) as raised:
        cursor.execute("INSERT INTO strict VALUES (1)")
    same((raised.value.pgcode, raised.value.diag.constraint_name, raised.value.diag.message_detail, str(raised.value)))
    connection.rollback()
    with pytest.raises(psycopg2.errors.UndefinedTable) as raised:
        cursor.execute("SELECT *\nFROM nowhere")
    same(str(raised.value))


def test_several_statements_in_one(connection, cursor):
    cursor.execute("CREATE TABLE several (n int); INSERT INTO several VALUES (1), (2); SELECT n FROM several ORDER BY n")
    assert cursor.fetchall() == [(1,), (2,)]
    assert cursor.statusmessage == "SELECT 2"


def test_command_tags(cursor, same):
    tags = []
    for statement in [
        "CREATE TABLE tagged (n int)", "INSERT INTO tagged VALUES (1), (2)", "UPDATE tagged SET n = 3", "DELETE FROM tagged WHERE n = 9",
        "SELECT * FROM tagged", "TRUNCATE tagged", "CREATE VIEW seen AS SELECT * FROM tagged", "DROP VIEW seen", "SET work_mem = '5MB'",
        "SHOW work_mem", "SAVEPOINT a", "RELEASE a", "COMMENT ON TABLE tagged IS 'x'", "ALTER TABLE tagged ADD COLUMN m int",
        "CREATE TABLE made AS SELECT 1 AS a", "CREATE SCHEMA tags", "DROP SCHEMA tags", "CREATE SEQUENCE seq", "DROP SEQUENCE seq",
        "DECLARE c CURSOR FOR SELECT 1", "FETCH ALL FROM c", "MOVE 1 FROM c", "CLOSE c", "PREPARE p AS SELECT 1", "EXECUTE p", "DEALLOCATE p",
        "EXPLAIN SELECT 1", "DROP TABLE tagged, made", "VALUES (1)", "GRANT USAGE ON SCHEMA public TO PUBLIC", "RESET work_mem",
    ]:
        cursor.execute(statement)
        tags.append(cursor.statusmessage)
    same(tags)


def test_notices_are_kept(connection, cursor, same):
    cursor.execute("DROP TABLE IF EXISTS never_there")
    same(connection.notices)


def test_notifications_come(connection, cursor):
    connection.autocommit = True
    cursor.execute("LISTEN news")
    cursor.execute("NOTIFY news, 'hello'")
    connection.poll()
    assert [(n.channel, n.payload) for n in connection.notifies] == [("news", "hello")]


def test_a_connection_is_reset_for_its_pool(connection, cursor):
    cursor.execute("SET work_mem = '7MB'")
    cursor.execute("PREPARE kept AS SELECT 1")
    connection.commit()
    connection.reset()
    cursor.execute("SHOW work_mem")
    assert cursor.fetchone() != ("7MB",)


def test_wrong_password_and_database(db):
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(**db.options | {"password": "wrong"})
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(**db.options | {"user": "nobody_here"})
