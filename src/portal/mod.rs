//! The user's own pages: methods, phones, codes, recent logins. Being built.
