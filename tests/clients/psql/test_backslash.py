"""psql's backslash commands print what they print on PostgreSQL."""

import re
import subprocess

import pytest


def prepare(db):
    db.load("shop")
    db.run(
        f"""
        DROP ROLE IF EXISTS reader_{db.name};
        CREATE ROLE reader_{db.name} NOLOGIN;
        GRANT USAGE ON SCHEMA shop TO reader_{db.name};
        GRANT SELECT ON shop.customer TO reader_{db.name};
        GRANT SELECT (id, amount), UPDATE (amount) ON shop.purchase TO reader_{db.name};
        ALTER TABLE shop.account ENABLE ROW LEVEL SECURITY;
        CREATE POLICY rich ON shop.account FOR SELECT TO reader_{db.name} USING (balance > 5);
        ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO reader_{db.name};
        CREATE TABLE "Mixed Case" ("Ünï" int);
        """
    )


def psql(db, *arguments, stdin=None, check=True):
    done = subprocess.run(
        ["psql", "-X", "-v", "ON_ERROR_STOP=1", *arguments], env=db.environment, input=stdin,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


# Of each command the whole answer is compared.
COMMANDS = [
    r"\d shop.customer", r"\d shop.purchase", r"\d shop.account", r"\d shop.spent", r"\d shop.tickets", r"\d shop.customer_pkey",
    r"\d+ shop.customer", r"\d+ shop.purchase", r"\d+ shop.account", r"\d+ shop.spent", r"\d+ shop.tickets", r"\d+ shop.customer_email_key",
    r"\d shop.*", r"\d shop.c*", r'\d "Mixed Case"', r"\d public.*", r"\dt shop.*", r"\dt", r"\dv shop.*", r"\ds shop.*", r"\di shop.*", r"\dm shop.*", r"\dt+ shop.*",
    r"\dv+ shop.*", r"\di+ shop.*", r"\ds+ shop.*", r"\dtv shop.*", r"\dE shop.*", r"\dn shop", r"\dn+ shop", r"\dp shop.*", r"\z shop.customer",
    r"\ddp", r"\du reader_c_backslash", r"\dg reader_c_backslash", r"\dd shop.*", r"\dD shop.*", r"\dT shop.*", r"\dT+ shop.*", r"\df shop.*", r"\da shop.*", r"\do shop.*", r"\dC shop.*",
   
    r"\dC uuid",
    r"\dO pg_catalog.C", r"\dc shop.*", r"\dAc btree int4",
    r"\dF shop.*", r"\dFd shop.*", r"\dFp shop.*", r"\dFt shop.*", r"\dl", r"\dP", r"\dPt shop.*", r"\dRp", r"\dRs", r"\dX shop.*", r"\dy",
    r"\des", r"\det", r"\deu", r"\dew", r"\dx nothing", r"\drds", r"\dconfig search_path", r"\dconfig standard_conforming_strings",
    r"\sv shop.spent", r"\sv+ shop.spent", r"\encoding", r"\d nothing_there", r"\dt nothing_there", r"\dn nothing_there", r"\lo_list",
   
]

# Of these, only the rows of what the suite made.
OWN_ROWS = [r"\dn", r"\dn+", r"\dt *.*", r"\dv *.*", r"\dp *.*"]


def shown(text):
    """Sizes differ between servers, and with them the width of their column."""
    text = re.sub(r"\b\d+ (bytes|kB|MB)\b", "SIZE", text)
    text = re.sub(r"(?m)^LOCATION: .*\n", "", text)
    return re.sub(r" +", " ", re.sub(r"-+", "-", text))


@pytest.mark.parametrize("command", COMMANDS)
def test_command(db, same, command):
    same(shown(psql(db, "-c", command, check=False)))


@pytest.mark.parametrize("command", OWN_ROWS)
def test_rows_of_what_the_suite_made(db, same, command):
    rows = psql(db, "-At", "-c", command).splitlines()
    own = (db.name, "shop", "Mixed Case")
    same(sorted(shown(row) for row in rows if row.startswith(own) or f"{db.name}|" in row[:40]))


@pytest.mark.parametrize(
    "command", [r"\d", r"\d+", r"\dS", r"\df", r"\df+", r"\dfS abs", r"\da", r"\do", r"\dT", r"\dTS", r"\dC", r"\dO", r"\dOS", r"\dx", r"\dconfig", r"\dconfig *",
                r"\dAc", r"\dAf", r"\dAo", r"\dAp", r"\l", r"\l+", r"\conninfo", r"\dnS+", r"\duS", r"\dtS+", r"\dvS+", r"\set", r"\?", r"\h SELECT", r"\du", r"\du+", r"\dg", r"\dtS pg_catalog.pg_am", r"\d pg_catalog.pg_am",
                r"\df pg_catalog.lower", r"\df pg_catalog.substr*", r"\da pg_catalog.sum", r"\da pg_catalog.count", r"\do pg_catalog.||", r"\do pg_catalog.~~", r"\dT pg_catalog.int4", r"\dT+ pg_catalog.numeric", r"\dT pg_catalog.bool*", r"\dC int4", r"\dA", r"\dA+ btree", r"\dAf btree int4", r"\dAo btree integer_ops", r"\dAp btree integer_ops", r"\db", r"\dL", r"\df pg_catalog.now", r"\dfw pg_catalog.rank"]
)
def test_command_is_answered(db, command):
    assert psql(db, "-c", command).strip()


FEATURES = {
    "foreign_keys": [r"\d+ links.city", r"\d links.country"], "enums": [r"\dT+ kinds.mood", r"\d+ kinds.person"],
    "domains": [r"\dD bounds.*", r"\dD+ bounds.*", r"\d bounds.stock"], "indexes": [r"\d finds.event", r"\di+ finds.*", r"\d finds.event_lower"],
}


@pytest.mark.parametrize("feature", FEATURES)
def test_feature(db, same, feature):
    db.load(feature)
    same([shown(psql(db, "-c", command)) for command in FEATURES[feature]])


def test_materialized_view(db, same):
    db.run("CREATE SCHEMA kept; CREATE MATERIALIZED VIEW kept.frozen AS SELECT 1 AS a; COMMENT ON MATERIALIZED VIEW kept.frozen IS 'cold'")
    same([shown(psql(db, "-c", command)) for command in (r"\dm+ kept.*", r"\d+ kept.frozen")])


SCRIPTS = {
    "gdesc": "SELECT 1::numeric(5,2) AS a, 'x'::varchar(3) AS b, now() AS c, array[1] AS d, NULL AS e, count(*) FROM shop.customer \\gdesc",
    "gset": "SELECT 5 AS five, 'x' AS \"Ex\" \\gset v_\n\\echo :v_five :v_Ex\nSELECT :'v_Ex', :v_five;",
    "gexec": "SELECT format('SELECT %s AS made', n) FROM generate_series(1, 2) AS n \\gexec",
    "gx": "SELECT * FROM shop.customer ORDER BY id \\gx",
    "crosstab": "SELECT customer_id, \"Line No\", amount FROM shop.purchase \\crosstabview",
    "if": "SELECT true AS yes \\gset\n\\if :yes\n\\echo yes\n\\else\n\\echo no\n\\endif",
    "fetch_count": "\\set FETCH_COUNT 3\nSELECT n FROM generate_series(1, 10) AS n;",
    "copy": "CREATE TABLE copied (a int, b text);\n\\copy copied FROM STDIN WITH (FORMAT csv)\n1,x\n2,\n\\.\n\\copy (SELECT * FROM copied ORDER BY a) TO STDOUT\nCOPY copied TO STDOUT CSV HEADER;",
    "copy_data": "CREATE TEMP TABLE dumped (a int, b text);\nCOPY dumped (a, b) FROM stdin;\n1\tone\n2\t\\N\n\\.\nTABLE dumped;",
    "transaction": "BEGIN;\nCREATE TABLE undone (a int);\n\\d undone\nROLLBACK;\n\\d undone",
    "several": "SELECT 1\\; SELECT 2\\; SELECT 3;",
    "verbosity": "\\set ON_ERROR_STOP 0\n\\set VERBOSITY verbose\nSELECT * FROM nowhere;\nSELECT 'x'::int;\n\\set VERBOSITY sqlstate\nSELECT 1/0;",
    "rollback": "\\set ON_ERROR_STOP 0\n\\set ON_ERROR_ROLLBACK on\nBEGIN;\nSELECT 1/0;\nSELECT 1;\nCOMMIT;",
    "position": "\\set ON_ERROR_STOP 0\nSELECT 1,\n  nothing,\n  3 FROM (VALUES (1)) AS v(x);\nSELECT 'ü', nothing(5);",
    "null": "\\pset null '∅'\nSELECT NULL, 'ü', 1.50, true, array[1,NULL], '{\"a\": 1}'::json;",
    "expanded": "\\x\n\\t\nSELECT id, name FROM shop.customer ORDER BY id;",
    "formats": "\\pset format csv\nSELECT 'a,b' AS x, 1 AS y;\n\\pset format html\nSELECT 1 AS x;\n\\pset format latex\nSELECT 1 AS x;",
    "variables": "\\echo :SERVER_VERSION_NUM :ENCODING :AUTOCOMMIT",
    "show": "SHOW search_path;\nSHOW server_version_num;\nSET DateStyle = 'German';\nSELECT date '2024-02-01';\nRESET DateStyle;\nSHOW DateStyle;\nSHOW transaction_isolation;",
    "notices": "DROP TABLE IF EXISTS nothing_there;\nDO $$ BEGIN END $$;",
    "table": "TABLE shop.customer ORDER BY id;\nVALUES (1, 'a'), (2, NULL);",
    "prompt": "SELECT 1 WHERE false;\nINSERT INTO shop.account (balance) VALUES (1) RETURNING id;\nUPDATE shop.account SET balance = 2;\nDELETE FROM shop.account;",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_script(db, same, name):
    same(shown(psql(db, "-f", "-", stdin=SCRIPTS[name] + "\n", check=False)))


def test_password_is_changed(db):
    role = f"changing_{db.name}"
    db.run(f"DROP ROLE IF EXISTS {role}; CREATE ROLE {role} LOGIN PASSWORD 'old'")
    psql(db, "-c", rf"ALTER ROLE {role} PASSWORD 'new'")
    changed = db.environment | {"PGUSER": role, "PGPASSWORD": "new"}
    done = subprocess.run(["psql", "-XAtc", "SELECT current_user"], env=changed, capture_output=True, text=True)
    assert done.stdout.strip() == role


def test_comment_on_a_role_is_shown(db, same):
    psql(db, "-c", f"COMMENT ON ROLE reader_{db.name} IS 'reads'")
    same(psql(db, "-At", "-c", rf"\du+ reader_{db.name}"))


def test_one_transaction_undoes_all(db):
    psql(db, "-1", "-f", "-", stdin="CREATE TABLE single (a int);\nSELECT 1/0;\n", check=False)
    assert "Did not find any relation" in psql(db, "-c", r"\d single", check=False)


def test_tables_are_completed(db, same):
    """The queries behind the Tab key, as psql sends them."""
    same(sorted(psql(db, "-At", "-c", """
        SELECT n.nspname || '.' FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE 'sh%'
        AND (SELECT pg_catalog.count(*) FROM pg_catalog.pg_namespace n2 WHERE substring(n2.nspname,1,2) = substring('sh',1,2)) > 0
        UNION ALL SELECT pg_catalog.quote_ident(c.relname) FROM pg_catalog.pg_class c, pg_catalog.pg_namespace n
        WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'v') AND (c.relname) LIKE 'cus%' AND n.nspname = 'shop' LIMIT 1000""").splitlines()))
