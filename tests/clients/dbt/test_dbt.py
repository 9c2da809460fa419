"""dbt-postgres: seed, run, test, snapshot, docs, in the order in which people use them."""

import json
import pathlib
import shutil
import subprocess
import sys

import psycopg
import pytest

PROJECT = pathlib.Path(__file__).with_name("project")


class Dbt:
    def __init__(self, db, folder):
        self.db, self.folder = db, folder

    def __call__(self, *arguments):
        """Runs dbt; the status of each node by its name."""
        done = subprocess.run(
            [pathlib.Path(sys.executable).with_name("dbt"), "--no-use-colors", *arguments], cwd=self.folder, capture_output=True, text=True, timeout=110,
            env=self.db.environment | {"DBT_PROFILES_DIR": str(self.folder), "DO_NOT_TRACK": "1"},
        )
        assert done.returncode == 0, done.stdout[-4000:]
        results = json.loads((self.folder / "target" / "run_results.json").read_text())["results"]
        return sorted((result["unique_id"], result["status"]) for result in results)

    def rows(self, query):
        with psycopg.connect(**self.db.options) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def dbt(db, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dbt") / "project"
    shutil.copytree(PROJECT, folder)
    return Dbt(db, folder)


def test_seed(dbt, same):
    same(dbt("seed"))
    same(dbt.rows("SELECT * FROM shop.raw_orders ORDER BY id"))


def test_run(dbt, same):
    same(dbt("run"))
    same(dbt.rows("SELECT * FROM shop.customers ORDER BY customer"))
    same(dbt.rows("SELECT obj_description('shop.orders'::regclass), col_description('shop.orders'::regclass, 1)"))


def test_tests_pass(dbt, same):
    same(dbt("test"))


def test_snapshot(dbt, same):
    same(dbt("snapshot"))
    same(dbt.rows("SELECT id, amount, dbt_valid_to FROM shop.orders_snapshot ORDER BY id"))


def test_a_second_round_sees_what_changed(dbt, same):
    seed = dbt.folder / "seeds" / "raw_orders.csv"
    seed.write_text(seed.read_text().replace("3,ann,5.25", "3,ann,7.25") + "4,bob,1.00,2024-01-04\n")
    same(dbt("seed"))
    same(dbt("run"))
    same(dbt("snapshot"))
    same(dbt.rows("SELECT * FROM shop.daily ORDER BY placed"))
    same(dbt.rows("SELECT id, amount, dbt_valid_to IS NULL FROM shop.orders_snapshot ORDER BY id, amount"))


def test_full_refresh(dbt, same):
    same(dbt("run", "--full-refresh"))
    same(dbt("seed", "--full-refresh"))


def test_docs(dbt, same):
    dbt("run")
    dbt("docs", "generate")
    catalog = json.loads((dbt.folder / "target" / "catalog.json").read_text())
    assert not catalog["errors"]
    same({
        name: (node["metadata"]["type"], node["metadata"]["comment"], sorted((c["name"], c["type"], c["index"], c["comment"]) for c in node["columns"].values()))
        for name, node in sorted(catalog["nodes"].items())
    })


def test_merge_strategy(dbt, same):
    model = dbt.folder / "models" / "daily.sql"
    model.write_text(model.read_text().replace("delete+insert", "merge"))
    same(dbt("run", "--select", "daily"))
    same(dbt.rows("SELECT * FROM shop.daily ORDER BY placed"))


def test_materialized_view(dbt, same):
    (dbt.folder / "models" / "frozen.sql").write_text("{{ config(materialized='materialized_view') }}\nselect customer from {{ ref('orders') }}\n")
    same(dbt("run", "--select", "frozen"))
    same(dbt("run", "--select", "frozen"))


def test_show(dbt):
    dbt("show", "--select", "customers")
