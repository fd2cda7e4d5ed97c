//! `regentra connect`.

use clap::Args;
use regentra_sync::{Connect, model::RegionKey};
use serde_json::json;

use super::test_connection::{seen, test};
use crate::{
    credentials::{self, ApiClient},
    host::{Host, HostArgs, region},
    keys, output,
};

/// Arguments of `regentra connect`.
#[derive(Debug, Args)]
pub struct ConnectArgs {
    /// The region you sign in at (us, us2, eu, ca, oc, fed), or the address: a branded or other https one.
    #[arg(long, alias = "base-url", env = "NINJAONE_REGION", value_parser = region)]
    pub(super) region: RegionKey,

    /// Save what NinjaOne accepts without counting the organizations it sees.
    #[arg(long)]
    untested: bool,

    /// Connect although the client id is connected elsewhere. Every event and ticket is made twice then; the audit trail says so.
    #[arg(long)]
    allow_duplicate: bool,
}

/// Tries the credentials, and saves those that work.
///
/// # Errors
/// When they do not work, or may not be saved, and why.
pub async fn run(args: ConnectArgs, host: &HostArgs) -> anyhow::Result<()> {
    let client = credentials::read()?;
    let database = host.database()?;
    let key_file = keys::file_of(&database);
    let had_keys = key_file.as_ref().is_none_or(|file| file.exists());
    let host = host.create().await?;
    let connected = connect(&host, &args, client).await?;
    if host.json {
        return output::json(&json!({
            "region": args.region,
            "organizations_visible": connected.organizations_visible,
            "reconnected": connected.reconnected,
            "database": database.to_string(),
        }));
    }
    output::line(connected.text)?;
    output::line(format!("Database: {database}"))?;
    if let Some(file) = key_file.filter(|file| !had_keys && file.exists()) {
        output::line(format!(
            "Keys:     {} is new, and only you can read it. Without it the saved credentials cannot be opened: keep a copy \
             apart from the database.",
            file.display()
        ))?;
    }
    output::line("\nNext: `regentra organizations`")
}

impl ConnectArgs {
    /// This region, tested first.
    #[must_use]
    pub const fn to(region: RegionKey) -> Self {
        Self {
            region,
            untested: false,
            allow_duplicate: false,
        }
    }
}

/// What a connect says.
#[derive(Debug)]
pub struct ConnectSummary {
    /// In a sentence.
    pub text: String,
    organizations_visible: Option<u64>,
    reconnected: bool,
}

/// Tries credentials and saves them.
///
/// # Errors
/// As [`run`].
pub async fn connect(
    host: &Host,
    args: &ConnectArgs,
    client: ApiClient,
) -> anyhow::Result<ConnectSummary> {
    let region = &args.region;
    let tested = if args.untested {
        None
    } else {
        Some(test(host, region, &client, false).await?)
    };
    let request = Connect {
        event: host.request(),
        region: region.clone(),
        client_id: client.id,
        client_secret: client.secret,
        allow_duplicate: args.allow_duplicate,
        actor: host.actor(),
    };
    let connected = host.integration.connect(host.msp, request).await?;
    let how = if connected.reconnected {
        "connected again, its mappings are as they were"
    } else {
        "connected"
    };
    Ok(ConnectSummary {
        text: match &tested {
            Some(test) => format!("{region} is {how}: {}.", seen(test)),
            None => format!("{region} is {how}; what it sees is not looked at."),
        },
        organizations_visible: tested.map(|test| test.organizations_visible),
        reconnected: connected.reconnected,
    })
}
