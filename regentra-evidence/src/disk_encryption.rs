//! Disk encryption: are the fixed volumes of computers encrypted?
//!
//! **Unit:** the volumes of live devices in scope. Fixed local volumes are in scope. Out of scope are removable disks, network drives,
//! compact discs and RAM disks; volumes of capacity zero; volumes labelled as recovery or system partitions that are also smaller than 16
//! GiB (any user can set a label); and volumes that cannot be opened, with no drive letter and a volume id as their name, if they are
//! smaller than 32 GiB (vendors' recovery partitions have labels in any language). A capacity, label or letter that is absent or cannot be
//! read never puts a volume out of scope. Volumes out of scope are counted. A live device without any volume in scope counts as one
//! unmeasured volume: every computer has a fixed disk.
//!
//! **Several rows of one volume**, before scoping: the newest row wins, at equal times the worse one.
//!
//! **Rows without a readable time:** if the volume also has a fresh row, an undated row makes the volume unmeasured when it is worse than
//! the newest fresh row, or says that the volume is out of scope when the fresh row does not. Without a fresh row the volume is unmeasured,
//! or out of scope if all of its undated rows say so. **Rows older than 30 days** are ignored as rows of a volume that is gone, if the
//! device has a fresh row of another volume in scope and the volume has no undated row. Otherwise the volume is unmeasured.
//!
//! **Fields that cannot be read:** a volume whose scope depends on such a field ([`DiskEncryption::observe_in_doubt`]) never counts as
//! encrypted. It is unmeasured at best, because it may be out of scope; it is out of scope if another field says so. It does not prove that
//! an older volume is gone. A device whose class cannot be read has no encrypted volume either.
//!
//! **Buckets:** see [`VolumeBucket`]. Only `Encrypted` is good.
//!
//! **Verdict:** pass from 95 % encrypted, warning from 80 %, fail below, under the common rule of [`crate::Fleet`]'s scope: 95 of 100 pass,
//! 94 of 100 warn, 80 of 100 warn, 79 of 100 fail, 189 of 199 warn. The comparison uses integers, never a rounded percentage.
//!
//! **Custom fields:** if the vendor's rows have no encryption field at all, a custom field of the host may answer for the device
//! ([`DiskEncryption::observe_custom`]). It never overrides what the vendor reports, nor what a row without a readable time may have
//! reported.
//!
//! **Limits:** the vendor reports BitLocker only. Mac and Linux volumes carry no encryption field: they are unmeasured, never
//! "not encrypted". A custom field answers for all of a device's volumes at once, so it should be filled by a script that looks
//! at all of them.
//!
//! ```
//! use regentra_evidence::{
//!     Conversion, DeviceClass, DeviceFact, DeviceKey, DiskEncryption, Encryption, Fleet, Protection, ReportState, RowFate,
//!     Status, VolumeFact, VolumeKey, VolumeLabel, VolumeType,
//! };
//! use time::macros::datetime;
//!
//! let now = datetime!(2026-11-23 06:30 UTC);
//! let mut devices = Fleet::builder(now);
//! devices.observe(DeviceFact {
//!     device: DeviceKey::new(1),
//!     approved: true,
//!     class: DeviceClass::WindowsWorkstation,
//!     offline: Some(false),
//!     last_contact: Some(now),
//! });
//!
//! let mut disk = DiskEncryption::new(devices.build());
//! let fate = disk.observe(VolumeFact {
//!     device: DeviceKey::new(1),
//!     volume: VolumeKey::new(1),
//!     volume_type: VolumeType::Fixed,
//!     label: VolumeLabel::Other,
//!     capacity: Some(500_000_000_000),
//!     encryption: Some(Encryption { conversion: Conversion::FullyEncrypted, protection: Protection::Protected }),
//!     collected_at: Some(now),
//! });
//! assert_eq!(fate, RowFate::Used);
//! assert_eq!(disk.finish(ReportState::answered()).status, Status::Pass);
//! ```

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    custom_field::{CustomAnswer, CustomAnswers, CustomFact},
    device::{DeviceClass, DeviceKey},
    digest::{DigestKey, FactsDigest, FactsHasher},
    fleet::{DeviceScope, DeviceStanding, Fleet, OtherFleet, RowTime, add_one, count},
    percent::Percent,
    reason::Reason,
    report::{ReportState, RowFate},
    rules::Rules,
    signal::{Metadata, Signal, SignalKind, Status},
    verdict::{Grade, Grades, conclude, decide},
};

