//! Lists: bare arrays in ascending order of id, paged by `after`.

use crate::answer::{Answer, ErrorShape};
use crate::fault::Changes;
use crate::filter::Filter;
use crate::report::page_size;
use crate::request::Request;
use crate::table::{Devices, Row, Table};

/// The rows of an answer without `pageSize`; where somebody looked, each organization gave exactly 100 devices.
const DEFAULT_PAGE: usize = 100;

/// One page of a list whose rows pass a filter.
pub(crate) fn page(
    request: &Request,
    table: &Table,
    devices: &Devices,
    filter: &Filter,
    changes: &Changes,
) -> Answer {
    let place = request
        .parameter("after")
        .filter(|_| !changes.place_ignored);
    let after = match place.map(str::parse::<i64>) {
        Some(Ok(id)) => Some(id),
        Some(Err(_)) => {
            return Answer::error(
                400,
                ErrorShape::Described,
                "invalid_id",
                "after is not an id",
            );
        }
        None => None,
    };
    let size = page_size(request, DEFAULT_PAGE, changes);
    let rows = table.rows();
    let all: Vec<u32>;
    let candidates = if let Some(id) = filter.organization() {
        table.of_organization(id, devices)
    } else {
        all = (0..u32::try_from(rows.len()).unwrap_or(u32::MAX)).collect();
        &all
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
