//! What the user keeps in the configuration folder: rows of the catalogue, constants of the serving model.

use std::borrow::Cow;
use std::sync::Arc;

use super::notice::Notices;
use super::places::Places;
use crate::catalog::Catalog;
use crate::io::overlay;
use crate::serving::Calibration;

/// The catalogue, with the user's own rows if there are any.
pub(super) fn catalog(places: &Places, notices: &mut Notices) -> Cow<'static, Catalog> {
    let shipped = Catalog::shipped();
    let Some(path) = places.catalog().filter(|path| path.exists()) else { return Cow::Borrowed(shipped) };
    match overlay::read(shipped, &path) {
        Ok(catalog) => Cow::Owned(catalog),
        Err(why) => {
            notices.error("Your own catalogue was left out", why.to_string());
            Cow::Borrowed(shipped)
        }
    }
}

/// The constants of the serving model: the user's own if there are any.
pub(super) fn calibration(places: &Places, notices: &mut Notices) -> Arc<Calibration> {
    let shipped = || Arc::new(Calibration::shipped().clone());
    let Some(path) = places.calibration().filter(|path| path.exists()) else { return shipped() };
    overlay::read_calibration(&path).map_or_else(
        |why| {
            notices.error("Your own calibration was left out", why.to_string());
            shipped()
        },
        Arc::new,
    )
}
