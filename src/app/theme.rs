//! Every colour, size and face of the window; the only file that names a colour.
//!
//! Surfaces are quiet and flat: a panel differs from the page by a shade, not by a frame. Colour means something:
//! a plan keeps its colour in every plot (with its own marker and dash, so that it does not hang on colour alone),
//! amber is a warning, red a violation, both with a sign and a word.

use std::sync::Arc;

use eframe::egui::style::{ScrollStyle, WidgetVisuals};
use eframe::egui::{
    self, Color32, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, RichText, Shadow,
    Stroke, TextStyle, Vec2, vec2,
};
use egui_plot::{LineStyle, MarkerShape};

use crate::analysis::Severity;

/// Distances in points, from hair to gap between sections.
pub mod space {
    /// Between a sign and its word.
    pub const XS: f32 = 4.0;
    /// Between neighbours.
    pub const S: f32 = 8.0;
    /// Between groups.
    pub const M: f32 = 12.0;
    /// Around a page.
    pub const L: f32 = 20.0;
    /// Between sections.
    pub const XL: f32 = 28.0;
}

/// How many plans can be told apart by colour; then the colours repeat with another marker.
pub const PLAN_COLOURS: usize = 8;

/// The tokens of one theme, light or dark.
#[derive(Debug, Clone, PartialEq)]
pub struct Theme {
    /// Whether it is the dark one.
    pub dark: bool,
    /// The page.
    pub surface: Color32,
    /// Panels beside the page.
    pub panel: Color32,
    /// Popups, menus and dialogs above it.
    pub raised: Color32,
    /// Fields, rails and other hollows.
    pub sunken: Color32,
    /// Under the pointer.
    pub hover: Color32,
    /// Hairlines and axes' grids.
    pub line: Color32,
    /// Text to read.
    pub text: Color32,
    /// Headings and figures.
    pub text_strong: Color32,
    /// Captions, units, axes.
    pub text_weak: Color32,
    /// What can be done, what is selected.
    pub accent: Color32,
    /// A wash of the accent: behind what is selected.
    pub accent_wash: Color32,
    /// Text on the accent.
    pub on_accent: Color32,
    /// A warning, always with a sign and a word.
    pub warning: Color32,
    /// A wash of the warning.
    pub warning_wash: Color32,
    /// A violation, always with a sign and a word.
    pub violation: Color32,
    /// A wash of the violation.
    pub violation_wash: Color32,
    /// What went well or costs less.
    pub good: Color32,
    plans: [Color32; PLAN_COLOURS],
}

/// Nothing behind it: for a button that is text.
pub const CLEAR: Color32 = Color32::TRANSPARENT;

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

impl Theme {
    /// The light theme.
    #[must_use]
    pub const fn light() -> Self {
        Self {
            dark: false,
            surface: rgb(0xFF_FFFF),
            panel: rgb(0xF6_F7F8),
            raised: rgb(0xFF_FFFF),
            sunken: rgb(0xEB_EDF0),
            hover: rgb(0xE4_E7EB),
            line: rgb(0xDF_E2E6),
            text: rgb(0x2F_353C),
            text_strong: rgb(0x12_161B),
            text_weak: rgb(0x62_6A74),
            accent: rgb(0x1B_62B5),
            accent_wash: rgb(0xE2_EDF9),
            on_accent: rgb(0xFF_FFFF),
            warning: rgb(0x8F_5A00),
            warning_wash: rgb(0xFD_F1DC),
            violation: rgb(0xB4_2318),
            violation_wash: rgb(0xFD_E8E6),
            good: rgb(0x1C_7548),
            // Hues from the palette of Okabe and Ito (2008), darkened until each has 3:1 against the page
            // and neighbours differ in lightness too.
            plans: [
                rgb(0x1B_6FC0),
                rgb(0xD4_5500),
                rgb(0x00_8568),
                rgb(0x8B_4FB8),
                rgb(0x9C_7500),
                rgb(0xC0_3A78),
                rgb(0x2B_93B8),
                rgb(0x4C_5561),
            ],
        }
    }

