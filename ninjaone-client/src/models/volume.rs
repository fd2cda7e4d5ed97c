//! Disk volumes and their encryption.

use crate::{DeviceId, open_enum::open_enum};

model! {
    /// A disk volume.
    ///
    /// NinjaOne sends the encryption only in the volumes report and in the volumes of one device, and only if the request asks for it
    /// (`bitlocker()` on the parameters). For Mac and Linux, the API has no encryption.
    Volume {
        /// Reports only: the device.
        device_id: DeviceId,
        /// Inside a detailed device only: the device.
        node_id: DeviceId,
        /// Name, such as `C:`.
        name: String,
        /// Drive letter; absent inside a detailed device.
        drive_letter: String,
        /// Label, which any user of the device can change.
        label: String,
        /// Type of drive, such as `Local Disk`.
        device_type: VolumeDeviceType,
        /// File system, such as `NTFS`.
        file_system: String,
        /// Whether it is mounted automatically.
        auto_mount: bool,
        /// Whether it is compressed.
        compressed: bool,
        /// Size in bytes.
        capacity: i64,
        /// Free bytes.
        free_space: i64,
        /// Serial number of the volume.
        serial_number: String,
        /// BitLocker, if the request asked for it and the device can report it.
        bit_locker_status: BitLockerStatus,
    } times {
        /// Reports only: when the row was collected.
        timestamp,
    }
}

model! {
    /// The state of BitLocker on one volume, as reported by Windows.
    ///
    /// `FULLY_ENCRYPTED` with `UNPROTECTED` is a suspended volume: its key is stored on the disk without protection.
    BitLockerStatus {
        /// How far the content is encrypted.
        conversion_status: ConversionStatus,
        /// Algorithm and key size.
        encryption_method: EncryptionMethod,
        /// Whether volume and key are secured.
        protection_status: ProtectionStatus,
        /// Whether Windows can read it at this moment.
        lock_status: LockStatus,
        /// Whether it is prepared for protection.
        initialized_for_protection: bool,
    }
}

open_enum! {
    /// How far the content of a volume is encrypted.
    ConversionStatus {
        FullyDecrypted = "FULLY_DECRYPTED",
        FullyEncrypted = "FULLY_ENCRYPTED",
        EncryptionInProgress = "ENCRYPTION_IN_PROGRESS",
        DecryptionInProgress = "DECRYPTION_IN_PROGRESS",
        EncryptionPaused = "ENCRYPTION_PAUSED",
        DecryptionPaused = "DECRYPTION_PAUSED",
        /// The device could not determine it.
        NotKnown = "UNKNOWN",
    }
}

open_enum! {
    /// Algorithm and key size of an encrypted volume.
    EncryptionMethod {
        None = "NONE",
        Aes128WithDiffuser = "AES_128_WITH_DIFFUSER",
        Aes256WithDiffuser = "AES_256_WITH_DIFFUSER",
        Aes128 = "AES_128",
        Aes256 = "AES_256",
        HardwareEncryption = "HARDWARE_ENCRYPTION",
        XtsAes128 = "XTS_AES_128",
        XtsAes256 = "XTS_AES_256",
        /// The device could not determine it.
        NotKnown = "UNKNOWN",
    }
}

open_enum! {
    /// Whether a volume and its key are secured.
    ProtectionStatus {
        Unprotected = "UNPROTECTED",
        Protected = "PROTECTED",
        /// The device could not determine it.
        NotKnown = "UNKNOWN",
        Pending = "PENDING",
    }
}

open_enum! {
    /// Whether Windows can read a volume.
    LockStatus {
        /// The device could not determine it.
        NotKnown = "UNKNOWN",
        Unlocked = "UNLOCKED",
        Locked = "LOCKED",
    }
}

open_enum! {
    /// Type of drive that holds a volume, as Windows names it. The vendor's document lists no values.
    VolumeDeviceType {
        LocalDisk = "Local Disk",
        RemovableDisk = "Removable Disk",
        NetworkDrive = "Network Drive",
        CompactDisc = "Compact Disc",
        CdRomDisc = "CD-ROM Disc",
        RamDisk = "RAM Disk",
    }
}
