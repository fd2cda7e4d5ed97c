//! Asset tags.

use super::{all, group, methods};
use crate::models::Tags;

group! {
    /// Asset tags.
    AssetTags, tags
}

methods! {
    AssetTags {
        /// All asset tags.
        Single list() -> Tags = "tags.list" "/v2/tag";
    }
}

all! { PLAIN; }
