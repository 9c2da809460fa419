//! Tests over several groups: `anova_oneway(x, region)`. Groups are told apart by values of any type.

use super::X;
use super::answers::{TEST, grouped, over_rows, test};
use crate::function::{AggregateSpec, Answer, Parameter, Shape};
use crate::math::stats::location::{Moments, anova};
use crate::math::stats::ranks::kruskal;
use crate::math::stats::spread::{Center, bartlett, levene};
use crate::relation::{Class, Constant, ValueType};

const GROUP: Parameter = Parameter::value("group", Class::Any);

const ANOVA: Shape = Shape::Record(&[
    ("statistic", Shape::Number),
    ("p_value", Shape::Number),
    ("df_between", Shape::Number),
    ("df_within", Shape::Number),
    ("eta_squared", Shape::Number),
]);

pub(super) static ALL: &[AggregateSpec] = &[
    over_rows!("anova_oneway", Aggregate, &[X, GROUP], ANOVA, |rows, _| {
        let groups: Vec<Moments> = grouped(rows, 0, 1)?
            .iter()
            .map(|group| Moments::of(group))
            .collect();
        anova(&groups).map(|found| Answer::record(&found))
    }),
    over_rows!("kruskal", Aggregate, &[X, GROUP], TEST, |rows, _| {
        test(kruskal(&grouped(rows, 0, 1)?))
    }),
    // Brown and Forsythe's form unless the center is said to be the mean.
    over_rows!(
        "levene",
        Aggregate,
        &[
            X,
            GROUP,
            Parameter::option("center", ValueType::Choice(Center::NAMES))
                .or(Constant::Text("median"))
        ],
        TEST,
        |rows, options| {
            let center = Center::parse(options.text("center").ok()?)?;
            test(levene(&grouped(rows, 0, 1)?, center))
        }
    ),
    over_rows!("bartlett", Aggregate, &[X, GROUP], TEST, |rows, _| {
        test(bartlett(&grouped(rows, 0, 1)?))
    }),
];
