//! The command line host.

#![deny(clippy::print_stderr, clippy::print_stdout)]

use std::process::ExitCode;

use clap::Parser;
use regentra_examples::{command::Command, host::HostArgs, output};

/// NinjaOne for MSPs: assets and compliance evidence per customer.
///
/// Begin with `regentra connect`; or run `quickstart`, which plays the whole story on a simulated tenant.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    host: HostArgs,
}

#[tokio::main]
async fn main() -> ExitCode {
    output::log();
    let Cli { command, host } = Cli::parse();
    match command.run(&host).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
