//! A host in the middle of its life, and what can happen to it next: the operations that crash tests interrupt.

use std::sync::Arc;

use regentra_sync::{
    AdoptFrameworks, Change, Choice, Configure, Disconnect, Discover, Integration, MapOrganization,
    Promote, SweepOutcome, SyncAssets, SyncCompany, SyncOutcome,
    model::{
        Asset, AssetContent, AssetStatus, ComplianceOrgId, CustomFieldName, EntraDeviceIdField,
        EventId, ExternalId, ListedDevice, MspOrgId, Source, Version,
    },
    regentra_evidence::{Framework, SignalKind, Status},
    schedule::{SweepEvent, SweepGroup, SyncEvent},
    store::{AssetCommit, AssetWrite, CommitOutcome},
};
use time::Duration;
use uuid::Uuid;

use crate::{
    keys::rotating_keyring,
    proofs::site::{NOW, Site, mapping, msp, operator, request, together, us},
    scripted::device,
};

/// What can happen next. Each is one request or one event, which may be delivered again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Connect,
    Reconnect,
    Disconnect,
    Discover,
    MapToNewCompany,
    Unmap,
    Promote,
    SyncAssets,
    SyncCompany,
    SweepThatFails,
    SweepThatPasses,
    /// As a sweep that fails, of every promoted organization in one pass.
    SweepGroup,
    /// As a sync of all assets, with the devices of all organizations listed in one pass.
    SyncTogether,
    Deliver,
    RotateKey,
    Configure,
    AdoptFrameworks,
}

impl Operation {
    pub const ALL: [Self; 17] = [
        Self::Connect,
        Self::Reconnect,
        Self::Disconnect,
        Self::Discover,
        Self::MapToNewCompany,
        Self::Unmap,
        Self::Promote,
        Self::SyncAssets,
        Self::SyncCompany,
        Self::SweepThatFails,
        Self::SweepThatPasses,
        Self::SweepGroup,
        Self::SyncTogether,
        Self::Deliver,
        Self::RotateKey,
        Self::Configure,
        Self::AdoptFrameworks,
    ];

    /// Whether it works on several organizations one after the other, each with a commit of its own.
    pub fn has_parts(self) -> bool {
        matches!(self, Self::SyncAssets | Self::SyncCompany) || self.is_together()
    }

    /// Whether it reads several organizations in one pass. Delivered again, it reads those that are left.
    pub fn is_together(self) -> bool {
        matches!(self, Self::SweepGroup | Self::SyncTogether)
    }

    /// Those that the promise names: what is proven on databases too.
    pub const PROMISED: [Self; 8] = [
        Self::Connect,
        Self::Disconnect,
        Self::SyncAssets,
        Self::SyncTogether,
        Self::SweepThatFails,
        Self::SweepThatPasses,
        Self::SweepGroup,
        Self::RotateKey,
    ];

    /// Those that read NinjaOne for a while and write afterwards: what a disconnect can overtake.
    pub const RUNS: [Self; 7] = [
        Self::Discover,
        Self::SyncAssets,
        Self::SyncCompany,
        Self::SweepThatFails,
        Self::SweepThatPasses,
        Self::SweepGroup,
        Self::SyncTogether,
    ];
}

/// One test for each operation, named as what happens: `async fn(Operation)` is what each runs.
#[macro_export]
macro_rules! every_operation {
    ($run:path) => {
        $crate::every_operation! { $run;
            connecting: Connect,
            reconnecting: Reconnect,
            disconnecting: Disconnect,
            discovering: Discover,
            mapping_to_a_new_company: MapToNewCompany,
            unmapping: Unmap,
            promoting: Promote,
            syncing_assets: SyncAssets,
            syncing_a_company: SyncCompany,
            a_sweep_that_fails: SweepThatFails,
            a_sweep_that_passes: SweepThatPasses,
            sweeping_a_group: SweepGroup,
            syncing_assets_together: SyncTogether,
            delivering_to_the_ticket_system: Deliver,
            rotating_the_key: RotateKey,
            changing_settings: Configure,
            adopting_frameworks: AdoptFrameworks,
        }
    };
    ($run:path; $($name:ident: $operation:ident,)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                $run($crate::proofs::story::Operation::$operation).await;
            }
        )+

        #[test]
        fn no_operation_is_left_out() {
            use $crate::proofs::story::Operation;
            assert_eq!([$(Operation::$operation),+], Operation::ALL);
        }
    };
}

/// The MSP that something happens to.
pub fn ours() -> MspOrgId {
    msp(1)
}

