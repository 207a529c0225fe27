//! The form in which a login's record is written: one JSON object in one line, in the words of design §6.
//!
//! A name that neither a primary vouched for nor the store knows is written as a keyed hash, because people type
//! passwords where their name belongs (rules F2). Octets from the wire are made safe to show first.
