"""psqlODBC through pyodbc: catalog functions, types, parameters, cursors."""

import datetime as dt
import decimal
import os

import pyodbc
import pytest

pyodbc.pooling = False


def prepare(db):
    db.load("shop")


def connect(db, **options):
    parts = {
        "DRIVER": os.environ["ODBC_DRIVER"], "SERVER": db.host, "PORT": db.port, "DATABASE": db.name, "UID": db.user,
        "PWD": "{" + db.password + "}", "SSLmode": "disable",
    } | options
    return pyodbc.connect(";".join(f"{key}={value}" for key, value in parts.items()))


@pytest.fixture
def connection(db):
    connection = connect(db)
    yield connection
    connection.close()


CATALOG = {
    "tables": lambda c: c.tables(schema="shop"),
    "tables_of_a_kind": lambda c: c.tables(schema="shop", tableType="VIEW"),
    "columns": lambda c: c.columns(table="customer", schema="shop"),
    "columns_of_purchase": lambda c: c.columns(table="purchase", schema="shop"),
    "columns_of_view": lambda c: c.columns(table="spent", schema="shop"),
    "primary_keys": lambda c: c.primaryKeys("purchase", schema="shop"),
    "statistics": lambda c: c.statistics("customer", schema="shop", unique=True),
    "row_id": lambda c: c.rowIdColumns("customer", schema="shop"),
    "row_version": lambda c: c.rowVerColumns("customer", schema="shop"),
    "foreign_keys": lambda c: c.foreignKeys(table="purchase", schema="shop"),
    "procedures": lambda c: c.procedures(procedure="initcap", schema="pg_catalog"),
    "types": lambda c: c.getTypeInfo(),
}


@pytest.mark.parametrize("name", CATALOG)
def test_catalog(connection, same, name):
    cursor = CATALOG[name](connection.cursor())
    columns = [column[0] for column in cursor.description]
    # Numbers of tables are each server's own.
    shown = [place for place, name in enumerate(columns) if name.upper() != "TABLE OID"]
    same((columns, [[str(row[place]) for place in shown] for row in cursor.fetchall()]))


def test_foreign_keys_are_listed(db, connection, same):
    db.load("foreign_keys")
    rows = connection.cursor().foreignKeys(foreignTable="city", foreignSchema="links").fetchall()
    same([[str(value) for value in row] for row in rows])


VALUES = {
    "int": ("int", 5), "bigint": ("bigint", 2**60), "numeric": ("numeric(10,3)", decimal.Decimal("1.250")), "float8": ("float8", 1.5),
    "text": ("text", "ü'x"), "varchar": ("varchar(5)", "abc"), "bool": ("int", 1), "date": ("date", dt.date(2024, 2, 29)),
    "timestamp": ("timestamp", dt.datetime(2024, 1, 1, 1, 2, 3)), "time": ("time", dt.time(1, 2, 3)), "bytea": ("bytea", b"\x00\xff"),
    "null": ("text", None),
}


@pytest.mark.parametrize("name", VALUES)
def test_value_goes_and_comes_back(connection, same, name):
    kind, value = VALUES[name]
    cursor = connection.cursor()
    found = cursor.execute(f"SELECT CAST(? AS {kind}) AS v", value).fetchone()[0]
    assert found == value
    same([str(part) for part in cursor.description[0]])


def test_parameters_are_described(connection):
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE described (a int, b varchar(10), c date)")
    cursor.execute("INSERT INTO described VALUES (?, ?, ?)", None, None, None)
    cursor.fast_executemany = True
    cursor.executemany("INSERT INTO described VALUES (?, ?, ?)", [(n, str(n), dt.date(2024, 1, 1)) for n in range(50)])
    assert tuple(cursor.execute("SELECT count(*), sum(a) FROM described").fetchone()) == (51, 1225)


@pytest.mark.parametrize("fetch", [1, 0], ids=["declare", "whole"])
def test_rows_are_fetched(db, fetch):
    with connect(db, UseDeclareFetch=fetch, Fetch=7) as connection:
        rows = connection.cursor().execute("SELECT n, n::text FROM generate_series(1, 100) AS n").fetchall()
    assert [row[0] for row in rows] == list(range(1, 101))


@pytest.mark.parametrize("prepare_on_server", [1, 0])
def test_statements_are_prepared(db, prepare_on_server):
    with connect(db, UseServerSidePrepare=prepare_on_server) as connection:
        cursor = connection.cursor()
        for number in range(5):
            assert cursor.execute("SELECT ? + 1", number).fetchone()[0] == number + 1


@pytest.mark.parametrize("protocol", ["7.4-0", "7.4-1", "7.4-2"])
def test_errors_roll_back_as_much_as_asked(db, protocol, same):
    with connect(db, Protocol=protocol) as connection:
        cursor = connection.cursor()
        cursor.execute("DROP TABLE IF EXISTS rolled")
        cursor.execute("CREATE TABLE rolled (n int PRIMARY KEY)")
        connection.commit()
        cursor.execute("INSERT INTO rolled VALUES (1)")
        with pytest.raises(pyodbc.Error) as raised:
            cursor.execute("INSERT INTO rolled VALUES (1)")
        state = raised.value.args[0]
        try:
            cursor.execute("INSERT INTO rolled VALUES (2)")
            connection.commit()
        except pyodbc.Error as error:
            state += error.args[0]
            connection.rollback()
        same((state, [row[0] for row in cursor.execute("SELECT n FROM rolled ORDER BY n").fetchall()]))


def test_autocommit_and_transactions(db):
    with connect(db) as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE undone (n int)")
        connection.rollback()
        with pytest.raises(pyodbc.Error):
            cursor.execute("SELECT * FROM undone")


def test_isolation_is_set(connection, same):
    connection.set_attr(pyodbc.SQL_ATTR_TXN_ISOLATION, pyodbc.SQL_TXN_SERIALIZABLE)
    same(connection.cursor().execute("SHOW transaction_isolation").fetchone()[0])


def test_driver_tells_about_the_server(connection, same):
    same([connection.getinfo(kind) for kind in (pyodbc.SQL_DBMS_NAME, pyodbc.SQL_MAX_TABLE_NAME_LEN, pyodbc.SQL_IDENTIFIER_QUOTE_CHAR)])
    assert connection.getinfo(pyodbc.SQL_DBMS_VER).startswith("15")


def test_escapes_and_functions(connection):
    row = connection.cursor().execute("SELECT {d '2024-01-01'}, {fn ucase('x')}, {fn length('abc')}, {ts '2024-01-01 01:02:03'}").fetchone()
    assert tuple(row) == (dt.date(2024, 1, 1), "X", 3, dt.datetime(2024, 1, 1, 1, 2, 3))


def test_several_results(connection):
    cursor = connection.cursor().execute("SELECT 1; SELECT 2")
    assert cursor.fetchone()[0] == 1 and cursor.nextset() and cursor.fetchone()[0] == 2


def test_a_statement_is_timed_out(connection):
    cursor = connection.cursor()
    cursor.execute("SET statement_timeout = 300")
    with pytest.raises(pyodbc.Error, match="statement timeout"):
        cursor.execute("SELECT pg_sleep(30)")
