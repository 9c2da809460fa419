"""Go's lib/pq and pgx; the cases are in cases.go."""

import os
import pathlib
import re
import subprocess

import pytest

FOLDER = pathlib.Path(__file__).parent
NAMES = re.findall(r'^\t\{"([^"]+)"', (FOLDER / "cases.go").read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def outcomes(db):
    """What each case printed, or how it failed."""
    done = subprocess.run(
        [os.environ["GO_CASES"]], env=db.environment | {"PGSSLMODE": "disable", "TZ": "UTC"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300,
    )
    parts = re.split(r"^== (.*)\n", done.stdout, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2])) | {"stderr": done.stderr}


@pytest.mark.parametrize("name", NAMES)
def test_case(outcomes, same, name):
    answer = outcomes.get(name)
    assert answer is not None, outcomes["stderr"]
    assert not answer.startswith("!! "), answer
    same(answer)
