//! The endpoints, in groups: each file holds the parameters and the methods of one group.

#![expect(
    clippy::needless_pass_by_value,
    reason = "parameters are handed over where they are built: list(Params::default())"
)]

use time::OffsetDateTime;

use crate::{DeviceFilter, request::Endpoint};

pub mod activities;
pub mod alerts;
pub mod backup;
pub mod contacts;
pub mod custom_fields;
pub mod device;
pub mod devices;
pub mod groups;
pub mod jobs;
pub mod locations;
mod one_of;
pub mod organizations;
pub mod policies;
pub mod queries;
pub mod roles;
pub mod software;
pub mod tags;
pub mod users;
pub mod vulnerabilities;

pub use one_of::OneOf;

/// Every endpoint that has a method of its own, group by group.
///
/// All others are reached by [`Client::get`](crate::Client::get).
pub fn endpoints() -> impl Iterator<Item = Endpoint> {
    [
        activities::ENDPOINTS,
        alerts::ENDPOINTS,
        backup::ENDPOINTS,
        contacts::ENDPOINTS,
        custom_fields::ENDPOINTS,
        device::ENDPOINTS,
        devices::ENDPOINTS,
        groups::ENDPOINTS,
        jobs::ENDPOINTS,
        locations::ENDPOINTS,
        organizations::ENDPOINTS,
        policies::ENDPOINTS,
        queries::ENDPOINTS,
        roles::ENDPOINTS,
        software::ENDPOINTS,
        tags::ENDPOINTS,
        users::ENDPOINTS,
        vulnerabilities::ENDPOINTS,
    ]
    .into_iter()
    .flatten()
    .flatten()
    .copied()
}

/// A value of a query parameter.
pub(crate) trait Parameter {
    /// What is sent, or nothing when the value says nothing.
    fn text(&self) -> Option<String>;

    /// What is wrong with it.
    fn problem(&self) -> Option<&'static str> {
        None
    }
}

impl Parameter for DeviceFilter {
    fn text(&self) -> Option<String> {
        (!self.is_empty()).then(|| self.to_string())
    }

    fn problem(&self) -> Option<&'static str> {
        self.problem()
    }
}

impl Parameter for String {
    fn text(&self) -> Option<String> {
        Some(self.clone())
    }

    fn problem(&self) -> Option<&'static str> {
        self.trim()
            .is_empty()
            .then_some("a parameter is empty text: leave it out instead")
    }
}

/// Times travel as whole epoch seconds, which live tenants were seen to understand.
impl Parameter for OffsetDateTime {
    fn text(&self) -> Option<String> {
        Some(self.unix_timestamp().to_string())
    }

    fn problem(&self) -> Option<&'static str> {
        (self.unix_timestamp() < 0).then_some("a time before 1970 cannot be asked for")
    }
}

/// Values that are sent as they print.
macro_rules! plain_parameters {
    ($($type:ty),* $(,)?) => {$(
        impl Parameter for $type {
            fn text(&self) -> Option<String> {
                Some(self.to_string())
            }
        }
    )*};
}

plain_parameters!(
    bool,
    u32,
    i64,
    crate::ActivityId,
    crate::DeviceId,
    crate::LocationId,
    crate::OrganizationId,
    crate::models::ActivityType,
    crate::models::HealthStatus,
    crate::models::PatchImpact,
    crate::models::OsPatchSeverity,
    crate::models::PatchStatus,
    crate::models::PatchType,
    crate::models::ProductState,
    crate::models::ServiceState,
    crate::models::SourceType,
    crate::models::UserType,
    crate::models::ActivityClass,
    crate::models::DeviceInclusion,
);

/// A list of names for a parameter, such as `["bitlocker", "filevault"]`.
#[derive(Clone, PartialEq)]
pub struct Names(Vec<String>);

impl<T: Into<String>, const N: usize> From<[T; N]> for Names {
    fn from(names: [T; N]) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<String>> From<Vec<T>> for Names {
    fn from(names: Vec<T>) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}

impl Parameter for Names {
    fn text(&self) -> Option<String> {
        Some(self.0.join(","))
    }

    fn problem(&self) -> Option<&'static str> {
        let wrong = self.0.is_empty()
            || self
                .0
                .iter()
                .any(|name| name.trim().is_empty() || name.contains(','));
        wrong.then_some("a list of names is empty, or a name in it is empty or holds a comma")
    }
}

/// Declares an endpoint.
macro_rules! endpoint {
    ($operation:literal $path:literal $paging:ident) => {
        $crate::request::Endpoint {
            operation: $operation,
            path: $path,
            paging: $crate::request::Paging::$paging,
        }
    };
}

