//! `regentra migrate`.

use clap::Args;
use regentra_sync::host::StoreClock;
use secrecy::ExposeSecret as _;

use crate::{database::Database, host::HostArgs, output};

/// Arguments of `regentra migrate`.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// On a server: the role that everything else logs in as, which is granted what it needs.
    #[arg(long, default_value = "regentra_store")]
    role: String,

    /// On a server: creates the schema of the engine `graphile-worker` too, or brings it up to date, for workers that log in as this role.
    #[cfg(feature = "graphile-worker")]
    #[arg(long, value_name = "ROLE")]
    engine_role: Option<String>,
}

/// Creates the schema, or brings it up to date.
///
/// # Errors
/// When the database may not be changed, or is not this program's.
pub async fn run(args: MigrateArgs, host: &HostArgs) -> anyhow::Result<()> {
    let database = host.database()?;
    match &database {
        Database::Sqlite(_) => drop(database.create(StoreClock::server()).await?),
        Database::Postgres(url) => {
            regentra_sync_postgres::migrate(url.expose_secret(), &args.role).await?;
            #[cfg(feature = "graphile-worker")]
            if let Some(role) = &args.engine_role {
                regentra_sync_graphile_worker::migrate(url.expose_secret(), role).await?;
            }
        }
    }
    output::line(format!("The schema of {database} is up to date."))
}
