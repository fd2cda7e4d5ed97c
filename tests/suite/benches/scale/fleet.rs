//! The MSP's customers, and a NinjaOne that answers for them at once. Everything is made when it is asked for, from its number,
//! so that the fleet itself takes no memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use regentra_sync::{
    Error, ErrorKind, Result,
    model::{
        AssetContent, DeviceId, DeviceList, LastContact, ListedDevice, ListedOrganization,
        OrganizationId, OrganizationList, Report, ReportOutcome, SweepCounts,
    },
    ninjaone::{
        Access, Assessment, AssessmentRequest, DeviceListRequest, NinjaOne, Redeemed, Redemption,
        Verdict,
    },
    regentra_evidence::{
        ActivityKey, AntivirusPosture, AttemptFact, BackupActivity, BackupEvent, BackupFact,
        Conversion, Definitions, DeviceClass, DeviceFact, DeviceKey, DiskEncryption, Encryption,
        Fleet as Scope, InstallOutcome, PatchKey, PatchKind, PatchSla, Product, ProductFact,
        Protection, ProtectionState, ReportState, SignatureHistory, Vendor, VolumeFact, VolumeKey,
        VolumeLabel, VolumeType, device_inventory,
    },
};
use time::{Duration, OffsetDateTime};

/// How many devices each customer has; the customer's number is its place, from 1.
#[derive(Debug)]
pub(crate) struct Fleet {
    /// Where each customer's devices begin among all, and where the last one's end.
    begins: Vec<usize>,
}

impl Fleet {
    /// A hundredth of the customers has a quarter of the devices, a twentieth another quarter; the many share the rest.
    pub(crate) fn new(customers: usize, devices: usize) -> Self {
        let large = customers.div_ceil(100);
        let middle = customers.div_ceil(20);
        let many = customers.saturating_sub(large + middle).max(1);
        let weight = |place: usize| {
            if place < large {
                many * middle * 2
            } else if place < large + middle {
                many * large * 2
            } else {
                // From half to one and a half of the many's average.
                4 * large * middle * (50 + place * 37 % 101) / 100
            }
        };
        let total: usize = (0..customers).map(weight).sum();
        let mut begins = vec![0];
        let mut sum = 0;
        for place in 0..customers {
            sum += weight(place);
            begins.push(devices * sum / total);
        }
        Self { begins }
    }

    /// NinjaOne's ids of one organization's devices.
    fn devices_of(&self, organization: OrganizationId) -> std::ops::Range<usize> {
        let end = usize::try_from(organization.get()).unwrap_or(0);
        let begin = |place: usize| self.begins.get(place).copied().unwrap_or(0);
        begin(end.saturating_sub(1))..begin(end)
    }
}

fn listed(organization: OrganizationId, device: usize) -> ListedDevice {
    let is_server = device.is_multiple_of(11);
    let name = format!(
        "C{organization}-{}{device}",
        if is_server { "SRV" } else { "PC" }
    );
    ListedDevice {
        id: DeviceId::new(device.cast_signed() as i64),
        content: AssetContent {
            host_name: Some(name.as_str().into()),
            name: name.into(),
            serial_number: Some(format!("5CG{device:08X}").into()),
            entra_device_id: None,
            class: Some(
                if is_server {
                    "WINDOWS_SERVER"
                } else {
                    "WINDOWS_WORKSTATION"
                }
                .to_owned(),
            ),
            manufacturer: Some("HP Inc.".to_owned()),
            model: Some("HP EliteBook 840 14 inch G10 Notebook PC".to_owned()),
            operating_system: Some("Windows 11 Professional Edition".to_owned()),
        },
        contact: LastContact::default(),
    }
}

#[async_trait]
impl NinjaOne for Fleet {
    async fn authenticate(&self, _: &Access) -> Result<()> {
        Ok(())
    }

    async fn redeem(&self, _: Redemption) -> Result<Redeemed> {
        let message = "this tenant is connected with a client secret";
        Err(Error::new(ErrorKind::Invalid, message))
    }

    async fn organizations(&self, _: &Access, ceiling: usize) -> Result<OrganizationList> {
        let customers = self.begins.len() - 1;
        let organizations = (1..=customers).map(|number| ListedOrganization {
            id: OrganizationId::new(number.cast_signed() as i64),
            name: format!("Customer {number:04}").into(),
        });
        Ok(OrganizationList {
            organizations: organizations.take(ceiling).collect(),
            truncated: customers > ceiling,
            malformed_rows: 0,
            requests: 1,
        })
    }

    async fn devices(&self, _: &Access, request: DeviceListRequest<'_>) -> Result<DeviceList> {
        let DeviceListRequest {
            organization,
            ceiling,
            ..
        } = request;
        let devices = self.devices_of(organization);
        Ok(DeviceList {
            truncated: devices.len() > ceiling,
            devices: devices
                .take(ceiling)
                .map(|device| listed(organization, device))
                .collect(),
            requests: 1,
            ..DeviceList::default()
        })
    }

