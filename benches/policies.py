#!/usr/bin/env python3
"""What row security costs: TPC-H over shared tables with a policy, beside the same predicate written by hand.

    TESSERA_BIN=target/release/tessera target/bench/venv/bin/python benches/policies.py --folder target/bench
    ... --scale 0.1 --runs 5 --only Q1,Q5 --explain --mixed

`benches/run` makes the virtual environment. Two tenants have the same rows in the same shared tables, once
behind the policy `owner = current_tenant()` and once with no policy and views that say `WHERE owner = 'bench'`.
Both are asked in turns through one session of the tenant `bench`. The goal: at most 1.1 times the hand-written
predicate's time, as the geometric mean of all queries. `--mixed` lays the tenants' rows among each other,
so that no file holds one tenant's alone; `--explain` prints both plans of each query beyond the goal.
"""

import argparse
import pathlib
import re
import sys

import measure

GOAL = 1.1
OWNERS = ["bench", "other"]
FORMS = ["guarded", "byhand"]


def define(tessera):
    """The shared tables in two schemas, of which one has the policy, and a place for rows on their way."""
    schema = (measure.HERE / "tpch/schema.sql").read_text()
    schema = re.sub(r", PRIMARY KEY \([^)]*\)| PRIMARY KEY", "", schema)
    with tessera.operator.connect() as operator:
        operator.execute("CREATE SCHEMA guarded")
        operator.execute("CREATE SCHEMA plain")
        for statement in filter(str.strip, schema.split(";")):
            create = re.sub(r"--.*\n", "", statement).strip()
            name = re.match(r"CREATE TABLE (\w+)", create)[1]
            operator.execute(re.sub(r"CREATE TABLE ", "CREATE TABLE internal.", create, count=1))
            for place in ["guarded", "plain"]:
                shared = re.sub(r"CREATE TABLE ", f"CREATE SHARED TABLE {place}.", create, count=1)
                operator.execute(shared[:-1] + ", owner text NOT NULL)")
                operator.execute(f"GRANT SELECT ON {place}.{name} TO PUBLIC")
            operator.execute(f"ALTER TABLE guarded.{name} ENABLE ROW LEVEL SECURITY")
            operator.execute(f"CREATE POLICY owners ON guarded.{name} USING (owner = current_tenant())")


def fill(tessera, data, mixed):
    with tessera.operator.connect() as operator:
        for table in measure.TABLES:
            measure.copy_in(tessera.operator, f"internal.{table}", data / "csv" / f"{table}.csv")
            for place in ["guarded", "plain"]:
                into = f"INSERT INTO {place}.{table} SELECT t.*, o.owner FROM internal.{table} AS t"
                if mixed:
                    operator.execute(f"{into} CROSS JOIN (VALUES ('bench'), ('other')) AS o (owner)")
                    continue
                for owner in OWNERS:
                    operator.execute(f"{into} CROSS JOIN (VALUES ('{owner}')) AS o (owner)")
            operator.execute(f"DROP TABLE internal.{table}")
    with tessera.tenant.connect() as boss:
        boss.execute("CREATE SCHEMA byhand")
        for table in measure.TABLES:
            boss.execute(f"CREATE VIEW byhand.{table} AS SELECT * FROM plain.{table} WHERE owner = 'bench'")


def plan(connection, form, sql):
    connection.execute(f"SET search_path = {form}")
    return "\n".join(row[0] for row in connection.execute("EXPLAIN " + sql).fetchall())


def compare(connection, sql, runs):
    """The best time of each form in ms, asked in turns; other rows are an error."""
    found = {}
    for form in FORMS:
        connection.execute(f"SET search_path = {form}")
        found[form] = measure.normal(connection.execute(sql).fetchall())
    if found["guarded"] != found["byhand"]:
        raise RuntimeError("the policy leaves other rows than the predicate")
    times = {form: [] for form in FORMS}
    for _ in range(runs):
        for form in FORMS:
            connection.execute(f"SET search_path = {form}")
            times[form].append(measure.best(1, lambda: connection.execute(sql).fetchall()) * 1000)
    return {form: min(of) for form, of in times.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="")
    parser.add_argument("--mixed", action="store_true")
    parser.add_argument("--explain", action="store_true")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    data = measure.generate(options.folder, f"{options.scale:g}")
    wanted = set(filter(None, options.only.split(",")))
    tessera = measure.Tessera(options.folder)
    ratios = {}
    try:
        tessera.add_tenant("other")
        define(tessera)
        fill(tessera, data, options.mixed)
        print("| query | policy, ms | by hand, ms | ratio |\n|---|---|---|---|", flush=True)
        with tessera.tenant.connect() as connection:
            for name, sql in measure.queries().items():
                if wanted and name not in wanted:
                    continue
                times = compare(connection, sql, options.runs)
                ratios[name] = times["guarded"] / times["byhand"]
                print(f"| {name} | {times['guarded']:.1f} | {times['byhand']:.1f} | {ratios[name]:.2f} |", flush=True)
                if options.explain and ratios[name] > GOAL:
                    for form in FORMS:
                        print(f"\n{name} {form}\n{plan(connection, form, sql)}\n", flush=True)
    finally:
        tessera.stop()
    mean = measure.geometric_mean(ratios.values()) if ratios else 1.0
    worst = max(ratios, key=ratios.get, default="none")
    print(f"\ngeometric mean of {len(ratios)} ratios: {mean:.3f}; the worst is {worst}, {ratios.get(worst, 1):.2f}; goal {GOAL}")
    sys.exit(mean > GOAL)


if __name__ == "__main__":
    main()
