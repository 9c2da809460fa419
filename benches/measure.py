"""Measures Tessera beside DuckDB and PostgreSQL; called by benches/run, which prepares what it needs.

Every figure is the best of several runs, because other work on the machine only ever adds time.
A part that fails is printed as failed and the others go on.
"""

import argparse
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import duckdb
import psycopg

HERE = pathlib.Path(__file__).parent
TABLES = ["region", "nation", "supplier", "part", "partsupp", "customer", "orders", "lineitem"]
PARTS = ["tpch", "copy", "short", "insert", "tenants"]
QUERY_TIMEOUT_S = 120
PASSWORD = "bench"


class Server:
    """A server that speaks PostgreSQL's protocol."""

    def __init__(self, name, host, port, database, user, password):
        self.name, self.host, self.port = name, host, port
        self.database, self.user, self.password = database, user, password

    def connect(self, **other):
        where = dict(host=self.host, port=self.port, dbname=self.database, user=self.user, password=self.password)
        return psycopg.connect(**{**where, **other}, autocommit=True)

    def pgbench(self, script, clients, seconds):
        """Transactions a second and their mean time in ms of a one-statement script."""
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
            file.write(script + "\n")
            file.flush()
            command = ["pgbench", "-n", "-M", "prepared", "-f", file.name, "-c", str(clients), "-j", "2", "-T", str(seconds)]
            command += ["-h", self.host, "-p", str(self.port), "-U", self.user, self.database]
            environment = {**os.environ, "PGPASSWORD": self.password}
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
        rate = re.search(r"tps = ([0-9.]+)", done.stdout)
        latency = re.search(r"latency average = ([0-9.]+)", done.stdout)
        failed = re.search(r"number of failed transactions: (\d+)", done.stdout)
        if done.returncode or not rate or (failed and failed[1] != "0"):
            raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else done.stdout)
        return float(rate[1]), float(latency[1])


class Tessera:
    """A running server with a tenant `bench` and, if asked for, one whose files are encrypted."""

    def __init__(self, folder, encrypted=False, files_only=False):
        self.data = tempfile.mkdtemp(dir=folder)
        environment = {**os.environ, "TESSERA_ADMIN_PASSWORD": PASSWORD}
        command = [os.environ["TESSERA_BIN"], "serve", "--data", self.data, "--listen", "127.0.0.1:0"]
        config = f"{self.data}.toml"
        with open(config, "w") as file:
            if files_only:
                file.write("[resources]\ndecoded_columns_bytes = 0\n")
            if encrypted:
                environment["TESSERA_BENCH_KEY"] = os.urandom(32).hex()
                file.write('[encryption]\nmaster_key_variable = "TESSERA_BENCH_KEY"\n')
        command += ["--config", config]
        begin = time.perf_counter()
        self.log = open(f"{self.data}.log", "w")
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=self.log, text=True)
        address = None
        for line in self.process.stdout:
            if line.startswith("tessera is ready on "):
                address = line.split()[-1]
                break
        if address is None:
            raise RuntimeError(f"the server did not start; see {self.data}.log")
        self.start_s = time.perf_counter() - begin
        host, port = address.rsplit(":", 1)
        self.operator = Server("Tessera", host, int(port), "tessera", "admin", PASSWORD)
        self.add_tenant("bench")
        self.tenant = self.of("bench")
        self.encrypted = None
        if encrypted:
            self.add_tenant("encrypted", " ENCRYPTED")
            self.encrypted = self.of("encrypted", "Tessera, encrypted")

    def of(self, tenant, name="Tessera"):
        return Server(name, self.operator.host, self.operator.port, tenant, "boss", PASSWORD)

    def add_tenant(self, name, how=""):
        with self.operator.connect() as connection:
            connection.execute(f"CREATE TENANT {name}{how} WITH (admin = 'boss', password = '{PASSWORD}')")
            connection.execute(f"ALTER TENANT {name} SET (statement_timeout = '600s')")

    def resident_mb(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) / 1024

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.data, ignore_errors=True)
        os.remove(f"{self.data}.toml")


def best(runs, work):
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return min(times)


def geometric_mean(values):
    return math.exp(sum(math.log(value) for value in values) / len(values))


class Report:
    """Rows of a table: what, the figure of each system, and ratios to Tessera."""

    def __init__(self):
        self.rows = []

    def add(self, what, unit, figures, higher_is_better=False):
        self.rows.append((what, unit, figures, higher_is_better))
        shown = ", ".join(f"{name} {self.show(value)}" for name, value in figures.items())
        print(f"{what} ({unit}): {shown}", flush=True)

    @staticmethod
    def show(value):
        return value if isinstance(value, str) else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

    def print(self):
        systems = list(dict.fromkeys(name for row in self.rows for name in row[2]))
        ratios = [name for name in systems if name != "Tessera"] if "Tessera" in systems else []
        print("\n| measure | unit | " + " | ".join(systems) + "".join(f" | Tessera is … × as fast as {name}" for name in ratios) + " |")
        print("|---|---|" + "---|" * (len(systems) + len(ratios)))
        for what, unit, figures, higher in self.rows:
            cells = [self.show(figures[name]) if name in figures else "" for name in systems]
            for name in ratios:
                own, other = figures.get("Tessera"), figures.get(name)
                if isinstance(own, float) and isinstance(other, float):
                    cells.append(f"{own / other if higher else other / own:.2f}")
                else:
                    cells.append("")
            print(f"| {what} | {unit} | " + " | ".join(cells) + " |")


