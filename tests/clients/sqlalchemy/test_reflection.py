"""SQLAlchemy's dialect reads the catalogs: the same answers as from PostgreSQL."""

import pytest
import sqlalchemy as sa
from sqlalchemy.engine.reflection import ObjectKind, ObjectScope


def prepare(db):
    db.load("shop")
    db.run("CREATE TABLE plain (a int); CREATE VIEW plain_view AS SELECT a FROM plain")


@pytest.fixture
def engine(db):
    engine = sa.create_engine(db.url("postgresql+psycopg2"))
    yield engine
    engine.dispose()


def shown(value):
    """A reflected value without what is equal only in itself."""
    if isinstance(value, dict):
        return {str(key): shown(item) for key, item in sorted(value.items(), key=lambda pair: str(pair[0]))}
    if isinstance(value, (list, tuple)):
        return [shown(item) for item in value]
    return repr(value) if isinstance(value, sa.types.TypeEngine) else value


READS = {
    "tables": lambda i: sorted(i.get_table_names(schema="shop")),
    "tables_of_path": lambda i: sorted(i.get_table_names()),
    "views": lambda i: i.get_view_names(schema="shop"),
    "temp_tables": lambda i: i.get_temp_table_names(),
    "sequences": lambda i: sorted(i.get_sequence_names(schema="shop")),
    "columns_of_customer": lambda i: i.get_columns("customer", schema="shop"),
    "columns_of_purchase": lambda i: i.get_columns("purchase", schema="shop"),
    "columns_of_account": lambda i: i.get_columns("account", schema="shop"),
    "columns_of_view": lambda i: i.get_columns("spent", schema="shop"),
    "primary_key": lambda i: i.get_pk_constraint("purchase", schema="shop"),
    "no_primary_key": lambda i: i.get_pk_constraint("plain"),
    "unique": lambda i: i.get_unique_constraints("customer", schema="shop"),
    "unique_pair": lambda i: i.get_unique_constraints("account", schema="shop"),
    "checks": lambda i: i.get_check_constraints("purchase", schema="shop"),
    "indexes": lambda i: i.get_indexes("customer", schema="shop"),
    "foreign_keys": lambda i: i.get_foreign_keys("purchase", schema="shop"),
    "comment": lambda i: i.get_table_comment("customer", schema="shop"),
    "no_comment": lambda i: i.get_table_comment("plain"),
    "options": lambda i: i.get_table_options("plain"),
    "view_definition": lambda i: i.get_view_definition("plain_view"),
    "has_table": lambda i: [i.has_table("customer", schema="shop"), i.has_table("customer"), i.has_table("plain_view")],
    "has_schema": lambda i: [i.has_schema("shop"), i.has_schema("nothing")],
    "has_sequence": lambda i: [i.has_sequence("tickets", schema="shop"), i.has_sequence("plain")],
    "has_index": lambda i: i.has_index("customer", "customer_email_key", schema="shop"),
    "enums": lambda i: i.get_enums(schema="shop"),
    "domains": lambda i: i.get_domains(schema="shop"),
    "multi_columns": lambda i: i.get_multi_columns(schema="shop", kind=ObjectKind.ANY, scope=ObjectScope.ANY),
    "multi_indexes": lambda i: i.get_multi_indexes(schema="shop"),
    "multi_keys": lambda i: i.get_multi_pk_constraint(schema="shop"),
    "multi_foreign_keys": lambda i: i.get_multi_foreign_keys(schema="shop"),
    "multi_unique": lambda i: i.get_multi_unique_constraints(schema="shop"),
    "multi_checks": lambda i: i.get_multi_check_constraints(schema="shop"),
    "multi_comments": lambda i: i.get_multi_table_comment(schema="shop"),
    "sorted": lambda i: i.get_sorted_table_and_fkc_names(schema="shop"),
    "table_oid": lambda i: isinstance(i.get_table_oid("customer", schema="shop"), int),
}


@pytest.mark.parametrize("name", READS)
def test_reads(engine, same, name):
    same(shown(READS[name](sa.inspect(engine))))


def test_reflects_all_and_reads(engine, same):
    metadata = sa.MetaData()
    metadata.reflect(engine, schema="shop", views=True)
    same({name: [repr(column) for column in table.columns] for name, table in sorted(metadata.tables.items())})


def test_no_such_table(engine):
    with pytest.raises(sa.exc.NoSuchTableError):
        sa.Table("nothing", sa.MetaData(), autoload_with=engine)


def test_schemas(engine):
    names = sa.inspect(engine).get_schema_names()
    assert {"information_schema", "public", "shop"} <= set(names)


def test_server_facts(engine, same):
    with engine.connect() as connection:
        dialect = engine.dialect
        same((dialect.server_version_info[0], dialect.default_schema_name, connection.get_isolation_level(), dialect.max_identifier_length))


def test_foreign_keys(db, engine, same):
    db.load("foreign_keys")
    inspector = sa.inspect(engine)
    same(shown([inspector.get_foreign_keys("city", schema="links"), inspector.get_sorted_table_and_fkc_names(schema="links")]))


def test_enums(db, engine, same):
    db.load("enums")
    inspector = sa.inspect(engine)
    same(shown([inspector.get_enums(schema="kinds"), inspector.get_columns("person", schema="kinds")]))


def test_domains(db, engine, same):
    db.load("domains")
    inspector = sa.inspect(engine)
    same(shown([inspector.get_domains(schema="bounds"), inspector.get_columns("stock", schema="bounds")]))


def test_indexes(db, engine, same):
    db.load("indexes")
    same(shown(sa.inspect(engine).get_indexes("event", schema="finds")))


def test_materialized_views(db, engine, same):
    db.run("CREATE MATERIALIZED VIEW frozen AS SELECT 1 AS a")
    inspector = sa.inspect(engine)
    same((inspector.get_materialized_view_names(), shown(inspector.get_columns("frozen"))))


def test_temporary_tables(engine, same):
    with engine.connect() as connection:
        connection.execute(sa.text("CREATE TEMPORARY TABLE passing (a int)"))
        same(sa.inspect(connection).get_temp_table_names())
