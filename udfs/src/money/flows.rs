//! Cash flows in order: `npv(rate, cash_flow ORDER BY period)`, `irr(cash_flow ORDER BY period)`, `xirr(cash_flow, paid_on)`.

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};

use crate::function::{AggregateSpec, Answer, Parameter, Rows, Shape};
use crate::math::money::{dated_rates, internal_rates, mirr, nearest, npv, xnpv};
use crate::relation::{Class, Constant, Options, ValueType};
use crate::stats::over_rows;

/// The aggregates.
pub(crate) fn aggregates() -> impl Iterator<Item = &'static AggregateSpec> {
    ALL.iter()
}

const NUMBER: Shape = Shape::Number;
const INFO: Shape = Shape::Record(&[
    ("irr", Shape::Number),
    ("rates", Shape::List(&Shape::Number)),
    ("status", Shape::Text),
]);

const FLOW: Parameter = Parameter::number("cash_flow");
const RATE: Parameter = Parameter::number("rate");
const PAID_ON: Parameter = Parameter::value("paid_on", Class::Time);
const ABOVE_MINUS_ONE: ValueType = ValueType::Number {
    min: -1.0,
    max: f64::MAX,
    closed: false,
};
const GUESS: Parameter = Parameter::option("guess", ABOVE_MINUS_ONE).or(Constant::Number(0.1));

static ALL: &[AggregateSpec] = &[
    // Σ flow / (1 + rate)^i, the first flow one period from now as in spreadsheets; first => 0 for now.
    over_rows!(
        "npv",
        OrderedAggregate,
        &[
            RATE,
            FLOW,
            Parameter::option("first", ValueType::Integer { min: 0, max: 1 })
                .or(Constant::Integer(1))
        ],
        NUMBER,
        |rows, options| {
            let first = options.count("first").ok()? as f64;
            npv(*rows.numbers(0).first()?, rows.numbers(1), first).map(Answer::Number)
        }
    ),
    over_rows!(
        "irr",
        OrderedAggregate,
        &[FLOW, GUESS],
        NUMBER,
        |rows, options| {
            nearest(&internal_rates(rows.numbers(0)), guess(options)?).map(Answer::Number)
        }
    ),
    // The rate, all rates, and why there is none or which was taken.
    over_rows!(
        "irr_info",
        OrderedAggregate,
        &[FLOW, GUESS],
        INFO,
        |rows, options| { Some(info(&internal_rates(rows.numbers(0)), guess(options)?)) }
    ),
    over_rows!(
        "mirr",
        OrderedAggregate,
        &[
            FLOW,
            Parameter::option("finance_rate", ABOVE_MINUS_ONE).or(Constant::Number(0.0)),
            Parameter::option("reinvest_rate", ABOVE_MINUS_ONE).or(Constant::Number(0.0))
        ],
        NUMBER,
        |rows, options| {
            let finance = options.number("finance_rate").ok()?;
            let reinvest = options.number("reinvest_rate").ok()?;
            mirr(rows.numbers(0), finance, reinvest).map(Answer::Number)
        }
    ),
    // Dated flows in any order; the first date is now.
    over_rows!(
        "xnpv",
        Aggregate,
        &[RATE, FLOW, PAID_ON],
        NUMBER,
        |rows, _| {
            let (flows, days) = dated(rows, 1)?;
            xnpv(*rows.numbers(0).first()?, &flows, &days).map(Answer::Number)
        }
    ),
    over_rows!(
        "xirr",
        Aggregate,
        &[FLOW, PAID_ON, GUESS],
        NUMBER,
        |rows, options| {
            let (flows, days) = dated(rows, 0)?;
            nearest(&dated_rates(&flows, &days), guess(options)?).map(Answer::Number)
        }
    ),
];

fn guess(options: &Options) -> Option<f64> {
    options.number("guess").ok()
}

fn info(rates: &[f64], guess: f64) -> Answer {
    let status = match rates {
        [] => Some("no rate makes the flows worth nothing".to_owned()),
        [_] => None,
        several => Some(format!(
            "{} rates: the one nearest to the guess",
            several.len()
        )),
    };
    Answer::Record(vec![
        Answer::maybe(nearest(rates, guess)),
        Answer::numbers(rates),
        status.map_or(Answer::Null, Answer::Text),
    ])
}

const MICROS_PER_DAY: f64 = 86_400_000_000.0;

/// The flows in order of their dates, and the days since 1970; whole numbers count days themselves.
fn dated(rows: &Rows, flow: usize) -> Option<(Vec<f64>, Vec<f64>)> {
    let times = rows.column(flow + 1);
    let (times, unit) = if times.data_type().is_integer() {
        (cast(times, &DataType::Int64).ok()?, 1.0)
    } else {
        let zone = match times.data_type() {
            DataType::Timestamp(_, zone) => zone.clone(),
            _ => None,
        };
        let micros = cast(times, &DataType::Timestamp(TimeUnit::Microsecond, zone)).ok()?;
        (cast(&micros, &DataType::Int64).ok()?, MICROS_PER_DAY)
    };
    let days = times
        .as_primitive::<Int64Type>()
        .values()
        .iter()
        .map(|time| *time as f64 / unit);
    let mut pairs: Vec<(f64, f64)> = days.zip(rows.numbers(flow).iter().copied()).collect();
    pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    Some(pairs.into_iter().map(|(day, flow)| (flow, day)).unzip())
}
