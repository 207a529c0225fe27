//! The happenings: one type each, by the part of the house that tells them.
//!
//! A happening carries what its line and its counters need, borrowed; it is built where it happens and gone after `emit`.
//! Its fields are facts that are safe to show: callers hash names that nobody vouched for before they come here (rules F2).

mod logins;
mod packets;
mod pages;
mod phones;
mod services;
mod shield;

pub use logins::{FactorAnswered, FactorResult, Held, Joined, LoginEnded, PromptSent, RefusedAgain};
pub use packets::{
    AnswerCode, AnswerUnsent, Answered, Dropped, Received, Retransmitted, StanceLearned, SuspectSecret, UnsentReason,
};
pub use pages::{
    CertificateEnds, CertificateRefused, CertificateTaken, PageDenial, PageDenied, PageRefusal, PageRefused,
    PageUnanswered, PagesOpened, SignInResult, SignInTried,
};
pub use phones::{ApprovedLate, PhonePuzzles, PhoneRefusal, PhoneRefused, SecondKeyCame};
pub use services::{
    AuditTrouble, Committed, DiskFills, MailTrouble, PrimaryAnswered, PrimaryDown, PrimaryResult, PrimaryUp,
    RecordsCut, ReloadRefused, Reloaded, Started, Stopping, StoreRecovered, StoreSpace, StoreTrouble, UpstreamBadReply,
    UpstreamDropped, WebPushResult, WebPushTrouble, WebhookTrouble,
};
pub use shield::{AddressHeld, NameHeld};

/// The target of lines whose sentence says it all: a terminal shows the sentence, JSON adds the fields.
pub(super) const SENTENCE: &str = "vestibule";

/// A duration as people say it: `340 ms`, `2.1 s`.
fn spoken(duration: std::time::Duration) -> String {
    if duration.as_secs() == 0 {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

/// `; 41 more since the last such line`, or nothing.
fn and_more(more: u64) -> String {
    if more == 0 { String::new() } else { format!(" ({more} more since the last such line)") }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
