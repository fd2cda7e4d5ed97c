//! The parts that a host provides: its clock, its policy, an anchor sink, and a progress observer.

mod anchor_sink;
mod clock;
mod policy;
mod progress;

#[cfg(feature = "time-stamps")]
pub use self::anchor_sink::{TimeStampTransport, TimeStamps, verify_imprint};
pub(crate) use self::policy::is_elsewhere;
pub use self::{
    anchor_sink::{Anchor, AnchorSink, FileSink, SinkError, SinkErrorKind},
    clock::{Clock, ManualClock, StoreClock, SystemClock, to_micros},
    policy::{DEVICE_CEILING, HostPolicy, LEASE_LENGTH, ORGANIZATION_CEILING, PASSES_TO_CLOSE},
    progress::{Progress, ProgressObserver, Unobserved},
};
