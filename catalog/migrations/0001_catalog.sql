-- The catalog: who exists, what they own, and which version of each table's parts is visible.
-- Ids are UUIDs as text; the system database's is 00000000-0000-0000-0000-000000000000. A space is
-- its storage prefix: system, shared or tenants/<id>. Bodies are JSON. The same text serves SQLite
-- and PostgreSQL.

-- The next object number of a database, and the version of its objects; both only ever grow.
CREATE TABLE counter (
    database_id TEXT   NOT NULL PRIMARY KEY,
    next_oid    BIGINT NOT NULL,
    version     BIGINT NOT NULL
);

CREATE TABLE tenant (
    id   TEXT   NOT NULL PRIMARY KEY,
    oid  BIGINT NOT NULL,
    name TEXT   NOT NULL,
    body TEXT   NOT NULL
);
CREATE UNIQUE INDEX tenant_by_name ON tenant (name);
CREATE UNIQUE INDEX tenant_by_oid ON tenant (oid);

CREATE TABLE role (
    database_id TEXT   NOT NULL,
    oid         BIGINT NOT NULL,
    name        TEXT   NOT NULL,
    body        TEXT   NOT NULL,
    PRIMARY KEY (database_id, oid)
);
CREATE UNIQUE INDEX role_by_name ON role (name, database_id);

CREATE TABLE membership (
    database_id TEXT   NOT NULL,
    role_oid    BIGINT NOT NULL,
    member_oid  BIGINT NOT NULL,
    body        TEXT   NOT NULL,
    PRIMARY KEY (database_id, role_oid, member_oid)
);

CREATE TABLE schema (
    database_id TEXT   NOT NULL,
    oid         BIGINT NOT NULL,
    name        TEXT   NOT NULL,
    body        TEXT   NOT NULL,
    PRIMARY KEY (database_id, oid)
);
CREATE UNIQUE INDEX schema_by_name ON schema (database_id, name);

CREATE TABLE relation (
    database_id TEXT   NOT NULL,
    oid         BIGINT NOT NULL,
    schema_oid  BIGINT NOT NULL,
    name        TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    -- Of tables.
    table_uuid  TEXT,
    body        TEXT   NOT NULL,
    PRIMARY KEY (database_id, oid)
);
CREATE UNIQUE INDEX relation_by_name ON relation (database_id, schema_oid, name);
CREATE INDEX relation_across_databases ON relation (name, schema_oid);
CREATE UNIQUE INDEX relation_by_table ON relation (table_uuid);

-- Which relations a view reads, its own database's and those lent by the system.
CREATE TABLE dependency (
    database_id  TEXT   NOT NULL,
    relation_oid BIGINT NOT NULL,
    target_oid   BIGINT NOT NULL,
    PRIMARY KEY (database_id, relation_oid, target_oid)
);
CREATE INDEX dependency_by_target ON dependency (target_oid, database_id);

CREATE TABLE default_acl (
    database_id TEXT   NOT NULL,
    role_oid    BIGINT NOT NULL,
    -- 0 for every schema.
    schema_oid  BIGINT NOT NULL,
    kind        TEXT   NOT NULL,
    body        TEXT   NOT NULL,
    PRIMARY KEY (database_id, role_oid, schema_oid, kind)
);

CREATE TABLE function_acl (
    database_id TEXT NOT NULL,
    function    TEXT NOT NULL,
    acl         TEXT NOT NULL,
    PRIMARY KEY (database_id, function)
);

CREATE TABLE borrowed_acl (
    database_id   TEXT   NOT NULL,
    relation_oid  BIGINT NOT NULL,
    -- 0 for the whole relation.
    column_number BIGINT NOT NULL,
    acl           TEXT   NOT NULL,
    PRIMARY KEY (database_id, relation_oid, column_number)
);
CREATE INDEX borrowed_acl_by_relation ON borrowed_acl (relation_oid);

-- The visible version of a table's rows in one space; a part without a row was never written.
CREATE TABLE part (
    space          TEXT   NOT NULL,
    table_uuid     TEXT   NOT NULL,
    version        BIGINT NOT NULL,
    schema_version BIGINT NOT NULL,
    row_count      BIGINT NOT NULL,
    byte_count     BIGINT NOT NULL,
    -- Milliseconds since 1970.
    updated_at     BIGINT NOT NULL,
    PRIMARY KEY (space, table_uuid)
);
CREATE INDEX part_by_table ON part (table_uuid);

-- Log entries of visible versions that may not be in storage yet.
CREATE TABLE redo (
    number     BIGINT NOT NULL PRIMARY KEY,
    commit_id  TEXT   NOT NULL,
    space      TEXT   NOT NULL,
    table_uuid TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    table_name TEXT   NOT NULL,
    entry      TEXT   NOT NULL
);
CREATE INDEX redo_by_part ON redo (space, table_uuid, version);

-- Files that are no longer visible, until nobody can read an older version of their part.
CREATE TABLE removed_file (
    space      TEXT   NOT NULL,
    table_uuid TEXT   NOT NULL,
    path       TEXT   NOT NULL,
    -- Milliseconds since 1970.
    removed_at BIGINT NOT NULL,
    PRIMARY KEY (space, table_uuid, path)
);
CREATE INDEX removed_file_by_age ON removed_file (removed_at);

-- Parts and spaces whose owner is gone and whose files are to be erased.
CREATE TABLE erasure (
    space      TEXT   NOT NULL,
    -- Empty for the whole space.
    table_uuid TEXT   NOT NULL,
    -- Milliseconds since 1970; statements that were running then may read on until then.
    due_at     BIGINT NOT NULL,
    PRIMARY KEY (space, table_uuid)
);
