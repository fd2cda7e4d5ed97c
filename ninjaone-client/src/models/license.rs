//! Software licences.

use serde_json::{Map, Value};

use crate::{GroupId, LicenseId, LocationId, OrganizationId, UserRoleId, open_enum::open_enum};

model! {
    /// A software licence. The list and the single licence send different parts of it.
    SoftwareLicense {
        /// Its id.
        id: LicenseId,
        /// Name.
        name: String,
        /// Description.
        description: String,
        /// What it is counted by.
        r#type: LicenseType,
        /// Whether it is assigned by itself.
        automated: bool,
        /// The publisher.
        publisher_id: i64,
        /// The vendor.
        vendor_id: i64,
        /// The publisher.
        publisher: LicenseParty,
        /// The vendor.
        vendor: LicenseParty,
        /// For whom it is.
        scope: LicenseScope,
        /// How many there are.
        quantity: i64,
        /// How many are used.
        current_usage: i64,
        /// How long it runs.
        term: LicenseTerm,
        /// Who is notified before it expires.
        notification_channel_info: LicenseNotification,
        /// How it is assigned by itself (spelt as the vendor does).
        assigment_automation_settings: LicenseAutomation,
        /// How it is assigned by itself.
        automation: LicenseAutomation,
        /// Who has it.
        license_assignment_list: Vec<LicenseAssignment>,
        /// Ids of who has it.
        assigned_licenses: Vec<i64>,
        /// Ids of who no longer has it.
        unassigned_licenses: Vec<i64>,
        /// Whether it has ended.
        expired: bool,
        /// Days until it ends.
        days_to_expire: i64,
        /// Note.
        note: String,
        /// Most characters of a note.
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
    /// For whom a licence is.
    LicenseScope {
        /// For everybody.
        global: bool,
        /// For these organizations.
        organization_ids: Vec<OrganizationId>,
        /// For these locations.
        location_ids: Vec<LocationId>,
    }
}

model! {
    /// How long a licence runs.
    LicenseTerm {
        /// Unit of `value`.
        renewal_unit: RenewalUnit,
        /// How long.
        value: i64,
        /// Whether it goes on by itself.
        auto_renewal: bool,
        /// Whether its end makes an activity.
        generate_activity_alert: bool,
        /// How many days before.
        days_before_expiration: i64,
        /// Whether its end was announced.
        has_notified_expiration_date: bool,
        /// Whether its renewal was announced.
        has_notified_up_to_renewal: bool,
    } times {
        /// When it ends.
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
    /// How a licence is assigned by itself.
    LicenseAutomation {
        /// By what.
        assignment_type: LicenseAssignmentType,
        /// Kind of settings.
        r#type: String,
        /// By software of this name.
        normalized_software_name: String,
        /// By software that matches.
        inventory: SoftwareCriteria,
        /// By groups of devices.
        device_search_groups: LicenseGroups,
        /// By roles of end users.
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
        /// Whether any or all of them.
        operator: AnyOrAll,
    }
}

model! {
    /// Roles of end users that a licence is assigned by.
    LicenseRoles {
        /// The roles.
        role_ids: Vec<UserRoleId>,
        /// Whether any or all of them.
        operator: AnyOrAll,
    }
}

model! {
    /// Who has a licence: a device or a user.
    LicenseAssignment {
        /// Id of the device or user.
        licensee_id: i64,
        /// Its name.
        licensee_name: String,
        /// Its organization.
        licensee_organization_id: OrganizationId,
        /// Name of that organization.
        licensee_organization_name: String,
        /// E-mail address.
        licensee_email: String,
    }
}

open_enum! {
    /// What a licence is counted by.
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
    /// By what a licence is assigned.
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
