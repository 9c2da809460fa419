//! The tests against scipy 1.17 and statsmodels 0.15, on the samples of `tests/data/stats`.

use std::collections::HashMap;

use super::association::{Comoments, kendall, pearson, spearman};
use super::describe::FourMoments;
use super::goodness::{ks_normal, ks_two};
use super::linear::{Covariance, least_squares};
use super::location::{Moments, anova, cohens_d, t_test_one, t_test_two};
use super::normality::{anderson_darling, dagostino, jarque_bera, shapiro_wilk};
use super::ranks::{Method, ZeroDifferences, kruskal, mann_whitney, wilcoxon};
use super::series::{
    Lags, Trend, adf, arch_lm, autocorrelations, durbin_watson, granger, kpss,
    partial_autocorrelations, portmanteau,
};
use super::spread::{Center, bartlett, levene};
use super::table::{fisher_exact, goodness_of_fit, independence};
use super::{Alternative, distribution};

fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields.last_mut().unwrap().push(c),
        }
    }
    fields
}

struct Expected {
    test: String,
    input: String,
    params: String,
    metric: String,
    value: f64,
    tolerance: f64,
}

fn expected() -> Vec<Expected> {
    let text = include_str!("../../../../tests/data/stats/expected.csv");
    let row = |line: &str| {
        let f = fields(line);
        Expected {
            test: f[0].clone(),
            input: f[1].clone(),
            params: f[2].clone(),
            metric: f[3].clone(),
            value: f[4].parse().unwrap_or(f64::NAN),
            tolerance: f[5].parse().unwrap(),
        }
    };
    text.lines().skip(1).map(row).collect()
}

fn samples() -> HashMap<String, Vec<f64>> {
    let mut samples: HashMap<String, Vec<f64>> = HashMap::new();
    for line in include_str!("../../../../tests/data/stats/samples.csv")
        .lines()
        .skip(1)
    {
        let f = fields(line);
        samples
            .entry(f[0].clone())
            .or_default()
            .push(f[2].parse().unwrap());
    }
    samples
}

fn regression() -> HashMap<&'static str, Vec<f64>> {
    let names = ["i", "x1", "x2", "x3", "y", "y_bin", "y_count", "w"];
    let mut columns: HashMap<&str, Vec<f64>> = HashMap::new();
    for line in include_str!("../../../../tests/data/stats/regression.csv")
        .lines()
        .skip(1)
    {
        for (name, value) in names.iter().zip(line.split(',')) {
            columns
                .entry(*name)
                .or_default()
                .push(value.parse().unwrap());
        }
    }
    columns
}

fn alternative(params: &str) -> Alternative {
    let named = Alternative::NAMES
        .iter()
        .find(|name| params.contains(&format!(": {name}")));
    Alternative::parse(named.unwrap_or(&"two-sided")).unwrap()
}

