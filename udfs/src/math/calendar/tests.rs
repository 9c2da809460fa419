//! Tests of frequencies and grids; dates come from the civil calendar itself.

use chrono::NaiveDate;

use super::*;

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

fn day(text: &str) -> i64 {
    text.parse::<NaiveDate>()
        .unwrap()
        .and_hms_opt(0, 0, 0)
        .unwrap()
        .and_utc()
        .timestamp_micros()
}

fn days(texts: &[&str]) -> Vec<i64> {
    texts.iter().map(|text| day(text)).collect()
}

fn found(micros: &[i64]) -> String {
    detect_frequency(micros).map_or("none".into(), |f| f.to_string())
}

#[test]
fn equal_steps_are_named_by_the_largest_unit() {
    let every = |step: i64| (0..10).map(|i| i * step).collect::<Vec<_>>();
    for (step, name) in [
        (1_000_000, "second"),
        (900_000_000, "15 minutes"),
        (HOUR, "hour"),
        (6 * HOUR, "6 hours"),
        (DAY, "day"),
        (7 * DAY, "week"),
        (14 * DAY, "2 weeks"),
        (250_000, "250000 microseconds"),
    ] {
        assert_eq!(found(&every(step)), name);
    }
}

#[test]
fn gaps_and_repeats_do_not_hide_the_step() {
    let hours: Vec<i64> = [0, 1, 1, 2, 5, 6, 9, 10, 11]
        .iter()
        .map(|h| h * HOUR)
        .collect();
    assert_eq!(found(&hours), "hour");
    let mixed: Vec<i64> = [0, 2, 5, 7, 10].iter().map(|h| h * HOUR).collect();
    assert_eq!(found(&mixed), "hour");
}

#[test]
fn irregular_or_descending_timestamps_have_no_frequency() {
    assert_eq!(found(&[0, 17, 1_000_003, 55_000_001, 900_000_007]), "none");
    assert_eq!(found(&[2 * DAY, DAY]), "none");
    assert_eq!(found(&[DAY]), "none");
    assert_eq!(found(&[]), "none");
}

#[test]
fn months_quarters_and_years_keep_their_day() {
    assert_eq!(
        found(&days(&["2024-01-01", "2024-02-01", "2024-03-01"])),
        "month"
    );
    assert_eq!(
        found(&days(&["2024-01-15", "2024-04-15", "2024-07-15"])),
        "quarter"
    );
    assert_eq!(
        found(&days(&[
            "2020-02-29",
            "2021-02-28",
            "2022-02-28",
            "2024-02-29"
        ])),
        "year end"
    );
    assert_eq!(
        found(&days(&[
            "2024-01-31",
            "2024-02-29",
            "2024-03-31",
            "2024-04-30"
        ])),
        "month end"
    );
    assert_eq!(
        found(&days(&["2023-03-31", "2023-06-30", "2023-09-30"])),
        "quarter end"
    );
    let thirtieth = detect_frequency(&days(&["2024-01-30", "2024-02-29", "2024-03-30"])).unwrap();
    assert_eq!(thirtieth.next(day("2024-02-29"), 1), day("2024-03-30"));
}

#[test]
fn missing_months_are_gaps() {
    assert_eq!(
        found(&days(&[
            "2024-01-01",
            "2024-02-01",
            "2024-05-01",
            "2024-06-01"
        ])),
        "month"
    );
}

#[test]
fn four_weeks_are_not_a_month() {
    assert_eq!(
        found(&days(&[
            "2024-01-01",
            "2024-01-29",
            "2024-02-26",
            "2024-03-25"
        ])),
        "4 weeks"
    );
}

