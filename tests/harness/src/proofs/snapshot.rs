//! Everything that a store holds of some tenants, as text by key, so that two states can be compared and their difference read.

use std::{collections::BTreeMap, fmt};

use regentra_sync::{
    model::{ComplianceOrgId, Credential, EventId, Field, MspOrgId},
    seal::Keyring,
    store::{AssetFilter, AuditPage, Store},
};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

const ALL: u32 = 100_000;

/// Whose rows are looked at.
#[derive(Clone, Debug, Default)]
pub struct Tenants {
    pub msps: Vec<MspOrgId>,
    pub customers: Vec<ComplianceOrgId>,
    /// Ticks of the sweep in which something may have happened.
    pub ticks: Vec<OffsetDateTime>,
}

/// What is stored, row by row. Fences are left out, and of runs what they read and how many requests that took: they say how often
/// something was tried.
#[derive(Clone, PartialEq, Eq)]
pub struct Snapshot(BTreeMap<String, String>);

impl Snapshot {
    pub async fn of(
        store: &dyn Store,
        tenants: &Tenants,
        keyring: &Keyring,
        now: OffsetDateTime,
    ) -> Self {
        let mut rows = Self(BTreeMap::new());
        for msp in &tenants.msps {
            rows.add_msp(store, *msp, tenants, keyring, now).await;
        }
        for customer in &tenants.customers {
            let key = format!("customer {customer}");
            let page = AuditPage::newest(ALL);
            for row in store.customer_audit(*customer, page).await.unwrap() {
                rows.add(format!("{key} audit {}", row.id), &row);
            }
            rows.add_signals(store, *customer).await;
        }
        rows
    }

    async fn add_msp(
        &mut self,
        store: &dyn Store,
        msp: MspOrgId,
        tenants: &Tenants,
        keyring: &Keyring,
        now: OffsetDateTime,
    ) {
        let key = format!("msp {msp}");
        for credential in store.credentials(msp).await.unwrap() {
            let opened = opened(keyring, msp, &credential);
            self.0
                .insert(format!("{key} credential {}", credential.id), opened);
            let settings = store.connection_settings(msp, credential.id).await.unwrap();
            self.0.insert(
                format!("{key} settings {}", credential.id),
                format!("{settings:?}"),
            );
            let mappings = store.mappings(msp, credential.id).await.unwrap();
            for (place, mapping) in mappings.into_iter().enumerate() {
                let id = mapping.id;
                self.add(format!("{key} mapping {id}"), &mapping);
                // A mapping's signature history is the same whichever customer and tick are asked for, and an MSP's ticks are
                // whichever customer and mapping.
                let nobody = ComplianceOrgId::from_uuid(Uuid::nil());
                let nothing = EventId::from_uuid(Uuid::nil());
                let ticks = tenants.ticks.iter();
                for tick in ticks.take(if place == 0 { usize::MAX } else { 1 }) {
                    let state = store.sweep_state(msp, nobody, id, nothing, *tick);
                    let state = state.await.unwrap();
                    for (device, record) in &state.signature_history {
                        let row = format!("{key} signature {id} {}", device.as_str());
                        self.0.insert(row, format!("{record:?}"));
                    }
                    let said = format!("{:?} {:?}", state.tick, state.digest);
                    self.0.insert(format!("{key} tick {tick}"), said);
                }
            }
        }
        for company in store.companies(msp).await.unwrap() {
            self.add(format!("{key} company {}", company.id), &company);
            let frameworks = store.adopted_frameworks(msp, company.id).await.unwrap();
            self.0.insert(
                format!("{key} frameworks {}", company.id),
                format!("{frameworks:?}"),
            );
        }
        for asset in store.assets(msp, AssetFilter::All).await.unwrap() {
            self.add(format!("{key} asset {}", asset.id), &asset);
        }
        for ticket in store.tickets(msp, None).await.unwrap() {
            self.add(format!("{key} ticket {}", ticket.id), &ticket);
        }
        let far = now + Duration::days(365);
        for (place, row) in store
            .outbox(msp, far, ALL)
            .await
            .unwrap()
            .iter()
            .enumerate()
        {
            self.add(format!("{key} outbox {place:04}"), row);
        }
        let page = AuditPage::newest(ALL);
        for row in store.msp_audit(msp, page).await.unwrap() {
            self.add(format!("{key} audit {}", row.id), &row);
        }
        for mut run in store.runs(msp).await.unwrap() {
            (run.requests, run.reading) = (0, None);
            self.add(format!("{key} run {:?}", run.subject), &run);
        }
    }

