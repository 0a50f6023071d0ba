//! Medians and quartiles. Unlike a mean, they are robust against other programs on the machine.

/// The median and quartiles of a set of figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) low: f64,
    pub(super) median: f64,
    pub(super) high: f64,
}

impl Spread {
    /// Returns `None` if there are no figures.
    pub(super) fn of(figures: &[f64]) -> Option<Self> {
        let mut sorted = figures.to_vec();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            low: at(&sorted, 1)?,
            median: at(&sorted, 2)?,
            high: at(&sorted, 3)?,
        })
    }
}

/// Returns a quartile of a sorted set, interpolated between neighbours.
fn at(sorted: &[f64], quarters: usize) -> Option<f64> {
    let place = quarters * sorted.len().checked_sub(1)?;
    let low = *sorted.get(place / 4)?;
    let high = *sorted.get(place.div_ceil(4))?;
    Some(low + (high - low) * (place % 4) as f64 / 4.0)
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn quartiles_interpolate() {
        let spread = Spread::of(&[4.0, 1.0, 3.0, 2.0]).expect("four figures");
        assert_eq!(
            spread,
            Spread {
                low: 1.75,
                median: 2.5,
                high: 3.25
            }
        );
        assert_eq!(Spread::of(&[]), None);
    }
}
