//! Tests on values in the order of time, which the call gives: `adf_test(x ORDER BY ts)`.

use super::answers::{TEST, over_rows, test};
use super::{X, count};
use crate::function::{AggregateSpec, Answer, Parameter, Rows, Shape};
use crate::math::stats::series::{
    Lags, Trend, adf, arch_lm, autocorrelations, durbin_watson, granger, kpss,
    partial_autocorrelations, portmanteau,
};
use crate::relation::{Constant, Options, ValueType};

/// Series are looked at this many steps back at most.
const MAX_LAGS: i64 = 10_000;

const ADF: Shape = Shape::Record(&[
    ("statistic", Shape::Number),
    ("p_value", Shape::Number),
    ("lags", Shape::Integer),
    ("n", Shape::Integer),
    ("critical_1pct", Shape::Number),
    ("critical_5pct", Shape::Number),
    ("critical_10pct", Shape::Number),
]);
const KPSS: Shape = Shape::Record(&[
    ("statistic", Shape::Number),
    ("p_value", Shape::Number),
    ("lags", Shape::Integer),
]);
const GRANGER: Shape = Shape::Record(&[
    ("statistic", Shape::Number),
    ("p_value", Shape::Number),
    ("df_num", Shape::Number),
    ("df_denom", Shape::Number),
]);
const NUMBER: Shape = Shape::Number;
const NUMBERS: Shape = Shape::List(&Shape::Number);

const LAGS: Parameter = count("lags", 1, MAX_LAGS).or(Constant::Integer(10));
const FITTED: Parameter = count("model_df", 0, MAX_LAGS).or(Constant::Integer(0));

pub(super) static ALL: &[AggregateSpec] = &[
    // A unit root; small p-values speak for a stationary series. autolag none takes max_lag lags.
    over_rows!(
        "adf_test",
        OrderedAggregate,
        &[
            X,
            Parameter::option("regression", ValueType::Choice(Trend::NAMES))
                .or(Constant::Text("c")),
            Parameter::option("autolag", ValueType::Choice(&["aic", "bic", "none"]))
                .or(Constant::Text("aic")),
            count("max_lag", 0, MAX_LAGS)
        ],
        ADF,
        unit_root
    ),
    // A stationary series, around a mean (c) or a line (ct); p-values lie between 0.01 and 0.1.
    over_rows!(
        "kpss_test",
        OrderedAggregate,
        &[
            X,
            Parameter::option("regression", ValueType::Choice(&["c", "ct"]))
                .or(Constant::Text("c")),
            count("lags", 0, MAX_LAGS)
        ],
        KPSS,
        stationary
    ),
    over_rows!(
        "ljung_box",
        OrderedAggregate,
        &[X, LAGS, FITTED],
        TEST,
        |rows, options| {
            let (lags, fitted) = (options.count("lags").ok()?, options.count("model_df").ok()?);
            test(portmanteau(rows.numbers(0), lags, fitted, true))
        }
    ),
    over_rows!(
        "box_pierce",
        OrderedAggregate,
        &[X, LAGS, FITTED],
        TEST,
        |rows, options| {
            let (lags, fitted) = (options.count("lags").ok()?, options.count("model_df").ok()?);
            test(portmanteau(rows.numbers(0), lags, fitted, false))
        }
    ),
    // Of residuals.
    over_rows!(
        "durbin_watson",
        OrderedAggregate,
        &[X],
        NUMBER,
        |rows, _| { durbin_watson(rows.numbers(0)).map(Answer::Number) }
    ),
    over_rows!(
        "arch_test",
        OrderedAggregate,
        &[X, LAGS],
        TEST,
        |rows, options| { test(arch_lm(rows.numbers(0), options.count("lags").ok()?)) }
    ),
    // Whether the past of x tells about y.
    over_rows!(
        "granger_causality",
        OrderedAggregate,
        &[
            Parameter::number("y"),
            X,
            count("lags", 1, MAX_LAGS).or(Constant::Integer(1))
        ],
        GRANGER,
        |rows, options| {
            let lags = options.count("lags").ok()?;
            granger(rows.numbers(0), rows.numbers(1), lags).map(|found| Answer::record(&found))
        }
    ),
    // From lag 1 on.
    over_rows!(
        "acf",
        OrderedAggregate,
        &[X, LAGS],
        NUMBERS,
        |rows, options| {
            let found = autocorrelations(rows.numbers(0), options.count("lags").ok()?)?;
            Some(Answer::numbers(&found[1..]))
        }
    ),
    over_rows!(
        "pacf",
        OrderedAggregate,
        &[X, LAGS],
        NUMBERS,
        |rows, options| {
            let found = partial_autocorrelations(rows.numbers(0), options.count("lags").ok()?)?;
            Some(Answer::numbers(&found[1..]))
        }
    ),
];

fn unit_root(rows: &Rows, options: &Options) -> Option<Answer> {
    let limit = options
        .get("max_lag")
        .map(|_| options.count("max_lag"))
        .transpose()
        .ok()?;
    let lags = match options.text("autolag").ok()? {
        "bic" => Lags::Bic(limit),
        "none" => Lags::Fixed(limit.unwrap_or(0)),
        _ => Lags::Aic(limit),
    };
    let trend = Trend::parse(options.text("regression").ok()?)?;
    let found = adf(rows.numbers(0), trend, lags)?;
    let mut record = vec![
        Answer::Number(found.statistic),
        Answer::Number(found.p_value),
        Answer::count(found.lags),
        Answer::count(found.observations),
    ];
    record.extend(found.critical.map(Answer::Number));
    Some(Answer::Record(record))
}

fn stationary(rows: &Rows, options: &Options) -> Option<Answer> {
    let lags = options
        .get("lags")
        .map(|_| options.count("lags"))
        .transpose()
        .ok()?;
    let around_line = options.text("regression").ok()? == "ct";
    let (statistic, p, lags) = kpss(rows.numbers(0), around_line, lags)?;
    Some(Answer::Record(vec![
        Answer::Number(statistic),
        Answer::Number(p),
        Answer::count(lags),
    ]))
}
