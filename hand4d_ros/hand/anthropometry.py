"""Published measurements of the human hand, and how the built-in hand reconciles them.

Sources:
    [BK] A. Buryanov and V. Kotiuk, "Proportions of hand segments", Int. J. Morphol. 28(3):755-758,
        2010: lengths of all metacarpals and phalanges and the soft tissue of the tips on X-rays
        of 66 adults.
    [ANSUR] C. C. Gordon et al., "2012 anthropometric survey of U.S. Army personnel",
        Natick/TR-15/007 (ANSUR II): 4082 men and 1986 women; the moments below are computed from
        its public tables, both sexes with equal weight.
    [GR] T. M. Greiner, "Hand anthropometry of U.S. Army personnel", Natick/TR-92/011, 1991:
        breadths and depths of the finger joints.
    [YM] Y. Youm et al., "Kinematics of the wrist", J. Bone Joint Surg. 60-A:423-431, 1978: the
        height of the carpus is 0.54 of the third metacarpal, and both wrist joints turn within it.
    [MN] J. T. Manning et al., "The ratio of 2nd to 4th digit length", Human Reproduction
        13(11):3000-3004, 1998: the spread of finger lengths relative to each other.

Reconciliation: bones keep their lengths of [BK]. The survey measures hand length from the stylion,
the tip of the radial styloid, whereas a kinematic hand starts at the wrist's centre of rotation
within the carpus, 4.2 mm further on. What then remains between that centre and the third
metacarpal is 26.1 mm, 0.40 of it, which lies within the carpal height of [YM].
"""

from __future__ import annotations

from typing import Final

STYLION_HAND_LENGTH_M: Final = 0.1872
"""Mean of the means of men (193.3 mm) and women (181.1 mm) [ANSUR]."""

STYLION_HAND_LENGTH_STD_M: Final = 0.0117
"""Spread of the even mixture of men (sd 9.95 mm) and women (sd 10.06 mm) [ANSUR]."""

STYLION_TO_WRIST_M: Final = 0.0042
"""From the stylion to the centre of rotation of the wrist, along the hand."""

MEAN_HAND_LENGTH_M: Final = STYLION_HAND_LENGTH_M - STYLION_TO_WRIST_M
"""Wrist joint to the tip of the straight middle finger, along its bones: 0.183 m."""

HAND_LENGTH_STD_M: Final = STYLION_HAND_LENGTH_STD_M * MEAN_HAND_LENGTH_M / STYLION_HAND_LENGTH_M
"""One standard deviation of the hand length over adults of both sexes."""

SEGMENTS_M: Final[dict[str, tuple[float, float, float, float]]] = {
    "thumb": (0.04622, 0.03157, 0.02167, 0.00567),
    "index": (0.06812, 0.03978, 0.02238, 0.01582 + 0.00384),
    "middle": (0.06460, 0.04463, 0.02633, 0.01740 + 0.00395),
    "ring": (0.05800, 0.04137, 0.02565, 0.01730 + 0.00395),
    "little": (0.05369, 0.03274, 0.01811, 0.01596 + 0.00373),
}
"""Metacarpal, proximal, middle and distal phalanx [BK]; the last with the soft tissue of the tip.

The thumb has no middle phalanx: metacarpal, proximal, distal phalanx, soft tissue.
"""

SEGMENT_STD_M: Final[dict[str, tuple[float, float, float, float]]] = {
    "thumb": (0.0039, 0.0031, 0.0016, 0.0006),
    "index": (0.0063, 0.0049, 0.0025, 0.0023),
    "middle": (0.0054, 0.0038, 0.0030, 0.0019),
    "ring": (0.0051, 0.0039, 0.0033, 0.0022),
    "little": (0.0044, 0.0028, 0.0025, 0.0025),
}
"""Standard deviations of ``SEGMENTS_M`` over the sample [BK], overall size included."""

CARPUS_M: Final = MEAN_HAND_LENGTH_M - sum(SEGMENTS_M["middle"])
"""Wrist centre to the base of the third metacarpal: what the hand length leaves for it."""

HAND_BREADTH_M: Final = 0.0832
"""Across the heads of the metacarpals; men 88.3 mm, women 78.2 mm [ANSUR]."""

WRIST_CIRCUMFERENCE_M: Final = 0.1654
"""Men 175.9 mm, women 154.8 mm [ANSUR]."""

HAND_CIRCUMFERENCE_M: Final = 0.1994
"""Over the knuckles without the thumb; men 212.3 mm, women 186.6 mm [ANSUR]."""

PIP_HALF_BREADTH_M: Final[dict[str, float]] = {
    "thumb": 0.0109,
    "index": 0.0101,
    "middle": 0.0102,
    "ring": 0.0095,
    "little": 0.0084,
}
"""Half the breadth of the proximal interphalangeal joint (thumb: its only one), about as [GR]."""

PALM_RATIO_STD: Final = 0.0196
"""Spread of palm length over hand length (mean 0.602) [ANSUR]."""

HAND_BREADTH_RELATIVE_STD: Final = 0.055
"""Spread of hand breadth over hand length (mean 0.445), relative to its mean [ANSUR]."""

HAND_THICKNESS_RELATIVE_STD: Final = 0.07
"""Relative spread of the hand's thickness at equal length and breadth.

Hand circumference varies by 2.1% once length and breadth are known [ANSUR], and thickness makes up
about 0.3 of it.
"""

FINGER_GIRTH_RELATIVE_STD: Final = 0.05
"""Relative spread of finger breadths at equal hand length; as such they vary by 6 to 7% [GR]."""

FINGER_LENGTH_RELATIVE_STD: Final[dict[str, float]] = {
    "thumb": 0.04,
    "index": 0.03,
    "ring": 0.03,
    "little": 0.04,
}
"""Relative spread of finger lengths at equal length of the middle finger.

The ratio of index to ring finger varies by 0.03 to 0.04 [MN]; thumb and little finger, whose bones
vary more relative to their length [BK], get a third more.
"""

PROXIMAL_PHALANX_RELATIVE_STD: Final = 0.03
"""Relative spread of the proximal phalanges at equal finger length.

Single phalanges vary by 8 to 12% and whole fingers by 7% [BK]; half of the difference in
quadrature is put here, as X-rays of different people also differ by their measuring error.
"""
