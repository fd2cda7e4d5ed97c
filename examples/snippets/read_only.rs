//! A host that only reads: a database, no key, no NinjaOne.
//!
//! `cargo run -p regentra-snippets --example read_only -- regentra.db` shows a database that `regentra` or the quickstart made.

use std::{env, sync::Arc};

use anyhow::Context as _;
use regentra_sync::{model::MspOrgId, views::Views};
use regentra_sync_sqlite::SqliteStore;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let path = env::args_os().nth(1).context("name a database")?;
    let views = Views::new(Arc::new(SqliteStore::open(path).await?));
    let msp = MspOrgId::from_uuid(quickstart::MSP);

    let card = views.card(msp).await?;
    for connection in &card.connections {
        let (region, of) = (&connection.region, connection.organizations);
        println!(
            "{region}: {} organizations mapped, {} pending",
            of.mapped, of.pending_review
        );
    }
    for diagnosis in &card.diagnoses {
        let finding = &diagnosis.finding;
        println!("{} {}", finding.meaning(), finding.next_step());
    }
    for company in views.companies(msp).await? {
        if company.converted_to.is_none() {
            continue;
        }
        println!("{}", company.name.as_str());
        for shown in views.public_view(msp, company.id).await? {
            println!("  {}: {}", shown.view.signal.as_str(), shown.view.status);
        }
    }
    Ok(())
}