    async fn assess(&self, _: &Access, request: AssessmentRequest<'_>) -> Result<Assessment> {
        let collected_at = request.now - Duration::minutes(20);
        let customer = Customer {
            kind: request.organization.get() % 10,
            collected_at: Some(collected_at),
        };
        let devices = || self.devices_of(request.organization);
        let mut scope = Scope::builder(request.now).rules(*request.rules);
        for device in devices() {
            scope.observe(customer.device(device));
        }
        let scope = scope.build();
        let mut disks = DiskEncryption::new(scope.clone());
        let mut antivirus = AntivirusPosture::new(scope.clone());
        let mut patches = PatchSla::new(scope.clone());
        let mut backups = BackupActivity::new(scope.clone());
        for device in devices() {
            for volume in 0..2 {
                let _ = disks.observe(customer.volume(device, volume));
            }
            let _ = antivirus.observe(customer.product(device));
            for patch in 0..4 {
                let _ = patches.observe_attempt(customer.attempt(device, patch));
            }
            let _ = backups.observe(customer.backup(device));
        }

        let number = |device: DeviceKey| DeviceId::new(device.get().cast_signed());
        let out_of_date: Vec<_> = antivirus.out_of_date().collect();
        let up_to_date = antivirus.up_to_date();
        let mut sightings: BTreeMap<_, _> =
            up_to_date.map(|device| (number(device), false)).collect();
        sightings.extend(out_of_date.iter().map(|device| (number(*device), true)));
        let since = |device| {
            let ages = request.signature_ages;
            ages.and_then(|ages| ages.out_of_date_since(number(device)))
        };
        let history: SignatureHistory = out_of_date
            .iter()
            .filter_map(|device| Some((*device, since(*device)?)))
            .collect();
        let (answered, digest) = (ReportState::answered(), request.digest_key);
        let verdicts = [
            disks.finish_with_digest(answered, digest),
            antivirus.finish_with_digest(answered, Some(&history), digest),
            patches.finish_with_digest(answered, answered, digest),
            backups.finish_with_digest(answered, digest),
            device_inventory::finish_with_digest(&scope, digest),
        ];
        Ok(Assessment {
            customer: request.customer,
            organization: request.organization,
            verdicts: verdicts
                .into_iter()
                .map(|(signal, facts)| Verdict { signal, facts })
                .collect(),
            reports: BTreeMap::from([(Report::Devices, ReportOutcome::Answered)]),
            counts: SweepCounts {
                requests: 8,
                ..SweepCounts::default()
            },
            signatures_out_of_date: sightings,
            listed_devices: None,
            unlisted_devices: BTreeMap::new(),
            rows: BTreeMap::new(),
        })
    }
}

/// What one customer's reports say. Of ten customers, one has disks that are not encrypted, one failed patches and one failed
/// backups; three devices of a hundred have old signatures.
struct Customer {
    kind: i64,
    collected_at: Option<OffsetDateTime>,
}

impl Customer {
    fn device(&self, device: usize) -> DeviceFact {
        DeviceFact {
            device: DeviceKey::new(device as u64),
            approved: true,
            class: if device.is_multiple_of(11) {
                DeviceClass::WindowsServer
            } else {
                DeviceClass::WindowsWorkstation
            },
            offline: Some(false),
            last_contact: self.collected_at,
        }
    }

    fn volume(&self, device: usize, volume: u128) -> VolumeFact {
        let (conversion, protection) = if self.kind == 1 {
            (Conversion::Decrypted, Protection::Unprotected)
        } else {
            (Conversion::FullyEncrypted, Protection::Protected)
        };
        VolumeFact {
            device: DeviceKey::new(device as u64),
            volume: VolumeKey::new(volume),
            volume_type: VolumeType::Fixed,
            label: VolumeLabel::Other,
            capacity: Some(512 << 30),
            encryption: Some(Encryption {
                conversion,
                protection,
            }),
            collected_at: self.collected_at,
        }
    }

    fn product(&self, device: usize) -> ProductFact {
        ProductFact {
            device: DeviceKey::new(device as u64),
            product: Product::Real(Vendor::MicrosoftDefender),
            state: ProtectionState::On,
            definitions: if device % 100 < 3 {
                Definitions::OutOfDate
            } else {
                Definitions::UpToDate
            },
            collected_at: self.collected_at,
        }
    }

    fn attempt(&self, device: usize, patch: u128) -> AttemptFact {
        AttemptFact {
            device: DeviceKey::new(device as u64),
            kind: if patch < 3 {
                PatchKind::Os
            } else {
                PatchKind::Software
            },
            patch: PatchKey::new(patch),
            definition_update: false,
            outcome: if self.kind == 2 {
                InstallOutcome::Failed
            } else {
                InstallOutcome::Installed
            },
            installed_at: self.collected_at,
        }
    }

    fn backup(&self, device: usize) -> BackupFact {
        BackupFact {
            device: DeviceKey::new(device as u64),
            activity: ActivityKey::new(device.cast_signed() as i64),
            event: if self.kind == 3 {
                BackupEvent::Failure
            } else {
                BackupEvent::Success
            },
            at: self.collected_at,
        }
    }
}
