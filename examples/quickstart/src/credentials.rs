//! The client's credentials: from the environment or from standard input, never from arguments, which other users of the machine
//! can read.

use std::io::{BufRead, IsTerminal};

use anyhow::{Context as _, bail};
use ninjaone_client::Credentials;
use regentra_sync::model::is_invisible;
use secrecy::{ExposeSecret as _, SecretString, zeroize::Zeroizing};

/// The variable that holds the client id.
pub const CLIENT_ID: &str = "NINJAONE_CLIENT_ID";
/// The variable that holds the client secret.
pub const CLIENT_SECRET: &str = "NINJAONE_CLIENT_SECRET";

/// What NinjaOne shows once, when an API client is made.
#[derive(Clone, Debug)]
pub struct ApiClient {
    /// The client id.
    pub id: SecretString,
    /// The client secret.
    pub secret: SecretString,
}

impl From<ApiClient> for Credentials {
    fn from(client: ApiClient) -> Self {
        Self::client_credentials(client.id.expose_secret(), client.secret.expose_secret())
    }
}

/// Client id and secret from [`CLIENT_ID`] and [`CLIENT_SECRET`]; what is not set there is read from standard input, a line each, the
/// id first.
///
/// # Errors
///
/// When neither has it.
pub fn read() -> anyhow::Result<ApiClient> {
    let stdin = std::io::stdin();
    let how = || {
        format!(
            "no credentials: set {CLIENT_ID} and {CLIENT_SECRET}, or send both on standard input, a line each. \
             A system administrator creates them in NinjaOne under Administration > Apps > API: \
             an API Services (machine-to-machine) client with the `monitoring` scope"
        )
    };
    if (variable(CLIENT_ID).is_none() || variable(CLIENT_SECRET).is_none()) && stdin.is_terminal() {
        bail!(how());
    }
    let mut lines = stdin.lock();
    let id = variable_or_line(CLIENT_ID, &mut lines)?.with_context(how)?;
    let secret = variable_or_line(CLIENT_SECRET, &mut lines)?.with_context(how)?;
    Ok(ApiClient {
        id: id.as_str().into(),
        secret: secret.as_str().into(),
    })
}

/// An API client that an administrator authorizes.
#[derive(Clone, Debug)]
pub struct Application {
    /// The client id.
    pub id: SecretString,
    /// The client secret; a native application has none.
    pub secret: Option<SecretString>,
}

/// As [`read`], for a client that an administrator authorizes. A native one has no secret, and none is read.
///
/// # Errors
///
/// When neither has what is needed.
pub fn read_application(native: bool) -> anyhow::Result<Application> {
    let stdin = std::io::stdin();
    let is_missing = |name| variable(name).is_none();
    let how = || {
        format!(
            "no credentials: set {CLIENT_ID}, and {CLIENT_SECRET} unless the application is native. A system administrator \
             creates them in NinjaOne under Administration > Apps > API: a Web or Native client with the grants Authorization \
             code and Refresh token, the `monitoring` scope, and the redirect URI"
        )
    };
    if (is_missing(CLIENT_ID) || (!native && is_missing(CLIENT_SECRET))) && stdin.is_terminal() {
        bail!(how());
    }
    let mut lines = stdin.lock();
    let id = variable_or_line(CLIENT_ID, &mut lines)?.with_context(how)?;
    let secret = if native {
        None
    } else {
        let secret = variable_or_line(CLIENT_SECRET, &mut lines)?.with_context(how)?;
        Some(secret.as_str().into())
    };
    Ok(Application {
        id: id.as_str().into(),
        secret,
    })
}

fn variable(name: &str) -> Option<Zeroizing<String>> {
    let value = Zeroizing::new(std::env::var(name).ok()?);
    let value = pasted(&value);
    (!value.is_empty()).then(|| Zeroizing::new(value.to_owned()))
}

/// `None` when it is neither set nor on standard input.
fn variable_or_line(
    name: &str,
    lines: &mut impl BufRead,
) -> anyhow::Result<Option<Zeroizing<String>>> {
    if let Some(value) = variable(name) {
        return Ok(Some(value));
    }
    let mut line = Zeroizing::new(String::new());
    lines
        .read_line(&mut line)
        .context("standard input cannot be read")?;
    let value = Zeroizing::new(pasted(&line).to_owned());
    Ok((!value.is_empty()).then_some(value))
}

/// What was meant to be pasted: without white space and the byte order mark that editors put before a text, and without one
/// pair of quotes around it all. Neither an id nor a secret of NinjaOne has any of them.
fn pasted(text: &str) -> &str {
    let text = text.trim_matches(is_around);
    let pairs = [
        ('"', '"'),
        ('\'', '\''),
        ('`', '`'),
        ('\u{201c}', '\u{201d}'),
        ('\u{201e}', '\u{201c}'),
        ('\u{2018}', '\u{2019}'),
    ];
    let inner = pairs
        .into_iter()
        .find_map(|(left, right)| text.strip_prefix(left)?.strip_suffix(right));
    inner.map_or(text, |inner| inner.trim_matches(is_around))
}

fn is_around(character: char) -> bool {
    character.is_whitespace() || is_invisible(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_or_quotes_around_a_pasted_credential_are_no_part_of_it() {
        for text in [
            "hunter2",
            " hunter2\r\n",
            "\u{feff}hunter2\n",
            "\"hunter2\"",
            "'hunter2'",
            "\u{feff}\"hunter2\"\r\n",
            "\u{201c}hunter2\u{201d}",
            "\u{200b}hunter2",
        ] {
            assert_eq!(pasted(text), "hunter2", "{text:?}");
        }
        for text in ["hun\"ter2", "\"hunter2", "hunter2'", "\"", "hun ter2"] {
            assert_eq!(pasted(text), text);
        }
        for nothing in ["", "\u{feff}\n", "\"\"", "' '"] {
            assert_eq!(pasted(nothing), "", "{nothing:?}");
        }
    }
}
