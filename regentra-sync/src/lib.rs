#![doc = include_str!("../README.md")]

pub mod facts;

pub use {ninjaone_client, regentra_evidence};
