#!/usr/bin/env python3
"""What a session costs: its start, its memory when idle, and `\\d` among many tables.

    target/bench/venv/bin/python benches/sessions.py target/release/tessera
    ... --tables 5000 --sessions 1000 --rounds 50

`benches/run` makes the virtual environment; psql must be installed. The goals: a session starts at
most 5 ms after the password's hash, 1,000 idle sessions take at most 200 MB, and `\\d` of a table
among 5,000 takes at most 50 ms. Needs a limit of open files above twice the number of sessions.
"""

import argparse
import hashlib
import os
import pathlib
import re
import resource
import signal
import statistics
import subprocess
import tempfile
import time

import psycopg

PASSWORD = "a password"
ITERATIONS = 4096  # of SCRAM-SHA-256


def start(binary, folder, connections):
    config = folder / "tessera.toml"
    config.write_text(f"[connections]\nmax_connections = {connections}\n\n[tenants]\nmax_connections = {connections}\n")
    process = subprocess.Popen(
        [binary, "serve", "--data", folder / "data", "--listen", "127.0.0.1:0", "--config", config],
        stdout=subprocess.PIPE, text=True, env=os.environ | {"TESSERA_ADMIN_PASSWORD": PASSWORD},
    )
    for line in process.stdout:
        ready = re.match(r"tessera is ready on (.*):(\d+)", line)
        if ready:
            return process, {"host": ready[1], "port": ready[2], "password": PASSWORD, "sslmode": "disable", "gssencmode": "disable"}
    raise SystemExit("the server did not start")


def median_ms(rounds, body):
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        body()
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times)


def resident_mb(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def session_start(login, rounds):
    def connect():
        psycopg.connect(**login).close()

    connect()
    whole = median_ms(rounds, connect)
    hashed = median_ms(rounds, lambda: hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), b"0123456789abcdef", ITERATIONS))
    print(f"session start: {whole:.2f} ms, of which the client's hash of the password {hashed:.2f} ms; beyond it {whole - hashed:.2f} ms (goal 5)")


def idle_sessions(process, login, count):
    before = resident_mb(process)
    begin = time.perf_counter()
    sessions = [psycopg.connect(**login, autocommit=True) for _ in range(count)]
    took = time.perf_counter() - begin
    untouched = resident_mb(process)
    for session in sessions:
        session.execute("SELECT 1")
    used = resident_mb(process)
    for session in sessions:
        session.execute("SELECT count(*) FROM pg_class")
    looked = resident_mb(process)
    for session in sessions:
        session.close()
    print(f"{count} idle sessions: {untouched - before:.0f} MB (goal 200 for 1,000), opened in {took:.1f} s; "
          f"after SELECT 1 in each {used - before:.0f} MB, after a look at the catalogs {looked - before:.0f} MB")


def describe(login, tables, rounds):
    with psycopg.connect(**login, autocommit=True) as connection:
        for begin in range(0, tables, 500):
            statements = (
                f"CREATE TABLE t{n} (id int PRIMARY KEY, name varchar(20) NOT NULL DEFAULT 'x', at timestamptz, amount numeric(10, 2) CHECK (amount > 0))"
                for n in range(begin, min(begin + 500, tables))
            )
            connection.execute("; ".join(statements))
        environment = os.environ | {
            "PGHOST": login["host"], "PGPORT": login["port"], "PGUSER": login["user"], "PGDATABASE": login["dbname"], "PGPASSWORD": PASSWORD,
        }
        for command in (rf"\d t{tables // 2}", r"\dt t1", r"\d+ t1"):
            said = subprocess.run(["psql", "-XEc", command], env=environment, capture_output=True, text=True, check=True).stdout
            queries = re.findall(r"\*+ QUERY \*+\n(.*?)\n\*+\n", said, re.DOTALL)
            cursor = psycopg.ClientCursor(connection)
            each = [median_ms(rounds, lambda query=query: cursor.execute(query).fetchall()) for query in queries]
            slowest = max(each)
            print(f"{command} among {tables} tables: {sum(each):.1f} ms in {len(queries)} queries (goal 50), the slowest {slowest:.1f} ms")
            if sum(each) > 50:
                print("   ", " ".join(queries[each.index(slowest)].split())[:400])
        whole = median_ms(max(rounds // 10, 3), lambda: connection.execute("SELECT count(*) FROM information_schema.columns").fetchall())
        print(f"all of information_schema.columns: {whole:.1f} ms")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("binary")
    arguments.add_argument("--tables", type=int, default=5000)
    arguments.add_argument("--sessions", type=int, default=1000)
    arguments.add_argument("--rounds", type=int, default=50)
    given = arguments.parse_args()
    wanted = 3 * given.sessions + 100
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    with tempfile.TemporaryDirectory() as folder:
        process, login = start(given.binary, pathlib.Path(folder), given.sessions + 50)
        try:
            with psycopg.connect(**login, user="admin", dbname="tessera", autocommit=True) as operator:
                operator.execute(f"CREATE TENANT bench WITH (admin = 'boss', password = '{PASSWORD}')")
            login |= {"user": "boss", "dbname": "bench"}
            session_start(login, given.rounds)
            idle_sessions(process, login, given.sessions)
            describe(login, given.tables, given.rounds)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


if __name__ == "__main__":
    main()
