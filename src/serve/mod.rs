//! serve: being built.
