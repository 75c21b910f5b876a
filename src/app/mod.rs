//! The window: pages that edit a draft and read results, drawn with egui.
//!
//! A page gets `&mut` the draft, `&` everything else ([`view::View`]) and an [`view::Outbox`]; it does no I/O and
//! spawns nothing. Colours are written in [`theme`] and nowhere else.

pub mod action;
pub mod pages;
pub mod plots;
pub mod theme;
pub mod view;
pub mod widgets;
