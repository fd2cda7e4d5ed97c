//! Network interfaces.

use crate::DeviceId;

model! {
    /// A network interface.
    NetworkInterface {
        /// Reports only: the device.
        device_id: DeviceId,
        /// Name of the adapter.
        adapter_name: String,
        /// Default gateway.
        default_gateway: String,
        /// Type.
        interface_type: String,
        /// DNS name of the host.
        dns_host_name: String,
        /// DNS servers.
        dns_servers: String,
        /// Index of the interface.
        interface_index: String,
        /// Name.
        interface_name: String,
        /// IP addresses.
        ip_address: Vec<String>,
        /// Speed.
        link_speed: String,
        /// MAC addresses.
        mac_address: Vec<String>,
        /// Maximum transmission unit.
        mtu: String,
        /// State.
        status: String,
        /// Subnet mask.
        subnet_mask: String,
    }
}
