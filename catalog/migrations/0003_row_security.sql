-- Row policies of a table, as one database has them: a tenant's own on a common table stand beside
-- the operator's.
CREATE TABLE row_security (
    database_id  TEXT   NOT NULL,
    relation_oid BIGINT NOT NULL,
    body         TEXT   NOT NULL,
    PRIMARY KEY (database_id, relation_oid)
);
CREATE INDEX row_security_by_relation ON row_security (relation_oid);
