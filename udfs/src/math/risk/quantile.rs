//! Exact quantiles by selection: the time grows with the numbers, not with their sorting.

/// How many numbers tell where the wanted ones lie.
const SAMPLE: usize = 4096;
/// Fewer numbers than this are looked through at once.
const SMALL: usize = 4 * SAMPLE;

/// The quantile of probability `p` of the numbers of all parts, none of them NaN; none without numbers.
///
/// The quantile of `n` numbers lies at the place `p (n - 1)` among them, counted from zero in ascending
/// order; between two places it is interpolated linearly. That is type 7 of Hyndman and Fan (1996), the
/// default of numpy and R, and PostgreSQL's `percentile_cont`.
pub fn quantile(parts: &[&[f64]], p: f64) -> Option<f64> {
    let count: usize = parts.iter().map(|part| part.len()).sum();
    if count == 0 {
        return None;
    }
    let place = p.clamp(0.0, 1.0) * (count - 1) as f64;
    let lower = (place.floor() as usize).min(count - 1);
    let weight = place - lower as f64;
    let (a, b) = neighbours(parts, count, lower);
    Some(if weight == 0.0 || a == b {
        a
    } else {
        a + weight * (b - a)
    })
}

/// The number at a place in ascending order and the next one, or itself if it is the last.
fn neighbours(parts: &[&[f64]], count: usize, place: usize) -> (f64, f64) {
    let next = (place + 1).min(count - 1);
    let (mut candidates, below) = if count <= SMALL {
        (all(parts), 0)
    } else {
        near(parts, count, place, next)
    };
    let (_, first, above) = candidates.select_nth_unstable(place - below);
    let second = match next == place {
        true => *first,
        false => above.iter().copied().min().unwrap_or(*first),
    };
    (value(*first), value(second))
}

fn all(parts: &[&[f64]]) -> Vec<u64> {
    parts
        .iter()
        .flat_map(|part| part.iter().map(|x| key(*x)))
        .collect()
}

/// The numbers between two of a sample that most likely enclose both places, and how many numbers lie below
/// them; all numbers if they do not.
///
/// After Floyd and Rivest (1975), "Expected time bounds for selection".
fn near(parts: &[&[f64]], count: usize, place: usize, next: usize) -> (Vec<u64>, usize) {
    let (low, high) = enclosure(parts, count, place);
    let mut keys = Vec::with_capacity(count / 16);
    let mut below = 0;
    for x in parts.iter().flat_map(|part| part.iter()) {
        below += usize::from(*x < low);
        if *x >= low && *x <= high {
            keys.push(key(*x));
        }
    }
    if below <= place && next < below + keys.len() {
        (keys, below)
    } else {
        (all(parts), 0)
    }
}

/// Bounds that enclose a place with a probability of more than 99.9 per cent, were the sample random.
fn enclosure(parts: &[&[f64]], count: usize, place: usize) -> (f64, f64) {
    let stride = count / SAMPLE;
    let numbers = parts.iter().flat_map(|part| part.iter());
    let mut sample: Vec<u64> = numbers.step_by(stride).map(|x| key(*x)).collect();
    sample.sort_unstable();
    let size = sample.len() as f64;
    let fraction = place as f64 / count as f64;
    let margin = 4.0 * (size * fraction * (1.0 - fraction)).sqrt() + 2.0;
    let at = |rank: f64| sample.get(rank as usize).map(|key| value(*key));
    let low = fraction * size - margin;
    let low = if low < 0.0 { None } else { at(low) };
    let high = at(fraction * size + margin);
    (
        low.unwrap_or(f64::NEG_INFINITY),
        high.unwrap_or(f64::INFINITY),
    )
}

/// An integer that compares as the number does.
fn key(x: f64) -> u64 {
    let bits = x.to_bits();
    let sign = (bits.cast_signed() >> 63).cast_unsigned();
    bits ^ (sign | (1 << 63))
}

fn value(key: u64) -> f64 {
    let sign = ((!key).cast_signed() >> 63).cast_unsigned();
    f64::from_bits(key ^ (sign | (1 << 63)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::rng::Rng;

    /// numpy 2.4: `quantile([3, 1, 4, 1, 5, 9, 2, 6], [0, .1, .5, .95, 1])`.
    #[test]
    fn interpolates_as_numpy() {
        let numbers = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
        for (p, expected) in [(0.0, 1.0), (0.1, 1.0), (0.5, 3.5), (0.95, 7.95), (1.0, 9.0)] {
            let found = quantile(&[&numbers[..3], &numbers[3..]], p);
            assert!(found.is_some_and(|x| (x - expected).abs() < 1e-12), "{p}");
        }
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[&[2.0]], 0.3), Some(2.0));
    }

    #[test]
    fn selects_what_sorting_finds() {
        let mut rng = Rng::new(5);
        for spread in [0, 3, 12] {
            let mut numbers: Vec<f64> = (0..3 * SMALL)
                .map(|_| match rng.below(20) {
                    0 => 0.0,
                    1 => -0.0,
                    2 => 0.25,
                    _ => {
                        rng.normal() * 10f64.powi(rng.below(2 * spread + 1) as i32 - spread as i32)
                    }
                })
                .collect();
            let selected: Vec<_> = [0.0, 0.01, 0.05, 0.5, 0.777, 0.99, 1.0]
                .map(|p| (p, quantile(&[&numbers[..100], &numbers[100..]], p)))
                .into();
            numbers.sort_by(f64::total_cmp);
            for (p, found) in selected {
                let place = p * (numbers.len() - 1) as f64;
                let (a, b) = (
                    numbers[place.floor() as usize],
                    numbers[place.ceil() as usize],
                );
                assert_eq!(found, Some(a + (place - place.floor()) * (b - a)), "{p}");
            }
        }
    }

    #[test]
    fn infinities_have_their_place() {
        let mut numbers = vec![1.0; 2 * SMALL];
        numbers[7] = f64::NEG_INFINITY;
        numbers[8] = f64::INFINITY;
        assert_eq!(quantile(&[&numbers], 0.0), Some(f64::NEG_INFINITY));
        assert_eq!(quantile(&[&numbers], 0.5), Some(1.0));
    }
}
