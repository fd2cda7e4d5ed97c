//! Time stamps by RFC 3161: an authority that the host names signs that an anchor existed at a time.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cmpv2::status::PkiStatus;
use cms::{cert::x509::spki::AlgorithmIdentifier, signed_data::SignedData};
use der::{
    Any, Decode as _, Encode as _,
    asn1::{Int, Null, ObjectIdentifier, OctetString},
};
use regentra_evidence::Hash256;
use time::OffsetDateTime;
use x509_tsp::{MessageImprint, TimeStampReq, TimeStampResp, TspVersion, TstInfo};

use super::{Anchor, AnchorSink, SinkError};

const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");

/// What an authority answers is a few kilobytes; more is not read.
const LONGEST_REPLY: usize = 256 * 1024;

/// Carries a query to a time-stamping authority and its reply back. The host gives it, with its own HTTP client, proxy and time-out.
#[async_trait]
pub trait TimeStampTransport: fmt::Debug + Send + Sync + 'static {
    /// Posts a query (`application/timestamp-query`) and returns the body of the reply (`application/timestamp-reply`).
    ///
    /// # Errors
    /// When the authority does not answer, or with anything but a success.
    async fn post(&self, query: Vec<u8>) -> Result<Vec<u8>, SinkError>;
}

/// Has each anchor stamped by an authority, and hands it with the stamp to the sink behind. An anchor that is not stamped is not
/// kept, and waits.
///
/// The stamp is asked for with the authority's certificate in it, over [`Anchor::text`], with a random nonce. Of the reply it is seen
/// that it grants a stamp of this anchor and nonce; the authority's signature is verified by the auditor, who names the authority's
/// certificate: `openssl ts -verify`.
#[derive(Clone, Debug)]
pub struct TimeStamps {
    authority: Arc<dyn TimeStampTransport>,
    next: Arc<dyn AnchorSink>,
}

impl TimeStamps {
    /// Stamps by `authority`, kept by `next`.
    #[must_use]
    pub fn new(authority: Arc<dyn TimeStampTransport>, next: Arc<dyn AnchorSink>) -> Self {
        Self { authority, next }
    }
}

#[async_trait]
impl AnchorSink for TimeStamps {
    async fn keep(&self, anchor: &Anchor) -> Result<(), SinkError> {
        let mut nonce = [0; 8];
        getrandom::fill(&mut nonce)
            .map_err(|_| SinkError::new("the system's source of randomness does not answer"))?;
        // A positive number in its shortest form.
        if let Some(first) = nonce.first_mut() {
            *first = (*first & 0x7f) | 0x40;
        }
        let query = query(anchor.digest(), &nonce)
            .map_err(|error| SinkError::because("the time stamp could not be asked for", error))?;
        let reply = self.authority.post(query).await?;
        let (imprint, echoed, _) = read(&reply)?;
        if imprint != anchor.digest() || echoed.as_deref() != Some(&nonce[..]) {
            return Err(SinkError::new(
                "the time-stamping authority stamped something else than it was asked for",
            ));
        }
        let stamped = Anchor {
            time_stamp: Some(STANDARD.encode(&reply)),
            ..anchor.clone()
        };
        self.next.keep(&stamped).await
    }
}

/// The time that an anchor's stamp says, if it is a stamp of this anchor; `None` when it has none.
///
/// The authority's signature is not verified here: it means something only with the authority's certificate, which has to come from
/// outside. `openssl ts -verify` does it.
///
/// # Errors
/// When what is there is no time stamp, or one of something else.
pub fn verify_imprint(anchor: &Anchor) -> Result<Option<OffsetDateTime>, SinkError> {
    let Some(stamp) = &anchor.time_stamp else {
        return Ok(None);
    };
    let reply = STANDARD
        .decode(stamp)
        .map_err(|_| SinkError::new("the time stamp is not base64"))?;
    let (imprint, _, at) = read(&reply)?;
    if imprint == anchor.digest() {
        Ok(Some(at))
    } else {
        Err(SinkError::new(
            "the time stamp is one of something else than its anchor",
        ))
    }
}

fn query(digest: Hash256, nonce: &[u8]) -> der::Result<Vec<u8>> {
    TimeStampReq {
        version: TspVersion::V1,
        message_imprint: MessageImprint {
            hash_algorithm: AlgorithmIdentifier {
                oid: SHA_256,
                parameters: Some(Any::encode_from(&Null)?),
            },
            hashed_message: OctetString::new(digest.as_bytes().as_slice())?,
        },
        req_policy: None,
        nonce: Some(Int::new(nonce)?),
        cert_req: true,
        extensions: None,
    }
    .to_der()
}

