//! `forecast_backtest()` and `forecast_evaluate()`: how well models would have forecast the past.
//!
//! The last value of the series ends the last fold, and each fold forecasts `horizon` values, `horizon` before the next
//! fold's. A model sees what lies `gap` values and more before them: all of it (`expanding`), or the last
//! `initial_train_size` (`sliding`; without that option as much as the first fold has). Folds with less than
//! `initial_train_size` to learn from, or less than two values, are left out.
//!
//! Regressors (`exog_cols`, `holidays`) count with their true values after the fold's end.
//!
//! `forecast_evaluate` answers one row a model: means over all forecast values; `mape` and `smape` per cent; `mase` and
//! `rmsse` in units of each fold's training data's seasonal differences, averaged over folds; `bias` is forecast less
//! actual; `coverage` the share of values within the bounds. `rank` 1 is the least `mase`. A model that fails in one
//! fold is judged by the others; one that fails in all has a status.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Field};

use super::regressors::{self, Regressors, Values};
use super::{finite, model};
use crate::error::{Error, Result};
use crate::math::forecast::{MAX_HORIZON, Model, Request, forecast};
use crate::math::metrics;
use crate::relation::{
    Argument, Bound, ColumnRef, Constant, Failure, Group, Layout, Options, Output, Signature,
    TableFunction, ValueType,
};
use crate::series::{self, OnGap, Rules, Series};

const MAX_FOLDS: i64 = 1000;
const MAX_SIZE: i64 = 10_000_000;

const fn whole(name: &'static str, min: i64, max: i64) -> Argument {
    Argument::option(name, ValueType::Integer { min, max })
}

const ARGUMENTS: &[Argument] = &[
    Argument::data("data"),
    series::TIMESTAMP,
    series::DATA,
    Argument::ids(),
    regressors::EXOG,
    regressors::HOLIDAYS,
    Argument::option("models", ValueType::Texts(Model::NAMES)),
    whole("horizon", 1, MAX_HORIZON as i64).or(Constant::Integer(10)),
    whole("n_folds", 1, MAX_FOLDS).or(Constant::Integer(5)),
    whole("gap", 0, MAX_SIZE).or(Constant::Integer(0)),
    Argument::option("window_type", ValueType::Choice(&["expanding", "sliding"]))
        .or(Constant::Text("expanding")),
    whole("initial_train_size", 2, MAX_SIZE),
    series::FREQUENCY,
    series::SEASONAL_PERIODS,
    Argument::CONFIDENCE_LEVEL,
    series::ON_DUPLICATE,
    Argument::SEED,
];

static BACKTEST: Signature = Signature {
    name: "forecast_backtest",
    arguments: ARGUMENTS,
};

static EVALUATE: Signature = Signature {
    name: "forecast_evaluate",
    arguments: ARGUMENTS,
};

/// The table function `forecast_backtest`.
#[derive(Debug, Default)]
pub(super) struct Backtest;

/// The table function `forecast_evaluate`.
#[derive(Debug, Default)]
pub(super) struct Evaluate;

/// What both functions compute from.
#[derive(Debug)]
struct Tester {
    time: ColumnRef,
    data: ColumnRef,
    rules: Rules,
    regressors: Regressors,
    models: Vec<(String, Model)>,
    horizon: usize,
    folds: usize,
    gap: usize,
    sliding: bool,
    least: Option<usize>,
    periods: Vec<usize>,
    level: f64,
    seed: u64,
}

/// One model's forecast of one fold.
struct Outcome<'a> {
    model: &'a str,
    fold: usize,
    /// The values that the model saw, and the first that it forecasts.
    train: std::ops::Range<usize>,
    first: usize,
    forecast: Result<Bands, String>,
}

struct Bands {
    mean: Vec<f64>,
    lower: Vec<f64>,
    upper: Vec<f64>,
}

