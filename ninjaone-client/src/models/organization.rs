//! Organizations and their locations.

use serde_json::{Map, Value};

use crate::{LocationId, OrganizationId, PolicyId, RoleId, open_enum::open_enum};

model! {
    /// An organization: one customer of the MSP.
    Organization {
        /// Its id.
        id: OrganizationId,
        /// Its name.
        name: String,
        /// The MSP's description of it.
        description: String,
        /// Custom attributes.
        user_data: Map<String, Value>,
        /// How devices that report for the first time are approved.
        node_approval_mode: NodeApprovalMode,
    }
}

model! {
    /// An organization with its locations, policy assignments and settings.
    OrganizationDetailed {
        /// Its id.
        id: OrganizationId,
        /// Its name.
        name: String,
        /// The MSP's description of it.
        description: String,
        /// Custom attributes.
        user_data: Map<String, Value>,
        /// How devices that report for the first time are approved.
        node_approval_mode: NodeApprovalMode,
        /// Its locations.
        locations: Vec<Location>,
        /// Which policy each device role gets.
        policies: Vec<RolePolicyAssignment>,
        /// Which products are switched on for it.
        settings: OrganizationSettings,
    }
}

model! {
    /// A location: a site of an organization.
    Location {
        /// Its id.
        id: LocationId,
        /// The organization it belongs to. Only the list of the locations of all organizations sends it.
        organization_id: OrganizationId,
        /// Its name.
        name: String,
        /// Its postal address.
        address: String,
        /// The MSP's description of it.
        description: String,
        /// Custom attributes.
        user_data: Map<String, Value>,
    }
}

model! {
    /// The policy that devices of one role get in an organization.
    RolePolicyAssignment {
        /// The device role.
        node_role_id: RoleId,
        /// The policy.
        policy_id: PolicyId,
    }
}

model! {
    /// Products that are switched on for an organization.
    OrganizationSettings {
        /// The tray icon of the agent.
        trayicon: FeatureSettings,
        /// Splashtop remote access.
        splashtop: FeatureSettings,
        /// `TeamViewer` remote access.
        teamviewer: FeatureSettings,
        /// Backup.
        backup: FeatureSettings,
        /// The ticket system.
        psa: FeatureSettings,
    }
}

model! {
    /// The settings of one product.
    FeatureSettings {
        /// Code of the configured product.
        product: String,
        /// Whether it is on.
        enabled: bool,
        /// The targets it is deployed to.
        targets: Vec<String>,
        /// Its options.
        options: Map<String, Value>,
    }
}

open_enum! {
    /// How devices that report for the first time are approved.
    NodeApprovalMode {
        Automatic = "AUTOMATIC",
        Manual = "MANUAL",
        Reject = "REJECT",
    }
}