    /// Every signal and every record of a customer, of whatever mapping.
    async fn add_signals(&mut self, store: &dyn Store, customer: ComplianceOrgId) {
        // Before anything was collected nothing is expired, so every mapping and signal is among them.
        let long_ago = OffsetDateTime::UNIX_EPOCH;
        for newest in store.current_signals(customer, long_ago).await.unwrap() {
            let (mapping, signal) = (newest.mapping, newest.signal.kind());
            let of = format!("customer {customer} {mapping} {}", signal.as_str());
            let signals = store.signal_history(customer, mapping, signal, ALL);
            for (place, row) in signals.await.unwrap().iter().rev().enumerate() {
                self.add(format!("{of} signal {place:04}"), row);
            }
            let chain = store.evidence_chain(customer, mapping, signal, 0, ALL);
            for row in chain.await.unwrap() {
                self.add(format!("{of} evidence {:04}", row.link.sequence), &row);
            }
        }
    }

    /// Without what depends on the order in which an MSP's organizations were synced: a device that moved is retired first,
    /// or moved at once, and comes out the same.
    pub fn without_order_of_syncs(&self) -> Self {
        let mut rows = BTreeMap::new();
        for (key, row) in &self.0 {
            if key.contains(" asset ") {
                let mut asset: serde_json::Value = serde_json::from_str(row).unwrap();
                if let Some(asset) = asset.as_object_mut() {
                    asset.remove("version");
                }
                rows.insert(key.clone(), asset.to_string());
            } else if !row.contains("NINJAONE_SYNCED") {
                rows.insert(key.clone(), row.clone());
            }
        }
        Self(rows)
    }

    /// Without what an MSP keeps of passes over many organizations: for how many one was, and what it cost. Delivered again, a pass is
    /// for those that are left.
    pub fn without_passes(&self) -> Self {
        let rows = self.0.iter().filter(|(key, row)| {
            let is_audit = key.contains(" audit ") && row.contains("\"group_swept\"");
            let is_run = key.contains(" run ") && key.contains("EvidenceSweep");
            !(is_audit || is_run && key.contains("mapping: None"))
        });
        Self(rows.map(|(key, row)| (key.clone(), row.clone())).collect())
    }

    fn add(&mut self, key: impl Into<String>, row: &impl Serialize) {
        let key = key.into();
        assert!(!self.0.contains_key(&key), "{key} is there twice");
        self.0.insert(key, serde_json::to_string(row).unwrap());
    }

    /// Without the bookkeeping of runs, which is written after what they did.
    pub fn without_runs(&self) -> Self {
        let rows = self.0.iter().filter(|(key, _)| !key.contains(" run "));
        Self(rows.map(|(key, row)| (key.clone(), row.clone())).collect())
    }

    /// The rows whose key contains this text.
    pub fn rows<'a>(&'a self, part: &'a str) -> impl Iterator<Item = &'a str> {
        let rows = self.0.iter().filter(move |(key, _)| key.contains(part));
        rows.map(|(_, row)| row.as_str())
    }

    /// Every key and row in which two states differ.
    pub fn difference(&self, other: &Self) -> String {
        let keys = self.0.keys().chain(other.0.keys());
        let keys: std::collections::BTreeSet<_> = keys.collect();
        let differing = keys.into_iter().filter_map(|key| {
            let (one, two) = (self.0.get(key), other.0.get(key));
            (one != two).then(|| format!("{key}\n  - {one:?}\n  + {two:?}\n"))
        });
        differing.collect()
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.0).finish()
    }
}

/// Two states are one, or the test says where they differ.
#[track_caller]
pub fn assert_same(got: &Snapshot, expected: &Snapshot, what: impl fmt::Display) {
    assert!(
        got == expected,
        "{what}: differs from what was expected (-: got, +: expected)\n{}",
        got.difference(expected)
    );
}

/// A credential with its secrets opened: what is sealed differs each time, what it says must not.
fn opened(keyring: &Keyring, msp: MspOrgId, credential: &Credential) -> String {
    let region = &credential.region;
    let open = |field, sealed: &regentra_sync::seal::Sealed| {
        let current = keyring.is_current(sealed);
        let secret = keyring.open(msp, region, field, sealed).unwrap();
        format!("{}/{current}", secret.expose_secret())
    };
    let secrets = credential.secrets.as_ref().map(|secrets| {
        let secret = secrets.client_secret.as_ref();
        let token = secrets.refresh_token.as_ref();
        (
            open(Field::ClientId, &secrets.client_id),
            secret.map(|sealed| open(Field::ClientSecret, sealed)),
            token.map(|sealed| open(Field::RefreshToken, sealed)),
        )
    });
    format!(
        "{} {:?} {} active={} generation={} secrets={} {} {:?} {secrets:?}",
        region,
        credential.grant,
        credential.fingerprint.as_str(),
        credential.is_active,
        credential.generation,
        credential.secrets_version,
        credential.connected_at,
        credential.disconnected_at,
    )
}