impl Tester {
    fn new(function: &str, layout: &Layout, options: &Options) -> Result<Self> {
        let names = match options.texts("models").as_slice() {
            [] => vec!["auto"],
            names => names.to_vec(),
        };
        let mut models = Vec::with_capacity(names.len());
        for name in names {
            if models.iter().any(|(known, _)| known == name) {
                return Err(Error::InvalidValue {
                    argument: "models".to_owned(),
                    value: name.to_owned(),
                    hint: "Each model may be named once.".to_owned(),
                });
            }
            models.push((name.to_owned(), model(name)?));
        }
        let least = options
            .get("initial_train_size")
            .map(|_| options.count("initial_train_size"));
        Ok(Self {
            time: layout.column("timestamp_col")?,
            data: layout.column("data_col")?,
            rules: series::rules(layout, options, OnGap::Interpolate)?,
            regressors: Regressors::new(function, layout, false)?,
            models,
            horizon: options.count("horizon")?,
            folds: options.count("n_folds")?,
            gap: options.count("gap")?,
            sliding: options.text("window_type")? == "sliding",
            least: least.transpose()?,
            periods: series::periods(options),
            level: options.number("confidence_level")?,
            seed: options.integer("seed")?.cast_unsigned(),
        })
    }

    fn series(&self, group: &Group<'_>) -> Result<Series, Failure> {
        Series::new(
            group.column(self.time),
            group.numbers(self.data)?,
            &self.rules,
        )
    }

    fn periods<'a>(&'a self, series: &'a Series) -> &'a [usize] {
        match self.periods.as_slice() {
            [] => series.default_periods(),
            given => given,
        }
    }

    /// Training and the first forecast value of each fold, numbered from 1.
    fn splits(&self, n: usize) -> Result<Vec<(usize, std::ops::Range<usize>, usize)>, Failure> {
        let least = self.least.unwrap_or(2);
        let end = |fold: usize| n.checked_sub((self.folds + 1 - fold) * self.horizon + self.gap);
        let ends: Vec<(usize, usize)> = (1..=self.folds)
            .filter_map(|fold| end(fold).filter(|end| *end >= least).map(|end| (fold, end)))
            .collect();
        let Some((_, shortest)) = ends.first() else {
            return Err(Failure::refused(format_args!(
                "too few observations: {n} < {}",
                least + self.horizon + self.gap
            )));
        };
        let width = self.least.unwrap_or(*shortest);
        let split = |(fold, end): &(usize, usize)| {
            let start = if self.sliding {
                end.saturating_sub(width)
            } else {
                0
            };
            (*fold, start..*end, end + self.gap)
        };
        Ok(ends.iter().map(split).collect())
    }

    fn outcomes(&self, series: &Series, values: &Values) -> Result<Vec<Outcome<'_>>, Failure> {
        let splits = self.splits(series.values.len())?;
        let mut outcomes = Vec::with_capacity(splits.len() * self.models.len());
        for (name, model) in &self.models {
            for (fold, train, first) in &splits {
                let horizon = (self.gap + self.horizon).min(MAX_HORIZON);
                let request = Request {
                    values: &series.values[train.clone()],
                    periods: self.periods(series),
                    regressors: &values.split(train.clone(), train.end, horizon),
                    horizon,
                    confidence_level: self.level,
                    model: *model,
                    seed: self.seed,
                };
                let found = forecast(&request).map_err(|refusal| refusal.to_string());
                let ahead = |values: Vec<f64>| values.into_iter().skip(self.gap).collect();
                outcomes.push(Outcome {
                    model: name,
                    fold: *fold,
                    train: train.clone(),
                    first: *first,
                    forecast: found.map(|found| Bands {
                        mean: ahead(found.mean),
                        lower: ahead(found.lower),
                        upper: ahead(found.upper),
                    }),
                });
            }
        }
        Ok(outcomes)
    }
}

fn bytes(tester: &Tester, rows: usize) -> usize {
    let forecasts = tester.models.len() * tester.folds * tester.horizon;
    rows.saturating_mul(24 * 8)
        .saturating_add(forecasts.saturating_mul(8 * 8))
}

