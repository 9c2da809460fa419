//! Statements from dice: whatever a role can say of relations that hold others' rows, and of what is there.

/// A generator that gives the same statements for the same seed.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    /// The next number, by SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn happens(&mut self, in_ten: usize) -> bool {
        self.below(10) < in_ten
    }
}

/// Relations with the columns id, word, amount and day.
const RELATIONS: &[&str] = &[
    "ledger",
    "shared_book",
    "own",
    "over",
    "over_shared",
    "snapshot",
    "public.ledger",
    "narrow",
    "masked",
    "card_book",
    "over_narrow",
    "over_masked",
];
const NUMBERS: &[&str] = &[
    "id",
    "amount",
    "length(word)",
    "id % 3",
    "abs(amount)",
    "extract(day FROM day)::int",
];
const TEXTS: &[&str] = &[
    "word",
    "upper(word)",
    "left(word, 3)",
    "word || id::text",
    "day::text",
    "current_tenant()",
    "md5(word)",
    "to_jsonb(word)::text",
    "(sentiment_analyze(word)).label",
];
const AGGREGATES: &[&str] = &[
    "count(*)",
    "count(DISTINCT word)",
    "sum(amount)",
    "min(word)",
    "max(word)",
    "max(amount)",
    "string_agg(word, ',' ORDER BY word, id)",
    "array_agg(id ORDER BY id)",
    "bool_or(id > 2)",
    "min(day)",
    "jsonb_agg(word ORDER BY id)::text",
    "percentile_cont(0.5) WITHIN GROUP (ORDER BY amount)",
    "(ttest_1samp(amount, mu => 4)).statistic",
    "corr(id, amount)",
    "irr(amount ORDER BY day)",
    "count(*) FILTER (WHERE amount > 40000000)",
    "mode() WITHIN GROUP (ORDER BY word)",
];
/// Functions over relations, with the relation's place.
const ANALYSES: &[&str] = &[
    "forecast({}, timestamp_col => day, data_col => amount, horizon => 2)",
    "forecast({}, timestamp_col => day, data_col => amount, id_cols => word, horizon => 1)",
    "forecast_evaluate({}, timestamp_col => day, data_col => amount, models => ('naive'), horizon => 1)",
    "detect_anomalies({}, timestamp_col => day, data_col => amount, method => 'zscore')",
    "detect_changepoints({}, timestamp_col => day, data_col => amount)",
    "ts_features({}, timestamp_col => day, data_col => amount, id_cols => word)",
    "ts_fill_gaps({}, timestamp_col => day, data_col => amount, id_cols => word)",
    "ts_decompose({}, timestamp_col => day, data_col => amount)",
    "ts_detect_periods({}, timestamp_col => day, data_col => amount)",
    "regress({}, y_col => amount, x_cols => id)",
    "regress({}, y_col => amount, x_cols => id, id_cols => word)",
    "kmeans({}, key_col => id, x_cols => amount, k => 2)",
    "pca({}, x_cols => (id, amount))",
    "cohort_retention({}, user_col => word, timestamp_col => day)",
    "funnel({}, user_col => word, timestamp_col => day, event_col => word, steps => ('north', 'south'))",
    "covariance_matrix({}, asset_col => word, timestamp_col => day, price_col => amount)",
];
/// Expressions that fail on some rows: on globex's above all, should one come by.
const FRAGILE: &[&str] = &[
    "1 / (id - 3)",
    "word::int",
    "(amount || 'x')::numeric",
    "1 / (length(word) - 12)",
    "word::date",
    "CASE WHEN word LIKE '%globex%' THEN 1 / (id - id) ELSE 0 END",
    "(ARRAY[1])[id] / (amount - 48151623)",
    "to_date(word, 'YYYY')",
    "repeat(word, 1)::bigint",
    "ln(amount - amount)",
    "word::uuid",
    "word::jsonb",
    "word::inet",
    "amount::int2",
    "(amount * 1000000000000)::int8",
    "chr(id - 5)",
    "make_date(id - 2, 1, 1)",
    "(SELECT s.id FROM shared_book s WHERE s.id <= 3 + 0 * length(word))",
    "setseed(amount::float8)",
    "substr(word, 1, 3 - id)",
    "decode(word, 'hex')",
    "word::regclass",
];

