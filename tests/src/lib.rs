//! A simulated NinjaOne tenant.
