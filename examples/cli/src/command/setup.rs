//! `regentra setup`: how an administrator makes the API client that a connection needs.

use clap::Args;
use regentra_sync::{
    model::{Grant, RegionKey},
    views::setup_steps,
};
use serde_json::json;

use crate::{
    host::{HostArgs, region},
    output,
};

/// Arguments of `regentra setup`.
#[derive(Debug, Args)]
pub struct SetupArgs {
    /// The region you sign in at (us, us2, eu, ca, oc, fed), or the address: a branded or other https one.
    #[arg(long, alias = "base-url", env = "NINJAONE_REGION", value_parser = region)]
    region: RegionKey,

    /// For `regentra authorize`: an administrator authorizes the API client, which then acts for them.
    #[arg(long)]
    authorize: bool,

    /// Where NinjaOne sends the browser afterwards, for `--authorize`.
    #[arg(
        long,
        env = "NINJAONE_REDIRECT_URI",
        value_name = "URI",
        default_value = "http://127.0.0.1/callback"
    )]
    redirect_uri: String,
}

/// Prints the steps, and what to enter at each.
///
/// # Errors
/// When they cannot be printed.
pub fn run(args: &SetupArgs, host: &HostArgs) -> anyhow::Result<()> {
    let grant = if args.authorize {
        Grant::AuthorizationCode
    } else {
        Grant::ClientCredentials
    };
    let steps = setup_steps(&args.region, grant, Some(&args.redirect_uri));
    if host.json {
        return output::json(&json!(steps));
    }
    for (number, step) in (1..).zip(&steps) {
        output::line(format!("{number}. {}", step.text))?;
        for (field, value) in &step.values {
            output::line(format!("     {field}: {value}"))?;
        }
    }
    Ok(())
}
