//! `regentra anchor`: roots over evidence, out of the database, now.

use anyhow::bail;
use regentra_sync::Anchored;
use serde_json::json;

use crate::{anchors, format::count, host::HostArgs, output};

/// Makes the roots over what was swept, and hands out those that wait.
///
/// # Errors
/// When no file of anchors is named, or the sink does not take them.
pub async fn run(host: &HostArgs) -> anyhow::Result<()> {
    if anchors::sink()?.is_none() {
        bail!("name the file that anchors go to in {}", anchors::FILE);
    }
    let host = host.open().await?;
    let Anchored {
        made,
        handed_out,
        waiting,
    } = host.integration.anchor(host.msp).await?;
    if host.json {
        output::json(&json!({ "made": made, "handed_out": handed_out, "waiting": waiting }))?;
    } else {
        let (made, handed_out) = (
            count(made, "root", "roots"),
            count(handed_out, "root", "roots"),
        );
        output::line(format!("{made} made, {handed_out} anchored."))?;
    }
    if waiting > 0 {
        let roots = count(waiting, "root waits", "roots wait");
        bail!("{roots}: the anchors could not be kept; RUST_LOG=warn says why");
    }
    Ok(())
}
