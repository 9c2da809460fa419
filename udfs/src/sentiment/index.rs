//! `sentiment_index`: the sentiment of texts over time, once for each group and bucket of time.
//!
//! `mean` is the mean score of a bucket's texts, `weighted` the mean with the weights of `weight_col`, or with the scores'
//! sizes when there is none; `volume` counts the texts, `momentum` is the change of the mean against the bucket with
//! texts before. Buckets start at whole units of UTC, weeks on Mondays. Rows without a time or a text are left out.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use chrono::{DateTime, Datelike, NaiveDate};
use datafusion::arrow::datatypes::Field;

use crate::error::{Error, Result};
use crate::math::sentiment::{Finance, Vader};
use crate::relation::{
    Argument, Bound, Class, ColumnRef, Constant, Failure, Group, Layout, Options, Output,
    Signature, TableFunction, ValueType,
};

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
/// The first Monday's distance from 1970-01-01, a Thursday.
const MONDAY: i64 = 4 * MICROS_PER_DAY;

static SIGNATURE: Signature = Signature {
    name: "sentiment_index",
    arguments: &[
        Argument::data("data"),
        Argument::column("timestamp_col", Class::Time)
            .inferred()
            .orders(),
        Argument::column("text_col", Class::Text).inferred(),
        Argument::column("weight_col", Class::Number),
        Argument::ids(),
        Argument::option("bucket", ValueType::Text).or(Constant::Text("1 day")),
        Argument::option("model", ValueType::Choice(&["lexicon", "finance"]))
            .or(Constant::Text("lexicon")),
    ],
};

/// The table function `sentiment_index`.
#[derive(Debug)]
pub(crate) struct IndexFunction;

impl TableFunction for IndexFunction {
    fn signature(&self) -> &'static Signature {
        &SIGNATURE
    }

    fn output(&self, layout: &Layout) -> Result<Vec<Field>> {
        let time = layout.field(layout.column("timestamp_col")?).data_type();
        let number = |name: &str| Field::new(name, DataType::Float64, true);
        Ok(vec![
            Field::new("bucket", time.clone(), true),
            number("mean"),
            number("weighted"),
            Field::new("volume", DataType::Int64, true),
            number("momentum"),
        ])
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        let time = layout.column("timestamp_col")?;
        if layout.field(time).data_type().is_integer() {
            return Err(Error::ColumnType {
                column: layout.field(time).name().clone(),
                argument: "timestamp_col".to_owned(),
                wanted: "a date or timestamp",
                found: "an integer".to_owned(),
            });
        }
        Ok(Arc::new(BoundIndex {
            time,
            text: layout.column("text_col")?,
            weight: layout.columns("weight_col").first().copied(),
            bucket: bucket(options.text("bucket")?)?,
            finance: options.text("model")? == "finance",
        }))
    }
}

/// A length of time.
#[derive(Debug, Clone, Copy)]
enum Bucket {
    Micros { length: i64, offset: i64 },
    Months(i64),
}

fn bucket(text: &str) -> Result<Bucket> {
    let text = text.trim().to_lowercase();
    let (count, unit) = text.split_once(' ').unwrap_or(("1", text.as_str()));
    let count: i64 = count
        .parse()
        .ok()
        .filter(|count| (1..=100_000).contains(count))
        .unwrap_or(0);
    let micros = |length: i64| Bucket::Micros {
        length: count * length,
        offset: 0,
    };
    let found = match unit.trim().trim_end_matches('s') {
        "second" => micros(MICROS_PER_SECOND),
        "minute" => micros(60 * MICROS_PER_SECOND),
        "hour" => micros(3600 * MICROS_PER_SECOND),
        "day" => micros(MICROS_PER_DAY),
        "week" => Bucket::Micros {
            length: count * 7 * MICROS_PER_DAY,
            offset: MONDAY,
        },
        "month" => Bucket::Months(count),
        "quarter" => Bucket::Months(3 * count),
        "year" => Bucket::Months(12 * count),
        _ => Bucket::Months(0),
    };
    match found {
        Bucket::Micros { length: 0, .. } | Bucket::Months(0) => Err(Error::InvalidValue {
            argument: "bucket".to_owned(),
            value: text,
            hint:
                "Write a number and a unit from second to year, such as '15 minutes' or '1 month'."
                    .to_owned(),
        }),
        found => Ok(found),
    }
}

