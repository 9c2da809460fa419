-- Enums and domains. The columns that have one, and the types that stand on one, are in `dependency`.
CREATE TABLE user_type (
    database_id TEXT   NOT NULL,
    oid         BIGINT NOT NULL,
    schema_oid  BIGINT NOT NULL,
    name        TEXT   NOT NULL,
    body        TEXT   NOT NULL,
    PRIMARY KEY (database_id, oid)
);
CREATE UNIQUE INDEX user_type_by_name ON user_type (database_id, schema_oid, name);
CREATE INDEX user_type_across_databases ON user_type (name, schema_oid);
