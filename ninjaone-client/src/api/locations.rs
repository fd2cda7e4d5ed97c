//! Locations of all organizations. Those of one organization are in its group.

use super::{all, endpoint, group, params};
use crate::{
    LocationId,
    models::Location,
    paging::{Pager, Walk},
};

group! {
    /// Locations of all organizations. Those of one are in [`Organizations`](crate::organizations::Organizations).
    Locations, locations
}

params! {
    /// Which locations.
    LocationsParams = endpoint!("locations.list" "/v2/locations" ById);
    page_size 1000 in 1..=1000;
    {
        /// Resumes after this location.
        after: LocationId = "after";
    }
}

all! { &[]; LocationsParams::ENDPOINT }

impl Locations<'_> {
    /// All locations, by id, each with its organization.
    pub fn list(self, params: LocationsParams) -> Pager<Location> {
        let after = params.after.map(LocationId::get);
        let walk = Walk::by_id(after, params.page_rows(), |row: &Location| {
            row.id.map(LocationId::get)
        });
        self.0.pager(params.request(), walk)
    }
}