impl Bucket {
    /// Where the bucket of a time begins; none outside the calendar.
    fn start(self, micros: i64) -> Option<i64> {
        match self {
            Bucket::Micros { length, offset } => {
                let place = micros.checked_sub(offset)?.div_euclid(length);
                place.checked_mul(length)?.checked_add(offset)
            }
            Bucket::Months(months) => {
                let date = DateTime::from_timestamp_micros(micros)?.date_naive();
                let month = i64::from(date.year()) * 12 + i64::from(date.month0());
                let first = month.div_euclid(months) * months;
                let year = i32::try_from(first.div_euclid(12)).ok()?;
                let month0 = u32::try_from(first.rem_euclid(12)).ok()?;
                let start = NaiveDate::from_ymd_opt(year, month0 + 1, 1)?.and_hms_opt(0, 0, 0)?;
                Some(start.and_utc().timestamp_micros())
            }
        }
    }
}

#[derive(Debug)]
struct BoundIndex {
    time: ColumnRef,
    text: ColumnRef,
    weight: Option<ColumnRef>,
    bucket: Bucket,
    finance: bool,
}

/// The texts of a bucket so far.
#[derive(Debug, Default)]
struct Texts {
    start: i64,
    count: i64,
    sum: f64,
    weighted: f64,
    weights: f64,
}

impl BoundIndex {
    fn collect(&self, group: &Group<'_>) -> Result<Vec<Texts>, Failure> {
        let times = group.column(self.time);
        let zone = match times.data_type() {
            DataType::Timestamp(_, zone) => zone.clone(),
            _ => None,
        };
        let micros = cast(times, &DataType::Timestamp(TimeUnit::Microsecond, zone))?;
        let micros = cast(&micros, &DataType::Int64)?;
        let micros = micros.as_primitive::<Int64Type>();
        let texts = group.texts(self.text)?;
        let weights = self
            .weight
            .map(|column| group.numbers(column))
            .transpose()?;
        let (mut vader, mut finance) = (Vader::new(), Finance::default());
        let mut found: Vec<Texts> = Vec::new();
        for row in (0..texts.len()).filter(|row| micros.is_valid(*row) && texts.is_valid(*row)) {
            let start = self.bucket.start(micros.value(row));
            let start = start.ok_or_else(|| Failure::refused("timestamp out of range"))?;
            let text = texts.value(row);
            let score = if self.finance {
                finance.feelings(text).score
            } else {
                vader.scores(text).compound
            };
            let weight = match &weights {
                Some(weights) if weights[row].is_nan() => 0.0,
                Some(weights) => weights[row],
                None => score.abs(),
            };
            if found.last().is_none_or(|last| last.start != start) {
                found.push(Texts {
                    start,
                    ..Texts::default()
                });
            }
            if let Some(last) = found.last_mut() {
                last.count += 1;
                last.sum += score;
                last.weighted += weight * score;
                last.weights += weight;
            }
        }
        Ok(found)
    }
}

impl Bound for BoundIndex {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let found = self.collect(group)?;
        let data_type = group.column(self.time).data_type();
        let starts: ArrayRef = Arc::new(Int64Array::from_iter_values(
            found.iter().map(|texts| texts.start),
        ));
        let zone = match data_type {
            DataType::Timestamp(_, zone) => zone.clone(),
            _ => None,
        };
        let starts = cast(&starts, &DataType::Timestamp(TimeUnit::Microsecond, zone))?;
        let mean = |texts: &Texts| texts.sum / texts.count as f64;
        let momentum = found
            .windows(2)
            .map(|pair| Some(mean(&pair[1]) - mean(&pair[0])));
        let first = found.first().map(|_| None);
        let weighted = found.iter().map(|texts| match texts.weights {
            0.0 if self.weight.is_none() => Some(0.0),
            0.0 => None,
            weights => Some(texts.weighted / weights),
        });
        Ok(Output::new(vec![
            cast(&starts, data_type)?,
            Arc::new(Float64Array::from_iter_values(found.iter().map(mean))),
            Arc::new(weighted.collect::<Float64Array>()),
            Arc::new(Int64Array::from_iter_values(
                found.iter().map(|texts| texts.count),
            )),
            Arc::new(first.into_iter().chain(momentum).collect::<Float64Array>()),
        ]))
    }
}
