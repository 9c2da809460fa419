"""Runs every case against PostgreSQL and against Tessera; a plugin of pytest.

`db` is a new, empty database of either server, one for each file of cases. `same(answer)` compares
what Tessera answered with what PostgreSQL answered to the same case a moment before.
"""

import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import tempfile

import psycopg
import pytest

SERVERS = ("postgres", "tessera")
PASSWORD = "a role's password"
OPERATOR_PASSWORD = "the operator's password"
SCHEMAS = pathlib.Path(__file__).with_name("schema")
STOP_TIMEOUT_S = 60


@dataclasses.dataclass
class Server:
    """One of the two servers, and how its superuser logs in."""

    name: str
    host: str
    port: int
    superuser: str
    superuser_password: str
    system_database: str
    process: subprocess.Popen | None = None

    def run(self, *statements):
        with psycopg.connect(
            host=self.host, port=self.port, user=self.superuser, password=self.superuser_password,
            dbname=self.system_database, autocommit=True,
        ) as connection:
            for statement in statements:
                connection.execute(statement)

    def create(self, name):
        """A new database whose owner is `boss_NAME`; on Tessera a tenant with that admin."""
        user = f"boss_{name}"
        password = PASSWORD.replace("'", "''")
        if self.name == "tessera":
            self.run(f"CREATE TENANT {name} WITH (admin = '{user}', password = '{password}')")
        else:
            self.run(
                f"DROP DATABASE IF EXISTS {name} WITH (FORCE)",
                f"DROP ROLE IF EXISTS {user}",
                f"CREATE ROLE {user} LOGIN CREATEROLE PASSWORD '{password}'",
                f"CREATE DATABASE {name} OWNER {user}",
            )
        return Database(self, name, user, PASSWORD)


@dataclasses.dataclass
class Database:
    """A database of a server, and how its owner logs in."""

    server: Server
    name: str
    user: str
    password: str

    @property
    def is_tessera(self):
        return self.server.name == "tessera"

    @property
    def host(self):
        return self.server.host

    @property
    def port(self):
        return self.server.port

    @property
    def environment(self):
        """What libpq's programs read."""
        return os.environ | {
            "PGHOST": self.host, "PGPORT": str(self.port), "PGDATABASE": self.name,
            "PGUSER": self.user, "PGPASSWORD": self.password,
        }

    @property
    def options(self):
        return {
            "host": self.host, "port": self.port, "dbname": self.name,
            "user": self.user, "password": self.password,
        }

    def url(self, scheme="postgresql"):
        password = self.password.replace("'", "%27").replace(" ", "%20")
        return f"{scheme}://{self.user}:{password}@{self.host}:{self.port}/{self.name}"

    def run(self, script):
        with psycopg.connect(**self.options, autocommit=True) as connection:
            connection.execute(script)

    def load(self, *schemas):
        """Runs tests/clients/common/schema/NAME.sql."""
        for schema in schemas:
            self.run((SCHEMAS / f"{schema}.sql").read_text())


def start_tessera(folder):
    process = subprocess.Popen(
        [os.environ["TESSERA_BIN"], "serve", "--data", str(folder / "data"), "--listen", "127.0.0.1:0"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=(folder / "log").open("w"), text=True,
        env=os.environ | {"TESSERA_ADMIN_PASSWORD": OPERATOR_PASSWORD},
    )
    for line in process.stdout:
        ready = re.match(r"tessera is ready on (.*):(\d+)", line)
        if ready:
            return Server(
                "tessera", ready[1], int(ready[2]), "admin", OPERATOR_PASSWORD, "tessera", process
            )
    raise RuntimeError(f"tessera did not start: {(folder / 'log').read_text()}")


@pytest.fixture(scope="session")
def postgres():
    return Server(
        "postgres", os.environ["POSTGRES_HOST"], int(os.environ["POSTGRES_PORT"]), "postgres",
        os.environ["POSTGRES_PASSWORD"], "postgres",
    )


@pytest.fixture(scope="session")
def tessera():
    """A server of this run's own; it is stopped at the end."""
    with tempfile.TemporaryDirectory() as folder:
        server = start_tessera(pathlib.Path(folder))
        yield server
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(STOP_TIMEOUT_S)


@pytest.fixture(scope="session")
def server(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def db(server, request):
    """A new database for the cases of one file."""
    name = re.sub(r"^test_", "", pathlib.Path(request.node.fspath).stem)
    database = server.create(f"c_{name}")
    prepare = getattr(request.module, "prepare", None)
    if prepare:
        prepare(database)
    return database


@pytest.fixture(scope="session")
def answers():
    return {}


@pytest.fixture
def same(request, server, answers):
    """Compares an answer with PostgreSQL's to the same case."""
    count = 0

    def compare(answer):
        nonlocal count
        key = (case_name(request.node), count)
        count += 1
        if server.name == "postgres":
            answers[key] = answer
        else:
            assert answer == answers[key]

    return compare


def case_name(item):
    """The case's name without its server: `function` or `function[parameters]`."""
    # pytest doubles backslashes in names.
    parameters = item.callspec.id.replace("\\\\", "\\").split("-") if hasattr(item, "callspec") else []
    parameters = "-".join(part for part in parameters if part not in SERVERS)
    return f"{item.originalname}[{parameters}]" if parameters else item.originalname


def pytest_generate_tests(metafunc):
    if "server" in metafunc.fixturenames:
        metafunc.parametrize("server", SERVERS, indirect=True, scope="session")


def waiting(folder):
    """The cases that Tessera does not pass yet, and why."""
    file = folder / "not_yet"
    lines = file.read_text().splitlines() if file.exists() else []
    return dict(re.split(r": (?!.*\]: )", line, maxsplit=1) for line in lines if line and line[0] != "#")


def pytest_collection_modifyitems(config, items):
    reasons = waiting(pathlib.Path(config.rootpath))
    seen = set()
    for item in items:
        name = case_name(item)
        seen.add(name)
        on_tessera = hasattr(item, "callspec") and item.callspec.params.get("server") == "tessera"
        if on_tessera and name in reasons:
            item.add_marker(pytest.mark.xfail(reason=reasons[name], strict=True))
    gone = set(reasons) - seen
    if gone and not config.option.keyword and config.args_source.name != "ARGS":
        raise pytest.UsageError(f"not_yet names what is no case: {sorted(gone)}")
