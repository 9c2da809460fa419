-- Tables, keys, defaults, checks, comments, a view and a sequence, as most applications have them.
CREATE SCHEMA shop;
COMMENT ON SCHEMA shop IS 'what is bought';
CREATE TABLE shop.customer (
    id int PRIMARY KEY,
    name varchar(20) NOT NULL DEFAULT 'x',
    email text UNIQUE,
    tags text[],
    born date,
    note json
);
COMMENT ON TABLE shop.customer IS 'who buys';
COMMENT ON COLUMN shop.customer.name IS 'as they say it';
CREATE TABLE shop.purchase (
    id serial,
    customer_id int NOT NULL,
    "Line No" smallint,
    amount numeric(10, 2) CHECK (amount > 0),
    at timestamptz DEFAULT now(),
    PRIMARY KEY (customer_id, "Line No")
);
CREATE TABLE shop.account (
    id bigint GENERATED ALWAYS AS IDENTITY,
    balance double precision,
    open boolean NOT NULL DEFAULT true,
    CONSTRAINT account_pair UNIQUE (id, open)
);
CREATE VIEW shop.spent AS SELECT customer_id, sum(amount) AS total FROM shop.purchase GROUP BY customer_id;
CREATE SEQUENCE shop.tickets START 10 INCREMENT 5;
INSERT INTO shop.customer (id, name, email, tags, born) VALUES
    (1, 'ann', 'ann@example.org', '{a,b}', '1990-01-31'), (2, 'bob', NULL, NULL, NULL);
INSERT INTO shop.purchase (customer_id, "Line No", amount) VALUES (1, 1, 5), (1, 2, 6.5), (2, 1, 7);