    /// The dark theme.
    #[must_use]
    pub const fn dark() -> Self {
        Self {
            dark: true,
            surface: rgb(0x16_191D),
            panel: rgb(0x1C_2025),
            raised: rgb(0x24_292F),
            sunken: rgb(0x0F_1215),
            hover: rgb(0x2D_333B),
            line: rgb(0x2E_343B),
            text: rgb(0xC9_CFD6),
            text_strong: rgb(0xF1_F4F7),
            text_weak: rgb(0x93_9CA7),
            accent: rgb(0x6F_B1F5),
            accent_wash: rgb(0x1E_3248),
            on_accent: rgb(0x0C_141D),
            warning: rgb(0xF0_B24A),
            warning_wash: rgb(0x3A_2E17),
            violation: rgb(0xFF_8A80),
            violation_wash: rgb(0x42_2020),
            good: rgb(0x6F_D09C),
            plans: [
                rgb(0x62_A8F0),
                rgb(0xF2_8A3C),
                rgb(0x35_C4A0),
                rgb(0xC3_98F2),
                rgb(0xE0_BE4C),
                rgb(0xF2_80B4),
                rgb(0x7C_D8F2),
                rgb(0xA3_AEBB),
            ],
        }
    }

    /// The theme that the context shows now.
    #[must_use]
    pub fn of(ctx: &egui::Context) -> Self {
        match ctx.theme() {
            egui::Theme::Dark => Self::dark(),
            egui::Theme::Light => Self::light(),
        }
    }

    /// The colour of the plan at this position in the scenario, the same in every plot.
    #[must_use]
    pub const fn plan(&self, index: usize) -> Color32 {
        self.plans[index % PLAN_COLOURS]
    }

    /// The same colour as a wash for bands; `share` of its opacity, 0..=1.
    #[must_use]
    pub fn plan_wash(&self, index: usize, share: f32) -> Color32 {
        self.plan(index).gamma_multiply(share.clamp(0.0, 1.0))
    }

    /// The marker of a plan.
    #[must_use]
    pub const fn plan_marker(index: usize) -> MarkerShape {
        match index % 7 {
            0 => MarkerShape::Circle,
            1 => MarkerShape::Square,
            2 => MarkerShape::Up,
            3 => MarkerShape::Diamond,
            4 => MarkerShape::Down,
            5 => MarkerShape::Cross,
            _ => MarkerShape::Plus,
        }
    }

    /// The dash of a plan's lines.
    #[must_use]
    pub const fn plan_dash(index: usize) -> LineStyle {
        match index % 4 {
            0 => LineStyle::Solid,
            1 => LineStyle::Dashed { length: 9.0 },
            2 => LineStyle::Dotted { spacing: 5.0 },
            _ => LineStyle::Dashed { length: 4.5 },
        }
    }

    /// Over the window while a dialog is open.
    #[must_use]
    pub const fn backdrop(&self) -> Color32 {
        Color32::from_black_alpha(if self.dark { 130 } else { 70 })
    }

    /// The colour of a severity; a note is weak text.
    #[must_use]
    pub const fn severity(&self, severity: Severity) -> Color32 {
        match severity {
            Severity::Note => self.text_weak,
            Severity::Warning => self.warning,
            Severity::Error => self.violation,
        }
    }

    /// The wash behind a message of this severity.
    #[must_use]
    pub const fn severity_wash(&self, severity: Severity) -> Color32 {
        match severity {
            Severity::Note => self.sunken,
            Severity::Warning => self.warning_wash,
            Severity::Error => self.violation_wash,
        }
    }
}

/// The sign that goes with a severity, so that it does not hang on colour.
#[must_use]
pub const fn severity_sign(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "•",
        Severity::Warning => "▲",
        Severity::Error => "⊗",
    }
}

/// The word that goes with a severity.
#[must_use]
pub const fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "Note",
        Severity::Warning => "Warning",
        Severity::Error => "Problem",
    }
}

/// The face of headings and figures that matter.
#[must_use]
pub fn bold() -> FontFamily {
    FontFamily::Name("bold".into())
}

/// The style of the verdict: the largest text of a page.
#[must_use]
pub fn display() -> TextStyle {
    TextStyle::Name("display".into())
}

/// The style of a section's heading.
#[must_use]
pub fn section() -> TextStyle {
    TextStyle::Name("section".into())
}

/// The style of a figure in a table or beside a label: the weight of a heading at the size of the text.
#[must_use]
pub fn figure() -> TextStyle {
    TextStyle::Name("figure".into())
}

/// Text in the display style.
#[must_use]
pub fn display_text(text: impl Into<String>) -> RichText {
    RichText::new(text).text_style(display())
}

/// Text in the style of a section's heading.
#[must_use]
pub fn section_text(text: impl Into<String>) -> RichText {
    RichText::new(text).text_style(section())
}

