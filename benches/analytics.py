"""Measures Tessera's analytics beside Python's libraries; called by benches/analytics, which prepares what it needs.

Both get the same series of tests/data/forecast. Times are CPU seconds: of the server's process, and of this one.
"""

import argparse
import collections
import csv
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

import numpy as np
import pandas as pd
import psycopg

DATA = pathlib.Path(__file__).parent.parent / "tests" / "data" / "forecast"
PARTS = ["forecast", "many", "anomaly", "stats"]
PASSWORD = "bench"
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Tessera:
    """A running server with a tenant of its own."""

    def __init__(self, folder):
        self.data = tempfile.mkdtemp(dir=folder)
        environment = {**os.environ, "TESSERA_ADMIN_PASSWORD": PASSWORD}
        command = [os.environ["TESSERA_BIN"], "serve", "--data", self.data, "--listen", "127.0.0.1:0"]
        self.log = open(f"{self.data}.log", "w")
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=self.log, text=True)
        address = next((line.split()[-1] for line in self.process.stdout if line.startswith("tessera is ready on ")), None)
        if address is None:
            raise RuntimeError(f"the server did not start; see {self.data}.log")
        host, port = address.rsplit(":", 1)
        where = dict(host=host, port=port, password=PASSWORD, autocommit=True)
        with psycopg.connect(dbname="tessera", user="admin", **where) as operator:
            operator.execute(f"CREATE TENANT bench WITH (admin = 'boss', password = '{PASSWORD}')")
            operator.execute("ALTER TENANT bench SET (statement_timeout = '3600s')")
        self.connection = psycopg.connect(dbname="bench", user="boss", **where)

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * TICK_S

    def resident_mb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024

    def load(self, table, columns, rows):
        self.connection.execute(f"CREATE TABLE {table} ({columns})")
        with self.connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def timed(self, sql):
        """Rows and the server's CPU seconds."""
        begin = self.cpu_s()
        rows = self.connection.execute(sql).fetchall()
        return rows, self.cpu_s() - begin

    def stop(self):
        self.connection.close()
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.data, ignore_errors=True)


def timed(work, runs=1):
    """The result and the least CPU seconds of some runs."""
    least, result = float("inf"), None
    for _ in range(runs):
        begin = time.process_time()
        result = work()
        least = min(least, time.process_time() - begin)
    return result, least


class Report:
    def __init__(self):
        self.rows = []

    def add(self, what, unit, own, other, library, higher=False, note=""):
        ratio = own / other if higher else other / own if own else float("inf")
        self.rows.append((what, unit, own, library, other, ratio, note))
        print(f"{what}: Tessera {own:.4g} {unit}, {library} {other:.4g}, ratio {ratio:.2f} {note}", flush=True)

    def print(self):
        print("\n| measure | unit | Tessera | beside | | Tessera is … × as fast | |\n|---|---|---|---|---|---|---|")
        for what, unit, own, library, other, ratio, note in self.rows:
            print(f"| {what} | {unit} | {own:.4g} | {library} | {other:.4g} | {ratio:.2f} | {note} |")


Series = collections.namedtuple("Series", "id frequency period horizon train test")


def series(most):
    def values(name):
        found = collections.defaultdict(list)
        with open(DATA / name) as file:
            for row in csv.DictReader(file):
                found[row["series_id"]].append(float(row["y"]))
        return found

    train, test, found = values("train.csv"), values("test.csv"), collections.defaultdict(list)
    with open(DATA / "info.csv") as file:
        for row in csv.DictReader(file):
            one = Series(row["series_id"], row["freq"], int(row["m"]), int(row["horizon"]), train[row["series_id"]], test[row["series_id"]])
            if len(found[one.frequency]) < most:
                found[one.frequency].append(one)
    return found


def scores(known, forecasts):
    """Mean sMAPE and MASE of forecasts by series id, M4's definitions."""
    smape, mase = [], []
    for one in known:
        actual, mean = np.array(one.test), np.array(forecasts[one.id])[: len(one.test)]
        smape.append(200 * np.mean(np.abs(actual - mean) / np.maximum(np.abs(actual) + np.abs(mean), 1e-300)))
        past = np.array(one.train)
        mase.append(np.mean(np.abs(actual - mean)) / np.mean(np.abs(past[one.period:] - past[: -one.period])))
    return np.mean(smape), np.mean(mase)


def forecast(server, report, most):
    from statsforecast.models import MSTL, AutoARIMA, AutoETS, AutoTheta

    models = {"ets": AutoETS, "theta": AutoTheta, "mstl": MSTL, "arima": AutoARIMA, "auto": AutoETS}
    for frequency, known in series(most).items():
        table = frequency.lower()
        server.load(table, "id text, t bigint, y double precision", ((s.id, t, y) for s in known for t, y in enumerate(s.train)))
        period, horizon = known[0].period, known[0].horizon
        for name, model in models.items():
            if (name == "mstl" and period == 1) or (name == "arima" and frequency == "Hourly"):
                continue
            sql = (
                f"SELECT id, forecast_timestamp, forecast_value FROM forecast({table}, timestamp_col => t, data_col => y, id_cols => id, "
                f"model => '{name}', seasonal_periods => {period}, horizon => {horizon}) ORDER BY 1, 2"
            )
            rows, own_s = server.timed(sql)
            own = collections.defaultdict(list)
            for one, _, mean in rows:
                own[one].append(mean)
            few = known if name != "arima" else known[:10]
            make = (lambda: model(season_length=[period])) if name == "mstl" else (lambda: model(season_length=period))
            make().forecast(np.array(few[0].train), h=horizon, level=[95])  # compiles
            other, other_s = timed(lambda: {s.id: make().forecast(np.array(s.train), h=horizon, level=[95])["mean"] for s in few})
            mine, theirs = scores(few, own), scores(few, other)
            note = f"sMAPE {mine[0]:.2f} / {theirs[0]:.2f}, MASE {mine[1]:.3f} / {theirs[1]:.3f}"
            report.add(f"{frequency} {name}", "series/s", len(known) / own_s, len(few) / other_s, f"statsforecast {model.__name__}", True, note)