/// Volumes labelled as recovery or system partitions are out of scope only below this size: 16 GiB, in bytes.
pub const RESERVED_PARTITION_CEILING: u64 = 16 * 1024 * 1024 * 1024;

/// Volumes that nobody can open are out of scope only below this size: 32 GiB, in bytes.
pub const UNOPENABLE_PARTITION_CEILING: u64 = 32 * 1024 * 1024 * 1024;

/// An opaque number that tells the volumes of one device apart. It never appears in any output.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VolumeKey(u128);

impl VolumeKey {
    /// Wraps a number that is unique among the volumes of one device.
    #[must_use]
    pub const fn new(key: u128) -> Self {
        Self(key)
    }
}

impl std::fmt::Debug for VolumeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VolumeKey(..)")
    }
}

/// Whether a volume is of a type that encryption at rest is asked of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeType {
    /// A fixed local disk, or a type that is unknown or absent.
    Fixed,
    /// A removable disk, network drive, compact disc or RAM disk.
    NotFixed,
}

/// What a volume's label, or that it has no drive letter, says it is. Labels are typed by people, and any volume can be left
/// without a letter: only together with the size it decides anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeLabel {
    /// A recovery, EFI or system reserved partition: out below [`RESERVED_PARTITION_CEILING`].
    Reserved,
    /// A volume that nobody can open, whatever its label: out below [`UNOPENABLE_PARTITION_CEILING`].
    Unopenable,
    /// Anything else, or none.
    Other,
}

impl VolumeLabel {
    /// The size in bytes below which such a volume is out of scope.
    const fn ceiling(self) -> u64 {
        match self {
            Self::Reserved => RESERVED_PARTITION_CEILING,
            Self::Unopenable => UNOPENABLE_PARTITION_CEILING,
            Self::Other => 0,
        }
    }
}

/// How far a volume's data is converted to cipher text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// All of it.
    FullyEncrypted,
    /// Encryption is running or paused.
    Encrypting,
    /// None of it, or decryption is running or paused.
    Decrypted,
    /// Unknown, absent, or a word never seen before.
    Unknown,
}

/// Whether the volume's key is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Protected.
    Protected,
    /// The key lies in clear on the disk.
    Unprotected,
    /// Protection is pending; until then the key lies in clear.
    Pending,
    /// Unknown, absent, or a word never seen before.
    Unknown,
}

/// What a row says about a volume's encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// How far the data is converted.
    pub conversion: Conversion,
    /// Whether the key is protected.
    pub protection: Protection,
}

/// What one row of the volumes report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeFact {
    /// The volume's device.
    pub device: DeviceKey,
    /// Tells the volumes of the device apart.
    pub volume: VolumeKey,
    /// Fixed or not.
    pub volume_type: VolumeType,
    /// What the label says.
    pub label: VolumeLabel,
    /// In bytes; `None` when absent.
    pub capacity: Option<u64>,
    /// `None` when the row carries no encryption field at all.
    pub encryption: Option<Encryption>,
    /// When the row was collected; `None` when absent or unreadable: the row can only hold the verdict back.
    pub collected_at: Option<OffsetDateTime>,
}

/// The bucket a volume is counted in, from good to bad: at equal times the worse of two rows wins. The order is part of the
/// facts digest.
///
/// | conversion | protection | bucket |
/// |---|---|---|
/// | fully encrypted | protected | `Encrypted` |
/// | fully encrypted | unprotected, pending | `Suspended` |
/// | fully encrypted | else | `Unmeasured` |
/// | encrypting | any | `InProgress` |
/// | decrypted or decrypting | any | `NotEncrypted` |
/// | unknown | unprotected | `NotEncrypted` |
/// | unknown | else | `Unmeasured` |
/// | no encryption field, or a Mac or Linux device | | `Unmeasured` |
///
/// A device whose class cannot be read has `Unmeasured` in the place of `Encrypted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum VolumeBucket {
    /// Not a volume that encryption is asked of.
    Out,
    /// Encrypted, and the key is protected.
    Encrypted,
    /// Could not be judged.
    Unmeasured,
    /// Encrypted, with the key in clear: worth nothing until protection resumes.
    Suspended,
    /// Encryption has begun and has not ended.
    InProgress,
    /// In clear.
    NotEncrypted,
}

