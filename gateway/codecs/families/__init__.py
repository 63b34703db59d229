"""One module for each family of codestreams: the calls that every other decoder agreed with.

A decoder takes one codestream to samples as they are coded: their dtype and sign are the
codestream's. An encoder takes samples that fit Bits Stored, of one byte each if that is enough, to
a bare codestream. A check is a decoder of another library than the encoder's. All raise whatever
they like, and run in codec processes only: this is C code over received bytes.
"""