impl TableFunction for Backtest {
    fn signature(&self) -> &'static Signature {
        &BACKTEST
    }

    fn output(&self, layout: &Layout) -> Result<Vec<Field>> {
        let time = layout.field(layout.column("timestamp_col")?).data_type();
        let number = |name| Field::new(name, DataType::Float64, true);
        Ok(vec![
            Field::new("model", DataType::Utf8, true),
            Field::new("fold", DataType::Int64, true),
            Field::new("cutoff", time.clone(), true),
            Field::new("forecast_timestamp", time.clone(), true),
            number("actual"),
            number("forecast_value"),
            number("prediction_interval_lower_bound"),
            number("prediction_interval_upper_bound"),
        ])
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        Ok(Arc::new(BoundBacktest(Tester::new(
            BACKTEST.name,
            layout,
            options,
        )?)))
    }
}

#[derive(Debug)]
struct BoundBacktest(Tester);

impl Bound for BoundBacktest {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let series = self.0.series(group)?;
        let values = self.0.regressors.values(group, &series, 0)?;
        let outcomes = self.0.outcomes(&series, &values)?;
        let times = series.times(series.values.len(), 0)?;
        let mut rows = Rows::default();
        for outcome in &outcomes {
            let cutoff = outcome.train.end - 1;
            match &outcome.forecast {
                Err(reason) => rows.push(outcome, cutoff, None, [None; 4], Some(reason)),
                Ok(bands) => {
                    for step in 0..self.0.horizon.min(bands.mean.len()) {
                        let place = outcome.first + step;
                        let actual = series.observed[place].then(|| series.values[place]);
                        let values = [
                            actual,
                            finite(bands.mean[step]),
                            finite(bands.lower[step]),
                            finite(bands.upper[step]),
                        ];
                        rows.push(outcome, cutoff, Some(place), values, None);
                    }
                }
            }
        }
        rows.output(&times)
    }

    fn working_bytes(&self, rows: usize) -> usize {
        bytes(&self.0, rows)
    }
}

/// The rows of a result, column by column.
#[derive(Default)]
struct Rows {
    models: Vec<String>,
    folds: Vec<Option<i64>>,
    cutoffs: Vec<Option<u32>>,
    places: Vec<Option<u32>>,
    numbers: [Vec<Option<f64>>; 4],
    statuses: Vec<Option<String>>,
}

impl Rows {
    fn push(
        &mut self,
        outcome: &Outcome<'_>,
        cutoff: usize,
        place: Option<usize>,
        values: [Option<f64>; 4],
        status: Option<&String>,
    ) {
        let index = |place: usize| u32::try_from(place).ok();
        self.models.push(outcome.model.to_owned());
        self.folds.push(i64::try_from(outcome.fold).ok());
        self.cutoffs.push(index(cutoff));
        self.places.push(place.and_then(index));
        for (column, value) in self.numbers.iter_mut().zip(values) {
            column.push(value);
        }
        self.statuses.push(status.cloned());
    }

    fn output(self, times: &ArrayRef) -> Result<Output, Failure> {
        let at = |places: Vec<Option<u32>>| take(times, &UInt32Array::from(places), None);
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(self.models)),
            Arc::new(Int64Array::from(self.folds)),
            at(self.cutoffs)?,
            at(self.places)?,
        ];
        for numbers in self.numbers {
            columns.push(Arc::new(Float64Array::from(numbers)));
        }
        Ok(Output::new(columns).with_status(Arc::new(StringArray::from(self.statuses))))
    }
}

const MEASURES: [&str; 8] = [
    "mae", "rmse", "mape", "smape", "mase", "rmsse", "bias", "coverage",
];
/// Where `mase` stands among them.
const RANKED_BY: usize = 4;

impl TableFunction for Evaluate {
    fn signature(&self) -> &'static Signature {
        &EVALUATE
    }

    fn output(&self, _layout: &Layout) -> Result<Vec<Field>> {
        let mut fields = vec![
            Field::new("model", DataType::Utf8, true),
            Field::new("folds", DataType::Int64, true),
        ];
        fields.extend(MEASURES.map(|name| Field::new(name, DataType::Float64, true)));
        fields.push(Field::new("rank", DataType::Int64, true));
        Ok(fields)
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        Ok(Arc::new(BoundEvaluate(Tester::new(
            EVALUATE.name,
            layout,
            options,
        )?)))
    }
}

