//! A lossless H.264 Constrained Baseline encoder for flat, screen-like pictures.
//!
//! Every macroblock is P_Skip, an exact Intra_16x16 prediction, or I_PCM, so the decoded picture equals the source and
//! the encoder needs no reconstruction.

use super::FrameSize;
use super::bits::BitWriter;
use super::picture::{Macroblock, Picture, Samples};

const NAL_SLICE: u8 = 0x41;
const NAL_IDR: u8 = 0x65;
const NAL_SPS: u8 = 0x67;
const NAL_PPS: u8 = 0x68;

/// `constraint_set0_flag` and `constraint_set1_flag`: Baseline that Main decoders can play.
const CONSTRAINED: u32 = 0xC0;
const PROFILE_BASELINE: u32 = 66;
/// Level 3.1 has the macroblock rate, but limits a keyframe to a quarter of the size of its samples. Level 4.1 allows
/// half, which no card reaches.
const LEVEL_4_1: u32 = 41;
const FRAME_NUM_BITS: u32 = 8;

const SLICE_P: u32 = 5;
const SLICE_I: u32 = 7;
/// `mb_type` of I_PCM in an I slice.
const I_PCM: u32 = 25;
/// The offset of the `mb_type` of an intra macroblock in a P slice.
const INTRA_IN_P: u32 = 5;

/// The sequence parameter set NAL unit.
pub(super) fn sps(size: FrameSize) -> Vec<u8> {
    let mut w = BitWriter::default();
    w.bits(PROFILE_BASELINE, 8);
    w.bits(CONSTRAINED, 8);
    w.bits(LEVEL_4_1, 8);
    w.ue(0); // seq_parameter_set_id
    w.ue(FRAME_NUM_BITS - 4); // log2_max_frame_num_minus4
    w.ue(2); // pic_order_cnt_type: output order is decoding order
    w.ue(1); // max_num_ref_frames
    w.flag(false); // gaps_in_frame_num_value_allowed_flag
    w.ue(u32::from(size.mbs_wide) - 1);
    w.ue(u32::from(size.mbs_high) - 1);
    w.flag(true); // frame_mbs_only_flag
    w.flag(true); // direct_8x8_inference_flag
    w.flag(false); // frame_cropping_flag
    w.flag(true); // vui_parameters_present_flag
    w.flag(true); // aspect_ratio_info_present_flag
    w.bits(1, 8); // square samples
    w.flag(false); // overscan_info_present_flag
    w.flag(true); // video_signal_type_present_flag
    w.bits(5, 3); // video_format: unspecified
    w.flag(false); // video_full_range_flag
    w.flag(true); // colour_description_present_flag
    for _ in 0..3 {
        w.bits(1, 8); // primaries, transfer and matrix: BT.709
    }
    w.flag(false); // chroma_loc_info_present_flag
    w.flag(false); // timing_info_present_flag
    w.flag(false); // nal_hrd_parameters_present_flag
    w.flag(false); // vcl_hrd_parameters_present_flag
    w.flag(false); // pic_struct_present_flag
    w.flag(true); // bitstream_restriction_flag: lets a decoder show each picture at once
    w.flag(true); // motion_vectors_over_pic_boundaries_flag
    w.ue(0); // max_bytes_per_pic_denom
    w.ue(0); // max_bits_per_mb_denom
    w.ue(0); // log2_max_mv_length_horizontal
    w.ue(0); // log2_max_mv_length_vertical
    w.ue(0); // max_num_reorder_frames
    w.ue(1); // max_dec_frame_buffering
    w.into_nal(NAL_SPS)
}