fn number(dice: &mut Dice) -> String {
    match dice.below(8) {
        0 => format!("({} + {})", number(dice), dice.below(9)),
        1 => format!("coalesce({}, 0)", dice.one(NUMBERS)),
        2 if dice.happens(3) => dice.one(FRAGILE).to_owned(),
        _ => dice.one(NUMBERS).to_owned(),
    }
}

fn condition(dice: &mut Dice) -> String {
    match dice.below(12) {
        0 => format!("{} > {}", number(dice), dice.below(30)),
        1 => format!("word LIKE '%{}%'", dice.one(&["a", "globex", "z", "north"])),
        2 => format!("id IN (SELECT id FROM {})", dice.one(RELATIONS)),
        3 => format!(
            "EXISTS (SELECT 1 FROM {} e WHERE e.id >= 4)",
            dice.one(RELATIONS)
        ),
        4 => format!("({} OR {})", condition(dice), condition(dice)),
        5 => format!("NOT ({})", condition(dice)),
        6 => format!(
            "amount >= ALL (SELECT amount FROM {} WHERE id < 3)",
            dice.one(RELATIONS)
        ),
        7 => "tenant_of(word) IS NULL".replace("tenant_of(word)", "nullif(word, 'x')"),
        8 => format!(
            "day BETWEEN '2020-01-01' AND '2020-0{}-01'",
            1 + dice.below(9)
        ),
        9 => format!("amount = (SELECT max(amount) FROM {})", dice.one(RELATIONS)),
        10 => "true".to_owned(),
        _ => format!("{} IS NOT NULL", dice.one(TEXTS)),
    }
}

/// A query with the columns a and b; in a fixed order when `ordered`.
fn select(dice: &mut Dice, depth: usize) -> String {
    let from = source(dice, depth);
    let filter = match dice.happens(6) {
        true => format!(" WHERE {}", condition(dice)),
        false => String::new(),
    };
    match dice.below(10) {
        0 => format!(
            "SELECT {} AS a, {} AS b FROM {from}{filter}",
            dice.one(AGGREGATES),
            dice.one(AGGREGATES)
        ),
        1 => format!(
            "SELECT {t} AS a, {} AS b FROM {from}{filter} GROUP BY {t} HAVING count(*) > {}",
            dice.one(AGGREGATES),
            dice.below(2),
            t = dice.one(&["word", "day", "id % 2"])
        ),
        2 => format!(
            "SELECT word AS a, {} OVER (ORDER BY id, word) AS b FROM {from}{filter}",
            dice.one(&[
                "row_number()",
                "sum(amount)",
                "lag(word)",
                "first_value(word)",
                "count(*)",
                "rank()"
            ])
        ),
        3 if depth > 0 => {
            let operator = dice.one(&["UNION", "UNION ALL", "INTERSECT", "EXCEPT"]);
            let right = dice.one(RELATIONS);
            format!(
                "SELECT word AS a, id AS b FROM {from}{filter} {operator} SELECT word, id FROM {right}"
            )
        }
        4 => format!(
            "SELECT DISTINCT {} AS a, {} AS b FROM {from}{filter} ORDER BY 1, 2 LIMIT {}",
            dice.one(TEXTS),
            number(dice),
            1 + dice.below(5)
        ),
        5 => unusual(dice, &from, &filter),
        _ => format!(
            "SELECT {} AS a, {} AS b FROM {from}{filter}",
            dice.one(TEXTS),
            number(dice)
        ),
    }
}

/// What fewer people write.
fn unusual(dice: &mut Dice, from: &str, filter: &str) -> String {
    let other = dice.one(RELATIONS);
    match dice.below(7) {
        0 => format!(
            "SELECT word AS a, count(*) AS b FROM {from}{filter} GROUP BY ROLLUP (word, id % 2)"
        ),
        1 => format!(
            "SELECT DISTINCT ON (word) word AS a, id AS b FROM {from}{filter} ORDER BY word, id, amount"
        ),
        2 => format!(
            "SELECT (SELECT max(w.word) FROM {other} w WHERE w.id = x.id) AS a, x.id AS b FROM {other} x"
        ),
        3 => format!("SELECT to_jsonb(x)::text AS a, x.id AS b FROM {other} x"),
        4 => format!("SELECT x::text AS a, x.id AS b FROM {other} x"),
        5 => format!(
            "SELECT word AS a, id AS b FROM {other} TABLESAMPLE BERNOULLI (100) WHERE {}",
            condition(dice)
        ),
        _ => format!(
            "SELECT word AS a, n AS b FROM (WITH RECURSIVE r AS (SELECT id, word, 1 AS n FROM {other} UNION \
             SELECT e.id, e.word, r.n + 1 FROM r JOIN {other} e ON e.id = r.id + 1 WHERE r.n < 4) SELECT * FROM r) AS q"
        ),
    }
}