def generate(folder, scale):
    data = folder / f"tpch-{scale}"
    for form in ["csv", "parquet"]:
        target = data / form
        if not (target / f"lineitem.{form}").exists():
            print(f"generating TPC-H at scale {scale} as {form}", flush=True)
            target.mkdir(parents=True, exist_ok=True)
            tool = pathlib.Path(sys.executable).parent / "tpchgen-cli"
            subprocess.run([tool, form, "-s", str(scale), f"--output-dir={target}"], check=True)
    return data


def copy_in(server, table, path):
    with server.connect() as connection, connection.cursor() as cursor:
        with cursor.copy(f"COPY {table} FROM STDIN (FORMAT csv, HEADER)") as copy, open(path, "rb") as file:
            while chunk := file.read(1 << 20):
                copy.write(chunk)


def copy_out(server, sql):
    """Reads a COPY with psql, whose own work is small; a driver in Python would be what is measured."""
    where = ["-h", server.host, "-p", str(server.port), "-U", server.user, server.database]
    environment = {**os.environ, "PGPASSWORD": server.password}
    done = subprocess.run(["psql", *where, "-c", sql], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())


def load(server, data, with_keys):
    schema = (HERE / "tpch/schema.sql").read_text()
    if not with_keys:
        schema = re.sub(r", PRIMARY KEY \([^)]*\)| PRIMARY KEY", "", schema)
    with server.connect() as connection:
        for statement in filter(str.strip, schema.split(";")):
            connection.execute(statement)
    seconds = {}
    for table in TABLES:
        begin = time.perf_counter()
        copy_in(server, table, data / "csv" / f"{table}.csv")
        seconds[table] = time.perf_counter() - begin
    return seconds


def queries():
    text = (HERE / "tpch/queries.sql").read_text()
    return {name: sql.strip().rstrip(";") for name, sql in re.findall(r"-- (Q\d+)\n(.*?)(?=\n-- Q|\Z)", text, re.S)}


def normal(rows):
    """Rows as comparable text: numbers to eight digits."""
    number = lambda value: f"{float(value):.8g}" if isinstance(value, (int, float)) or hasattr(value, "as_tuple") else str(value)
    return sorted(tuple(number(value) for value in row) for row in rows)


def tpch(report, servers, data, runs):
    duck = duckdb.connect()
    for table in TABLES:
        duck.execute(f"CREATE VIEW {table} AS SELECT * FROM '{data}/parquet/{table}.parquet'")
    times = {"DuckDB on Parquet": {}}
    times.update({server.name: {} for server in servers})
    connections = {server.name: server.connect(options=f"-c statement_timeout={QUERY_TIMEOUT_S}s") for server in servers}
    for name, sql in queries().items():
        expected = normal(duck.execute(sql).fetchall())
        times["DuckDB on Parquet"][name] = best(runs, lambda: duck.execute(sql).fetchall()) * 1000
        for system, connection in connections.items():
            try:
                found = normal(connection.execute(sql).fetchall())
                if found != expected:
                    times[system][name] = "other rows"
                    continue
                times[system][name] = best(runs, lambda: connection.execute(sql).fetchall()) * 1000
            except psycopg.Error as error:
                times[system][name] = f"{error.sqlstate or 'closed'}"
        report.add(f"TPC-H {name}", "ms", {system: of[name] for system, of in times.items()})
    common = [name for name in queries() if all(isinstance(of[name], float) for of in times.values())]
    if common:
        figures = {system: geometric_mean([of[name] for name in common]) for system, of in times.items()}
        report.add(f"TPC-H, geometric mean of {len(common)}", "ms", figures)


def copying(report, servers, data, loaded, runs):
    rows = {}
    figures = {server.name: loaded[server.name]["lineitem"] for server in servers}
    duck = duckdb.connect()
    path = data / "csv" / "lineitem.csv"
    figures["DuckDB"] = best(1, lambda: duck.execute(f"CREATE OR REPLACE TABLE l AS SELECT * FROM read_csv('{path}')"))
    report.add("COPY lineitem FROM STDIN, csv", "s", figures)
    for form in ["csv", "binary"]:
        for server in servers:
            try:
                rows[server.name] = best(runs, lambda: copy_out(server, f"COPY lineitem TO STDOUT (FORMAT {form})"))
            except RuntimeError as error:
                rows[server.name] = str(error)
        report.add(f"COPY lineitem TO STDOUT, {form}", "s", dict(rows))


