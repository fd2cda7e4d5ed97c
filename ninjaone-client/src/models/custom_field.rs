//! Custom fields: values on devices, locations, organizations and users.

use serde_json::{Map, Value};

use super::{Currency, NodeClass, UserReference};
use crate::{DeviceId, OrganizationId, open_enum::open_enum};

/// Custom field values by field name, as the tenant defined them.
///
/// A value is a string, number, boolean, list, or sometimes an object `{"value": ...}`. Dates are epoch milliseconds. NinjaOne sends only
/// fields that the MSP opened to the API.
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
    /// Custom field values of one device, with details of each value.
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
    /// Custom field values of one device, location or organization, with details of each value.
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
        /// The writer of the value.
        updated_by: CustomFieldUpdatedBy,
    } times {
        /// When it was written. Some responses send `update_time` instead.
        updated,
        /// When it was written. Some responses send `updated` instead.
        update_time,
    }
}

model! {
    /// The writer of a custom field value.
    CustomFieldUpdatedBy {
        /// Kind of writer.
        source: CustomFieldWriter,
        /// The user, if a user wrote the value.
        user: UserReference,
    }
}

open_enum! {
    /// Kind of writer of a custom field value.
    CustomFieldWriter {
        Api = "API",
        User = "USER",
        Script = "SCRIPT",
        System = "SYSTEM",
    }
}

open_enum! {
    /// Kind of entity that a custom field is defined for.
    DefinitionScope {
        Node = "NODE",
        EndUser = "END_USER",
        Location = "LOCATION",
        Organization = "ORGANIZATION",
    }
}

model! {
    /// Definition of a custom field.
    CustomFieldDefinition {
        /// What kind of entity it is for.
        entity_type: EntityType,
        /// Where it applies. The vendor recommends `definition_scope` instead.
        scope: AttributeScope,
        /// What kinds of entity it is defined for.
        definition_scope: Vec<DefinitionScope>,
        /// What kind of value it holds.
        r#type: CustomFieldType,
        /// Label.
        label: String,
        /// Description.
        description: String,
        /// Name, by which the API refers to it.
        name: String,
        /// Value of entities that have no value of this field.
        default_value: String,
        /// What end users may do with it.
        end_user_permission: EndUserPermission,
        /// What technicians may do with it.
        technician_permission: TechnicianPermission,
        /// What scripts may do with it.
        script_permission: AccessPermission,
        /// What the API may do with its values. With `NONE`, NinjaOne never sends them.
        api_permission: AccessPermission,
        /// Choices, limits and texts.
        content: CustomFieldContent,
        /// Whether NinjaOne created it.
        system: bool,
        /// Whether it is in use.
        active: bool,
    } times {
        /// When it was created.
        create_time,
        /// When it was last changed.
        update_time,
    }
}

model! {
    /// Choices, limits and texts of a custom field.
    CustomFieldContent {
        /// Whether end users see separate texts.
        customize_for_end_user: bool,
        /// The texts end users see.
        end_user_customization: EndUserTexts,
        /// Choices.
        values: Vec<CustomFieldChoice>,
        /// Whether a value is required.
        required: bool,
        /// Text below it.
        footer_text: String,
        /// Text beside it.
        tooltip_text: String,
        /// Limits.
        advanced_settings: CustomFieldLimits,
    }
}

model! {
    /// The texts of a custom field that end users see.
    EndUserTexts {
        /// Name.
        name: String,
        /// Description.
        description: String,
        /// Label.
        label: String,
    }
}

model! {
    /// One choice of a custom field.
    CustomFieldChoice {
        /// UUID, which values refer to.
        id: String,
        /// Name.
        name: String,
        /// Whether it can be chosen.
        active: bool,
        /// Whether NinjaOne created it.
        system: bool,
    }
}

model! {
    /// Limits of a custom field.
    CustomFieldLimits {
        /// Largest file in bytes.
        file_max_size: i64,
        /// Allowed file name extensions.
        file_extensions: Vec<String>,
        /// Allowed dates.
        date_filters: DateFilters,
        /// Maximum number of characters.
        max_characters: i64,
        /// What a secret must contain.
        complexity_rules: ComplexityRules,
        /// Smallest and largest number.
        numeric_range: NumericRange,
        /// Organizations whose entities can be chosen.
        org: Vec<OrganizationId>,
        /// Classes of devices that can be chosen.
        node_class: Vec<NodeClass>,
        /// Kind of IP address.
        ip_address_type: IpAddressType,
        /// Whether a long value is shown in full.
        expand_large_value_on_render: bool,
        /// How identifiers are created.
        identifier: IdentifierSettings,
        /// Currency.
        monetary: MonetarySettings,
        /// Document templates that can be chosen.
        templates: Vec<i64>,
    }
}

model! {
    /// Dates a custom field allows.
    DateFilters {
        /// The meaning of `selected`.
        r#type: DateFilterType,
        /// Dates.
        selected: Vec<String>,
    }
}

