//! From the rows of a group to one regular series, and from steps back to times of the column's type.
//! It knows nothing of what is done with the series.

use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, Offset, TimeDelta, TimeZone};
use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array};
use datafusion::arrow::compute::{CastOptions, cast, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Int64Type, TimeUnit};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::math::calendar::{self, Frequency, Unit};
use crate::relation::Failure;

/// A series with gaps may become this long, or [`MAX_GROWTH`] times as long as it has rows.
const MAX_LENGTH: usize = 1_000_000;
const MAX_GROWTH: usize = 10;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// How rows become a series.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) time_type: DataType,
    /// None: found in the times.
    pub(crate) step: Option<Step>,
    pub(crate) on_gap: OnGap,
    pub(crate) on_duplicate: OnDuplicate,
}

/// The distance of two observations.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Of dates and timestamps.
    Calendar(Frequency),
    /// Of integers.
    Count(i64),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum OnGap {
    Interpolate,
    Refuse,
    /// Missing values stay NaN.
    Keep,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum OnDuplicate {
    Mean,
    Sum,
    Refuse,
}

/// A value at every step, none missing.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) values: Vec<f64>,
    /// Which values were there; the others are interpolated.
    pub(crate) observed: Vec<bool>,
    /// The time of each value; where there is an observation, its own.
    grid: Vec<i64>,
    clock: Clock,
    step: Step,
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
    pub(crate) fn new(times: &ArrayRef, values: Vec<f64>, rules: &Rules) -> Result<Self, Failure> {
        let utc = Clock {
            data_type: rules.time_type.clone(),
            zone: None,
        };
        let (times, values) = timed(&utc.ticks(times)?, values);
        // A row without a value still shows the frequency.
        let found = step(rules, &times);
        if values.iter().all(|value| value.is_nan()) {
            return Err(Failure::refused("too few observations: 0 < 1"));
        }
        let (step, zone) = found?;
        let clock = Clock { zone, ..utc };
        let times = times.iter().map(|time| clock.wall_time(*time));
        let times = times.collect::<Result<Vec<_>, _>>()?;
        let (times, values) = merged(&times, &values, &step, &clock, rules.on_duplicate)?;
        let known = |value: &f64| !value.is_nan();
        let start = values.iter().position(known).unwrap_or(0);
        let end = values.iter().rposition(known).map_or(0, |last| last + 1);
        let (times, values) = (&times[start..end], &values[start..end]);

        let limit = MAX_LENGTH.max(times.len().saturating_mul(MAX_GROWTH));
        let length = step.length(times);
        if length > limit {
            return Err(Failure::refused(format_args!(
                "too many steps from first to last: {length} > {limit}"
            )));
        }
        let (grid, values) = step.align(times, values).ok_or_else(out_of_range)?;
        let mut series = Self {
            observed: values.iter().map(|value| !value.is_nan()).collect(),
            values,
            grid,
            clock,
            step,
        };
        series.fill(rules.on_gap)?;
        Ok(series)
    }

    /// The season lengths that the frequency suggests.
    pub(crate) fn default_periods(&self) -> &'static [usize] {
        match &self.step {
            Step::Calendar(frequency) => frequency.default_periods(),
            Step::Count(_) => &[],
        }
    }

    /// The same series with the values that were there alone, and their times.
    pub(crate) fn observations(&self) -> Result<(ArrayRef, Vec<usize>), Failure> {
        let places: Vec<usize> = (0..self.grid.len()).filter(|t| self.observed[*t]).collect();
        let ticks = places.iter().map(|t| self.grid[*t]).collect();
        Ok((self.clock.array(ticks)?, places))
    }

    /// How many steps after the last value each time of a column of the same type lies; none where it is NULL,
    /// not after it, or between steps.
    pub(crate) fn steps_ahead(&self, times: &ArrayRef) -> Result<Vec<Option<usize>>, Failure> {
        let last = self.grid.last().copied().ok_or_else(out_of_range)?;
        let mut steps = Vec::with_capacity(times.len());
        for tick in &self.clock.ticks(times)? {
            let place = match tick {
                Some(tick) => self.step.place(last, self.clock.wall_time(tick)?),
                None => None,
            };
            steps.push(
                place
                    .and_then(|place| usize::try_from(place).ok())
                    .filter(|place| *place > 0),
            );
        }
        Ok(steps)
    }

    /// The values of a column at the steps of the series: means where there are several, lines where there is none.
    pub(crate) fn beside(&self, times: &ArrayRef, values: &[f64]) -> Result<Vec<f64>, Failure> {
        let first = self.grid.first().copied().ok_or_else(out_of_range)?;
        let mut found = self.means(times, values, first, self.grid.len())?;
        calendar::interpolate(&mut found);
        Ok(found)
    }

    /// The values of a column of the same type at the steps after the last; NaN where there is none.
    pub(crate) fn ahead(
        &self,
        times: &ArrayRef,
        values: &[f64],
        horizon: usize,
    ) -> Result<Vec<f64>, Failure> {
        let last = self.grid.last().copied().ok_or_else(out_of_range)?;
        let mut found = self.means(times, values, last, horizon + 1)?;
        Ok(found.split_off(1))
    }

    /// The means of values at each of so many steps from a time on; NaN where there is none.
    fn means(
        &self,
        times: &ArrayRef,
        values: &[f64],
        from: i64,
        length: usize,
    ) -> Result<Vec<f64>, Failure> {
        let (mut sums, mut counts) = (vec![0.0; length], vec![0.0; length]);
        let ticks = self.clock.ticks(times)?;
        for (tick, value) in ticks.iter().zip(values).filter(|(_, v)| !v.is_nan()) {
            let Some(tick) = tick else { continue };
            let place = self.step.place(from, self.clock.wall_time(tick)?);
            let place = place.and_then(|place| usize::try_from(place).ok());
            if let Some(place) = place.filter(|place| *place < length) {
                sums[place] += value;
                counts[place] += 1.0;
            }
        }
        Ok(sums.iter().zip(&counts).map(|(sum, n)| sum / n).collect())
    }

    /// The steps, of the series and of those ahead, that a day lies in or that lie in it: the day of a wall time and
    /// `offset` days on.
    pub(crate) fn steps_of_day(
        &self,
        wall: i64,
        offset: i64,
        horizon: usize,
    ) -> Result<Range<usize>, Failure> {
        let start = wall.div_euclid(MICROS_PER_DAY) + offset;
        let start = start.checked_mul(MICROS_PER_DAY).ok_or_else(out_of_range)?;
        let end = start.saturating_add(MICROS_PER_DAY);
        let last = self.grid.last().copied().ok_or_else(out_of_range)?;
        let n = self.grid.len();
        let ahead = |steps: usize| self.step.after(last, steps).unwrap_or(i64::MAX);
        let before = |limit: i64| {
            let past = self.grid.partition_point(|time| *time < limit);
            let beyond = (1..=horizon + 1).take_while(|steps| ahead(*steps) < limit);
            if past < n { past } else { n + beyond.count() }
        };
        let within = before(start)..before(end);
        let all = n + horizon;
        let limited = |steps: Range<usize>| steps.start.min(all)..steps.end.min(all);
        Ok(match &self.step {
            Step::Calendar(frequency) if self.step_is_longer_than_a_day(*frequency) => {
                // Month ends close their step, other times begin it.
                let step = if frequency.is_month_end() {
                    within.start
                } else {
                    within.end.wrapping_sub(1)
                };
                if step < all { step..step + 1 } else { 0..0 }
            }
            _ => limited(within),
        })
    }

    fn step_is_longer_than_a_day(&self, frequency: Frequency) -> bool {
        let first = self.grid.first().copied().unwrap_or_default();
        frequency.unit() != Unit::BusinessDay
            && frequency.next(first, 1).saturating_sub(first) > MICROS_PER_DAY
    }

    /// The time of a step, of the series or ahead, in words.
    pub(crate) fn time_text(&self, step: usize) -> Result<String, Failure> {
        let tick = match self.grid.get(step) {
            Some(tick) => Some(*tick),
            None => {
                let last = self.grid.last().copied().ok_or_else(out_of_range)?;
                self.step.after(last, step + 1 - self.grid.len())
            }
        };
        self.clock.text(tick.ok_or_else(out_of_range)?)
    }

    /// The times of the first `history` values and of as many steps after the last as `horizon` says.
    pub(crate) fn times(&self, history: usize, horizon: usize) -> Result<ArrayRef, Failure> {
        let last = self.grid.last().copied().ok_or_else(out_of_range)?;
        let past = self.grid.iter().take(history).copied().map(Some);
        let ahead = (1..=horizon).map(|steps| self.step.after(last, steps));
        let ticks = past.chain(ahead).collect::<Option<Vec<i64>>>();
        self.clock.array(ticks.ok_or_else(out_of_range)?)
    }

    fn fill(&mut self, on_gap: OnGap) -> Result<(), Failure> {
        if let OnGap::Keep = on_gap {
            return Ok(());
        }
        let Some(gap) = self.values.iter().position(|value| value.is_nan()) else {
            return Ok(());
        };
        match on_gap {
            OnGap::Refuse => Err(Failure::refused(format_args!(
                "no value at {}",
                self.clock.text(self.grid[gap])?
            ))),
            OnGap::Interpolate => {
                calendar::interpolate(&mut self.values);
                Ok(())
            }
            OnGap::Keep => Ok(()),
        }
    }
}

