//! Definitions of custom fields.

use super::{endpoint, group, params};
use crate::models::CustomFieldDefinition;
use crate::paging::{Pager, Walk};

group! {
    /// Definitions of custom fields. Their values are reports (`queries`) or parts of an entity.
    CustomFields, custom_fields
}

params! {
    /// How custom field definitions are read.
    CustomFieldDefinitionsParams = endpoint!("custom_fields.list" "/v2/custom-fields" ByCursor);
    page_size 500 in 5..=500;
    {}
}

impl CustomFields<'_> {
    /// Definitions of all custom fields.
    pub fn list(&self, params: CustomFieldDefinitionsParams) -> Pager<CustomFieldDefinition> {
        self.0.pager(
            params.request(),
            Walk::by_cursor("cursorName", params.page_size),
        )
    }
}
