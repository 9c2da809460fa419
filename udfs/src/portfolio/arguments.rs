//! The arguments that the functions on portfolios share, declared once.

use crate::relation::{Argument, Class, Constant, Presence, Rows, ValueType, Wanted};

const fn number(name: &'static str, min: f64, max: f64) -> Argument {
    Argument::option(
        name,
        ValueType::Number {
            min,
            max,
            closed: true,
        },
    )
}

const fn keyed(
    name: &'static str,
    columns: &'static [(&'static str, Class, Presence)],
) -> Argument {
    Argument::relation(name, Rows::Either, Wanted::Named(columns))
}

const BY_ASSET: &[(&str, Class, Presence)] = &[
    ("asset", Class::Key, Presence::Required),
    ("value", Class::Number, Presence::Required),
];
const WEIGHTS: &[(&str, Class, Presence)] = &[
    ("asset", Class::Key, Presence::Required),
    ("weight", Class::Number, Presence::Required),
];
const CAPS: &[(&str, Class, Presence)] = &[
    ("asset", Class::Key, Presence::Required),
    ("market_cap", Class::Number, Presence::Required),
];

pub(super) const DATA: Argument = Argument::data("data");
pub(super) const ASSET_COL: Argument = Argument::column("asset_col", Class::Key).inferred();
pub(super) const TIMESTAMP_COL: Argument =
    Argument::column("timestamp_col", Class::Time).inferred();
pub(super) const PRICE_COL: Argument = Argument::column("price_col", Class::Number);
pub(super) const RETURN_COL: Argument = Argument::column("return_col", Class::Number);
pub(super) const IDS: Argument = Argument::ids();
pub(super) const MISSING: Argument =
    Argument::option("missing", ValueType::Choice(&["common", "fill", "error"]))
        .or(Constant::Text("common"));
pub(super) const MIN_OBSERVATIONS: Argument = Argument::option(
    "min_observations",
    ValueType::Integer {
        min: 2,
        max: 1_000_000,
    },
)
.or(Constant::Integer(2));
pub(super) const PERIODS_PER_YEAR: Argument =
    number("periods_per_year", 1e-6, 1e9).or(Constant::Number(252.0));
pub(super) const COVARIANCE: Argument = Argument::option(
    "covariance",
    ValueType::Choice(&["ledoit_wolf", "sample", "oas", "ewma"]),
)
.or(Constant::Text("ledoit_wolf"));
pub(super) const EWMA_SPAN: Argument = number("ewma_span", 1.0, 1e9).or(Constant::Number(180.0));

pub(super) const OBJECTIVES: &[&str] = &[
    "max_sharpe",
    "min_volatility",
    "max_utility",
    "efficient_return",
    "efficient_risk",
    "risk_parity",
    "hrp",
    "min_cvar",
    "max_diversification",
    "equal_weight",
    "inverse_variance",
];
pub(super) const OBJECTIVE: Argument =
    Argument::option("objective", ValueType::Choice(OBJECTIVES)).or(Constant::Text("max_sharpe"));
pub(super) const TARGET_RETURN: Argument = number("target_return", f64::MIN, f64::MAX);
pub(super) const TARGET_VOLATILITY: Argument = number("target_volatility", 0.0, f64::MAX);
pub(super) const RISK_AVERSION: Argument =
    number("risk_aversion", 1e-9, 1e9).or(Constant::Number(1.0));
pub(super) const RISK_FREE_RATE: Argument =
    number("risk_free_rate", -1.0, 1e3).or(Constant::Number(0.0));
