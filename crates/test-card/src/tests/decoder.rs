//! A decoder for exactly the H.264 of the encoder, without shared code.

const SAMPLES: usize = 384;
/// The offset and the side of each plane of a macroblock.
const PLANES: [(usize, usize); 3] = [(0, 16), (256, 8), (320, 8)];

pub(super) struct BitReader {
    bytes: Vec<u8>,
    position: usize,
}

impl BitReader {
    /// Reads the payload of a NAL unit, without emulation prevention.
    pub(super) fn from_nal(nal: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(nal.len());
        let mut zeros = 0;
        for &byte in &nal[1..] {
            if zeros >= 2 {
                assert!(byte > 2, "a start code inside a NAL unit");
                if byte == 3 {
                    zeros = 0;
                    continue;
                }
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            bytes.push(byte);
        }
        Self { bytes, position: 0 }
    }

    pub(super) fn bits(&mut self, count: usize) -> u32 {
        (0..count).fold(0, |value, _| {
            let bit = self.bytes[self.position / 8] >> (7 - self.position % 8) & 1;
            self.position += 1;
            value << 1 | u32::from(bit)
        })
    }

    pub(super) fn ue(&mut self) -> u32 {
        let mut zeros = 0;
        while self.bits(1) == 0 {
            zeros += 1;
        }
        (1u32 << zeros) - 1 + self.bits(zeros)
    }

    /// Whether data remains before the trailing one bit.
    pub(super) fn more_data(&self) -> bool {
        let last = self.bytes.len() - 1;
        let end = last * 8 + 7 - self.bytes[last].trailing_zeros() as usize;
        self.position < end
    }

    fn aligned_samples(&mut self) -> [u8; SAMPLES] {
        while !self.position.is_multiple_of(8) {
            assert_eq!(self.bits(1), 0, "pcm_alignment_zero_bit");
        }
        let start = self.position / 8;
        self.position += SAMPLES * 8;
        self.bytes[start..start + SAMPLES].try_into().unwrap()
    }
}

pub(super) struct Decoder {
    mbs_wide: usize,
    mbs: Vec<[u8; SAMPLES]>,
    pcm: Vec<bool>,
    frame_num: u32,
    idr_pic_id: Option<u32>,
}

impl Decoder {
    pub(super) fn new(mbs_wide: usize, mbs_high: usize) -> Self {
        Self {
            mbs_wide,
            mbs: vec![[0; SAMPLES]; mbs_wide * mbs_high],
            pcm: Vec::new(),
            frame_num: 0,
            idr_pic_id: None,
        }
    }

    /// Decodes one slice and returns its picture, macroblock by macroblock.
    pub(super) fn decode(&mut self, nal: &[u8]) -> &[[u8; SAMPLES]] {
        let idr = nal[0] & 31 == 5;
        let mut r = BitReader::from_nal(nal);
        assert_eq!(r.ue(), 0, "first_mb_in_slice");
        assert_eq!(r.ue(), if idr { 7 } else { 5 }, "slice_type");
        assert_eq!(r.ue(), 0, "pic_parameter_set_id");
        self.frame_num = if idr { 0 } else { (self.frame_num + 1) % 256 };
        assert_eq!(r.bits(8), self.frame_num, "frame_num");
        if idr {
            let idr_pic_id = Some(r.ue());
            assert_ne!(idr_pic_id, self.idr_pic_id, "idr_pic_id");
            self.idr_pic_id = idr_pic_id;
            assert_eq!(r.bits(2), 0, "dec_ref_pic_marking");
        } else {
            assert_eq!(r.bits(3), 0, "override, modification, marking flags");
        }
        assert_eq!(r.ue(), 0, "slice_qp_delta");
        assert_eq!(r.ue(), 1, "disable_deblocking_filter_idc");

        self.pcm = vec![false; self.mbs.len()];
        let mut index = 0;
        while r.more_data() {
            if !idr {
                index += r.ue() as usize;
                if !r.more_data() {
                    break;
                }
            }
            self.macroblock(&mut r, index, if idr { 0 } else { 5 });
            index += 1;
        }
        assert_eq!(index, self.mbs.len(), "macroblocks in the slice");
        &self.mbs
    }

    fn macroblock(&mut self, r: &mut BitReader, index: usize, offset: u32) {
        let mb_type = r.ue() - offset;
        if mb_type == 25 {
            self.mbs[index] = r.aligned_samples();
            self.pcm[index] = true;
            return;
        }
        // Intra_16x16 without coefficients: 1 is vertical, 2 is horizontal.
        let luma_down = match mb_type {
            1 => true,
            2 => false,
            other => panic!("mb_type {other}"),
        };
        let chroma_down = match r.ue() {
            1 => false,
            2 => true,
            other => panic!("intra_chroma_pred_mode {other}"),
        };
        assert_eq!(r.ue(), 0, "mb_qp_delta");
        let left = (!index.is_multiple_of(self.mbs_wide)).then(|| index - 1);
        let above = index.checked_sub(self.mbs_wide);
        let total = |n: Option<usize>| n.map(|n| if self.pcm[n] { 16 } else { 0 });
        let coefficients = match (total(left), total(above)) {
            (Some(a), Some(b)) => (a + b + 1) >> 1,
            (a, b) => a.or(b).unwrap_or(0),
        };
        match coefficients {
            0 => assert_eq!(r.bits(1), 1, "coeff_token"),
            8.. => assert_eq!(r.bits(6), 3, "coeff_token"),
            other => panic!("nC {other}"),
        }
        for ((start, side), down) in PLANES
            .into_iter()
            .zip([luma_down, chroma_down, chroma_down])
        {
            let from = self.mbs[if down { above.unwrap() } else { left.unwrap() }];
            for y in 0..side {
                for x in 0..side {
                    let source = if down {
                        (side - 1) * side + x
                    } else {
                        y * side + side - 1
                    };
                    self.mbs[index][start + y * side + x] = from[start + source];
                }
            }
        }
    }
}
