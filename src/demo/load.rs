//! Fills the data folder at the first start.
//!
//! A table of the operators' own is made first and gets its only row last. A start that finds the table
//! empty was preceded by one that was interrupted: what that left is dropped and all begins again. A
//! start that finds no such table, but data, touches nothing.

use std::sync::Arc;

use super::client::Client;
use super::tenants::{DemoTenant, TENANTS};
use super::{news, prices, series};
use crate::error::{Error, Result};
use crate::run::say;
use crate::session::{Engine, SYSTEM_DATABASE};

/// The operator's tables and what their comments say of them.
const TABLES: &str = "
CREATE TABLE sales (series text NOT NULL, frequency text NOT NULL,
                    at timestamptz NOT NULL, value double precision NOT NULL);
COMMENT ON TABLE sales IS 'Real series of the M3 and M4 competitions (Makridakis et al., CC BY 4.0, from the Monash repository); their times are made up';
CREATE SHARED TABLE prices (day date NOT NULL, asset text NOT NULL, price double precision NOT NULL);
COMMENT ON TABLE prices IS 'Simulated share prices of invented companies';
GRANT SELECT ON prices TO PUBLIC;
";

/// A tenant's own table.
const NEWS: &str = "
CREATE TABLE news (at timestamptz NOT NULL, asset text NOT NULL, company text NOT NULL, line text NOT NULL);
COMMENT ON TABLE news IS 'Invented news about invented companies';
";

/// How far an earlier start came.
enum Found {
    Nothing,
    Half,
    All,
}

/// Loads the data unless it is there.
///
/// # Errors
/// A folder with data that is not the demo's, or whatever loading meets.
pub(super) async fn fill(engine: &Arc<Engine>, folder: &str) -> Result<()> {
    let mut operator = Client::open(engine, "admin", SYSTEM_DATABASE).await?;
    match found(engine, &mut operator, folder).await? {
        Found::All => return Ok(()),
        Found::Half => {
            say("an earlier start did not finish loading: dropping what it left");
            drop_all(&mut operator).await?;
        }
        Found::Nothing => {
            operator
                .run("CREATE TABLE internal.demo (state text NOT NULL)")
                .await?;
        }
    }
    load(engine, &mut operator).await?;
    operator
        .run("INSERT INTO internal.demo VALUES ('loaded')")
        .await?;
    Ok(())
}

async fn found(engine: &Arc<Engine>, operator: &mut Client, folder: &str) -> Result<Found> {
    match operator.run("SELECT * FROM internal.demo").await {
        Ok(0) => Ok(Found::Half),
        Ok(_) => Ok(Found::All),
        Err(Error::NoSuchRelation(_)) => {
            let system = engine.catalog.system();
            if system.tenants.is_empty() && system.relations.is_empty() {
                return Ok(Found::Nothing);
            }
            Err(Error::Start(format!(
                "{folder} holds data that is not the demo's: name another folder with --data, or serve this one with \"tessera serve\""
            )))
        }
        Err(error) => Err(error),
    }
}

async fn drop_all(operator: &mut Client) -> Result<()> {
    for tenant in &TENANTS {
        let statement = format!("DROP TENANT IF EXISTS {} CASCADE", tenant.name);
        operator.run(&statement).await?;
    }
    operator
        .run("DROP TABLE IF EXISTS sales CASCADE; DROP TABLE IF EXISTS prices CASCADE")
        .await?;
    Ok(())
}

async fn load(engine: &Arc<Engine>, operator: &mut Client) -> Result<()> {
    let names = TENANTS.each_ref().map(|tenant| tenant.name).join(", ");
    say(&format!("making the tenants {names}"));
    for tenant in &TENANTS {
        operator.run(&created(tenant)).await?;
    }
    operator.run("BEGIN").await?;
    operator.run(TABLES).await?;
    let series = series::columns()?;
    say(&format!(
        "loading sales: {} values of real series",
        series.first().map_or(0, |column| column.len())
    ));
    let statement = "COPY sales (tenant_id, series, frequency, at, value) FROM STDIN";
    operator.copy(statement, series).await?;
    let prices = prices::columns()?;
    say(&format!(
        "loading prices: {} simulated share prices",
        prices.first().map_or(0, |column| column.len())
    ));
    let statement = "COPY prices (day, asset, price) FROM STDIN";
    operator.copy(statement, prices).await?;
    operator.run("COMMIT").await?;
    say("loading news, and granting each tenant's analyst the right to read");
    for tenant in &TENANTS {
        let mut admin = Client::open(engine, tenant.admin, tenant.name).await?;
        admin.run("BEGIN").await?;
        admin.run(NEWS).await?;
        let statement = "COPY news (at, asset, company, line) FROM STDIN";
        admin.copy(statement, news::columns(tenant.name)?).await?;
        let grant = format!("GRANT SELECT ON sales, news TO {}", tenant.analyst);
        admin.run(&grant).await?;
        admin.run("COMMIT").await?;
    }
    Ok(())
}

/// The statements that make a tenant and its two roles.
fn created(tenant: &DemoTenant) -> String {
    let DemoTenant {
        name,
        admin,
        analyst,
    } = tenant;
    format!(
        "CREATE TENANT {name} WITH (admin = '{admin}', password = '{admin}');
         CREATE ROLE {analyst} IN TENANT {name} LOGIN PASSWORD '{analyst}'"
    )
}
