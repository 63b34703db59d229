"""What becomes of each kind of pixels in each group of targets: the proof is held against this.

The kinds are those of pixel_kinds.KINDS, as native images; the columns those of matrix.COLUMNS:

    nat    native syntaxes                      ls81   JPEG-LS Near-Lossless, no rate asked for
    jll    lossless JPEG, both                  j91    JPEG 2000 and HTJ2K that may lose, no rate
    ls     JPEG-LS Lossless                     near   JPEG-LS Near-Lossless with a largest error
    j2k    JPEG 2000 and HTJ2K Lossless         rate   JPEG 2000 and HTJ2K with a ratio
    rle    RLE Lossless                         jpg    JPEG Baseline, 8 bit
    jxl    JPEG XL Lossless                     j12    JPEG Extended, 12 bit
                                                xyb    JPEG XL

and the outcomes:

    bytes  Pixel Data keeps its bytes
    =      other bytes, the same samples, as all other decoders find them
    ~      lossy, within its bound
    else   refused before anything is written, for the reason that matrix.REASONS has for this word
"""

from matrix import rows

TABLE = rows("""
                            nat   jll   ls    ls81  j2k   j91   rle   jxl   near  rate  jpg   j12   xyb
1 of 8 bit:                 bytes =     bits  bits  =     =     =     =     bits  ~     ~     ~     ~
7 of 8 bit:                 bytes =     =     =     =     =     =     =     ~     ~     ~     ~     ~
8 bit:                      bytes =     =     =     =     =     =     =     ~     ~     ~     ~     ~
8 of 16 bit:                bytes =     =     =     =     =     =     =     ~     ~     ~     ~     ~
10 bit:                     bytes =     =     =     =     =     =     =     ~     ~     bits  ~     ~
12 bit:                     bytes =     =     =     =     =     =     =     ~     ~     bits  ~     ~
14 bit:                     bytes =     =     =     =     =     =     =     ~     ~     bits  bits  ~
16 bit:                     bytes =     =     =     =     =     =     =     ~     ~     bits  bits  ~
8 bit, signed:              bytes =     =     =     =     =     =     sign  ~     ~     sign  sign  sign
8 of 16 bit, signed:        bytes =     =     =     =     =     =     sign  ~     ~     sign  sign  sign
10 bit, signed:             bytes =     =     =     =     =     =     sign  ~     ~     bits  sign  sign
12 bit, signed:             bytes =     =     =     =     =     =     sign  ~     ~     bits  sign  sign
14 bit, signed:             bytes =     =     =     =     =     =     sign  ~     ~     bits  bits  sign
16 bit, signed:             bytes =     =     =     =     =     =     sign  ~     ~     bits  bits  sign
MONOCHROME1:                bytes =     =     =     =     =     =     =     ~     ~     bits  ~     ~
noise of 8 bit:             bytes =     =     =     =     =     =     =     ~     ~     ~     ~     ~
noise of 16 bit:            bytes =     =     =     =     =     =     =     ~     ~     bits  bits  ~
noise of 16 bit, signed:    bytes =     =     =     =     =     =     sign  ends  ~     bits  bits  sign
noise of RGB:               bytes =     =     =     =     =     =     =     ~     ~     ~     col   ~
all black:                  bytes =     =     =     =     =     =     =     ~     ~     bits  ~     ~
all white:                  bytes =     =     =     =     =     =     =     ~     ~     bits  ~     ~
multi-frame:                bytes =     =     =     =     =     =     =     ~     ~     bits  ~     ~
odd multi-frame:            bytes =     =     =     =     =     =     =     ~     ~     ~     ~     ~
multi-frame of RGB:         bytes =     =     =     =     =     =     =     ~     ~     ~     col   ~
1x1:                        bytes =     =     =     =     =     =     =     ~     ~     bits  ~     ~
1x1 of 8 bit:               bytes =     =     =     =     =     =     =     ~     ~     ~     ~     ~
1x1 of RGB:                 bytes =     =     =     =     =     =     =     ~     ~     ~     col   ~
1x50:                       bytes =     =     =     =     =     =     =     ~     ~     bits  ~     ~
50x1:                       bytes =     =     =     =     =     =     sign  ~     ~     bits  bits  sign
3x3:                        bytes =     =     =     =     =     =     =     ~     ~     bits  ~     ~
3x3 of RGB:                 bytes =     =     =     =     =     =     =     ~     ~     ~     col   ~
17x31:                      bytes =     =     =     =     =     =     sign  ends  ~     bits  bits  sign
31x33 of RGB:               bytes =     =     =     =     =     =     =     ~     ~     ~     col   ~
RGB:                        bytes =     =     =     =     =     =     =     ~     ~     ~     col   ~
RGB of 12 bit:              bytes =     =     =     =     =     =     =     ~     ~     bits  col   ~
RGB of 16 bit:              bytes =     =     =     =     =     =     =     ~     ~     bits  col   ~
RGB by plane:               bytes =     =     =     =     =     =     =     ~     ~     ~     col   ~
RGB, signed:                bytes sign3 sign3 sign3 sign3 sign3 sign3 sign  sign3 sign3 bits  col   sign
YBR_FULL:                   bytes =     =     =     =     =     =     col   ~     ~     ~     col   col
YBR_FULL by plane:          bytes =     =     =     =     =     =     col   ~     ~     ~     col   col
YBR_FULL of 16 bit:         bytes =     ybr8  ybr8  =     =     ybr8  col   ybr8  ~     bits  col   col
YBR_FULL_422:               bytes =     =     =     =     =     =     col   ~     ~     ~     col   col
YBR_FULL_422 of odd width:  bytes odd   odd   odd   odd   odd   odd   odd   odd   odd   odd   odd   odd
YBR_RCT, native:            bytes coded coded coded coded coded coded coded coded coded coded coded coded
unknown colours:            bytes what? what? what? what? what? what? what? what? what? what? what? what?
PALETTE COLOR:              bytes =     =     lut   =     lut   =     =     lut   lut   lut   lut   lut
PALETTE COLOR of 16 bit:    bytes =     =     lut   =     lut   =     =     lut   lut   bits  bits  lut
garbage above HighBit:      bytes junk  junk  junk  junk  junk  =     junk  junk  junk  bits  junk  junk
overlay above HighBit:      bytes =     =     =     =     =     =     =     ~     ~     bits  ~     ~
HighBit above BitsStored:   bytes high  high  high  high  high  =     high  high  high  bits  high  high
icon:                       bytes =     =     =     =     =     =     =     ~     ~     bits  ~     ~
image in an item:           bytes =     =     =     =     =     =     =     ~     ~     bits  ~     ~
1 bit:                      bytes 1bit  1bit  1bit  1bit  1bit  1bit  1bit  1bit  1bit  1bit  1bit  1bit
32 bit:                     bytes 32bit 32bit 32bit 32bit 32bit 32bit 32bit 32bit 32bit 32bit 32bit 32bit
32 bit of RGB:              bytes 32bit 32bit 32bit 32bit 32bit 32bit 32bit 32bit 32bit 32bit col   32bit
float:                      bytes float float float float float float float float float float float float
double float:               bytes float float float float float float float float float float float float
""")  # noqa: E501
