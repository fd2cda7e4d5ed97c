//! Policies.

use super::{all, group, methods};
use crate::models::Policy;

group! {
    /// Policies.
    Policies, policies
}

methods! {
    Policies {
        /// All policies.
        Whole list() -> Policy = "policies.list" "/v2/policies";
    }
}

all! { PLAIN; }
