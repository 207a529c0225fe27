//! engine: being built.
