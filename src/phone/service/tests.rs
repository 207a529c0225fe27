//! The service over its routes, with a store and an engine of the tests.
