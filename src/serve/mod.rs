//! serve: being built.

pub mod http;
pub mod ops;
