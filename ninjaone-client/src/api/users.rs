//! Users: technicians and end users.

use super::{all, endpoint, group, methods, params};
use crate::{
    UserId,
    models::{CustomFieldValues, EndUser, Technician, User, UserRole, UserType},
    paging::{Pager, Walk},
};

group! {
    /// Users: technicians of the MSP and end users of its customers.
    Users, users
}

params! {
    /// Which users.
    UsersParams = endpoint!("users.list" "/v2/users" Whole);
    {
        /// Only technicians or only end users.
        user_type: UserType = "userType";
    }
    flags {
        /// Asks for the names of the users' roles.
        with_roles = "includeRoles" "true";
    }
}

params! {
    /// Which roles of users.
    UserRolesParams = endpoint!("users.roles" "/v2/user/roles" Whole);
    {
        /// Only roles for technicians or only roles for end users.
        role_type: UserType = "roleType";
    }
}

methods! {
    Users {
        /// All technicians.
        Whole technicians() -> Technician = "users.technicians" "/v2/user/technicians";
        /// One technician.
        Single technician(id: UserId) -> Technician = "users.technician" "/v2/user/technician/{id}";
        /// All end users.
        Whole end_users() -> EndUser = "users.end_users" "/v2/user/end-users";
        /// One end user.
        Single end_user(id: UserId) -> EndUser = "users.end_user" "/v2/user/end-user/{id}";
        /// Custom field values of an end user.
        Single end_user_custom_fields(id: UserId) -> CustomFieldValues
            = "users.end_user_custom_fields" "/v2/user/end-user/{id}/custom-fields";
    }
}

all! { PLAIN; UsersParams::ENDPOINT, UserRolesParams::ENDPOINT }

impl Users<'_> {
    /// Users of both kinds.
    pub fn list(self, params: UsersParams) -> Pager<User> {
        self.0.pager(params.request(), Walk::Whole)
    }

    /// Roles of users, with who has them.
    pub fn roles(self, params: UserRolesParams) -> Pager<UserRole> {
        self.0.pager(params.request(), Walk::Whole)
    }
}
