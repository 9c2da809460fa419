//! From the rows of a group to one regular series, and from steps back to times of the column's type.
//! It knows nothing of models.

use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, Offset, TimeDelta, TimeZone};
use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array};
use datafusion::arrow::compute::{CastOptions, cast, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Int64Type, TimeUnit};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::math::calendar::{self, Frequency};
use crate::relation::Failure;

/// A series with gaps may become this long, or [`MAX_GROWTH`] times as long as it has rows.
const MAX_LENGTH: usize = 1_000_000;
const MAX_GROWTH: usize = 10;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// How rows become a series.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) time_type: DataType,
    /// None: found in the times.
    pub(super) step: Option<Step>,
    pub(super) on_gap: OnGap,
    pub(super) on_duplicate: OnDuplicate,
}

/// The distance of two observations.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Of dates and timestamps.
    Calendar(Frequency),
    /// Of integers.
    Count(i64),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum OnGap {
    Interpolate,
    Refuse,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum OnDuplicate {
    Mean,
    Sum,
    Refuse,
}

/// A value at every step, none missing.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) values: Vec<f64>,
    clock: Clock,
    step: Step,
    first: i64,
    last: i64,
}

/// How a column's values and ticks answer to each other. Ticks are microseconds, or the integers themselves.
#[derive(Debug)]
struct Clock {
    data_type: DataType,
    /// Ticks are this zone's wall clock: days and longer steps keep their hour through daylight saving.
    zone: Option<Tz>,
}

impl Series {
    /// Makes the series of a group, whose rows are ordered by time.
    pub(super) fn new(times: &ArrayRef, values: Vec<f64>, rules: &Rules) -> Result<Self, Failure> {
        let utc = Clock {
            data_type: rules.time_type.clone(),
            zone: None,
        };
        let (times, values) = timed(&utc.ticks(times)?, values);
        let (mut times, values) = merged(times, &values, rules.on_duplicate, &utc)?;
        // A row without a value still shows the frequency.
        let step = step(rules, &times);
        let known = |value: &f64| !value.is_nan();
        let (Some(start), Some(end)) = (
            values.iter().position(known),
            values.iter().rposition(known),
        ) else {
            return Err(Failure::refused("too few observations: 0 < 1"));
        };
        let (step, zone) = step?;
        let clock = Clock { zone, ..utc };
        times = times[start..=end]
            .iter()
            .map(|time| clock.wall_time(*time))
            .collect::<Result<_, _>>()?;
        let values = &values[start..=end];
        let (first, last) = (times[0], times[times.len() - 1]);
        let length = step.length(first, last);
        let limit = MAX_LENGTH.max(times.len().saturating_mul(MAX_GROWTH));
        if length > limit {
            return Err(Failure::refused(format_args!(
                "too many steps from first to last: {length} > {limit}"
            )));
        }
        let values = step.align(&times, values).ok_or_else(|| {
            Failure::refused("the timestamps do not lie on the steps of the frequency")
        })?;
        let mut series = Self {
            values,
            clock,
            step,
            first,
            last,
        };
        series.fill(rules.on_gap)?;
        Ok(series)
    }

    /// The season lengths that the frequency suggests.
    pub(super) fn default_periods(&self) -> &'static [usize] {
        match &self.step {
            Step::Calendar(frequency) => frequency.default_periods(),
            Step::Count(_) => &[],
        }
    }

    /// The times of the first `history` values and of as many steps after the last as `horizon` says.
    pub(super) fn times(&self, history: usize, horizon: usize) -> Result<ArrayRef, Failure> {
        let past = (0..history).map(|steps| self.step.after(self.first, steps));
        let ahead = (1..=horizon).map(|steps| self.step.after(self.last, steps));
        let ticks = past.chain(ahead).collect::<Option<Vec<i64>>>();
        self.clock.array(ticks.ok_or_else(out_of_range)?)
    }

    fn fill(&mut self, on_gap: OnGap) -> Result<(), Failure> {
        let Some(gap) = self.values.iter().position(|value| value.is_nan()) else {
            return Ok(());
        };
        match on_gap {
            OnGap::Refuse => {
                let time = self.step.after(self.first, gap).ok_or_else(out_of_range)?;
                Err(Failure::refused(format_args!(
                    "no value at {}",
                    self.clock.text(time)?
                )))
            }
            OnGap::Interpolate => {
                interpolate(&mut self.values);
                Ok(())
            }
        }
    }
}

impl Step {
    fn after(&self, time: i64, steps: usize) -> Option<i64> {
        match self {
            Step::Calendar(frequency) => Some(frequency.next(time, steps)),
            Step::Count(step) => time.checked_add(step.checked_mul(i64::try_from(steps).ok()?)?),
        }
    }