model! {
    /// What a secret in a custom field must contain.
    ComplexityRules {
        /// A digit.
        must_contain_one_integer: bool,
        /// A small letter.
        must_contain_one_lowercase_letter: bool,
        /// A capital letter.
        must_contain_one_uppercase_letter: bool,
        /// At least six characters.
        greater_or_equal_than_six_characters: bool,
    }
}

model! {
    /// Smallest and largest number of a custom field.
    NumericRange {
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
    }
}

model! {
    /// How a custom field creates identifiers.
    IdentifierSettings {
        /// Whether the identifiers are created automatically.
        automatic_generation_enabled: bool,
        /// Scope in which the identifiers are unique.
        scope: IdentifierScope,
        /// Which assets get one.
        assign_to: IdentifierAssignment,
        /// How an identifier is created.
        r#type: IdentifierType,
        /// The next number.
        next_sequence_number: i64,
        /// Text before the number.
        prefix: String,
        /// Text after the number.
        suffix: String,
    }
}

model! {
    /// Currency of a custom field.
    MonetarySettings {
        /// ISO 4217 code.
        currency: Currency,
    }
}

open_enum! {
    /// What kind of entity a custom field is for.
    EntityType {
        User = "USER",
        Node = "NODE",
        Ticket = "TICKET",
        Document = "DOCUMENT",
    }
}

open_enum! {
    /// Where a custom field applies.
    AttributeScope {
        NodeGlobal = "NODE_GLOBAL",
        NodeRole = "NODE_ROLE",
        NodeClass = "NODE_CLASS",
    }
}

open_enum! {
    /// What kind of value a custom field holds.
    CustomFieldType {
        Dropdown = "DROPDOWN",
        MultiSelect = "MULTI_SELECT",
        Checkbox = "CHECKBOX",
        Text = "TEXT",
        TextMultiline = "TEXT_MULTILINE",
        TextEncrypted = "TEXT_ENCRYPTED",
        Numeric = "NUMERIC",
        Decimal = "DECIMAL",
        /// Epoch milliseconds:
        Date = "DATE",
        /// Epoch milliseconds:
        DateTime = "DATE_TIME",
        Time = "TIME",
        Attachment = "ATTACHMENT",
        NodeDropdown = "NODE_DROPDOWN",
        NodeMultiSelect = "NODE_MULTI_SELECT",
        ClientDropdown = "CLIENT_DROPDOWN",
        ClientMultiSelect = "CLIENT_MULTI_SELECT",
        ClientLocationDropdown = "CLIENT_LOCATION_DROPDOWN",
        ClientLocationMultiSelect = "CLIENT_LOCATION_MULTI_SELECT",
        ClientDocumentDropdown = "CLIENT_DOCUMENT_DROPDOWN",
        ClientDocumentMultiSelect = "CLIENT_DOCUMENT_MULTI_SELECT",
        Email = "EMAIL",
        Phone = "PHONE",
        IpAddress = "IP_ADDRESS",
        Wysiwyg = "WYSIWYG",
        Url = "URL",
        Monetary = "MONETARY",
        Identifier = "IDENTIFIER",
        Totp = "TOTP",
    }
}

open_enum! {
    /// What end users may do with a custom field.
    EndUserPermission {
        Hidden = "HIDDEN",
        EditableOptional = "EDITABLE_OPTIONAL",
        EditableRequired = "EDITABLE_REQUIRED",
        ReadOnly = "READ_ONLY",
    }
}

open_enum! {
    /// What technicians may do with a custom field.
    TechnicianPermission {
        None = "NONE",
        Editable = "EDITABLE",
        ReadOnly = "READ_ONLY",
    }
}

open_enum! {
    /// What scripts or the API may do with a custom field.
    AccessPermission {
        None = "NONE",
        ReadOnly = "READ_ONLY",
        WriteOnly = "WRITE_ONLY",
        ReadWrite = "READ_WRITE",
    }
}

open_enum! {
    /// Meaning of the dates of [`DateFilters`].
    DateFilterType {
        None = "NONE",
        Include = "INCLUDE",
        Exclude = "EXCLUDE",
        PastDatesOnly = "PAST_DATES_ONLY",
        FutureDatesOnly = "FUTURE_DATES_ONLY",
        Range = "RANGE",
    }
}

open_enum! {
    /// Kind of IP address.
    IpAddressType {
        All = "ALL",
        Ipv4 = "IPV4",
        Ipv6 = "IPV6",
    }
}

open_enum! {
    /// Scope in which identifiers are unique.
    IdentifierScope {
        None = "NONE",
        Global = "GLOBAL",
        Organization = "ORGANIZATION",
    }
}

open_enum! {
    /// Which assets get an identifier.
    IdentifierAssignment {
        NewAssetsOnly = "NEW_ASSETS_ONLY",
        NewAndExistingAssets = "NEW_AND_EXISTING_ASSETS",
    }
}

open_enum! {
    /// How an identifier is created.
    IdentifierType {
        Custom = "CUSTOM",
        Sequence = "SEQUENCE",
    }
}
