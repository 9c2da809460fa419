//! `funnel(data, user_col => …, event_col => …, steps => ('view', 'cart', 'buy'))`: how far users get.
//!
//! A user takes a step with the first such event at or after the step before; with `within` no later than that after the
//! first step. A user who begins several times is counted once, by the path that leads farthest. `conversion` is the share
//! of the users of the first step, `step_conversion` that of the step before, `median_seconds` the median time since the
//! step before. Rows without a user, a time or an event are left out.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field};

use super::{USER, calendar_column, ticks};
use crate::error::{Error, Result};
use crate::math::calendar::Frequency;
use crate::math::kpi::{Events, path};
use crate::math::stats::describe::quantile_sorted;
use crate::relation::{
    Argument, Bound, Class, ColumnRef, Failure, Group, Layout, Options, Output, Signature,
    TableFunction, ValueType,
};
use crate::stats::codes;

const MAX_STEPS: usize = 64;
const MICROS_PER_SECOND: f64 = 1e6;

static SIGNATURE: Signature = Signature {
    name: "funnel",
    arguments: &[
        Argument::data("data"),
        USER,
        Argument::column("timestamp_col", Class::Time)
            .inferred()
            .orders(),
        Argument {
            required: true,
            ..Argument::column("event_col", Class::Text)
        },
        Argument::ids(),
        Argument {
            required: true,
            ..Argument::option("steps", ValueType::Texts(&[]))
        },
        Argument::option("within", ValueType::Text),
    ],
};

/// The table function `funnel`.
#[derive(Debug)]
pub(super) struct Funnel;

impl TableFunction for Funnel {
    fn signature(&self) -> &'static Signature {
        &SIGNATURE
    }

    fn output(&self, _: &Layout) -> Result<Vec<Field>> {
        let number = |name: &str| Field::new(name, DataType::Float64, true);
        Ok(vec![
            Field::new("step", DataType::Int64, true),
            Field::new("event", DataType::Utf8, true),
            Field::new("users", DataType::Int64, true),
            number("conversion"),
            number("step_conversion"),
            number("median_seconds"),
        ])
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        let steps: Vec<String> = options
            .texts("steps")
            .into_iter()
            .map(str::to_owned)
            .collect();
        if steps.is_empty() || steps.len() > MAX_STEPS {
            return Err(Error::InvalidValue {
                argument: "steps".to_owned(),
                value: format!("{} steps", steps.len()),
                hint: format!("Write from one to {MAX_STEPS} events, in their order."),
            });
        }
        Ok(Arc::new(Steps {
            user: layout.column("user_col")?,
            time: calendar_column(layout)?,
            event: layout.column("event_col")?,
            steps,
            within: within(options)?,
        }))
    }
}

fn within(options: &Options) -> Result<Option<Frequency>> {
    if options.get("within").is_none() {
        return Ok(None);
    }
    let text = options.text("within")?;
    let found = Frequency::parse(text).ok_or_else(|| Error::InvalidValue {
        argument: "within".to_owned(),
        value: text.to_owned(),
        hint: "Write a number and a unit from second to year, such as '30 minutes' or '7 days'."
            .to_owned(),
    })?;
    Ok(Some(found))
}

#[derive(Debug)]
struct Steps {
    user: ColumnRef,
    time: ColumnRef,
    event: ColumnRef,
    steps: Vec<String>,
    /// None: as long as it takes.
    within: Option<Frequency>,
}

impl Bound for Steps {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let mut users = vec![0_i64; self.steps.len()];
        let mut waits: Vec<Vec<f64>> = vec![Vec::new(); self.steps.len()];
        let until = |first: i64| self.within.map_or(i64::MAX, |within| within.next(first, 1));
        for events in self.events(group)? {
            let path = path(&events, self.steps.len(), until);
            for (step, time) in path.iter().enumerate() {
                users[step] += 1;
                if let Some(before) = step.checked_sub(1) {
                    waits[step].push((time - path[before]) as f64 / MICROS_PER_SECOND);
                }
            }
        }
        Ok(self.output(&users, waits))
    }
}

impl Steps {
    /// Each user's events that are steps, in the order of time.
    fn events(&self, group: &Group<'_>) -> Result<Vec<Events>, Failure> {
        let column: &ArrayRef = group.column(self.user);
        let (users, count) = codes(column)
            .ok_or_else(|| Failure::refused("users of this type can't be told apart"))?;
        let ticks = ticks(group.column(self.time))?;
        let names = group.texts(self.event)?;
        let mut events: Vec<Events> = vec![Vec::new(); count];
        for (row, user) in users.into_iter().enumerate() {
            if column.is_null(row) || ticks.is_null(row) || names.is_null(row) {
                continue;
            }
            let is_step = |step: &usize| self.steps[*step] == names.value(row);
            let places: Vec<usize> = (0..self.steps.len()).filter(is_step).collect();
            if !places.is_empty() {
                events[user].push((ticks.value(row), places));
            }
        }
        // Of one time, earlier steps first.
        events.iter_mut().for_each(|events| events.sort());
        Ok(events)
    }

    fn output(&self, users: &[i64], mut waits: Vec<Vec<f64>>) -> Output {
        let share = |of: i64, whole: i64| (whole > 0).then(|| of as f64 / whole as f64);
        let first = users.first().copied().unwrap_or(0);
        let before = std::iter::once(&first).chain(users);
        let medians = waits.iter_mut().map(|waits| {
            waits.sort_unstable_by(f64::total_cmp);
            Some(quantile_sorted(waits, 0.5)).filter(|median| !median.is_nan())
        });
        Output::new(vec![
            Arc::new(Int64Array::from_iter_values((1..).take(users.len()))),
            Arc::new(StringArray::from(self.steps.clone())),
            Arc::new(Int64Array::from(users.to_vec())),
            Arc::new(
                users
                    .iter()
                    .map(|n| share(*n, first))
                    .collect::<Float64Array>(),
            ),
            Arc::new(
                users
                    .iter()
                    .zip(before)
                    .map(|(n, before)| share(*n, *before))
                    .collect::<Float64Array>(),
            ),
            Arc::new(medians.collect::<Float64Array>()),
        ])
    }
}
