//! The same pages without a sync: fetched, decoded into the rows' types, one field added up.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use cpu_time::{ProcessTime, ThreadTime};
use ninjaone_client::{
    DeviceId, OrganizationId,
    models::{Activity, AntivirusStatus, Device, Organization, OsPatch, SoftwarePatch, Volume},
};
use serde::{Deserialize, de::DeserializeOwned};
use url::Url;

use crate::{cases::Plain, simulator::Simulator};

#[derive(Deserialize)]
struct Reported<T> {
    results: Vec<T>,
    cursor: Option<Cursor>,
}

#[derive(Deserialize)]
struct Cursor {
    name: Option<String>,
}

#[derive(Deserialize)]
struct Fed<T> {
    activities: Vec<T>,
}

/// A page: its rows, the sum of a field, and the parameter that names the next page.
struct Page {
    rows: usize,
    sum: i64,
    next: Option<(&'static str, String)>,
}

/// Reads every list of the tick, as it was asked for and as far.
pub(crate) async fn read(simulator: &Simulator, targets: &[String]) -> anyhow::Result<Plain> {
    let http = reqwest::Client::builder().build()?;
    let token = token(&http, simulator).await?;
    let mut plain = Plain::default();
    let base = Url::parse(&simulator.url)?;
    // The first page of each list -> how many pages were asked for.
    let mut lists: BTreeMap<Url, u32> = BTreeMap::new();
    for target in targets {
        *lists.entry(first_page(&base.join(target)?)).or_default() += 1;
    }
    let processor = ProcessTime::now();
    for (first, pages) in lists {
        let mut url = first.clone();
        for _ in 0..pages {
            let answer = http.get(url).bearer_auth(&token).send().await?;
            let body = answer.error_for_status()?.bytes().await?;
            let decoding = ThreadTime::now();
            let page = page(first.path(), &body)?;
            plain.decode_cpu_seconds += decoding.elapsed().as_secs_f64();
            plain.pages += 1;
            plain.rows += u64::try_from(page.rows)?;
            plain.sum += page.sum;
            let Some((name, value)) = page.next.filter(|_| page.rows > 0) else {
                break;
            };
            url = first.clone();
            url.query_pairs_mut().append_pair(name, &value);
        }
    }
    plain.cpu_seconds = processor.elapsed().as_secs_f64();
    Ok(plain)
}

/// The same list from its beginning.
fn first_page(url: &Url) -> Url {
    let continues = |name: &str| match name {
        "cursor" | "olderThan" => true,
        // Of activities it is a date.
        "after" => url.path() != "/v2/activities",
        _ => false,
    };
    let mut first = url.clone();
    let kept = url.query_pairs().filter(|(name, _)| !continues(name));
    first.query_pairs_mut().clear().extend_pairs(kept);
    first
}

async fn token(http: &reqwest::Client, simulator: &Simulator) -> anyhow::Result<String> {
    #[derive(Deserialize)]
    struct Token {
        access_token: String,
    }
    let Simulator {
        url,
        client_id,
        client_secret,
        ..
    } = simulator;
    let form = format!(
        "grant_type=client_credentials&client_id={client_id}&client_secret={client_secret}&scope=monitoring"
    );
    let answer = http
        .post(format!("{url}/ws/oauth/token"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await?;
    let body = answer.error_for_status()?.bytes().await?;
    Ok(serde_json::from_slice::<Token>(&body)?.access_token)
}

fn page(path: &str, body: &Bytes) -> anyhow::Result<Page> {
    match path {
        "/v2/organizations" => list(body, |row: &Organization| row.id.map(OrganizationId::get)),
        "/v2/devices" | "/v2/devices-detailed" => {
            list(body, |row: &Device| row.id.map(DeviceId::get))
        }
        "/v2/activities" => {
            let Fed { activities } = serde_json::from_slice::<Fed<Activity>>(body)?;
            let of = |row: &Activity| row.device_id.map_or(0, DeviceId::get);
            let last = activities.last().and_then(|row| row.id);
            Ok(Page {
                rows: activities.len(),
                sum: activities.iter().map(of).sum(),
                next: last.map(|id| ("olderThan", id.to_string())),
            })
        }
        "/v2/queries/volumes" => report(body, |row: &Volume| row.device_id.map(DeviceId::get)),
        "/v2/queries/antivirus-status" => report(body, |row: &AntivirusStatus| {
            row.device_id.map(DeviceId::get)
        }),
        "/v2/queries/os-patches" | "/v2/queries/os-patch-installs" => {
            report(body, |row: &OsPatch| row.device_id.map(DeviceId::get))
        }
        "/v2/queries/software-patches" | "/v2/queries/software-patch-installs" => {
            report(body, |row: &SoftwarePatch| row.device_id.map(DeviceId::get))
        }
        other => anyhow::bail!("a list that is not read here: {other}"),
    }
}

fn list<T: DeserializeOwned>(body: &[u8], id: fn(&T) -> Option<i64>) -> anyhow::Result<Page> {
    let rows: Vec<T> = serde_json::from_slice(body)?;
    let last = rows.last().map(|row| id(row).context("a row without id"));
    Ok(Page {
        rows: rows.len(),
        sum: rows.iter().filter_map(id).sum(),
        next: last.transpose()?.map(|id| ("after", id.to_string())),
    })
}

fn report<T: DeserializeOwned>(body: &[u8], field: fn(&T) -> Option<i64>) -> anyhow::Result<Page> {
    let Reported { results, cursor } = serde_json::from_slice::<Reported<T>>(body)?;
    let name = cursor.and_then(|cursor| cursor.name);
    ensure!(name.as_deref() != Some(""), "a cursor without a name");
    Ok(Page {
        rows: results.len(),
        sum: results.iter().filter_map(field).sum(),
        next: name.map(|name| ("cursor", name)),
    })
}
