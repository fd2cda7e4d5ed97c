//! Devices, as sent by `/v2/devices`, `/v2/devices-detailed` and `/v2/device/{id}`.

use serde_json::{Map, Value};

use super::{
    BackupBandwidthThrottle, BackupUsage, ComputerSystem, Location, Memory, MobileNetwork,
    OperatingSystem, Organization, Policy, Processor, Role, User, Volume,
};
use crate::{DeviceId, LocationId, OrganizationId, PolicyId, RoleId, open_enum::open_enum};

model! {
    /// A device.
    ///
    /// The API has a dozen kinds of device ([`DeviceType`]): agents, mobile devices, virtual machines and hosts, network devices, cloud
    /// monitors. All of them decode to this type. Fields that a kind does not have are empty. `/v2/devices` sends only the fields up to
    /// `references`.
    Device {
        /// Its id.
        id: DeviceId,
        /// NinjaOne's own UUID of the device. It is not an id of a directory or an MDM.
        uid: String,
        /// UUID of the user it is assigned to.
        assigned_owner_uid: String,
        /// The device it belongs to, such as the host of a virtual machine.
        parent_device_id: DeviceId,
        /// The organization it belongs to.
        organization_id: OrganizationId,
        /// The location it belongs to.
        location_id: LocationId,
        /// Class of the device.
        node_class: NodeClass,
        /// Its role.
        node_role_id: RoleId,
        /// The policy determined by role, organization and location.
        role_policy_id: PolicyId,
        /// The policy assigned to the device itself, which overrides `role_policy_id`.
        policy_id: PolicyId,
        /// Whether the MSP accepted the device.
        approval_status: ApprovalStatus,
        /// Whether it is offline at this moment.
        offline: bool,
        /// The name that the MSP gave it; usually absent. See [`Device::best_name`].
        display_name: String,
        /// The name the device itself reports.
        system_name: String,
        /// Its DNS name.
        dns_name: String,
        /// Its `NetBIOS` name.
        netbios_name: String,
        /// Custom attributes.
        user_data: Map<String, Value>,
        /// Tags.
        tags: Vec<String>,
        /// Maintenance mode.
        maintenance: Maintenance,
        /// The entities that the request asked to include.
        references: Box<DeviceReferences>,
        /// IP addresses.
        ip_addresses: Vec<String>,
        /// MAC addresses, in either case and possibly repeated.
        mac_addresses: Vec<String>,
        /// The public IP address of the device.
        #[serde(rename = "publicIP")]
        public_ip: String,
        /// Notes of technicians.
        notes: Vec<Note>,
        /// Kind of device, which decides which of the following fields are sent.
        device_type: DeviceType,
        /// Agents: operating system.
        os: OperatingSystem,
        /// Agents and mobile devices: hardware and domain.
        system: ComputerSystem,
        /// Agents and mobile devices: memory.
        memory: Memory,
        /// Agents: processors.
        processors: Vec<Processor>,
        /// Agents and mobile devices: volumes, without their encryption. The volumes report has the encryption.
        volumes: Vec<Volume>,
        /// Agents: who logged in last.
        last_logged_in_user: String,
        /// Mobile devices: cellular identity.
        network: Vec<MobileNetwork>,
        /// Hosts: clock frequency in MHz.
        cpu_mhz: i64,
        /// Hosts: processor model.
        cpu_model: String,
        /// Hosts: whether hyper-threading is in use.
        ht_active: bool,
        /// Hosts: whether hyper-threading is possible.
        ht_available: bool,
        /// Hosts and virtual machines: memory in bytes.
        memory_size: i64,
        /// Hosts: model.
        model: String,
        /// Hosts: name.
        name: String,
        /// Hosts and virtual machines: processor cores.
        cpu_cores: i64,
        /// Hosts: processors.
        cpu_packages: i64,
        /// Hosts: logical processor cores.
        cpu_threads: i64,
        /// Hosts: service tag.
        service_tag: String,
        /// Hosts: manufacturer.
        vendor: String,
        /// Hosts: name of the hypervisor's release.
        release_name: String,
        /// Hosts: version of the hypervisor.
        version: String,
        /// Hosts: build of the hypervisor.
        build_number: String,
        /// Virtual machines: files.
        files: String,
        /// Virtual machines: full name.
        full_name: String,
        /// Virtual machines: cores of one socket.
        cores_per_socket: i64,
        /// Virtual machines: power state.
        power_state: String,
        /// Virtual machines: how the guest tools were installed.
        tools_install_type: String,
        /// Virtual machines: state of the guest tools.
        tool_status: String,
        /// Virtual machines: version of the guest tools.
        tools_version: String,
        /// Virtual machines: whether that version is current.
        tools_version_status: String,
        /// Virtual machines: full name of the guest's operating system.
        #[serde(rename = "guestOSFullName")]
        guest_os_full_name: String,
        /// Virtual machines: family of the guest's operating system.
        #[serde(rename = "guestOSFamily")]
        guest_os_family: String,
        /// Virtual machines: identifier of the guest's operating system.
        #[serde(rename = "guestOSId")]
        guest_os_id: String,
        /// Virtual machines: number of snapshots.
        snapshot_count: i64,
        /// Virtual machines: size of all snapshots in bytes.
        snapshot_total_size: i64,
        /// Cloud monitors: whether the check runs.
        enabled: bool,
        /// Cloud monitors: seconds between two checks.
        interval: i64,
        /// Cloud monitors: seconds until a check gives up.
        timeout: i64,
        /// Cloud monitors: what is checked.
        target: String,
        /// Mail monitors: SMTP port.
        smtp_port: i64,
        /// Mail monitors: sender.
        sender_email: String,
        /// Mail monitors: recipient.
        recipient_email: String,
    } times {
        /// When it was first seen.
        created,
        /// When it last contacted NinjaOne.
        last_contact,
        /// When it last sent data.
        last_update,
        /// Hosts and virtual machines: when it was last started.
        last_boot_time,
    }
}

