//! What explains a series beside its own past: `exog_cols`, known ahead from `future`, and `holidays`.
//!
//! - `exog_cols`: columns of the data. Their values at every step of the series count, the mean of several at one step, a
//!   line between neighbours where one is missing; `future` must have them at every step ahead.
//! - `holidays => (SELECT holiday, day [, lower_window, upper_window] …)`: each holiday is a regressor that is 1 on its days
//!   and 0 on others, the days from `lower_window` (0 or less) to `upper_window` around it one each. In series of steps
//!   longer than a day, the step that the day lies in is marked.
//!
//! Model `prophet` has them in its regression; under every other model they are taken out by a regression with ARIMA errors
//! first, and added again ahead.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};

use crate::error::{Error, Result};
use crate::math::forecast::Regressor;
use crate::relation::{Argument, Class, ColumnRef, Failure, Group, Layout, Presence, Rows, Wanted};
use crate::series::Series;

/// Holidays reach this many days around themselves at most.
const MAX_WINDOW: i64 = 60;
/// Regressors of one series at most.
const MAX_REGRESSORS: usize = 1000;

pub(super) const EXOG: Argument = Argument::columns("exog_cols", Class::Number);
pub(super) const FUTURE: Argument = Argument::relation(
    "future",
    Rows::Grouped,
    Wanted::Like(&["timestamp_col", "exog_cols"]),
);
pub(super) const HOLIDAYS: Argument = Argument::relation(
    "holidays",
    Rows::Either,
    Wanted::Named(&[
        ("holiday", Class::Text, Presence::Required),
        ("day", Class::Time, Presence::Required),
        ("lower_window", Class::Number, Presence::Optional),
        ("upper_window", Class::Number, Presence::Optional),
    ]),
);

/// The columns of a call.
#[derive(Debug)]
pub(super) struct Regressors {
    time: ColumnRef,
    columns: Vec<Column>,
    future_time: Option<ColumnRef>,
    holidays: Option<Holidays>,
}

#[derive(Debug)]
struct Column {
    name: String,
    past: ColumnRef,
    future: Option<ColumnRef>,
}

#[derive(Debug)]
struct Holidays {
    name: ColumnRef,
    day: ColumnRef,
    lower: Option<ColumnRef>,
    upper: Option<ColumnRef>,
}

/// The regressors of one series, at its own steps and those ahead.
#[derive(Debug, Default)]
pub(super) struct Values {
    columns: Vec<Vec<f64>>,
}

impl Values {
    /// Those of a part of the series and of as many steps from `first` on.
    pub(super) fn split(
        &self,
        past: std::ops::Range<usize>,
        first: usize,
        horizon: usize,
    ) -> Vec<Regressor<'_>> {
        let split = |column: &'_ Vec<f64>| {
            let end = (first + horizon).min(column.len());
            (past.clone(), first.min(end)..end)
        };
        self.columns
            .iter()
            .map(|column| {
                let (past, future) = split(column);
                Regressor {
                    past: &column[past],
                    future: &column[future],
                }
            })
            .collect()
    }
}

impl Regressors {
    /// Checks the call; with `ahead` the columns must be known there.
    pub(super) fn new(function: &str, layout: &Layout, ahead: bool) -> Result<Self> {
        let time = layout.column("timestamp_col")?;
        let has = |relation: &str| layout.relations().iter().any(|r| r.name == relation);
        let exog = layout.columns("exog_cols");
        let missing = |argument: &str, hint: &str| Error::MissingArgument {
            function: function.to_owned(),
            argument: argument.to_owned(),
            hint: hint.to_owned(),
        };
        if ahead && !exog.is_empty() && !has("future") {
            return Err(missing(
                "future",
                "Write future => (SELECT ...) with the columns of \"exog_cols\" at the times to forecast.",
            ));
        }
        if exog.is_empty() && has("future") {
            return Err(missing(
                "exog_cols",
                "Write exog_cols => and the columns of \"future\" that explain the series.",
            ));
        }
        let holidays = has("holidays").then(|| holidays(layout)).transpose()?;
        let column = |past: &ColumnRef| Column {
            name: layout.field(*past).name().clone(),
            past: *past,
            future: layout.column_like("future", *past),
        };
        Ok(Self {
            time,
            columns: exog.iter().map(column).collect(),
            future_time: layout.column_like("future", time),
            holidays,
        })
    }