impl VolumeFact {
    /// The bucket this row puts a volume of a device of this class in.
    #[must_use]
    pub const fn bucket(&self, class: DeviceClass) -> VolumeBucket {
        let small =
            matches!(self.capacity, Some(bytes) if bytes == 0 || bytes < self.label.ceiling());
        if matches!(self.volume_type, VolumeType::NotFixed) || small {
            return VolumeBucket::Out;
        }
        let Some(Encryption {
            conversion,
            protection,
        }) = self.encryption
        else {
            return VolumeBucket::Unmeasured;
        };
        // What is reported is BitLocker: on a system that has none, whatever it says means nothing.
        if !class.may_have_bitlocker() {
            return VolumeBucket::Unmeasured;
        }
        match (conversion, protection) {
            (Conversion::FullyEncrypted, Protection::Protected) if class.shows_good() => {
                VolumeBucket::Encrypted
            }
            (Conversion::FullyEncrypted, Protection::Unprotected | Protection::Pending) => {
                VolumeBucket::Suspended
            }
            (Conversion::Encrypting, _) => VolumeBucket::InProgress,
            (Conversion::Decrypted, _) | (Conversion::Unknown, Protection::Unprotected) => {
                VolumeBucket::NotEncrypted
            }
            (Conversion::FullyEncrypted | Conversion::Unknown, _) => VolumeBucket::Unmeasured,
        }
    }
}

/// Volumes of live devices, by bucket. The buckets of those in scope add up to `in_scope`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeCounts {
    /// All volumes in scope; a live device without any counts as one.
    pub in_scope: u64,
    /// Volumes that encryption is not asked of. `None` in signals of the rules `2026-11`, which did not count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_scope: Option<u64>,
    /// Encrypted, key protected.
    pub encrypted: u64,
    /// Encrypted, key in clear.
    pub suspended: u64,
    /// Encryption running or paused.
    pub in_progress: u64,
    /// In clear.
    pub not_encrypted: u64,
    /// Could not be judged.
    pub unmeasured: u64,
}

impl VolumeCounts {
    const fn none() -> Self {
        Self {
            in_scope: 0,
            out_of_scope: Some(0),
            encrypted: 0,
            suspended: 0,
            in_progress: 0,
            not_encrypted: 0,
            unmeasured: 0,
        }
    }

    fn add(&mut self, bucket: VolumeBucket) {
        let counter = match bucket {
            VolumeBucket::Out => {
                add_one(self.out_of_scope.get_or_insert(0));
                return;
            }
            VolumeBucket::Encrypted => &mut self.encrypted,
            VolumeBucket::Unmeasured => &mut self.unmeasured,
            VolumeBucket::Suspended => &mut self.suspended,
            VolumeBucket::InProgress => &mut self.in_progress,
            VolumeBucket::NotEncrypted => &mut self.not_encrypted,
        };
        add_one(counter);
        add_one(&mut self.in_scope);
    }

    fn add_all(&mut self, other: Self) {
        self.in_scope = self.in_scope.saturating_add(other.in_scope);
        self.out_of_scope = self
            .out_of_scope
            .map(|own| own.saturating_add(other.out_of_scope.unwrap_or(0)));
        self.encrypted = self.encrypted.saturating_add(other.encrypted);
        self.suspended = self.suspended.saturating_add(other.suspended);
        self.in_progress = self.in_progress.saturating_add(other.in_progress);
        self.not_encrypted = self.not_encrypted.saturating_add(other.not_encrypted);
        self.unmeasured = self.unmeasured.saturating_add(other.unmeasured);
    }

    /// Volumes that could be judged.
    const fn measured(&self) -> u64 {
        self.in_scope.saturating_sub(self.unmeasured)
    }
}