impl Device {
    /// The name to show: the first that is present of `display_name` (usually absent), `system_name` and `dns_name`.
    #[must_use]
    pub fn best_name(&self) -> Option<&str> {
        [&self.display_name, &self.system_name, &self.dns_name]
            .into_iter()
            .flatten()
            .map(|name| name.trim())
            .find(|name| !name.is_empty())
    }
}

model! {
    /// Maintenance mode of a device.
    Maintenance {
        /// Its state.
        status: MaintenanceStatus,
        /// The technician's reason.
        reason_message: String,
    } times {
        /// When it begins.
        start,
        /// When it ends.
        end,
    }
}

model! {
    /// The entities that a request asked to include with a device.
    DeviceReferences {
        /// The organization.
        organization: Organization,
        /// The location.
        location: Location,
        /// The policy determined by role, organization and location.
        role_policy: Policy,
        /// The policy assigned to the device itself.
        policy: Policy,
        /// The role.
        role: Role,
        /// Sizes of its backups; all zero for a device without backup.
        backup_usage: BackupUsage,
        /// Warranty.
        warranty: Warranty,
        /// The user it is assigned to.
        assigned_owner: User,
        /// Bandwidth limits of its backups.
        backup_bandwidth_throttle: BackupBandwidthThrottle,
    }
}

model! {
    /// Warranty of a device.
    Warranty {} times {
        /// When it begins.
        start_date,
        /// When it ends.
        end_date,
        /// When the manufacturer fulfilled the order.
        manufacturer_fulfillment_date,
    }
}

model! {
    /// A note of a technician on a device.
    Note {
        /// Its text.
        text: String,
    }
}

model! {
    /// Result of a search for devices.
    DeviceSearchResults {
        /// The search text.
        query: String,
        /// The devices found.
        devices: Vec<DeviceSearchMatch>,
    }
}

