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
PARTS = ["forecast", "many", "anomaly", "stats", "risk", "portfolio", "sentiment"]
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

    def forget_peak(self):
        """From now on resident_mb tells of what comes."""
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def load(self, table, columns, rows):
        self.connection.execute(f"CREATE TABLE {table} ({columns})")
        with self.connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def timed(self, sql):
        """Rows and the server's CPU seconds."""
        begin = self.cpu_s()
        rows = self.connection.execute(sql).fetchall()
        # What takes less than the clock's tick is told as one.
        return rows, max(self.cpu_s() - begin, TICK_S)

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


class Size:
    """How much is measured."""

    def __init__(self, series, scale):
        self.series, self.scale = series, scale

    def of(self, rows, least=1):
        """So many rows, at full scale."""
        return max(least, int(rows * self.scale))


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


def forecast(server, report, size):
    from statsforecast.models import MSTL, AutoARIMA, AutoETS, AutoTheta

    models = {"ets": AutoETS, "theta": AutoTheta, "mstl": MSTL, "arima": AutoARIMA, "auto": AutoETS}
    # The same series many times over, so that reading the query takes no part worth mentioning.
    copies = size.of(50)
    for frequency, known in series(size.series).items():
        table = frequency.lower()
        rows = ((f"{s.id} {copy}", t, y) for s in known for copy in range(copies) for t, y in enumerate(s.train))
        server.load(table, "id text, t bigint, y double precision", rows)
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
                one, copy = one.rsplit(" ", 1)
                if copy == "0":
                    own[one].append(mean)
            make = (lambda: model(season_length=[period])) if name == "mstl" else (lambda: model(season_length=period))
            make().forecast(np.array(known[0].train), h=horizon, level=[95])  # compiles
            other, other_s = timed(lambda: {s.id: make().forecast(np.array(s.train), h=horizon, level=[95])["mean"] for s in known})
            mine, theirs = scores(known, own), scores(known, other)
            note = f"sMAPE {mine[0]:.2f} / {theirs[0]:.2f}, MASE {mine[1]:.3f} / {theirs[1]:.3f}"
            report.add(f"{frequency} {name}", "series/s", copies * len(known) / own_s, len(known) / other_s, f"statsforecast {model.__name__}", True, note)


