//! Random histories of everything that can happen to a host and in NinjaOne, and the small model they are checked against.

pub mod held_up;
pub mod histories;
pub mod host;
pub mod model;
pub mod step;
pub mod stories;
pub mod truth;
pub mod view;
pub mod world;
