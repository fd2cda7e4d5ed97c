//! Asset tags.

use super::UserReference;
use crate::{TagId, UserId};

model! {
    /// All asset tags.
    Tags {
        /// The tags.
        tags: Vec<Tag>,
    }
}

model! {
    /// An asset tag.
    Tag {
        /// Its id.
        id: TagId,
        /// Name.
        name: String,
        /// Description.
        description: String,
        /// Who made it.
        created_by_user_id: UserId,
        /// Who last changed it.
        updated_by_user_id: UserId,
        /// Assets that bear it.
        targets_count: i64,
        /// Who made it.
        created_by: UserReference,
        /// Who last changed it.
        updated_by: UserReference,
    } times {
        /// When it was made.
        create_time,
        /// When it was last changed.
        update_time,
    }
}
