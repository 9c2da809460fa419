//! LISTEN and NOTIFY: messages between sessions of one database, handed out when their transaction is
//! committed.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use tessera_catalog::id::DatabaseId;
use tokio::sync::Notify;

use crate::error::{Error, Result};

/// The most messages that wait for one session to read them.
const MAX_WAITING_NOTIFICATIONS: usize = 10_000;
/// The most bytes of them.
const MAX_WAITING_BYTES: usize = 16 << 20;
/// The most messages of one transaction.
const MAX_NOTIFICATIONS_OF_TRANSACTION: usize = 10_000;
/// The most bytes of them.
const MAX_BYTES_OF_TRANSACTION: usize = 8 << 20;
/// The most channels that one session listens to.
const MAX_CHANNELS: usize = 1_000;
/// A payload is shorter than this, in bytes.
const PAYLOAD_BYTES: usize = 8_000;
/// A channel's name is shorter than this, in bytes.
const NAME_BYTES: usize = 64;

/// A message to those who listen to a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The session that sent it.
    pub pid: i32,
    pub channel: Arc<str>,
    pub payload: Arc<str>,
}

/// A channel and what is said in it.
type Note = (Arc<str>, Arc<str>);

fn bytes((channel, payload): &Note) -> usize {
    channel.len() + payload.len()
}

/// What a transaction does with channels when it is committed.
#[derive(Debug, Clone, Default)]
pub(super) struct Outgoing {
    /// Each channel and payload once, in the order of the first time.
    notes: Vec<Note>,
    said: HashSet<Note>,
    bytes: usize,
    listens: Vec<Listen>,
}

/// LISTEN and UNLISTEN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Listen {
    To(String),
    NotTo(String),
    ToNothing,
}

impl Outgoing {
    /// Adds a message, unless the transaction has sent the same.
    ///
    /// # Errors
    /// 22023 for a channel or payload that is too long, 54000 beyond the limit of one transaction.
    pub(super) fn notify(&mut self, channel: &str, payload: &str) -> Result<()> {
        let invalid = |message: &str| Err(Error::InvalidParameterValue(message.to_owned()));
        if channel.is_empty() {
            return invalid("channel name cannot be empty");
        }
        if channel.len() >= NAME_BYTES {
            return invalid("channel name too long");
        }
        if payload.len() >= PAYLOAD_BYTES {
            return invalid("payload string too long");
        }
        self.add((Arc::from(channel), Arc::from(payload)))
    }

    fn add(&mut self, note: Note) -> Result<()> {
        if self.said.contains(&note) {
            return Ok(());
        }
        let bytes = self.bytes + bytes(&note);
        if self.notes.len() >= MAX_NOTIFICATIONS_OF_TRANSACTION || bytes > MAX_BYTES_OF_TRANSACTION
        {
            return Err(full());
        }
        self.bytes = bytes;
        self.said.insert(note.clone());
        self.notes.push(note);
        Ok(())
    }

    pub(super) fn listen(&mut self, listen: Listen) {
        self.listens.push(listen);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.notes.is_empty() && self.listens.is_empty()
    }

    /// Adds what another has.
    pub(super) fn extend(&mut self, other: Self) -> Result<()> {
        for note in other.notes {
            self.add(note)?;
        }
        self.listens.extend(other.listens);
        Ok(())
    }
}

/// What PostgreSQL says when its queue is full.
fn full() -> Error {
    Error::ProgramLimit("too many notifications in the NOTIFY queue".to_owned())
}

/// A session's end of the channels.
#[derive(Debug, Default)]
pub struct Mailbox {
    inside: Mutex<Inside>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Inside {
    channels: BTreeSet<String>,
    waiting: VecDeque<Notification>,
    waiting_bytes: usize,
}

impl Mailbox {
    /// Messages that have come since the last call.
    pub fn take(&self) -> VecDeque<Notification> {
        let mut inside = self.inside.lock();
        inside.waiting_bytes = 0;
        std::mem::take(&mut inside.waiting)
    }

    /// Waits until there is a message.
    pub async fn arrived(&self) {
        loop {
            let arrived = self.arrived.notified();
            if !self.inside.lock().waiting.is_empty() {
                return;
            }
            arrived.await;
        }
    }

    /// The channels that the session listens to.
    pub(super) fn channels(&self) -> Vec<String> {
        self.inside.lock().channels.iter().cloned().collect()
    }
}

fn listen(channels: &mut BTreeSet<String>, said: &[Listen]) {
    for listen in said {
        match listen {
            Listen::To(channel) => {
                channels.insert(channel.clone());
            }
            Listen::NotTo(channel) => {
                channels.remove(channel);
            }
            Listen::ToNothing => channels.clear(),
        }
    }
}

/// Who listens, by database.
#[derive(Debug, Default)]
pub struct Channels {
    listeners: Mutex<HashMap<DatabaseId, Vec<Arc<Mailbox>>>>,
}

impl Channels {
    /// Checks that all who listen have room for what a transaction sends, before it is committed.
    ///
    /// # Errors
    /// 54000 when one of them has not read for too long.
    pub(super) fn check_room(&self, database: DatabaseId, outgoing: &Outgoing) -> Result<()> {
        if outgoing.notes.is_empty() {
            return Ok(());
        }
        let listeners = self.listeners.lock();
        for mailbox in listeners.get(&database).into_iter().flatten() {
            let inside = mailbox.inside.lock();
            let heard = |(channel, _): &&Note| inside.channels.contains(channel.as_ref());
            let (mut count, mut size) = (inside.waiting.len(), inside.waiting_bytes);
            for note in outgoing.notes.iter().filter(heard) {
                count += 1;
                size += bytes(note);
            }
            if count > MAX_WAITING_NOTIFICATIONS || size > MAX_WAITING_BYTES {
                return Err(full());
            }
        }
        Ok(())
    }

