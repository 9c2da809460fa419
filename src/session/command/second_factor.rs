//! ALTER ROLE … SET MFA TOTP and RESET MFA: one-time codes behind a role's password.

use tessera_catalog::id::DatabaseId;
use tessera_catalog::model::Change;

use super::role::{existing, may_change, place};
use crate::auth::second_factor::Owner;
use crate::error::{Error, Result};
use crate::planner::ast::Name;
use crate::session::reply::Notice;
use crate::session::{SYSTEM_DATABASE, Session};

/// Gives a role a second factor, whose secret is told in a notice this once, or takes it away.
///
/// # Errors
///
/// 42501 for another's role without the right to change it, and for who would take away or replace a factor of
/// one's own without that right; 55000 on a server without TLS, where no code could be sent.
pub(super) async fn change(session: &mut Session, name: &Name, wanted: bool) -> Result<()> {
    let (caller, database) = place(session, name.tenant.as_deref()).await?;
    let mut role = existing(&caller, &database, name)?;
    let own = role.oid == caller.role && name.tenant.is_none();
    // Whoever took over a session must not get rid of the factor by it.
    let first_of_ones_own = own && wanted && role.second_factor.is_none();
    if !first_of_ones_own {
        may_change(&caller, &role)?;
    }
    if !wanted {
        role.second_factor = None;
        session
            .transaction
            .change(&database, vec![Change::PutRole(role)]);
        return Ok(());
    }
    if !session.engine.logins.tls {
        return Err(Error::Function {
            sqlstate: "55000",
            message: "a second factor needs a server with TLS".to_owned(),
            detail: None,
            hint: Some("Set tls_certificate_file and tls_key_file.".to_owned()),
        });
    }
    let owner = Owner {
        home: database.id,
        role: role.oid,
    };
    let home = match database.id {
        DatabaseId::System => SYSTEM_DATABASE,
        DatabaseId::Tenant(_) => database.name.as_str(),
    };
    let account = format!("{}@{home}", role.name);
    let (sealed, uri) = session.engine.logins.sealer.enrol(owner, &account)?;
    role.second_factor = Some(sealed);
    let notice = Notice {
        detail: Some(uri),
        hint: Some(
            "Give this to an authenticator now: it is not shown again. From the next login on, over TLS, the \
             code of six digits follows the password."
                .to_owned(),
        ),
        ..Notice::plain(format!("role \"{}\" has a second factor", role.name))
    };
    session
        .transaction
        .change(&database, vec![Change::PutRole(role)]);
    session.notice(notice);
    Ok(())
}
