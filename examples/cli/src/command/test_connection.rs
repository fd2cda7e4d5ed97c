//! `regentra test-connection`.

use clap::Args;
use regentra_sync::{
    TestConnection,
    model::RegionKey,
    views::{ConnectionTest, Diagnosis},
};
use serde_json::json;

use crate::{
    credentials::{self, ApiClient},
    format::{count, number},
    host::{Host, HostArgs, region},
    output,
};

/// Arguments of `regentra test-connection`.
#[derive(Debug, Args)]
pub struct TestConnectionArgs {
    /// The region you sign in at (us, us2, eu, ca, oc, fed), or the address: a branded or other https one.
    #[arg(long, alias = "base-url", env = "NINJAONE_REGION", value_parser = region)]
    pub(super) region: RegionKey,

    /// When this region does not know the client, ask the others. Each of them is sent the client id and secret.
    #[arg(long)]
    try_other_regions: bool,
}

/// Tries the credentials and says what they see.
///
/// # Errors
/// When they do not work, and why.
pub async fn run(args: TestConnectionArgs, host: &HostArgs) -> anyhow::Result<()> {
    let client = credentials::read()?;
    let host = host.open_or_forget().await?;
    let test = test(&host, &args.region, &client, args.try_other_regions).await?;
    if host.json {
        return output::json(&json!({
            "region": args.region,
            "organizations_visible": test.organizations_visible,
            "nameless": test.nameless,
            "unreadable_rows": test.unreadable_rows,
            "truncated": test.truncated,
            "warning": test.warning,
        }));
    }
    output::line(format!(
        "{} accepts the credentials: {}.",
        args.region,
        seen(&test)
    ))
}

pub(super) async fn test(
    host: &Host,
    region: &RegionKey,
    client: &ApiClient,
    try_other_regions: bool,
) -> anyhow::Result<ConnectionTest> {
    let request = TestConnection {
        region: region.clone(),
        client_id: client.id.clone(),
        client_secret: client.secret.clone(),
        try_other_regions,
        actor: host.actor(),
    };
    let tested = host.integration.test_connection(host.msp, request).await;
    host.meter.clear();
    if let Some(diagnosis) = Diagnosis::of_test(region, tested.as_ref()) {
        let finding = &diagnosis.finding;
        output::note(format_args!(
            "{}: {}",
            finding.as_str(),
            finding.next_step()
        ));
    }
    let test = tested?;
    if let Some(warning) = test.warning {
        output::note(format_args!("warning: {warning}"));
    }
    Ok(test)
}

pub(super) fn seen(test: &ConnectionTest) -> String {
    let lost = test.unreadable_rows;
    let read = test.organizations_visible.saturating_sub(lost);
    let more = if test.truncated { " or more" } else { "" };
    let visible = count(read, "organization", "organizations");
    let mut seen = format!("{visible}{more}");
    if lost > 0 {
        seen = format!(
            "{seen}, and {} that could not be read,",
            count(lost, "row", "rows")
        );
    }
    if test.nameless > 0 {
        return format!(
            "{seen} visible, {} without a readable name",
            number(test.nameless)
        );
    }
    format!("{seen} visible")
}
