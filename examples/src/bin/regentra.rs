//! The command line host.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use regentra_examples::evidence::{self, EvidenceArgs};

/// NinjaOne for MSPs: assets and compliance evidence per customer.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ask one organization's reports and say how it stands: five verdicts, nothing stored.
    Evidence(EvidenceArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let result = match Cli::parse().command {
        Command::Evidence(args) => evidence::run(args).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