    /// How many values there are from first to last, roughly where steps differ.
    fn length(&self, first: i64, last: i64) -> usize {
        let step = match self {
            Step::Calendar(frequency) => frequency.next(first, 1).saturating_sub(first),
            Step::Count(step) => *step,
        };
        let steps = last.abs_diff(first) / step.unsigned_abs().max(1);
        usize::try_from(steps)
            .unwrap_or(usize::MAX)
            .saturating_add(1)
    }

    fn align(&self, times: &[i64], values: &[f64]) -> Option<Vec<f64>> {
        match self {
            Step::Calendar(frequency) => calendar::align(times, values, frequency),
            Step::Count(step) => {
                let (first, last) = (times.first()?, times.last()?);
                let mut series = vec![f64::NAN; self.length(*first, *last)];
                for (time, value) in times.iter().zip(values) {
                    let offset = time.abs_diff(*first);
                    if offset % step.unsigned_abs() != 0 {
                        return None;
                    }
                    *series.get_mut(usize::try_from(offset / step.unsigned_abs()).ok()?)? = *value;
                }
                Some(series)
            }
        }
    }

    fn is_day_or_longer(&self, from: i64) -> bool {
        matches!(self, Step::Calendar(frequency) if frequency.next(from, 1).saturating_sub(from) >= MICROS_PER_DAY)
    }
}

/// The step to use, and the zone whose days it counts. A step below a day is the same everywhere.
fn step(rules: &Rules, times: &[i64]) -> Result<(Step, Option<Tz>), Failure> {
    let zone = zone(&rules.time_type);
    let wall = |zone: Tz| {
        let clock = Clock {
            data_type: rules.time_type.clone(),
            zone: Some(zone),
        };
        times
            .iter()
            .map(|time| clock.wall_time(*time))
            .collect::<Result<Vec<_>, _>>()
    };
    let first = times.first().copied().unwrap_or_default();
    if let Some(step) = &rules.step {
        return Ok((step.clone(), zone.filter(|_| step.is_day_or_longer(first))));
    }
    if times.len() < 2 {
        return Err(Failure::refused(format_args!(
            "too few observations: {} < 2",
            times.len()
        )));
    }
    if rules.time_type.is_integer() {
        return Ok((Step::Count(common_step(times)), None));
    }
    if let Some(zone) = zone
        && let Some(frequency) = calendar::detect_frequency(&wall(zone)?)
        && Step::Calendar(frequency).is_day_or_longer(first)
    {
        return Ok((Step::Calendar(frequency), Some(zone)));
    }
    match calendar::detect_frequency(times) {
        Some(frequency) => Ok((Step::Calendar(frequency), None)),
        None => Err(Failure::refused("the timestamps have no regular frequency")),
    }
}

fn zone(data_type: &DataType) -> Option<Tz> {
    match data_type {
        DataType::Timestamp(_, Some(zone)) if !zone.eq_ignore_ascii_case("utc") => {
            zone.parse().ok()
        }
        _ => None,
    }
}

