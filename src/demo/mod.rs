//! `tessera demo`: a server with three tenants and data to look at, for a first quarter of an hour.
//!
//! The data comes with the program. It is loaded once, by sessions like any client's, and found again
//! at the next start.

mod client;
mod guide;
mod load;
mod news;
mod prices;
mod series;
mod tenants;

use std::path::Path;

use crate::config::Config;
use crate::error::Result;
use crate::run::{ADMIN_PASSWORD_VARIABLE, Prelude, Start, run as serve};

/// The first operator's password unless [`ADMIN_PASSWORD_VARIABLE`] says another.
const ADMIN_PASSWORD: &str = "admin";

/// Serves the demo from a data folder, which is filled at the first start.
///
/// # Errors
/// Whatever keeps the server from starting, and a folder that holds someone's own data.
pub fn run(config: &Config, data: &Path) -> Result<()> {
    let given = std::env::var(ADMIN_PASSWORD_VARIABLE).ok();
    let guide = guide::Guide {
        data: data.display().to_string(),
        own_password: given.is_some(),
    };
    let prelude: Prelude = Box::new(move |address, engine| {
        Box::pin(async move {
            load::fill(&engine, &guide.data).await?;
            guide.print(address);
            Ok(())
        })
    });
    let start = Start {
        data: data.to_owned(),
        admin_password: Some(given.unwrap_or_else(|| ADMIN_PASSWORD.to_owned())),
    };
    serve(config, &start, Some(prelude))
}
