//! Measures of users over time: cohorts that stay, and steps that are taken one after another.

use std::collections::BTreeMap;

/// The users whose first event lies in one period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cohort {
    /// The period's number.
    pub period: i64,
    /// How many of them have an event so many periods later; the first entry is the cohort's size.
    pub active: Vec<u64>,
}

/// Cohorts in the order of time, each with an entry for every period up to the last with any event.
///
/// `users` are numbers below `count`, `periods` the period of each event. `most` bounds the entries behind the first.
pub fn cohorts(users: &[usize], count: usize, periods: &[i64], most: Option<usize>) -> Vec<Cohort> {
    let mut first = vec![i64::MAX; count];
    for (user, period) in users.iter().zip(periods) {
        first[*user] = first[*user].min(*period);
    }
    let last = periods.iter().copied().max().unwrap_or(0);
    let mut seen: Vec<(i64, i64, usize)> = users
        .iter()
        .zip(periods)
        .map(|(user, period)| (first[*user], *period, *user))
        .collect();
    seen.sort_unstable();
    seen.dedup();
    let mut found: BTreeMap<i64, Vec<u64>> = BTreeMap::new();
    for (cohort, period, _) in seen {
        let length = usize::try_from(last - cohort).unwrap_or(0) + 1;
        let length = most.map_or(length, |most| length.min(most.saturating_add(1)));
        let active = found.entry(cohort).or_insert_with(|| vec![0; length]);
        let later = usize::try_from(period - cohort).unwrap_or(usize::MAX);
        if let Some(active) = active.get_mut(later) {
            *active += 1;
        }
    }
    let cohort = |(period, active)| Cohort { period, active };
    found.into_iter().map(cohort).collect()
}

/// The events of one user: times, and which steps of a funnel each is.
pub type Events = Vec<(i64, Vec<usize>)>;

/// The times at which one user took the steps of a funnel, as many as were reached.
///
/// `events` are times with the steps that the event is, in the order of time. A step counts after the one before it, and
/// not later than `until` says of the first step's time. Of one time, events count in the order of the steps; one event
/// is one step.
pub fn path(events: &[(i64, Vec<usize>)], steps: usize, until: impl Fn(i64) -> i64) -> Vec<i64> {
    // For each step the path to it that began last: who begins later has more time left.
    let mut reached: Vec<Option<Vec<i64>>> = vec![None; steps];
    let mut best: Vec<i64> = Vec::new();
    for (time, places) in events {
        for place in places.iter().rev() {
            let next = match place.checked_sub(1) {
                None => Some(vec![*time]),
                Some(before) => reached[before]
                    .as_ref()
                    .filter(|path| path.first().is_some_and(|first| *time <= until(*first)))
                    .map(|path| path.iter().copied().chain([*time]).collect()),
            };
            if let Some(next) = next {
                if next.len() > best.len() {
                    best.clone_from(&next);
                }
                reached[*place] = Some(next);
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: users 0 and 1 begin in period 10, user 2 in 11.
    #[test]
    fn cohorts_by_hand() {
        let users = [0, 0, 1, 2, 0, 2, 1, 1];
        let periods = [10, 10, 10, 11, 12, 12, 11, 11];
        let found = cohorts(&users, 3, &periods, None);
        assert_eq!(
            found,
            [
                Cohort {
                    period: 10,
                    active: vec![2, 1, 1]
                },
                Cohort {
                    period: 11,
                    active: vec![1, 1]
                },
            ]
        );
        assert_eq!(cohorts(&users, 3, &periods, Some(1))[0].active, [2, 1]);
        assert!(cohorts(&[], 0, &[], None).is_empty());
    }

    #[test]
    fn steps_count_in_order_and_in_time() {
        let any = |first: i64| first + 1000;
        let one = |t: i64, step: usize| (t, vec![step]);
        let found = path(&[one(1, 0), one(2, 1), one(3, 2)], 3, any);
        assert_eq!(found, [1, 2, 3]);
        // The second step before the first does not count.
        assert_eq!(path(&[one(1, 1), one(2, 0), one(3, 2)], 3, any), [2]);
        // A later begin leaves more time.
        let soon = |first: i64| first + 5;
        let events = [one(1, 0), one(4, 0), one(8, 1)];
        assert_eq!(path(&events, 2, soon), [4, 8]);
        assert_eq!(path(&[one(1, 0), one(8, 1)], 2, soon), [1]);
        // One event is not two steps.
        let twice = |t: i64| (t, vec![0, 1]);
        assert_eq!(path(&[twice(1)], 2, any), [1]);
        assert_eq!(path(&[twice(1), twice(2)], 2, any), [1, 2]);
    }
}
