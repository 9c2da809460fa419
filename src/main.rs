//! The command line: flags to a configuration, and the only place that ends the process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tessera::config::Config;
use tessera::error::Result;
use tessera::run::{ADMIN_PASSWORD_VARIABLE, Start, run};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A multi-tenant analytics server that any PostgreSQL client can use.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the data of a folder.
    Serve {
        /// The folder of the catalog and, unless the config says otherwise, of the tables.
        #[arg(long)]
        data: PathBuf,
        #[command(flatten)]
        options: Options,
    },
    /// Serves three tenants with real data, and prints what to try.
    Demo {
        /// Where the demo's data is kept.
        #[arg(long, default_value = "tessera-demo")]
        data: PathBuf,
        #[command(flatten)]
        options: Options,
    },
}

#[derive(Args)]
struct Options {
    /// The address to listen on; port 0 takes a free one.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// A file with settings; see tessera.toml.
    #[arg(long)]
    config: Option<PathBuf>,
}

impl Options {
    fn config(&self) -> Result<Config> {
        let mut config = match &self.config {
            Some(path) => Config::read(path)?,
            None => Config::default(),
        };
        if let Some(address) = self.listen {
            config.listen.address = address;
        }
        Ok(config)
    }
}

fn main() -> ExitCode {
    match command(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tessera: {error}");
            ExitCode::FAILURE
        }
    }
}

fn command(cli: &Cli) -> Result<()> {
    match &cli.command {
        Command::Serve { data, options } => {
            let config = options.config()?;
            tessera::telemetry::start(&config.log)?;
            let admin_password = std::env::var(ADMIN_PASSWORD_VARIABLE).ok();
            run(
                &config,
                &Start {
                    data: data.clone(),
                    admin_password,
                },
                None,
            )
        }
        Command::Demo { data, options } => {
            let config = options.config()?;
            tessera::telemetry::start(&config.log)?;
            tessera::demo::run(&config, data)
        }
    }
}
