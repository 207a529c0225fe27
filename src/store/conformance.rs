//! The suite that every store must pass: one function that takes a factory, so that each backend runs the very same.