    /// The regressors of a group's series and of `horizon` steps ahead.
    pub(super) fn values(
        &self,
        group: &Group<'_>,
        series: &Series,
        horizon: usize,
    ) -> Result<Values, Failure> {
        let mut columns = Vec::new();
        for column in &self.columns {
            let times = group.column(self.time);
            let mut values = series.beside(times, &group.numbers(column.past)?)?;
            if let (Some(time), Some(future)) = (self.future_time, column.future) {
                let ahead = group.numbers(future)?;
                values.extend(series.ahead(group.column(time), &ahead, horizon)?);
            }
            if let Some(step) = values.iter().position(|value| !value.is_finite()) {
                return Err(Failure::refused(format_args!(
                    "no value of \"{}\" at {}",
                    column.name,
                    series.time_text(step)?
                )));
            }
            columns.push(values);
        }
        if let Some(holidays) = &self.holidays {
            columns.extend(holidays.marks(group, series, horizon)?);
        }
        if columns.len() > MAX_REGRESSORS {
            return Err(Failure::refused(format_args!(
                "too many regressors: {} > {MAX_REGRESSORS}",
                columns.len()
            )));
        }
        Ok(Values { columns })
    }
}

fn holidays(layout: &Layout) -> Result<Holidays> {
    let column = |name: &str| layout.column_of("holidays", name);
    let (Some(name), Some(day)) = (column("holiday"), column("day")) else {
        return Err(Error::Internal {
            function: "forecast".to_owned(),
            item: "holidays".to_owned(),
        });
    };
    for time in [day, layout.column("timestamp_col")?] {
        let field = layout.field(time);
        if field.data_type().is_integer() {
            return Err(Error::ColumnType {
                column: field.name().clone(),
                argument: "holidays".to_owned(),
                wanted: "a date or timestamp",
                found: "an integer".to_owned(),
            });
        }
    }
    Ok(Holidays {
        name,
        day,
        lower: column("lower_window"),
        upper: column("upper_window"),
    })
}

impl Holidays {
    /// A column of marks for each holiday and day of its window.
    fn marks(
        &self,
        group: &Group<'_>,
        series: &Series,
        horizon: usize,
    ) -> Result<Vec<Vec<f64>>, Failure> {
        let names = group.texts(self.name)?;
        let micros = cast(
            group.column(self.day),
            &DataType::Timestamp(TimeUnit::Microsecond, None),
        )?;
        let days = cast(&micros, &DataType::Int64)?;
        let days: &Int64Array = days.as_primitive::<Int64Type>();
        let lower = self.window(group, self.lower, -MAX_WINDOW, 0)?;
        let upper = self.window(group, self.upper, 0, MAX_WINDOW)?;
        let mut columns: BTreeMap<(String, i64), Vec<f64>> = BTreeMap::new();
        for row in (0..names.len()).filter(|row| names.is_valid(*row) && days.is_valid(*row)) {
            for offset in lower[row]..=upper[row] {
                let steps = series.steps_of_day(days.value(row), offset, horizon)?;
                let key = (names.value(row).to_owned(), offset);
                let length = series.values.len() + horizon;
                let column = columns.entry(key).or_insert_with(|| vec![0.0; length]);
                column[steps].fill(1.0);
            }
        }
        Ok(columns.into_values().collect())
    }

    fn window(
        &self,
        group: &Group<'_>,
        column: Option<ColumnRef>,
        least: i64,
        most: i64,
    ) -> Result<Vec<i64>, Failure> {
        let rows = group.column(self.day).len();
        let Some(column) = column else {
            return Ok(vec![0; rows]);
        };
        let days = group.numbers(column)?.into_iter().map(|days| {
            if days.is_nan() {
                return Ok(0);
            }
            if days.fract() != 0.0 || days < least as f64 || days > most as f64 {
                return Err(Failure::refused(format_args!(
                    "the window of a holiday is {days}, not a whole number from {least} to {most}"
                )));
            }
            Ok(days as i64)
        });
        days.collect()
    }
}
