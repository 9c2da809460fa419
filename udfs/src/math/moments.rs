//! Moments of numbers from exact sums of their powers, which merge, forget and do not mind the order.

use super::exact::Twofold;

/// The first powers of a number, as many as there is room for.
pub fn powers(x: f64, terms: &mut [Twofold]) {
    let mut power = Twofold::from(1.0);
    for term in terms {
        power = power.times(Twofold::from(x));
        *term = power;
    }
}

/// The mean of `n` numbers from their sum.
pub fn mean(n: usize, sums: &[Twofold]) -> f64 {
    exact_mean(n, sums).value()
}

/// The variance with `n - ddof` below, from the sums of the first two powers; NaN if that is not positive.
pub fn variance(n: usize, sums: &[Twofold], ddof: usize) -> f64 {
    match covariance(n, sums[0], sums[0], sums[1], ddof) {
        negative if negative < 0.0 => 0.0,
        variance => variance,
    }
}

/// The covariance with `n - ddof` below, from the sums of both numbers and of their products; NaN if that is not
/// positive.
pub fn covariance(n: usize, x: Twofold, y: Twofold, products: Twofold, ddof: usize) -> f64 {
    if n <= ddof {
        return f64::NAN;
    }
    let about_means = products.minus(x.times(y).over(exact(n)));
    about_means.over(exact(n - ddof)).value()
}

/// The skewness `m3 / m2^1.5` of the population, from the sums of three powers; NaN if all numbers are the same.
pub fn skewness(n: usize, sums: &[Twofold]) -> f64 {
    let mean = exact_mean(n, sums);
    let [first, second, third] = [0, 1, 2].map(|i| sums[i].over(exact(n)));
    let cube = mean.times(mean).times(first);
    let central = third
        .minus(scaled(3.0, mean.times(second)))
        .plus(scaled(2.0, cube));
    central.value() / variance(n, sums, 0).powf(1.5)
}

/// The excess kurtosis `m4 / m2² - 3` of the population, from the sums of four powers; NaN if all numbers are the same.
pub fn excess_kurtosis(n: usize, sums: &[Twofold]) -> f64 {
    let mean = exact_mean(n, sums);
    let [second, third, fourth] = [1, 2, 3].map(|i| sums[i].over(exact(n)));
    let square = mean.times(mean);
    let central = fourth
        .minus(scaled(4.0, mean.times(third)))
        .plus(scaled(6.0, square.times(second)))
        .minus(scaled(3.0, square.times(square)));
    central.value() / variance(n, sums, 0).powi(2) - 3.0
}

fn exact(n: usize) -> Twofold {
    Twofold::from(n as f64)
}

fn exact_mean(n: usize, sums: &[Twofold]) -> Twofold {
    sums[0].over(exact(n))
}

fn scaled(factor: f64, x: Twofold) -> Twofold {
    Twofold::from(factor).times(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::exact::Sums;

    fn sums(numbers: impl IntoIterator<Item = f64>) -> (usize, Vec<Twofold>) {
        let mut sums = Sums::new(4);
        for x in numbers {
            let mut terms = [Twofold::from(0.0); 4];
            powers(x, &mut terms);
            sums.add(&terms);
        }
        (sums.count(), sums.values())
    }

    /// scipy 1.17.1: `std(ddof=1)`, `skew` and `kurtosis` of these numbers.
    #[test]
    fn equals_scipy() {
        let (n, sums) = sums([2.0, 3.5, -1.0, 7.25, 0.5, 2.0]);
        assert!((mean(n, &sums) - 2.375).abs() < 1e-15);
        assert!((variance(n, &sums, 1).sqrt() - 2.836_150_560_178_355).abs() < 1e-14);
        assert!((skewness(n, &sums) - 0.692_807_647_376_901_4).abs() < 1e-14);
        assert!((excess_kurtosis(n, &sums) + 0.371_754_120_005_868_05).abs() < 1e-14);
    }

    #[test]
    fn a_far_mean_costs_no_digits() {
        let near = sums([0.0, 1.0, 3.0, 7.0, 8.0]);
        let far = sums([0.0, 1.0, 3.0, 7.0, 8.0].map(|x| x + 1e6));
        assert!((variance(5, &near.1, 1) - variance(5, &far.1, 1)).abs() < 1e-12);
        assert!((skewness(5, &near.1) - skewness(5, &far.1)).abs() < 1e-9);
        assert!((excess_kurtosis(5, &near.1) - excess_kurtosis(5, &far.1)).abs() < 1e-4);
    }

    #[test]
    fn too_few_numbers_have_no_variance() {
        let (n, sums) = sums([3.0]);
        assert!(variance(n, &sums, 1).is_nan());
        assert_eq!(variance(n, &sums, 0), 0.0);
    }
}