/// The imprint, the nonce and the time of the stamp that a reply grants.
fn read(reply: &[u8]) -> Result<(Hash256, Option<Vec<u8>>, OffsetDateTime), SinkError> {
    if reply.len() > LONGEST_REPLY {
        return Err(SinkError::new(
            "the time-stamping authority's reply is longer than a time stamp can be",
        ));
    }
    let unreadable = |error: der::Error| SinkError::because("the reply is not a time stamp", error);
    let reply = TimeStampResp::from_der(reply).map_err(unreadable)?;
    let granted = matches!(
        reply.status.status,
        PkiStatus::Accepted | PkiStatus::GrantedWithMods
    );
    let token = reply.time_stamp_token.filter(|_| granted);
    let Some(token) = token.filter(|token| token.content_type == SIGNED_DATA) else {
        return Err(SinkError::new(
            "the time-stamping authority refuses the time stamp",
        ));
    };
    let signed: SignedData = token.content.decode_as().map_err(unreadable)?;
    let Some(content) = signed.encap_content_info.econtent else {
        return Err(SinkError::new("the time stamp is empty"));
    };
    let stamp = TstInfo::from_der(content.value()).map_err(unreadable)?;
    let imprint = stamp.message_imprint;
    let hash = <[u8; 32]>::try_from(imprint.hashed_message.as_bytes());
    let (Ok(hash), SHA_256) = (hash, imprint.hash_algorithm.oid) else {
        return Err(SinkError::new("the time stamp is not over SHA-256"));
    };
    let seconds = stamp.gen_time.to_unix_duration().as_secs();
    let at = i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .ok_or_else(|| SinkError::new("the time stamp's time lies outside the calendar"))?;
    let nonce = stamp.nonce.map(|nonce| nonce.as_bytes().to_vec());
    Ok((Hash256::from_bytes(hash), nonce, at))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    /// Answers with the same bytes whatever is asked.
    #[derive(Debug)]
    struct Recorded(Vec<u8>);

    #[async_trait]
    impl TimeStampTransport for Recorded {
        async fn post(&self, _query: Vec<u8>) -> Result<Vec<u8>, SinkError> {
            Ok(self.0.clone())
        }
    }

    /// Keeps nothing and fails the test: what is not stamped must not come here.
    #[derive(Debug)]
    struct Unreachable;

    #[async_trait]
    impl AnchorSink for Unreachable {
        async fn keep(&self, _anchor: &Anchor) -> Result<(), SinkError> {
            panic!("an anchor without a stamp was kept")
        }
    }

    fn anchor() -> Anchor {
        Anchor {
            msp: "msp".to_owned(),
            number: 1,
            tick: datetime!(2026-11-23 06:30 UTC),
            heads: 5,
            root: Hash256::from_bytes([7; 32]),
            at: datetime!(2026-11-23 12:30 UTC),
            time_stamp: None,
        }
    }

    #[tokio::test]
    async fn whatever_is_not_a_stamp_of_the_anchor_is_refused_and_nothing_is_kept() {
        // A reply that says: rejected.
        let rejected = vec![0x30, 0x05, 0x30, 0x03, 0x02, 0x01, 0x02];
        for (reply, words) in [
            (Vec::new(), "not a time stamp"),
            (b"<html>".to_vec(), "not a time stamp"),
            (vec![0; LONGEST_REPLY + 1], "longer than"),
            (rejected, "refuses"),
        ] {
            let sink = TimeStamps::new(Arc::new(Recorded(reply.clone())), Arc::new(Unreachable));
            let error = sink.keep(&anchor()).await.unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
            let stamped = Anchor {
                time_stamp: Some(STANDARD.encode(reply)),
                ..anchor()
            };
            assert!(verify_imprint(&stamped).is_err());
        }
        assert_eq!(verify_imprint(&anchor()).unwrap(), None);
    }

    #[test]
    fn a_query_is_what_openssl_writes() {
        let query = query(anchor().digest(), &[0x40, 1, 2, 3, 4, 5, 6, 7]).unwrap();
        let read = TimeStampReq::from_der(&query).unwrap();
        assert!(read.cert_req);
        let prefix = "3043020101";
        assert!(crate::hex::encode(&query).starts_with(prefix));
    }
}