/// Another one, to which nothing happens.
pub fn bystander() -> MspOrgId {
    msp(2)
}

pub fn customer(number: u128) -> ComplianceOrgId {
    ComplianceOrgId::from_uuid(Uuid::from_u128(number))
}

/// A host in the middle of its life.
pub struct Story {
    pub site: Site,
    sync: SyncEvent,
    sweep: SweepEvent,
    group: SweepGroup,
}

fn serial(id: i64, serial: &str) -> ListedDevice {
    let mut listed = device(id, &format!("PC-{id}"));
    listed.content.serial_number = Some(serial.into());
    listed
}

impl Story {
    /// Delivers the event of an operation until it is handled, so often at most: to this process, or, where there is none, to another
    /// one, once the leases of the dead one have expired. The last error, when it is not handled.
    pub async fn deliver_again(
        &self,
        operation: Operation,
        to: Option<&Integration>,
        deliveries: usize,
    ) -> Result<(), String> {
        let another = self.process(operation);
        let mut handled = Err(String::new());
        for _ in 0..deliveries {
            if to.is_none() {
                self.site.expire_leases().await;
            }
            handled = self.perform(to.unwrap_or(&another), operation).await;
            if handled.is_ok() {
                break;
            }
        }
        handled
    }

    /// Two MSPs, each with a NinjaOne of its own that uses the same ids. Ours has the organizations 1 and 5 of one customer, 2 of another, 3 ignored
    /// and 4 undecided; assets of lower sources; a dry run that is over, an open ticket, a signature history. Then things
    /// change in NinjaOne, and nobody has looked yet.
    pub async fn begin(mut site: Site) -> Self {
        site.tenants.msps = vec![ours(), bystander()];
        for (msp, first_customer) in [(ours(), 101), (bystander(), 201)] {
            {
                let ninjaone = site.ninjaone.of(msp);
                let mut script = ninjaone.script();
                let names = ["Contoso", "Fabrikam", "Tailspin", "Wingtip", "Contoso Labs"];
                script.organizations = (1..).zip(names.map(str::to_owned)).collect();
                let devices = vec![
                    serial(11, "SERIES-11"),
                    serial(12, "SERIES-12"),
                    device(13, "PC-13"),
                ];
                script.devices.insert(1, devices);
                script
                    .devices
                    .insert(2, vec![device(21, "PC-21"), device(22, "PC-22")]);
                script.devices.insert(5, vec![device(51, "PC-51")]);
                script.signatures.insert(11, true);
            }
            let connect = Site::connecting(msp, "first");
            site.process().connect(msp, connect).await.unwrap();
            let event = request(&format!("discover {msp}"));
            let process = site.process();
            let us = us();
            let discovery = process.discover(
                msp,
                Discover {
                    region: us.clone(),
                    actor: operator(),
                    event,
                },
            );
            discovery.await.unwrap();
            let contoso = site.add_company(msp, "Contoso").await;
            let fabrikam = site.add_company(msp, "Fabrikam").await;
            site.map(msp, 1, Choice::UseExisting(contoso)).await;
            site.map(msp, 2, Choice::UseExisting(fabrikam)).await;
            site.map(msp, 3, Choice::DontSync).await;
            site.map(msp, 5, Choice::UseExisting(contoso)).await;
            site.promote(msp, contoso, first_customer).await;
            site.promote(msp, fabrikam, first_customer + 1).await;
            write_lower_sources(&site, msp, contoso).await;
            site.add_company(msp, "Adventure Works").await;
        }
        site.tenants.customers.push(customer(103));
        // Three ticks: the first ends the dry run, in the second a signal fails, in the third it passes.
        for failing in [None, Some(SignalKind::PatchSla), None] {
            site.tenants.ticks.push(site.tick());
            let process = site.process();
            for msp in [ours(), bystander()] {
                if msp == bystander() && failing.is_none() {
                    continue;
                }
                let ninjaone = site.ninjaone.of(msp);
                let verdicts = failing.map(|signal| ((1, signal), Status::Fail));
                ninjaone.script().verdicts_of = verdicts.into_iter().collect();
                let event = site.sync_event(msp).await;
                let synced = process
                    .sync_assets(
                        msp,
                        SyncAssets {
                            region: us(),
                            actor: operator(),
                            event: event.id,
                        },
                    )
                    .await;
                assert!(synced.unwrap().iter().all(|synced| synced.outcome.is_ok()));
                for organization in [1, 2, 5] {
                    let event = site.sweep_event(mapping(msp, organization)).await;
                    let swept = process.sweep(&event).await.unwrap();
                    assert!(matches!(swept, SweepOutcome::Committed(_)), "{swept:?}");
                }
            }
            site.clock.advance(Duration::hours(6));
        }
        site.tenants.ticks.push(site.tick());
        change_ninjaone(&site);
        let sync = site.sync_event(ours()).await;
        let sweep = site.sweep_event(mapping(ours(), 1)).await;
        let group = site.group_event(ours()).await;
        assert_eq!(group.sweeps.len(), 3, "every promoted organization");
        Self {
            site,
            sync,
            sweep,
            group,
        }
    }

