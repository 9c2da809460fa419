-- Masking policies of a database; which columns they are on stands with the tables' row security.
CREATE TABLE masking_policy (
    database_id TEXT   NOT NULL,
    oid         BIGINT NOT NULL,
    name        TEXT   NOT NULL,
    body        TEXT   NOT NULL,
    PRIMARY KEY (database_id, oid)
);
CREATE UNIQUE INDEX masking_policy_by_name ON masking_policy (database_id, name);
