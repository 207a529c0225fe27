//! enrolment: being built.
