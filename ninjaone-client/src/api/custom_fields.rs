//! Definitions of custom fields.

use super::{Names, all, endpoint, group, methods, params};
use crate::{
    models::CustomFieldDefinition,
    paging::{Pager, Walk},
};

group! {
    /// Definitions of custom fields. Their values are reports (`queries`) or parts of an entity.
    CustomFieldDefinitions, custom_fields
}

params! {
    /// How custom field definitions are read.
    CustomFieldDefinitionsParams = endpoint!("custom_fields.list" "/v2/custom-fields" ByCursor);
    page_size 500 in 5..=500;
    {}
}

params! {
    /// Which custom fields of devices.
    DeviceCustomFieldDefinitionsParams =
        endpoint!("custom_fields.of_devices" "/v2/device-custom-fields" Whole);
    {
        /// Only fields of these scopes: `all`, `node`, `location`, `organization`.
        scopes: Names = "scopes";
    }
}

methods! {
    CustomFieldDefinitions {
        /// Definition of one custom field, by its name.
        Single get(name: &str) -> CustomFieldDefinition
            = "custom_fields.get" "/v2/custom-fields/field-name/{fieldName}";
    }
}

all! { PLAIN; CustomFieldDefinitionsParams::ENDPOINT, DeviceCustomFieldDefinitionsParams::ENDPOINT }

impl CustomFieldDefinitions<'_> {
    /// Definitions of the custom fields that devices have, all at once.
    pub fn of_devices(
        self,
        params: DeviceCustomFieldDefinitionsParams,
    ) -> Pager<CustomFieldDefinition> {
        self.0.pager(params.request(), Walk::Whole)
    }

    /// Definitions of all custom fields.
    pub fn list(self, params: CustomFieldDefinitionsParams) -> Pager<CustomFieldDefinition> {
        self.0.pager(
            params.request(),
            Walk::by_cursor("cursorName", params.page_rows()),
        )
    }
}