pub(super) const EXPECTED_RETURNS: Argument = Argument::option(
    "expected_returns",
    ValueType::Choice(&["mean", "arithmetic_mean", "ema", "capm"]),
)
.or(Constant::Text("mean"));
pub(super) const EXPECTED_RETURNS_GIVEN: Argument = keyed("expected_returns", BY_ASSET);
pub(super) const EMA_SPAN: Argument = number("ema_span", 1.0, 1e9).or(Constant::Number(500.0));
pub(super) const LINKAGE: Argument = Argument::option(
    "linkage",
    ValueType::Choice(&["single", "complete", "average", "ward"]),
)
.or(Constant::Text("single"));
pub(super) const RISK_BUDGETS: Argument = keyed("risk_budgets", BY_ASSET);
pub(super) const WEIGHT_BOUNDS: Argument = Argument::option("weight_bounds", ValueType::Numbers);
pub(super) const CONSTRAINTS: Argument = keyed(
    "constraints",
    &[
        ("kind", Class::Text, Presence::Required),
        ("member", Class::Key, Presence::Optional),
        ("lower", Class::Number, Presence::Optional),
        ("upper", Class::Number, Presence::Optional),
    ],
);
pub(super) const GROUPS: Argument = keyed(
    "groups",
    &[
        ("asset", Class::Key, Presence::Required),
        ("member_of", Class::Key, Presence::Required),
    ],
);
pub(super) const CURRENT_WEIGHTS: Argument = keyed("current_weights", WEIGHTS);
pub(super) const TRANSACTION_COST: Argument =
    number("transaction_cost", 0.0, 1.0).or(Constant::Number(0.0));
pub(super) const VIEWS: Argument = keyed(
    "views",
    &[
        ("asset", Class::Key, Presence::Required),
        ("versus", Class::Key, Presence::Optional),
        ("view_return", Class::Number, Presence::Required),
        ("confidence", Class::Number, Presence::Optional),
    ],
);
pub(super) const MARKET_CAPS: Argument = keyed("market_caps", CAPS);
pub(super) const MARKET_RISK_AVERSION: Argument =
    number("market_risk_aversion", 1e-9, 1e9).or(Constant::Number(2.5));
pub(super) const TAU: Argument = number("tau", 1e-9, 1e3).or(Constant::Number(0.05));

/// The rows of assets and times.
pub(super) const PANEL: &[Argument] = &[DATA, ASSET_COL, TIMESTAMP_COL, RETURN_COL, PRICE_COL, IDS];
/// Which rows of them count.
pub(super) const COMPLETE: &[Argument] = &[MISSING, MIN_OBSERVATIONS];
/// What is best.
pub(super) const GOAL: &[Argument] = &[
    OBJECTIVE,
    TARGET_RETURN,
    TARGET_VOLATILITY,
    RISK_AVERSION,
    Argument::CONFIDENCE_LEVEL,
    LINKAGE,
    RISK_BUDGETS,
];
/// What is known of the assets.
pub(super) const ESTIMATES: &[Argument] = &[
    RISK_FREE_RATE,
    PERIODS_PER_YEAR,
    EXPECTED_RETURNS,
    EXPECTED_RETURNS_GIVEN,
    EMA_SPAN,
    COVARIANCE,
    EWMA_SPAN,
    VIEWS,
    MARKET_CAPS,
    MARKET_RISK_AVERSION,
    TAU,
];
/// What the weights must fulfil.
pub(super) const MANDATE: &[Argument] = &[
    WEIGHT_BOUNDS,
    CONSTRAINTS,
    GROUPS,
    CURRENT_WEIGHTS,
    TRANSACTION_COST,
];
/// How many there are of an optimiser's arguments beside the goal.
pub(super) const OF_OPTIMISERS: usize =
    PANEL.len() + ESTIMATES.len() + MANDATE.len() + COMPLETE.len();

/// The weights and prices of `discrete_allocation`.
pub(super) const ALLOCATED_WEIGHTS: Argument = keyed("weights", WEIGHTS);
pub(super) const ALLOCATED_PRICES: Argument = keyed(
    "prices",
    &[
        ("asset", Class::Key, Presence::Required),
        ("price", Class::Number, Presence::Required),
    ],
);