fn source(dice: &mut Dice, depth: usize) -> String {
    let relation = dice.one(RELATIONS);
    if depth == 0 {
        return relation.to_owned();
    }
    match dice.below(9) {
        0 => format!("(SELECT * FROM {relation} WHERE {}) AS s", condition(dice)),
        1 => format!(
            "{relation} JOIN (SELECT id AS other FROM {}) j ON id = other",
            dice.one(RELATIONS)
        ),
        2 => format!(
            "{relation} LEFT JOIN (SELECT id AS other, word AS twin FROM {}) j ON id = other",
            dice.one(RELATIONS)
        ),
        3 => format!(
            "{relation} CROSS JOIN (SELECT count(*) AS c FROM {}) k",
            dice.one(RELATIONS)
        ),
        4 => format!(
            "{relation}, LATERAL (SELECT max(l.word) AS top FROM {} l WHERE l.id > 1) AS lat",
            dice.one(RELATIONS)
        ),
        5 => format!("(SELECT * FROM {relation} ORDER BY amount DESC, id, word LIMIT 3) AS s"),
        6 => format!(
            "(SELECT {relation_columns} FROM {relation} FULL JOIN {} x USING (id)) AS s",
            dice.one(RELATIONS),
            relation_columns = "id, x.word, x.amount, x.day"
        ),
        _ => relation.to_owned(),
    }
}

/// Tables that acme's role may write.
const TARGETS: &[&str] = &["ledger", "own", "shared_book", "narrow", "masked"];

fn change(dice: &mut Dice) -> String {
    let target = dice.one(TARGETS);
    let returning = dice.one(&[
        "",
        " RETURNING *",
        " RETURNING word, amount",
        " RETURNING 1 / (id - 2)",
        " RETURNING word::int",
    ]);
    let changed = match dice.below(8) {
        0 => format!(
            "UPDATE {target} SET word = word || '!' WHERE {}{returning}",
            condition(dice)
        ),
        1 => format!("DELETE FROM {target} WHERE {}{returning}", condition(dice)),
        2 => format!(
            "INSERT INTO {target} (id, word, amount, day) SELECT id + 100, word, amount, day FROM {} WHERE id < 9{returning}",
            dice.one(RELATIONS)
        ),
        3 => format!(
            "INSERT INTO {target} (id, word) VALUES ({}, 'mine') ON CONFLICT DO NOTHING{returning}",
            dice.below(20)
        ),
        4 => format!(
            "UPDATE {target} SET amount = s.amount FROM {} s WHERE s.id = {target}.id{returning}",
            dice.one(RELATIONS)
        ),
        5 => format!(
            "WITH gone AS (DELETE FROM {target} WHERE {} RETURNING *) SELECT * FROM gone",
            condition(dice)
        ),
        6 => format!(
            "DELETE FROM {target} USING {} s WHERE s.id = {target}.id RETURNING s.word, s.amount",
            dice.one(RELATIONS)
        ),
        _ => format!(
            "MERGE INTO {target} t USING {} s ON t.id = s.id WHEN MATCHED THEN UPDATE SET word = s.word \
             WHEN NOT MATCHED THEN INSERT (id, word) VALUES (s.id, s.word)",
            dice.one(RELATIONS)
        ),
    };
    format!("BEGIN; {changed}; SELECT count(*), min(word), max(word) FROM {target}; ROLLBACK")
}

