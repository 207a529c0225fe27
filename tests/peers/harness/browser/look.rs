//! How a page is looked at: the size of the screen, dark or light, with or without motion and scripts; and pictures of it.

use std::path::PathBuf;

use data_encoding::BASE64;
use serde_json::json;

use super::Browser;

/// Holds for every tab that is opened or turned to.
#[derive(Clone, Copy)]
pub(super) struct Look {
    width: u32,
    height: u32,
    /// Points of the picture to one of the page, a side.
    scale: u32,
    touched: bool,
    dark: bool,
    still: bool,
    scripts: bool,
}

impl Look {
    pub(super) const DESKTOP: Self =
        Self { width: 1280, height: 800, scale: 1, touched: false, dark: false, still: false, scripts: true };
    pub(super) const PHONE: Self = Self { width: 390, height: 844, scale: 2, touched: true, ..Self::DESKTOP };

    pub(super) fn on_a_phone(self) -> Self {
        Self { scripts: self.scripts, ..Self::PHONE }
    }

    pub(super) fn on_a_desktop(self) -> Self {
        Self { scripts: self.scripts, ..Self::DESKTOP }
    }

    /// In light or dark; and still, so that no picture is of something that moves.
    pub(super) fn seen(self, dark: bool) -> Self {
        Self { dark, still: true, ..self }
    }

    pub(super) fn narrowed(self, width: u32) -> Self {
        Self { width, still: true, ..self }
    }
}

impl Browser {
    /// The size of the page's window, in CSS pixels.
    pub(crate) async fn set_size(&self, width: u32, height: u32) {
        self.relook(|look| (look.width, look.height) = (width, height)).await;
    }

    /// As somebody who prefers dark pages, or light ones.
    pub(crate) async fn set_dark(&self, dark: bool) {
        self.relook(|look| look.dark = dark).await;
    }

    /// As somebody who prefers that nothing moves.
    pub(crate) async fn set_reduced_motion(&self, still: bool) {
        self.relook(|look| look.still = still).await;
    }

    /// With or without JavaScript, from the next page on.
    pub(crate) async fn set_scripts(&self, on: bool) {
        self.relook(|look| look.scripts = on).await;
    }

    /// What the window shows, as a PNG.
    pub(crate) async fn screenshot(&self) -> Vec<u8> {
        self.capture(false).await
    }

    /// The whole page, however long, as a PNG.
    pub(crate) async fn full_screenshot(&self) -> Vec<u8> {
        self.capture(true).await
    }

    /// The whole page as `NAME.png` in the build directory's `tmp/pictures`, to look at.
    pub(crate) async fn picture(&self, name: &str) -> PathBuf {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pictures");
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join(format!("{name}.png"));
        std::fs::write(&path, self.full_screenshot().await).unwrap();
        path
    }

    pub(super) fn look(&self) -> (u32, u32) {
        let look = self.look.lock().unwrap();
        (look.width, look.height)
    }

    pub(super) fn turned(&self) -> Look {
        *self.look.lock().unwrap()
    }

    pub(super) async fn turn(&self, look: Look) {
        self.relook(|before| *before = look).await;
    }

    pub(super) async fn apply_look(&self) {
        let Look { width, height, scale, touched, dark, still, scripts } = *self.look.lock().unwrap();
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": touched });
        self.devtools("Emulation.setDeviceMetricsOverride", screen).await;
        self.devtools("Emulation.setTouchEmulationEnabled", json!({ "enabled": touched })).await;
        let media = json!({ "features": [
            { "name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" } },
            { "name": "prefers-reduced-motion", "value": if still { "reduce" } else { "no-preference" } },
        ] });
        self.devtools("Emulation.setEmulatedMedia", media).await;
        self.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": !scripts })).await;
    }

    async fn relook(&self, change: impl FnOnce(&mut Look)) {
        change(&mut self.look.lock().unwrap());
        self.apply_look().await;
    }

    async fn capture(&self, whole: bool) -> Vec<u8> {
        let wanted = json!({ "format": "png", "captureBeyondViewport": whole, "fromSurface": true });
        let clip = if whole { self.whole_page().await } else { serde_json::Value::Null };
        let mut wanted = wanted;
        if !clip.is_null() {
            wanted["clip"] = clip;
        }
        let taken = self.devtools("Page.captureScreenshot", wanted).await;
        BASE64.decode(taken["data"].as_str().unwrap_or_default().as_bytes()).unwrap()
    }

    async fn whole_page(&self) -> serde_json::Value {
        let size = self.devtools("Page.getLayoutMetrics", json!({})).await["cssContentSize"].take();
        json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 })
    }
}
