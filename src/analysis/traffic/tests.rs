//! Laws of simulated plans.
