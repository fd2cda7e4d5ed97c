//! The commands of `regentra`, one a file.

use clap::Subcommand;
use regentra_sync::model::RegionKey;

use crate::host::HostArgs;

pub mod anchor;
pub mod assets;
pub mod audit;
pub mod authorize;
pub mod companies;
pub mod connect;
pub mod diagnose;
pub mod disconnect;
pub mod evidence;
pub mod frameworks;
pub mod map;
pub mod migrate;
pub mod organizations;
pub mod promote;
pub mod records;
pub mod rotate_key;
pub mod run;
pub mod settings;
pub mod setup;
pub mod signals;
pub mod signing_key;
pub mod status;
pub mod sweep;
pub mod sync;
pub mod test_connection;
pub mod tickets;

/// What `regentra` does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say how an administrator makes the API client that a connection needs, step by step.
    Setup(setup::SetupArgs),
    /// Try credentials before they are saved: authenticate, and count the organizations they see.
    TestConnection(test_connection::TestConnectionArgs),
    /// Save credentials, sealed. The same region again is a reconnect: its mappings are as they were.
    Connect(connect::ConnectArgs),
    /// Connect by letting an administrator authorize the API client in NinjaOne: a refresh token is saved, sealed.
    Authorize(authorize::AuthorizeArgs),
    /// How the connection stands: what is mapped, what ran, what is due, what the budget is.
    Status,
    /// Say what keeps it from doing what is expected, and what to do: for everything, or for one company.
    Diagnose(diagnose::DiagnoseArgs),
    /// Ask NinjaOne for its organizations, and list what was decided about each.
    Organizations(organizations::OrganizationsArgs),
    /// Decide what an organization is: a company's, a new company, or not to be synced.
    Map(map::MapArgs),
    /// List the companies: their organizations, their assets, whether they are promoted.
    Companies(companies::CompaniesArgs),
    /// Show or change which custom fields a connection reads, and what else it settles for itself.
    Settings(settings::SettingsArgs),
    /// Show or decide which frameworks a company has adopted: they decide which requirements are shown of it.
    Frameworks(frameworks::FrameworksArgs),
    /// List the assets of a company, or those of all that a person should look at: ambiguous, possible duplicates, held.
    Assets(assets::AssetsArgs),
    /// Promote companies to compliance: from the next sweep on they get signals.
    Promote(promote::PromoteArgs),
    /// Sync the assets of every mapped organization, or of one company.
    Sync(sync::SyncArgs),
    /// Sweep the evidence of every promoted company, if the sweep that is due was not done yet.
    Sweep,
    /// Run the schedule: sync and sweep when they are due, until Ctrl-C or SIGTERM.
    Run(run::RunArgs),
    /// Say how every promoted company stands, signal by signal: verdict, reasons, what was not measured.
    Signals(signals::SignalsArgs),
    /// List the tickets that failing signals opened.
    Tickets(tickets::TicketsArgs),
    /// Show the audit trail of the provider, or of one promoted company.
    Audit(audit::AuditArgs),
    /// Show the evidence records of a promoted company, and verify them: against each other, public keys and anchors.
    Records(records::RecordsArgs),
    /// Make roots over what was swept and keep them outside the database, in the file that `REGENTRA_ANCHORS` names.
    Anchor,
    /// Show the public keys of what signs evidence, or make a new signing key.
    SigningKey(signing_key::SigningKeyArgs),
    /// Seal the saved credentials under a new key.
    RotateKey(rotate_key::RotateKeyArgs),
    /// Forget the credentials and retire the assets. Mappings, signals and evidence stay.
    Disconnect(disconnect::DisconnectArgs),
    /// Create the schema, or bring it up to date: on a PostgreSQL server, as its owner. A SQLite file needs no such step.
    Migrate(migrate::MigrateArgs),
    /// Ask one organization's reports and say how it stands: five verdicts, nothing stored.
    Evidence(evidence::EvidenceArgs),
}

impl Command {
    /// Whether it writes, so that the time it is done at is of consequence.
    const fn writes(&self) -> bool {
        match self {
            Self::TestConnection(_)
            | Self::Connect(_)
            | Self::Authorize(_)
            | Self::Map(_)
            | Self::Promote(_)
            | Self::Sync(_)
            | Self::Sweep
            | Self::Run(_)
            | Self::Anchor
            | Self::RotateKey(_)
            | Self::Disconnect(_) => true,
            Self::Organizations(args) => args.writes(),
            Self::Companies(args) => args.writes(),
            Self::Settings(args) => args.writes(),
            Self::Frameworks(args) => args.writes(),
            Self::Status
            | Self::Diagnose(_)
            | Self::Assets(_)
            | Self::Signals(_)
            | Self::Tickets(_)
            | Self::Audit(_)
            | Self::Records(_)
            | Self::Setup(_)
            | Self::SigningKey(_)
            | Self::Migrate(_)
            | Self::Evidence(_) => false,
        }
    }

    /// The region that it is to connect, or tries to.
    const fn region(&self) -> Option<&RegionKey> {
        match self {
            Self::TestConnection(args) => Some(&args.region),
            Self::Connect(args) => Some(&args.region),
            Self::Authorize(args) => Some(&args.region),
            _ => None,
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// What went wrong, and what to do.
    pub async fn run(self, host: &HostArgs) -> anyhow::Result<()> {
        if self.writes() {
            host.refuse_other_time(self.region()).await?;
        }
        match self {
            Self::Setup(args) => setup::run(&args, host),
            Self::TestConnection(args) => Box::pin(test_connection::run(args, host)).await,
            Self::Connect(args) => Box::pin(connect::run(args, host)).await,
            Self::Authorize(args) => Box::pin(authorize::run(args, host)).await,
            Self::Status => Box::pin(status::run(host)).await,
            Self::Diagnose(args) => Box::pin(diagnose::run(args, host)).await,
            Self::Organizations(args) => Box::pin(organizations::run(args, host)).await,
            Self::Map(args) => Box::pin(map::run(args, host)).await,
            Self::Companies(args) => Box::pin(companies::run(args, host)).await,
            Self::Settings(args) => Box::pin(settings::run(args, host)).await,
            Self::Frameworks(args) => Box::pin(frameworks::run(args, host)).await,
            Self::Assets(args) => Box::pin(assets::run(args, host)).await,
            Self::Promote(args) => Box::pin(promote::run(args, host)).await,
            Self::Sync(args) => Box::pin(sync::run(args, host)).await,
            Self::Sweep => Box::pin(sweep::run(host)).await,
            Self::Run(args) => Box::pin(run::run(args, host)).await,
            Self::Signals(args) => Box::pin(signals::run(args, host)).await,
            Self::Tickets(args) => Box::pin(tickets::run(args, host)).await,
            Self::Audit(args) => Box::pin(audit::run(args, host)).await,
            Self::Records(args) => Box::pin(records::run(args, host)).await,
            Self::Anchor => Box::pin(anchor::run(host)).await,
            Self::SigningKey(args) => signing_key::run(&args, host),
            Self::RotateKey(args) => Box::pin(rotate_key::run(args, host)).await,
            Self::Disconnect(args) => Box::pin(disconnect::run(args, host)).await,
            Self::Migrate(args) => Box::pin(migrate::run(args, host)).await,
            Self::Evidence(args) => Box::pin(evidence::run(args, host)).await,
        }
    }
}
