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
        /// The user who created it.
        created_by_user_id: UserId,
        /// The user who last changed it.
        updated_by_user_id: UserId,
        /// Number of assets that have it.
        targets_count: i64,
        /// The user who created it.
        created_by: UserReference,
        /// The user who last changed it.
        updated_by: UserReference,
    } times {
        /// When it was created.
        create_time,
        /// When it was last changed.
        update_time,
    }
}
