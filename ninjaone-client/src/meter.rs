//! Limits the memory that the decoding of one response may take.
//!
//! Two bytes of JSON can become hundreds of bytes of Rust: `{}` is a whole struct. `serde` passes no context to the types it reads, so the
//! limit is stored in the decoding thread while it decodes.

use std::cell::Cell;

#[derive(Clone, Copy)]
struct Allowance {
    /// Bytes left; none while no meter runs.
    left: Option<usize>,
    exceeded: bool,
}

thread_local! {
    static ALLOWANCE: Cell<Allowance> = const { Cell::new(Allowance { left: None, exceeded: false }) };
}

/// A limit that applies on this thread until it is dropped.
pub(crate) struct Meter {
    before: Allowance,
}

impl Meter {
    /// Allows this many bytes from now on.
    pub(crate) fn start(bytes: usize) -> Self {
        let allowance = Allowance {
            left: Some(bytes),
            exceeded: false,
        };
        Self {
            before: ALLOWANCE.replace(allowance),
        }
    }

    /// Whether the limit was exceeded. Stays true from then on.
    #[expect(clippy::unused_self, reason = "only a running meter can be asked")]
    pub(crate) fn is_exceeded(&self) -> bool {
        ALLOWANCE.get().exceeded
    }

    /// The bytes left at this moment.
    #[expect(clippy::unused_self, reason = "only a running meter can be asked")]
    pub(crate) fn left(&self) -> usize {
        ALLOWANCE.get().left.unwrap_or(usize::MAX)
    }

    /// Restores the bytes left to `left`, after what was charged since then has been freed.
    #[expect(clippy::unused_self, reason = "only a running meter can be asked")]
    pub(crate) fn give_back_to(&self, left: usize) {
        let allowance = ALLOWANCE.get();
        ALLOWANCE.set(Allowance {
            left: Some(left),
            ..allowance
        });
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        ALLOWANCE.set(self.before);
    }
}

/// Charges `bytes`. Returns false if fewer are left. Without a meter, everything is allowed.
pub(crate) fn charge(bytes: usize) -> bool {
    let allowance = ALLOWANCE.get();
    let Some(left) = allowance.left else {
        return true;
    };
    let rest = left.checked_sub(bytes);
    ALLOWANCE.set(Allowance {
        left: Some(rest.unwrap_or(0)),
        exceeded: allowance.exceeded || rest.is_none(),
    });
    rest.is_some()
}

/// Charges one more element of a list: its size, and a small allocation that it may own.
pub(crate) fn charge_element<T>() -> bool {
    charge(size_of::<T>() + 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_is_spent_once_and_ends_with_its_meter() {
        assert!(charge(usize::MAX));
        let meter = Meter::start(10);
        let left = meter.left();
        assert!(charge(6));
        meter.give_back_to(left);
        assert!(charge(10));
        assert!(!meter.is_exceeded());
        assert!(!charge(1));
        assert!(meter.is_exceeded());
        drop(meter);
        assert!(charge(usize::MAX));
    }
}