/// The aggregates behind the disk encryption signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskEncryptionMetadata {
    /// Devices; measured means that at least one volume in scope was measured.
    pub scope: DeviceScope,
    /// Volumes by bucket.
    pub volumes: VolumeCounts,
    /// Encrypted among the measured volumes, floored to a tenth; `None` when nothing was measured.
    pub encrypted_percent: Option<Percent>,
    /// Live devices with at least one volume in scope, all of them encrypted.
    pub devices_fully_encrypted: u64,
}

/// What of a volume's rows a custom field cannot answer for. Of several rows all count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Withheld {
    /// The vendor's row has an encryption field that means something on this device, so that no custom field may answer instead.
    reported: bool,
    /// A field that the volume's scope rests on cannot be read, so that none may say that the volume is encrypted.
    in_doubt: bool,
}

impl Withheld {
    const fn and(self, other: Self) -> Self {
        Self {
            reported: self.reported || other.reported,
            in_doubt: self.in_doubt || other.in_doubt,
        }
    }

    fn digest(self, facts: &mut FactsHasher) {
        facts.flags(self.reported, self.in_doubt);
    }
}

/// What one row says, or the worst of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct VolumeVerdict {
    bucket: VolumeBucket,
    withheld: Withheld,
}

impl VolumeVerdict {
    /// The worse of two rows of one moment.
    fn join(self, other: Self) -> Self {
        match self.bucket.cmp(&other.bucket) {
            Ordering::Less => other,
            Ordering::Equal => Self {
                withheld: self.withheld.and(other.withheld),
                ..self
            },
            Ordering::Greater => self,
        }
    }
}

/// Rows whose place in time is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Undated {
    worst: VolumeBucket,
    /// All of them say that the volume is out.
    all_out: bool,
    /// Any of them does.
    any_out: bool,
    withheld: Withheld,
}

impl Undated {
    const fn of(verdict: VolumeVerdict) -> Self {
        let out = matches!(verdict.bucket, VolumeBucket::Out);
        Self {
            worst: verdict.bucket,
            all_out: out,
            any_out: out,
            withheld: verdict.withheld,
        }
    }

    fn join(self, other: Self) -> Self {
        Self {
            worst: self.worst.max(other.worst),
            all_out: self.all_out && other.all_out,
            any_out: self.any_out || other.any_out,
            withheld: self.withheld.and(other.withheld),
        }
    }
}

/// What the rows of one volume say together: joins, so that order, split and repetition change nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Volume {
    /// The newest fresh row, at equal times the worse.
    fresh: Option<(OffsetDateTime, VolumeVerdict)>,
    undated: Option<Undated>,
    /// There is a row that is too old.
    too_old: Option<Withheld>,
    /// Rows say so little about which volume they are of that they may be of any.
    unidentified: bool,
}

/// What of a row cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    None,
    /// Whether its volume is in scope.
    Scope,
    /// Which volume it is about.
    Identity,
}

/// What a volume counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judged {
    /// Gone.
    Ignored,
    /// What its newest fresh row says.
    Fresh(VolumeVerdict),
    /// Out, by rows without a readable time alone.
    Out(Withheld),
    /// Unmeasured, for rows that are undated or too old.
    Undecided(Withheld),
}

/// Either, or what both come to.
fn both<T>(left: Option<T>, right: Option<T>, join: impl FnOnce(T, T) -> T) -> Option<T> {
    match (left, right) {
        (Some(left), Some(right)) => Some(join(left, right)),
        (left, right) => left.or(right),
    }
}

impl Volume {
    fn join(&mut self, other: Self) {
        self.fresh = both(self.fresh, other.fresh, |left, right| {
            match left.0.cmp(&right.0) {
                Ordering::Less => right,
                Ordering::Equal => (left.0, left.1.join(right.1)),
                Ordering::Greater => left,
            }
        });
        self.undated = both(self.undated, other.undated, Undated::join);
        self.too_old = both(self.too_old, other.too_old, Withheld::and);
        self.unidentified |= other.unidentified;
    }

    /// Whether a fresh row of this volume shows that the device has a volume in scope. One that is out, or that an undated row says is
    /// out, shows nothing: its newest row may say so.
    fn is_fresh_and_in_scope(&self) -> bool {
        let in_scope =
            |(_, VolumeVerdict { bucket, withheld }): (OffsetDateTime, VolumeVerdict)| {
                bucket != VolumeBucket::Out && !withheld.in_doubt
            };
        self.fresh.is_some_and(in_scope) && !self.undated.is_some_and(|undated| undated.any_out)
    }