    /// Does it once, in this process. `Err` says why it has to be delivered again.
    #[expect(clippy::too_many_lines, reason = "a few lines for each operation")]
    pub async fn perform(&self, process: &Integration, operation: Operation) -> Result<(), String> {
        let said = |error: regentra_sync::Error| error.to_string();
        let (ours, us, actor) = (ours(), us(), operator());
        let event = request(&format!("{operation:?}"));
        match operation {
            Operation::Connect => {
                let mut connect = Site::connecting(ours, "eu");
                connect.region = regentra_sync::model::RegionKey::parse("eu").unwrap();
                process.connect(ours, connect).await.map_err(said)?;
            }
            Operation::Reconnect => {
                let connect = Site::connecting(ours, "second");
                process.connect(ours, connect).await.map_err(said)?;
            }
            Operation::Disconnect => {
                let disconnect = process.disconnect(
                    ours,
                    Disconnect {
                        region: us.clone(),
                        actor,
                        event,
                    },
                );
                disconnect.await.map_err(said)?;
            }
            Operation::Discover => {
                let discover = process.discover(
                    ours,
                    Discover {
                        region: us.clone(),
                        actor,
                        event,
                    },
                );
                discover.await.map_err(said)?;
            }
            Operation::MapToNewCompany => {
                let id = mapping(ours, 4);
                let map = process.map(
                    ours,
                    MapOrganization {
                        mapping: id,
                        choice: Choice::CreateNew,
                        actor,
                        event,
                    },
                );
                map.await.map_err(said)?;
            }
            Operation::Unmap => {
                let id = mapping(ours, 1);
                let map = process.map(
                    ours,
                    MapOrganization {
                        mapping: id,
                        choice: Choice::Undecide,
                        actor,
                        event,
                    },
                );
                map.await.map_err(said)?;
            }
            Operation::Promote => {
                let company = regentra_sync::model::CompanyId::of_name(ours, "Adventure Works");
                let promote = process.promote(
                    ours,
                    Promote {
                        company,
                        compliance_org: customer(103),
                        actor,
                        event,
                    },
                );
                promote.await.map_err(said)?;
            }
            Operation::SyncAssets | Operation::SyncTogether => {
                all_synced(process.sync(&self.sync).await.map_err(said)?)?;
            }
            Operation::SyncCompany => {
                let company = regentra_sync::model::CompanyId::of_name(ours, "Contoso");
                let synced = process.sync_company(
                    ours,
                    SyncCompany {
                        company,
                        actor,
                        event,
                    },
                );
                all_synced(synced.await.map_err(said)?)?;
            }
            Operation::SweepThatFails | Operation::SweepThatPasses => {
                self.set_verdicts(operation);
                swept(process.sweep(&self.sweep).await)?;
            }
            Operation::SweepGroup => {
                self.set_verdicts(operation);
                let outcomes = process.sweep_group(&self.group).await.map_err(said)?;
                assert_eq!(
                    outcomes.len(),
                    self.group.sweeps.len(),
                    "one for each customer"
                );
                for (_, outcome) in outcomes {
                    swept(outcome)?;
                }
            }
            Operation::Deliver => {
                for row in process.views().outbox(ours, 100).await.map_err(said)? {
                    let reference = format!("T-{}", row.id);
                    let delivered = process.delivered(ours, row.id, Some(reference.into()));
                    delivered.await.map_err(said)?;
                }
            }
            Operation::RotateKey => {
                process.rotate_key(ours, actor).await.map_err(said)?;
            }
            Operation::Configure => {
                let name = CustomFieldName::new("entraId").map_err(|error| error.to_string())?;
                let configure = Configure {
                    entra_device_id_field: Change::To(EntraDeviceIdField::Named(name)),
                    ..Configure::new(event, us, actor)
                };
                process.configure(ours, configure).await.map_err(said)?;
            }
            Operation::AdoptFrameworks => {
                let adopt = AdoptFrameworks {
                    event,
                    company: regentra_sync::model::CompanyId::of_name(ours, "Contoso"),
                    expected: None,
                    frameworks: Some([Framework::Soc2].into()),
                    actor,
                };
                process.adopt_frameworks(ours, adopt).await.map_err(said)?;
            }
        }
        Ok(())
    }

