//! The command line host.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use regentra_examples::{
    evidence::{self, EvidenceArgs},
    host::{
        HostArgs,
        audit::{self, AuditArgs},
        companies::{self, CompaniesArgs, PromoteArgs},
        connection::{self, ConnectArgs, DisconnectArgs, StatusArgs, TestConnectionArgs},
        organizations::{self, MapArgs, OrganizationsArgs},
        sweep::{self, SignalsArgs, SweepArgs},
        sync::{self, SyncArgs},
        tickets::{self, TicketsArgs},
    },
};

/// NinjaOne for MSPs: assets and compliance evidence per customer.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    host: HostArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ask one organization's reports and say how it stands: five verdicts, nothing stored.
    Evidence(EvidenceArgs),
    /// Try credentials, and count the organizations they see. Nothing is saved.
    TestConnection(TestConnectionArgs),
    /// Save credentials, sealed, after trying them. The same region again replaces the secret and keeps everything else.
    Connect(ConnectArgs),
    /// Show what is connected, when it ran last, when it runs next, and what went wrong.
    Status(StatusArgs),
    /// Ask for the organizations, and list what was decided about each, with suggestions.
    Organizations(OrganizationsArgs),
    /// Decide which company an organization is, or that it is not synced.
    Map(MapArgs),
    /// List the companies with their organizations and assets.
    Companies(CompaniesArgs),
    /// Promote a company to compliance: its evidence is swept from then on.
    Promote(PromoteArgs),
    /// Sync the assets of the mapped organizations.
    Sync(SyncArgs),
    /// Sweep the evidence of the promoted companies.
    Sweep(SweepArgs),
    /// Show the current signals of the promoted companies.
    Signals(SignalsArgs),
    /// List tickets, or what waits for the ticket system.
    Tickets(TicketsArgs),
    /// Show the audit trail of the MSP or of a customer.
    Audit(AuditArgs),
    /// Delete a region's secrets and retire its assets. Mappings, signals and evidence are kept.
    Disconnect(DisconnectArgs),
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let host = &cli.host;
    match cli.command {
        Command::Evidence(args) => evidence::run(args).await,
        Command::TestConnection(args) => connection::test(host, args).await,
        Command::Connect(args) => connection::connect(host, args).await,
        Command::Status(args) => connection::status(host, &args).await,
        Command::Organizations(args) => organizations::list(host, args).await,
        Command::Map(args) => organizations::map(host, args).await,
        Command::Companies(args) => companies::list(host, args).await,
        Command::Promote(args) => companies::promote(host, args).await,
        Command::Sync(args) => sync::run(host, args).await,
        Command::Sweep(args) => sweep::run(host, &args).await,
        Command::Signals(args) => sweep::signals(host, &args).await,
        Command::Tickets(args) => tickets::list(host, &args).await,
        Command::Audit(args) => audit::list(host, &args).await,
        Command::Disconnect(args) => connection::disconnect(host, args).await,
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    match Box::pin(run(Cli::parse())).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