def on_each(servers, work):
    figures = {}
    for server in servers:
        try:
            figures[server.name] = work(server)
        except (RuntimeError, psycopg.Error) as error:
            print(f"  {server.name}: {error}", file=sys.stderr)
            figures[server.name] = "failed"
    return figures


def short(report, servers, seconds):
    for server in servers:
        with server.connect() as connection:
            connection.execute("CREATE TABLE small (id int, g int, v float8)")
            connection.execute("INSERT INTO small SELECT n, n % 50, n * 0.5 FROM generate_series(1, 10000) AS n")
    for clients in [1, 16]:
        plural = "connection" if clients == 1 else "connections"
        for what, sql in [
            ("SELECT 1", "SELECT 1;"),
            ("aggregate over 10,000 rows", "SELECT g, sum(v) FROM small GROUP BY g;"),
        ]:
            figures = on_each(servers, lambda server: server.pgbench(sql, clients, seconds)[0])
            report.add(f"{what}, prepared, {clients} {plural}", "a second", figures, higher_is_better=True)
    times = on_each(servers, lambda server: best(20, lambda: server.connect().close()) * 1000)
    report.add("connect and log in", "ms", times)


def inserting(report, servers, seconds):
    for server in servers:
        with server.connect() as connection:
            connection.execute("CREATE TABLE events (id bigint, at timestamptz, note text)")
    sql = "\\set id random(1, 1000000000)\nINSERT INTO events VALUES (:id, now(), 'a note of some length');"
    figures = on_each(servers, lambda server: server.pgbench(sql, 16, seconds)[0])
    report.add("single-row INSERT, 16 connections", "a second", figures, higher_is_better=True)


def tenants(report, folder, counts):
    tessera = Tessera(folder)
    try:
        report.add("start of the server", "ms", {"Tessera": tessera.start_s * 1000})
        report.add("resident memory when idle", "MB", {"Tessera": tessera.resident_mb()})
        with tessera.operator.connect() as connection:
            connection.execute("CREATE TABLE metric (id int, v float8)")
            connection.execute("INSERT INTO metric SELECT 'bench', n, n FROM generate_series(1, 100000) AS n")
        made = 1
        for count in counts:
            begin, first = time.perf_counter(), made
            with tessera.operator.connect() as connection:
                while made < count:
                    connection.execute(f"CREATE TENANT t{made}")
                    connection.execute("INSERT INTO metric VALUES (%s, 1, 1)", (f"t{made}",))
                    made += 1
            if made > first:
                report.add(f"making a tenant with one row, up to {count}", "ms", {"Tessera": (time.perf_counter() - begin) * 1000 / (made - first)})
            with tessera.tenant.connect() as connection:
                query = lambda: connection.execute("SELECT count(*), sum(v) FROM metric").fetchall()
                report.add(f"a tenant's query among {count} tenants", "ms", {"Tessera": best(30, query) * 1000})
            report.add(f"log in among {count} tenants", "ms", {"Tessera": best(20, lambda: tessera.tenant.connect().close()) * 1000})
            report.add(f"resident memory with {count} tenants", "MB", {"Tessera": tessera.resident_mb()})
    finally:
        tessera.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--without", action="append", default=[])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--tenants", default="1,100,2000")
    parser.add_argument("--encrypted", action="store_true", help="the same by a tenant whose files are encrypted, too")
    parser.add_argument("--files-only", action="store_true", help="Tessera keeps no column decoded: each query reads files")
    options = parser.parse_args()
    parts = options.only.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")

    report, servers, tessera = Report(), [], None
    if "tessera" not in options.without and set(parts) - {"tenants"}:
        tessera = Tessera(options.folder, options.encrypted, options.files_only)
        servers += filter(None, [tessera.tenant, tessera.encrypted])
    if "postgres" not in options.without:
        where = (os.environ["POSTGRES_HOST"], os.environ["POSTGRES_PORT"])
        servers.append(Server("PostgreSQL", *where, "postgres", "postgres", os.environ["POSTGRES_PASSWORD"]))
    try:
        if {"tpch", "copy"} & set(parts):
            data = generate(options.folder, f"{options.scale:g}")
            loaded = {server.name: load(server, data, with_keys=False) for server in servers}
            if "copy" in parts:
                copying(report, servers, data, loaded, options.runs)
            if "tpch" in parts:
                for server in servers:
                    if server.name == "PostgreSQL":
                        with server.connect() as connection:
                            for statement in filter(str.strip, (HERE / "tpch/postgres_indexes.sql").read_text().split(";")):
                                connection.execute(statement)
                tpch(report, servers, data, options.runs)
        if "short" in parts:
            short(report, servers, options.seconds)
        if "insert" in parts:
            inserting(report, servers, options.seconds)
    finally:
        if tessera:
            tessera.stop()
    if "tenants" in parts and "tessera" not in options.without:
        tenants(report, options.folder, [int(count) for count in options.tenants.split(",")])
    report.print()


if __name__ == "__main__":
    main()
