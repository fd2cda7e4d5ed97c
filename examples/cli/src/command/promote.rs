//! `regentra promote`.

use clap::Args;
use regentra_sync::{
    Promote,
    model::{CompanyId, ComplianceOrgId},
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    host::{Host, HostArgs},
    output,
    portal::Portal,
    shown::Shown,
};

/// Arguments of `regentra promote`.
#[derive(Debug, Args)]
pub struct PromoteArgs {
    /// Companies: id, beginning of the id, or name.
    #[arg(value_name = "COMPANY", required = true)]
    companies: Vec<String>,

    /// The compliance organization, where another system has made one; else its id is derived from the company's.
    #[arg(long, value_name = "UUID")]
    compliance_org: Option<ComplianceOrgId>,
}

/// Promotes, and says so.
///
/// # Errors
/// When there is no such company, or it was promoted to another compliance organization.
pub async fn run(args: PromoteArgs, host: &HostArgs) -> anyhow::Result<()> {
    let host = host.open_without_keys().await?;
    let portal = Portal::read(&host).await?;
    let wanted = args.companies.iter().map(|wanted| portal.company(wanted));
    let wanted = wanted.collect::<anyhow::Result<Vec<_>>>()?;
    anyhow::ensure!(
        args.compliance_org.is_none() || wanted.len() == 1,
        "a compliance organization is one company's: name one company with --compliance-org"
    );
    let mut rows = Vec::new();
    for company in wanted {
        let compliance_org = args
            .compliance_org
            .or(company.converted_to)
            .unwrap_or_else(|| compliance_org_of(company.id));
        let changed = promote(&host, company.id, compliance_org).await?;
        if host.json {
            rows.push(json!({
                "company": company.id, "compliance_org": compliance_org, "changed": changed,
            }));
            continue;
        }
        let name = Shown::name(&company.name);
        output::line(if changed {
            format!(
                "{name} is promoted: its first sweep is a dry run, from then on failing signals open tickets."
            )
        } else {
            format!("{name} is promoted (as it was).")
        })?;
        if portal.mapped_to(company.id).next().is_none() {
            output::note(format_args!(
                "warning: no organization is mapped to {name}, so there is nothing to sweep yet"
            ));
        }
    }
    if host.json {
        return output::json(&rows);
    }
    output::line("\nNext: `regentra sweep`")
}

/// Promotes a company; `false` when it was.
///
/// # Errors
/// As [`run`].
pub async fn promote(
    host: &Host,
    company: CompanyId,
    compliance_org: ComplianceOrgId,
) -> anyhow::Result<bool> {
    Ok(host
        .integration
        .promote(
            host.msp,
            Promote {
                company,
                compliance_org,
                actor: host.actor(),
                event: host.request(),
            },
        )
        .await?)
}

/// The compliance organization that this host makes for a company: always the same one.
#[must_use]
pub fn compliance_org_of(company: CompanyId) -> ComplianceOrgId {
    ComplianceOrgId::from_uuid(Uuid::new_v5(&company.as_uuid(), b"compliance organization"))
}