/// The greatest step that meets every time; times are distinct and ordered.
fn common_step(times: &[i64]) -> i64 {
    let divisor = times
        .windows(2)
        .fold(0, |divisor, pair| gcd(divisor, pair[1].abs_diff(pair[0])));
    i64::try_from(divisor).unwrap_or(i64::MAX).max(1)
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The rows with a time.
fn timed(times: &Int64Array, values: Vec<f64>) -> (Vec<i64>, Vec<f64>) {
    times
        .iter()
        .zip(values)
        .filter_map(|(time, value)| Some((time?, value)))
        .unzip()
}

/// One value a time, NaN where there is none.
fn merged(
    times: Vec<i64>,
    values: &[f64],
    on_duplicate: OnDuplicate,
    clock: &Clock,
) -> Result<(Vec<i64>, Vec<f64>), Failure> {
    if times.is_sorted_by(|a, b| a < b) {
        return Ok((times, values.to_vec()));
    }
    let mut distinct = Vec::with_capacity(times.len());
    let mut merged = Vec::with_capacity(times.len());
    let mut start = 0;
    for run in times.chunk_by(|a, b| a == b) {
        let same = &values[start..start + run.len()];
        start += run.len();
        let known: Vec<f64> = same
            .iter()
            .copied()
            .filter(|value| !value.is_nan())
            .collect();
        let sum: f64 = known.iter().sum();
        merged.push(match on_duplicate {
            OnDuplicate::Refuse if run.len() > 1 => {
                let time = clock.text(run[0])?;
                return Err(Failure::refused(format_args!("several values at {time}")));
            }
            _ if known.is_empty() => f64::NAN,
            OnDuplicate::Sum | OnDuplicate::Refuse => sum,
            #[expect(clippy::cast_precision_loss, reason = "a group never has 2^53 rows")]
            OnDuplicate::Mean => sum / known.len() as f64,
        });
        distinct.push(run[0]);
    }
    Ok((distinct, merged))
}

/// Draws a line over every gap; first and last value are known.
fn interpolate(values: &mut [f64]) {
    let mut known = 0;
    for i in 1..values.len() {
        if values[i].is_nan() {
            continue;
        }
        let (from, to) = (values[known], values[i]);
        #[expect(clippy::cast_precision_loss, reason = "a series is shorter than 2^53")]
        let steps = (i - known) as f64;
        for (offset, value) in values[known..i].iter_mut().enumerate().skip(1) {
            #[expect(clippy::cast_precision_loss, reason = "a series is shorter than 2^53")]
            let share = offset as f64 / steps;
            *value = from + (to - from) * share;
        }
        known = i;
    }
}

impl Clock {
    fn is_integer(&self) -> bool {
        self.data_type.is_integer()
    }

    /// Ticks of a column. Nanoseconds are rounded down to microseconds.
    fn ticks(&self, times: &ArrayRef) -> Result<Int64Array, Failure> {
        let strict = CastOptions {
            safe: false,
            format_options: FormatOptions::new(),
        };
        let ticks = if self.is_integer() {
            cast_with_options(times, &DataType::Int64, &strict).map_err(|_| out_of_range())?
        } else {
            let zone = match &self.data_type {
                DataType::Timestamp(_, zone) => zone.clone(),
                _ => None,
            };
            let micros = DataType::Timestamp(TimeUnit::Microsecond, zone);
            let micros = cast_with_options(times, &micros, &strict).map_err(|_| out_of_range())?;
            cast(&micros, &DataType::Int64)?
        };
        let ticks = ticks.as_primitive::<Int64Type>();
        // The type's extreme values stand for infinity.
        let infinite = |tick: i64| tick == i64::MAX || tick == i64::MIN;
        if !self.is_integer() && ticks.iter().flatten().any(infinite) {
            return Err(out_of_range());
        }
        Ok(ticks.clone())
    }

    /// A column of ticks.
    fn array(&self, ticks: Vec<i64>) -> Result<ArrayRef, Failure> {
        let ticks = match self.zone {
            Some(_) => ticks
                .into_iter()
                .map(|tick| self.instant(tick))
                .collect::<Result<_, _>>()?,
            None => ticks,
        };
        let ticks: ArrayRef = Arc::new(Int64Array::from(ticks));
        let strict = CastOptions {
            safe: false,
            format_options: FormatOptions::new(),
        };
        if self.is_integer() {
            return cast_with_options(&ticks, &self.data_type, &strict).map_err(|_| out_of_range());
        }
        let zone = match &self.data_type {
            DataType::Timestamp(_, zone) => zone.clone(),
            _ => None,
        };
        let micros = cast(&ticks, &DataType::Timestamp(TimeUnit::Microsecond, zone))?;
        cast_with_options(&micros, &self.data_type, &strict).map_err(|_| out_of_range())
    }

    fn text(&self, tick: i64) -> Result<String, Failure> {
        let time = self.array(vec![tick])?;
        let options = FormatOptions::new().with_timestamp_format(Some("%Y-%m-%d %H:%M:%S"));
        let options = options.with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%:z"));
        Ok(ArrayFormatter::try_new(&time, &options)?
            .value(0)
            .to_string())
    }

    fn wall_time(&self, micros: i64) -> Result<i64, Failure> {
        let Some(zone) = self.zone else {
            return Ok(micros);
        };
        let time = DateTime::from_timestamp_micros(micros).ok_or_else(out_of_range)?;
        let offset = zone
            .offset_from_utc_datetime(&time.naive_utc())
            .fix()
            .local_minus_utc();
        Ok(micros + i64::from(offset) * 1_000_000)
    }

    /// A wall time that daylight saving skips is taken an hour later, one that comes twice the first time.
    fn instant(&self, wall: i64) -> Result<i64, Failure> {
        let Some(zone) = self.zone else {
            return Ok(wall);
        };
        let naive: NaiveDateTime = DateTime::from_timestamp_micros(wall)
            .ok_or_else(out_of_range)?
            .naive_utc();
        let found = zone.from_local_datetime(&naive).earliest();
        let later = || {
            zone.from_local_datetime(&(naive + TimeDelta::hours(1)))
                .earliest()
        };
        let time = found.or_else(later).ok_or_else(out_of_range)?;
        Ok(time.timestamp_micros())
    }
}

fn out_of_range() -> Failure {
    Failure::refused("timestamp out of range")
}
