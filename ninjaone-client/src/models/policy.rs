//! Policies.

use super::NodeClass;
use crate::{DeviceId, PolicyId};

model! {
    /// A policy.
    Policy {
        /// Its id.
        id: PolicyId,
        /// The policy it inherits from.
        parent_policy_id: PolicyId,
        /// Its name.
        name: String,
        /// The MSP's description of it.
        description: String,
        /// The class of devices it is for.
        node_class: NodeClass,
        /// Whether it is the default of that class.
        node_class_default: bool,
    } times {
        /// When it was last changed.
        updated,
    }
}

model! {
    /// Which sections of its policy a device overrides.
    PolicyOverrides {
        /// Reports only: the device.
        device_id: DeviceId,
        /// Names of the sections.
        overrides: Vec<String>,
    }
}
