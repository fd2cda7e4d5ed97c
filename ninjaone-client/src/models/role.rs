//! Device roles.

use super::{ChassisType, NodeClass};
use crate::{PolicyId, RoleId, open_enum::open_enum};

model! {
    /// A device role.
    Role {
        /// Its id.
        id: RoleId,
        /// Its name.
        name: String,
        /// Description.
        description: String,
        /// The class of devices it applies to.
        node_class: NodeClass,
        /// Whether the MSP created it.
        custom: bool,
        /// Form of the chassis.
        chassis_type: ChassisType,
        /// The role it is derived from.
        node_role_parent_id: RoleId,
        /// Its icon.
        icon: String,
    } times {
        /// When it was created.
        created,
    }
}

model! {
    /// A device role with the policy that is assigned to it.
    NodeRole {
        /// Its id.
        id: RoleId,
        /// Its name.
        name: String,
        /// Description.
        description: String,
        /// The class of devices it applies to.
        node_class: NodeClass,
        /// The family of device classes it applies to.
        node_class_group: NodeClassGroup,
        /// The policy assigned to it.
        policy_id: PolicyId,
        /// Name of that policy.
        policy_name: String,
        /// The role it is derived from.
        node_role_parent_id: RoleId,
        /// Whether the MSP created it.
        custom: bool,
        /// Form of the chassis.
        chassis_type: ChassisType,
        /// Icon of a role for unmanaged devices.
        entity_type: String,
    } times {
        /// When it was created.
        created,
    }
}

open_enum! {
    /// A family of device classes.
    NodeClassGroup {
        Rmm = "RMM",
        RmmIntegration = "RMM_INTEGRATION",
        Mdm = "MDM",
        Vmm = "VMM",
        Nms = "NMS",
        CloudMonitoring = "CLOUD_MONITORING",
        UnmanagedDevice = "UNMANAGED_DEVICE",
        ManagedDevice = "MANAGED_DEVICE",
    }
}
