//! Contacts.

use crate::{ContactId, OrganizationId};

model! {
    /// A contact at a customer.
    Contact {
        /// Its id.
        id: ContactId,
        /// The organization.
        organization_id: OrganizationId,
        /// NinjaOne's UUID of the contact.
        uid: String,
        /// First name.
        first_name: String,
        /// Last name.
        last_name: String,
        /// E-mail address.
        email: String,
        /// Telephone number.
        phone: String,
        /// Job title.
        job_title: String,
    }
}
