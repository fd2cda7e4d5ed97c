//! Custom fields: values on devices, locations, organizations and users.

use serde_json::{Map, Value};

use super::UserReference;
use crate::DeviceId;
use crate::open_enum::open_enum;

/// Custom field values by field name, as the tenant defined them.
///
/// A value is a string, number, boolean, list, or at times an object `{"value": ...}`; dates are epoch milliseconds.
/// Only fields that the MSP opened to the API come at all.
pub type CustomFieldValues = Map<String, Value>;

model! {
    /// Custom field values of one device.
    DeviceCustomFields {
        /// The device.
        device_id: DeviceId,
        /// The values.
        fields: CustomFieldValues,
    }
}

model! {
    /// Custom field values of one device with what is known of each.
    DeviceCustomFieldsDetailed {
        /// The device.
        device_id: DeviceId,
        /// What kind of entity it is.
        entity_type: DefinitionScope,
        /// Id of the entity.
        entity_id: i64,
        /// The values.
        fields: Vec<CustomFieldValue>,
    }
}

model! {
    /// Custom field values of one device, location or organization.
    ScopedCustomFields {
        /// What kind of entity it is.
        scope: DefinitionScope,
        /// Its id.
        entity_id: i64,
        /// The values.
        fields: CustomFieldValues,
    }
}

model! {
    /// Custom field values of one device, location or organization with what is known of each.
    ScopedCustomFieldsDetailed {
        /// What kind of entity it is.
        scope: DefinitionScope,
        /// Its id.
        entity_id: i64,
        /// The values.
        fields: Vec<CustomFieldValue>,
    }
}

model! {
    /// One custom field value.
    CustomFieldValue {
        /// Name of the field.
        name: String,
        /// The value.
        value: Value,
        /// Who or what wrote it.
        updated_by: CustomFieldUpdatedBy,
    } times {
        /// When it was written; some answers name it `update_time`.
        updated,
        /// When it was written.
        update_time,
    }
}

model! {
    /// Who or what wrote a custom field value.
    CustomFieldUpdatedBy {
        /// What kind of writer.
        source: CustomFieldSource,
        /// The user, if it was one.
        user: UserReference,
    }
}

open_enum! {
    /// What wrote a custom field value.
    CustomFieldSource {
        Api = "API",
        User = "USER",
        Script = "SCRIPT",
        System = "SYSTEM",
    }
}

open_enum! {
    /// What kinds of entity a custom field is defined for.
    DefinitionScope {
        Node = "NODE",
        EndUser = "END_USER",
        Location = "LOCATION",
        Organization = "ORGANIZATION",
    }
}