def many(server, report, most):
    """100,000 monthly series of 60 values: memory must not grow with their number."""
    count = 100_000 if most >= 60 else 1_000
    server.connection.execute("CREATE TABLE many (id int, month date, y double precision)")
    for first in range(0, count, 10_000):
        server.connection.execute(
            f"INSERT INTO many SELECT i, (date '2019-01-01' + t * interval '1 month')::date, 100 + t * (i % 7) * 0.1 + 10 * sin(t * pi() / 6) + (i * 31 + t * 17) % 13"
            f" FROM generate_series({first}, {min(first + 10_000, count) - 1}) AS a(i), generate_series(0, 59) AS b(t)"
        )
    before = server.resident_mb()
    (row,), own_s = server.timed("SELECT count(*), count(status) FROM forecast(many, timestamp_col => month, data_col => y, id_cols => id, model => 'theta', horizon => 12)")
    print(f"{count} series by theta: {count / own_s:.0f} a CPU second, {row[0]} rows, {row[1]} refused, peak memory {before:.0f} → {server.resident_mb():.0f} MB")


def anomaly(server, report, _):
    import ruptures
    from sklearn.ensemble import IsolationForest

    rng = np.random.default_rng(0)
    cloud = rng.normal(size=(100_000, 3))
    server.load("cloud", "i int, a double precision, b double precision, c double precision", ((i, *map(float, row)) for i, row in enumerate(cloud)))
    _, own_s = server.timed("SELECT max(anomaly_score) FROM detect_anomalies(cloud, timestamp_col => i, data_col => (a, b, c), method => 'iforest')")
    _, other_s = timed(lambda: IsolationForest(random_state=0).fit(cloud).score_samples(cloud))
    report.add("isolation forest 100,000 × 3", "s", own_s, other_s, "scikit-learn")
    for name, levels in [("flat", 1), ("20 changes", 20)]:
        values = rng.normal(size=20_000) + 3 * (np.arange(20_000) * levels // 20_000 % 2)
        table = "steps" + str(levels)
        server.load(table, "i int, x double precision", ((i, float(x)) for i, x in enumerate(values)))
        _, own_s = server.timed(f"SELECT count(*) FROM detect_changepoints({table}, timestamp_col => i, data_col => x) WHERE is_changepoint")
        part = values[:1000]
        _, other_s = timed(lambda: ruptures.Pelt("l2", min_size=2, jump=1).fit(part).predict(3 * np.log(len(part))))
        report.add(f"PELT 20,000 points, {name} (ruptures: 1,000)", "s", own_s, other_s, "ruptures")


def stats(server, report, _):
    import scipy.stats

    rng = np.random.default_rng(1)
    x = rng.normal(size=(1_000_000, 10))
    y = x @ np.arange(10) + rng.normal(size=len(x))
    columns = ", ".join(f"x{j} double precision" for j in range(10))
    with server.connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE wide (y double precision, {columns})")
        with cursor.copy("COPY wide FROM STDIN CSV") as copy:
            copy.write(pd.DataFrame(np.column_stack([y, x])).to_csv(header=False, index=False))
    names = ", ".join(f"x{j}" for j in range(10))
    _, own_s = server.timed(f"SELECT (f).r_squared FROM (SELECT ols_fit(y, ARRAY[{names}]) AS f FROM wide) AS q")
    with_ones = np.column_stack([np.ones(len(x)), x])
    _, other_s = timed(lambda: np.linalg.solve(with_ones.T @ with_ones, with_ones.T @ y), 5)
    report.add("ols_fit 1,000,000 × 10", "s", own_s, other_s, "numpy normal equations")
    _, own_s = server.timed(f"SELECT count(*) FROM regress(wide, y_col => y, x_cols => ({names}))")
    report.add("regress 1,000,000 × 10", "s", own_s, other_s, "numpy normal equations")
    for name, sql, work in [
        ("Welch 2 × 1,000,000", "SELECT (ttest_2samp(x0, x1)).statistic FROM wide", lambda: scipy.stats.ttest_ind(x[:, 0], x[:, 1], equal_var=False)),
        ("Mann-Whitney 2 × 1,000,000", "SELECT (mann_whitney_u(x0, x1)).statistic FROM wide", lambda: scipy.stats.mannwhitneyu(x[:, 0], x[:, 1])),
        ("Spearman 1,000,000", "SELECT (spearman_test(x0, x1)).statistic FROM wide", lambda: scipy.stats.spearmanr(x[:, 0], x[:, 1])),
        ("MAD 1,000,000", "SELECT median_absolute_deviation(x0) FROM wide", lambda: scipy.stats.median_abs_deviation(x[:, 0])),
    ]:
        _, own_s = server.timed(sql)
        _, other_s = timed(work, 3)
        report.add(name, "s", own_s, other_s, "scipy")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", required=True)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--series", type=int, default=60)
    arguments = parser.parse_args()
    chosen = arguments.only.split(",")
    unknown = set(chosen) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    server, report = Tessera(arguments.folder), Report()
    try:
        for part in chosen:
            try:
                globals()[part](server, report, arguments.series)
            except Exception as error:  # the other parts still tell something
                print(f"{part} failed: {error!r}", flush=True)
    finally:
        server.stop()
    report.print()


if __name__ == "__main__":
    main()
