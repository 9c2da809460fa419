//! Optimal partitions for costs that only grow when a segment is taken whole, in nearly linear time whether or not there are changes.
//!
//! What a segment costs is at least what its two parts cost: C(s, u) ≥ C(s, t) + C(t, u). A start s that costs
//! D = F(s) + penalty + C(s, t) at t therefore costs at least D + C(t, u) at u, and so do all starts whose D is larger. Starts
//! whose bound lies above the best partition sleep, many under one bound; they are looked at again when the bound no longer
//! tells. Pruning alone (Killick, Fearnhead and Eckley 2012) keeps every start of a series without changes and looks at it
//! each time.

/// Starts that are awake are put to sleep once there are so many.
const AWAKE: usize = 96;
/// A start stays awake while it is dearer than the best by less than this part of the penalty: it would soon wake anyway.
const NEAR: f64 = 0.25;
/// Bounds and costs are sums that are rounded; the bound must tell by this part of the penalty.
const MARGIN: f64 = 0.01;

/// A start of the last segment.
#[derive(Debug, Clone, Copy)]
struct Start {
    at: usize,
    /// The least cost of the values before it, and the penalty.
    offset: f64,
    /// What the partition with this start costs, when last looked at.
    cost: f64,
    /// From here on another start is always at least as good.
    useless_from: usize,
}

/// Starts that need no look while their bound tells.
#[derive(Debug)]
struct Asleep {
    since: usize,
    /// The least of their costs then.
    least: f64,
    starts: Vec<Start>,
}

/// The starts and the best partitions so far.
struct Search<C> {
    segment: C,
    penalty: f64,
    shortest: usize,
    /// The least cost of the values before each place.
    best: Vec<f64>,
    from: Vec<usize>,
    awake: Vec<Start>,
    asleep: Vec<Asleep>,
}

/// Where the last segment begins in the partition of least cost of `n` values before each place.
///
/// `segment(s, t)` is what the values from s to t cost, for any s < t; each segment has at least `shortest` values. Of partitions
/// that cost the same the one whose last segment is the longest counts.
pub(super) fn last_starts(
    n: usize,
    penalty: f64,
    shortest: usize,
    segment: impl Fn(usize, usize) -> f64,
) -> Vec<usize> {
    let mut search = Search {
        segment,
        penalty,
        shortest,
        best: vec![f64::INFINITY; n + 1],
        from: vec![0; n + 1],
        awake: Vec::new(),
        asleep: Vec::new(),
    };
    search.best[0] = 0.0;
    for end in shortest..=n {
        search.admit(end - shortest);
        search.measure(end);
        search.forget(end);
        if search.awake.len() > AWAKE {
            search.put_to_sleep(end);
        }
    }
    search.from
}

impl<C: Fn(usize, usize) -> f64> Search<C> {
    fn admit(&mut self, at: usize) {
        if self.best[at].is_finite() {
            self.awake.push(Start {
                at,
                offset: self.best[at] + self.penalty,
                cost: f64::INFINITY,
                useless_from: usize::MAX,
            });
        }
    }

    /// Finds the best start of the segment that ends here, and wakes those whose bound does not exclude them.
    fn measure(&mut self, end: usize) {
        let mut found = (f64::INFINITY, 0);
        for start in &mut self.awake {
            start.look(end, &self.segment, &mut found);
        }
        let mut place = 0;
        while let Some(group) = self.asleep.get(place) {
            let bound = group.least + (self.segment)(group.since, end);
            if bound > found.0 + MARGIN * self.penalty {
                place += 1;
                continue;
            }
            let mut group = self.asleep.remove(place);
            for start in &mut group.starts {
                start.look(end, &self.segment, &mut found);
            }
            self.awake.append(&mut group.starts);
        }
        self.best[end] = found.0;
        self.from[end] = found.1;
    }

    /// Forgets starts that this place, as a start, is better than ever after, once it can be one.
    fn forget(&mut self, end: usize) {
        let (limit, ripe) = (self.best[end] + self.penalty, end + self.shortest);
        self.awake
            .retain_mut(|start| start.stays_useful(limit, ripe, end));
    }

    /// Puts the starts that are far from the best to sleep, together with groups that are not larger.
    fn put_to_sleep(&mut self, end: usize) {
        let near = self.best[end] + NEAR * self.penalty;
        let (mut starts, awake): (Vec<Start>, Vec<Start>) =
            self.awake.drain(..).partition(|start| start.cost > near);
        self.awake = awake;
        let mut unused = (f64::INFINITY, 0);
        while let Some(mut group) = self
            .asleep
            .pop_if(|group| group.starts.len() <= starts.len())
        {
            for start in &mut group.starts {
                start.look(end, &self.segment, &mut unused);
            }
            starts.append(&mut group.starts);
        }
        let (limit, ripe) = (self.best[end] + self.penalty, end + self.shortest);
        starts.retain_mut(|start| start.stays_useful(limit, ripe, end));
        let least = starts.iter().map(|start| start.cost);
        let least = least.fold(f64::INFINITY, f64::min);
        if !starts.is_empty() {
            self.asleep.push(Asleep {
                since: end,
                least,
                starts,
            });
        }
    }
}

impl Start {
    fn look(
        &mut self,
        end: usize,
        segment: impl Fn(usize, usize) -> f64,
        found: &mut (f64, usize),
    ) {
        self.cost = self.offset + segment(self.at, end);
        if self.cost < found.0 || (self.cost == found.0 && self.at < found.1) {
            *found = (self.cost, self.at);
        }
    }

    /// Whether the start may still be the best one; at a cost beyond the limit it is not once the place looked at is ripe.
    fn stays_useful(&mut self, limit: f64, ripe: usize, end: usize) -> bool {
        if self.cost > limit {
            self.useless_from = self.useless_from.min(ripe);
        }
        self.useless_from > end
    }
}
