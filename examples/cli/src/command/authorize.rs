//! `regentra authorize`.

use std::io::BufRead as _;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use ninjaone_client::Scope;
use regentra_sync::{
    AuthorizationLink, Authorized, BeginAuthorization, Callback, CompleteAuthorization,
    RequestedAccess,
    model::{RegionKey, TenantView},
    views::Finding,
};
use serde_json::json;

use super::test_connection::seen;
use crate::{
    credentials,
    format::clock,
    host::{Host, HostArgs, region},
    output,
};

/// Arguments of `regentra authorize`.
#[derive(Debug, Args)]
pub struct AuthorizeArgs {
    /// The region you sign in at (us, us2, eu, ca, oc, fed), or the address: a branded or other https one.
    #[arg(long, alias = "base-url", env = "NINJAONE_REGION", value_parser = region)]
    pub(super) region: RegionKey,

    /// Where NinjaOne sends the browser afterwards: as it is registered with the API client, to the letter. Nothing has to answer there.
    #[arg(
        long,
        env = "NINJAONE_REDIRECT_URI",
        value_name = "URI",
        default_value = "http://127.0.0.1/callback"
    )]
    redirect_uri: String,

    /// The API client is a native application: it has no secret.
    #[arg(long)]
    native: bool,

    /// Ask for more than reading. Regentra needs no more; ask only for what else you do with the same client.
    #[arg(long, value_name = "SCOPE")]
    also: Vec<More>,

    /// Connect although the client id is connected elsewhere. Every event and ticket is made twice then; the audit trail says so.
    #[arg(long)]
    allow_duplicate: bool,
}

/// A scope that is more than reading.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum More {
    /// Change, and run scripts.
    Management,
    /// Remote access.
    Control,
}

impl From<More> for Scope {
    fn from(more: More) -> Self {
        match more {
            More::Management => Self::Management,
            More::Control => Self::Control,
        }
    }
}

/// Sends an administrator to NinjaOne, waits for the address that NinjaOne returns, and saves the connection.
///
/// # Errors
/// When it cannot be begun, the administrator declines, or what NinjaOne returns is no answer to it.
pub async fn run(args: AuthorizeArgs, host: &HostArgs) -> anyhow::Result<()> {
    let client = credentials::read_application(args.native)?;
    let database = host.database()?;
    let host = host.create().await?;
    let region = args.region;
    let more = !args.also.is_empty();
    let request = BeginAuthorization {
        region: region.clone(),
        client_id: client.id,
        client_secret: client.secret,
        redirect_uri: args.redirect_uri,
        access: if more {
            RequestedAccess::MonitoringAnd(args.also.into_iter().map(Scope::from).collect())
        } else {
            RequestedAccess::Monitoring
        },
        allow_duplicate: args.allow_duplicate,
    };
    let begun = host.integration.begin_authorization(host.msp, request);
    let callback = pasted(&begun.await?)?;
    let authorized = complete(&host, callback).await?;
    if host.json {
        let visible = authorized.test.as_ref().ok();
        return output::json(&json!({
            "region": region,
            "organizations_visible": visible.map(|test| test.organizations_visible),
            "unreadable_rows": visible.map(|test| test.unreadable_rows),
            "view": authorized.view,
            "reconnected": authorized.connected.reconnected,
            "database": database.to_string(),
        }));
    }
    output::line(text(&region, &authorized))?;
    output::line(format!("Database: {database}"))?;
    output::line("\nNext: `regentra organizations`")
}

/// Shows where to go, and reads where the browser ended.
fn pasted(begun: &AuthorizationLink) -> anyhow::Result<Callback> {
    output::note(format_args!(
        "Open this address in the browser of a NinjaOne system administrator, before {}:\n\n{}\n\n\
         The browser then goes to the redirect URI, where nothing has to answer. Paste the whole address it shows there:",
        clock(begun.expires_at),
        begun.url
    ));
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .context("standard input cannot be read")?;
    if line.trim().is_empty() {
        bail!("no address was pasted: nothing is connected; run it again");
    }
    Ok(Callback::read(&line))
}

async fn complete(host: &Host, callback: Callback) -> anyhow::Result<Authorized> {
    let completed = host
        .integration
        .complete_authorization(
            host.msp,
            CompleteAuthorization {
                callback,
                actor: host.actor(),
            },
        )
        .await;
    host.meter.clear();
    let authorized = completed?;
    match &authorized.test {
        Ok(test) => {
            if let Some(warning) = test.warning {
                output::note(format_args!("warning: {warning}"));
            }
        }
        Err(error) => output::note(format_args!(
            "warning: it is saved, and could not be tried: {error}"
        )),
    }
    if authorized.view == TenantView::Part {
        let finding = Finding::PartialView;
        output::note(format_args!(
            "warning: {} {}",
            finding.meaning(),
            finding.next_step()
        ));
    }
    Ok(authorized)
}

fn text(region: &RegionKey, authorized: &Authorized) -> String {
    let how = if authorized.connected.reconnected {
        "connected again, its mappings are as they were"
    } else {
        "connected"
    };
    match &authorized.test {
        Ok(test) => format!("{region} is {how}: {}.", seen(test)),
        Err(_) => format!("{region} is {how}, untested."),
    }
}
