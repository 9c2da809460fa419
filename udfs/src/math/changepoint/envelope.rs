//! Optimal partitions for changes of the mean, in nearly linear time whether or not there are changes.
//!
//! With S and Q the running sums of the values and of their squares, a last segment from s to t with the mean m costs
//!
//! ```text
//! F(s) + penalty + Σ (x − m)² = g_s(m) + Q_t − 2 m S_t + t m²,   g_s(m) = F(s) + penalty − Q_s + 2 m S_s − s m²
//! ```
//!
//! What depends on t is the same for every start, so a start whose g is nowhere the least never is the best again. The others are
//! kept as pieces of the range of means. Source: Maidstone, Hocking, Rigaill and Fearnhead (2017), "On optimal multiple
//! changepoint detection algorithms for large data" (FPOP); here with a least length of segments.

use super::pelt::Sums;

/// A start of the last segment.
#[derive(Debug, Clone, Copy)]
struct Start {
    /// A whole number.
    at: f64,
    /// F(s) + penalty.
    offset: f64,
    first: f64,
    second: f64,
}

/// A start and the means for which it is the best.
#[derive(Debug, Clone, Copy)]
struct Piece {
    start: Start,
    low: f64,
    high: f64,
}

/// Where the last segment begins in the partition of least cost of the values before each place.
///
/// Each segment has at least `least` values, two or more, and costs its squares about its mean and `penalty`. Of partitions that
/// cost the same the one whose last segment is the longest counts.
pub(super) fn last_starts(sums: &Sums, penalty: f64, least: usize) -> Vec<usize> {
    let n = sums.first.len() - 1;
    let steps = sums.first.windows(2).map(|pair| pair[1] - pair[0]);
    let (low, high) = steps.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
        (low.min(x), high.max(x))
    });
    let mut best = vec![f64::INFINITY; n + 1];
    best[0] = 0.0;
    let mut from = vec![0; n + 1];
    let (mut pieces, mut next) = (Vec::new(), Vec::new());
    for end in least..=n {
        let at = end - least;
        if best[at].is_finite() {
            let start = Start {
                at: at as f64,
                offset: best[at] + penalty,
                first: sums.first[at],
                second: sums.second[at],
            };
            if pieces.is_empty() {
                pieces.push(Piece { start, low, high });
            } else {
                admit(start, &pieces, &mut next);
                std::mem::swap(&mut pieces, &mut next);
            }
        }
        let (cost, start) = cheapest(&pieces, end as f64, sums.first[end], sums.second[end]);
        best[end] = cost;
        from[end] = start as usize;
    }
    from
}

/// Gives a new start the means for which it is better than the start that has them.
fn admit(new: Start, pieces: &[Piece], next: &mut Vec<Piece>) {
    next.clear();
    let mut push = |start: Start, low: f64, high: f64| match next.last_mut() {
        Some(last) if last.start.at == start.at => last.high = high,
        _ => next.push(Piece { start, low, high }),
    };
    for piece in pieces {
        let Some((low, high)) = means_kept(piece, &new) else {
            push(new, piece.low, piece.high);
            continue;
        };
        if piece.low < low {
            push(new, piece.low, low);
        }
        push(piece.start, low, high);
        if high < piece.high {
            push(new, high, piece.high);
        }
    }
}

/// The means for which a piece's start stays at least as good as a later one.
///
/// The difference of their costs is a parabola that opens upwards.
fn means_kept(piece: &Piece, new: &Start) -> Option<(f64, f64)> {
    let old = &piece.start;
    let constant = (old.offset - old.second) - (new.offset - new.second);
    let slope = old.first - new.first;
    let curvature = new.at - old.at;
    let discriminant = slope * slope - constant * curvature;
    if discriminant.is_nan() || discriminant < 0.0 {
        return None;
    }
    let root = discriminant.sqrt();
    let low = piece.low.max((-slope - root) / curvature);
    let high = piece.high.min((root - slope) / curvature);
    (low <= high).then_some((low, high))
}

fn cheapest(pieces: &[Piece], end: f64, first: f64, second: f64) -> (f64, f64) {
    let mut best = (f64::INFINITY, 0.0);
    for Piece { start, .. } in pieces {
        let sum = first - start.first;
        let cost = start.offset + ((second - start.second) - sum * sum / (end - start.at));
        if cost < best.0 || (cost == best.0 && start.at < best.1) {
            best = (cost, start.at);
        }
    }
    best
}
