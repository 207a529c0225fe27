//! What each reason means and what to do next: one sentence for the log line, for `vestibule user show` and for the staff's page.
//!
//! Whoever reads it explains a login to somebody on the telephone, so each fits one cause only: where two causes ask for two
//! different acts, they are two reasons. The person at the VPN reads none of this (rules D6); see `words`.

use crate::record::Reason;

/// The table; a reason without its line, or with two, doesn't compile.
macro_rules! causes {
    ($($reason:ident => $sentence:literal,)+) => {
        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$reason),+];

            /// What happened, and what to do next.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self {
                    $(Self::$reason => $sentence,)+
                }
            }

            /// The reason of a word in a record; `None`: another version wrote it.
            #[must_use]
            pub fn of_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.as_str() == word)
            }
        }
    };
}

causes! {
    Accepted => "Password and second factor were right.",
    Name => "What was typed can't be a user's name. Ask the user to type the name anew, without spaces or copied characters.",
    Realm => "The domain before or behind the name is not one of ours, or is missing. Add it to [realms], or ask the user to log in with another one.",
    Letters => "The name has letters that the password server may take for others. If it is a real account, add it in just this spelling: vestibule user add NAME.",
    LookAlike => "The name looks like another user's. If they are two people: vestibule user add NAME --not-the-same-as OTHER.",
    Credential => "The appliance sent a kind of login that is not served here. Set its authentication method to PAP.",
    SuspectSecret => "The password could not be read: the shared secret here is probably another one than at the appliance. Set the same one at both ends.",
    EmptyPassword => "The password was empty. Ask the user to type it; if nobody was asked for one, look at the appliance's settings.",
    Primary => "The password server said no: the password was wrong, or the account is locked, expired or unknown there. Look into that server's log.",
    NameHeld => "Strangers typed too many wrong passwords under this name, so the password server is not asked for a while. Ask whether the user typed them, then: vestibule user unblock NAME; or wait.",
    AddressHeld => "Too many different names failed from this address, so the password server is not asked for it for a while. Somebody there may be guessing: block the address at the appliance, or wait.",
    PrimaryQuestion => "The password server asks a question of its own, and this appliance can't show it. Set challenge = true at [client.NAME] if it can, or switch the question off at that server.",
    PrimaryUnavailable => "The password server did not answer. See whether it runs, whether a firewall lets RADIUS through, and whether it knows this host under the same secret.",
    Rule => "A rule of the policy refuses this login. If it should not, change that [[rule]].",
    NoRule => "No rule of the policy fits this login, and what no rule names is refused. Add a [[rule]] for it, or the user to a group that one names: vestibule user group NAME --add GROUP.",
    Undecided => "A fact that a rule needs was missing, so it could not decide. See which rule and which fact, and add the user or set if_unavailable.",
    Unenrolled => "The user has no second factor yet. Issue a code for the first one: vestibule user code NAME.",
    NoMethod => "The user has none of the second factors that the rule asks for. Set one up: vestibule user code NAME; or name another one at that [[rule]].",
    NoToken => "A code was given, and the user has no token that makes one. Add one: vestibule token add NAME totp; or ask the user to log in with the phone.",
    CodeBehind => "This appliance shows no question, so a code must stand behind the password. Tell the user how, or set challenge = true at [client.NAME] if it can show one.",
    PhoneCannot => "No phone of the user can show the number or take the PIN that is asked for. Set the phone up anew in the portal, or ask for less at [client.NAME] or [push].",
    Quiet => "The phone is left in peace for a while, after prompts that were denied or not answered. Ask the user whether these were their own, then: vestibule user unblock NAME; or wait.",
    Blocked => "The account is blocked, by staff or since its user reported a login as not theirs. Once it is cleared up: vestibule user unblock NAME.",
    WrongCode => "The code was wrong. If it happens again, set the phone's clock to automatic, and see that the code is read from the right entry.",
    NotACode => "What was typed at the question is no code: a code has 6 to 8 digits. Ask the user to type the code there, not the password.",
    CodeAhead => "The code was wrong, and the token is likely ahead: it was used elsewhere, or its button was pressed for nothing. Two codes in a row set it right: vestibule token resync.",
    CodesNotTaken => "A code was given, and the rule takes none. Ask the user to log in without it, or name totp or hotp at that [[rule]].",
    SpentCode => "The code was right and had been used before. Ask the user to wait for the next one.",
    CodesLocked => "Codes are off for a while, after too many wrong ones. Ask whether the user typed them, then wait, or: vestibule user unblock NAME.",
    Denied => "Somebody denied it on the phone. Ask the user whether it was their login; if not, their password is known: change it.",
    Fraud => "Somebody reported on the phone that it wasn't them, and the account is blocked. Change the password, then: vestibule user unblock NAME.",
    WrongNumber => "Another number than the screen showed was given on the phone. Once it is a slip: ask the user to log in again; if it was not their login, their password is known: change it.",
    Unanswered => "Nobody answered on the phone in time. Ask the user to open the app and try again; if the phone shows nothing: vestibule device list NAME.",
    Busy => "Another login of this user was waiting for the phone. Ask the user to answer that one first, then to log in again.",
    PromptEnded => "The request on the phone had ended when the login was asked again. Ask the user to log in anew.",
    PushUnavailable => "No phone could be reached: the push service took the message from nobody. See whether this host reaches it, and whether the phone is set up: vestibule device list NAME.",
    StoreUnavailable => "Our own store could not be read or written in time. See whether its disk is full or slow, and whether its owner may write there.",
    StateUnknown => "Nobody here gave out what the appliance sent back (State). It mixed up two logins or changed it, or somebody made it up: look at the appliance if it goes on.",
    StateLate => "The answer to a question came too late, or once more long after the first. Ask the user to log in anew; if it goes on, raise the appliance's timeout.",
    StateSpent => "The question was answered already, and each is good for one answer. Ask the user to log in anew, and to press OK once.",
    StateOther => "The answer belongs to another client's or another person's login. If it goes on, the appliance mixes up logins, or somebody stole a State: see which two they are.",
    StateRestart => "The question was asked before this server was started again. Ask the user to log in anew.",
    Changed => "What the login rested on ended before its answer left, such as the account, the phone or its request. See what, then ask the user to log in anew.",
    PolicyChanged => "The policy was changed while the login waited, and the new one does not let it in so. Ask the user to log in anew.",
    TooLarge => "The answer would not fit into a packet. Let the password server, or reply at the [[rule]], send fewer or shorter attributes.",
    AdminService => "The password server makes this user an administrator of the appliance, and that is not allowed. Set allow_admin = true at [client.NAME], or take Service-Type away there.",
    Unusable => "The password server's answer could not be used. See why, and mend it at that server.",
    Overload => "Too many logins were waiting, so this one was not begun. If nobody attacks the appliance, raise held_sessions in [limits].",
    Draining => "The server was being stopped. Ask the user to log in again; with a second server the appliance does so by itself.",
    Expired => "Nobody answered the question in time. Ask the user to log in again and to type the code at once.",
    ApprovedTooLate => "It was approved on the phone, but the appliance had given up by then. Raise its RADIUS timeout to 60 seconds, and gives_up_after at [client.NAME] to the same.",
    Superseded => "A newer request of the same login took its place. Nothing is to be done; look at the newer one.",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_reasons_share_a_word_or_a_sentence_and_each_refusal_says_what_to_do() {
        for (at, reason) in Reason::ALL.iter().enumerate() {
            let (word, sentence) = (reason.as_str(), reason.sentence());
            let others = Reason::ALL.iter().skip(at + 1);
            assert!(others.clone().all(|other| other.as_str() != word && other.sentence() != sentence), "{word}");
            // Two sentences: what happened, and what to do next.
            let parts = sentence.matches(['.', ';']).count();
            assert!(*reason == Reason::Accepted || parts >= 2, "{word}: {sentence}");
            assert!(sentence.ends_with('.') && sentence.is_ascii() && sentence.len() < 200, "{word}: {sentence}");
        }
    }
}
