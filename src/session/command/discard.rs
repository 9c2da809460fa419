//! DISCARD: a session as it was when it opened.

use crate::error::Result;
use crate::planner::ast::Discard;
use crate::session::Session;
use crate::session::channels::Listen;
use crate::session::reply::Reply;

pub(super) fn run(session: &mut Session, what: Discard) -> Result<Reply> {
    let tag = match what {
        Discard::All => {
            super::transaction::outside_block(session, "DISCARD ALL")?;
            session.role = session.login.role;
            session.role_name = session.login.user.clone();
            session.prepared.clear();
            session.cursors.clear();
            session.transaction.discard_temporary();
            session.sequences.lock().forget();
            let operator = session.login.superuser;
            {
                let mut settings = session.settings.lock();
                settings.reset(None, operator)?;
                settings.set("role", Some("none"), false, true)?;
            }
            session.advisory.unlock_all();
            session.transaction.outgoing().listen(Listen::ToNothing);
            session.version += 1;
            "DISCARD ALL"
        }
        // Plans are made anew whenever what they were made for has changed.
        Discard::Plans => "DISCARD PLANS",
        Discard::Sequences => {
            session.sequences.lock().forget();
            "DISCARD SEQUENCES"
        }
        Discard::Temporary => {
            session.transaction.discard_temporary();
            session.version += 1;
            "DISCARD TEMP"
        }
    };
    Ok(Reply::Done {
        tag: tag.to_owned(),
    })
}
