//! Lists: bare arrays in ascending order of id, paged by `after`.

use std::borrow::Cow;

use crate::{
    answer::{Answer, ErrorShape},
    fault::Changes,
    filter::Filter,
    fleet::scale::Scale,
    report::page_size,
    request::Request,
    table::{Devices, Row, Table},
};

/// The rows of an answer without `pageSize`; where this was observed, each organization gave exactly 100 devices.
const DEFAULT_PAGE: usize = 100;

/// One page of a list whose rows pass a filter.
pub(crate) fn page(
    request: &Request,
    table: &Table,
    devices: &Devices,
    filter: &Filter,
    changes: &Changes,
) -> Answer {
    let after = match place(request, changes) {
        Ok(after) => after,
        Err(NoId) => return NoId::answer(),
    };
    let size = page_size(request, DEFAULT_PAGE, changes);
    let rows = table.rows();
    let candidates: Cow<'_, [u32]> = match filter.organizations() {
        Some(ids) => table.of_organizations(ids, devices),
        None => (0..u32::try_from(rows.len()).unwrap_or(u32::MAX)).collect(),
    };
    let row = |number: &u32| {
        usize::try_from(*number)
            .ok()
            .and_then(|number| rows.get(number))
    };
    let start = after.map_or(0, |after| {
        candidates.partition_point(|number| row(number).is_some_and(|row| row.id <= after))
    });
    let admitted = candidates
        .get(start..)
        .unwrap_or_default()
        .iter()
        .filter_map(row)
        .filter(|row| filter.admits(row.device, row.device.and_then(|id| devices.get(id))));
    let mut page: Vec<&Row> = Vec::new();
    for row in admitted {
        // A row without a readable id belongs to its predecessor: no later page could begin with it.
        if page.len() >= size && row.keyed {
            break;
        }
        page.push(row);
    }
    let texts: Vec<&str> = page.iter().map(|row| row.text(true)).collect();
    Answer::json_text(changes.rows(&texts))
}

/// One page of the devices of a computed fleet.
pub(crate) fn computed(
    request: &Request,
    fleet: &Scale,
    is_detailed: bool,
    filter: &Filter,
    changes: &Changes,
) -> Answer {
    let first = match place(request, changes) {
        Ok(after) => after.map_or(0, |id| fleet.first_after(id)),
        Err(NoId) => return NoId::answer(),
    };
    let size = page_size(request, DEFAULT_PAGE, changes);
    let admitted = fleet.admitted(filter);
    let page = admitted.from(first).take(size);
    let texts: Vec<String> = page
        .map(|device| fleet.device_text(device, is_detailed))
        .collect();
    Answer::json_text(changes.rows(&texts))
}

/// A page is to begin after something that is no id.
struct NoId;

impl NoId {
    fn answer() -> Answer {
        Answer::error(
            400,
            ErrorShape::Described,
            "invalid_id",
            "after is not an id",
        )
    }
}

/// The id that a page begins after.
fn place(request: &Request, changes: &Changes) -> Result<Option<i64>, NoId> {
    let place = request
        .parameter("after")
        .filter(|_| !changes.place_ignored);
    place.map(str::parse).transpose().map_err(|_| NoId)
}
