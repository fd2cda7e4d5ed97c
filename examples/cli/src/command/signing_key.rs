//! `regentra signing-key`: the key that signs the heads of evidence chains.

use anyhow::bail;
use clap::Args;
use serde_json::json;

use crate::{host::HostArgs, output, signing};

/// Arguments of `regentra signing-key`.
#[derive(Debug, Args)]
pub struct SigningKeyArgs {
    /// Make the first signing key, or one that follows the present one and is signed by it.
    #[arg(long)]
    new: bool,
}

/// Prints the public keys, one a line; makes a new key first if that is asked for.
///
/// # Errors
/// When there is no key, or a file cannot be read or written.
pub fn run(args: &SigningKeyArgs, host: &HostArgs) -> anyhow::Result<()> {
    let database = host.database()?;
    let keys = if args.new {
        let now = host.clock().now();
        Some(signing::make(&database, now)?)
    } else {
        signing::public_keys(&database)?
    };
    let Some(keys) = keys else {
        bail!("there is no signing key: `regentra signing-key --new` makes one");
    };
    if host.json {
        return output::json(&json!(keys.keys()));
    }
    for key in keys.keys() {
        output::line(serde_json::to_string(key)?)?;
    }
    if args.new {
        output::note(format_args!(
            "every record has to be signed from now on: start a running `regentra run` again. Give these public keys to those who \
             verify."
        ));
    }
    Ok(())
}