    /// `others`: the device has a fresh row of another volume in scope.
    fn judged(&self, others: bool) -> Judged {
        /// Nobody can tell whether the volume is one that a custom field answers for, so none does.
        const OUT_OR_NOT: Withheld = Withheld {
            reported: true,
            in_doubt: true,
        };
        match (self.fresh, self.undated) {
            (Some((_, fresh)), None) => Judged::Fresh(fresh),
            (Some((_, fresh)), Some(undated)) => {
                let is_out = fresh.bucket == VolumeBucket::Out;
                // The vendor may have had an answer after the fresh row had none: no custom field takes its place.
                let withheld = fresh.withheld.and(undated.withheld);
                if undated.any_out != is_out || undated.all_out != is_out {
                    Judged::Undecided(withheld.and(OUT_OR_NOT))
                } else if undated.worst > fresh.bucket {
                    Judged::Undecided(withheld)
                } else {
                    Judged::Fresh(VolumeVerdict { withheld, ..fresh })
                }
            }
            (None, Some(undated)) => match self.too_old {
                None if undated.all_out => Judged::Out(undated.withheld),
                too_old => {
                    let withheld = undated.withheld.and(too_old.unwrap_or_default());
                    Judged::Undecided(if undated.any_out {
                        withheld.and(OUT_OR_NOT)
                    } else {
                        withheld
                    })
                }
            },
            (None, None) if others => Judged::Ignored,
            (None, None) => Judged::Undecided(self.too_old.unwrap_or_default()),
        }
    }
}

impl VolumeVerdict {
    /// The bucket, where a custom field may answer what the vendor cannot.
    const fn judged(self, answer: Option<CustomAnswer>) -> VolumeBucket {
        let Withheld { reported, in_doubt } = self.withheld;
        match (self.bucket, answer) {
            (VolumeBucket::Unmeasured, Some(CustomAnswer::Yes)) if !reported && !in_doubt => {
                VolumeBucket::Encrypted
            }
            (VolumeBucket::Unmeasured, Some(CustomAnswer::No)) if !reported => {
                VolumeBucket::NotEncrypted
            }
            (bucket, _) => bucket,
        }
    }
}

/// Judges disk encryption; see the [module](self) for the rule.
#[derive(Clone, Debug)]
pub struct DiskEncryption {
    fleet: Arc<Fleet>,
    volumes: BTreeMap<(DeviceKey, VolumeKey), Volume>,
    custom: CustomAnswers,
}

impl DiskEncryption {
    /// Starts with no row.
    #[must_use]
    pub const fn new(fleet: Arc<Fleet>) -> Self {
        Self {
            fleet,
            volumes: BTreeMap::new(),
            custom: CustomAnswers::new(),
        }
    }

    /// Takes one row of the volumes report. The same volume twice: the newest row wins, at a tie the worse.
    pub fn observe(&mut self, fact: VolumeFact) -> RowFate {
        self.observe_row(fact, Doubt::None)
    }

    /// Takes one row of which a field that says whether its volume is in scope is there and cannot be read: its type, its label, its
    /// capacity or its letter. By this row the volume is never encrypted, for it may be out; what is bad of it counts.
    pub fn observe_in_doubt(&mut self, fact: VolumeFact) -> RowFate {
        self.observe_row(fact, Doubt::Scope)
    }

    /// Takes one row of which nobody can read which of its device's volumes it is about. It counts as a volume of its own, and no
    /// volume of the device counts as encrypted beside it: the row may say the opposite of any of them.
    pub fn observe_unidentified(&mut self, fact: VolumeFact) -> RowFate {
        self.observe_row(fact, Doubt::Identity)
    }

