//! The sync's promises, proven over stores: every law on a store written from the documentation, crashes, tenancies, and random
//! histories against a small model.

mod fourth_store;
