//! OAuth 2.0 as NinjaOne speaks it: grants, scopes, tokens. Nothing here does I/O.
//!
//! The grants are small and the vendor's errors are its own, so they are written out here; the tests compare every
//! request body with what the `oauth2` crate would send.

mod authorization;
mod cache;
mod credentials;
mod pkce;
mod rotation;
mod scope;
mod store;
mod token;

pub use authorization::{Authorization, AuthorizationCode, PendingAuthorization};
pub use credentials::Credentials;
pub use scope::{Scope, Scopes};
pub use store::{MemoryTokenStore, RefreshToken, TokenStore, TokenStoreError};

pub(crate) use cache::TokenCache;
pub(crate) use credentials::Grant;
pub(crate) use rotation::Rotation;
pub(crate) use token::{Token, TokenAnswer};

/// Where tokens are asked for. `/oauth/token` works too, and vanished twice on one region in 2024.
pub(crate) const TOKEN_PATH: &str = "/ws/oauth/token";

/// Encodes a form body, as RFC 6749 asks for.
pub(crate) fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}