/// What asks about things and not rows.
const ABOUT: &[&str] = &[
    "SELECT relname, reltuples, relpages FROM pg_class WHERE relname IN ('ledger', 'own', 'shared_book', 'hidden') ORDER BY 1",
    "SELECT count(*) FROM pg_class WHERE oid >= 16384",
    "SELECT pg_total_relation_size('ledger'), pg_relation_size('own')",
    "SELECT datname FROM pg_database ORDER BY 1",
    "SELECT rolname FROM pg_roles ORDER BY 1",
    "SELECT relname, n_live_tup, n_tup_ins FROM pg_stat_user_tables ORDER BY 1",
    "SELECT count(*) FROM pg_stat_activity WHERE datname <> current_database()",
    "SELECT tablename, attname, n_distinct FROM pg_stats ORDER BY 1, 2",
    "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1",
    "SELECT * FROM hidden",
    "SELECT 'hidden'::regclass",
    "SELECT * FROM zqxglobexzqx.x",
    "SELECT nextval('counter'), currval('counter')",
    "SELECT polname FROM pg_policy ORDER BY 1",
    "SELECT * FROM forecast((SELECT day, amount FROM ledger), timestamp_col => day, data_col => amount, horizon => 2)",
    "SELECT (ttest_1samp(amount, mu => 4)).statistic FROM ledger",
    "SELECT count(*) FROM ledger FOR VERSION AS OF 1",
    "SHOW ALL",
    "SELECT count(*) FROM tessera.audit_log",
    "SET ROLE gina",
    "SET SESSION AUTHORIZATION gina",
    "GRANT SELECT ON own TO gina",
    "DROP TABLE hidden",
    "SELECT has_table_privilege('gina', 'ledger', 'SELECT')",
    "SELECT relname, relpages, reltuples FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1",
    "SELECT pg_relation_size('narrow'), pg_table_size('narrow'), pg_total_relation_size('over_narrow')",
    "SELECT pg_relation_size('masked')",
    "SELECT count(*), max(oid::bigint) FROM pg_type",
    "SELECT count(*), max(oid::bigint) FROM pg_class",
    "SELECT count(*) FROM pg_attribute",
    "SELECT count(*) FROM pg_proc",
    "SELECT count(*) FROM pg_constraint",
    "SELECT count(*) FROM pg_depend",
    "SELECT * FROM pg_locks WHERE database IS NOT NULL",
    "SELECT most_common_vals, histogram_bounds FROM pg_stats",
    "SELECT * FROM information_schema.columns WHERE table_name IN ('hidden', 'narrow', 'card_book') ORDER BY 3, 4",
    "SELECT * FROM information_schema.role_table_grants ORDER BY 4, 5, 7",
    "SELECT * FROM tessera.masking_policies",
    "SELECT * FROM tessera.column_masks",
    "SELECT policyname, qual FROM pg_policies ORDER BY 1",
    "SELECT * FROM pg_prepared_statements",
    "SELECT * FROM pg_cursors",
    "SELECT * FROM pg_authid",
    "SELECT * FROM tessera.who_can_read",
    "SELECT * FROM tessera.failed_logins",
    "SELECT current_setting('tessera.tenant', true), set_config('tessera.tenant', 'globex', false)",
    "SET row_security = off; SELECT count(*) FROM narrow; RESET row_security",
    "SET search_path = globex, public; SELECT * FROM hidden; RESET search_path",
    "SELECT pg_get_viewdef('over_narrow'::regclass)",
    "SELECT obj_description('hidden'::regclass)",
    "SELECT count(*) FROM narrow FOR VERSION AS OF 1",
    "BEGIN; LOCK TABLE narrow IN SHARE MODE; ROLLBACK",
    "SELECT pg_notify('news', 'x')",
    "ANALYZE narrow",
    "VACUUM ledger",
    "TRUNCATE narrow",
    "CREATE POLICY mine ON narrow USING (true)",
    "ALTER TABLE narrow DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE masked ALTER COLUMN word UNSET MASKING POLICY",
    "CREATE UNIQUE INDEX ON narrow (id)",
    "ALTER TABLE masked ADD CHECK (word <> 'x')",
];

