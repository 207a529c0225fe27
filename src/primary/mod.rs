//! primary: being built.
