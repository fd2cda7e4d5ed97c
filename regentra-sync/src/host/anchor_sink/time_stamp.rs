//! Time stamps by RFC 3161: an authority that the host names signs that an anchor existed at a time.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cmpv2::status::PkiStatus;
use cms::{cert::x509::spki::AlgorithmIdentifier, signed_data::SignedData};
use der::{
    Any, Decode as _, Encode as _, Reader as _, SliceReader, Tag, Tagged as _,
    asn1::{AnyRef, Int, Null, ObjectIdentifier, OctetString},
};
use regentra_evidence::Hash256;
use time::{Date, Duration, Month, OffsetDateTime, PrimitiveDateTime, Time};
use x509_tsp::{MessageImprint, TimeStampReq, TimeStampResp, TsaPolicyId, TspVersion};

use super::{Anchor, AnchorSink, SinkError, SinkErrorKind};

const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");

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
    /// The longest reply of an authority that is read, in bytes; a time stamp is a few thousand.
    pub const LONGEST_REPLY: usize = 256 * 1024;

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
        getrandom::fill(&mut nonce).map_err(|_| {
            let text = "the system's source of randomness does not answer";
            SinkError::new(SinkErrorKind::Other, text)
        })?;
        // A positive number in its shortest form.
        if let Some(first) = nonce.first_mut() {
            *first = (*first & 0x7f) | 0x40;
        }
        let query = query(anchor.digest(), &nonce).map_err(|error| {
            let text = "the time stamp could not be asked for";
            SinkError::new(SinkErrorKind::Other, text).because(error)
        })?;
        let reply = self.authority.post(query).await?;
        let (imprint, echoed, _) = read(&reply)?;
        if imprint != anchor.digest() || echoed.as_deref() != Some(&nonce[..]) {
            let text = "the time-stamping authority stamped something else than it was asked for";
            return Err(SinkError::new(SinkErrorKind::Unreadable, text));
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
        .map_err(|_| SinkError::new(SinkErrorKind::Unreadable, "the time stamp is not base64"))?;
    let (imprint, _, at) = read(&reply)?;
    if imprint == anchor.digest() {
        Ok(Some(at))
    } else {
        let text = "the time stamp is one of something else than its anchor";
        Err(SinkError::new(SinkErrorKind::Unreadable, text))
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
    if reply.len() > TimeStamps::LONGEST_REPLY {
        let text = "the time-stamping authority's reply is longer than a time stamp can be";
        return Err(SinkError::new(SinkErrorKind::Unreadable, text));
    }
    let unreadable = |error: der::Error| {
        let text = "the reply is not a time stamp that can be read";
        SinkError::new(SinkErrorKind::Unreadable, text).because(error)
    };
    let reply = TimeStampResp::from_der(reply).map_err(unreadable)?;
    let granted = matches!(
        reply.status.status,
        PkiStatus::Accepted | PkiStatus::GrantedWithMods
    );
    let token = reply.time_stamp_token.filter(|_| granted);
    let Some(token) = token.filter(|token| token.content_type == SIGNED_DATA) else {
        let text = "the time-stamping authority refuses the time stamp";
        return Err(SinkError::new(SinkErrorKind::Refused, text));
    };
    let signed: SignedData = token.content.decode_as().map_err(unreadable)?;
    let Some(content) = signed.encap_content_info.econtent else {
        let text = "the time stamp is empty";
        return Err(SinkError::new(SinkErrorKind::Unreadable, text));
    };
    let Stamp {
        imprint,
        time,
        nonce,
    } = stamp(content.value()).map_err(unreadable)?;
    let hash = <[u8; 32]>::try_from(imprint.hashed_message.as_bytes());
    let (Ok(hash), SHA_256) = (hash, imprint.hash_algorithm.oid) else {
        let text = "the time stamp is not over SHA-256";
        return Err(SinkError::new(SinkErrorKind::Unreadable, text));
    };
    let at = generalized_time(time).ok_or_else(|| {
        let text = "the time stamp's time cannot be read";
        SinkError::new(SinkErrorKind::Unreadable, text)
    })?;
    Ok((Hash256::from_bytes(hash), nonce, at))
}

/// What is read of a `TSTInfo`.
struct Stamp<'a> {
    imprint: MessageImprint,
    /// The text of its `genTime`.
    time: &'a [u8],
    nonce: Option<Vec<u8>>,
}

