//! Answers, built late: under the request that is answered, with the primary's attributes hidden anew for this hop and
//! the rule's own in their place (rules E3), then signed. Nothing leaves unsigned, but as rules E1 allow a client.

use login::Tick;
use login::answer::{Accept, Answer, Challenge, Reject, Text};
use wire::{
    Attribute, Datagram, Full, HeldAttributes, ReplyAttributes, ReplyCode, ReplyWriter, Salts, SignedReply,
    eap_failure, kind,
};

use super::ask::Request;
use crate::language::{self, Language};

/// Text in one attribute (RFC 2865 §5).
const TEXT_MAX: usize = 253;
/// Prompt: what is typed may be seen (RFC 2869 §5.10).
const PROMPT_ECHO: [u8; 4] = [0, 0, 0, 1];
/// MS-CHAP-Error: access denied, don't try again (RFC 2548 §2.1.5; rules E4).
const MSCHAP_DENIED: &[u8] = b"E=691 R=0 V=3";

/// Writes, signs and sends one answer. One that doesn't fit becomes a Reject without words, in the request's own
/// protocol, and an error for the log.
pub(super) fn send(answer: &Answer, request: Request, salt_seed: [u8; 2], at: Tick) -> Result<(), Full> {
    let mut buffer = Datagram::new();
    let Request { context, secret, placed, path, mschap_ident, .. } = request;
    let reply_code = match answer {
        Answer::Accept(_) => ReplyCode::Accept,
        Answer::Reject(_) => ReplyCode::Reject,
        Answer::Challenge(_) => ReplyCode::Challenge,
    };
    let mut writer = context.reply(reply_code, &mut buffer);
    let denial = Denial { eap_identifier: context.eap_identifier(), mschap_ident };
    let signed: Result<SignedReply<'_>, Full> = match answer {
        Answer::Accept(accept) => write_accept(accept, &mut writer, salt_seed),
        Answer::Reject(reject) => write_reject(reject, &denial, &mut writer),
        Answer::Challenge(challenge) => write_challenge(challenge, &mut writer, salt_seed),
    }
    .and_then(|()| writer.sign_with(&secret, placed));
    match signed {
        Ok(reply) => {
            path.answer(reply, at);
            Ok(())
        }
        Err(full) => {
            // It was sized before anyone was prompted (E3); should it not fit all the same, nobody gets in by half an answer.
            let mut spare = Datagram::new();
            let mut writer = context.reply(ReplyCode::Reject, &mut spare);
            // Each is whole or not there; the request held more octets and attributes than this takes.
            let _ = denial.write(&mut writer);
            path.answer(writer.sign_with(&secret, placed)?, at);
            Err(full)
        }
    }
}

/// How a denial speaks the request's own protocol.
struct Denial {
    eap_identifier: Option<u8>,
    mschap_ident: Option<u8>,
}

impl Denial {
    /// One EAP-Failure, or MS-CHAP's error without retry (rules E4); nothing for other requests.
    fn write(&self, writer: &mut ReplyWriter<'_>) -> Result<(), Full> {
        if let Some(identifier) = self.eap_identifier {
            return writer.push_eap(&eap_failure(identifier));
        }
        let Some(ident) = self.mschap_ident else { return Ok(()) };
        writer.push_vendor(kind::MICROSOFT, kind::MS_CHAP_ERROR, &[&[ident], MSCHAP_DENIED].concat())
    }
}

fn write_accept(accept: &Accept, writer: &mut ReplyWriter<'_>, salt_seed: [u8; 2]) -> Result<(), Full> {
    accept.attributes().write(writer, accept.reply(), &mut Salts::new(salt_seed))
}

fn write_reject(reject: &Reject, denial: &Denial, writer: &mut ReplyWriter<'_>) -> Result<(), Full> {
    if denial.eap_identifier.is_some() {
        // RFC 3579 §2.6.5: one EAP-Failure and no Reply-Message.
        return denial.write(writer);
    }
    denial.write(writer)?;
    match &reject.text {
        None => Ok(()),
        Some(Text::Ours(reason)) => write_text(&language::refusal(spoken(reject.language.as_deref()), *reason), writer),
        Some(Text::EnrolAt(portal)) => {
            write_text(&language::enrol_at(spoken(reject.language.as_deref()), portal), writer)
        }
        Some(Text::Quiet(minutes)) => {
            write_text(&language::quiet(spoken(reject.language.as_deref()), *minutes), writer)
        }
        Some(Text::AppendCode(delimiter)) => {
            write_text(&language::append_code(spoken(reject.language.as_deref()), delimiter), writer)
        }
        Some(Text::Rule(text)) => write_text(text, writer),
    }
}

fn write_challenge(challenge: &Challenge, writer: &mut ReplyWriter<'_>, salt_seed: [u8; 2]) -> Result<(), Full> {
    match challenge {
        Challenge::Primary(attributes) => write_held(attributes, writer, salt_seed),
        Challenge::Ours { say, language, state } => {
            write_text(&language::challenge(spoken(language.as_deref()), *say), writer)?;
            writer.push(Attribute { kind: kind::STATE, value: state })?;
            writer.push(Attribute { kind: kind::PROMPT, value: &PROMPT_ECHO })
        }
    }
}

fn write_held(attributes: &HeldAttributes, writer: &mut ReplyWriter<'_>, salt_seed: [u8; 2]) -> Result<(), Full> {
    attributes.write(writer, &ReplyAttributes::default(), &mut Salts::new(salt_seed))
}

