"""node-postgres, postgres.js, knex and sequelize; the cases are in cases.mjs."""

import json
import os
import pathlib
import re
import subprocess

import pytest

FOLDER = pathlib.Path(__file__).parent
NAMES = re.findall(r"^case_\('([^']+)'", (FOLDER / "cases.mjs").read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def outcomes(db):
    """What each case answered, or how it failed."""
    modules = pathlib.Path(os.environ["NODE_MODULES"])
    script = modules / "cases.mjs"
    script.write_text((FOLDER / "cases.mjs").read_text())
    done = subprocess.run(
        ["node", str(script)], env=db.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300
    )
    found = {}
    for line in done.stdout.splitlines():
        if not line.startswith('{"name"'):
            continue
        outcome = json.loads(line)
        found[outcome["name"]] = outcome
    found["stderr"] = done.stderr
    return found


@pytest.mark.parametrize("name", NAMES)
def test_case(outcomes, same, name):
    outcome = outcomes.get(name) or pytest.fail(outcomes["stderr"])
    assert "error" not in outcome, outcome["error"]
    same(outcome["answer"])