/// The picture parameter set NAL unit.
pub(super) fn pps() -> Vec<u8> {
    let mut w = BitWriter::default();
    w.ue(0); // pic_parameter_set_id
    w.ue(0); // seq_parameter_set_id
    w.flag(false); // entropy_coding_mode_flag: CAVLC
    w.flag(false); // bottom_field_pic_order_in_frame_present_flag
    w.ue(0); // num_slice_groups_minus1
    w.ue(0); // num_ref_idx_l0_default_active_minus1
    w.ue(0); // num_ref_idx_l1_default_active_minus1
    w.flag(false); // weighted_pred_flag
    w.bits(0, 2); // weighted_bipred_idc
    w.se(0); // pic_init_qp_minus26
    w.se(0); // pic_init_qs_minus26
    w.se(0); // chroma_qp_index_offset
    w.flag(true); // deblocking_filter_control_present_flag
    w.flag(false); // constrained_intra_pred_flag
    w.flag(false); // redundant_pic_cnt_present_flag
    w.into_nal(NAL_PPS)
}

/// The coding of a macroblock.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    Skip,
    /// The prediction modes of luma and chroma, whose codes differ.
    Predicted {
        luma: Direction,
        chroma: Direction,
    },
    Pcm,
}

/// DC prediction is omitted: where it is exact, one of these is, too, except at a corner of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Vertical,
    Horizontal,
}

/// Encodes pictures in order, each relative to the previous one.
pub(super) struct Encoder {
    size: FrameSize,
    reference: Option<Picture>,
    frame_num: u32,
    idr_pic_id: u32,
}

impl Encoder {
    pub(super) fn new(size: FrameSize) -> Self {
        Self {
            size,
            reference: None,
            frame_num: 0,
            idr_pic_id: 1,
        }
    }

    /// Encodes one picture of the encoder's size as one slice NAL unit. The first one is an IDR picture, regardless of
    /// `keyframe`.
    pub(super) fn encode(&mut self, picture: &Picture, keyframe: bool) -> Vec<u8> {
        debug_assert_eq!(picture.mbs_wide(), usize::from(self.size.mbs_wide));
        match self.reference.take() {
            Some(mut reference) if !keyframe => {
                self.frame_num = (self.frame_num + 1) % (1 << FRAME_NUM_BITS);
                let nal = self.p_slice(picture, &reference);
                for (old, new) in reference.mbs_mut().iter_mut().zip(picture.mbs()) {
                    if old != new {
                        *old = *new;
                    }
                }
                self.reference = Some(reference);
                nal
            }
            _ => {
                self.frame_num = 0;
                // Consecutive IDR pictures must differ in this value.
                self.idr_pic_id ^= 1;
                self.reference = Some(picture.clone());
                self.idr_slice(picture)
            }
        }
    }

    fn idr_slice(&self, picture: &Picture) -> Vec<u8> {
        let mut w = self.slice_header(SLICE_I);
        w.ue(self.idr_pic_id);
        w.flag(false); // no_output_of_prior_pics_flag
        w.flag(false); // long_term_reference_flag
        finish_slice_header(&mut w);
        let mut codings = Vec::with_capacity(picture.mbs().len());
        for index in 0..picture.mbs().len() {
            codings.push(choose(picture, index));
            write_macroblock(&mut w, picture, &codings, 0);
        }
        w.into_nal(NAL_IDR)
    }

    fn p_slice(&self, picture: &Picture, reference: &Picture) -> Vec<u8> {
        let mut w = self.slice_header(SLICE_P);
        w.flag(false); // num_ref_idx_active_override_flag
        w.flag(false); // ref_pic_list_modification_flag_l0
        w.flag(false); // adaptive_ref_pic_marking_mode_flag
        finish_slice_header(&mut w);
        let mut codings = Vec::with_capacity(picture.mbs().len());
        let mut skipped = 0;
        for (index, (new, old)) in picture.mbs().iter().zip(reference.mbs()).enumerate() {
            // Macroblocks do not move, so the vector that a decoder infers for P_Skip is zero.
            if new == old {
                codings.push(Coding::Skip);
                skipped += 1;
            } else {
                w.ue(skipped);
                skipped = 0;
                codings.push(choose(picture, index));
                write_macroblock(&mut w, picture, &codings, INTRA_IN_P);
            }
        }
        if skipped > 0 {
            w.ue(skipped);
        }
        w.into_nal(NAL_SLICE)
    }

