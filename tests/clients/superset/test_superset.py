"""Superset: from the connection over schemas, datasets and charts to a chart on the screen of a browser."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

FOLDER = pathlib.Path(__file__).parent
HOME = pathlib.Path(os.environ["SUPERSET_HOME"])
START_S = 90

SALES = """
    CREATE TABLE shop.sale (id int PRIMARY KEY, day date, at timestamp, seen timestamptz, region text, channel varchar(10), amount numeric(10, 2), units int, paid boolean);
    INSERT INTO shop.sale SELECT n, date '2025-01-06' + n * 3, timestamp '2025-01-06 10:00' + n * interval '31 hours', timestamptz '2025-01-06 10:00+00' + n * interval '31 hours',
        (ARRAY['north', 'south', 'East "end"'])[1 + n % 3], CASE WHEN n % 4 = 0 THEN NULL ELSE 'web' END, n * 1.25, n % 7, n % 2 = 0 FROM generate_series(1, 200) AS n;
"""


def prepare(db):
    db.load("shop")
    db.run(SALES)


class Superset:
    """A server of this run's own, and who is logged in to its API."""

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        metadata = folder / "metadata.db"
        shutil.copy(HOME / "fresh.db", metadata)
        environment = os.environ | {
            "SUPERSET_CONFIG_PATH": str(FOLDER / "superset_config.py"), "SUPERSET_METADATA": str(metadata), "FLASK_APP": "superset",
        }
        environment.pop("PYTHONPATH", None)
        self.log = folder / "log"
        self.process = subprocess.Popen(
            [HOME / "venv/bin/superset", "run", "-h", "127.0.0.1", "-p", str(port), "--with-threads"],
            env=environment, stdout=self.log.open("w"), stderr=subprocess.STDOUT,
        )
        self.token = None
        end = time.monotonic() + START_S
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/health", timeout=5)
                break
            except OSError:
                assert self.process.poll() is None and time.monotonic() < end, self.log.read_text()[-3000:]
                time.sleep(0.3)
        login = {"username": "admin", "password": "admin", "provider": "db", "refresh": False}
        self.token = self.post("security/login", login)["access_token"]

    def ask(self, method, path, body=None):
        """The status and what came with it."""
        headers = {"Content-Type": "application/json", "Referer": self.url}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/api/v1/{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def get(self, path):
        status, answer = self.ask("GET", path)
        assert status == 200, (status, answer)
        return answer

    def post(self, path, body):
        status, answer = self.ask("POST", path, body)
        assert status in (200, 201), (status, answer)
        return answer


@pytest.fixture(scope="session")
def superset(tmp_path_factory):
    server = Superset(tmp_path_factory.mktemp("superset"))
    yield server
    server.process.terminate()
    server.process.wait(30)


@pytest.fixture(scope="module")
def database(superset, db):
    """The number that Superset gave to the database."""
    uri = db.url("postgresql+psycopg2")
    body = {"database_name": db.server.name, "sqlalchemy_uri": uri}
    superset.post("database/test_connection/", body)
    return superset.post("database/", body | {"expose_in_sqllab": True, "allow_dml": True})["id"]


@pytest.fixture(scope="module")
def sale(superset, database):
    return superset.post("dataset/", {"database": database, "schema": "shop", "table_name": "sale"})["id"]


def rison(**values):
    parts = ",".join(f"{name}:{value}" for name, value in values.items())
    return urllib.parse.quote(f"({parts})")


def test_schemas(superset, database, same):
    found = superset.get(f"database/{database}/schemas/?q={rison(force='!t')}")["result"]
    assert "shop" in found
    # Tessera has one of its own.
    same(sorted(name for name in found if name != "tessera"))


def test_tables_and_views(superset, database, same):
    found = superset.get(f"database/{database}/tables/?q={rison(schema_name='shop', force='!t')}")["result"]
    same(sorted((row["value"], row["type"]) for row in found))


@pytest.mark.parametrize("table", ["customer", "purchase", "account", "sale", "spent"])
def test_table_metadata(superset, database, same, table):
    found = superset.get(f"database/{database}/table_metadata/?name={table}&schema=shop")
    same({name: found[name] for name in ("name", "columns", "comment", "foreignKeys", "primaryKey", "indexes", "selectStar")})


def test_wrong_password(superset, db, same):
    uri = db.url("postgresql+psycopg2").replace(":" + urllib.parse.quote(db.password), ":wrong", 1)
    uri = uri.replace(db.password.replace("'", "%27").replace(" ", "%20"), "wrong")
    status, answer = superset.ask("POST", "database/test_connection/", {"database_name": "wrong", "sqlalchemy_uri": uri})
    same((status, [error["error_type"] for error in answer["errors"]]))


@pytest.mark.parametrize("table", ["purchase", "sale", "spent"])
def test_dataset(superset, database, sale, same, table):
    number = sale
    if table != "sale":
        number = superset.post("dataset/", {"database": database, "schema": "shop", "table_name": table})["id"]
    found = superset.get(f"dataset/{number}")["result"]
    same([(c["column_name"], c["type"], c["type_generic"], c["is_dttm"], c["groupby"]) for c in sorted(found["columns"], key=lambda c: c["column_name"])])


SUM = {"expressionType": "SIMPLE", "aggregate": "SUM", "column": {"column_name": "amount"}, "label": "total"}
AVERAGE = {"expressionType": "SQL", "sqlExpression": "AVG(units)", "label": "mean units"}


def chart_data(superset, dataset, **query):
    body = {"datasource": {"id": dataset, "type": "table"}, "force": True, "result_format": "json", "result_type": "full", "queries": [query]}
    found = superset.post("chart/data", body)["result"][0]
    return {name: found[name] for name in ("colnames", "coltypes", "data", "rowcount")}


QUERIES = {
    "groups": {"columns": ["region"], "metrics": [SUM, AVERAGE, "count"], "orderby": [[SUM, False]], "row_limit": 100},
    "filters": {
        "columns": ["region", "channel"], "metrics": ["count"], "orderby": [["count", False], ["region", True], ["channel", True]], "row_limit": 10,
        "filters": [{"col": "region", "op": "IN", "val": ["north", 'East "end"']}, {"col": "amount", "op": ">", "val": 10}, {"col": "channel", "op": "IS NOT NULL"}],
    },
    "patterns": {"columns": ["region"], "metrics": ["count"], "filters": [{"col": "region", "op": "ILIKE", "val": "%EAST%"}]},
    "nulls": {"columns": ["channel"], "metrics": ["count"], "filters": [{"col": "channel", "op": "IS NULL"}]},
    "raw rows": {"columns": ["id", "day", "at", "region", "channel", "amount", "units", "paid"], "orderby": [["id", True]], "row_limit": 20, "row_offset": 5},
    "time range": {"columns": ["paid"], "metrics": [SUM], "orderby": [["paid", True]], "filters": [{"col": "at", "op": "TEMPORAL_RANGE", "val": "2025-02-01 : 2025-05-01"}]},
    "having": {"columns": ["units"], "metrics": ["count"], "extras": {"having": "count(*) > 28"}, "orderby": [["units", True]]},
    "where": {"columns": ["units"], "metrics": ["count"], "extras": {"where": "units % 2 = 1 AND paid"}, "orderby": [["units", True]]},
    "series limit": {
        "columns": ["region", "units"], "metrics": [SUM], "series_columns": ["region"], "series_limit": 2, "series_limit_metric": SUM,
        "orderby": [["region", True], ["units", True]], "row_limit": 50,
    },
}


@pytest.mark.parametrize("name", QUERIES)
def test_chart_data(superset, sale, same, name):
    same(chart_data(superset, sale, **QUERIES[name]))


@pytest.mark.parametrize("column", ["at", "day", "seen"])
@pytest.mark.parametrize("grain", ["PT1H", "P1D", "P1W", "P1M", "P3M", "P1Y"])
def test_time_grain(superset, sale, same, column, grain):
    axis = {"columnType": "BASE_AXIS", "sqlExpression": column, "label": column, "expressionType": "SQL", "timeGrain": grain}
    same(chart_data(superset, sale, columns=[axis], metrics=[SUM], orderby=[], granularity=column, row_limit=1000))


def test_virtual_dataset(superset, database, same):
    sql = "SELECT region, date_trunc('month', at) AS month, sum(amount) AS total FROM shop.sale GROUP BY 1, 2"
    number = superset.post("dataset/", {"database": database, "schema": "shop", "table_name": "by month", "sql": sql})["id"]
    columns = superset.get(f"dataset/{number}")["result"]["columns"]
    same(sorted((c["column_name"], c["type"]) for c in columns))
    total = {"expressionType": "SIMPLE", "aggregate": "MAX", "column": {"column_name": "total"}, "label": "best"}
    same(chart_data(superset, number, columns=["region"], metrics=[total], orderby=[["region", True]]))


STATEMENTS = {
    "rows": "SELECT id, day, at, seen, region, amount, paid FROM shop.sale ORDER BY id LIMIT 3",
    "types": "SELECT 1::smallint, 2::bigint, 1.5::real, 2.5::numeric, 'x'::text, now() IS NULL, ARRAY[1, 2], '{\"a\": 1}'::json, NULL",
    "common table": "WITH m AS (SELECT region, max(amount) AS top FROM shop.sale GROUP BY region) SELECT * FROM m ORDER BY region",
    "comment": "-- how many\nSELECT count(*) FROM shop.sale /* all of them */;",
    "several": "SELECT 1; SELECT 2 AS two",
    "no table": "SELECT * FROM shop.nothing",
    "no column": "SELECT nothing FROM shop.sale",
    "syntax": "SELEC 1",
    "division": "SELECT 1 / 0",
    "change": "UPDATE shop.sale SET units = units WHERE id < 3",
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_sql_lab(superset, database, same, name):
    body = {"database_id": database, "sql": STATEMENTS[name], "schema": "shop", "runAsync": False, "queryLimit": 100, "select_as_cta": False, "expand_data": True}
    status, answer = superset.ask("POST", "sqllab/execute/", body)
    if status == 200:
        same((status, answer["columns"], answer["data"]))
    else:
        same((status, [(error["error_type"], error["message"]) for error in answer["errors"]]))


def chart(superset, sale, name, viz_type, **parameters):
    form = {"datasource": f"{sale}__table", "viz_type": viz_type, "time_range": "No filter"} | parameters
    body = {"slice_name": name, "viz_type": viz_type, "datasource_id": sale, "datasource_type": "table", "params": json.dumps(form)}
    return superset.post("chart/", body)["id"]


def shown(superset, server, number, selector, wanted, name):
    """What a browser shows of a chart, and a picture of it."""
    picture = HOME / f"{name}_{server.name}.png"
    picture.unlink(missing_ok=True)
    page = f"{superset.url}/explore/?slice_id={number}&standalone=1&force=true"
    done = subprocess.run(
        [HOME / "venv/bin/python", FOLDER / "browser.py", os.environ.get("CHROMIUM", "chromium"), f"{superset.url}/login/", page, selector, wanted, picture],
        capture_output=True, text=True, timeout=200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert picture.read_bytes().startswith(b"\x89PNG")
    return json.loads(done.stdout)


@pytest.mark.timeout(240)
def test_table_in_the_browser(superset, server, sale, same):
    number = chart(
        superset, sale, "by region", "table", query_mode="aggregate", groupby=["region"], metrics=[SUM, "count"], all_columns=[], row_limit=100,
        order_desc=True, table_timestamp_format="smart_date",
    )
    found = shown(superset, server, number, "td", "south", "table")
    assert any("south" in cell for cell in found)
    same(found)


@pytest.mark.timeout(240)
def test_number_in_the_browser(superset, server, sale, same):
    number = chart(superset, sale, "all", "big_number_total", metric=SUM, y_axis_format=",.2f")
    # The sum of n * 1.25 for n up to 200.
    found = shown(superset, server, number, ".header-line", "25,125.00", "number")
    same(found)
