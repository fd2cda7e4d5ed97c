//! Users: technicians and end users.

use super::{endpoint, group, params};
use crate::models::{User, UserType};
use crate::paging::{Pager, Walk};

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

impl Users<'_> {
    /// Users of both kinds.
    pub fn list(&self, params: UsersParams) -> Pager<User> {
        self.0.pager(params.request(), Walk::Whole)
    }
}