/// Declares the parameters of an endpoint: by-value setters, and the request they make.
///
/// `page_size` gives the size that the client begins with and the range; `at` the placeholders of the path; `flags` setters without a value;
/// `local` what is not sent.
macro_rules! params {
    (
        $(#[$doc:meta])*
        $name:ident = $endpoint:expr;
        $(at ($($place:ident: $place_type:ty),+);)?
        $(page_size $size:literal in $least:literal..=$most:literal;)?
        {$($(#[$field_doc:meta])* $field:ident: $type:ty = $wire:literal;)*}
        $(flags {$($(#[$flag_doc:meta])* $flag:ident = $flag_wire:literal $flag_value:literal;)+})?
        $(local {$($(#[$local_doc:meta])* $local:ident: $local_type:ty;)+})?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Default)]
        #[must_use]
        pub struct $name {
            $($field: Option<$type>,)*
            $(#[doc = concat!("None where the client chooses, which begins with ", $size)] page_size: Option<u32>,)?
            $($($flag: bool,)+)?
            $($($local: Option<$local_type>,)+)?
        }

        impl $name {
            /// The endpoint these parameters are for.
            pub const ENDPOINT: $crate::request::Endpoint = $endpoint;

            $(
                $(#[$field_doc])*
                pub fn $field(mut self, $field: impl Into<$type>) -> Self {
                    self.$field = Some($field.into());
                    self
                }
            )*

            $(
                #[doc = concat!("Rows of a page, ", $least, " to ", $most, ", for every page of the list.")]
                ///
                #[doc = concat!("Default: the client chooses. It begins with ", $size, " and learns from what fails: see")]
                /// [`ClientBuilder::largest_page`](crate::ClientBuilder::largest_page).
                pub fn page_size(mut self, rows: u32) -> Self {
                    self.page_size = Some(rows);
                    self
                }

                /// Rows of a page, as long as the client has not chosen.
                pub(crate) fn page_rows(&self) -> u32 {
                    self.page_size.unwrap_or($size)
                }
            )?

            $($(
                $(#[$flag_doc])*
                pub fn $flag(mut self) -> Self {
                    self.$flag = true;
                    self
                }
            )+)?

            $($(
                $(#[$local_doc])*
                pub fn $local(mut self, $local: impl Into<$local_type>) -> Self {
                    self.$local = Some($local.into());
                    self
                }
            )+)?

            /// The request for the first page, without I/O. Where no page size is set, the client that sends it may choose
            /// another than it names.
            #[must_use]
            pub fn request(&self $($(, $place: $place_type)+)?) -> $crate::request::Request {
                let request = $crate::request::Request::new(Self::ENDPOINT) $($(.at($place))+)?;
                self.fill(request)
            }

            pub(crate) fn fill(&self, request: $crate::request::Request) -> $crate::request::Request {
                #[allow(unused_imports, reason = "parameters without fields need no trait")]
                use $crate::api::Parameter as _;
                $(
                    let request = match &self.$field {
                        Some(value) => request.refused(value.problem()).with_some($wire, value.text()),
                        None => request,
                    };
                )*
                $(
                    let range = $crate::request::PageRange { begin: $size, least: $least, most: $most };
                    let request = request.page_size(self.page_size, range);
                )?
                $($(let request = if self.$flag { request.with($flag_wire, $flag_value) } else { request };)+)?
                request
            }
        }

        // Parameters may name a customer's entity.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

/// Declares a group: what `client.<group>()` returns. Its example is a file of its own, which the tests run against the
/// simulated tenant.
macro_rules! group {
    ($(#[$doc:meta])* $name:ident, $method:ident) => {
        $(#[$doc])*
        ///
        /// ```no_run
        #[doc = include_str!(concat!("examples/", stringify!($method), ".rs"))]
        /// ```
        #[derive(Debug, Clone, Copy)]
        pub struct $name<'a>(pub(crate) &'a $crate::Client);

        impl $crate::Client {
            $(#[$doc])*
            #[must_use]
            pub fn $method(&self) -> $name<'_> {
                $name(self)
            }
        }
    };
}

/// Declares methods without parameters of their own: `Single` answers one object, `Whole` a list that comes all at once.
macro_rules! methods {
    ($group:ident {$(
        $(#[$doc:meta])*
        $kind:ident $method:ident($($place:ident: $place_type:ty),*) -> $row:ty = $operation:literal $path:literal;
    )*}) => {
        const PLAIN: &[$crate::request::Endpoint] = &[$($crate::api::endpoint!($operation $path $kind)),*];

        impl $group<'_> {$(
            $crate::api::methods!(@$kind [$(#[$doc])*] $method($($place: $place_type),*) -> $row = $operation $path);
        )*}
    };
    (@Single [$(#[$doc:meta])*] $method:ident($($place:ident: $place_type:ty),*) -> $row:ty = $operation:literal $path:literal) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// As every request: see [`ErrorKind`](crate::ErrorKind).
        pub async fn $method(self, $($place: $place_type),*) -> Result<$row, $crate::Error> {
            const ENDPOINT: $crate::request::Endpoint = $crate::api::endpoint!($operation $path Single);
            self.0.single(&$crate::request::Request::new(ENDPOINT)$(.at($place))*).await
        }
    };
    (@Whole [$(#[$doc:meta])*] $method:ident($($place:ident: $place_type:ty),*) -> $row:ty = $operation:literal $path:literal) => {
        $(#[$doc])*
        pub fn $method(self, $($place: $place_type),*) -> $crate::Pager<$row> {
            const ENDPOINT: $crate::request::Endpoint = $crate::api::endpoint!($operation $path Whole);
            self.0.pager($crate::request::Request::new(ENDPOINT)$(.at($place))*, $crate::paging::Walk::Whole)
        }
    };
}

/// Puts the lists of one group's endpoints together.
macro_rules! all {
    ($plain:expr; $($endpoint:expr),* $(,)?) => {
        pub(super) const ENDPOINTS: [&[$crate::request::Endpoint]; 2] = [$plain, &[$($endpoint),*]];
    };
}

pub(crate) use all;
pub(crate) use endpoint;
pub(crate) use group;
pub(crate) use methods;
pub(crate) use params;
