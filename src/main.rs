//! The binary: it hands the command line to the library and turns the outcome into an exit code. Nothing else lives here.

fn main() {}
