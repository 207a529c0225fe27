//! What happens to packets: received, answered, retransmitted, dropped (rules B1, E2, E6).
//!
//! These are told for every packet, so they count on kept handles and write at most one line a minute.

use std::fmt::Display;
use std::net::SocketAddr;

use super::{SENTENCE, and_more};
use crate::telemetry::{ClientMeters, DropReason, Happening, Telemetry, sealed};

/// What an answer was, in `vestibule_answers_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerCode {
    /// Access-Accept.
    Accept,
    /// Access-Reject.
    Reject,
    /// Access-Challenge.
    Challenge,
    /// The answer to Status-Server (RFC 5997), which is an Access-Accept on the wire and lets nobody in.
    Status,
    /// Accounting-Response.
    Accounting,
}

impl AnswerCode {
    /// Every code.
    pub const ALL: [Self; 5] = [Self::Accept, Self::Reject, Self::Challenge, Self::Status, Self::Accounting];

    /// The word in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Challenge => "challenge",
            Self::Status => "status",
            Self::Accounting => "accounting",
        }
    }
}

/// A packet of a known client came in.
#[derive(Debug)]
pub struct Received<'a> {
    /// Whose.
    pub client: &'a ClientMeters,
}

impl sealed::Sealed for Received<'_> {}
impl Happening for Received<'_> {
    fn tell(self, _: &Telemetry) {
        self.client.requests().increment(1);
    }
}

/// An answer left.
#[derive(Debug)]
pub struct Answered<'a> {
    /// To whom.
    pub client: &'a ClientMeters,
    /// What it was.
    pub code: AnswerCode,
}

impl sealed::Sealed for Answered<'_> {}
impl Happening for Answered<'_> {
    fn tell(self, _: &Telemetry) {
        self.client.answers(self.code).increment(1);
    }
}

/// Why an answer did not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnsentReason {
    /// The kernel's buffer and our queue were full, or the kernel had no memory.
    Overload,
    /// The kernel refused: no route, a firewall, a source address that is gone.
    Refused,
}

impl UnsentReason {
    /// Every reason.
    pub const ALL: [Self; 2] = [Self::Overload, Self::Refused];

    /// The word in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Overload => "overload",
            Self::Refused => "refused",
        }
    }

    const fn mend(self) -> &'static str {
        match self {
            Self::Overload => {
                "nothing is lost, the appliance asks again; if it lasts, look what fills this host's network"
            }
            Self::Refused => "check the route and the firewall to this client",
        }
    }
}

/// An answer was ready and could not leave (rules E6); the appliance's repetition gets the same octets (B1).
pub struct AnswerUnsent<'a> {
    /// Why, in a word.
    pub reason: UnsentReason,
    /// To whom.
    pub to: SocketAddr,
    /// What the kernel said.
    pub why: &'a dyn Display,
}

impl sealed::Sealed for AnswerUnsent<'_> {}
impl Happening for AnswerUnsent<'_> {
    fn tell(self, telemetry: &Telemetry) {
        let (counter, gate) = telemetry.service().unsent(self.reason);
        counter.increment(1);
        if let Some(more) = gate.admit(telemetry.now()) {
            let (to, why, reason, mend, more) =
                (self.to, self.why, self.reason.as_str(), self.reason.mend(), and_more(more));
            tracing::warn!(target: SENTENCE, %to, reason, "an answer to {to} could not be sent: {why}. What to do: {mend}{more}");
        }
    }
}

/// The same request again: absorbed, or answered with the same bytes (rules B1).
#[derive(Debug)]
pub struct Retransmitted<'a> {
    /// Whose.
    pub client: &'a ClientMeters,
}

impl sealed::Sealed for Retransmitted<'_> {}
impl Happening for Retransmitted<'_> {
    fn tell(self, telemetry: &Telemetry) {
        self.client.retransmits().increment(1);
        let client = self.client.name();
        if let Some(more) = telemetry.gate("retransmitted", client).admit(telemetry.now()) {
            let more = and_more(more);
            tracing::info!(
                target: SENTENCE, client,
                "{client}: a packet came again (the same Identifier and Authenticator), which is no second login{more}"
            );
        }
    }
}

/// A packet gets no answer (rules E6).
pub struct Dropped<'a> {
    /// Whose; [`Telemetry::unknown_client`] where no `[client]` has the address.
    pub client: &'a ClientMeters,
    /// From where.
    pub peer: SocketAddr,
    /// Why.
    pub reason: DropReason,
    /// What exactly, if there is more to say: never the packet's content. Written only when the line is.
    pub detail: Option<&'a dyn Display>,
    /// What mends it, where the caller knows better than [`DropReason::mend`]: the appliance's own setting, say.
    pub help: Option<&'a str>,
}

impl sealed::Sealed for Dropped<'_> {}
impl Happening for Dropped<'_> {
    fn tell(self, telemetry: &Telemetry) {
        let Some((counter, gate)) = self.client.drops(self.reason) else { return };
        counter.increment(1);
        if !self.reason.is_trouble() {
            tracing::debug!(target: SENTENCE, client = self.client.name(), reason = self.reason.as_str(), "packet dropped: {}", self.reason.what());
        } else if let Some(more) = gate.admit(telemetry.now()) {
            self.write(more);
        }
    }
}

impl Dropped<'_> {
    fn write(&self, more: u64) {
        let (client, peer, reason) = (self.client.name(), self.peer, self.reason);
        let detail = self
            .detail
            .map(|detail| format!(" ({})", wire::log_safe(detail.to_string().as_bytes())))
            .unwrap_or_default();
        let help = self.help.unwrap_or(reason.mend());
        let more = and_more(more);
        tracing::warn!(
            target: SENTENCE, client, %peer, reason = reason.as_str(), help,
            "{client} at {peer}: packet dropped, {}{detail}. What to do: {help}{more}", reason.what()
        );
    }
}

/// A password that decodes to control octets: the shared secret is probably another (rules D5). Told also for clients that
/// must sign, whose request is then answered with a Reject.
#[derive(Debug)]
pub struct SuspectSecret<'a> {
    /// Whose.
    pub client: &'a ClientMeters,
}

impl sealed::Sealed for SuspectSecret<'_> {}
impl Happening for SuspectSecret<'_> {
    fn tell(self, telemetry: &Telemetry) {
        let (counter, gate) = self.client.suspect_secret();
        counter.increment(1);
        if let Some(more) = gate.admit(telemetry.now()) {
            let (client, reason, more) = (self.client.name(), DropReason::SuspectSecret, and_more(more));
            tracing::warn!(target: SENTENCE, client, "{client}: {}. What to do: {}{more}", reason.what(), reason.mend());
        }
    }
}

/// A client's stance went from `auto` to `yes`, for good (rules E2).
#[derive(Debug)]
pub struct StanceLearned<'a> {
    /// Whose.
    pub client: &'a ClientMeters,
}

impl sealed::Sealed for StanceLearned<'_> {}
impl Happening for StanceLearned<'_> {
    fn tell(self, _: &Telemetry) {
        let client = self.client.name();
        tracing::info!(
            target: SENTENCE, client,
            "{client}: every packet was signed, so Message-Authenticator is required from now on; `vestibule client forget {client}` undoes it"
        );
    }
}
