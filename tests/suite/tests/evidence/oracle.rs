//! A second opinion on the five signals: whole lists, no streaming, written from the rules alone.
//!
//! It takes the rows exactly as NinjaOne sends them and answers with the five signals as JSON. Nothing in here is shared with
//! the crates it checks, and nothing in here is fast: each rule stands once, in the order of its sentence, so that a reader
//! with the rules in hand can tick them off. Section numbers are those of the rules of the five signals.
//!
//! Where the rules leave a reading open, the one is taken that cannot yield a wrong pass. Each such place says "Open:".

pub(crate) mod antivirus_posture;
pub(crate) mod backup_activity;
pub(crate) mod device_inventory;
pub(crate) mod disk_encryption;
pub(crate) mod fleet;
pub(crate) mod one_rule;
pub(crate) mod ours;
pub(crate) mod patch_sla;
pub(crate) mod reading;
pub(crate) mod tenant;

use serde_json::Value;

use self::{fleet::Fleet, tenant::Tenant};

/// The five signals of one customer, in the JSON of section 12.
pub(crate) fn evaluate(tenant: &Tenant) -> Value {
    let fleet = Fleet::of(tenant);
    Value::Array(vec![
        disk_encryption::evaluate(&fleet, &tenant.volumes),
        antivirus_posture::evaluate(&fleet, &tenant.antivirus, tenant.signature_history.as_ref()),
        patch_sla::evaluate(&fleet, tenant),
        backup_activity::evaluate(&fleet, &tenant.activities),
        device_inventory::evaluate(&fleet),
    ])
}
