//! Groups: saved searches for devices.

use crate::GroupId;

model! {
    /// A group: a saved search for devices.
    Group {
        /// Its id.
        id: GroupId,
        /// Name.
        name: String,
        /// Description.
        description: String,
        /// Whether all users see it.
        shared: bool,
        /// Number of devices at the last evaluation.
        device_count: i64,
    } times {
        /// When it was created.
        created,
        /// When it was last changed.
        updated,
        /// When it was last evaluated.
        last_evaluated,
    }
}
