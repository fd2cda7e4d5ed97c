//! Where the command line keeps anchors: a file, and a time-stamping authority if one is named.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use regentra_evidence::{Anchor, anchor::read_anchors};
use regentra_sync::host::{
    AnchorSink, FileSink, SinkError, SinkErrorKind, TimeStampTransport, TimeStamps,
};
use reqwest::header::CONTENT_TYPE;

use crate::output;

/// The variable that names the file of anchors. Without it nothing is anchored.
pub const FILE: &str = "REGENTRA_ANCHORS";
/// The variable that names a time-stamping authority by its address.
pub const AUTHORITY: &str = "REGENTRA_TSA";

/// How long the authority may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The sink that the environment names, if it names one.
///
/// # Errors
/// When an authority is named and no file, or its address is none.
pub fn sink() -> anyhow::Result<Option<Arc<dyn AnchorSink>>> {
    let named = |variable| std::env::var_os(variable).filter(|value| !value.is_empty());
    let (file, authority) = (named(FILE), named(AUTHORITY));
    let Some(file) = file else {
        if authority.is_some() {
            bail!(
                "{AUTHORITY} is set and {FILE} is not: name the file that anchors and their time stamps go to"
            );
        }
        return Ok(None);
    };
    let file: Arc<dyn AnchorSink> = Arc::new(FileSink::new(file));
    let Some(authority) = authority else {
        return Ok(Some(file));
    };
    let authority = authority
        .to_str()
        .and_then(|address| reqwest::Url::parse(address).ok())
        .filter(|address| matches!(address.scheme(), "http" | "https"))
        .with_context(|| {
            format!("{AUTHORITY} does not hold an address such as http://tsa.example/")
        })?;
    let client = reqwest::Client::builder()
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .context("no HTTP client could be made")?;
    let authority = Arc::new(Authority { client, authority });
    Ok(Some(Arc::new(TimeStamps::new(authority, file))))
}

/// Reads a file of anchors.
///
/// # Errors
/// When it cannot be read, a line is not an anchor, or two lines contradict each other.
pub fn read(path: &Path) -> anyhow::Result<Vec<Anchor>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    let read = read_anchors(&text).with_context(|| path.display().to_string())?;
    for line in read.cut_off {
        let path = path.display();
        output::note(format_args!(
            "warning: line {line} of {path} was cut off and says nothing"
        ));
    }
    Ok(read.anchors)
}

/// A time-stamping authority over HTTP.
#[derive(Debug)]
struct Authority {
    client: reqwest::Client,
    authority: reqwest::Url,
}

#[async_trait]
impl TimeStampTransport for Authority {
    async fn post(&self, query: Vec<u8>) -> Result<Vec<u8>, SinkError> {
        let request = self.client.post(self.authority.clone());
        let request = request.header(CONTENT_TYPE, "application/timestamp-query");
        let failed = |error: reqwest::Error| {
            let is_answer = error
                .status()
                .is_some_and(|status| status.is_client_error());
            let (kind, why) = if is_answer {
                (
                    SinkErrorKind::Refused,
                    "the time-stamping authority refuses the query",
                )
            } else {
                (
                    SinkErrorKind::Unreachable,
                    "the time-stamping authority does not answer",
                )
            };
            SinkError::new(kind, why).because(error.without_url())
        };
        let mut answer = request
            .body(query)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .map_err(failed)?;
        let mut reply = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(failed)? {
            reply.extend_from_slice(&part);
            if reply.len() > TimeStamps::LONGEST_REPLY {
                let text = "the time-stamping authority's reply is longer than a time stamp can be";
                return Err(SinkError::new(SinkErrorKind::Unreadable, text));
            }
        }
        Ok(reply)
    }
}
