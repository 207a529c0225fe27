//! Answers, built late: under the request that is answered, with the primary's attributes hidden anew for this hop and
//! the rule's own in their place (rules E3), then signed. Nothing unsigned leaves (E1).

use login::Tick;
use login::answer::{Accept, Answer, Challenge, Reject};
use wire::{
    Attribute, Datagram, Full, HeldAttributes, ReplyAttributes, ReplyCode, ReplyWriter, Salts, SignedReply,
    eap_failure, kind,
};

use super::ask::Request;

/// Text in one attribute (RFC 2865 §5).
const TEXT_MAX: usize = 253;
/// Prompt: what is typed may be seen (RFC 2869 §5.10).
const PROMPT_ECHO: [u8; 4] = [0, 0, 0, 1];
/// MS-CHAP-Error: access denied, don't try again (RFC 2548 §2.1.5; rules E4).
const MSCHAP_DENIED: &[u8] = b"E=691 R=0 V=3";

/// Writes, signs and sends one answer. One that doesn't fit becomes a bare Reject, and an error for the log.
pub(super) fn send(answer: &Answer, request: Request, salt_seed: [u8; 2], at: Tick) -> Result<(), Full> {
    let mut buffer = Datagram::new();
    let Request { context, secret, path, mschap_ident, .. } = request;
    let reply_code = match answer {
        Answer::Accept(_) => ReplyCode::Accept,
        Answer::Reject(_) => ReplyCode::Reject,
        Answer::Challenge(_) => ReplyCode::Challenge,
    };
    let mut writer = context.reply(reply_code, &mut buffer);
    let denial = Denial { eap_identifier: context.eap_identifier(), mschap_ident };
    let signed: Result<SignedReply<'_>, Full> = match answer {
        Answer::Accept(accept) => write_accept(accept, &mut writer, salt_seed),
        Answer::Reject(reject) => write_reject(reject, &denial, &mut writer, salt_seed),
        Answer::Challenge(challenge) => write_challenge(challenge, &mut writer, salt_seed),
    }
    .and_then(|()| writer.sign(&secret));
    match signed {
        Ok(reply) => {
            path.answer(reply, at);
            Ok(())
        }
        Err(full) => {
            // It was sized before anyone was prompted (E3); should it not fit all the same, nobody gets in by half an answer.
            let mut spare = Datagram::new();
            let reject = context.reply(ReplyCode::Reject, &mut spare).sign(&secret)?;
            path.answer(reject, at);
            Err(full)
        }
    }
}

/// How a denial speaks the request's own protocol.
struct Denial {
    eap_identifier: Option<u8>,
    mschap_ident: Option<u8>,
}

fn write_accept(accept: &Accept, writer: &mut ReplyWriter<'_>, salt_seed: [u8; 2]) -> Result<(), Full> {
    accept.attributes().write(writer, accept.reply(), &mut Salts::new(salt_seed))
}

fn write_reject(
    reject: &Reject,
    denial: &Denial,
    writer: &mut ReplyWriter<'_>,
    salt_seed: [u8; 2],
) -> Result<(), Full> {
    if let Some(identifier) = denial.eap_identifier {
        // RFC 3579 §2.6.5: one EAP-Failure and no Reply-Message.
        return writer.push_eap(&eap_failure(identifier));
    }
    if let Some(attributes) = &reject.attributes {
        write_held(attributes, writer, salt_seed)?;
    }
    if let Some(ident) = denial.mschap_ident {
        let value = [&[ident], MSCHAP_DENIED].concat();
        writer.push_vendor(kind::MICROSOFT, kind::MS_CHAP_ERROR, &value)?;
    }
    reject.text.as_deref().map_or(Ok(()), |text| write_text(text, writer))
}

fn write_challenge(challenge: &Challenge, writer: &mut ReplyWriter<'_>, salt_seed: [u8; 2]) -> Result<(), Full> {
    match challenge {
        Challenge::Primary(attributes) => write_held(attributes, writer, salt_seed),
        Challenge::Ours { text, state } => {
            write_text(text, writer)?;
            writer.push(Attribute { kind: kind::STATE, value: state })?;
            writer.push(Attribute { kind: kind::PROMPT, value: &PROMPT_ECHO })
        }
    }
}

fn write_held(attributes: &HeldAttributes, writer: &mut ReplyWriter<'_>, salt_seed: [u8; 2]) -> Result<(), Full> {
    attributes.write(writer, &ReplyAttributes::default(), &mut Salts::new(salt_seed))
}

/// Reply-Message, in as many attributes as the text needs, never split inside a character.
fn write_text(text: &str, writer: &mut ReplyWriter<'_>) -> Result<(), Full> {
    let mut rest = text;
    while !rest.is_empty() {
        let at = rest.floor_char_boundary(TEXT_MAX);
        let (part, tail) = rest.split_at(at);
        writer.push(Attribute { kind: kind::REPLY_MESSAGE, value: part.as_bytes() })?;
        rest = tail;
    }
    Ok(())
}