impl Step {
    /// None beyond the times that there are.
    fn after(&self, time: i64, steps: usize) -> Option<i64> {
        let steps = i64::try_from(steps).ok()?;
        match self {
            // Beyond its end the calendar stands still.
            Step::Calendar(frequency) => {
                Some(frequency.next(time, steps)).filter(|next| *next > time)
            }
            Step::Count(step) => time.checked_add(step.checked_mul(steps)?),
        }
    }

    /// Which step after the first a time belongs to; none between the steps of integers.
    fn place(&self, first: i64, time: i64) -> Option<i64> {
        match self {
            Step::Calendar(frequency) => Some(frequency.steps_between(first, time)),
            Step::Count(step) => {
                let offset = time.checked_sub(first)?;
                (offset % step == 0).then_some(offset / step)
            }
        }
    }

    /// How many steps there are from the first to the last time, both included.
    fn length(&self, times: &[i64]) -> usize {
        let (Some(first), Some(last)) = (times.first(), times.last()) else {
            return 0;
        };
        let steps = self.place(*first, *last).map(usize::try_from);
        steps.map_or(usize::MAX, |steps| {
            steps.unwrap_or(usize::MAX).saturating_add(1)
        })
    }

    /// The times of all steps and their values, NaN where there is none.
    fn align(&self, times: &[i64], values: &[f64]) -> Option<(Vec<i64>, Vec<f64>)> {
        let first = *times.first()?;
        match self {
            Step::Calendar(frequency) => calendar::align(times, values, *frequency)
                .map(|aligned| (aligned.micros, aligned.values)),
            Step::Count(_) => {
                let length = self.length(times);
                let grid = (0..length).map(|steps| self.after(first, steps));
                let mut series = vec![f64::NAN; length];
                for (time, value) in times.iter().zip(values) {
                    let place = usize::try_from(self.place(first, *time)?).ok()?;
                    *series.get_mut(place)? = *value;
                }
                Some((grid.collect::<Option<_>>()?, series))
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
    let distinct = times.chunk_by(|a, b| a == b).count();
    if distinct < 2 {
        return Err(Failure::refused(format_args!(
            "too few observations: {distinct} < 2"
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

/// The greatest step that meets every time; times are ordered.
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

/// One value a step, NaN where there is none; with the first time of each.
fn merged(
    times: &[i64],
    values: &[f64],
    step: &Step,
    clock: &Clock,
    on_duplicate: OnDuplicate,
) -> Result<(Vec<i64>, Vec<f64>), Failure> {
    let first = times.first().copied().unwrap_or_default();
    let mut places = Vec::with_capacity(times.len());
    for time in times {
        let Some(place) = step.place(first, *time) else {
            let time = clock.text(*time)?;
            return Err(Failure::refused(format_args!(
                "{time} is not on a step of the frequency"
            )));
        };
        places.push(place);
    }
    let mut distinct = Vec::with_capacity(times.len());
    let mut merged = Vec::with_capacity(times.len());
    let mut start = 0;
    for run in places.chunk_by(|a, b| a == b) {
        let (time, same) = (times[start], &values[start..start + run.len()]);
        start += run.len();
        distinct.push(time);
        let same = same.iter().copied();
        let known: Vec<f64> = same.filter(|value| !value.is_nan()).collect();
        let sum: f64 = known.iter().sum();
        merged.push(match on_duplicate {
            OnDuplicate::Refuse if run.len() > 1 => {
                let time = clock.text(time)?;
                return Err(Failure::refused(format_args!("several values at {time}")));
            }
            _ if known.is_empty() => f64::NAN,
            OnDuplicate::Sum | OnDuplicate::Refuse => sum,
            #[expect(clippy::cast_precision_loss, reason = "a group never has 2^53 rows")]
            OnDuplicate::Mean => sum / known.len() as f64,
        });
    }
    Ok((distinct, merged))
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
