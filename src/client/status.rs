//! "Are you alive?" is answered here and never proxied (RFC 5997 §3; checklist D12).

use wire::{Datagram, Full, ReplyCode, VerifiedRequest};

use super::Client;

/// Writes the Access-Accept to a Status-Server (RFC 5997 §4.2) and hands its octets on.
pub(super) fn alive(request: &VerifiedRequest<'_>, client: &Client, send: impl FnOnce(&[u8])) -> Result<(), Full> {
    let (context, mut buffer) = (request.context(), Datagram::new());
    let reply = context
        .reply(ReplyCode::Accept, &mut buffer)
        .sign_with(&client.config().secret, client.config().message_authenticator)?;
    send(reply.as_bytes());
    Ok(())
}
