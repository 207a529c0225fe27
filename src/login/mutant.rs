//! Saboteurs for the simulation: each breaks one rule at the line that holds it, so that a test can show that
//! the simulation notices. In a product build [`is`] is a constant `false` and leaves no trace.

/// One way to break one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// A State is taken from any client (C3).
    StateUnbound,
    /// The Accept leaves before the release is durable (A6, F2).
    AnswerBeforeCommit,
    /// An approval after a denial opens the door (A8).
    DenialRevived,
    /// A re-ask joins whatever its password is (B2).
    JoinOnWrongPassword,
    /// A request joins a login that is not its own (B2).
    StrangerJoins,
    /// Each re-ask rings the phone again (B1, B2).
    PromptPerRetransmit,
    /// A step below the last used one is taken again (C1).
    StepUsedTwice,
    /// An Accept leaves without the last look (A6).
    ReleaseUnchecked,
    /// A fact that is not known counts as false (A4).
    UnknownIsFalse,
    /// An Accept is repeated to another credential (B2).
    AcceptToAnotherCredential,
    /// An answer of the primary counts whatever request it belongs to (A2, E1).
    ForgedPrimary,
    /// A rejected split password is tried again unsplit (C4).
    AppendTriedUnsplit,
    /// A push leaves before its prompt is claimed (B3).
    PromptUnclaimed,
    /// A spent State is taken once more (C3).
    StateSpentTwice,
    /// A yes counts for whatever login waits at the prompt, not for the one whose number was chosen (B2, F8).
    ApprovalOfAnother,
    /// A phone's no is read as a yes (F5).
    DeclineReadAsApproval,
    /// A bypass opens a door and stays unspent (F4).
    BypassSpentTwice,
    /// An Accept is repeated whatever changed since (A6).
    RepeatUnchecked,
    /// A push that was asked for less than the law now requires opens a door (G2, F8).
    WeakerPushReleased,
    /// A release of which one learns after the deadline is an Accept (C1).
    LateGrantTaken,
    /// A name that nobody knows counts as outside of each group (A2).
    StrangerOutsideOfGroups,
    /// A primary is asked about letters that it may not tell apart (A2).
    LettersUnasked,
    /// A look-alike of another user goes on (A2).
    LookAlikeTaken,
    /// A packet without Message-Authenticator is told that the phone is taken, while its equal is held (D5).
    BareRefusedBeside,
    /// Everybody who waits without Message-Authenticator is answered (D5).
    BareAllAnswered,
    /// A login that nobody could check is answered all the same (A10).
    UncheckedIsRefused,
    /// However many wrong numbers are typed, each is a slip (F8, D2).
    SlipsUncounted,
    /// No name is ever held back (D7).
    ShieldDown,
    /// Tries that are under way count for nothing until they have failed (D7).
    ShieldCountsLate,
    /// A stranger's failures hold a known station back (D7).
    ShieldHoldsEverybody,
    /// A refusal after the primary's Accept leaves sooner than its rejection would (D6).
    RefusedTooSoon,
    /// A name that is held back is asked about though its owner said nothing (D7).
    OwnerUnasked,
}

impl Mutant {
    /// Every saboteur.
    pub const ALL: [Self; 32] = [
        Self::StateUnbound,
        Self::AnswerBeforeCommit,
        Self::DenialRevived,
        Self::JoinOnWrongPassword,
        Self::StrangerJoins,
        Self::PromptPerRetransmit,
        Self::StepUsedTwice,
        Self::ReleaseUnchecked,
        Self::UnknownIsFalse,
        Self::AcceptToAnotherCredential,
        Self::ForgedPrimary,
        Self::AppendTriedUnsplit,
        Self::PromptUnclaimed,
        Self::StateSpentTwice,
        Self::ApprovalOfAnother,
        Self::DeclineReadAsApproval,
        Self::BypassSpentTwice,
        Self::RepeatUnchecked,
        Self::WeakerPushReleased,
        Self::LateGrantTaken,
        Self::StrangerOutsideOfGroups,
        Self::LettersUnasked,
        Self::LookAlikeTaken,
        Self::BareRefusedBeside,
        Self::BareAllAnswered,
        Self::UncheckedIsRefused,
        Self::SlipsUncounted,
        Self::ShieldDown,
        Self::ShieldCountsLate,
        Self::ShieldHoldsEverybody,
        Self::RefusedTooSoon,
        Self::OwnerUnasked,
    ];
}

#[cfg(feature = "mutants")]
mod active {
    use super::Mutant;
    use std::cell::Cell;

    thread_local! {
        static ACTIVE: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    /// Lets one saboteur loose on this thread, or none.
    pub fn set(mutant: Option<Mutant>) {
        ACTIVE.set(mutant);
    }

    /// Whether this saboteur is at work on this thread.
    #[must_use]
    pub fn is(mutant: Mutant) -> bool {
        ACTIVE.get() == Some(mutant)
    }
}

#[cfg(feature = "mutants")]
pub use active::{is, set};

/// Whether this saboteur is at work: never, in a product build.
#[cfg(not(feature = "mutants"))]
#[must_use]
pub const fn is(_: Mutant) -> bool {
    false
}