    fn slice_header(&self, slice_type: u32) -> BitWriter {
        let mut w = BitWriter::default();
        w.ue(0); // first_mb_in_slice
        w.ue(slice_type);
        w.ue(0); // pic_parameter_set_id
        w.bits(self.frame_num, FRAME_NUM_BITS);
        w
    }
}

fn finish_slice_header(w: &mut BitWriter) {
    w.se(0); // slice_qp_delta
    w.ue(1); // disable_deblocking_filter_idc: the filter would undo exactness
}

/// Chooses an exact prediction of a macroblock from its neighbours, or I_PCM.
fn choose(picture: &Picture, index: usize) -> Coding {
    let mb = Macroblock(&picture.mbs()[index]);
    let (left, above) = neighbours(picture.mbs_wide(), index);
    let at = |index: usize| Macroblock(&picture.mbs()[index]);
    let (left, above) = (left.map(at), above.map(at));
    let luma = direction(|d| match d {
        Direction::Vertical => above.is_some_and(|a| extends_down(mb.luma(), a.luma(), 16)),
        Direction::Horizontal => left.is_some_and(|l| extends_right(mb.luma(), l.luma(), 16)),
    });
    let Some(luma) = luma else {
        return Coding::Pcm;
    };
    let chroma = direction(|d| match d {
        Direction::Vertical => above
            .is_some_and(|a| extends_down(mb.cb(), a.cb(), 8) && extends_down(mb.cr(), a.cr(), 8)),
        Direction::Horizontal => left.is_some_and(|l| {
            extends_right(mb.cb(), l.cb(), 8) && extends_right(mb.cr(), l.cr(), 8)
        }),
    });
    match chroma {
        Some(chroma) => Coding::Predicted { luma, chroma },
        None => Coding::Pcm,
    }
}

/// Indices of the macroblocks to the left and above, within the picture.
fn neighbours(mbs_wide: usize, index: usize) -> (Option<usize>, Option<usize>) {
    let left = (!index.is_multiple_of(mbs_wide)).then(|| index - 1);
    (left, index.checked_sub(mbs_wide))
}

fn direction(fits: impl Fn(Direction) -> bool) -> Option<Direction> {
    [Direction::Vertical, Direction::Horizontal]
        .into_iter()
        .find(|&d| fits(d))
}

/// Whether every row of `block` repeats the last row of the block above.
fn extends_down(block: &[u8], above: &[u8], side: usize) -> bool {
    let edge = &above[above.len() - side..];
    block.chunks_exact(side).all(|row| row == edge)
}

/// Whether every row of `block` repeats the last sample of that row in the block to the left.
fn extends_right(block: &[u8], left: &[u8], side: usize) -> bool {
    let rows = block.chunks_exact(side).zip(left.chunks_exact(side));
    rows.into_iter()
        .all(|(row, edge)| row == &[edge[side - 1]; 16][..side])
}

/// Writes the last macroblock of `codings`, which is not skipped.
fn write_macroblock(w: &mut BitWriter, picture: &Picture, codings: &[Coding], offset: u32) {
    let index = codings.len() - 1;
    match codings[index] {
        Coding::Skip => {}
        Coding::Pcm => {
            w.ue(I_PCM + offset);
            w.align();
            let samples: &Samples = &picture.mbs()[index];
            w.aligned_bytes(samples);
        }
        Coding::Predicted { luma, chroma } => {
            // Intra_16x16 with no coded luma AC and no coded chroma: mb_type is 1 + mode.
            w.ue(1 + offset + u32::from(luma == Direction::Horizontal));
            w.ue(if chroma == Direction::Horizontal {
                1
            } else {
                2
            });
            w.se(0); // mb_qp_delta
            // Intra_16x16 always codes its luma DC block, here as TotalCoeff 0. An I_PCM
            // neighbour counts 16 coefficients and any other 0, so nC is 0, or at least 8.
            let (left, above) = neighbours(picture.mbs_wide(), index);
            let pcm = |n: usize| codings[n] == Coding::Pcm;
            if left.is_some_and(pcm) || above.is_some_and(pcm) {
                w.bits(0b00_0011, 6);
            } else {
                w.bits(1, 1);
            }
        }
    }
}