    fn observe_row(&mut self, fact: VolumeFact, doubt: Doubt) -> RowFate {
        if let Some(fate) = self
            .fleet
            .refusal(fact.device, DeviceStanding::is_live_endpoint)
        {
            return fate;
        }
        let class = self.fleet.class(fact.device);
        let withheld = Withheld {
            reported: fact.encryption.is_some() && class.may_have_bitlocker(),
            in_doubt: doubt != Doubt::None,
        };
        let verdict = VolumeVerdict {
            bucket: match fact.bucket(class) {
                VolumeBucket::Encrypted if withheld.in_doubt => VolumeBucket::Unmeasured,
                bucket => bucket,
            },
            withheld,
        };
        let time = self.fleet.row_time(fact.collected_at);
        let mut volume = Volume {
            unidentified: doubt == Doubt::Identity,
            ..Volume::default()
        };
        match time {
            RowTime::Fresh(at) => volume.fresh = Some((at, verdict)),
            RowTime::TooOld(_) => volume.too_old = Some(withheld),
            RowTime::Undated => volume.undated = Some(Undated::of(verdict)),
        }
        self.join((fact.device, fact.volume), volume);
        time.fate()
    }

    /// Takes one device's answer of a custom field to "are its volumes encrypted?", such as one for `FileVault` or `LUKS`.
    ///
    /// It counts for volumes in scope without any encryption field, and for a device without any volume in scope. Of two answers
    /// *no* counts. When the report of the custom fields failed, the state of this signal's reports says so:
    /// [`ReportState::and`].
    pub fn observe_custom(&mut self, fact: CustomFact) -> RowFate {
        let fate = self.fleet.answer_fate(fact.device);
        if fate == RowFate::Used {
            self.custom.join(fact);
        }
        fate
    }

    /// Adds what another evaluator of the same fleet has seen.
    ///
    /// # Errors
    ///
    /// [`OtherFleet`] when the other evaluator is of another fleet: nothing was added.
    pub fn merge(&mut self, other: Self) -> Result<(), OtherFleet> {
        self.fleet.same(&other.fleet)?;
        for (key, volume) in other.volumes {
            self.join(key, volume);
        }
        self.custom.merge(other.custom);
        Ok(())
    }

    fn join(&mut self, key: (DeviceKey, VolumeKey), volume: Volume) {
        self.volumes.entry(key).or_default().join(volume);
    }

    /// The signal.
    #[must_use]
    pub fn finish(mut self, report: ReportState) -> Signal {
        self.forget_unusable(report);
        self.judge(report)
    }

    /// The signal, and the keyed digest of the facts it was judged from.
    #[must_use]
    pub fn finish_with_digest(
        mut self,
        report: ReportState,
        key: &DigestKey,
    ) -> (Signal, FactsDigest) {
        self.forget_unusable(report);
        (self.judge(report), self.digest(report, key))
    }

    fn forget_unusable(&mut self, report: ReportState) {
        if !report.has_rows() {
            self.volumes.clear();
            self.custom.clear();
        }
    }

    fn digest(&self, report: ReportState, key: &DigestKey) -> FactsDigest {
        let mut facts = key.hasher(SignalKind::DiskEncryption);
        self.fleet.digest(&mut facts);
        report.digest(&mut facts);
        facts.number(count(self.volumes.len()));
        for ((device, VolumeKey(key)), volume) in &self.volumes {
            facts.number(device.get());
            facts.wide(*key);
            facts.option(volume.fresh, |facts, (at, verdict)| {
                facts.time(at);
                facts.tag(verdict.bucket as u8);
                verdict.withheld.digest(facts);
            });
            facts.option(volume.undated, |facts, undated| {
                facts.tag(undated.worst as u8);
                facts.flag(undated.all_out);
                facts.flag(undated.any_out);
                undated.withheld.digest(facts);
            });
            facts.option(volume.too_old, |facts, withheld| withheld.digest(facts));
            facts.flag(volume.unidentified);
        }
        self.custom.digest(&mut facts);
        facts.finish()
    }

