//! The steps by which an administrator creates the API client for a connection, as data, so that a page, a command line and the docs show
//! the same steps.

use serde::Serialize;

use crate::model::{Grant, RegionKey};

/// One step that an administrator takes in NinjaOne or in the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SetupStep {
    /// What to do, in one sentence.
    pub text: String,
    /// What to enter or to choose, as pairs of the field's name in NinjaOne and its value; empty if there is nothing to enter.
    pub values: Vec<(&'static str, String)>,
}

impl SetupStep {
    fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            values: Vec::new(),
        }
    }

    fn value(mut self, field: &'static str, value: impl Into<String>) -> Self {
        self.values.push((field, value.into()));
        self
    }
}

/// The steps that make an API client for a connection of this region, in their order.
///
/// For [`Grant::AuthorizationCode`], `redirect_uri` is the address of the host to which NinjaOne returns the administrator's browser; for
/// client credentials it is `None`.
///
/// ```
/// use regentra_sync::{model::{Grant, RegionKey}, views::setup_steps};
/// let region = RegionKey::parse("eu")?;
/// let steps = setup_steps(&region, Grant::ClientCredentials, None);
/// assert!(steps[0].text.contains("https://eu.ninjarmm.com"));
/// # Ok::<(), regentra_sync::model::UnknownRegion>(())
/// ```
#[must_use]
pub fn setup_steps(region: &RegionKey, grant: Grant, redirect_uri: Option<&str>) -> Vec<SetupStep> {
    let address = region
        .base_url()
        .map_or_else(|_| region.as_str().to_owned(), |base| base.to_string());
    let address = address.trim_end_matches('/');
    let mut steps = vec![
        SetupStep::new(format!(
            "Sign in to NinjaOne at {address} as a system administrator; only they can make API clients."
        )),
        SetupStep::new(
            "Open Administration, Apps, API, then Client app IDs, and add a client app.",
        ),
    ];
    match grant {
        Grant::ClientCredentials => {
            steps.push(
                SetupStep::new("Enter this, and save.")
                    .value("Application platform", "API Services (machine-to-machine)")
                    .value("Name", "Regentra")
                    .value("Scopes", "Monitoring")
                    .value("Allowed grant types", "Client credentials"),
            );
        }
        Grant::AuthorizationCode => {
            steps.push(
                SetupStep::new("Enter this, and save. The redirect URI has to be the same to the letter; NinjaOne may take an hour to notice that it was changed.")
                    .value("Application platform", "Web")
                    .value("Name", "Regentra")
                    .value("Redirect URIs", redirect_uri.unwrap_or("the address that your host names"))
                    .value("Scopes", "Monitoring")
                    .value("Allowed grant types", "Authorization code, Refresh token"),
            );
            steps.push(SetupStep::new(
                "Make an administrator account for this connection alone, which sees every organization, and switch its \
                 notifications off. The connection sees what this account sees, and ends when the account does.",
            ));
        }
    }
    steps.push(SetupStep::new(
        "Copy the client ID and the client secret. NinjaOne shows the secret once.",
    ));
    steps.push(SetupStep::new(match grant {
        Grant::ClientCredentials => {
            "Test the credentials here: the test says how many organizations they see. Then save the connection."
        }
        Grant::AuthorizationCode => {
            "Begin the authorization here, and let that administrator sign in and agree within ten minutes."
        }
    }));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AUTHORIZATION_LIFETIME;

    fn text(steps: &[SetupStep]) -> String {
        let mut lines = Vec::new();
        for step in steps {
            lines.push(step.text.clone());
            let values = step.values.iter();
            lines.extend(values.map(|(field, value)| format!("{field}: {value}")));
        }
        lines.join("\n") + "\n"
    }

    #[test]
    fn both_ways_in_name_the_address_the_scope_and_the_grant_and_only_one_a_redirect() {
        for (region, address) in [
            ("us", "https://app.ninjarmm.com"),
            ("eu", "https://eu.ninjarmm.com"),
            ("acme.rmmservice.com", "https://acme.rmmservice.com"),
        ] {
            let region = RegionKey::parse(region).unwrap();
            let own = text(&setup_steps(&region, Grant::ClientCredentials, None));
            assert!(own.contains(&format!("at {address} as")), "{own}");
            assert!(own.contains("Scopes: Monitoring\n"), "{own}");
            assert!(own.contains("Client credentials\n") && !own.contains("Redirect"));

            let uri = "https://portal.example/ninjaone/callback";
            let code = text(&setup_steps(&region, Grant::AuthorizationCode, Some(uri)));
            assert!(code.contains(&format!("at {address} as")), "{code}");
            assert!(code.contains(&format!("Redirect URIs: {uri}\n")), "{code}");
            assert!(code.contains("Authorization code, Refresh token\n"));
            assert!(
                code.contains("for this connection alone") && code.contains("notifications off")
            );
        }
    }

    #[test]
    fn no_scope_beyond_reading_is_asked_for() {
        let region = RegionKey::parse("us").unwrap();
        for grant in [Grant::ClientCredentials, Grant::AuthorizationCode] {
            let text = text(&setup_steps(&region, grant, None));
            assert!(
                !text.contains("Management") && !text.contains("Control"),
                "{text}"
            );
        }
    }

    #[test]
    fn the_time_to_agree_is_the_one_that_an_authorization_has() {
        assert_eq!(AUTHORIZATION_LIFETIME, time::Duration::minutes(10));
    }
}
