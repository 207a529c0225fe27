//! A stream of events to a browser (the WHATWG's Server-Sent Events), made by whoever reads it: no task stands behind it, so
//! it ends with its connection.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;

/// The next octets and what comes after them; `None`: it is over.
type Step<S> = Pin<Box<dyn Future<Output = Option<(Bytes, S)>> + Send>>;

/// A body whose next part is made when the one before has left.
struct Steps<S, F> {
    next: Option<Step<S>>,
    step: F,
}

/// An answer that goes on as long as `step` gives something.
pub(super) fn stream<S, F, Fut>(begin: S, step: F) -> Response
where
    S: Send + 'static,
    F: Fn(S) -> Fut + Unpin + Send + 'static,
    Fut: Future<Output = Option<(Bytes, S)>> + Send + 'static,
{
    let step = move |state| -> Step<S> { Box::pin(step(state)) };
    let body = Body::new(Steps { next: Some(step(begin)), step });
    let headers = [(header::CONTENT_TYPE, "text/event-stream; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (headers, body).into_response()
}

/// One event with this text.
pub(super) fn event(text: &str) -> Bytes {
    let lines: String = text.lines().map(|line| format!("data: {line}\n")).collect();
    format!("{lines}\n").into()
}

/// Says nothing, and shows that the connection lives.
pub(super) fn sign_of_life() -> Bytes {
    Bytes::from_static(b":\n\n")
}

impl<S, F> HttpBody for Steps<S, F>
where
    F: Fn(S) -> Step<S> + Unpin,
{
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        let Some(next) = this.next.as_mut() else { return Poll::Ready(None) };
        let Poll::Ready(made) = next.as_mut().poll(cx) else { return Poll::Pending };
        this.next = None;
        let Some((octets, state)) = made else { return Poll::Ready(None) };
        this.next = Some((this.step)(state));
        Poll::Ready(Some(Ok(Frame::data(octets))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_several_lines_is_one_event() {
        assert_eq!(event("<p>\na</p>"), "data: <p>\ndata: a</p>\n\n");
    }

    #[tokio::test]
    async fn it_gives_what_each_step_makes_and_ends_with_the_last() {
        let count = |left: u8| async move { left.checked_sub(1).map(|left| (Bytes::from(vec![b'a' + left]), left)) };
        let body = stream(3, count).into_body();
        assert_eq!(axum::body::to_bytes(body, 100).await.unwrap(), "cba");
    }
}