    fn judge(&self, report: ReportState) -> Signal {
        let mut volumes = VolumeCounts::none();
        let mut measured_devices = 0;
        let mut devices_fully_encrypted = 0;
        let mut reasons = BTreeSet::new();
        for (device, class) in self.fleet.live_endpoints() {
            let own = self.count_device(device, &mut reasons);
            volumes.add_all(own);
            if own.measured() > 0 {
                add_one(&mut measured_devices);
            } else if class.is_unknown() {
                reasons.insert(Reason::UnknownNodeClass);
            }
            if own.encrypted == own.in_scope {
                add_one(&mut devices_fully_encrypted);
            }
        }

        let rules = self.fleet.rules();
        let scope = self.fleet.endpoint_scope(measured_devices);
        // Each silent device that is kept has one unmeasured volume. Taken as good, those would excuse a failure that the promise
        // shows: only a pass is theirs to hold back.
        let silent = self.fleet.silent_live_endpoints();
        let taken_as_good = volumes.unmeasured.saturating_sub(silent);
        let grades = Grades {
            best: grade(
                volumes.encrypted.saturating_add(taken_as_good),
                volumes.in_scope.saturating_sub(silent),
                &rules,
            ),
            worst: grade(volumes.encrypted, volumes.in_scope, &rules),
            measured: grade(volumes.encrypted, volumes.measured(), &rules),
        };
        if volumes.unmeasured > 0 {
            reasons.insert(Reason::UnmeasuredVolumes);
        }
        if volumes.measured() > 0 && grades.measured != Grade::Pass {
            reasons.insert(Reason::BelowThreshold);
        }
        let mut status = decide(&scope, grades, &mut reasons);
        if !report.has_rows() {
            status = Status::Unknown;
        }
        let metadata = DiskEncryptionMetadata {
            scope,
            volumes,
            encrypted_percent: Percent::floor(volumes.encrypted, volumes.measured()),
            devices_fully_encrypted,
        };
        conclude(
            &self.fleet,
            report,
            status,
            reasons,
            Metadata::DiskEncryption(metadata),
        )
    }
}

impl DiskEncryption {
    /// The volumes of one live device.
    fn count_device(&self, device: DeviceKey, reasons: &mut BTreeSet<Reason>) -> VolumeCounts {
        let rows = || {
            self.volumes
                .range((device, VolumeKey(u128::MIN))..=(device, VolumeKey(u128::MAX)))
                .map(|(_, volume)| volume)
        };
        // Of a device whose class cannot be read a custom field, too, shows only what is bad.
        let shows_good = self.fleet.class(device).shows_good();
        let answer = self.custom.get(device);
        let answer = answer.filter(|answer| shows_good || *answer == CustomAnswer::No);
        let fresh_volumes = rows()
            .filter(|volume| volume.is_fresh_and_in_scope())
            .count();
        let unidentified = rows().any(|volume| volume.unidentified);
        let mut own = VolumeCounts::none();
        // Without a volume in scope the device counts as one.
        let mut of_all = Withheld {
            reported: unidentified,
            in_doubt: false,
        };
        for volume in rows() {
            let is_fresh = usize::from(volume.is_fresh_and_in_scope());
            let bucket = match volume.judged(fresh_volumes > is_fresh) {
                Judged::Ignored => continue,
                Judged::Out(withheld) => {
                    of_all = of_all.and(withheld);
                    VolumeBucket::Out
                }
                Judged::Fresh(verdict) => {
                    of_all = of_all.and(verdict.withheld);
                    verdict.judged(answer)
                }
                Judged::Undecided(withheld) => {
                    of_all = of_all.and(withheld);
                    let bucket = VolumeVerdict {
                        bucket: VolumeBucket::Unmeasured,
                        withheld,
                    }
                    .judged(answer);
                    if bucket == VolumeBucket::Unmeasured {
                        reasons.insert(Reason::UndatedRows);
                    }
                    bucket
                }
            };
            own.add(match bucket {
                VolumeBucket::Encrypted if unidentified => VolumeBucket::Unmeasured,
                bucket => bucket,
            });
        }
        if own.in_scope == 0 {
            own.add(
                VolumeVerdict {
                    bucket: VolumeBucket::Unmeasured,
                    withheld: of_all,
                }
                .judged(answer),
            );
        }
        own
    }
}

/// The plain verdict for `encrypted` of `total` volumes.
fn grade(encrypted: u64, total: u64, rules: &Rules) -> Grade {
    let at_least = |percent: u64| {
        u128::from(encrypted).saturating_mul(100)
            >= u128::from(percent).saturating_mul(u128::from(total))
    };
    if at_least(rules.disk_pass_percent) {
        Grade::Pass
    } else if at_least(rules.disk_warning_percent) {
        Grade::Warning
    } else {
        Grade::Fail
    }
}

#[cfg(test)]
mod tests;
