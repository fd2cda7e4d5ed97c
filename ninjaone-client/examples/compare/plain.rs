//! The fields of this crate's devices and volumes as anybody would write them down: text, numbers, and nothing else.

#![expect(
    dead_code,
    clippy::struct_field_names,
    reason = "decoded, and not looked at; the vendor's names"
)]

use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Maintenance {
    status: Option<String>,
    reason_message: Option<String>,
    start: Option<f64>,
    end: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Organization {
    id: Option<i64>,
    name: Option<String>,
    description: Option<String>,
    user_data: Option<Map<String, Value>>,
    node_approval_mode: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Location {
    id: Option<i64>,
    organization_id: Option<i64>,
    name: Option<String>,
    address: Option<String>,
    description: Option<String>,
    user_data: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Policy {
    id: Option<i64>,
    parent_policy_id: Option<i64>,
    name: Option<String>,
    description: Option<String>,
    node_class: Option<String>,
    node_class_default: Option<bool>,
    updated: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Role {
    id: Option<i64>,
    name: Option<String>,
    description: Option<String>,
    node_class: Option<String>,
    custom: Option<bool>,
    chassis_type: Option<String>,
    node_role_parent_id: Option<i64>,
    icon: Option<String>,
    created: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupUsage {
    revisions_current_size: Option<i64>,
    revisions_previous_size: Option<i64>,
    revisions_deleted_size: Option<i64>,
    revisions_total_size: Option<i64>,
    local_file_folder_size: Option<i64>,
    local_image_size: Option<i64>,
    local_image_v2_size: Option<i64>,
    local_total_size: Option<i64>,
    cloud_file_folder_size: Option<i64>,
    cloud_image_size: Option<i64>,
    cloud_image_v2_size: Option<i64>,
    cloud_network_share_size: Option<i64>,
    cloud_total_size: Option<i64>,
    last_successful_backup_job: Option<f64>,
    last_failed_backup_job: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Warranty {}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    id: Option<i64>,
    uid: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    enabled: Option<bool>,
    administrator: Option<bool>,
    permit_all_clients: Option<bool>,
    notify_all_clients: Option<bool>,
    must_change_pw: Option<bool>,
    mfa_configured: Option<bool>,
    user_type: Option<String>,
    invitation_status: Option<String>,
    organization_id: Option<i64>,
    device_ids: Option<Vec<i64>>,
    assigned_device_ids: Option<Vec<i64>>,
    roles: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupWorkSchedule {
    start_hour: Option<i64>,
    start_minute: Option<i64>,
    end_hour: Option<i64>,
    end_minute: Option<i64>,
    week_days: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupBandwidthThrottle {
    enabled: Option<bool>,
    work_hours_kbps: Option<i64>,
    non_work_hours_kbps: Option<i64>,
    work_hours_user_unit: Option<String>,
    non_work_hours_user_unit: Option<String>,
    work_schedule: Option<BackupWorkSchedule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeviceReferences {
    organization: Option<Organization>,
    location: Option<Location>,
    role_policy: Option<Policy>,
    policy: Option<Policy>,
    role: Option<Role>,
    backup_usage: Option<BackupUsage>,
    warranty: Option<Warranty>,
    assigned_owner: Option<User>,
    backup_bandwidth_throttle: Option<BackupBandwidthThrottle>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Note {
    text: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OperatingSystem {
    device_id: Option<i64>,
    manufacturer: Option<String>,
    name: Option<String>,
    architecture: Option<String>,
    build_number: Option<String>,
    release_id: Option<String>,
    service_pack_major_version: Option<i64>,
    service_pack_minor_version: Option<i64>,
    locale: Option<String>,
    language: Option<String>,
    needs_reboot: Option<bool>,
    last_boot_time: Option<f64>,
    timestamp: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ComputerSystem {
    device_id: Option<i64>,
    name: Option<String>,
    manufacturer: Option<String>,
    model: Option<String>,
    bios_serial_number: Option<String>,
    serial_number: Option<String>,
    asset_serial_number: Option<String>,
    domain: Option<String>,
    domain_role: Option<String>,
    number_of_processors: Option<i64>,
    total_physical_memory: Option<i64>,
    virtual_machine: Option<bool>,
    chassis_type: Option<String>,
    display_name: Option<String>,
    build: Option<String>,
    timestamp: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Memory {
    capacity: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Processor {
    device_id: Option<i64>,
    architecture: Option<String>,
    max_clock_speed: Option<i64>,
    clock_speed: Option<i64>,
    name: Option<String>,
    num_cores: Option<i64>,
    num_logical_cores: Option<i64>,
    timestamp: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BitLockerStatus {
    conversion_status: Option<String>,
    encryption_method: Option<String>,
    protection_status: Option<String>,
    lock_status: Option<String>,
    initialized_for_protection: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Volume {
    pub(crate) device_id: Option<i64>,
    node_id: Option<i64>,
    name: Option<String>,
    drive_letter: Option<String>,
    label: Option<String>,
    device_type: Option<String>,
    file_system: Option<String>,
    auto_mount: Option<bool>,
    compressed: Option<bool>,
    capacity: Option<i64>,
    free_space: Option<i64>,
    serial_number: Option<String>,
    bit_locker_status: Option<BitLockerStatus>,
    timestamp: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MobileNetwork {
    imei: Option<String>,
    eid: Option<String>,
    meid: Option<String>,
    phone_number: Option<String>,
    carrier: Option<String>,
    icc_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Device {
    pub(crate) id: Option<i64>,
    uid: Option<String>,
    assigned_owner_uid: Option<String>,
    parent_device_id: Option<i64>,
    organization_id: Option<i64>,
    location_id: Option<i64>,
    node_class: Option<String>,
    node_role_id: Option<i64>,
    role_policy_id: Option<i64>,
    policy_id: Option<i64>,
    approval_status: Option<String>,
    offline: Option<bool>,
    display_name: Option<String>,
    system_name: Option<String>,
    dns_name: Option<String>,
    netbios_name: Option<String>,
    user_data: Option<Map<String, Value>>,
    tags: Option<Vec<String>>,
    maintenance: Option<Maintenance>,
    references: Option<Box<DeviceReferences>>,
    ip_addresses: Option<Vec<String>>,
    mac_addresses: Option<Vec<String>>,
    #[serde(rename = "publicIP")]
    public_ip: Option<String>,
    notes: Option<Vec<Note>>,
    device_type: Option<String>,
    os: Option<OperatingSystem>,
    system: Option<ComputerSystem>,
    memory: Option<Memory>,
    processors: Option<Vec<Processor>>,
    volumes: Option<Vec<Volume>>,
    last_logged_in_user: Option<String>,
    network: Option<Vec<MobileNetwork>>,
    cpu_mhz: Option<i64>,
    cpu_model: Option<String>,
    ht_active: Option<bool>,
    ht_available: Option<bool>,
    memory_size: Option<i64>,
    model: Option<String>,
    name: Option<String>,
    cpu_cores: Option<i64>,
    cpu_packages: Option<i64>,
    cpu_threads: Option<i64>,
    service_tag: Option<String>,
    vendor: Option<String>,
    release_name: Option<String>,
    version: Option<String>,
    build_number: Option<String>,
    files: Option<String>,
    full_name: Option<String>,
    cores_per_socket: Option<i64>,
    power_state: Option<String>,
    tools_install_type: Option<String>,
    tool_status: Option<String>,
    tools_version: Option<String>,
    tools_version_status: Option<String>,
    #[serde(rename = "guestOSFullName")]
    guest_os_full_name: Option<String>,
    #[serde(rename = "guestOSFamily")]
    guest_os_family: Option<String>,
    #[serde(rename = "guestOSId")]
    guest_os_id: Option<String>,
    snapshot_count: Option<i64>,
    snapshot_total_size: Option<i64>,
    enabled: Option<bool>,
    interval: Option<i64>,
    timeout: Option<i64>,
    target: Option<String>,
    smtp_port: Option<i64>,
    sender_email: Option<String>,
    recipient_email: Option<String>,
    created: Option<f64>,
    last_contact: Option<f64>,
    last_update: Option<f64>,
    last_boot_time: Option<f64>,
}
