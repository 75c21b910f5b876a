//! Pictures of plots: cut out of what the window shows.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use eframe::egui::{ColorImage, Context, Rect};

/// Frames from the click in a menu to the picture: by then the menu is gone from it.
const FRAMES: u8 = 3;

/// What becomes of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// To the clipboard.
    Clipboard,
    /// Into a file that is asked for.
    File,
}

/// A picture that is asked for.
#[derive(Debug, Clone)]
struct Wanted {
    name: String,
    /// Where in the window, in points.
    rect: Rect,
    target: Target,
}

/// A picture that was taken.
pub(super) struct Taken {
    /// What it shows.
    pub name: String,
    /// What becomes of it.
    pub target: Target,
    /// The picture; none where its place was not in the window.
    pub image: Option<ColorImage>,
}

/// A picture could not be written down.
#[derive(Debug, thiserror::Error)]
#[error("the picture cannot be written as PNG: {0}")]
pub(super) struct PictureError(#[from] png::EncodingError);

/// Frames in which a picture that was asked for may come; after them the window goes on.
const PATIENCE: u8 = 10;

/// Takes one picture at a time.
pub(super) struct Pictures {
    wanted: Option<(Wanted, u8)>,
    /// Frames for which the window still holds still for a picture.
    holding: u8,
    give: Sender<Taken>,
    taken: Receiver<Taken>,
}

impl Default for Pictures {
    fn default() -> Self {
        let (give, taken) = channel();
        Self { wanted: None, holding: 0, give, taken }
    }
}

impl Pictures {
    /// Asks for a picture of a place in the window.
    pub fn want(&mut self, name: String, rect: Rect, target: Target) {
        self.wanted = Some((Wanted { name, rect, target }, FRAMES));
    }

    /// Whether the window should hold still: nothing that follows the pointer belongs into a picture.
    pub const fn is_waiting(&self) -> bool {
        self.wanted.is_some() || self.holding > 0
    }

    /// Takes the picture when it is time; returns what was taken. Once a frame.
    pub fn tick(&mut self, ctx: &Context) -> Option<Taken> {
        if self.holding > 0 {
            self.holding -= 1;
            ctx.request_repaint();
        }
        if let Some((wanted, frames)) = self.wanted.take() {
            ctx.request_repaint();
            if frames > 0 {
                self.wanted = Some((wanted, frames - 1));
            } else {
                self.holding = PATIENCE;
                let (give, wake, scale) = (self.give.clone(), ctx.clone(), ctx.pixels_per_point());
                ctx.request_screenshot(move |window| {
                    let Wanted { name, rect, target } = wanted;
                    // Nobody waits for it only when the window is gone.
                    drop(give.send(Taken { name, target, image: cut(&window, rect, scale) }));
                    wake.request_repaint();
                });
            }
        }
        let taken = self.taken.try_recv().ok();
        if taken.is_some() {
            self.holding = 0;
        }
        taken
    }
}

/// The part of the window at `rect`, points, as far as it is inside.
fn cut(window: &Arc<ColorImage>, rect: Rect, scale: f32) -> Option<ColorImage> {
    let [width, height] = window.size;
    let within = |at: f32, most: usize| ((at * scale).round().max(0.0) as usize).min(most);
    let (left, right) = (within(rect.left(), width), within(rect.right(), width));
    let (top, bottom) = (within(rect.top(), height), within(rect.bottom(), height));
    (left < right && top < bottom).then(|| window.region_by_pixels([left, top], [right - left, bottom - top]))
}

/// A picture as a PNG file.
///
/// # Errors
/// [`PictureError`] if it is too large for the format.
pub(super) fn png(image: &ColorImage) -> Result<Vec<u8>, PictureError> {
    let size = |pixels: usize| u32::try_from(pixels).unwrap_or(u32::MAX);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size(image.width()), size(image.height()));
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(image.as_raw())?;
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::{pos2, vec2};

    #[test]
    fn a_picture_is_the_part_that_was_asked_for_and_comes_back_from_its_file() {
        let mut window = ColorImage::filled([8, 6], crate::app::theme::CLEAR);
        let mark = crate::app::theme::Theme::dark().accent;
        window.pixels[2 * 8 + 4] = mark;
        let window = Arc::new(window);
        let part = cut(&window, Rect::from_min_size(pos2(2.0, 1.0), vec2(2.0, 1.0)), 2.0).unwrap();
        assert_eq!(part.size, [4, 2]);
        assert_eq!(part.pixels[0], mark);
        let bytes = png(&part).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        assert_eq!(pixels[..4], mark.to_array());
        assert!(cut(&window, Rect::from_min_size(pos2(90.0, 0.0), vec2(5.0, 5.0)), 1.0).is_none());
    }
}