fn number(params: &str, name: &str) -> f64 {
    let Some(at) = params.find(name) else {
        return f64::NAN;
    };
    let rest = params[at + name.len()..].trim_start_matches([':', ' ']);
    let end = rest.find([',', '}']).unwrap_or(rest.len());
    rest[..end].parse().unwrap_or(f64::NAN)
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// What we answer; none for tests that are not ours.
fn answer(
    of: &Expected,
    samples: &HashMap<String, Vec<f64>>,
) -> Option<HashMap<&'static str, f64>> {
    let inputs: Vec<Vec<f64>> = of
        .input
        .split('|')
        .filter_map(|name| samples.get(name))
        .cloned()
        .collect();
    let side = alternative(&of.params);
    let pair = |found: Option<(f64, f64)>| {
        let (statistic, p) = found?;
        Some(HashMap::from([("statistic", statistic), ("p_value", p)]))
    };
    let moments = |i: usize| Moments::of(&inputs[i]);
    let t = |found: Option<super::location::TTest>| found.map(|t| (t.statistic, t.p_value));
    match of.test.as_str() {
        "t_1samp" => pair(t(t_test_one(
            moments(0),
            number(&of.params, "mu"),
            side,
            0.95,
        ))),
        "t_ind_pooled" => pair(t(t_test_two(moments(0), moments(1), true, side, 0.95))),
        "t_welch" => pair(t(t_test_two(moments(0), moments(1), false, side, 0.95))),
        "t_paired" => {
            let d: Vec<f64> = inputs[0]
                .iter()
                .zip(&inputs[1])
                .map(|(a, b)| a - b)
                .collect();
            pair(t(t_test_one(Moments::of(&d), 0.0, side, 0.95)))
        }
        "cohens_d_pooled" => Some(HashMap::from([("d", cohens_d(moments(0), moments(1))?)])),
        "mann_whitney_asymptotic" => pair(mann_whitney(
            &inputs[0],
            &inputs[1],
            side,
            Method::Asymptotic,
            true,
        )),
        "mann_whitney_exact" => pair(mann_whitney(
            &inputs[0],
            &inputs[1],
            side,
            Method::Auto,
            true,
        )),
        "wilcoxon_exact" | "wilcoxon_asymptotic" => {
            let d: Vec<f64> = inputs[0]
                .iter()
                .zip(&inputs[1])
                .map(|(a, b)| a - b)
                .collect();
            let method = if of.test.ends_with("exact") {
                Method::Auto
            } else {
                Method::Asymptotic
            };
            pair(wilcoxon(&d, side, method, ZeroDifferences::Wilcox, false))
        }
        "pearson" | "spearman_t_approx" => {
            let c = if of.test == "pearson" {
                pearson(Comoments::of(&inputs[0], &inputs[1]), side, 0.95)?
            } else {
                spearman(&inputs[0], &inputs[1], side, 0.95)?
            };
            Some(HashMap::from([
                ("statistic", c.coefficient),
                ("p_value", c.p_value),
                ("ci95_low_fisher", c.lower),
                ("ci95_high_fisher", c.upper),
            ]))
        }
        "kendall_tau_b_asymptotic" => {
            pair(kendall(&inputs[0], &inputs[1], side, Method::Asymptotic))
        }
        "kendall_exact" => {
            let (a, b) = (&samples["tiny_a"][..6], &samples["tiny_b"][..6]);
            pair(kendall(a, b, side, Method::Exact))
        }
        "ks_1samp_norm01_exact" => pair(ks_normal(&sorted(&inputs[0]), 0.0, 1.0, side)),
        "ks_2samp_exact" => pair(ks_two(&sorted(&inputs[0]), &sorted(&inputs[1]), side)),
        "anova_oneway" => {
            let groups: Vec<Moments> = inputs.iter().map(|x| Moments::of(x)).collect();
            pair(anova(&groups).map(|found| (found[0], found[1])))
        }
        "kruskal" => pair(kruskal(&inputs)),
        "levene_mean" => pair(levene(&inputs, Center::Mean)),
        "brown_forsythe_median" => pair(levene(&inputs, Center::Median)),
        "bartlett" => pair(bartlett(&inputs)),
        "shapiro_wilk" => pair(shapiro_wilk(&sorted(&inputs[0]))),
        "jarque_bera" => pair(jarque_bera(&FourMoments::of(&inputs[0]))),
        "dagostino_k2" => pair(dagostino(&FourMoments::of(&inputs[0]))),
        "anderson_darling_norm" => pair(anderson_darling(&sorted(&inputs[0]))),
        "describe" => describe(&inputs[0]),
        "chi2_contingency" | "chi2_contingency_yates" | "fisher_exact" => table(of, side),
        "chisquare_gof_uniform" => {
            let found = goodness_of_fit(&[23., 13., 38., 11., 11., 39.], &[1.0; 6], 0.0)?;
            Some(HashMap::from([
                ("statistic", found[0]),
                ("p_value", found[1]),
            ]))
        }
        _ => on_series(of, &inputs),
    }
}

fn describe(x: &[f64]) -> Option<HashMap<&'static str, f64>> {
    let m = FourMoments::of(x);
    let s = sorted(x);
    let (median, deviation) = super::describe::median_and_deviation(&s);
    let q = |p| super::describe::quantile_sorted(&s, p);
    Some(HashMap::from([
        ("mean", m.mean),
        ("var_samp", m.m2 / (m.count - 1.0)),
        ("skew_pop", m.skewness(false)?),
        ("kurt_excess_pop", m.kurtosis(false)?),
        ("skew_sample_G1", m.skewness(true)?),
        ("kurt_sample_G2", m.kurtosis(true)?),
        ("median", median),
        ("mad_raw", deviation),
        ("iqr_linear", q(0.75) - q(0.25)),
        ("q05_linear", q(0.05)),
    ]))
}

fn table(of: &Expected, side: Alternative) -> Option<HashMap<&'static str, f64>> {
    if of.test == "fisher_exact" {
        let (odds, p) = fisher_exact([21., 16., 15., 16.], side)?;
        return Some(HashMap::from([("odds_ratio_sample", odds), ("p_value", p)]));
    }
    let counts: &[f64] = if of.input.contains("3x4") {
        &[41., 24., 22., 32., 9., 31., 53., 56., 8., 29., 13., 9.]
    } else {
        &[21., 16., 15., 16.]
    };
    let columns = if of.input.contains("3x4") { 4 } else { 2 };
    let found = independence(counts, columns, of.test.ends_with("yates"))?;
    Some(HashMap::from([
        ("statistic", found.statistic),
        ("p_value", found.p_value),
        ("dof", found.df),
        ("cramers_v", found.cramers_v),
    ]))
}

