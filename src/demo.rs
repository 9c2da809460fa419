//! The demo.
use crate::config::Config;
use crate::error::Result;
use crate::run::{Start, run as start};
use std::path::Path;
/// Runs it.
pub fn run(config: &Config, data: &Path) -> Result<()> {
    start(
        config,
        &Start {
            data: data.to_owned(),
            admin_password: Some("admin".to_owned()),
        },
        None,
    )
}
