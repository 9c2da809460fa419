//! Distribution functions: the normal and Student's t.
//!
//! Quantiles of the normal are Wichura's (1988, algorithm AS 241, PPND16), good to 1e-16; distribution
//! functions and the t are statrs'.

use std::f64::consts::{PI, SQRT_2};

use statrs::distribution::{ContinuousCDF, StudentsT};
use statrs::function::erf::erfc;

/// The density of the standard normal distribution.
pub fn normal_density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * PI).sqrt()
}

/// The probability that a standard normal variable is at most `x`.
pub fn normal_probability(x: f64) -> f64 {
    0.5 * erfc(-x / SQRT_2)
}

/// The value that a standard normal variable stays below with probability `p`; NaN outside 0 to 1.
pub fn normal_quantile(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    let centred = p - 0.5;
    if centred.abs() <= 0.425 {
        let r = 0.180_625 - centred * centred;
        return centred * ratio(r, &NEAR_ABOVE, &NEAR_BELOW);
    }
    let tail = if centred < 0.0 { p } else { 1.0 - p };
    if tail == 0.0 {
        return f64::INFINITY.copysign(centred);
    }
    let r = (-tail.ln()).sqrt();
    let size = if r <= 5.0 {
        ratio(r - 1.6, &MIDDLE_ABOVE, &MIDDLE_BELOW)
    } else {
        ratio(r - 5.0, &FAR_ABOVE, &FAR_BELOW)
    };
    size.copysign(centred)
}

/// Student's t with location and scale.
#[derive(Debug, Clone, Copy)]
pub struct StudentT {
    pub freedom: f64,
    pub location: f64,
    pub scale: f64,
}

impl StudentT {
    /// The value that the variable stays below with probability `p`; NaN for parameters that make no distribution.
    pub fn quantile(&self, p: f64) -> f64 {
        self.location + self.scale * standard_t_quantile(p, self.freedom)
    }

    /// The mean of the variable where it is below its quantile of `p`; needs more than one degree of freedom.
    ///
    /// McNeil, Frey, Embrechts (2005), "Quantitative Risk Management", example 2.19.
    pub fn mean_below(&self, p: f64) -> f64 {
        let nu = self.freedom;
        if nu <= 1.0 {
            return f64::NAN;
        }
        let t = standard_t_quantile(p, nu);
        let mean = t_density(t, nu) / p * (nu + t * t) / (nu - 1.0);
        self.location - self.scale * mean
    }
}

/// The quantile of the standard t distribution, by statrs and a Newton step on its distribution function.
fn standard_t_quantile(p: f64, freedom: f64) -> f64 {
    let Ok(t) = StudentsT::new(0.0, 1.0, freedom) else {
        return f64::NAN;
    };
    if !(p > 0.0 && p < 1.0) {
        return f64::NAN;
    }
    let start = t.inverse_cdf(p);
    let step = (t.cdf(start) - p) / t_density(start, freedom);
    if step.is_finite() {
        start - step
    } else {
        start
    }
}

fn t_density(t: f64, freedom: f64) -> f64 {
    use statrs::function::gamma::ln_gamma;
    let constant = ln_gamma(0.5 * (freedom + 1.0)) - ln_gamma(0.5 * freedom);
    let log = constant - 0.5 * (freedom * PI).ln();
    (log - 0.5 * (freedom + 1.0) * (t * t / freedom).ln_1p()).exp()
}

fn ratio(x: f64, above: &[f64; 8], below: &[f64; 7]) -> f64 {
    let horner = |sum: f64, coefficient: &f64| sum * x + coefficient;
    above.iter().rev().fold(0.0, horner) / (below.iter().rev().fold(0.0, horner) * x + 1.0)
}

const NEAR_ABOVE: [f64; 8] = [
    3.387_132_872_796_366_6,
    1.331_416_678_917_843_8e2,
    1.971_590_950_306_551_4e3,
    1.373_169_376_550_946e4,
    4.592_195_393_154_987e4,
    6.726_577_092_700_87e4,
    3.343_057_558_358_813e4,
    2.509_080_928_730_122_7e3,
];
const NEAR_BELOW: [f64; 7] = [
    4.231_333_070_160_091e1,
    6.871_870_074_920_579e2,
    5.394_196_021_424_751e3,
    2.121_379_430_158_659_6e4,
    3.930_789_580_009_271e4,
    2.872_908_573_572_194_3e4,
    5.226_495_278_852_854e3,
];
const MIDDLE_ABOVE: [f64; 8] = [
    1.423_437_110_749_683_6,
    4.630_337_846_156_546,
    5.769_497_221_460_691,
    3.647_848_324_763_204_5,
    1.270_458_252_452_368_4,
    2.417_807_251_774_506e-1,
    2.272_384_498_926_918_4e-2,
    7.745_450_142_783_414e-4,
];
const MIDDLE_BELOW: [f64; 7] = [
    2.053_191_626_637_759,
    1.676_384_830_183_803_8,
    6.897_673_349_851e-1,
    1.481_039_764_274_800_8e-1,
    1.519_866_656_361_645_7e-2,
    5.475_938_084_995_345e-4,
    1.050_750_071_644_416_9e-9,
];
const FAR_ABOVE: [f64; 8] = [
    6.657_904_643_501_103,
    5.463_784_911_164_114,
    1.784_826_539_917_291_3,
    2.965_605_718_285_048_7e-1,
    2.653_218_952_657_612_4e-2,
    1.242_660_947_388_078_4e-3,
    2.711_555_568_743_487_6e-5,
    2.010_334_399_292_288_1e-7,
];
const FAR_BELOW: [f64; 7] = [
    5.998_322_065_558_88e-1,
    1.369_298_809_227_358e-1,
    1.487_536_129_085_061_5e-2,
    7.868_691_311_456_133e-4,
    1.846_318_317_510_054_8e-5,
    1.421_511_758_316_446e-7,
    2.044_263_103_389_939_8e-15,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy 1.17.1: `norm.ppf`.
    #[test]
    fn normal_quantiles_equal_scipy() {
        for (p, expected) in [
            (0.5, 0.0),
            (0.05, -1.644_853_626_951_472_9),
            (0.99, 2.326_347_874_040_840_8),
            (1e-10, -6.361_340_902_404_056),
            (1e-30, -11.464_024_688_443_613),
        ] {
            let quantile = normal_quantile(p);
            assert!((quantile - expected).abs() < 1e-13, "{p}: {quantile}");
        }
        assert!(normal_quantile(-0.1).is_nan());
        assert_eq!(normal_quantile(1.0), f64::INFINITY);
    }

    /// scipy 1.17.1: `t.ppf(0.01, 3.5)` and the mean below it by `t.expect`.
    #[test]
    fn t_quantiles_equal_scipy() {
        let t = StudentT {
            freedom: 3.5,
            location: 0.0,
            scale: 1.0,
        };
        assert!(
            (t.quantile(0.01) + 4.060_711_359_300_082_5).abs() < 1e-9,
            "{}",
            t.quantile(0.01)
        );
        assert!(
            (t.mean_below(0.01) + 5.895_099_012_700_220_5).abs() < 1e-7,
            "{}",
            t.mean_below(0.01)
        );
    }
}
