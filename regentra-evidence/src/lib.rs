#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod anchor;
pub mod antivirus_posture;
pub mod backup_activity;
pub mod chain;
pub mod claim;
mod control;
pub mod crosswalk;
mod custom_field;
mod device;
pub mod device_inventory;
pub mod digest;
pub mod disk_encryption;
#[cfg(test)]
mod fixture;
pub mod fleet;
mod framework;
pub mod guard;
mod hash;
mod joined;
pub mod merkle;
#[cfg(feature = "oscal")]
pub mod oscal;
pub mod patch_sla;
mod percent;
pub mod posture;
pub mod public_view;
mod reason;
pub mod record;
mod report;
pub mod rules;
mod signal;
pub mod signature_history;
pub mod signed_head;
#[cfg(feature = "csv")]
pub mod spreadsheet;
mod time;
mod vendor;
pub mod verdict;

pub use anchor::{Anchor, EvidenceExport, verify_export};
pub use antivirus_posture::{AntivirusPosture, Definitions, Product, ProductFact, ProtectionState};
pub use backup_activity::{ActivityKey, BackupActivity, BackupEvent, BackupFact};
pub use chain::{ChainFault, ChainHead, ChainLink, verify_chain};
pub use claim::Claim;
pub use control::{ControlId, UnknownControl};
pub use crosswalk::{Link, Strength};
pub use custom_field::{CustomAnswer, CustomFact};
pub use device::{DeviceClass, DeviceFact, DeviceFamily, DeviceKey};
pub use digest::{DigestKey, DigestKeyError, FactsDigest, KeyId};
pub use disk_encryption::{
    Conversion, DiskEncryption, Encryption, Protection, VolumeFact, VolumeKey, VolumeLabel,
    VolumeType,
};
pub use fleet::{DeviceScope, Fleet, FleetBuilder, OtherFleet};
pub use framework::{Framework, UnknownFramework};
pub use guard::{Guard, GuardError, Leak, LeakKind};
pub use hash::{Hash256, NotAHash};
pub use merkle::{HeadTree, InclusionProof};
pub use patch_sla::{
    AttemptFact, InstallOutcome, KindReports, KindsInUse, PatchKey, PatchKind, PatchSeverity,
    PatchSla, PendingFact,
};
pub use percent::Percent;
pub use posture::{Posture, posture};
pub use public_view::{Coverage, PublicView};
pub use reason::Reason;
pub use record::{EvidenceRecord, RecordError};
pub use report::{ReportState, RowFate};
pub use rules::{FactWindow, RULES_VERSION, Rules, RulesUsed, WeakerRule};
pub use signal::{Metadata, SIGNAL_LIFETIME, Signal, SignalKind, Status, UnknownName};
pub use signature_history::{SignatureHistory, SignaturesSeen};
pub use signed_head::{
    HeadSignature, HeadSigner, PublicKey, SignedLink, TrustedKeys, verify_signatures,
};
pub use time::{FUTURE_TOLERANCE, believable};
pub use vendor::Vendor;