/// Reads a `TSTInfo` (RFC 3161, section 2.4.2) by itself: `x509_tsp::TstInfo` takes a `genTime` of whole seconds only, and the RFC
/// allows fractions.
fn stamp(tst_info: &[u8]) -> der::Result<Stamp<'_>> {
    let mut reader = SliceReader::new(tst_info)?;
    let stamp = reader.sequence(|fields| {
        TspVersion::decode(fields)?;
        TsaPolicyId::decode(fields)?;
        let imprint = MessageImprint::decode(fields)?;
        Int::decode(fields)?;
        let time = AnyRef::decode(fields)?;
        time.tag().assert_eq(Tag::GeneralizedTime)?;
        // Accuracy, ordering, nonce, the authority's name and extensions: each may be missing, and none comes twice.
        let (mut nonce, mut last) = (None, 0);
        while !fields.is_finished() {
            let field = AnyRef::decode(fields)?;
            let place = match field.tag() {
                Tag::Sequence => 1,
                Tag::Boolean => 2,
                Tag::Integer => 3,
                Tag::ContextSpecific { number, .. } if number.value() < 2 => 4 + number.value(),
                tag => return Err(tag.unexpected_error(None)),
            };
            if place <= last {
                return Err(field.tag().value_error());
            }
            last = place;
            if place == 3 {
                nonce = Some(field.decode_as::<Int>()?.as_bytes().to_vec());
            }
        }
        Ok(Stamp {
            imprint,
            time: time.value(),
            nonce,
        })
    })?;
    reader.finish(stamp)
}

/// The time of a `genTime`: `YYYYMMDDhhmmss[.f...]Z`, in UTC, without zeros at the end of the fraction (RFC 3161, section 2.4.2, and
/// DER). What is finer than a microsecond is cut off. A leap second is the second after it, as clocks count that know none.
fn generalized_time(text: &[u8]) -> Option<OffsetDateTime> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 14 || !is_digits(whole) {
        return None;
    }
    let micros = match fraction {
        None => 0,
        Some(fraction) if fraction.is_empty() || fraction.ends_with('0') => return None,
        Some(fraction) if is_digits(fraction) => {
            let digits: String = fraction.chars().chain("000000".chars()).take(6).collect();
            digits.parse().ok()?
        }
        Some(_) => return None,
    };
    let number = |range: std::ops::Range<usize>| whole.get(range)?.parse::<u8>().ok();
    let year = whole.get(0..4)?.parse().ok()?;
    let month = Month::try_from(number(4..6)?).ok()?;
    let date = Date::from_calendar_date(year, month, number(6..8)?).ok()?;
    let (hour, minute, second) = (number(8..10)?, number(10..12)?, number(12..14)?);
    let is_leap = (hour, minute, second) == (23, 59, 60);
    let second = if is_leap { 59 } else { second };
    let time = Time::from_hms_micro(hour, minute, second, micros).ok()?;
    let at = PrimitiveDateTime::new(date, time).assume_utc();
    at.checked_add(Duration::seconds(i64::from(is_leap)))
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
            (vec![0; TimeStamps::LONGEST_REPLY + 1], "longer than"),
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
    fn times_of_stamps_are_read_to_the_microsecond_and_nothing_else_is_taken_for_one() {
        for (text, at) in [
            ("20261123063000Z", datetime!(2026-11-23 06:30 UTC)),
            ("20261123063000.5Z", datetime!(2026-11-23 06:30:00.5 UTC)),
            (
                "20261123063000.123456Z",
                datetime!(2026-11-23 06:30:00.123_456 UTC),
            ),
            (
                "20261123063000.000001Z",
                datetime!(2026-11-23 06:30:00.000_001 UTC),
            ),
            (
                "20261123063000.1234567891Z",
                datetime!(2026-11-23 06:30:00.123_456 UTC),
            ),
            (
                "20261123235959.999999Z",
                datetime!(2026-11-23 23:59:59.999_999 UTC),
            ),
            ("20240229000000Z", datetime!(2024-02-29 00:00 UTC)),
            ("00010101000000Z", datetime!(0001-01-01 00:00 UTC)),
            ("19491231235959Z", datetime!(1949-12-31 23:59:59 UTC)),
            (
                "99991231235959.999999Z",
                datetime!(9999-12-31 23:59:59.999_999 UTC),
            ),
            ("20161231235960Z", datetime!(2017-01-01 00:00 UTC)),
            ("20161231235960.25Z", datetime!(2017-01-01 00:00:00.25 UTC)),
        ] {
            assert_eq!(generalized_time(text.as_bytes()), Some(at), "{text}");
        }
        for text in [
            "",
            "Z",
            "20261123063000",
            "20261123063000z",
            "20261123063000+0000",
            "20261123063000.5+0100",
            "202611230630Z",
            "2026112306300Z",
            "202611230630000Z",
            "20261123063000.Z",
            "20261123063000.0Z",
            "20261123063000.50Z",
            "20261123063000,5Z",
            "20261123063000.5.5Z",
            "20261123063000.-5Z",
            "20261123063000.5eZ",
            "20261123063000Z ",
            " 20261123063000Z",
            "+0261123063000Z",
            "2026112306300\u{0663}Z",
            "20261301063000Z",
            "20261100063000Z",
            "20261131063000Z",
            "20250229063000Z",
            "20261123240000Z",
            "20261123066000Z",
            "20261123063060Z",
            "20261123235961Z",
            "99991231235960Z",
        ] {
            assert_eq!(generalized_time(text.as_bytes()), None, "{text}");
        }
        assert_eq!(generalized_time(&[0xff; 15]), None);
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
