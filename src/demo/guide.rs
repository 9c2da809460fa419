//! What the demo tells its user: how to connect, and what to try.

use std::net::SocketAddr;

use super::ADMIN_PASSWORD;
use super::tenants::TENANTS;
use crate::run::say;
use crate::session::SYSTEM_DATABASE;

/// Queries for a tenant's role.
const QUERIES: [&str; 5] = [
    include_str!("../../sql/examples/forecast.sql"),
    include_str!("../../sql/examples/growth.sql"),
    include_str!("../../sql/examples/returns.sql"),
    include_str!("../../sql/examples/risk_report.sql"),
    include_str!("../../sql/examples/portfolio.sql"),
];

/// A query for the operator.
const OPERATORS_QUERY: &str = include_str!("../../sql/examples/tenants.sql");

/// What the guide cannot know by itself.
pub(super) struct Guide {
    /// The data folder, as it was named.
    pub(super) data: String,
    /// Whether the operator's password was given by the user.
    pub(super) own_password: bool,
}

impl Guide {
    /// Says it all.
    pub(super) fn print(&self, address: SocketAddr) {
        say(&self.text(address));
        if !address.ip().is_loopback() {
            say("The passwords above are known to everyone: put no data of your own here.\n");
        }
    }

    fn text(&self, address: SocketAddr) -> String {
        let mut text = format!(
            "\nThe demo keeps its data in {}; delete the folder to start afresh.\n\nConnect:\n",
            self.data
        );
        for tenant in &TENANTS {
            for (role, what) in [(tenant.admin, "admin"), (tenant.analyst, "analyst")] {
                let line = format!("psql postgresql://{role}:{role}@{address}/{}", tenant.name);
                let who = format!("{}'s {what}", tenant.name);
                text.push_str(&format!("  {who:<18} {line}\n"));
            }
        }
        let password = match self.own_password {
            true => String::new(),
            false => format!(":{ADMIN_PASSWORD}"),
        };
        text.push_str(&format!(
            "  {:<18} psql postgresql://admin{password}@{address}/{SYSTEM_DATABASE}\n",
            "the operator"
        ));
        text.push_str(
            "\nTry, as any of a tenant's roles (\\dt+ lists the tables and says what they hold):\n",
        );
        for query in QUERIES {
            text.push_str(&indented(query));
        }
        text.push_str("\nAnd as the operator:\n");
        text.push_str(&indented(OPERATORS_QUERY));
        text.push_str(
            "\nThe series in sales are real: M3 and M4 competitions, Makridakis et al., CC BY 4.0, from the Monash\n\
             repository (https://forecastingdata.org); their times are made up. The prices are simulated, the news invented.\n",
        );
        text
    }
}

/// A query after an empty line, two spaces in.
fn indented(query: &str) -> String {
    let lines = query.lines().map(|line| format!("  {line}\n"));
    format!("\n{}", lines.collect::<String>())
}
