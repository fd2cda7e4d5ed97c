//! `regentra rotate-key`: a new sealing key, without a moment in which the store does not open.

use anyhow::bail;
use clap::Args;
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::{
    format::count,
    host::{Host, HostArgs},
    keys::{self, Source},
    output,
};

/// Arguments of `regentra rotate-key`.
#[derive(Debug, Args)]
pub struct RotateKeyArgs {
    /// Print new keys for `REGENTRA_KEY` that go on with the present ones, and do nothing else. They are secret: send them straight to
    /// where they are kept.
    #[arg(long)]
    print_new: bool,
}

/// Seals every credential again, those of all providers in the database.
///
/// Keys in a file are renewed: the new key is written beside the old one, everything is sealed again, and the old one goes. Whatever
/// interrupts it, the file opens what is stored, and the next call goes on.
///
/// # Errors
/// When the keys cannot be read or written, or a credential does not open; the old key stays then.
pub async fn run(args: RotateKeyArgs, host: &HostArgs) -> anyhow::Result<()> {
    let database = host.database()?;
    if args.print_new {
        return output::line(keys::successor(&database)?.expose_secret());
    }
    // Before a new key is made, the database has to be there.
    drop(host.open().await?);
    let source = keys::begin_rotation(&database)?;
    let json = host.json;
    let host = host.open().await?;
    let (msps, resealed) = reseal_all(&host).await?;
    // A person may have connected with the old key meanwhile.
    let (_, late) = reseal_all(&host).await?;
    let resealed = resealed + late;
    keys::end_rotation(&database)?;
    if json {
        return output::json(&json!({ "providers": msps, "resealed": resealed }));
    }
    let sealed = count(resealed, "credential is", "credentials are");
    let next = match source {
        Source::File(file) => format!(
            "{} holds the new key alone. Copies of the old one open older backups of the database: keep one with them. A `regentra \
             run` that is running has to be started again.",
            file.display()
        ),
        Source::Variable => format!(
            "Nothing needs {} any more, once every process has the new {}.",
            keys::RETIRED,
            keys::VARIABLE
        ),
    };
    output::line(format!("{sealed} sealed under the new key.\n{next}"))
}

/// Seals what is sealed under an older key again; says for how many providers, and how many credentials that were.
async fn reseal_all(host: &Host) -> anyhow::Result<(u64, u64)> {
    let msps = host.integration.msps().await?;
    let mut resealed = 0;
    for msp in &msps {
        match host.integration.rotate_key(*msp, host.actor()).await {
            Ok(credentials) => resealed += credentials as u64,
            Err(error) => bail!(
                "a credential of provider {msp} could not be sealed again, so the old key stays: {error}"
            ),
        }
    }
    Ok((msps.len() as u64, resealed))
}
