//! What a phone's camera reads off a screen: Debian's zbar decodes a picture of the page.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// The one QR code that is to be seen on a picture.
pub(crate) async fn read(png: &[u8]) -> String {
    let mut command = Command::new("zbarimg");
    command.args(["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("zbarimg is not on PATH: install Debian's package zbar-tools");
    child.stdin.take().unwrap().write_all(png).await.unwrap();
    let read = child.wait_with_output().await.unwrap();
    let said = String::from_utf8(read.stdout).unwrap();
    assert!(read.status.success() && said.lines().count() == 1, "no one QR code there: {said:?}");
    said.trim_end().to_owned()
}
