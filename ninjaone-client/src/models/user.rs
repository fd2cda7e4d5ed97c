//! Users: technicians of the MSP and end users of its customers.

use crate::{DeviceId, OrganizationId, UserId, UserRoleId, open_enum::open_enum};

model! {
    /// A user of either kind.
    User {
        /// Its id.
        id: UserId,
        /// NinjaOne's UUID of the user.
        uid: String,
        /// First name.
        first_name: String,
        /// Last name.
        last_name: String,
        /// E-mail address.
        email: String,
        /// Telephone number.
        phone: String,
        /// Whether the user may log in.
        enabled: bool,
        /// Whether the user is a system administrator.
        administrator: bool,
        /// Whether the user sees every organization.
        permit_all_clients: bool,
        /// Whether the user is notified about every organization.
        notify_all_clients: bool,
        /// Whether the password must be changed at the next login.
        must_change_pw: bool,
        /// Whether a second factor is set up.
        mfa_configured: bool,
        /// Technician or end user.
        user_type: UserType,
        /// State of the invitation.
        invitation_status: InvitationStatus,
        /// End users: their organization.
        organization_id: OrganizationId,
        /// End users: the devices they may access.
        device_ids: Vec<DeviceId>,
        /// Devices assigned to the user.
        assigned_device_ids: Vec<DeviceId>,
        /// Names of the user's roles, when the request asked for them.
        roles: Vec<String>,
    }
}

model! {
    /// An end user of a customer.
    EndUser {
        /// Its id.
        id: UserId,
        /// NinjaOne's UUID of the user.
        uid: String,
        /// Whether the user may log in.
        enabled: bool,
        /// First name.
        first_name: String,
        /// Last name.
        last_name: String,
        /// E-mail address.
        email: String,
        /// Telephone number.
        phone: String,
        /// The user's organization.
        organization_id: OrganizationId,
        /// Whether the user sees the whole portal.
        full_portal_access: bool,
        /// Whether the password must be changed at the next login.
        must_change_pw: bool,
        /// Whether a second factor is set up.
        mfa_configured: bool,
        /// Whether SCIM created the user.
        scim_user: bool,
        /// `NATIVE` or `SSO`.
        auth_type: String,
        /// State of the invitation.
        invitation_status: InvitationStatus,
        /// Devices assigned to the user.
        assigned_device_ids: Vec<DeviceId>,
        /// The devices the user may access.
        accessible_device_ids: Vec<DeviceId>,
        /// Names of the user's roles, when the request asked for them.
        roles: Vec<String>,
    }
}

model! {
    /// A technician of the MSP.
    Technician {
        /// Its id.
        id: UserId,
        /// NinjaOne's UUID of the user.
        uid: String,
        /// Whether the user may log in.
        enabled: bool,
        /// First name.
        first_name: String,
        /// Last name.
        last_name: String,
        /// E-mail address.
        email: String,
        /// Telephone number.
        phone: String,
        /// Whether the password must be changed at the next login.
        must_change_pw: bool,
        /// Whether a second factor is set up.
        mfa_configured: bool,
        /// Whether SCIM created the user.
        scim_user: bool,
        /// `NATIVE` or `SSO`.
        auth_type: String,
        /// Technician or end user.
        user_type: UserType,
        /// State of the invitation.
        invitation_status: InvitationStatus,
        /// Whether the user is notified about every organization.
        notify_all_clients: bool,
        /// Whether the user is a system administrator.
        administrator: bool,
        /// Devices assigned to the user.
        assigned_device_ids: Vec<DeviceId>,
        /// Names of the user's roles, when the request asked for them.
        roles: Vec<String>,
    }
}

model! {
    /// A role of users.
    UserRole {
        /// Its id.
        id: UserRoleId,
        /// Its name.
        name: String,
        /// Kind of user that it applies to.
        r#type: String,
        /// Description.
        description: String,
        /// The users who have it.
        members: Vec<UserRoleMember>,
    }
}

model! {
    /// A user who has a role.
    UserRoleMember {
        /// The user.
        id: UserId,
        /// E-mail address.
        email: String,
        /// Full name.
        name: String,
        /// Where the assignment comes from.
        source: String,
    }
}

model! {
    /// A short form of a user, as other entities refer to it.
    UserReference {
        /// The user.
        id: UserId,
        /// Full name.
        name: String,
        /// E-mail address.
        email: String,
    }
}

open_enum! {
    /// Kind of user.
    UserType {
        Technician = "TECHNICIAN",
        EndUser = "END_USER",
    }
}

open_enum! {
    /// State of an invitation.
    InvitationStatus {
        Registered = "REGISTERED",
        Pending = "PENDING",
        Expired = "EXPIRED",
    }
}

model! {
    /// The user who last logged on to a device.
    LoggedOnUser {
        /// Reports only: the device.
        device_id: DeviceId,
        /// Name of the user.
        user_name: String,
    } times {
        /// When the user logged on.
        logon_time,
    }
}
