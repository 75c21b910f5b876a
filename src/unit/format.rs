//! Every rule by which a number becomes text, and text a number. Filled by the unit layer only.
