"""pandas reads and writes tables, by SQLAlchemy and ADBC, and by COPY."""

import csv
import datetime as dt
import io

import adbc_driver_postgresql.dbapi as adbc
import pandas as pd
import pytest
import sqlalchemy as sa


@pytest.fixture(params=["psycopg2", "psycopg"])
def engine(db, request):
    engine = sa.create_engine(db.url(f"postgresql+{request.param}"))
    yield engine
    engine.dispose()


def frame():
    return pd.DataFrame(
        {
            "id": [1, 2, 3],
            "word": ["a", None, "ü"],
            "share": [0.5, None, -1e300],
            "flag": [True, False, True],
            "day": [dt.date(2024, 1, 1)] * 3,
            "moment": pd.to_datetime(["2024-01-01 01:02:03.000004", None, "1999-12-31"], format="ISO8601"),
            "zoned": pd.to_datetime(["2024-01-01", "2024-07-01", None], utc=True),
            "span": [1, 2, 3],
        }
    )


@pytest.mark.parametrize("method", [None, "multi"])
def test_to_sql_and_back(engine, same, method):
    rows = frame().to_sql("written", engine, if_exists="replace", index=False, method=method, chunksize=2)
    found = pd.read_sql_table("written", engine).sort_values("id", ignore_index=True)
    pd.testing.assert_frame_equal(
        found.drop(columns=["day", "moment", "zoned"]), frame().drop(columns=["day", "moment", "zoned"]), check_dtype=False
    )
    same((rows, [str(kind) for kind in found.dtypes], found.to_csv(index=False)))
    types = pd.read_sql("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'written' ORDER BY ordinal_position", engine)
    same(types.values.tolist())


def test_append_and_fail(engine):
    frame().to_sql("appended", engine, if_exists="replace")
    frame().to_sql("appended", engine, if_exists="append")
    assert pd.read_sql("SELECT count(*) AS n FROM appended", engine)["n"][0] == 6
    with pytest.raises(ValueError):
        frame().to_sql("appended", engine, if_exists="fail")


def test_to_sql_by_copy(engine):
    def copy(table, connection, keys, rows):
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        columns = ", ".join(f'"{key}"' for key in keys)
        statement = f"COPY {table.name} ({columns}) FROM STDIN WITH CSV"
        cursor = connection.connection.cursor()
        if hasattr(cursor, "copy_expert"):
            text.seek(0)
            cursor.copy_expert(statement, text)
        else:
            with cursor.copy(statement) as target:
                target.write(text.getvalue())

    frame().to_sql("by_copy", engine, if_exists="replace", index=False, method=copy)
    assert pd.read_sql("SELECT id, word FROM by_copy ORDER BY id", engine)["id"].tolist() == [1, 2, 3]


def test_read_sql_with_parameters_in_chunks(engine):
    query = sa.text("SELECT n, n * 2 AS twice FROM generate_series(1, :upto) AS n")
    chunks = list(pd.read_sql(query, engine, params={"upto": 10}, chunksize=4))
    assert [len(chunk) for chunk in chunks] == [4, 4, 2]
    assert pd.concat(chunks)["twice"].sum() == 110


def test_read_sql_parses_dates_and_types(engine, same):
    found = pd.read_sql(
        "SELECT 1::int2 AS a, 2::int8 AS b, 1.5::numeric(4,2) AS c, '2024-01-01'::date AS d, now() IS NULL AS e, NULL::int AS f, array[1,2] AS g, interval '1 day' AS h",
        engine, parse_dates=["d"], index_col="a",
    )
    same(([str(kind) for kind in found.dtypes], found.to_csv()))


def test_arrow_types(engine):
    found = pd.read_sql("SELECT n, 'x' AS w FROM generate_series(1, 3) AS n", engine, dtype_backend="pyarrow")
    assert found["n"].tolist() == [1, 2, 3]


def test_adbc_connection(db):
    with adbc.connect(db.url()) as connection:
        source = frame()[["id", "word", "share", "flag"]]
        source.to_sql("by_adbc", connection, if_exists="replace", index=False)
        connection.commit()
        found = pd.read_sql("SELECT * FROM by_adbc ORDER BY id", connection)
        assert found["id"].tolist() == [1, 2, 3] and found["word"].tolist()[0] == "a"