#[test]
fn business_days_leave_weekends_out() {
    let week = days(&[
        "2024-05-30",
        "2024-05-31",
        "2024-06-03",
        "2024-06-04",
        "2024-06-06",
    ]);
    let frequency = detect_frequency(&week).unwrap();
    assert_eq!(frequency.to_string(), "business day");
    assert_eq!(frequency.next(day("2024-06-07"), 1), day("2024-06-10"));
    assert_eq!(frequency.next(day("2024-06-08"), 1), day("2024-06-10"));
    assert_eq!(frequency.next(day("2024-06-05"), 10), day("2024-06-19"));
    assert_eq!(
        frequency.steps_between(day("2024-06-07"), day("2024-06-17")),
        6
    );
    assert_eq!(frequency.default_periods(), &[5]);
}

#[test]
fn days_bent_by_daylight_saving_are_days() {
    // Midnights of Berlin around 31 March 2024, in UTC.
    let utc =
        [-2, -1, 0, 1, 2].map(|d| day("2024-03-31") + d * DAY - if d > 0 { 2 } else { 1 } * HOUR);
    assert_eq!(found(&utc), "day");
    let grid = align(
        &utc,
        &[1.0, 2.0, 3.0, 4.0, 5.0],
        Frequency::new(Unit::Day, 1),
    )
    .unwrap();
    assert_eq!(grid.values, [1.0, 2.0, 3.0, 4.0, 5.0]);
}

#[test]
fn months_ahead_respect_short_months_and_leap_years() {
    let end = Frequency::parse("month end").unwrap();
    assert_eq!(end.next(day("2023-12-31"), 2), day("2024-02-29"));
    assert_eq!(end.next(day("2024-02-29"), 1), day("2024-03-31"));
    let month = Frequency::new(Unit::Month, 1);
    assert_eq!(month.next(day("2024-01-31"), 1), day("2024-02-29"));
    assert_eq!(month.next(day("2024-03-31"), -1), day("2024-02-29"));
    assert_eq!(
        Frequency::new(Unit::Year, 1).next(day("2024-02-29"), 1),
        day("2025-02-28")
    );
    assert_eq!(month.next(i64::MAX, 1), i64::MAX);
}

#[test]
fn names_read_back() {
    for name in [
        "second",
        "15 minutes",
        "hour",
        "business day",
        "2 weeks",
        "month end",
        "quarter",
        "year end",
    ] {
        assert_eq!(Frequency::parse(name).unwrap().to_string(), name);
    }
    assert_eq!(
        Frequency::parse(" Business_Day "),
        Some(Frequency::new(Unit::BusinessDay, 1))
    );
    for name in [
        "",
        "0 days",
        "fortnight",
        "day end",
        "2 business days",
        "99999999999 days",
    ] {
        assert_eq!(Frequency::parse(name), None, "{name}");
    }
}

#[test]
fn gaps_are_found_and_filled() {
    let micros = days(&["2024-01-01", "2024-02-01", "2024-05-01"]);
    let mut grid = align(&micros, &[1.0, 2.0, 8.0], Frequency::new(Unit::Month, 1)).unwrap();
    assert_eq!(grid.gaps(), [2, 3]);
    assert_eq!(grid.micros[3], day("2024-04-01"));
    interpolate(&mut grid.values);
    assert_eq!(grid.values, [1.0, 2.0, 4.0, 6.0, 8.0]);
}

#[test]
fn ends_are_filled_and_nothing_known_stays() {
    let mut values = [f64::NAN, 3.0, f64::NAN];
    interpolate(&mut values);
    assert_eq!(values, [3.0; 3]);
    let mut unknown = [f64::NAN; 2];
    interpolate(&mut unknown);
    assert!(unknown.iter().all(|y| y.is_nan()));
    interpolate(&mut []);
}

#[test]
fn repeats_are_averaged_and_absurd_grids_refused() {
    let second = Frequency::new(Unit::Second, 1);
    assert_eq!(
        align(&[0, 0, 1_000_000], &[1.0, 3.0, 5.0], second)
            .unwrap()
            .values,
        [2.0, 5.0]
    );
    assert!(align(&[0, i64::MAX], &[1.0, 2.0], second).is_none());
    assert!(align(&[DAY, 0], &[1.0, 2.0], second).is_none());
    assert!(align(&[], &[], second).unwrap().values.is_empty());
}
