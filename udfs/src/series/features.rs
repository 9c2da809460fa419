//! `ts_features()` and `ts_detect_periods()`: what kind of series each is.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, Int64Array};
use datafusion::arrow::datatypes::{DataType, Field};

use super::{OnGap, Rules, Series};
use crate::error::Result;
use crate::forecast::finite;
use crate::math::features::{FEATURES, detect_periods, features};
use crate::relation::{
    Argument, Bound, ColumnRef, Constant, Failure, Group, Layout, Options, Output, Signature,
    TableFunction, ValueType,
};

static FEATURES_SIGNATURE: Signature = Signature {
    name: "ts_features",
    arguments: &[
        Argument::data("data"),
        super::TIMESTAMP,
        super::DATA,
        Argument::ids(),
        super::SEASONAL_PERIODS,
        super::FREQUENCY,
        super::ON_DUPLICATE,
    ],
};

static PERIODS_SIGNATURE: Signature = Signature {
    name: "ts_detect_periods",
    arguments: &[
        Argument::data("data"),
        super::TIMESTAMP,
        super::DATA,
        Argument::ids(),
        Argument::option("max_periods", ValueType::Integer { min: 1, max: 20 })
            .or(Constant::Integer(3)),
        super::FREQUENCY,
        super::ON_DUPLICATE,
    ],
};

/// The table function `ts_features`: one row a series; the columns are those of [`FEATURES`].
#[derive(Debug, Default)]
pub(super) struct Features;

/// The table function `ts_detect_periods`: the season lengths of each series, the strongest first.
#[derive(Debug, Default)]
pub(super) struct DetectPeriods;

#[derive(Debug)]
struct Reader {
    time: ColumnRef,
    data: ColumnRef,
    rules: Rules,
}

impl Reader {
    fn new(layout: &Layout, options: &Options) -> Result<Self> {
        Ok(Self {
            time: layout.column("timestamp_col")?,
            data: layout.column("data_col")?,
            rules: super::rules(layout, options, OnGap::Interpolate)?,
        })
    }

    fn series(&self, group: &Group<'_>) -> Result<Series, Failure> {
        Series::new(
            group.column(self.time),
            group.numbers(self.data)?,
            &self.rules,
        )
    }
}

impl TableFunction for Features {
    fn signature(&self) -> &'static Signature {
        &FEATURES_SIGNATURE
    }

    fn output(&self, _layout: &Layout) -> Result<Vec<Field>> {
        let mut fields = vec![
            Field::new("n", DataType::Int64, true),
            Field::new("missing", DataType::Int64, true),
            Field::new("period", DataType::Int64, true),
        ];
        fields.extend(
            FEATURES
                .iter()
                .map(|name| Field::new(*name, DataType::Float64, true)),
        );
        Ok(fields)
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        Ok(Arc::new(BoundFeatures {
            reader: Reader::new(layout, options)?,
            periods: super::periods(options),
        }))
    }
}

#[derive(Debug)]
struct BoundFeatures {
    reader: Reader,
    periods: Vec<usize>,
}

fn whole(value: usize) -> ArrayRef {
    Arc::new(Int64Array::from(vec![i64::try_from(value).ok()]))
}

impl Bound for BoundFeatures {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let series = self.reader.series(group)?;
        let given = match self.periods.as_slice() {
            [] => series.default_periods(),
            given => given,
        };
        let period = given.first().copied().unwrap_or(1);
        let missing = series.observed.iter().filter(|seen| !**seen).count();
        let mut columns = vec![whole(series.values.len()), whole(missing), whole(period)];
        for value in features(&series.values, period) {
            columns.push(Arc::new(Float64Array::from(vec![finite(value)])));
        }
        Ok(Output::new(columns))
    }

    fn working_bytes(&self, rows: usize) -> usize {
        rows.saturating_mul(32 * 8)
    }
}

impl TableFunction for DetectPeriods {
    fn signature(&self) -> &'static Signature {
        &PERIODS_SIGNATURE
    }

    fn output(&self, _layout: &Layout) -> Result<Vec<Field>> {
        Ok(vec![
            Field::new("rank", DataType::Int64, true),
            Field::new("period", DataType::Int64, true),
            Field::new("strength", DataType::Float64, true),
            Field::new("autocorrelation", DataType::Float64, true),
        ])
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        Ok(Arc::new(BoundPeriods {
            reader: Reader::new(layout, options)?,
            most: options.count("max_periods")?,
        }))
    }
}

#[derive(Debug)]
struct BoundPeriods {
    reader: Reader,
    most: usize,
}

impl Bound for BoundPeriods {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let series = self.reader.series(group)?;
        let found = detect_periods(&series.values, self.most);
        if found.is_empty() {
            return Err(Failure::refused("no season was found"));
        }
        let count = i64::try_from(found.len()).unwrap_or(0);
        let periods = found.iter().map(|found| i64::try_from(found.period).ok());
        let strengths = found.iter().map(|found| finite(found.strength));
        let correlations = found.iter().map(|found| finite(found.autocorrelation));
        Ok(Output::new(vec![
            Arc::new(Int64Array::from_iter_values(1..=count)),
            Arc::new(periods.collect::<Int64Array>()),
            Arc::new(strengths.collect::<Float64Array>()),
            Arc::new(correlations.collect::<Float64Array>()),
        ]))
    }
}
