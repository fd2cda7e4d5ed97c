//! Plays the whole story on a simulated tenant, and leaves its database for a look around.

#![deny(clippy::print_stderr, clippy::print_stdout)]

use std::{process::ExitCode, time::Instant};

use anyhow::Context as _;
use clap::Parser;
use quickstart::{hardening, output, story};

/// Plays the whole story on a simulated tenant: connect, map, sync, sweep, tickets, disconnect. It takes no arguments, asks no
/// network but this machine's own, and leaves its database for a look around.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {}

#[tokio::main]
async fn main() -> ExitCode {
    hardening::switch_core_dumps_off();
    output::log();
    let Cli {} = Cli::parse();
    match play().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn play() -> anyhow::Result<()> {
    let start = Instant::now();
    // A folder for this user alone, which the system clears away some day.
    let folder = tempfile::Builder::new()
        .prefix("regentra-quickstart-")
        .tempdir()
        .context("no folder can be made for the database")?
        .keep();
    Box::pin(story::play(&folder)).await?;
    output::line(format!("\nDone in {:.1} s.", start.elapsed().as_secs_f64()))
}