const LAGS: [&str; 11] = [
    "lag0", "lag1", "lag2", "lag3", "lag4", "lag5", "lag6", "lag7", "lag8", "lag9", "lag10",
];

fn on_series(of: &Expected, inputs: &[Vec<f64>]) -> Option<HashMap<&'static str, f64>> {
    let pair = |found: Option<(f64, f64)>| {
        let (statistic, p) = found?;
        Some(HashMap::from([("statistic", statistic), ("p_value", p)]))
    };
    let lags = number(&of.params, "lags") as usize;
    let trend = ["ctt", "ct", "c", "n"]
        .into_iter()
        .find(|name| of.params.contains(&format!("regression: {name}}}")))
        .and_then(Trend::parse)
        .unwrap_or(Trend::Constant);
    let by_lag = |r: Vec<f64>| LAGS.iter().copied().zip(r).collect::<HashMap<_, _>>();
    match of.test.as_str() {
        "adf" | "adf_aic" => {
            let lags = if of.test == "adf" {
                Lags::Fixed(lags)
            } else {
                Lags::Aic(None)
            };
            let found = adf(&inputs[0], trend, lags)?;
            Some(HashMap::from([
                ("statistic", found.statistic),
                ("p_value_mackinnon", found.p_value),
                ("crit5", found.critical[1]),
                ("usedlag", found.lags as f64),
            ]))
        }
        "kpss" | "kpss_auto" => {
            let lags = (of.test == "kpss").then_some(lags);
            let (statistic, p, lags) = kpss(&inputs[0], trend == Trend::Linear, lags)?;
            Some(HashMap::from([
                ("statistic", statistic),
                ("p_value_table_clipped_0.01_0.1", p),
                ("lags", lags as f64),
            ]))
        }
        "ljung_box" => pair(portmanteau(&inputs[0], lags, 0, true)),
        "box_pierce" => pair(portmanteau(&inputs[0], lags, 0, false)),
        "arch_lm" => pair(arch_lm(&inputs[0], lags)),
        "durbin_watson" => Some(HashMap::from([("statistic", durbin_watson(&inputs[0])?)])),
        "acf" => autocorrelations(&inputs[0], 10).map(by_lag),
        "pacf_yule_walker_mle" => partial_autocorrelations(&inputs[0], 10).map(by_lag),
        "granger_ssr_f" => {
            let found = granger(&inputs[1], &inputs[0], 2)?;
            Some(HashMap::from([("F", found[0]), ("p_value", found[1])]))
        }
        _ => None,
    }
}

#[test]
fn tests_agree_with_scipy_and_statsmodels() {
    let samples = samples();
    let (mut compared, mut off) = (0, Vec::new());
    for of in expected() {
        let Some(answer) = answer(&of, &samples) else {
            continue;
        };
        let Some(found) = answer.get(of.metric.as_str()) else {
            continue;
        };
        compared += 1;
        let allowed = (of.tolerance * of.value.abs()).max(1e-300);
        if (found - of.value).abs() > allowed {
            let Expected {
                test,
                input,
                params,
                metric,
                value,
                ..
            } = &of;
            off.push(format!(
                "{test} {input} {params} {metric}: {found} is not {value}"
            ));
        }
    }
    assert!(
        off.is_empty(),
        "{} of {compared} are off:\n{}",
        off.len(),
        off.join("\n")
    );
    assert!(compared > 700, "only {compared} values were compared");
}

#[test]
fn least_squares_agree_with_statsmodels() {
    let data = regression();
    let ones = vec![1.0; data["y"].len()];
    let columns: Vec<&[f64]> = vec![&ones, &data["x1"], &data["x2"], &data["x3"]];
    let fit = least_squares(&columns, &data["y"]);
    let kinds = [
        ("ols", Covariance::Const),
        ("ols_HC0", Covariance::Hc0),
        ("ols_HC1", Covariance::Hc1),
        ("ols_HC3", Covariance::Hc3),
    ];
    let names = ["const", "x1", "x2", "x3"];
    let mut compared = 0;
    for (test, kind) in kinds {
        let errors = fit.errors(&columns, kind);
        for of in expected().iter().filter(|of| of.test == test) {
            let Some(term) = names.iter().position(|name| of.metric.ends_with(name)) else {
                continue;
            };
            let z = fit.coefficients[term] / errors[term];
            let found = match of.metric.split('_').next().unwrap() {
                "coef" => fit.coefficients[term],
                "se" => errors[term],
                "stat" => z,
                "p" => 2.0 * distribution::t_tail(z.abs(), fit.df()),
                _ => continue,
            };
            compared += 1;
            let allowed = of.tolerance * of.value.abs();
            assert!(
                (found - of.value).abs() <= allowed,
                "{test} {}: {found} {}",
                of.metric,
                of.value
            );
        }
    }
    assert!(compared > 40, "{compared}");
}

