//! Binary coded decimals, low byte first, as EN 13757-3 annex B has them (type A).

/// The value of digits; nothing where a digit is not decimal. F in the highest digit is a minus
/// where `signed` permits it.
pub(crate) fn decode(bytes: &[u8], signed: bool) -> Option<i64> {
    let (&highest, lower) = bytes.split_last()?;
    let negative = signed && highest >> 4 == 0xF;
    let highest = if negative { highest & 0x0F } else { highest };
    let mut value = i64::from(pair(highest)?);
    for &byte in lower.iter().rev() {
        value = value.checked_mul(100)?.checked_add(i64::from(pair(byte)?))?;
    }
    Some(if negative { -value } else { value })
}

/// The value of two digits.
const fn pair(byte: u8) -> Option<u8> {
    let (high, low) = (byte >> 4, byte & 0x0F);
    if high > 9 || low > 9 { None } else { Some(high * 10 + low) }
}

/// Whether a value has a place in so many digits, one of which a minus takes.
pub(crate) const fn fits(value: i64, digits: u32) -> bool {
    let room = if value < 0 { digits.saturating_sub(1) } else { digits };
    match 10_u64.checked_pow(room) {
        Some(limit) => value.unsigned_abs() < limit,
        None => true,
    }
}

/// Appends a value in so many bytes; a minus is F in the highest digit. The value has to fit.
pub(crate) fn encode(value: i64, bytes: usize, out: &mut Vec<u8>) {
    let mut rest = value.unsigned_abs();
    for _ in 0..bytes {
        let two = (rest % 100) as u8;
        out.push((two / 10) << 4 | (two % 10));
        rest /= 100;
    }
    if value < 0
        && let Some(highest) = out.last_mut()
    {
        *highest |= 0xF0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minus_takes_the_highest_digit() {
        assert_eq!(decode(&[0x34, 0x12], true), Some(1234));
        assert_eq!(decode(&[0x34, 0xF2], true), Some(-234));
        assert_eq!(decode(&[0x34, 0xF2], false), None);
        assert_eq!(decode(&[0xDD], true), None);
        assert_eq!(decode(&[0xFF, 0xFF], true), None);
        assert_eq!(decode(&[], true), None);
        assert!(fits(9999, 4) && !fits(10_000, 4) && fits(-999, 4) && !fits(-1000, 4));
        let mut out = Vec::new();
        encode(-234, 2, &mut out);
        assert_eq!(out, [0x34, 0xF2]);
    }
}
