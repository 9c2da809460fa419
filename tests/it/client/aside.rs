//! Statements that may have to wait for what the test does next.

use std::sync::mpsc;
use std::time::Duration;

use super::Client;

/// Long enough for a session that does not wait to have answered.
pub(crate) const A_WHILE: Duration = Duration::from_millis(400);

/// Sends a statement from another thread; its client and error code come through the channel.
pub(crate) fn send(mut client: Client, sql: &'static str) -> mpsc::Receiver<(Client, String)> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let code = client.simple(sql).code().to_owned();
        let _ = sender.send((client, code));
    });
    receiver
}
