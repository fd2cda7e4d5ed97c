//! The command line host.

#![deny(clippy::print_stderr, clippy::print_stdout)]

use std::process::ExitCode;

use clap::Parser;
use regentra_cli::{command::Command, hardening, host::HostArgs, output, progress};

/// What the environment says, and what a run answers with.
const ENVIRONMENT: &str = "\
Environment:
  NINJAONE_CLIENT_ID      the client id; without it, the first line of standard input
  NINJAONE_CLIENT_SECRET  the client secret; without it, the next line of standard input
  NINJAONE_REGION         the region or address, where --region is not given
  REGENTRA_DB             the database, where --db is not given
  REGENTRA_KEY            the keys that seal credentials; without it, the file beside a SQLite database
  REGENTRA_KEY_RETIRED    the keys before, while `rotate-key` seals everything again
  REGENTRA_SIGNING_KEY_FILE
                          the key that signs evidence; without it, the file beside a SQLite database, if it is there
  REGENTRA_ANCHORS        the file that anchors of evidence go to; keep it where the database's administrator cannot write
  REGENTRA_TSA            a time-stamping authority (RFC 3161) that stamps each anchor
  RUST_LOG                what is logged on standard error, such as `regentra_sync=debug`
  NO_COLOR                no colours

Exit code: 0 when all was done, 1 when something was not, 2 for arguments that do not fit, 130 after Ctrl-C.";

/// NinjaOne for MSPs: assets and compliance evidence per customer.
///
/// Begin with `regentra connect`; or run `quickstart`, which plays the whole story on a simulated tenant.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, after_help = ENVIRONMENT)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    host: HostArgs,
}

/// What shells answer for a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

async fn interrupted() {
    // Where it cannot be listened for, the system ends the process as it always did.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    hardening::switch_core_dumps_off();
    output::log();
    let Cli { command, host } = Cli::parse();
    let ends_by_itself = matches!(command, Command::Run(_));
    let done = tokio::select! {
        // Before the command begins, so that an interrupt of its first moment is heard.
        biased;
        () = interrupted(), if !ends_by_itself => {
            output::note(format_args!("interrupted: what was done is kept; run it again for the rest"));
            return ExitCode::from(INTERRUPTED);
        }
        done = command.run(&host) => done,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(format_args!("error: {error:#}"));
            if let Some(hint) = progress::when_to_try_again(&error) {
                output::note(hint);
            }
            ExitCode::FAILURE
        }
    }
}