/// The language that the user chose, or English.
fn spoken(tag: Option<&str>) -> Language {
    tag.and_then(Language::of_tag).unwrap_or_default()
}

/// One Reply-Message: pam_radius and proftpd show the first alone. Our texts fit (`language`'s and `config`'s tests), and
/// one that a site's long address stretches is cut between two characters.
fn write_text(text: &str, writer: &mut ReplyWriter<'_>) -> Result<(), Full> {
    let (shown, _) = text.split_at(text.floor_char_boundary(TEXT_MAX));
    if shown.is_empty() {
        return Ok(());
    }
    writer.push(Attribute { kind: kind::REPLY_MESSAGE, value: shown.as_bytes() })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use wire::{Code, Demand, PacketView, RequestWriter, Secret, SharedSecret};

    use super::*;
    use crate::engine::ReturnPath;
    use crate::telemetry::Telemetry;

    struct Keeps(Arc<Mutex<Vec<u8>>>);

    impl ReturnPath for Keeps {
        fn answer(self: Box<Self>, reply: SignedReply<'_>, _: Tick) {
            *self.0.lock().unwrap() = reply.as_bytes().to_vec();
        }

        fn supersede(self: Box<Self>, _: Tick) {}

        fn overload(self: Box<Self>) {}

        fn unchecked(self: Box<Self>) {}
    }

    /// As large as it can be, so that a Proxy-State beside it is too much.
    fn question_of_the_primary() -> Arc<HeldAttributes> {
        let secret = SharedSecret::new(Secret::new("between us"));
        let (mut asked, mut answered) = (Datagram::new(), Datagram::new());
        let sent = RequestWriter::new(Code::AccessRequest, 1, [1; 16], &mut asked).sign(&secret);
        let context = PacketView::parse(sent.as_bytes()).unwrap().verify(&secret, Demand::Required).unwrap().context();
        let mut reply = context.reply(ReplyCode::Challenge, &mut answered);
        (0..15).for_each(|_| reply.push(Attribute::new(kind::REPLY_MESSAGE, &[b'x'; 253])).unwrap());
        reply.push(Attribute::new(kind::REPLY_MESSAGE, &[b'x'; 200])).unwrap();
        let reply = reply.sign(&secret).unwrap();
        let view = PacketView::parse(reply.as_bytes()).unwrap();
        let reply = view.verify_reply(&secret, &sent, Demand::Required).unwrap();
        Arc::new(HeldAttributes::decode(&reply, &secret).unwrap())
    }

    /// What leaves instead of a question that is longer than a packet, to a request with these attributes.
    fn instead_of_too_much(list: &[(u8, &[u8])]) -> Vec<(u8, Vec<u8>)> {
        let (secret, mut buffer) = (SharedSecret::new(Secret::new("xyzzy5461")), Datagram::new());
        let mut writer = RequestWriter::new(Code::AccessRequest, 7, [9; 16], &mut buffer);
        list.iter().for_each(|(kind, value)| writer.push(Attribute { kind: *kind, value }).unwrap());
        let asked = writer.sign(&secret);
        let asked = PacketView::parse(asked.as_bytes()).unwrap().verify(&secret, Demand::Required).unwrap();
        let sent = Arc::default();
        let request = Request {
            context: asked.context(),
            meters: Telemetry::new().client(&login::ClientName::new("asa")),
            path: Box::new(Keeps(Arc::clone(&sent))),
            mschap_ident: asked.mschap2().map(|response| response.identifier),
            on_primary_reject: None,
            secret,
            placed: wire::Placed::First,
        };
        let question = Challenge::Primary(question_of_the_primary());
        assert_eq!(send(&Answer::Challenge(question), request, [0; 2], Tick(0)), Err(Full));
        let octets = sent.lock().unwrap().clone();
        let reply = PacketView::parse(&octets).unwrap();
        assert_eq!(reply.code(), Code::AccessReject);
        reply.attributes().skip(1).map(|attribute| (attribute.kind, attribute.value.to_vec())).collect()
    }

    const PROXY: (u8, &[u8]) = (33, &[b'1'; 60]);

    #[test]
    fn what_leaves_instead_of_an_answer_that_does_not_fit_is_one_eap_failure_to_an_eap_asker() {
        let sent = instead_of_too_much(&[PROXY, (79, &[2, 77, 0, 5, 1])]);
        assert_eq!(sent, [(79, vec![4, 77, 0, 4]), (33, vec![b'1'; 60])], "rules E4: and no Reply-Message");
    }

    #[test]
    fn what_leaves_instead_of_an_answer_that_does_not_fit_says_access_denied_in_ms_chap() {
        let microsoft =
            |kind: u8, value: &[u8]| [&[0, 0, 1, 55, kind, u8::try_from(value.len() + 2).unwrap()][..], value].concat();
        let (challenge, response) = (microsoft(11, &[3; 16]), microsoft(25, &[&[42][..], &[1; 49]].concat()));
        let sent = instead_of_too_much(&[PROXY, (26, &challenge), (26, &response)]);
        let error = microsoft(2, b"\x2aE=691 R=0 V=3");
        assert_eq!(sent, [(26, error), (33, vec![b'1'; 60])], "rules E4");
    }

    #[test]
    fn what_leaves_instead_of_an_answer_that_does_not_fit_is_a_bare_reject_to_others() {
        assert_eq!(instead_of_too_much(&[PROXY]), [(33, vec![b'1'; 60])]);
    }
}
