//! A QR code as the path of an inline SVG.

use qrcode::{Color, EcLevel};

/// A QR code to be drawn: one unit for each module, without the margin of four that it needs on every side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct QrCode {
    /// How many modules are in a row.
    pub(super) width: usize,
    /// The dark modules: strokes of width 1 along the middle of each row, whose y is the row's number.
    pub(super) path: String,
}

impl QrCode {
    /// The code of `text`; none if it is too long for one. One stroke for each run of modules: a square for each of them
    /// would be four times as long.
    pub(super) fn of(text: &str) -> Option<Self> {
        let code = qrcode::QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
        let width = code.width();
        let modules = code.to_colors();
        let mut path = String::new();
        for (y, row) in modules.chunks(width).enumerate() {
            let mut x = 0;
            for run in row.chunk_by(|one, next| one == next) {
                if run[0] == Color::Dark {
                    path.push_str(&format!("M{x} {y}h{}", run.len()));
                }
                x += run.len();
            }
        }
        Some(Self { width, path })
    }
}

#[cfg(test)]
mod tests {
    use super::QrCode;

    #[test]
    fn a_code_has_its_three_finders_and_is_small() {
        let address = format!("https://auth.shop.example/authorize?launch={}", "0".repeat(32));
        let code = QrCode::of(&address).expect("it fits");
        for corner in
            ["M0 0h7".to_owned(), format!("M{} 0h7", code.width - 7), format!("M0 {}h7", code.width - 7)]
        {
            assert!(code.path.contains(&corner), "{corner}: {}", code.path);
        }
        assert!(code.path.len() < 5000, "{}", code.path.len());
        assert_eq!(QrCode::of(&"x".repeat(3000)), None);
    }
}
