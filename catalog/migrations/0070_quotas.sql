-- Plans of the operators: quotas and features that tenants are given together.
CREATE TABLE plan (
    oid  BIGINT NOT NULL PRIMARY KEY,
    name TEXT   NOT NULL,
    body TEXT   NOT NULL
);
CREATE UNIQUE INDEX plan_by_name ON plan (name);

-- What each tenant used in each day and each month.
CREATE TABLE tenant_usage (
    tenant_id       TEXT   NOT NULL,
    -- day or month.
    period          TEXT   NOT NULL,
    -- The period's first day, in days since 1970.
    first_day       BIGINT NOT NULL,
    queries         BIGINT NOT NULL,
    rejected        BIGINT NOT NULL,
    connections     BIGINT NOT NULL,
    rows_read       BIGINT NOT NULL,
    bytes_read      BIGINT NOT NULL,
    rows_written    BIGINT NOT NULL,
    bytes_written   BIGINT NOT NULL,
    rows_returned   BIGINT NOT NULL,
    cpu_micros      BIGINT NOT NULL,
    memory_kib_ms   BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, period, first_day)
);