def many(server, report, size):
    """100,000 monthly series of 60 values: memory must not grow with their number, beyond what the tenant may have for sorting."""
    count = size.of(100_000, 100)
    server.connection.execute("CREATE TABLE many (id int, month date, y double precision)")
    for first in range(0, count, 10_000):
        server.connection.execute(
            f"INSERT INTO many SELECT i, (date '2019-01-01' + t * interval '1 month')::date, 100 + t * (i % 7) * 0.1 + 10 * sin(t * pi() / 6) + (i * 31 + t * 17) % 13"
            f" FROM generate_series({first}, {min(first + 10_000, count) - 1}) AS a(i), generate_series(0, 59) AS b(t)"
        )
    for part in [count // 10, count]:
        for model in ["theta", "auto"] if part < count else ["theta"]:
            data = f"(SELECT * FROM many WHERE id < {part})"
            server.forget_peak()
            before = server.resident_mb()
            (row,), own_s = server.timed(
                f"SELECT count(*), count(status) FROM forecast({data}, timestamp_col => month, data_col => y, id_cols => id, model => '{model}', horizon => 12)"
            )
            memory = f"peak memory {before:.0f} → {server.resident_mb():.0f} MB"
            print(f"{part} series by {model}: {part / own_s:.0f} a CPU second, {row[0]} rows, {row[1]} refused, {memory}", flush=True)


def anomaly(server, report, size):
    import ruptures
    from sklearn.ensemble import IsolationForest

    rng = np.random.default_rng(0)
    cloud = rng.normal(size=(size.of(100_000, 1_000), 3))
    server.load("cloud", "i int, a double precision, b double precision, c double precision", ((i, *map(float, row)) for i, row in enumerate(cloud)))
    _, own_s = server.timed("SELECT max(anomaly_score) FROM detect_anomalies(cloud, timestamp_col => i, data_col => (a, b, c), method => 'iforest')")
    _, other_s = timed(lambda: IsolationForest(random_state=0).fit(cloud).score_samples(cloud))
    report.add(f"isolation forest {len(cloud):,} × 3", "s", own_s, other_s, "scikit-learn")
    count = size.of(20_000, 1_000)
    for name, levels in [("flat", 1), ("20 changes", 20)]:
        values = rng.normal(size=count) + 3 * (np.arange(count) * levels // count % 2)
        table = "steps" + str(levels)
        server.load(table, "i int, x double precision", ((i, float(x)) for i, x in enumerate(values)))
        part = values[:1000]
        for cost in ["l2", "normal", "l1"]:
            _, own_s = server.timed(f"SELECT count(*) FROM detect_changepoints({table}, timestamp_col => i, data_col => x, cost => '{cost}') WHERE is_changepoint")
            _, other_s = timed(lambda: ruptures.Pelt(cost, min_size=2, jump=1).fit(part).predict(3 * np.log(len(part))))
            report.add(f"PELT {cost} {count:,} points, {name} (ruptures: 1,000)", "s", own_s, other_s, "ruptures")


def stats(server, report, size):
    import scipy.stats

    rng = np.random.default_rng(1)
    x = rng.normal(size=(size.of(1_000_000, 1_000), 10))
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
    report.add(f"ols_fit {len(x):,} × 10", "s", own_s, other_s, "numpy normal equations")
    _, own_s = server.timed(f"SELECT count(*) FROM regress(wide, y_col => y, x_cols => ({names}))")
    report.add(f"regress {len(x):,} × 10", "s", own_s, other_s, "numpy normal equations")
    for name, sql, work in [
        (f"Welch 2 × {len(x):,}", "SELECT (ttest_2samp(x0, x1)).statistic FROM wide", lambda: scipy.stats.ttest_ind(x[:, 0], x[:, 1], equal_var=False)),
        (f"Mann-Whitney 2 × {len(x):,}", "SELECT (mann_whitney_u(x0, x1)).statistic FROM wide", lambda: scipy.stats.mannwhitneyu(x[:, 0], x[:, 1])),
        (f"Spearman {len(x):,}", "SELECT (spearman_test(x0, x1)).statistic FROM wide", lambda: scipy.stats.spearmanr(x[:, 0], x[:, 1])),
        (f"MAD {len(x):,}", "SELECT median_absolute_deviation(x0) FROM wide", lambda: scipy.stats.median_abs_deviation(x[:, 0])),
    ]:
        _, own_s = server.timed(sql)
        _, other_s = timed(work, 3)
        report.add(name, "s", own_s, other_s, "scipy")


def returns_of(count, periods, seed):
    """Returns of assets with five common factors."""
    rng = np.random.default_rng(seed)
    factors = 0.01 * rng.normal(size=(periods, 5))
    own = rng.normal(size=(periods, count)) * rng.uniform(0.005, 0.025, count)
    return rng.uniform(0, 0.0004, count) + factors @ rng.normal(0.5, 0.5, size=(5, count)) + own


def risk(server, report, size):
    from arch import arch_model

    rng = np.random.default_rng(2)
    big = rng.standard_t(5, size=size.of(10_000_000, 1_000)) * 0.01
    server.connection.execute("CREATE TABLE big (r double precision)")
    with server.connection.cursor() as cursor, cursor.copy("COPY big FROM STDIN CSV") as copy:
        for first in range(0, len(big), 100_000):
            copy.write("\n".join(map(repr, big[first : first + 100_000].tolist())) + "\n")
    server.timed("SELECT count(r) FROM big")
    _, scan_s = server.timed("SELECT sum(r) FROM big")
    _, own_s = server.timed("SELECT value_at_risk(r) FROM big")
    _, other_s = timed(lambda: -np.quantile(big, 0.05), 3)
    report.add(f"historical VaR, {len(big):,} rows", "s", own_s, other_s, "numpy", note=f"a sum over them takes {scan_s:.3f} s; at most {1.5 * other_s + scan_s:.3f} s is the aim")
    del big

    variance, shock, series = 1.0, 0.0, []
    for z in rng.normal(size=3000):
        variance = 0.05 + 0.08 * shock**2 + 0.88 * variance
        shock = np.sqrt(variance) * z
        series.append(0.03 + shock)
    copies = size.of(100)
    server.load("garch", "id int, t int, r double precision", ((i, t, r) for i in range(copies) for t, r in enumerate(series)))
    for variant, options in [("garch", dict(vol="GARCH")), ("gjr", dict(vol="GARCH", o=1)), ("egarch", dict(vol="EGARCH", o=1))]:
        for distribution in ["normal", "t"]:
            rows, own_s = server.timed(
                f"SELECT max(estimate) FROM garch_fit(garch, timestamp_col => t, data_col => r, id_cols => id, variant => '{variant}', "
                f"distribution => '{distribution}') WHERE term = 'log_likelihood'"
            )
            fit = lambda: arch_model(np.array(series), p=1, q=1, dist=distribution, rescale=False, **options).fit(disp="off")
            fit()
            other, other_s = timed(fit, 3)
            note = f"log-likelihood {rows[0][0]:.4f} / {other.loglikelihood:.4f}"
            report.add(f"{variant} {distribution}, 3,000 returns", "ms", 1e3 * own_s / copies, 1e3 * other_s, "arch", note=note)

    assets, paths = 20, size.of(1_000_000, 10_000)
    data = returns_of(assets, 500, 3)
    server.load("factors", "t int, asset text, r double precision", ((t, f"a{j:03}", float(data[t, j])) for t in range(500) for j in range(assets)))
    sql = (
        "SELECT max(value_at_risk) FROM portfolio_risk(factors, timestamp_col => t, asset_col => asset, return_col => r, "
        f"weights => (SELECT DISTINCT asset, 1.0 / {assets} AS weight FROM factors), method => 'monte_carlo', simulations => {paths})"
    )
    rows, own_s = server.timed(sql)
    root = np.linalg.cholesky(np.cov(data.T))
    simulate = lambda: -np.quantile((rng.standard_normal((paths, assets)) @ root.T + data.mean(axis=0)) @ np.full(assets, 1 / assets), 0.05)
    other, other_s = timed(simulate)
    report.add(f"Monte Carlo, {paths:,} paths × 20 assets", "s", own_s, other_s, "numpy", note=f"VaR {rows[0][0]:.5f} / {other:.5f}")


def constrained(mean, covariance, kind, constraint):
    """What PyPortfolioOpt does under groups of every fifth asset, a turnover, or costs of trades from equal weights."""
    import cvxpy
    from pypfopt import EfficientFrontier, objective_functions

    def work():
        held = np.full(len(mean), 1 / len(mean))
        frontier = EfficientFrontier(mean, covariance, solver="CLARABEL")
        if constraint == "groups":
            mapper = {name: str(place % 5) for place, name in enumerate(mean.index)}
            frontier.add_sector_constraints(mapper, {"1": 0.1, "3": 0.25}, {"0": 0.3, "4": 0.1})
        elif constraint == "turnover":
            frontier.add_constraint(lambda weights: cvxpy.norm1(weights - held) <= 0.4)
        else:
            frontier.add_objective(objective_functions.transaction_cost, w_prev=held, k=0.001)
        return getattr(frontier, kind)(**({"risk_free_rate": 0} if kind == "max_sharpe" else {}))

    return work


def portfolio(server, report, size):
    from pypfopt import EfficientCVaR, EfficientFrontier, HRPOpt

    for assets, copies in [(20, size.of(20)), (size.of(500, 30), 1)]:
        data = returns_of(assets, 1000, assets)
        names = [f"a{j:03}" for j in range(assets)]
        table = f"panel{assets}"
        rows = ((c, t, names[j], float(data[t, j])) for c in range(copies) for t in range(len(data)) for j in range(assets))
        server.load(table, "client int, t int, asset text, r double precision", rows)
        frame = pd.DataFrame(data, columns=names)
        mean = (1 + frame).prod() ** (252 / len(frame)) - 1
        covariance = frame.cov() * 252

        def long_only(kind):
            return lambda: getattr(EfficientFrontier(mean, covariance, solver="CLARABEL"), kind)(**({"risk_free_rate": 0} if kind == "max_sharpe" else {}))

        others = {
            "max_sharpe": long_only("max_sharpe"),
            "min_volatility": long_only("min_volatility"),
            "hrp": lambda: HRPOpt(frame).optimize(),
            "risk_parity": None,
            "min_cvar": lambda: EfficientCVaR(mean, frame, solver="CLARABEL").min_cvar(),
        }
        sql = (
            "SELECT client, asset, weight FROM portfolio_optimize({}, timestamp_col => t, asset_col => asset, return_col => r, id_cols => client, "
            "covariance => 'sample', objective => '{}')"
        )
        _, reading_s = server.timed(sql.format(table, "equal_weight"))
        for objective, work in others.items():
            _, own_s = server.timed(sql.format(table, objective))
            # What remains without reading, sorting and estimating is the optimiser's.
            own_ms = 1e3 * max(own_s - reading_s, TICK_S / 10) / copies
            if work is None:
                print(f"{objective}, {assets} assets: {own_ms:.2f} ms", flush=True)
                continue
            _, other_s = timed(work, 3 if assets < 100 else 1)
            report.add(f"{objective}, {assets} assets", "ms", own_ms, 1e3 * other_s, "PyPortfolioOpt")
        groups = f"groups => (SELECT DISTINCT asset, (substr(asset, 2)::int % 5)::text AS member_of FROM {table})"
        held = f"current_weights => (SELECT DISTINCT asset, 1.0 / {assets} AS weight FROM {table})"
        bounds = "('group', '0', NULL::float8, 0.3::float8), ('group', '1', 0.1, NULL), ('group', '3', 0.25, NULL), ('group', '4', NULL, 0.1)"
        for constraint, arguments in {
            "groups": f"{groups}, constraints => (SELECT * FROM (VALUES {bounds}) AS c(kind, member, lower, upper))",
            "turnover": f"{held}, constraints => (SELECT 'turnover' AS kind, 0.4 AS upper)",
            "costs": f"{held}, transaction_cost => 0.001",
        }.items():
            for objective in ["max_sharpe", "min_volatility"]:
                rows, own_s = server.timed(sql.format(table, objective)[:-1] + f", {arguments})")
                own_ms = 1e3 * max(own_s - reading_s, TICK_S / 10) / copies
                what = f"{objective} with {constraint}, {assets} assets"
                if objective == "max_sharpe" and constraint != "groups":
                    # Its homogenised problem takes neither a turnover nor costs.
                    print(f"{what}: {own_ms:.2f} ms", flush=True)
                    continue
                _, other_s = timed(constrained(mean, covariance, objective, constraint))
                report.add(what, "ms", own_ms, 1e3 * other_s, "PyPortfolioOpt")
    clients = size.of(1_000)
    data = returns_of(20, 250, 9)
    server.connection.execute("CREATE TABLE clients (client int, t int, asset text, r double precision)")
    server.load("one", "t int, asset text, r double precision", ((t, f"a{j:03}", float(data[t, j])) for t in range(250) for j in range(20)))
    server.connection.execute(f"INSERT INTO clients SELECT c, t, asset, r * (1 + (c % 7) * 0.1) + 0.0001 * ((c * 31 + t * 17) % 13) FROM one, generate_series(1, {clients}) AS s(c)")
    begin = time.monotonic()
    rows, own_s = server.timed("SELECT count(DISTINCT client), count(*) FILTER (WHERE status <> 'optimal') FROM portfolio_optimize(clients, timestamp_col => t, asset_col => asset, return_col => r, id_cols => client)")
    print(f"{rows[0][0]} clients' portfolios of 20 assets, {rows[0][1]} not optimal: {own_s:.2f} CPU s in {time.monotonic() - begin:.2f} s", flush=True)


def sentiment(server, report, size):
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    with open(DATA.parent / "sentiment" / "vader_expected.csv") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    analyzer = SentimentIntensityAnalyzer()
    few = texts[:1000]
    copies = size.of(200)
    server.load("texts", "line text", ((text,) for text in texts))
    server.connection.execute(f"CREATE TABLE lines AS SELECT line FROM texts, generate_series(1, {copies}) AS s(i)")
    _, scan_s = server.timed("SELECT sum(length(line)) FROM lines")
    _, own_s = server.timed("SELECT sum(sentiment(line)) FROM lines")
    _, finance_s = server.timed("SELECT sum((sentiment_analyze(line, model => 'finance')).score) FROM lines")
    _, other_s = timed(lambda: [analyzer.polarity_scores(text)["compound"] for text in few])
    count = len(texts) * copies
    report.add("sentiment", "texts/s", count / own_s, len(few) / other_s, "vaderSentiment", True, note=f"the scan takes {scan_s:.3f} of {own_s:.3f} s")
    print(f"sentiment_analyze, finance: {count / finance_s:.0f} texts/s", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", required=True)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--series", type=int, default=60)
    parser.add_argument("--scale", type=float, default=1.0)
    arguments = parser.parse_args()
    chosen = arguments.only.split(",")
    unknown = set(chosen) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    server, report = Tessera(arguments.folder), Report()
    try:
        for part in chosen:
            try:
                globals()[part](server, report, Size(arguments.series, arguments.scale))
            except Exception as error:  # the other parts still tell something
                print(f"{part} failed: {error!r}", flush=True)
    finally:
        server.stop()
    report.print()


if __name__ == "__main__":
    main()
