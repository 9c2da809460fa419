//! The manual of our functions as data: a page a function, with an example that a test runs.
//!
//! `tests/it/reference.rs` makes `docs/functions.md` of it: signatures come from the declarations, answers from a server.
//! A new function is a page in its chapter's file; a new family is a chapter.

mod anomaly;
mod kpi;
mod money;
mod portfolio;
mod risk;
mod series;
mod stats;
mod tests_of_hypotheses;
mod text;

/// A family of functions.
#[derive(Debug)]
pub struct Chapter {
    pub title: &'static str,
    /// What its functions have in common; Markdown.
    pub introduction: &'static str,
    pub pages: &'static [Page],
}

/// What the manual says of one function.
#[derive(Debug)]
pub struct Page {
    pub name: &'static str,
    /// What it answers, units and method; Markdown.
    pub text: &'static str,
    /// One statement over the tables of [`EXAMPLE_TABLES`]; its answer is part of the manual.
    pub example: &'static str,
}

/// The chapters in the order of the manual.
pub fn chapters() -> Vec<&'static Chapter> {
    vec![
        &series::CHAPTER,
        &anomaly::CHAPTER,
        &tests_of_hypotheses::CHAPTER,
        &stats::CHAPTER,
        &money::CHAPTER,
        &risk::CHAPTER,
        &portfolio::CHAPTER,
        &text::CHAPTER,
        &kpi::CHAPTER,
    ]
}

const fn page(name: &'static str, text: &'static str, example: &'static str) -> Page {
    Page {
        name,
        text,
        example,
    }
}

/// The tables that the examples read.
pub const EXAMPLE_TABLES: &[&str] = &[
    "CREATE TABLE sales (shop text, month date, units double precision, price double precision)",
    "INSERT INTO sales SELECT shop, (date '2021-01-01' + i * interval '1 month')::date,
       base + i * slope + CASE i % 12 WHEN 11 THEN 40 WHEN 10 THEN 15 WHEN 1 THEN -10 ELSE 0 END + (i * 7919 + base) % 7,
       10 + (i * 31) % 4
  FROM generate_series(0, 47) AS s(i), (VALUES ('north', 100, 1), ('south', 300, 0)) AS b(shop, base, slope)",
    "CREATE TABLE trial (patient int, arm text, before double precision, after double precision, age double precision, cured boolean)",
    "INSERT INTO trial SELECT i, CASE WHEN i % 2 = 0 THEN 'drug' ELSE 'placebo' END, 120 + (i * 17) % 23,
       118 + (i * 17) % 23 - CASE WHEN i % 2 = 0 THEN 8 ELSE 0 END + (i * 13) % 5, 30 + (i * 7) % 40, (i * 7) % 20 + 8 * ((i + 1) % 2) > 11
  FROM generate_series(1, 24) AS s(i)",
    "CREATE TABLE visits (who int, at timestamp, event text)",
    "INSERT INTO visits VALUES (1, '2024-01-03 10:00', 'view'), (1, '2024-01-03 10:05', 'cart'), (1, '2024-02-10 09:00', 'buy'),
  (2, '2024-01-20 12:00', 'view'), (2, '2024-01-20 12:10', 'cart'), (2, '2024-01-20 12:20', 'buy'),
  (3, '2024-02-02 08:00', 'view'), (3, '2024-03-02 08:00', 'view'), (4, '2024-02-05 08:00', 'view'), (4, '2024-02-06 07:00', 'cart')",
    "CREATE TABLE flows (year int, paid date, amount double precision)",
    "INSERT INTO flows VALUES (0, '2020-01-01', -1000), (1, '2021-01-01', 300), (2, '2022-01-01', 420), (3, '2023-01-01', 680)",
    "CREATE TABLE returns (day date, fund double precision, market double precision)",
    "INSERT INTO returns SELECT (date '2024-01-01' + i * interval '1 day')::date,
       round((0.0006 + (1 + 0.6 * sin(x / 20)) * (0.009 * sin(x * x) + 0.004 * sin(x * 7)))::numeric, 4)::double precision,
       round((0.0004 + (1 + 0.6 * sin(x / 20)) * 0.01 * sin(x * x))::numeric, 4)::double precision
  FROM (SELECT i, i::double precision AS x FROM generate_series(1, 250) AS g(i)) AS s",
    "CREATE TABLE prices (asset text, day date, price double precision)",
    "INSERT INTO prices SELECT asset, (date '2024-01-01' + i * interval '1 day')::date,
       round((start * exp(drift * x + swing * sin(x * x + start) + swing * cos(x / 9 + start)))::numeric, 2)::double precision
  FROM (SELECT i, i::double precision AS x FROM generate_series(0, 119) AS g(i)) AS s, (VALUES ('bonds', 100, 0.0001, 0.002), ('gold', 60, 0.0004, 0.01), ('tech', 150, 0.0008, 0.02)) AS b(asset, start, drift, swing)",
    "CREATE TABLE loans (id int, income double precision, debt_ratio double precision, defaulted boolean)",
    "INSERT INTO loans SELECT i, 20 + (i * 37) % 60, ((i * 53) % 100)::double precision / 100, (i * 53) % 100 + (i * 29) % 70 - (i * 37) % 60 / 2 > 80
  FROM generate_series(1, 80) AS s(i)",
    "CREATE TABLE news (at timestamp, ticker text, headline text)",
    "INSERT INTO news VALUES ('2024-05-01 08:00', 'NRD', 'Nordan beats forecasts as margins widen'), ('2024-05-01 15:30', 'NRD', 'Nordan cuts debt, raises its dividend'),
  ('2024-05-02 09:10', 'NRD', 'Nordan warns that costs of freight are rising'), ('2024-05-01 10:00', 'VLT', 'Volta recalls 4,000 cars after brake failures'),
  ('2024-05-03 11:45', 'VLT', 'Volta''s losses narrow, sales flat'), ('2024-05-03 12:00', 'VLT', 'Volta to hold its annual meeting in June')",
];
