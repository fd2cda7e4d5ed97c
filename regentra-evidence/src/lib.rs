#![doc = include_str!("../README.md")]

pub mod antivirus_posture;
pub mod backup_activity;
mod control;
mod device;
pub mod device_inventory;
pub mod disk_encryption;
pub mod fleet;
pub mod patch_sla;
mod percent;
mod reason;
mod report;
mod rules;
mod signal;
mod time;
mod vendor;
mod verdict;

pub use antivirus_posture::{
    AntivirusPosture, Definitions, Product, ProductFact, ProtectionState, SignatureHistory,
};
pub use backup_activity::{ActivityKey, BackupActivity, BackupEvent, BackupFact};
pub use control::ControlId;
pub use device::{DeviceClass, DeviceFact, DeviceFamily, DeviceKey};
pub use disk_encryption::{
    Conversion, DiskEncryption, Encryption, Protection, VolumeFact, VolumeKey, VolumeLabel,
    VolumeType,
};
pub use fleet::{Fleet, FleetBuilder, Scope};
pub use patch_sla::{
    AttemptFact, InstallOutcome, PatchKey, PatchKind, PatchSeverity, PatchSla, PendingFact,
};
pub use percent::Percent;
pub use reason::Reason;
pub use report::{ReportState, RowFate};
pub use rules::{RULES_VERSION, Rules};
pub use signal::{Metadata, SIGNAL_LIFETIME, Signal, SignalKind, Status};
pub use time::{FUTURE_TOLERANCE, believable};
pub use vendor::Vendor;
