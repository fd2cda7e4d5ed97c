//! What a process that holds secrets does first.

/// Switches core dumps off: a crash leaves no memory on the disk, nor with a collector of crashes. On Linux no other process of this
/// user may read this one's memory either.
///
/// Where the system refuses it, the process goes on: it is no worse off than before.
pub fn switch_core_dumps_off() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        let _ = setrlimit(Resource::Core, none);
    }
    // A collector that cores are piped to is bound by no limit.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

#[cfg(test)]
mod tests {
    /// In a process of its own: a test binary that cannot be debugged helps nobody.
    #[cfg(target_os = "linux")]
    #[test]
    fn no_core_is_dumped() {
        const CHILD: &str = "REGENTRA_TEST_HARDENED";
        if std::env::var_os(CHILD).is_some() {
            super::switch_core_dumps_off();
            let limits = rustix::process::getrlimit(rustix::process::Resource::Core);
            assert_eq!((limits.current, limits.maximum), (Some(0), Some(0)));
            let dumpable = rustix::process::dumpable_behavior().unwrap();
            assert_eq!(dumpable, rustix::process::DumpableBehavior::NotDumpable);
            return;
        }
        let itself = std::env::current_exe().unwrap();
        let child = std::process::Command::new(itself)
            .args(["--exact", "hardening::tests::no_core_is_dumped"])
            .env(CHILD, "1")
            .status()
            .unwrap();
        assert!(child.success());
    }
}