#[test]
fn degenerate_samples_have_no_answer() {
    let nothing: &[f64] = &[];
    let flat = [2.0; 9];
    for x in [nothing, &flat[..1], &flat] {
        assert_eq!(
            t_test_one(Moments::of(x), 0.0, Alternative::TwoSided, 0.95),
            None
        );
        assert_eq!(jarque_bera(&FourMoments::of(x)), None);
        assert_eq!(shapiro_wilk(x), None);
        assert_eq!(anderson_darling(x), None);
        assert_eq!(adf(x, Trend::Constant, Lags::Aic(None)), None);
        assert_eq!(kpss(x, false, None), None);
        assert_eq!(portmanteau(x, 1, 0, true), None);
        assert_eq!(autocorrelations(x, 3), None);
        assert_eq!(kruskal(&[x.to_vec(), x.to_vec()]), None);
        assert_eq!(levene(&[x.to_vec(), x.to_vec()], Center::Median), None);
        assert_eq!(granger(x, x, 1), None);
        assert_eq!(kendall(x, x, Alternative::TwoSided, Method::Auto), None);
    }
    assert_eq!(
        mann_whitney(nothing, &flat, Alternative::Less, Method::Auto, true),
        None
    );
    assert_eq!(
        wilcoxon(
            &[0.0; 4],
            Alternative::Less,
            Method::Auto,
            ZeroDifferences::Wilcox,
            true
        ),
        None
    );
    assert_eq!(independence(&[1.0, 2.0], 2, true), None);
    assert_eq!(fisher_exact([-1.0, 1.0, 1.0, 1.0], Alternative::Less), None);
}

/// A scale of the values changes no statistic that has no unit.
#[test]
fn scale_does_not_matter() {
    let samples = samples();
    let x = &samples["norm_a"];
    for scale in [1e-12, 1e12] {
        let scaled: Vec<f64> = x.iter().map(|x| x * scale).collect();
        let same = |a: Option<(f64, f64)>, b: Option<(f64, f64)>| {
            let (a, b) = (a.unwrap(), b.unwrap());
            assert!((a.0 - b.0).abs() < 1e-9 * a.0.abs() && (a.1 - b.1).abs() < 1e-9 * a.1.abs());
        };
        same(
            jarque_bera(&FourMoments::of(x)),
            jarque_bera(&FourMoments::of(&scaled)),
        );
        same(shapiro_wilk(&sorted(x)), shapiro_wilk(&sorted(&scaled)));
        same(
            anderson_darling(&sorted(x)),
            anderson_darling(&sorted(&scaled)),
        );
        same(portmanteau(x, 3, 0, true), portmanteau(&scaled, 3, 0, true));
    }
}

#[test]
fn moments_merge_to_those_of_the_whole() {
    let samples = samples();
    let x = &samples["lognorm"];
    let (a, b) = x.split_at(17);
    let (whole, parts) = (
        FourMoments::of(x),
        FourMoments::of(a).merged(FourMoments::of(b)),
    );
    for (w, p) in [
        (whole.mean, parts.mean),
        (whole.m2, parts.m2),
        (whole.m3, parts.m3),
        (whole.m4, parts.m4),
    ] {
        assert!((w - p).abs() < 1e-12 * w.abs());
    }
    let (a, b) = (Moments::of(a), Moments::of(b));
    assert!((a.merged(b).squares - whole.m2).abs() < 1e-12 * whole.m2);
}

#[test]
fn a_repeated_column_is_left_out() {
    let data = regression();
    let ones = vec![1.0; data["y"].len()];
    let twice: Vec<f64> = data["x1"].iter().map(|x| 2.0 * x - 3.0).collect();
    let fit = least_squares(&[&ones, &data["x1"], &twice, &data["x2"]], &data["y"]);
    assert_eq!(fit.kept, [0, 1, 3]);
    assert!(fit.coefficients[2].is_nan() && fit.coefficients[3].is_finite());
}
