//! Logins through real peers: FreeRADIUS before the house and behind it, phones, a notifier, and the program itself under
//! signals. Each test is a promise. A peer that is missing fails its test and says what to install; nothing is skipped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on fails")]

mod accounting;
mod admin;
mod browser;
mod canary;
mod commands;
mod crash;
mod demo;
mod demo_page;
mod documented;
mod first_methods;
mod freeradius_before;
mod freeradius_behind;
mod habits;
mod harness;
mod helpdesk;
mod holding;
mod journeys;
mod letters;
mod mail;
mod next_steps;
mod notifier;
mod operations;
mod outages;
mod page_forgeries;
mod people;
mod phone_page;
mod phones;
mod pins;
mod portal;
mod portal_browser;
mod portal_doors;
mod races;
mod refusals;
mod reloading;
mod resync;
mod spraying;
mod stance;
mod store_app;
mod store_app_logins;
mod twice;
mod web_push;
mod web_push_logins;
