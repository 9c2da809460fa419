//! Finding the frequency of ascending timestamps.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDateTime};

use super::frequency::{
    DAY, Frequency, HOUR, MINUTE, SECOND, Unit, WEEK, civil, is_weekend, month_length, month_number,
};

/// Grid points per observation beyond which a common divisor is not a frequency but noise.
const MAX_SPARSENESS: i64 = 8;

/// Finds the frequency of ascending timestamps, gaps allowed; `None` where they follow no grid.
///
/// Months, quarters and years are tried first (same day, or the last day, of each month), then business days,
/// then steps of equal length. Equal timestamps count once; fewer than two distinct ones have no frequency.
pub fn detect_frequency(micros: &[i64]) -> Option<Frequency> {
    let mut distinct = micros.to_vec();
    distinct.dedup();
    if distinct.len() < 2 || distinct.windows(2).any(|pair| pair[0] > pair[1]) {
        return None;
    }
    let steps: Vec<i64> = distinct
        .windows(2)
        .map(|pair| pair[1].saturating_sub(pair[0]))
        .collect();
    months(&distinct, &steps)
        .or_else(|| business_days(&distinct, &steps))
        .or_else(|| equal_steps(&steps))
}

fn months(micros: &[i64], steps: &[i64]) -> Option<Frequency> {
    if steps.iter().any(|step| *step < 28 * DAY - HOUR) {
        return None;
    }
    let dates: Vec<NaiveDateTime> = micros.iter().map(|t| civil(*t)).collect::<Option<_>>()?;
    let day = dates.iter().map(|at| at.day()).max()?;
    let length = |at: &NaiveDateTime| month_length(at.date());
    let all_last = dates.iter().all(|at| at.day() == length(at));
    if !all_last && !dates.iter().all(|at| at.day() == day.min(length(at))) {
        return None;
    }
    let step = dates
        .windows(2)
        .map(|pair| month_number(pair[1].date()) - month_number(pair[0].date()))
        .fold(0, greatest_common_divisor);
    // Four weeks apart over two timestamps can look like a month; a month apart on one day is one.
    if step == 0 {
        return None;
    }
    let (unit, count) = match step {
        n if n % 12 == 0 => (Unit::Year, n / 12),
        n if n % 3 == 0 => (Unit::Quarter, n / 3),
        n => (Unit::Month, n),
    };
    let frequency = Frequency::new(unit, u32::try_from(count).ok()?);
    Some(if all_last {
        frequency.at_month_end()
    } else {
        frequency.on_day(day)
    })
}

/// Days without weekends, with at least one weekend left out.
fn business_days(micros: &[i64], steps: &[i64]) -> Option<Frequency> {
    let near_day = |step: i64| (step - (step + DAY / 2) / DAY * DAY).abs() <= HOUR;
    if !steps.iter().all(|step| near_day(*step))
        || !steps.iter().any(|step| (step - DAY).abs() <= HOUR)
    {
        return None;
    }
    let weekdays = micros
        .iter()
        .all(|t| civil(*t).is_some_and(|at| !is_weekend(at.date())));
    // A span of a week without weekend days, or any step from Friday to Monday.
    let crosses = steps.iter().any(|step| (step - 3 * DAY).abs() <= HOUR)
        || micros[micros.len() - 1] - micros[0] >= WEEK;
    (weekdays && crosses).then(|| Frequency::new(Unit::BusinessDay, 1))
}

fn equal_steps(steps: &[i64]) -> Option<Frequency> {
    let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
    for step in steps {
        *counts.entry(*step).or_default() += 1;
    }
    // The most frequent step; the shortest of several.
    let (usual, _) = counts.iter().rev().max_by_key(|(_, n)| **n)?;
    let slack = if *usual >= DAY - HOUR {
        HOUR
    } else {
        usual / 100
    };
    let fits = |step: &i64| {
        let off = step.rem_euclid(*usual);
        off.min(usual - off) <= slack
    };
    if counts.keys().all(fits) {
        return Some(named(rounded(*usual)));
    }
    let divisor = steps.iter().fold(0, |a, b| greatest_common_divisor(a, *b));
    let span = steps.iter().fold(0i64, |a, b| a.saturating_add(*b));
    (span / divisor <= MAX_SPARSENESS * steps.len() as i64).then(|| named(divisor))
}

/// A step of nearly whole days made whole, as daylight saving may have bent it.
fn rounded(step: i64) -> i64 {
    let whole = (step + DAY / 2) / DAY * DAY;
    if whole > 0 && (step - whole).abs() <= HOUR {
        whole
    } else {
        step
    }
}

fn named(step: i64) -> Frequency {
    let units = [
        (Unit::Week, WEEK),
        (Unit::Day, DAY),
        (Unit::Hour, HOUR),
        (Unit::Minute, MINUTE),
        (Unit::Second, SECOND),
    ];
    for (unit, length) in units {
        if let (0, Ok(count)) = (step % length, u32::try_from(step / length)) {
            return Frequency::new(unit, count);
        }
    }
    Frequency::new(Unit::Microsecond, u32::try_from(step).unwrap_or(u32::MAX))
}

fn greatest_common_divisor(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.abs()
}