/// Text in the style of a figure.
#[must_use]
pub fn figure_text(text: impl Into<String>) -> RichText {
    RichText::new(text).text_style(figure())
}

/// Gives a context the fonts and both themes. Which of them shows is decided by `Context::set_theme`.
pub fn install(ctx: &egui::Context) {
    ctx.set_fonts(fonts());
    ctx.set_style_of(egui::Theme::Light, style(&Theme::light()));
    ctx.set_style_of(egui::Theme::Dark, style(&Theme::dark()));
}

/// Noto Sans: its figures are tabular, so that columns of numbers line up and a changing number does not jump.
fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    for (name, bytes) in [("noto", notosans::REGULAR_TTF), ("noto-bold", notosans::BOLD_TTF)] {
        fonts.font_data.insert(name.to_owned(), Arc::new(FontData::from_static(bytes)));
    }
    let fallback = fonts.families.get(&FontFamily::Proportional).cloned().unwrap_or_default();
    let with = |first: &str| {
        let mut family = vec![first.to_owned()];
        family.extend(fallback.iter().cloned());
        // Arrows and geometric signs, which a text face lacks.
        family.push("Hack".to_owned());
        family
    };
    fonts.families.insert(bold(), with("noto-bold"));
    fonts.families.insert(FontFamily::Proportional, with("noto"));
    fonts
}

fn style(theme: &Theme) -> egui::Style {
    let mut style = egui::Style { visuals: visuals(theme), ..egui::Style::default() };
    let text = |size| FontId::new(size, FontFamily::Proportional);
    let strong = |size| FontId::new(size, bold());
    style.text_styles = [
        (TextStyle::Small, text(11.5)),
        (TextStyle::Body, text(13.5)),
        (TextStyle::Button, text(13.5)),
        (TextStyle::Monospace, FontId::new(12.5, FontFamily::Monospace)),
        (TextStyle::Heading, strong(20.0)),
        (display(), strong(23.0)),
        (section(), strong(14.0)),
        (figure(), strong(13.5)),
    ]
    .into();
    let spacing = &mut style.spacing;
    spacing.item_spacing = vec2(space::S, 6.0);
    spacing.button_padding = vec2(9.0, 4.0);
    spacing.interact_size = vec2(36.0, 26.0);
    spacing.menu_margin = Margin::same(6);
    spacing.window_margin = Margin::same(16);
    spacing.slider_width = 150.0;
    spacing.slider_rail_height = 4.0;
    spacing.tooltip_width = 360.0;
    spacing.icon_width = 16.0;
    spacing.scroll = ScrollStyle { bar_width: 8.0, ..ScrollStyle::thin() };
    style.interaction.tooltip_delay = 0.35;
    style.interaction.selectable_labels = false;
    style.animation_time = 0.12;
    style.url_in_tooltip = true;
    style
}

fn visuals(theme: &Theme) -> egui::Visuals {
    let base = if theme.dark { egui::Visuals::dark() } else { egui::Visuals::light() };
    let radius = CornerRadius::same(5);
    let widget = |fill: Color32, text: Color32, edge: Stroke| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: edge,
        corner_radius: radius,
        fg_stroke: Stroke::new(1.2, text),
        expansion: 0.0,
    };
    let mut visuals = egui::Visuals {
        panel_fill: theme.surface,
        window_fill: theme.raised,
        window_stroke: Stroke::new(1.0, theme.line),
        window_corner_radius: CornerRadius::same(8),
        menu_corner_radius: CornerRadius::same(7),
        window_shadow: shadow(theme, 24),
        popup_shadow: shadow(theme, 14),
        extreme_bg_color: theme.sunken,
        text_edit_bg_color: Some(theme.sunken),
        faint_bg_color: theme.panel,
        code_bg_color: theme.sunken,
        hyperlink_color: theme.accent,
        warn_fg_color: theme.warning,
        error_fg_color: theme.violation,
        weak_text_color: Some(theme.text_weak),
        slider_trailing_fill: true,
        indent_has_left_vline: false,
        striped: false,
        window_highlight_topmost: false,
        ..base
    };
    visuals.selection.bg_fill = if theme.dark { rgb(0x2C_5C8C) } else { rgb(0xA9_CDF2) };
    visuals.selection.stroke = Stroke::new(1.0, theme.text_strong);
    visuals.text_cursor.stroke = Stroke::new(1.5, theme.accent);
    let widgets = &mut visuals.widgets;
    widgets.noninteractive = widget(theme.surface, theme.text, Stroke::new(1.0, theme.line));
    widgets.inactive = widget(theme.sunken, theme.text, Stroke::NONE);
    widgets.hovered = widget(theme.hover, theme.text_strong, Stroke::NONE);
    widgets.active = widget(theme.accent_wash, theme.text_strong, Stroke::new(1.0, theme.accent));
    widgets.open = widget(theme.hover, theme.text_strong, Stroke::NONE);
    visuals
}

