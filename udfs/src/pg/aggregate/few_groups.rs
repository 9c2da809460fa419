//! Sums of many decimals in few groups.
//!
//! Where rows fall into a few groups, one sum often waits for the one before it in the same group. So
//! neighbours go to sums of their own, which are added up at the end of a chunk. A chunk is so small that
//! values of 64 bits cannot leave 128, so nothing is checked but that they fit.

/// Groups that are few.
pub(super) const FEW: usize = 16;

/// Rows that are added up at once.
pub(super) const CHUNK: usize = 4096;

/// Neighbouring rows that do not wait for each other.
const LANES: usize = 4;

/// The sum and the number of the values of each group; `None` if a value takes more than 64 bits.
///
/// Takes at most [`CHUNK`] rows, of groups below [`FEW`].
pub(super) fn sums(values: &[i128], groups: &[usize]) -> Option<[(i128, i64); FEW]> {
    let excess = |value: &i128| ((value >> 64) as i64) ^ (*value as i64 >> 63);
    if values.iter().fold(0, |wide, value| wide | excess(value)) != 0 {
        return None;
    }
    let mut totals = [[0_i128; FEW]; LANES];
    let mut counts = [[0_u32; FEW]; LANES];
    let (fours, last) = values.as_chunks::<LANES>();
    let (groups_of_fours, groups_of_last) = groups.as_chunks::<LANES>();
    for (values, groups) in fours.iter().zip(groups_of_fours) {
        for lane in 0..LANES {
            let group = groups[lane] % FEW;
            totals[lane][group] += values[lane];
            counts[lane][group] += 1;
        }
    }
    for (value, group) in last.iter().zip(groups_of_last) {
        totals[0][group % FEW] += value;
        counts[0][group % FEW] += 1;
    }
    Some(std::array::from_fn(|group| {
        let total = totals.iter().map(|totals| totals[group]).sum();
        let count = counts.iter().map(|counts| i64::from(counts[group])).sum();
        (total, count)
    }))
}