    fn set_verdicts(&self, operation: Operation) {
        let ninjaone = self.site.ninjaone.of(ours());
        let mut script = ninjaone.script();
        if operation == Operation::SweepThatPasses {
            script.verdicts_of.clear();
        } else {
            script
                .verdicts_of
                .insert((1, SignalKind::DiskEncryption), Status::Fail);
            script
                .verdicts_of
                .insert((1, SignalKind::BackupActivity), Status::Fail);
        }
    }

    /// A process that does this operation: one that rotates a key has the new one.
    pub fn process(&self, operation: Operation) -> Integration {
        self.process_over(operation, Arc::clone(&self.site.store))
    }

    pub fn process_over(
        &self,
        operation: Operation,
        store: Arc<dyn regentra_sync::store::Store>,
    ) -> Integration {
        let rotated = operation == Operation::RotateKey;
        let mut builder = self.site.builder_with(store, rotating_keyring(rotated));
        if operation.is_together() {
            builder = builder.policy(together());
        }
        builder.build()
    }
}

/// What does not have to be delivered again.
fn swept(outcome: regentra_sync::Result<SweepOutcome>) -> Result<(), String> {
    match outcome.map_err(|error| error.to_string())? {
        SweepOutcome::Committed(_) | SweepOutcome::AlreadyCommitted | SweepOutcome::Skipped(_) => {
            Ok(())
        }
        again => Err(format!("{again:?}")),
    }
}

fn all_synced(synced: Vec<regentra_sync::MappingSync>) -> Result<(), String> {
    for synced in synced {
        match synced.outcome {
            Ok(SyncOutcome::Synced { .. } | SyncOutcome::Missing | SyncOutcome::OutOfView) => {}
            Ok(other) => return Err(format!("{other:?}")),
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}

/// One that device 11 supersedes, one that 12 does, and one that nobody has.
async fn write_lower_sources(site: &Site, msp: MspOrgId, company: regentra_sync::model::CompanyId) {
    let writes = [
        (Source::Intune, "SERIES-11"),
        (Source::Entra, "SERIES-12"),
        (Source::Level, "SERIES-99"),
    ];
    let writes = writes.map(|(source, serial)| {
        let external_id = format!("{}-{serial}", source.as_str());
        let asset = Asset {
            id: regentra_sync::model::AssetId::from_uuid(Uuid::new_v5(
                &Uuid::NAMESPACE_OID,
                format!("{msp} {external_id}").as_bytes(),
            )),
            company,
            source,
            credential: None,
            mapping: None,
            external_id: ExternalId::Other(external_id),
            status: AssetStatus::Active,
            content: AssetContent {
                name: serial.into(),
                serial_number: Some(serial.into()),
                ..AssetContent::default()
            },
            missing_since: None,
            possible_duplicate_of: None,
            version: Version::FIRST,
            created_at: NOW,
            updated_at: NOW,
        };
        AssetWrite {
            asset,
            expected: None,
        }
    });
    let commit = AssetCommit {
        event: EventId::of_request("lower sources", &msp.to_string()),
        credential: None,
        settings: None,
        mapping: None,
        lease: None,
        writes: writes.to_vec(),
        audit: Vec::new(),
    };
    let outcome = site.store.commit_assets(msp, commit).await.unwrap();
    assert_eq!(outcome, CommitOutcome::Committed);
}

/// A device is gone, one is new, one changed, one moved; an organization is new, one has another name.
fn change_ninjaone(site: &Site) {
    let ninjaone = site.ninjaone.of(ours());
    let mut script = ninjaone.script();
    let mut changed = serial(12, "SERIES-12");
    changed.content.model = Some("Another".to_owned());
    let devices = vec![
        changed,
        device(13, "PC-13"),
        device(14, "PC-14"),
        device(22, "PC-22"),
    ];
    script.devices.insert(1, devices);
    script.devices.insert(2, vec![device(21, "PC-21")]);
    script
        .devices
        .insert(5, vec![device(51, "PC-51"), serial(52, "SERIES-99")]);
    script.organizations.insert(2, "Fabrikam Ltd".to_owned());
    script.organizations.insert(6, "Northwind".to_owned());
    script.organizations.remove(&4);
    script.signatures.insert(11, false);
    script.signatures.insert(13, true);
}
