//! `cohort_retention(data, user_col => …, timestamp_col => …)`: how many users of each beginning come back.
//!
//! A user belongs to the cohort of the period (UTC; weeks begin on Mondays) of the first event. A row tells of a cohort and
//! a number of periods later how many of its users have an event there (`active`) and which share of them
//! (`retention`, 1 at period 0). Periods go to the last one with any event, or to `periods`. Rows without a user or a
//! time are left out.

use std::sync::Arc;

use arrow::array::{Array, Float64Array, Int64Array};
use arrow::compute::filter;
use arrow::datatypes::{DataType, Field};
use chrono::{DateTime, Datelike, NaiveDate};

use super::{USER, calendar_column, ticks, times};
use crate::error::Result;
use crate::math::kpi::cohorts;
use crate::relation::{
    Argument, Bound, Class, ColumnRef, Constant, Failure, Group, Layout, Options, Output,
    Signature, TableFunction, ValueType,
};
use crate::stats::codes;

const MICROS_PER_DAY: i64 = 86_400_000_000;
/// 1970-01-01 was a Thursday.
const MONDAY: i64 = 4 * MICROS_PER_DAY;
const MAX_PERIODS: i64 = 100_000;

static SIGNATURE: Signature = Signature {
    name: "cohort_retention",
    arguments: &[
        Argument::data("data"),
        USER,
        Argument::column("timestamp_col", Class::Time).inferred(),
        Argument::ids(),
        Argument::option("period", ValueType::Choice(Period::NAMES)).or(Constant::Text("month")),
        Argument::option(
            "periods",
            ValueType::Integer {
                min: 0,
                max: MAX_PERIODS,
            },
        ),
    ],
};

/// The table function `cohort_retention`.
#[derive(Debug)]
pub(super) struct CohortRetention;

#[derive(Debug, Clone, Copy)]
enum Period {
    Day,
    Week,
    Months(i64),
}

impl Period {
    const NAMES: &'static [&'static str] = &["day", "week", "month", "quarter", "year"];

    fn parse(name: &str) -> Self {
        match name {
            "day" => Period::Day,
            "week" => Period::Week,
            "quarter" => Period::Months(3),
            "year" => Period::Months(12),
            _ => Period::Months(1),
        }
    }

    /// The number of the period of a time; none outside the calendar.
    fn number(self, micros: i64) -> Option<i64> {
        match self {
            Period::Day => Some(micros.div_euclid(MICROS_PER_DAY)),
            Period::Week => Some(micros.checked_sub(MONDAY)?.div_euclid(7 * MICROS_PER_DAY)),
            Period::Months(months) => {
                let date = DateTime::from_timestamp_micros(micros)?.date_naive();
                let month = i64::from(date.year()) * 12 + i64::from(date.month0());
                Some(month.div_euclid(months))
            }
        }
    }

    /// When a period begins.
    fn start(self, number: i64) -> Option<i64> {
        match self {
            Period::Day => number.checked_mul(MICROS_PER_DAY),
            Period::Week => number.checked_mul(7 * MICROS_PER_DAY)?.checked_add(MONDAY),
            Period::Months(months) => {
                let month = number.checked_mul(months)?;
                let year = i32::try_from(month.div_euclid(12)).ok()?;
                let first = u32::try_from(month.rem_euclid(12)).ok()? + 1;
                let start = NaiveDate::from_ymd_opt(year, first, 1)?.and_hms_opt(0, 0, 0)?;
                Some(start.and_utc().timestamp_micros())
            }
        }
    }
}

impl TableFunction for CohortRetention {
    fn signature(&self) -> &'static Signature {
        &SIGNATURE
    }

    fn output(&self, layout: &Layout) -> Result<Vec<Field>> {
        let time = layout.field(layout.column("timestamp_col")?).data_type();
        Ok(vec![
            Field::new("cohort", time.clone(), true),
            Field::new("cohort_size", DataType::Int64, true),
            Field::new("period", DataType::Int64, true),
            Field::new("active", DataType::Int64, true),
            Field::new("retention", DataType::Float64, true),
        ])
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        let most = options.get("periods");
        Ok(Arc::new(Retention {
            user: layout.column("user_col")?,
            time: calendar_column(layout)?,
            period: Period::parse(options.text("period")?),
            most: most.map(|_| options.count("periods")).transpose()?,
        }))
    }
}

#[derive(Debug)]
struct Retention {
    user: ColumnRef,
    time: ColumnRef,
    period: Period,
    most: Option<usize>,
}

impl Bound for Retention {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let (users, moments) = (group.column(self.user), group.column(self.time));
        let known = arrow::compute::and(
            &arrow::compute::is_not_null(users)?,
            &arrow::compute::is_not_null(moments)?,
        )?;
        let ticks = ticks(&filter(moments, &known)?)?;
        let out_of_range = || Failure::refused("timestamp out of range");
        let number = |tick: &i64| self.period.number(*tick).ok_or_else(out_of_range);
        let periods = ticks.values().iter().map(number);
        let periods = periods.collect::<Result<Vec<_>, _>>()?;
        let (users, count) = codes(&filter(users, &known)?)
            .ok_or_else(|| Failure::refused("users of this type can't be told apart"))?;
        let found = cohorts(&users, count, &periods, self.most);

        let rows: usize = found.iter().map(|cohort| cohort.active.len()).sum();
        let mut starts = Vec::with_capacity(rows);
        let (mut sizes, mut later, mut active) = (Vec::new(), Vec::new(), Vec::new());
        let mut shares = Vec::with_capacity(rows);
        for cohort in &found {
            let start = self.period.start(cohort.period).ok_or_else(out_of_range)?;
            let size = cohort.active.first().copied().unwrap_or(0);
            for (period, users) in (0_i64..).zip(&cohort.active) {
                starts.push(start);
                sizes.push(i64::try_from(size).ok());
                later.push(period);
                active.push(i64::try_from(*users).ok());
                shares.push(*users as f64 / size as f64);
            }
        }
        Ok(Output::new(vec![
            times(starts, moments.data_type())?,
            Arc::new(Int64Array::from(sizes)),
            Arc::new(Int64Array::from(later)),
            Arc::new(Int64Array::from(active)),
            Arc::new(Float64Array::from(shares)),
        ]))
    }

    fn takes_any_order(&self) -> bool {
        true
    }
}