/// A statement, and whether its answer is the same each time.
pub(super) fn statement(dice: &mut Dice) -> (String, bool) {
    match dice.below(17) {
        0 => (format!("EXPLAIN {}", select(dice, 1)), true),
        1 => (format!("EXPLAIN ANALYZE {}", select(dice, 1)), true),
        2 => (copy(dice), true),
        3 | 4 => (change(dice), true),
        5 | 6 => {
            let about = dice.one(ABOUT);
            // Sizes and activity are the session's own, and may move by themselves.
            (about.to_owned(), !about.contains("nextval"))
        }
        7 => (
            format!(
                "WITH c AS ({}) SELECT count(*), min(a::text), max(b::text) FROM c",
                select(dice, 2)
            ),
            true,
        ),
        8 => (
            format!("SELECT {} FROM {}", dice.one(FRAGILE), dice.one(RELATIONS)),
            true,
        ),
        9 => (prepared(dice), true),
        10 => (
            format!(
                "BEGIN; DECLARE c CURSOR FOR {}; FETCH 2 FROM c; FETCH ALL FROM c; ROLLBACK",
                select(dice, 1)
            ),
            false,
        ),
        11 => (scrolled(dice), true),
        12 | 13 => (analysis(dice), true),
        14 => (kept(dice), true),
        _ => (select(dice, 2), true),
    }
}

fn copy(dice: &mut Dice) -> String {
    let format = dice.one(&["text", "csv", "binary"]);
    match dice.below(4) {
        0 => format!(
            "COPY {} TO STDOUT (FORMAT {format})",
            dice.one(&[
                "ledger",
                "narrow",
                "masked",
                "shared_book",
                "card_book",
                "own"
            ])
        ),
        1 => {
            let target = dice.one(TARGETS);
            let condition = condition(dice);
            format!(
                "BEGIN; COPY (UPDATE {target} SET id = id WHERE {condition} RETURNING *) TO STDOUT (FORMAT {format}); ROLLBACK"
            )
        }
        _ => format!("COPY ({}) TO STDOUT (FORMAT {format})", select(dice, 1)),
    }
}

fn prepared(dice: &mut Dice) -> String {
    if dice.happens(5) {
        return format!(
            "PREPARE p AS {}; EXECUTE p; EXECUTE p; DEALLOCATE p",
            select(dice, 1)
        );
    }
    let relation = dice.one(RELATIONS);
    let aggregate = dice.one(AGGREGATES);
    format!(
        "PREPARE p (int, text) AS SELECT {aggregate} FROM {relation} WHERE id > $1 OR word LIKE $2; \
         EXECUTE p (2, '%a%'); EXECUTE p (-1, '%globex%'); EXPLAIN EXECUTE p (0, '%'); DEALLOCATE p"
    )
}

/// All of a cursor, whatever its order.
fn scrolled(dice: &mut Dice) -> String {
    let query = select(dice, 1);
    let hold = dice.one(&["", " WITH HOLD"]);
    format!(
        "BEGIN; DECLARE c SCROLL CURSOR{hold} FOR {query}; FETCH ALL FROM c; MOVE BACKWARD ALL IN c; \
         FETCH ALL FROM c; FETCH RELATIVE 0 FROM c; ROLLBACK"
    )
}

fn analysis(dice: &mut Dice) -> String {
    let relation = dice.one(RELATIONS);
    let of = match dice.below(3) {
        0 => relation.to_owned(),
        1 => format!("(SELECT * FROM {relation} WHERE {})", condition(dice)),
        _ => format!("(SELECT id, word, amount, day FROM {relation} ORDER BY id, word LIMIT 20)"),
    };
    let call = dice.one(ANALYSES).replace("{}", &of);
    let explain = if dice.happens(1) { "EXPLAIN " } else { "" };
    format!("{explain}SELECT * FROM {call}")
}

/// Rows that are put aside and read again.
fn kept(dice: &mut Dice) -> String {
    let query = select(dice, 1);
    match dice.below(4) {
        0 => format!("BEGIN; CREATE TEMP TABLE aside AS {query}; SELECT * FROM aside; ROLLBACK"),
        1 => format!(
            "BEGIN; SELECT * INTO TEMP aside FROM ({query}) AS q; SELECT count(*), min(a::text) FROM aside; ROLLBACK"
        ),
        2 => format!(
            "BEGIN; CREATE VIEW aside AS {query}; SELECT * FROM aside; EXPLAIN SELECT * FROM aside; ROLLBACK"
        ),
        _ => {
            let relation = dice.one(RELATIONS);
            let lock = dice.one(&["FOR UPDATE", "FOR SHARE", "FOR NO KEY UPDATE SKIP LOCKED"]);
            format!(
                "BEGIN; SELECT id, word FROM {relation} WHERE {} {lock}; ROLLBACK",
                condition(dice)
            )
        }
    }
}
