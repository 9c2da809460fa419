//! The real series of `sales`: one line each in the file, one row a value in the table.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, StringArray, TimestampMicrosecondArray};
use chrono::{Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use crate::error::{Error, Result};

/// `tenant,series,frequency,start,values`; origin and licence stand beside it in README.md.
const SERIES: &str = include_str!("data/series.csv");

/// The columns tenant_id, series, frequency, at and value.
///
/// # Errors
/// A line that cannot be read, which is a bug.
pub(super) fn columns() -> Result<Vec<ArrayRef>> {
    rows(SERIES).ok_or_else(|| Error::internal("the demo's series cannot be read"))
}

fn rows(text: &str) -> Option<Vec<ArrayRef>> {
    let (mut tenants, mut names, mut frequencies) = (Vec::new(), Vec::new(), Vec::new());
    let (mut times, mut values) = (Vec::new(), Vec::new());
    for line in text.lines().skip(1) {
        let mut parts = line.splitn(5, ',');
        let (tenant, name, frequency) = (parts.next()?, parts.next()?, parts.next()?);
        let start = moment(parts.next()?)?;
        for (step, value) in (0..).zip(parts.next()?.split(' ')) {
            tenants.push(tenant);
            names.push(name);
            frequencies.push(frequency);
            times.push(after(start, frequency, step)?.and_utc().timestamp_micros());
            values.push(value.parse::<f64>().ok()?);
        }
    }
    Some(vec![
        Arc::new(StringArray::from(tenants)),
        Arc::new(StringArray::from(names)),
        Arc::new(StringArray::from(frequencies)),
        Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")),
        Arc::new(Float64Array::from(values)),
    ])
}

/// `2025-12-01`, or `2025-12-01T13` for an hour of that day.
fn moment(text: &str) -> Option<NaiveDateTime> {
    let (day, hour) = text.split_once('T').unwrap_or((text, "0"));
    let time = NaiveTime::from_hms_opt(hour.parse().ok()?, 0, 0)?;
    Some(day.parse::<NaiveDate>().ok()?.and_time(time))
}

fn after(start: NaiveDateTime, frequency: &str, steps: u32) -> Option<NaiveDateTime> {
    match frequency {
        "monthly" => start.checked_add_months(Months::new(steps)),
        "weekly" => start.checked_add_days(Days::new(u64::from(steps) * 7)),
        "hourly" => start.checked_add_signed(TimeDelta::hours(i64::from(steps))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_can_be_read() {
        let columns = columns().unwrap();
        assert_eq!(columns.len(), 5);
        assert_eq!(columns[0].len(), 9964);
        assert!(rows("head\nacme,a,daily,2025-01-01,1").is_none());
    }

    #[test]
    fn steps_follow_the_frequency() {
        let start = moment("2025-01-31").unwrap();
        let at = |frequency, steps| after(start, frequency, steps).unwrap().to_string();
        assert_eq!(at("monthly", 1), "2025-02-28 00:00:00");
        assert_eq!(at("weekly", 2), "2025-02-14 00:00:00");
        assert_eq!(at("hourly", 25), "2025-02-01 01:00:00");
    }
}
