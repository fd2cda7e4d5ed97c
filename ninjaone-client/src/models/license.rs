//! Software licences.

use serde_json::{Map, Value};

use crate::{GroupId, LicenseId, LocationId, OrganizationId, UserRoleId, open_enum::open_enum};

model! {
    /// A software licence. The list and the request for a single licence send different fields.
    SoftwareLicense {
        /// Its id.
        id: LicenseId,
        /// Name.
        name: String,
        /// Description.
        description: String,
        /// Unit in which it is counted.
        r#type: LicenseType,
        /// Whether it is assigned automatically.
        automated: bool,
        /// The publisher.
        publisher_id: i64,
        /// The vendor.
        vendor_id: i64,
        /// The publisher.
        publisher: LicenseParty,
        /// The vendor.
        vendor: LicenseParty,
        /// The entities it applies to.
        scope: LicenseScope,
        /// Number of licences.
        quantity: i64,
        /// Number of licences in use.
        current_usage: i64,
        /// Term.
        term: LicenseTerm,
        /// Who is notified before it expires.
        notification_channel_info: LicenseNotification,
        /// Settings of the automatic assignment. The name keeps the vendor's spelling.
        assigment_automation_settings: LicenseAutomation,
        /// Settings of the automatic assignment.
        automation: LicenseAutomation,
        /// The devices or users that have it.
        license_assignment_list: Vec<LicenseAssignment>,
        /// Ids of the devices or users that have it.
        assigned_licenses: Vec<i64>,
        /// Ids of the devices or users that no longer have it.
        unassigned_licenses: Vec<i64>,
        /// Whether it has expired.
        expired: bool,
        /// Days until it expires.
        days_to_expire: i64,
        /// Note.
        note: String,
        /// Maximum number of characters of the note.
        character_limit: i64,
    } times {
        /// When it was bought.
        purchase_date,
    }
}

model! {
    /// Publisher or vendor of a licence.
    LicenseParty {
        /// Its id.
        id: i64,
        /// Name.
        name: String,
        /// Description.
        description: String,
    }
}

model! {
    /// The entities that a licence applies to.
    LicenseScope {
        /// All organizations.
        global: bool,
        /// These organizations.
        organization_ids: Vec<OrganizationId>,
        /// These locations.
        location_ids: Vec<LocationId>,
    }
}

model! {
    /// Term of a licence.
    LicenseTerm {
        /// Unit of `value`.
        renewal_unit: RenewalUnit,
        /// Length of the term, in `renewal_unit`.
        value: i64,
        /// Whether it is renewed automatically.
        auto_renewal: bool,
        /// Whether its expiry creates an activity.
        generate_activity_alert: bool,
        /// Days between that activity and the expiry.
        days_before_expiration: i64,
        /// Whether its expiry was announced.
        has_notified_expiration_date: bool,
        /// Whether its renewal was announced.
        has_notified_up_to_renewal: bool,
    } times {
        /// When it expires.
        expiration_date,
    }
}

model! {
    /// Who is notified before a licence expires.
    LicenseNotification {
        /// By e-mail.
        email: String,
        /// By text message.
        sms: String,
        /// By push notification.
        push_notification: String,
    }
}

model! {
    /// Settings of the automatic assignment of a licence.
    LicenseAutomation {
        /// What the assignment depends on.
        assignment_type: LicenseAssignmentType,
        /// Kind of settings.
        r#type: String,
        /// Assigned by software of this name.
        normalized_software_name: String,
        /// Assigned by software that matches.
        inventory: SoftwareCriteria,
        /// Assigned by groups of devices.
        device_search_groups: LicenseGroups,
        /// Assigned by roles of end users.
        end_user_roles: LicenseRoles,
    }
}

model! {
    /// Software that a licence is assigned by.
    SoftwareCriteria {
        /// The criteria.
        criteria_args: Map<String, Value>,
    }
}

model! {
    /// Groups of devices that a licence is assigned by.
    LicenseGroups {
        /// The groups.
        group_ids: Vec<GroupId>,
        /// Whether any or all of them must match.
        operator: AnyOrAll,
    }
}

model! {
    /// Roles of end users that a licence is assigned by.
    LicenseRoles {
        /// The roles.
        role_ids: Vec<UserRoleId>,
        /// Whether any or all of them must match.
        operator: AnyOrAll,
    }
}

model! {
    /// A device or user that has a licence.
    LicenseAssignment {
        /// Id of the device or user.
        licensee_id: i64,
        /// Name of the device or user.
        licensee_name: String,
        /// Organization of the device or user.
        licensee_organization_id: OrganizationId,
        /// Name of that organization.
        licensee_organization_name: String,
        /// E-mail address.
        licensee_email: String,
    }
}

open_enum! {
    /// Unit in which a licence is counted.
    LicenseType {
        PerDevice = "PER_DEVICE",
        PerEndUser = "PER_END_USER",
        Custom = "CUSTOM",
    }
}

open_enum! {
    /// Unit of a licence's term.
    RenewalUnit {
        Month = "MONTH",
        Year = "YEAR",
    }
}

open_enum! {
    /// What the automatic assignment of a licence depends on.
    LicenseAssignmentType {
        NormalizedSoftware = "NORMALIZED_SOFTWARE",
        SoftwareInventory = "SOFTWARE_INVENTORY",
        DeviceSearchGroups = "DEVICE_SEARCH_GROUPS",
        EndUserRoles = "END_USER_ROLES",
    }
}

open_enum! {
    /// Whether any or all of a list must match.
    AnyOrAll {
        Any = "ANY",
        All = "ALL",
    }
}