#[derive(Debug)]
struct BoundEvaluate(Tester);

/// One model over its folds.
struct Judged {
    folds: usize,
    measures: [f64; 8],
    status: Option<String>,
}

impl Bound for BoundEvaluate {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let series = self.0.series(group)?;
        let values = self.0.regressors.values(group, &series, 0)?;
        let outcomes = self.0.outcomes(&series, &values)?;
        let period = self.0.periods(&series).first().copied().unwrap_or(1);
        let judged: Vec<Judged> = self
            .0
            .models
            .iter()
            .map(|(name, _)| judge(&series, &outcomes, name, period))
            .collect();
        let mut order: Vec<usize> = (0..judged.len()).collect();
        // NaN comes last.
        let key = |place: &usize| judged[*place].measures[RANKED_BY];
        order.sort_by(|a, b| key(a).total_cmp(&key(b)));
        let mut ranks = vec![None; judged.len()];
        for (rank, place) in (1..).zip(&order) {
            ranks[*place] = (!key(place).is_nan()).then_some(rank);
        }
        let folds = judged.iter().map(|one| i64::try_from(one.folds).ok());
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(
                self.0.models.iter().map(|(name, _)| name),
            )),
            Arc::new(folds.collect::<Int64Array>()),
        ];
        for place in 0..MEASURES.len() {
            let values = judged.iter().map(|one| finite(one.measures[place]));
            columns.push(Arc::new(values.collect::<Float64Array>()));
        }
        columns.push(Arc::new(Int64Array::from(ranks)));
        let statuses = judged.iter().map(|one| one.status.clone());
        Ok(Output::new(columns).with_status(Arc::new(statuses.collect::<StringArray>())))
    }

    fn working_bytes(&self, rows: usize) -> usize {
        bytes(&self.0, rows)
    }
}

fn judge(series: &Series, outcomes: &[Outcome<'_>], model: &str, period: usize) -> Judged {
    let (mut actual, mut mean, mut lower, mut upper) = (vec![], vec![], vec![], vec![]);
    let (mut scaled, mut folds, mut status) = (Vec::new(), 0, None);
    for outcome in outcomes.iter().filter(|outcome| outcome.model == model) {
        let bands = match &outcome.forecast {
            Ok(bands) => bands,
            Err(reason) => {
                status.get_or_insert_with(|| reason.clone());
                continue;
            }
        };
        let steps: Vec<usize> = (0..bands.mean.len())
            .filter(|step| series.observed.get(outcome.first + step) == Some(&true))
            .collect();
        let pick = |values: &[f64]| steps.iter().map(|step| values[*step]).collect::<Vec<_>>();
        let truth: Vec<f64> = steps
            .iter()
            .map(|s| series.values[outcome.first + s])
            .collect();
        let (fold_mean, past) = (pick(&bands.mean), &series.values[outcome.train.clone()]);
        scaled.push([
            metrics::mase(&truth, &fold_mean, past, period),
            metrics::rmsse(&truth, &fold_mean, past, period),
        ]);
        actual.extend(truth);
        mean.extend(fold_mean);
        lower.extend(pick(&bands.lower));
        upper.extend(pick(&bands.upper));
        folds += 1;
    }
    let over_folds = |place: usize| {
        let known: Vec<f64> = scaled
            .iter()
            .map(|fold| fold[place])
            .filter(|x| x.is_finite())
            .collect();
        crate::math::stats::mean(&known)
    };
    Judged {
        folds,
        measures: [
            metrics::mae(&actual, &mean),
            metrics::rmse(&actual, &mean),
            metrics::mape(&actual, &mean),
            metrics::smape(&actual, &mean),
            over_folds(0),
            over_folds(1),
            metrics::bias(&actual, &mean),
            metrics::coverage(&actual, &lower, &upper),
        ],
        status: status.filter(|_| folds == 0),
    }
}
