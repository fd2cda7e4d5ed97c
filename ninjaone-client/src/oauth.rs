//! OAuth 2.0 as NinjaOne implements it: grants, scopes, tokens. This module does no I/O.
//!
//! The grants are small and the vendor's errors are not standard, so this crate implements them itself. The tests compare every request
//! body with what the `oauth2` crate would send.

use zeroize::Zeroizing;

mod authorization;
mod cache;
mod credentials;
mod pkce;
mod rotation;
mod scope;
mod store;
mod token;
mod token_request;

pub use authorization::{Authorization, AuthorizationCode, PendingAuthorization};
pub(crate) use cache::TokenCache;
pub use credentials::Credentials;
pub(crate) use credentials::TokenGrant;
pub(crate) use rotation::Rotation;
pub use scope::{Scope, Scopes};
pub use store::{MemoryTokenStore, RefreshToken, TokenStore, TokenStoreError};
pub(crate) use token::{Token, TokenAnswer};

/// The path of the token endpoint. `/oauth/token` works too, but disappeared twice on one region in 2024.
pub(crate) const TOKEN_PATH: &str = "/ws/oauth/token";

/// Encodes a form body as RFC 6749 requires.
///
/// The body contains secrets and is wiped on drop. Its whole capacity is reserved at the beginning, because a string that grows leaves
/// copies in memory.
pub(crate) fn form(pairs: &[(&str, &str)]) -> Zeroizing<String> {
    let room = pairs
        .iter()
        .map(|(name, value)| 3 * (name.len() + value.len()) + 2)
        .sum();
    let form = url::form_urlencoded::Serializer::new(String::with_capacity(room))
        .extend_pairs(pairs)
        .finish();
    Zeroizing::new(form)
}
