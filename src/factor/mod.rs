//! factor: being built.
