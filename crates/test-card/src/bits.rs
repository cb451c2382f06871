//! Bit-level writing: fixed-length and Exp-Golomb codes, and NAL unit framing.

/// Collects a raw byte sequence payload (RBSP), most significant bit first.
#[derive(Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    pending: u64,
    pending_bits: u32,
}

impl BitWriter {
    /// Appends the low `count` bits of `value`; `count` is at most 32.
    pub(super) fn bits(&mut self, value: u32, count: u32) {
        let mask = (1u64 << count) - 1;
        self.pending = (self.pending << count) | (u64::from(value) & mask);
        self.pending_bits += count;
        while self.pending_bits >= 8 {
            self.pending_bits -= 8;
            self.bytes.push((self.pending >> self.pending_bits) as u8);
        }
    }

    pub(super) fn flag(&mut self, value: bool) {
        self.bits(u32::from(value), 1);
    }

    /// Unsigned Exp-Golomb, `ue(v)`.
    pub(super) fn ue(&mut self, value: u32) {
        let code = u64::from(value) + 1;
        let length = 64 - code.leading_zeros();
        self.bits(0, length - 1);
        // 33 bits only for u32::MAX, so the top bit goes separately.
        self.bits(1, 1);
        self.bits(code as u32, length - 1);
    }

    /// Signed Exp-Golomb, `se(v)`.
    pub(super) fn se(&mut self, value: i32) {
        let magnitude = value.unsigned_abs().saturating_mul(2);
        self.ue(if value > 0 { magnitude - 1 } else { magnitude });
    }

    /// Zero bits up to the next byte boundary.
    pub(super) fn align(&mut self) {
        if self.pending_bits > 0 {
            self.bits(0, 8 - self.pending_bits);
        }
    }

    /// Appends whole bytes; only meaningful after [`Self::align`].
    pub(super) fn aligned_bytes(&mut self, bytes: &[u8]) {
        debug_assert_eq!(self.pending_bits, 0);
        self.bytes.extend_from_slice(bytes);
    }

    /// Closes the payload with `rbsp_trailing_bits` and wraps it as a NAL unit.
    pub(super) fn into_nal(mut self, header: u8) -> Vec<u8> {
        self.bits(1, 1);
        self.align();
        escape(header, &self.bytes)
    }
}

/// Inserts the emulation prevention bytes that keep start codes out of the payload.
fn escape(header: u8, rbsp: &[u8]) -> Vec<u8> {
    let mut nal = Vec::with_capacity(rbsp.len() + 16);
    nal.push(header);
    let mut zeros = 0;
    for &byte in rbsp {
        if zeros == 2 && byte <= 3 {
            nal.push(3);
            zeros = 0;
        }
        nal.push(byte);
        zeros = if byte == 0 { zeros + 1 } else { 0 };
    }
    nal
}
