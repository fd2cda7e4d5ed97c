//! The activity feed: newest first, walked back by id.

use serde::Deserialize;

use crate::{
    answer::Answer,
    fault::{Changes, Parameter},
    filter::{BadFilter, Filter},
    fleet::scale::Scale,
    report::{device_filter, moment, page_size_asked},
    request::Request,
    table::{Devices, Row, Table},
};

/// What the feed is asked for. `activityType` and `statusCode` are no parameters of `/v2/activities`: the vendor ignores them.
#[derive(Debug, Default)]
struct Wanted {
    older_than: Option<i64>,
    newer_than: Option<i64>,
    before: Option<f64>,
    after: Option<f64>,
    types: Vec<String>,
    codes: Vec<String>,
    series: Option<String>,
    source: Option<String>,
    user: Option<i64>,
}

/// What is read of a row to judge it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Facts {
    activity_time: serde_json::Value,
    activity_type: serde_json::Value,
    status_code: serde_json::Value,
    series_uid: serde_json::Value,
    source_config_uid: serde_json::Value,
    user_id: serde_json::Value,
}

/// `/v2/activities`, or with a device `/v2/device/{id}/activities`, which unlike the other does know `activityType`.
pub(crate) fn answer(
    request: &Request,
    table: &Table,
    devices: &Devices,
    of: Option<i64>,
    changes: &Changes,
) -> Answer {
    let filter = match device_filter(request, changes) {
        Ok(filter) => filter,
        Err(BadFilter) => return BadFilter::answer(),
    };
    let wanted = Wanted::of(request, of.is_some(), changes);
    let filtered = filter != Filter::default();
    let admits = |row: &&Row| {
        let known = row.device.and_then(|id| devices.get(id));
        // Events of the console belong to no device: a device filter leaves them out.
        let passes =
            !filtered || !row.keyed || (row.device.is_some() && filter.admits(row.device, known));
        let is_of_device = of.is_none_or(|device| row.device == Some(device));
        passes && is_of_device && wanted.admits(row.id, &row.text)
    };
    let size = page_size(request, changes);
    let rows = table.rows();
    let start = wanted
        .older_than
        .map_or(0, |id| rows.partition_point(|row| row.id >= id));
    let page: Vec<&Row> = rows
        .get(start..)
        .unwrap_or_default()
        .iter()
        .filter(admits)
        .take(size)
        .collect();
    let texts: Vec<&str> = page.iter().map(|row| row.text(true)).collect();
    let last = page.iter().find(|row| row.keyed).map_or(0, |row| row.id);
    reply(&texts, last, of, changes)
}

/// `/v2/activities` of a computed fleet, whose every activity is of a device.
pub(crate) fn computed(request: &Request, fleet: &Scale, changes: &Changes) -> Answer {
    let filter = match device_filter(request, changes) {
        Ok(filter) => filter,
        Err(BadFilter) => return BadFilter::answer(),
    };
    let wanted = Wanted::of(request, false, changes);
    let from = wanted.older_than.map_or(0, |id| fleet.first_below(id));
    let devices = fleet.admitted(&filter);
    let page: Vec<(i64, String)> = fleet
        .feed(from, &devices)
        .map(|(activity, id)| (id, fleet.activity(activity)))
        .filter(|(id, text)| wanted.admits(*id, text))
        .take(page_size(request, changes))
        .collect();
    let last = page.first().map_or(0, |(id, _)| *id);
    let texts: Vec<&str> = page.iter().map(|(_, text)| text.as_str()).collect();
    reply(&texts, last, None, changes)
}

fn page_size(request: &Request, changes: &Changes) -> usize {
    changes.capped(page_size_asked(request, 200, changes).clamp(10, 1000))
}

fn reply(texts: &[&str], last: i64, of: Option<i64>, changes: &Changes) -> Answer {
    let activities = changes.rows(texts);
    if changes.bare_array {
        return Answer::json_text(activities);
    }
    let of_node = of.map_or_else(String::new, |_| format!(r#","lastNodeActivityId":{last}"#));
    Answer::json_text(format!(
        r#"{{"lastActivityId":{last}{of_node},"activities":{activities}}}"#
    ))
}

impl Wanted {
    fn of(request: &Request, of_device: bool, changes: &Changes) -> Self {
        let place = |name| {
            request
                .parameter(name)
                .filter(|_| !changes.place_ignored)
                .and_then(|value| value.parse().ok())
        };
        let text = |parameter, name| changes.parameter(parameter, name, request);
        // Not a kind of its own: what ignores every filter ignores these.
        let other = |name| text(Parameter::Type, name);
        Self {
            older_than: place("olderThan"),
            newer_than: place("newerThan"),
            before: text(Parameter::Before, "before").and_then(moment),
            after: text(Parameter::After, "after").and_then(moment),
            types: text(
                Parameter::Type,
                if of_device { "activityType" } else { "type" },
            )
            .map(words)
            .unwrap_or_default(),
            codes: text(Parameter::Status, "status")
                .map(words)
                .unwrap_or_default(),
            series: other("seriesUid").map(str::to_owned),
            source: other("sourceConfigUid").map(str::to_owned),
            user: other("user").and_then(|value| value.parse().ok()),
        }
    }

    fn admits(&self, id: i64, text: &str) -> bool {
        if self.newer_than.is_some_and(|newer_than| id <= newer_than) {
            return false;
        }
        let by_content = self.before.is_some()
            || self.after.is_some()
            || !self.types.is_empty()
            || !self.codes.is_empty()
            || self.series.is_some()
            || self.source.is_some()
            || self.user.is_some();
        if !by_content {
            return true;
        }
        let Ok(facts) = serde_json::from_str::<Facts>(text) else {
            return true;
        };
        let time = facts.activity_time.as_f64();
        let one_of = |wanted: &[String], value: &serde_json::Value| {
            wanted.is_empty()
                || value
                    .as_str()
                    .is_some_and(|value| wanted.iter().any(|word| word == value))
        };
        let same = |wanted: &Option<String>, value: &serde_json::Value| {
            wanted.is_none() || wanted.as_deref() == value.as_str()
        };
        self.before
            .is_none_or(|before| time.is_none_or(|time| time < before))
            && self
                .after
                .is_none_or(|after| time.is_none_or(|time| time >= after))
            && one_of(&self.types, &facts.activity_type)
            && one_of(&self.codes, &facts.status_code)
            && same(&self.series, &facts.series_uid)
            && same(&self.source, &facts.source_config_uid)
            && (self.user.is_none() || self.user == facts.user_id.as_i64())
    }
}

/// One word, or several as `in (A, B)`.
fn words(text: &str) -> Vec<String> {
    let inside = text
        .trim()
        .strip_prefix("in")
        .and_then(|rest| rest.trim().strip_prefix('(')?.strip_suffix(')'));
    inside
        .unwrap_or(text)
        .split(',')
        .map(|word| word.trim().to_owned())
        .collect()
}