    /// Checks that a session may listen to what a transaction asks for.
    ///
    /// # Errors
    /// 53400 beyond the limit of channels.
    pub(super) fn check_listens(mailbox: &Mailbox, outgoing: &Outgoing) -> Result<()> {
        if outgoing.listens.is_empty() {
            return Ok(());
        }
        let mut channels = mailbox.inside.lock().channels.clone();
        listen(&mut channels, &outgoing.listens);
        if channels.len() > MAX_CHANNELS {
            return Err(Error::ConfigurationLimit(format!(
                "too many channels: a session listens to at most {MAX_CHANNELS}"
            )));
        }
        Ok(())
    }

    /// Does what a committed transaction asked for: first it listens, then it sends.
    pub(super) fn deliver(
        &self,
        database: DatabaseId,
        pid: i32,
        own: &Arc<Mailbox>,
        outgoing: Outgoing,
    ) {
        if outgoing.is_empty() {
            return;
        }
        // Whoever sends holds this to its end, so that all hear messages in one order.
        let mut all = self.listeners.lock();
        let listeners = all.entry(database).or_default();
        if !outgoing.listens.is_empty() {
            let mut inside = own.inside.lock();
            listen(&mut inside.channels, &outgoing.listens);
            let listens = !inside.channels.is_empty();
            drop(inside);
            listeners.retain(|mailbox| !Arc::ptr_eq(mailbox, own));
            if listens {
                listeners.push(Arc::clone(own));
            }
        }
        for mailbox in listeners.iter() {
            let mut inside = mailbox.inside.lock();
            let before = inside.waiting.len();
            for note @ (channel, payload) in &outgoing.notes {
                if inside.channels.contains(channel.as_ref()) {
                    inside.waiting_bytes += bytes(note);
                    inside.waiting.push_back(Notification {
                        pid,
                        channel: Arc::clone(channel),
                        payload: Arc::clone(payload),
                    });
                }
            }
            let has_more = inside.waiting.len() > before;
            drop(inside);
            if has_more {
                mailbox.arrived.notify_one();
            }
        }
        if listeners.is_empty() {
            all.remove(&database);
        }
    }

    /// Forgets a session that has ended.
    pub(super) fn leave(&self, database: DatabaseId, own: &Arc<Mailbox>) {
        let mut all = self.listeners.lock();
        if let Some(listeners) = all.get_mut(&database) {
            listeners.retain(|mailbox| !Arc::ptr_eq(mailbox, own));
            if listeners.is_empty() {
                all.remove(&database);
            }
        }
    }

    /// The fullest mailbox of a database, as a part of what it may hold.
    pub(super) fn usage(&self, database: DatabaseId) -> f64 {
        let all = self.listeners.lock();
        let listeners = all.get(&database).into_iter().flatten();
        let fullest = listeners.map(|mailbox| mailbox.inside.lock().waiting.len());
        fullest.max().unwrap_or_default() as f64 / MAX_WAITING_NOTIFICATIONS as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: DatabaseId = DatabaseId::System;

    fn saying(payloads: impl Iterator<Item = String>) -> Outgoing {
        let mut outgoing = Outgoing::default();
        for payload in payloads {
            outgoing.notify("c", &payload).unwrap();
        }
        outgoing
    }

    #[test]
    fn who_does_not_read_holds_up_no_more_than_is_bounded() {
        let channels = Channels::default();
        let mailbox = Arc::new(Mailbox::default());
        let mut listens = Outgoing::default();
        listens.listen(Listen::To("c".to_owned()));
        channels.deliver(HERE, 1, &mailbox, listens);
        let speaker = Arc::new(Mailbox::default());
        let all = || (0..MAX_NOTIFICATIONS_OF_TRANSACTION).map(|i| i.to_string());
        let mut first = saying(all());
        assert!(first.notify("c", "one more").is_err());
        assert!(first.notify("c", "7").is_ok(), "that is said already");
        channels.check_room(HERE, &first).unwrap();
        channels.deliver(HERE, 2, &speaker, first);
        assert!((channels.usage(HERE) - 1.0).abs() < f64::EPSILON);
        let more = saying(std::iter::once("x".to_owned()));
        assert!(channels.check_room(HERE, &more).is_err());
        assert_eq!(mailbox.take().len(), MAX_WAITING_NOTIFICATIONS);
        channels.check_room(HERE, &more).unwrap();
        channels.leave(HERE, &mailbox);
        assert!(channels.listeners.lock().is_empty());
    }

    #[test]
    fn channels_of_a_session_are_bounded_by_what_is_left_of_them() {
        let mailbox = Mailbox::default();
        let mut outgoing = Outgoing::default();
        for i in 0..=MAX_CHANNELS {
            outgoing.listen(Listen::To(i.to_string()));
        }
        assert!(Channels::check_listens(&mailbox, &outgoing).is_err());
        outgoing.listen(Listen::NotTo("0".to_owned()));
        Channels::check_listens(&mailbox, &outgoing).unwrap();
    }
}
