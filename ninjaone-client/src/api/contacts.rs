//! Contacts.

use super::{all, group, methods};
use crate::{ContactId, models::Contact};

group! {
    /// Contacts at the customers.
    Contacts, contacts
}

methods! {
    Contacts {
        /// All contacts.
        Whole list() -> Contact = "contacts.list" "/v2/contacts";
        /// One contact.
        Single get(id: ContactId) -> Contact = "contacts.get" "/v2/contact/{id}";
    }
}

all! { PLAIN; }
