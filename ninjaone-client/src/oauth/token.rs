//! Responses of the token endpoint.

use std::{fmt, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};
use tokio::time::Instant;

/// The lifetime of a token if the response has none.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(3600);

/// A token is renewed this long before it expires.
const RENEW_EARLY: Duration = Duration::from_secs(60);

/// A response of the token endpoint. Of a repeated field, the last value is used.
pub(crate) struct TokenAnswer {
    pub(crate) access_token: SecretString,
    expires_in: Option<Duration>,
    pub(crate) refresh_token: Option<SecretString>,
}

impl<'de> Deserialize<'de> for TokenAnswer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(field_identifier, rename_all = "snake_case")]
        enum Key {
            AccessToken,
            ExpiresIn,
            RefreshToken,
            #[serde(other)]
            Other,
        }

        struct Answer;

        impl<'de> Visitor<'de> for Answer {
            type Value = TokenAnswer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a token answer")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TokenAnswer, A::Error> {
                let (mut access_token, mut expires_in, mut refresh_token) = (None, None, None);
                while let Some(key) = map.next_key()? {
                    match key {
                        Key::AccessToken => access_token = map.next_value()?,
                        Key::ExpiresIn => expires_in = map.next_value::<Seconds>()?.0,
                        Key::RefreshToken => refresh_token = map.next_value()?,
                        Key::Other => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                let wrap = |secret: Option<String>| secret.map(SecretString::from);
                Ok(TokenAnswer {
                    access_token: wrap(access_token)
                        .ok_or_else(|| A::Error::missing_field("access_token"))?,
                    expires_in,
                    refresh_token: wrap(refresh_token)
                        .filter(|secret| !secret.expose_secret().is_empty()),
                })
            }
        }

        deserializer.deserialize_map(Answer)
    }
}

impl TokenAnswer {
    /// Reads a response. The errors of `serde` are dropped, because their texts may quote it.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let answer: Self = serde_json::from_slice(body).ok()?;
        let token = answer.access_token.expose_secret();
        // A text that is invalid in a header is not a token.
        (!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())).then_some(answer)
    }

    pub(crate) fn lifetime(&self) -> Duration {
        self.expires_in.unwrap_or(DEFAULT_LIFETIME)
    }
}

/// An access token in use.
pub(crate) struct Token {
    pub(crate) access: SecretString,
    /// Distinguishes tokens without comparing secrets.
    pub(crate) generation: u64,
    renew_at: Instant,
}

impl Token {
    pub(crate) fn new(
        access: SecretString,
        lifetime: Duration,
        generation: u64,
        now: Instant,
    ) -> Self {
        // A token with a lifetime below two minutes is used for half of its lifetime. A token with a lifetime of zero is used for a second.
        let useful = lifetime
            .saturating_sub(RENEW_EARLY)
            .max(lifetime / 2)
            .max(Duration::from_secs(1));
        let renew_at = now
            .checked_add(useful)
            .unwrap_or_else(|| now + DEFAULT_LIFETIME);
        Self {
            access,
            generation,
            renew_at,
        }
    }

    pub(crate) fn is_fresh(&self, now: Instant) -> bool {
        now < self.renew_at
    }
}

/// Seconds as a number or text. Any other form counts as absent.
struct Seconds(Option<Duration>);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let seconds = value
            .as_f64()
            .or_else(|| value.as_str()?.trim().parse().ok());
        Ok(Self(seconds.and_then(|seconds| {
            Duration::try_from_secs_f64(seconds).ok()
        })))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lifetime(json: &str) -> Duration {
        TokenAnswer::read(json.as_bytes()).unwrap().lifetime()
    }

    #[test]
    fn lifetimes_in_every_form() {
        assert_eq!(
            lifetime(r#"{"access_token":"a","expires_in":60,"token_type":"Bearer"}"#),
            Duration::from_secs(60)
        );
        assert_eq!(
            lifetime(r#"{"access_token":"a","expires_in":"60"}"#),
            Duration::from_secs(60)
        );
        for odd in ["null", "-1", "\"soon\"", "1e300", "{}"] {
            let json = format!(r#"{{"access_token":"a","expires_in":{odd}}}"#);
            assert_eq!(lifetime(&json), DEFAULT_LIFETIME, "{odd}");
        }
        assert_eq!(lifetime(r#"{"access_token":"a"}"#), DEFAULT_LIFETIME);
    }

    #[test]
    fn of_a_field_that_comes_twice_the_later_holds() {
        let answer = TokenAnswer::read(
            br#"{"access_token":"a","refresh_token":"r","expires_in":1,"access_token":"b","refresh_token":"s","expires_in":60,"scope":"\ud800"}"#,
        )
        .unwrap();
        assert_eq!(answer.access_token.expose_secret(), "b");
        assert_eq!(answer.refresh_token.as_ref().unwrap().expose_secret(), "s");
        assert_eq!(answer.lifetime(), Duration::from_secs(60));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for json in [
            "",
            "{}",
            "[]",
            r#"{"access_token":""}"#,
            r#"{"access_token":"a b"}"#,
            r#"{"access_token":"a\nb"}"#,
        ] {
            assert!(TokenAnswer::read(json.as_bytes()).is_none(), "{json}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn renewed_a_minute_early() {
        let now = Instant::now();
        let fresh = |lifetime, after| {
            Token::new(
                SecretString::from("a"),
                Duration::from_secs(lifetime),
                1,
                now,
            )
            .is_fresh(now + Duration::from_secs(after))
        };
        assert!(fresh(3600, 3539));
        assert!(!fresh(3600, 3540));
        assert!(fresh(60, 29));
        assert!(!fresh(60, 30));
        assert!(fresh(0, 0));
        assert!(!fresh(0, 1));
        assert!(fresh(u64::MAX, 3599));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200), lifetime in any::<f64>()) {
            let _ = TokenAnswer::read(&body);
            let _ = TokenAnswer::read(format!(r#"{{"access_token":"a","expires_in":{lifetime}}}"#).as_bytes())
                .map(|answer| Token::new(answer.access_token.clone(), answer.lifetime(), 1, Instant::now()));
        }
    }
}
