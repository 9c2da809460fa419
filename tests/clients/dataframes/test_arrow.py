"""ADBC, polars and connectorx move Arrow data by binary COPY and cursors."""

import datetime as dt
import decimal

import adbc_driver_postgresql.dbapi as adbc
import connectorx
import polars as pl
import pyarrow as pa
import pytest

UTC = dt.timezone.utc


def prepare(db):
    db.load("shop")


@pytest.fixture
def connection(db):
    with adbc.connect(db.url()) as connection:
        yield connection


TYPES = """SELECT 1::int2 AS a, 2::int4 AS b, 3::int8 AS c, 0.5::float4 AS d, 1e300::float8 AS e, 1.25::numeric(6,2) AS f, 'x'::text AS g,
    'y'::varchar(3) AS h, true AS i, '2024-01-01'::date AS j, '01:02:03'::time AS k, '2024-01-01 01:02:03'::timestamp AS l,
    '2024-01-01 00:00:00+00'::timestamptz AS m, '1 day 2 hours'::interval AS n, '\\x00ff'::bytea AS o, array[1,2] AS p, array['a',NULL] AS q,
    '{"a": 1}'::jsonb AS r, '00000000-0000-0000-0000-000000000001'::uuid AS s, NULL::int AS t, 5::oid AS u, 'n'::name AS v, 'z'::char(3) AS w"""


def test_types_become_arrow(connection, same):
    with connection.cursor() as cursor:
        cursor.execute(TYPES)
        table = cursor.fetch_arrow_table()
    same(([(field.name, str(field.type)) for field in table.schema], str(table.to_pylist())))


def test_schema_of_a_query(connection, same):
    with connection.cursor() as cursor:
        schema = cursor.adbc_execute_schema("SELECT id, name, tags FROM shop.customer")
    same([(field.name, str(field.type)) for field in schema])


def test_statement_binds_parameters(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT $1::int + 1, $2::text || 'x'", (41, "a"))
        assert cursor.fetchone() == (42, "ax")
        cursor.executemany("INSERT INTO shop.account (balance, open) VALUES ($1, $2)", [(1.5, True), (None, False)])
        cursor.execute("SELECT count(*) FROM shop.account")
        assert cursor.fetchone() == (2,)
    connection.rollback()


@pytest.mark.parametrize("mode", ["create", "replace", "create_append"])
def test_ingest(connection, same, mode):
    table = pa.table(
        {
            "a": pa.array([1, 2, None], pa.int64()), "b": pa.array(["x", None, "ü"]), "c": pa.array([0.5, None, 2.0]),
            "d": pa.array([dt.date(2024, 1, 1), None, dt.date(1970, 1, 1)]),
            "e": pa.array([dt.datetime(2024, 1, 1, tzinfo=UTC)] * 3, pa.timestamp("us", "UTC")),
            "f": pa.array([True, None, False]), "g": pa.array([b"\x00", None, b""]), "h": pa.array([1, 2, 3], pa.int16()),
            "i": pa.array([dt.datetime(2024, 1, 1)] * 3, pa.timestamp("us")), "j": pa.array([[1, 2], None, []], pa.list_(pa.int32())),
            "k": pa.array([decimal.Decimal("1.50"), None, decimal.Decimal("-2.25")]),
        }
    )
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS ingested")
        if mode == "replace":
            cursor.execute("CREATE TABLE ingested (z int)")
        assert cursor.adbc_ingest("ingested", table, mode=mode) == 3
        cursor.adbc_ingest("ingested", table, mode="append")
        cursor.execute("SELECT * FROM ingested")
        found = cursor.fetch_arrow_table()
    assert found.num_rows == 6
    same(([(field.name, str(field.type)) for field in found.schema], str(found.slice(0, 3).to_pylist())))
    connection.rollback()


def test_objects_are_listed(connection, same):
    objects = connection.adbc_get_objects(depth="all", db_schema_filter="shop").read_all().to_pylist()
    schemas = [schema for catalog in objects for schema in catalog["catalog_db_schemas"] or []]
    tables = [table for schema in schemas for table in schema["db_schema_tables"]]
    wanted = ["table_name", "table_type"]
    same(sorted(
        ([table[key] for key in wanted],
         sorted((c["ordinal_position"], c["column_name"], c["remarks"]) for c in table["table_columns"]),
         sorted((c["constraint_name"], c["constraint_type"], str(c["constraint_column_names"])) for c in table["table_constraints"]))
        for table in tables
    ))


def test_table_schema_and_types(connection, same):
    schema = connection.adbc_get_table_schema("customer", db_schema_filter="shop")
    same([(field.name, str(field.type)) for field in schema])
    same(sorted(connection.adbc_get_table_types()))


def test_info(connection):
    info = connection.adbc_get_info()
    assert info["vendor_name"] == "PostgreSQL" and info["vendor_version"].startswith("15")


def test_an_error_keeps_its_code(connection):
    with connection.cursor() as cursor, pytest.raises(adbc.ProgrammingError) as raised:
        cursor.execute("SELECT * FROM nowhere")
    assert raised.value.sqlstate == "42P01"


def test_polars_reads_and_writes(db):
    source = pl.DataFrame({"a": [1, 2, 3], "b": ["x", None, "ü"], "c": [0.5, None, 2.5], "d": [dt.date(2024, 1, 1)] * 3})
    with adbc.connect(db.url()) as connection:
        assert source.write_database("framed", connection, if_table_exists="replace", engine="adbc") == 3
        connection.commit()
        found = pl.read_database("SELECT * FROM framed ORDER BY a", connection)
    assert found.equals(source)


def test_polars_reads_by_uri(db):
    for engine in ("adbc", "connectorx"):
        found = pl.read_database_uri("SELECT id, name, tags IS NULL AS bare FROM shop.customer ORDER BY id", db.url(), engine=engine)
        assert found.rows() == [(1, "ann", False), (2, "bob", True)]


def test_polars_by_sqlalchemy(db):
    import sqlalchemy as sa

    engine = sa.create_engine(db.url("postgresql+psycopg"))
    frame = pl.DataFrame({"n": list(range(100))})
    frame.write_database("numbers", engine, if_table_exists="replace")
    batches = pl.read_database("SELECT n FROM numbers", engine, iter_batches=True, batch_size=30)
    assert sum(batch["n"].sum() for batch in batches) == 4950
    engine.dispose()


@pytest.mark.parametrize("protocol", ["binary", "csv", "cursor"])
def test_connectorx_reads_in_partitions(db, protocol):
    query = "SELECT n, n::text AS t, n::numeric / 4 AS q, now() AS at FROM generate_series(1, 100) AS n"
    found = connectorx.read_sql(
        db.url(), query, return_type="arrow", protocol=protocol, partition_on="n", partition_num=3
    )
    assert sorted(found["n"].to_pylist()) == list(range(1, 101))
