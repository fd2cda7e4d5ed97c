//! Device roles.

use super::{all, endpoint, group, methods, params};
use crate::{
    models::{NodeRole, Role},
    paging::{Pager, Walk},
};

group! {
    /// Device roles.
    Roles, roles
}

methods! {
    Roles {
        /// All device roles.
        Whole list() -> Role = "roles.list" "/v2/roles";
    }
}

params! {
    /// Which device roles.
    NodeRolesParams = endpoint!("roles.with_policies" "/v2/noderole/list" Whole);
    {
        /// Only roles that can be assigned, or only those that cannot.
        assignable: bool = "isAssignable";
    }
}

all! { PLAIN; NodeRolesParams::ENDPOINT }

impl Roles<'_> {
    /// Device roles with the policies assigned to them.
    pub fn with_policies(self, params: NodeRolesParams) -> Pager<NodeRole> {
        self.0.pager(params.request(), Walk::Whole)
    }
}
