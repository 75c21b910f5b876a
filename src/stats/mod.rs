//! stub
pub mod estimate;
pub mod quantities;
