//! QR codes of what a phone must read: for a terminal, in half blocks, and for a page, as SVG.
//!
//! What is drawn is as secret as what it says, so both pictures are `Secret`s.

use std::fmt;

use qrcode::render::svg;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use wire::Secret;
use zeroize::Zeroize;

/// A QR code, ready to be drawn.
#[derive(Clone)]
pub struct Qr(QrCode);

/// How a terminal shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QrLook {
    /// Black on white by the terminal's own colours: readable on every background.
    Colour,
    /// Characters only, for a terminal that writes light on dark.
    Plain,
}

impl Qr {
    /// The code of this text; `None` if it is longer than a QR code holds (about 2,900 octets).
    #[must_use]
    pub fn of(text: &Secret) -> Option<Self> {
        let levels = [EcLevel::M, EcLevel::L];
        levels.into_iter().find_map(|level| QrCode::with_error_correction_level(text.expose(), level).ok()).map(Self)
    }

    /// Lines of half blocks, two rows of the code a line, with the quiet zone around it.
    #[must_use]
    pub fn terminal(&self, look: QrLook) -> Secret {
        let mut renderer = self.0.render::<Dense1x2>();
        match look {
            QrLook::Colour => {}
            // Light on dark: the light modules are what is drawn.
            QrLook::Plain => {
                renderer.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark);
            }
        }
        secret(match look {
            QrLook::Colour => coloured(renderer.build()),
            QrLook::Plain => renderer.build(),
        })
    }

    /// An SVG picture, at least `pixels` wide.
    #[must_use]
    pub fn svg(&self, pixels: u32) -> Secret {
        secret(self.0.render::<svg::Color<'_>>().min_dimensions(pixels, pixels).build())
    }
}

impl fmt::Debug for Qr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Qr(..)")
    }
}

/// Black on white, set and reset on each line, so that nothing else on the screen changes.
fn coloured(mut plain: String) -> String {
    let lines: Vec<String> = plain.lines().map(|line| format!("\x1b[38;5;16;48;5;231m{line}\x1b[0m")).collect();
    plain.zeroize();
    lines.join("\n")
}

fn secret(mut text: String) -> Secret {
    let secret = Secret::new(text.as_bytes());
    text.zeroize();
    secret
}

#[cfg(test)]
mod tests {
    use super::*;

    fn qr(text: &str) -> Qr {
        Qr::of(&Secret::new(text)).unwrap()
    }

    fn text(secret: &Secret) -> String {
        String::from_utf8(secret.expose().to_vec()).unwrap()
    }

    #[test]
    fn a_terminal_gets_a_square_of_half_blocks_with_a_quiet_zone() {
        let plain = text(&qr("otpauth://totp/alice?secret=GEZDGNBV").terminal(QrLook::Plain));
        let lines: Vec<&str> = plain.lines().collect();
        let width = lines[0].chars().count();
        assert!(lines.iter().all(|line| line.chars().count() == width));
        assert_eq!(lines.len(), width.div_ceil(2));
        assert!(lines[0].chars().all(|block| block == '█'), "the quiet zone is light");
        assert!(plain.chars().all(|block| " ▀▄█\n".contains(block)));
    }

    #[test]
    fn with_colour_each_line_sets_and_resets_it() {
        let shown = text(&qr("otpauth://totp/alice").terminal(QrLook::Colour));
        assert!(shown.lines().all(|line| line.starts_with("\x1b[38;5;16;48;5;231m") && line.ends_with("\x1b[0m")));
    }

    #[test]
    fn a_page_gets_an_svg() {
        let svg = text(&qr("otpauth://totp/alice").svg(240));
        assert!(svg.contains("<svg ") && svg.ends_with("</svg>"));
    }

    #[test]
    fn what_does_not_fit_is_no_code() {
        assert!(Qr::of(&Secret::new("x".repeat(2900))).is_some());
        assert!(Qr::of(&Secret::new("x".repeat(3000))).is_none());
    }

    #[test]
    fn it_does_not_print_itself() {
        assert_eq!(format!("{:?}", qr("otpauth://totp/alice")), "Qr(..)");
    }
}