model! {
    /// A device that a search found.
    DeviceSearchMatch {
        /// Its id.
        id: DeviceId,
        /// NinjaOne's own UUID of the device.
        uid: String,
        /// UUID of the user it is assigned to.
        assigned_owner_uid: String,
        /// The device it belongs to.
        parent_device_id: DeviceId,
        /// The organization it belongs to.
        organization_id: OrganizationId,
        /// The location it belongs to.
        location_id: LocationId,
        /// Class of the device.
        node_class: NodeClass,
        /// Its role.
        node_role_id: RoleId,
        /// The policy determined by role, organization and location.
        role_policy_id: PolicyId,
        /// The policy assigned to the device itself.
        policy_id: PolicyId,
        /// Whether the MSP accepted the device.
        approval_status: ApprovalStatus,
        /// Whether it is offline at this moment.
        offline: bool,
        /// The name the MSP gave it.
        display_name: String,
        /// The name the device itself reports.
        system_name: String,
        /// Its DNS name.
        dns_name: String,
        /// Its `NetBIOS` name.
        netbios_name: String,
        /// Custom attributes.
        user_data: Map<String, Value>,
        /// Tags.
        tags: Vec<String>,
        /// Maintenance mode.
        maintenance: Maintenance,
        /// The entities that the request asked to include.
        references: Box<DeviceReferences>,
        /// How well it matches; a higher score is better.
        score: i64,
        /// Name of the attribute that matched.
        match_attr: String,
        /// Value of the attribute that matched.
        match_attr_value: String,
    } times {
        /// When it was first seen.
        created,
        /// When it last contacted NinjaOne.
        last_contact,
        /// When it last sent data.
        last_update,
    }
}

model! {
    /// A link to a device in the NinjaOne console.
    DeviceLink {
        /// The link.
        url: String,
    } times {
        /// When it stops working.
        expires,
    }
}

open_enum! {
    /// Class of the device.
    NodeClass {
        WindowsServer = "WINDOWS_SERVER",
        WindowsWorkstation = "WINDOWS_WORKSTATION",
        LinuxWorkstation = "LINUX_WORKSTATION",
        LinuxServer = "LINUX_SERVER",
        Mac = "MAC",
        MacServer = "MAC_SERVER",
        Android = "ANDROID",
        AppleIos = "APPLE_IOS",
        AppleIpados = "APPLE_IPADOS",
        VmwareVmHost = "VMWARE_VM_HOST",
        VmwareVmGuest = "VMWARE_VM_GUEST",
        HypervVmmHost = "HYPERV_VMM_HOST",
        HypervVmmGuest = "HYPERV_VMM_GUEST",
        CloudMonitorTarget = "CLOUD_MONITOR_TARGET",
        NmsSwitch = "NMS_SWITCH",
        NmsRouter = "NMS_ROUTER",
        NmsFirewall = "NMS_FIREWALL",
        NmsPrivateNetworkGateway = "NMS_PRIVATE_NETWORK_GATEWAY",
        NmsPrinter = "NMS_PRINTER",
        NmsScanner = "NMS_SCANNER",
        NmsDialManager = "NMS_DIAL_MANAGER",
        NmsWap = "NMS_WAP",
        NmsIpsla = "NMS_IPSLA",
        NmsComputer = "NMS_COMPUTER",
        NmsVmHost = "NMS_VM_HOST",
        NmsAppliance = "NMS_APPLIANCE",
        NmsOther = "NMS_OTHER",
        NmsServer = "NMS_SERVER",
        NmsPhone = "NMS_PHONE",
        NmsVirtualMachine = "NMS_VIRTUAL_MACHINE",
        NmsNetworkManagementAgent = "NMS_NETWORK_MANAGEMENT_AGENT",
        UnmanagedDevice = "UNMANAGED_DEVICE",
        ManagedDevice = "MANAGED_DEVICE",
    }
}

open_enum! {
    /// Whether the MSP accepted a device.
    ApprovalStatus {
        Pending = "PENDING",
        Staged = "STAGED",
        Approved = "APPROVED",
        Decommissioned = "DECOMMISSIONED",
    }
}

open_enum! {
    /// State of maintenance mode.
    MaintenanceStatus {
        Pending = "PENDING",
        InMaintenance = "IN_MAINTENANCE",
        Failed = "FAILED",
    }
}

open_enum! {
    /// Kind of device that a detailed response describes: the discriminator of the vendor's schema.
    DeviceType {
        /// A machine with NinjaOne's agent.
        AgentDevice = "AgentDevice",
        CloudMonitorDns = "CloudMonitorDNS",
        CloudMonitorEmailServer = "CloudMonitorEmailServer",
        CloudMonitorHttp = "CloudMonitorHTTP",
        CloudMonitorPing = "CloudMonitorPing",
        CloudMonitorPortScan = "CloudMonitorPortScan",
        /// A phone or tablet under management.
        MdmDevice = "MdmDevice",
        NmsServer = "NMSServer",
        NmsTarget = "NMSTarget",
        UnmanagedDevice = "UnmanagedDevice",
        VmGuest = "VMGuest",
        VmHost = "VMHost",
    }
}
