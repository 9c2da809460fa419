"""pgjdbc: DatabaseMetaData, types, cursors, batches, COPY; the cases are in Cases.java."""

import os
import pathlib
import re
import subprocess

import pytest

FOLDER = pathlib.Path(__file__).parent
NAMES = re.findall(r'^        add\("([^"]+)"', (FOLDER / "Cases.java").read_text(), re.MULTILINE)


def prepare(db):
    db.load("shop")


@pytest.fixture(scope="module")
def outcomes(db):
    """What each case printed, or how it failed."""
    done = subprocess.run(
        ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-Duser.timezone=UTC", "-cp", f"{os.environ['JDBC_CLASSES']}:/usr/share/java/postgresql.jar", "Cases",
         f"jdbc:postgresql://{db.host}:{db.port}/{db.name}"],
        env=db.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300,
    )
    parts = re.split(r"^== (.*)\n", done.stdout, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2])) | {"stderr": done.stderr}


@pytest.mark.parametrize("name", NAMES)
def test_case(db, outcomes, same, name):
    answer = outcomes.get(name)
    assert answer is not None, outcomes["stderr"]
    assert not answer.startswith("!! "), answer
    # A function's specific name ends with its number.
    same(re.sub(r"initcap_\d+", "initcap", answer))
