//! How many statements of a tenant run at a time, and who waits.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use tessera_catalog::id::Oid;
use tokio::sync::oneshot;

/// Limits on statements that run and wait; `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::session) struct SlotLimits {
    pub(in crate::session) running: Option<u64>,
    pub(in crate::session) waiting: Option<u64>,
    /// Of the role alone.
    pub(in crate::session) of_role: Option<u64>,
}

/// A tenant's statements.
#[derive(Debug, Default)]
pub(in crate::session) struct Slots {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: u64,
    roles: HashMap<Oid, u64>,
    /// The tenant's limit as last told.
    limit: Option<u64>,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    role: Oid,
    of_role: Option<u64>,
    answer: oneshot::Sender<Slot>,
}

/// A running statement's place, given back when dropped.
#[derive(Debug)]
pub(in crate::session) struct Slot {
    /// `None` once there is nothing to give back.
    slots: Option<Arc<Slots>>,
    role: Oid,
}

/// So many wait already.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::session) struct QueueFull;

impl Slots {
    /// A place for a statement, once there is one. `now` is for who must not wait, as others wait
    /// for what it holds.
    pub(in crate::session) async fn take(
        self: &Arc<Self>,
        role: Oid,
        limits: SlotLimits,
        now: bool,
    ) -> Result<Slot, QueueFull> {
        let answer = {
            let mut state = self.state.lock();
            state.limit = limits.running;
            if now || state.has_room(role, limits.of_role) {
                state.add(role);
                return Ok(self.slot(role));
            }
            // Who no longer waits does not count.
            state.waiting.retain(|waiting| !waiting.answer.is_closed());
            let count = state.waiting.len() as u64;
            if limits.waiting.is_some_and(|limit| count >= limit) {
                return Err(QueueFull);
            }
            let (answer, told) = oneshot::channel();
            state.waiting.push_back(Waiting {
                role,
                of_role: limits.of_role,
                answer,
            });
            told
        };
        match answer.await {
            Ok(slot) => Ok(slot),
            // The senders live as long as the queue, which this holds.
            Err(_) => Err(QueueFull),
        }
    }

    /// Changes the tenant's limit and lets in who fits now.
    pub(in crate::session) fn set_limit(self: &Arc<Self>, limit: Option<u64>) {
        let mut state = self.state.lock();
        state.limit = limit;
        self.let_in(&mut state);
    }

    /// Statements that run and that wait.
    pub(in crate::session) fn counts(&self) -> (u64, u64) {
        let state = self.state.lock();
        let waiting = state.waiting.iter().filter(|w| !w.answer.is_closed());
        (state.running, waiting.count() as u64)
    }

    fn slot(self: &Arc<Self>, role: Oid) -> Slot {
        Slot {
            slots: Some(Arc::clone(self)),
            role,
        }
    }

    fn let_in(self: &Arc<Self>, state: &mut State) {
        let mut place = 0;
        while let Some(waiting) = state.waiting.get(place) {
            if state.limit.is_some_and(|limit| state.running >= limit) {
                return;
            }
            if !state.has_room(waiting.role, waiting.of_role) {
                place += 1;
                continue;
            }
            let Some(Waiting { role, answer, .. }) = state.waiting.remove(place) else {
                return;
            };
            state.add(role);
            if let Err(mut slot) = answer.send(self.slot(role)) {
                // It no longer waits, and the lock is held here.
                slot.slots = None;
                state.remove(role);
            }
        }
    }
}

impl State {
    fn has_room(&self, role: Oid, of_role: Option<u64>) -> bool {
        let of = self.roles.get(&role).copied().unwrap_or_default();
        self.limit.is_none_or(|limit| self.running < limit)
            && of_role.is_none_or(|limit| of < limit)
    }

    fn add(&mut self, role: Oid) {
        self.running += 1;
        *self.roles.entry(role).or_default() += 1;
    }

    fn remove(&mut self, role: Oid) {
        self.running = self.running.saturating_sub(1);
        if let Some(count) = self.roles.get_mut(&role) {
            *count -= 1;
            if *count == 0 {
                self.roles.remove(&role);
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Some(slots) = self.slots.take() else {
            return;
        };
        let mut state = slots.state.lock();
        state.remove(self.role);
        slots.let_in(&mut state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Oid = Oid(1);
    const BOB: Oid = Oid(2);

    fn limits(running: u64, waiting: u64) -> SlotLimits {
        SlotLimits {
            running: Some(running),
            waiting: Some(waiting),
            of_role: None,
        }
    }

    #[tokio::test]
    async fn who_waits_comes_in_turn_and_who_left_is_passed_over() {
        let slots = Arc::new(Slots::default());
        let first = slots.take(ALICE, limits(1, 2), false).await.unwrap();
        let second = tokio::spawn({
            let slots = Arc::clone(&slots);
            async move { slots.take(BOB, limits(1, 2), false).await }
        });
        let third = tokio::spawn({
            let slots = Arc::clone(&slots);
            async move { slots.take(ALICE, limits(1, 2), false).await }
        });
        while slots.counts().1 < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(
            slots.take(BOB, limits(1, 2), false).await.unwrap_err(),
            QueueFull
        );
        second.abort();
        let _ = second.await;
        drop(first);
        let third = third.await.unwrap().unwrap();
        assert_eq!(slots.counts(), (1, 0));
        drop(third);
        assert_eq!(slots.counts(), (0, 0));
    }

    #[tokio::test]
    async fn a_role_at_its_limit_leaves_others_free() {
        let slots = Arc::new(Slots::default());
        let narrow = SlotLimits {
            of_role: Some(1),
            ..limits(3, 0)
        };
        let held = slots.take(ALICE, narrow, false).await.unwrap();
        assert_eq!(
            slots.take(ALICE, narrow, false).await.unwrap_err(),
            QueueFull
        );
        let other = slots.take(BOB, limits(3, 0), false).await.unwrap();
        // Who holds what others wait for does not wait.
        let third = slots.take(ALICE, narrow, true).await.unwrap();
        assert_eq!(slots.counts(), (3, 0));
        drop((held, other, third));
    }

    #[tokio::test]
    async fn a_greater_limit_lets_in_who_waits() {
        let slots = Arc::new(Slots::default());
        let _held = slots.take(ALICE, limits(1, 5), false).await.unwrap();
        let waiting = tokio::spawn({
            let slots = Arc::clone(&slots);
            async move { slots.take(BOB, limits(1, 5), false).await }
        });
        while slots.counts().1 < 1 {
            tokio::task::yield_now().await;
        }
        slots.set_limit(Some(2));
        waiting.await.unwrap().unwrap();
    }
}