fn shadow(theme: &Theme, blur: u8) -> Shadow {
    let alpha = if theme.dark { 110 } else { 40 };
    Shadow { offset: [0, 4], blur, spread: 0, color: Color32::from_black_alpha(alpha) }
}

/// The margin of the central page.
#[must_use]
pub fn page_margin() -> Margin {
    Margin { left: 24, right: 20, top: 16, bottom: 12 }
}

/// The smallest size of a target that is meant to be hit.
#[must_use]
pub const fn target() -> Vec2 {
    vec2(26.0, 26.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance, WCAG 2.2.
    fn luminance(colour: Color32) -> f32 {
        let linear = |byte: u8| {
            let s = f32::from(byte) / 255.0;
            if s <= 0.040_45 { s / 12.92 } else { ((s + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(colour.r()) + 0.7152 * linear(colour.g()) + 0.0722 * linear(colour.b())
    }

    fn contrast(a: Color32, b: Color32) -> f32 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_has_the_contrast_of_wcag_aa_on_every_surface_it_stands_on() {
        for theme in [Theme::light(), Theme::dark()] {
            for surface in [theme.surface, theme.panel, theme.raised] {
                for text in [theme.text, theme.text_strong, theme.text_weak, theme.accent] {
                    assert!(contrast(text, surface) >= 4.5, "{text:?} on {surface:?}, dark: {}", theme.dark);
                }
                for sign in [theme.warning, theme.violation, theme.good] {
                    assert!(contrast(sign, surface) >= 4.5, "{sign:?} on {surface:?}, dark: {}", theme.dark);
                }
            }
            assert!(contrast(theme.warning, theme.warning_wash) >= 4.5, "dark: {}", theme.dark);
            assert!(contrast(theme.violation, theme.violation_wash) >= 4.5, "dark: {}", theme.dark);
        }
    }

    #[test]
    fn a_plans_line_stands_out_from_the_page_and_from_every_other_plan() {
        for theme in [Theme::light(), Theme::dark()] {
            for (a, colour) in theme.plans.iter().enumerate() {
                assert!(contrast(*colour, theme.surface) >= 3.0, "plan {a}, dark: {}", theme.dark);
                for (b, other) in theme.plans.iter().enumerate().skip(a + 1) {
                    let away = |x: u8, y: u8| f32::from(x.abs_diff(y)).powi(2);
                    let distance = (away(colour.r(), other.r())
                        + away(colour.g(), other.g())
                        + away(colour.b(), other.b()))
                    .sqrt();
                    assert!(distance > 40.0, "plans {a} and {b} are {distance} apart, dark: {}", theme.dark);
                }
            }
        }
    }

    /// Characters beyond ASCII in the sources below a folder, comments left out.
    fn signs(folder: &std::path::Path, found: &mut std::collections::BTreeSet<char>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                signs(&path, found);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                let code = text.lines().take_while(|line| *line != "#[cfg(test)]");
                let code = code.filter(|line| !line.trim_start().starts_with("//"));
                found.extend(code.flat_map(str::chars).filter(|letter| !letter.is_ascii()));
            }
        }
    }

    #[test]
    fn every_sign_that_the_program_writes_is_in_the_fonts_of_the_window() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = std::collections::BTreeSet::new();
        for folder in ["app", "report", "unit", "analysis", "scenario", "pricing", "serving", "workload"] {
            signs(&root.join("src").join(folder), &mut found);
        }
        signs(&root.join("presets"), &mut found);
        assert!(found.contains(&'–'), "the search must find something");
        let mut fonts = egui::epaint::text::Fonts::new(egui::epaint::TextOptions::default(), fonts());
        let mut view = fonts.with_pixels_per_point(1.0);
        for font in [FontId::new(13.0, FontFamily::Proportional), FontId::new(13.0, bold())] {
            let missing: Vec<char> = found.iter().copied().filter(|c| !view.has_glyph(&font, *c)).collect();
            assert!(missing.is_empty(), "{missing:?} in {:?}", font.family);
        }
    }
}
