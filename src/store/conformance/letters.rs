//! Letters that wait for the mail server.

use wire::Secret;

use super::{NOW, Site, after};

fn text(n: u32) -> Secret {
    Secret::new(format!("Dear {n}"))
}

pub(crate) async fn letters_wait_until_they_are_done(site: &impl Site) {
    let store = site.open();
    let first = store.post(text(1), NOW).await.unwrap();
    let second = store.post(text(2), after(1)).await.unwrap();
    assert_eq!(site.open().post(text(1), NOW).await.unwrap(), first, "posted again it is the same letter");
    assert_ne!(store.post(text(1), after(9)).await.unwrap(), first, "at another time it is another one");
    let due = site.open().due_letters(after(1), 10).await.unwrap();
    assert_eq!(due.iter().map(|letter| letter.id).collect::<Vec<_>>(), [first, second]);
    assert_eq!((&due[0].text, due[0].tries, due[0].posted_at), (&text(1), 0, NOW));
    assert_eq!(store.due_letters(after(1), 1).await.unwrap().len(), 1);
    for _ in 0..2 {
        store.letter_failed(first, after(60)).await.unwrap();
    }
    let due = store.due_letters(after(1), 10).await.unwrap();
    assert_eq!(due.iter().map(|letter| letter.id).collect::<Vec<_>>(), [second]);
    for _ in 0..2 {
        store.letter_done(second).await.unwrap();
    }
    let due = store.due_letters(after(60), 10).await.unwrap();
    assert_eq!(due.iter().map(|letter| letter.tries).collect::<Vec<_>>(), [0, 1]);
}
